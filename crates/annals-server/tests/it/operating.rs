//! Settings, the listener, the description of the API and the counters.

use std::time::{Duration, Instant};

use annals_server::{Config, ConfigError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{ACME, ROOT, TestServer, event};

#[test]
fn settings_are_strict_and_all_mistakes_come_at_once() {
    assert_eq!(Config::parse("").unwrap(), Config::default());
    assert_eq!(
        Config::parse(&Config::default().to_toml()).unwrap(),
        Config::default()
    );
    let full = r#"
        origin = "audit.example.com"
        listen = "0.0.0.0:80"
        public_url = "https://audit.example.com"
        contact_url = "mailto:sales@example.com"
        unknown_organization = "create"
        default_entitlement = "inactive"
        trusted_proxies = ["10.0.0.0/8", "::1"]
        [limits]
        connections = 10
        [limits.keys.key_1]
        per_second = 5
        [operator]
        url = "http://127.0.0.1:4600"
        key = "sk_secret"
    "#;
    let config = Config::parse(full).unwrap();
    assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
    assert!(!format!("{config:?}").contains("sk_secret"));
    let misspelt = Config::parse("listne = \"127.0.0.1:1\"")
        .unwrap_err()
        .to_string();
    assert!(misspelt.contains("listne"), "{misspelt}");
    let wrong =
        "public_url = \"audit.example.com\"\norigin = \"https://x\"\n[limits]\ndownloads = 0\n";
    let Err(ConfigError::Invalid(mistakes)) = Config::parse(wrong) else {
        panic!("it was taken")
    };
    let settings: Vec<&str> = mistakes
        .iter()
        .map(|m| m.split(':').next().unwrap())
        .collect();
    assert_eq!(settings, ["origin", "public_url", "limits.downloads"]);
}

#[test]
fn only_trusted_proxies_say_who_calls() {
    let config = Config {
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        ..Config::default()
    };
    let from = |peer: &str, header: Option<&str>| {
        config
            .client_address(peer.parse().unwrap(), header)
            .to_string()
    };
    assert_eq!(from("192.0.2.1", Some("198.51.100.7")), "192.0.2.1");
    assert_eq!(
        from("10.1.2.3", Some("203.0.113.9, 198.51.100.7")),
        "198.51.100.7"
    );
    assert_eq!(
        from("10.1.2.3", Some("198.51.100.7, 10.9.9.9")),
        "198.51.100.7"
    );
    assert_eq!(
        from("::ffff:10.1.2.3", Some("198.51.100.7")),
        "198.51.100.7"
    );
    assert_eq!(from("10.1.2.3", Some("nonsense")), "10.1.2.3");
    assert_eq!(from("10.1.2.3", None), "10.1.2.3");
}

#[tokio::test]
async fn the_description_is_openapi_and_a_page_without_scripts() {
    let server = TestServer::start().await;
    let api = server.get("/openapi.json", "").await.is(200).json();
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(
                operation["summary"].is_string(),
                "{method} {path} has no summary"
            );
            assert!(operation["tags"].is_array(), "{method} {path} has no tag");
            ids.insert(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    // Every reference leads somewhere.
    let text = api.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(api.pointer(pointer).is_some(), "{pointer}");
    }
    let page = server.get("/docs", "").await.is(200);
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'")
    );
    let html = page.text();
    assert!(
        html.contains("/audit_logs/events")
            && !html.contains("<script")
            && !html.contains("style=")
    );
}

#[tokio::test]
async fn counters_name_routes_and_never_workspaces() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    server
        .get("/audit_logs/events?organization_id=org_nobody", ROOT)
        .await
        .is(404);
    let text = server.get("/metrics", ROOT).await.is(200).text();
    assert!(text.contains("annals_events_recorded_total 1\n"), "{text}");
    let line =
        "annals_requests_total{route=\"/audit_logs/events\",method=\"GET\",status=\"4xx\"} 1\n";
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("org_"));
    server.get("/metrics", "").await.is(401);
}

#[tokio::test]
async fn stopping_finishes_what_runs_and_takes_no_more() {
    let server = TestServer::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.server.clone().run(listener, async {
        let _ = stopped.await;
    }));
    let body = json!({ "organization_id": ACME, "event": event("issue.created") }).to_string();
    let head = format!(
        "POST /audit_logs/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ROOT}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(
        format!("GET /health HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ROOT}\r\n\r\n")
            .as_bytes(),
    )
    .await
    .unwrap();
    let mut first = [0; 12];
    idle.read_exact(&mut first).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(head.as_bytes()).await.unwrap();
    busy.write_all(&body.as_bytes()[..10]).await.unwrap();
    // The head has been read when the server asks for the key; give it the rest only after the signal.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    stop.send(()).unwrap();
    busy.write_all(&body.as_bytes()[10..]).await.unwrap();
    let mut answer = Vec::new();
    busy.read_to_end(&mut answer).await.unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    running.await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(server.store.log(ACME).unwrap().size(), 1);
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let mut config = Config::default();
    config.limits.header_seconds = 1;
    let server = TestServer::with(config).await;
    let address = server.listen().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /health HTTP/1.1\r\nhos")
        .await
        .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_goes_on_reading() {
    let options = annals_store::Options {
        max_bytes: Some(16 << 20),
        // Sealing makes room.
        sealing: None,
        ..annals_store::Options::default()
    };
    let server = TestServer::with_options(Config::default(), options).await;
    let mut sent = event("issue.created");
    let mut seed = 1_u64;
    let mut status = 200;
    for _ in 0..4_000 {
        // Texts that do not compress.
        let mut noise = String::new();
        while noise.len() < 8_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            noise.push_str(&format!("{seed:016x}"));
        }
        sent["metadata"] =
            json!({ "noise": noise, "more": noise.chars().rev().collect::<String>() });
        let body = json!({ "organization_id": ACME, "event": sent });
        let answer = server.post("/audit_logs/events", ROOT, &body).await;
        status = answer.status.as_u16();
        if status != 200 {
            let code: Value = answer.json();
            assert_eq!(code["code"], "insufficient_storage");
            break;
        }
    }
    assert_eq!(status, 507);
    let found = server
        .get("/audit_logs/events?organization_id=org_acme&limit=1", ROOT)
        .await
        .is(200)
        .json();
    // Reading was recorded all the same.
    assert_eq!(found["data"][0]["event"]["action"], "audit_log.viewed");
}
