//! Many who send large bodies that nobody should send, all at once: the process stays small.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Serving, field_of_status};

const MB: usize = 1_000_000;
/// How many send at once.
const CROWD: usize = 40;

/// Posts a body to the route for batches and returns the answer, as far as there was one.
fn post(address: &str, key: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let head = format!(
        "POST /audit_logs/events/bulk HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut writing = stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || writing.write_all(body));
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let _ = stream.shutdown(Shutdown::Both);
        String::from_utf8_lossy(&answer).into_owned()
    })
}

/// What is sent, about 10 MB each.
fn garbage() -> Vec<Vec<u8>> {
    let size = 10 * MB;
    let mut noise = vec![0; size];
    fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut noise)
        .unwrap();
    let around = |events: String| {
        format!(r#"{{"organization_id":"acme","events":[{events}]}}"#).into_bytes()
    };
    let long = json!({"action": "x".repeat(9_000), "actor": 1, "targets": {}}).to_string();
    vec![
        noise,
        vec![b' '; size],
        vec![b'['; size],
        around("[],".repeat(3 * MB) + "[]"),
        around(vec![long; 1_000].join(",")),
    ]
}

#[test]
fn large_garbage_from_many_costs_little_memory() {
    let serving = Serving::new();
    let address = serving.url.trim_start_matches("http://").to_owned();
    serving
        .run(&["workspace", "create", "acme", "--name", "Acme"])
        .ends(0);
    // Several keys, so that no bound of one of them alone explains it.
    let keys: Vec<String> = (0..4)
        .map(|n| {
            let name = format!("key {n}");
            let created = serving.run(&[
                "key", "create", "--name", &name, "--scope", "write", "--json",
            ]);
            created.ends(0).json()["key"].as_str().unwrap().to_owned()
        })
        .collect();
    let event = json!({
        "action": "user.login", "occurred_at": "2026-01-02T03:04:05Z",
        "actor": {"id": "usr_1", "type": "user"}, "targets": [], "context": {"location": "203.0.113.7"},
    });
    let good = json!({"organization_id": "acme", "events": vec![event.clone(); 500]}).to_string();
    // What every server that takes in batches needs once is not counted: garbage is to cost little beyond
    // what a batch of the same size costs that is in order.
    let mut event = event;
    event["metadata"] = json!({"note": "x".repeat(7_000), "more": "y".repeat(2_000)});
    let large = json!({"organization_id": "acme", "events": vec![event; 1_000]}).to_string();
    for batch in [&good, &large] {
        assert!(post(&address, &keys[0], batch.as_bytes()).starts_with("HTTP/1.1 200"));
    }
    let garbage = garbage();
    let before = field_of_status(serving.process(), "VmRSS:");
    for round in 0..2 {
        thread::scope(|scope| {
            for n in 0..CROWD {
                let (body, key) = (&garbage[(n + round) % garbage.len()], &keys[n % keys.len()]);
                let address = &address;
                scope.spawn(move || {
                    let answer = post(address, key, body);
                    let status = answer.get(9..12).unwrap_or_default();
                    assert!(["400", "413", "503"].contains(&status), "{answer:.200}");
                    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
                    let _: Value = serde_json::from_str(text).unwrap();
                    assert!(status != "503" || head.contains("retry-after: "), "{head}");
                });
            }
        });
    }
    let most = field_of_status(serving.process(), "VmHWM:");
    let grown = most.saturating_sub(before);
    assert!(grown < 32 << 20, "grew by {grown} bytes from {before}");
    assert!(post(&address, &keys[0], good.as_bytes()).starts_with("HTTP/1.1 200"));
}
