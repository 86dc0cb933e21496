//! Input that nobody should send: a clear refusal that names the field, nothing stored, memory kept.

use std::io::Write as _;
use std::net::SocketAddr;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{ACME, Answer, ROOT, TestServer, event, request};

/// A request body around the text of an event.
fn around(event: &str) -> Vec<u8> {
    format!(r#"{{"organization_id":"org_acme","event":{event}}}"#).into_bytes()
}

/// An event whose metadata is this text.
fn metadata(text: &str) -> Vec<u8> {
    let event = r#"{"action":"issue.created","occurred_at":"2026-11-22T11:59:00Z","actor":{"id":"u","type":"user"},"targets":[],"context":{},"metadata":"#;
    around(&format!("{event}{text}}}"))
}

async fn send(server: &TestServer, path: &str, encoding: &str, body: Vec<u8>) -> Answer {
    let mut request = request(Method::POST, path, ROOT, Body::from(body));
    if !encoding.is_empty() {
        request
            .headers_mut()
            .insert("content-encoding", encoding.parse().unwrap());
    }
    server.call(request).await
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn zstd(data: &[u8]) -> Vec<u8> {
    zstd::encode_all(data, 3).unwrap()
}

#[tokio::test]
async fn each_is_refused_by_name_and_leaves_nothing() {
    let server = TestServer::start().await;
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(40), "]".repeat(40));
    let long = format!("{{\"a\":{:?}}}", "x".repeat(9_000));
    let large = format!(
        "{{{}}}",
        (0..60)
            .map(|n| format!("\"k{n}\":{:?}", "x".repeat(1_100)))
            .collect::<Vec<_>>()
            .join(",")
    );
    // Body, status, and what the answer must name.
    let cases: Vec<(Vec<u8>, u16, &str)> = vec![
        (b"".to_vec(), 400, "invalid_json"),
        (b"{".to_vec(), 400, "invalid_json"),
        (b"[]".to_vec(), 400, "invalid_json"),
        (b"{}".to_vec(), 422, "organization_id"),
        (b"\xff\xfe".to_vec(), 400, "invalid_json"),
        (around("7"), 422, "event"),
        (around("{}"), 422, "event.action"),
        (
            br#"{"organization_id":7,"event":{}}"#.to_vec(),
            422,
            "organization_id",
        ),
        (
            br#"{"organization_id":"org_acme","organization_id":"org_acme","event":{}}"#.to_vec(),
            400,
            "organization_id",
        ),
        (
            br#"{"organization_id":"org_nobody","event":{}}"#.to_vec(),
            404,
            "org_nobody",
        ),
        (metadata("[1]"), 400, "event.metadata"),
        (metadata("null"), 400, "event.metadata"),
        (metadata(&deep), 400, "too_deep"),
        (metadata(r#"{"a":1,"a":2}"#), 400, "event.metadata.a"),
        (metadata(r#"{"a":"\ud800"}"#), 400, "bad_json"),
        (metadata(r#"{"a":"\u0000"}"#), 400, "event.metadata.a"),
        (
            metadata(r#"{"a":9007199254740993}"#),
            400,
            "event.metadata.a",
        ),
        (metadata(r#"{"a":1e999}"#), 400, "bad_number"),
        (metadata(r#"{"$targets":1}"#), 400, "reserved"),
        (metadata(&long), 400, "event.metadata.a"),
        (metadata(&large), 400, "too_large"),
        (
            metadata(&format!("{{\"a\":{:?}}}", "x".repeat(300_000))),
            413,
            "payload_too_large",
        ),
    ];
    for (body, status, named) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        let answer = send(&server, "/audit_logs/events", "", body).await;
        assert_eq!(answer.status.as_u16(), status, "{shown}: {}", answer.text());
        assert!(answer.text().contains(named), "{shown}: {}", answer.text());
        assert!(answer.json()["message"].is_string());
        if status == 400 {
            assert!(
                answer.json()["code"].is_string() && answer.json()["errors"].is_array(),
                "{shown}"
            );
        }
    }
    let mut ahead = event("issue.created");
    ahead["occurred_at"] = json!("2026-11-22T12:11:00Z");
    let mut unknown = event("issue.created");
    unknown["actor"]["nickname"] = json!("x");
    let mut ours = event("audit_log.viewed");
    ours["id"] = json!("x");
    for (event, field) in [
        (ahead, "event.occurred_at"),
        (unknown, "event.actor.nickname"),
        (ours, "event.action"),
    ] {
        let body = json!({ "organization_id": ACME, "event": event });
        let answer = server.post("/audit_logs/events", ROOT, &body).await.is(400);
        assert_eq!(answer.json()["errors"][0]["field"], field);
    }
    assert_eq!(server.store.log(ACME).unwrap().size(), 0);
}

#[tokio::test]
async fn content_types_and_encodings_are_told_apart() {
    let server = TestServer::start().await;
    let good = json!({ "organization_id": ACME, "event": event("issue.created") })
        .to_string()
        .into_bytes();
    let path = "/audit_logs/events";
    send(&server, path, "gzip", gzip(&good)).await.is(200);
    send(&server, path, "zstd", zstd(&good)).await.is(200);
    send(&server, path, "br", good.clone()).await.is(415);
    send(&server, path, "gzip, gzip", gzip(&gzip(&good)))
        .await
        .is(415);
    send(&server, path, "gzip", good.clone()).await.is(400);
    let mut form = request(Method::POST, path, ROOT, Body::from(good.clone()));
    form.headers_mut().insert(
        "content-type",
        "application/x-www-form-urlencoded".parse().unwrap(),
    );
    assert!(
        server
            .call(form)
            .await
            .is(415)
            .text()
            .contains("application/json")
    );
    // What breaks off is refused, even where the part that is there would do.
    let lines = [good.clone(), b"\n".to_vec(), good.clone(), b"\n".to_vec()].concat();
    for (encoding, whole) in [("gzip", gzip(&lines)), ("zstd", zstd(&lines))] {
        for cut in [1, 4, 9] {
            let mut request = request(
                Method::POST,
                "/audit_logs/events/bulk",
                ROOT,
                Body::from(whole[..whole.len() - cut].to_vec()),
            );
            request
                .headers_mut()
                .insert("content-type", "application/x-ndjson".parse().unwrap());
            request
                .headers_mut()
                .insert("content-encoding", encoding.parse().unwrap());
            let answer = server.call(request).await;
            assert_eq!(
                answer.status.as_u16(),
                400,
                "{encoding} cut by {cut}: {}",
                answer.text()
            );
        }
    }
    assert_eq!(server.store.log(ACME).unwrap().size(), 2);
}

#[tokio::test]
async fn a_frame_after_a_frame_is_read_too() {
    let server = TestServer::start().await;
    let line = format!(
        "{}\n",
        json!({ "organization_id": ACME, "event": event("issue.created") })
    )
    .into_bytes();
    for (encoding, body) in [
        ("gzip", [gzip(&line), gzip(&line)].concat()),
        ("zstd", [zstd(&line), zstd(&line)].concat()),
    ] {
        let mut request = request(
            Method::POST,
            "/audit_logs/events/bulk",
            ROOT,
            Body::from(body),
        );
        request
            .headers_mut()
            .insert("content-type", "application/x-ndjson".parse().unwrap());
        request
            .headers_mut()
            .insert("content-encoding", encoding.parse().unwrap());
        assert_eq!(server.call(request).await.is(200).json()["recorded"], 2);
    }
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

/// Posts a body over a connection of its own and returns the status. The server may answer and hang
/// up before it has read everything.
async fn post(address: SocketAddr, path: &str, headers: &str, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ROOT}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut start = [0; 12];
    tokio::select! {
        read = reading.read_exact(&mut start) => { read.unwrap(); }
        _ = async { let _ = writing.write_all(body).await; std::future::pending::<()>().await } => {}
    }
    std::str::from_utf8(&start[9..]).unwrap().parse().unwrap()
}

/// Measured in a process of its own, because the other tests of this one need memory too: without
/// the variable the test only calls itself again, with it.
#[tokio::test]
async fn bombs_cost_little_memory() {
    const ALONE: &str = "ANNALS_TEST_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut test = std::process::Command::new(std::env::current_exe().unwrap());
        test.args([
            "--exact",
            "bad_input::bombs_cost_little_memory",
            "--nocapture",
        ])
        .env(ALONE, "1");
        let output = test.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{complained}"
        );
        return;
    }
    let server = TestServer::start().await;
    let address = server.listen().await;
    let bulk = "/audit_logs/events/bulk";
    let spaces = vec![b' '; 64 << 20];
    let (gzipped, zstd) = (gzip(&spaces), zstd(&spaces));
    drop(spaces);
    let mut lists = br#"{"organization_id":"org_acme","events":["#.to_vec();
    lists.extend_from_slice("[],".repeat(3_000_000).as_bytes());
    lists.extend_from_slice(b"[]]}");
    let mut nested = br#"{"organization_id":"org_acme","events":[{"metadata":"#.to_vec();
    nested.extend_from_slice("[".repeat(9_000_000).as_bytes());
    let braces = vec![b'{'; 11 << 20];
    // One honest request first, so that what every server needs once is not counted.
    let good = json!({ "organization_id": ACME, "event": event("issue.created") }).to_string();
    assert_eq!(
        post(address, "/audit_logs/events", "", good.as_bytes()).await,
        200
    );
    let before = resident();
    for _ in 0..3 {
        for path in [bulk, "/audit_logs/events"] {
            assert_eq!(
                post(address, path, "content-encoding: gzip\r\n", &gzipped).await,
                413
            );
            assert_eq!(
                post(address, path, "content-encoding: zstd\r\n", &zstd).await,
                413
            );
        }
        assert_eq!(post(address, bulk, "", &lists).await, 413);
        assert_eq!(post(address, bulk, "", &nested).await, 400);
        assert_eq!(post(address, bulk, "", &braces).await, 413);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 32 << 20, "grew by {grown} bytes");
}

#[tokio::test]
async fn half_a_request_stores_nothing() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    let body = json!({ "organization_id": ACME, "event": event("issue.created") }).to_string();
    let head = |length: usize| {
        format!(
            "POST /audit_logs/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ROOT}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    // The whole body is there, but the head promised more.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(head(body.len() + 1).as_bytes())
        .await
        .unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 200"));
    assert_eq!(server.store.log(ACME).unwrap().size(), 0);

    // The same, whole, over the same door.
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head(body.len()).as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert_eq!(server.store.log(ACME).unwrap().size(), 1);
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_answered() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    let lines = |count: usize| "x-y: z\r\n".repeat(count);
    for (head, status) in [
        ("GET /health\r\n\r\n".to_owned(), "400"),
        ("\u{1}\u{2}\u{3} nonsense\r\n\r\n".to_owned(), "400"),
        (
            "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n"
                .to_owned(),
            "400",
        ),
        (
            format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", lines(200)),
            "431",
        ),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{head:?} was answered {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_slow_body_is_cut_off() {
    let mut config = annals_server::Config::default();
    config.limits.body_seconds = 1;
    let server = TestServer::with(config).await;
    let address = server.listen().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /audit_logs/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ROOT}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 408"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
}

#[tokio::test]
async fn unknown_paths_and_methods_answer_json() {
    let server = TestServer::start().await;
    let answer: Value = server.get("/nothing/here", ROOT).await.is(404).json();
    assert_eq!(answer["code"], "not_found");
    let answer = server
        .put("/audit_logs/events", ROOT, &json!({}))
        .await
        .is(405);
    assert_eq!(answer.json()["code"], "method_not_allowed");
    assert!(answer.header("x-request-id").starts_with("req_"));
}
