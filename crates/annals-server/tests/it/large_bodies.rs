//! Many large bodies at once: those who only keep others waiting do not, and nobody waits for ever.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::harness::{ACME, TestServer, event};

/// A batch of so many events, each with this much text.
fn batch(events: usize, text: usize) -> Vec<u8> {
    let mut event = event("issue.created");
    event["metadata"] = json!({ "a": "x".repeat(text.min(8_000)) });
    event["context"]["user_agent"] = json!("y".repeat(text.saturating_sub(8_000)));
    let body = json!({ "organization_id": ACME, "events": vec![event; events] });
    body.to_string().into_bytes()
}

/// Opens a request for a batch of so many bytes.
async fn begin(address: SocketAddr, key: &str, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /audit_logs/events/bulk HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// Reads the answer to its end: its head, and its body as JSON.
async fn answer(stream: &mut TcpStream) -> (String, Value) {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), serde_json::from_str(body).unwrap())
}

/// Sends a whole batch and returns how many of its events were recorded.
async fn send(address: SocketAddr, key: &str, body: &[u8]) -> u64 {
    let mut stream = begin(address, key, body.len()).await;
    stream.write_all(body).await.unwrap();
    let (head, body) = answer(&mut stream).await;
    body["recorded"]
        .as_u64()
        .unwrap_or_else(|| panic!("{head}"))
}

/// Uploads of 10 MB that stop after `sent` bytes.
async fn stalled(address: SocketAddr, key: &str, count: usize, sent: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let mut stream = begin(address, key, 10_000_000).await;
        let part = vec![b' '; sent];
        // What the server does not read yet may not fit into the buffers in between.
        let _ = tokio::time::timeout(Duration::from_millis(50), stream.write_all(&part)).await;
        streams.push(stream);
    }
    streams
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stalled_uploads_do_not_keep_others_waiting() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    let (bad, good) = (
        server.key(&["write"], None).await,
        server.key(&["write"], None).await,
    );
    for sent in [0, 20_000, 700_000] {
        let hanging = stalled(address, &bad, 20, sent).await;
        let begun = Instant::now();
        // The batches that everybody sends, also those of the same key.
        for key in [&good, &bad] {
            assert_eq!(send(address, key, &batch(500, 600)).await, 500);
        }
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(2), "{took:?} after {sent} bytes");
        // The largest that anybody may send: at most the time in which a stalled one is noticed.
        let begun = Instant::now();
        assert_eq!(send(address, &good, &batch(1_000, 8_800)).await, 1_000);
        let took = begun.elapsed();
        assert!(took < Duration::from_secs(4), "{took:?} after {sent} bytes");
        drop(hanging);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_of_one_key_at_once_take_turns_and_all_end() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    let key = server.key(&["write"], None).await;
    // Together several times what there is room for, most of it half read at the same time.
    for (count, body) in [(6, batch(400, 8_500)), (24, batch(150, 8_500))] {
        let sending: Vec<_> = (0..count)
            .map(|_| {
                let (key, body) = (key.clone(), body.clone());
                tokio::spawn(async move {
                    let mut stream = begin(address, &key, body.len()).await;
                    let (start, end) = body.split_at(body.len() / 2);
                    stream.write_all(start).await.unwrap();
                    sleep(Duration::from_millis(20)).await;
                    stream.write_all(end).await.unwrap();
                    answer(&mut stream).await
                })
            })
            .collect();
        for sending in sending {
            let (head, body) = sending.await.unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{head} {body:.200}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gets_no_room_is_told_to_come_again_even_while_sending() {
    let server = TestServer::start().await;
    let address = server.listen().await;
    let key = server.key(&["write"], None).await;
    // The place is taken by one that keeps sending, a step a second.
    let mut taken = begin(address, &key, 10_000_000).await;
    let dripping = tokio::spawn(async move {
        let piece = vec![b' '; 1_200_000];
        while taken.write_all(&piece).await.is_ok() {
            sleep(Duration::from_millis(700)).await;
        }
    });
    sleep(Duration::from_millis(300)).await;
    let mut other = begin(address, &key, 8_000_000).await;
    let begun = Instant::now();
    // All of it, as clients do, before they look at the answer.
    other.write_all(&vec![b' '; 8_000_000]).await.unwrap();
    let (head, body) = answer(&mut other).await;
    let took = begun.elapsed();
    dripping.abort();
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    assert!(head.contains("retry-after: "), "{head}");
    assert_eq!(body["code"], "busy");
    assert!(took < Duration::from_secs(7), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_upload_gives_its_room_back() {
    let mut config = annals_server::Config::default();
    config.limits.body_seconds = 1;
    let server = TestServer::with(config).await;
    let address = server.listen().await;
    let key = server.key(&["write"], None).await;
    let mut hanging = stalled(address, &key, 1, 3_000_000).await;
    let (head, _) = answer(&mut hanging[0]).await;
    assert!(head.starts_with("HTTP/1.1 408"), "{head}");
    let begun = Instant::now();
    assert_eq!(send(address, &key, &batch(1_000, 8_800)).await, 1_000);
    assert!(begun.elapsed() < Duration::from_secs(2));
}
