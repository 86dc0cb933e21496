//! What the outbox costs the application, and how fast the relay empties it.
//!
//! ```text
//! cargo build --release -p annals-cli
//! ANNALS_BIN=$PWD/target/release/annals cargo bench -p annals-client --bench outbox
//! ```
//!
//! Without `ANNALS_BIN` the relay is measured only against a sink that does nothing but answer.

#![expect(
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for a terminal"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use annals_client::actions::IssueStatusUpdated;
use annals_client::{Actor, Client, Relay, RelayOptions, SqliteOutbox};
use rusqlite::Connection;

const KEY: &str = "sk_bench_0123456789abcdefghijklmnopqrstuvwxyz";
const TRANSACTIONS: u32 = 20_000;
const EVENTS: u32 = 300_000;
const WORKSPACES: u32 = 50;

fn main() {
    record();
    let sink = sink();
    relay("a sink that only answers", &sink, 1);
    relay("a sink that only answers", &sink, 4);
    if let Some(binary) = std::env::var_os("ANNALS_BIN") {
        for requests in [1, 4] {
            let folder = tempfile::TempDir::new().unwrap();
            let (mut server, url) = serve(Path::new(&binary), folder.path());
            relay("annals serve", &url, requests);
            server.kill().unwrap();
            server.wait().unwrap();
        }
    }
}

fn event(n: u32) -> IssueStatusUpdated {
    IssueStatusUpdated::new(
        Actor::new("user", format!("usr_{}", n % 100))
            .named("Ana Ruiz")
            .with_email("ana@acme.example")
            .with_role("manager"),
        (
            format!("iss_{n}"),
            "Header overlaps the menu on small screens",
        ),
    )
    .on_project(("prj_1", "Website"))
    .previous_status("open")
    .next_status("resolved")
    .source("web")
    .session_id("ses_5f0c7d")
}

fn database(path: &Path) -> Connection {
    let database = Connection::open(path).unwrap();
    database.pragma_update(None, "journal_mode", "wal").unwrap();
    database
        .pragma_update(None, "synchronous", "normal")
        .unwrap();
    database.busy_timeout(Duration::from_secs(30)).unwrap();
    SqliteOutbox::migrate(&database).unwrap();
    database
        .execute_batch(
            "create table issue (id integer primary key, title text, status text, changed integer)",
        )
        .unwrap();
    database
}

/// Transactions of one statement, and the same with an event; alternating, so that a drift of the machine meets both.
fn record() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut database = database(&folder.path().join("app.sqlite"));
    let outbox = SqliteOutbox::default();
    let mut alone = Vec::new();
    let mut with_event = Vec::new();
    let mut calls = Vec::new();
    for n in 0..TRANSACTIONS * 2 {
        let begun = Instant::now();
        let transaction = database.transaction().unwrap();
        transaction
            .prepare_cached(
                "insert into issue (title, status, changed) values ('Header overlaps', 'open', ?1)",
            )
            .unwrap()
            .execute([n])
            .unwrap();
        if n % 2 == 0 {
            let asked = Instant::now();
            let _ = outbox.record(&transaction, "acme", event(n)).unwrap();
            calls.push(asked.elapsed());
        }
        transaction.commit().unwrap();
        if n % 2 == 0 {
            with_event.push(begun.elapsed())
        } else {
            alone.push(begun.elapsed())
        }
    }
    for list in [&mut alone, &mut with_event, &mut calls] {
        list.sort_unstable();
    }
    let micros = |list: &[Duration], share: f64| {
        let place = (list.len() as f64 * share) as usize;
        list[place.min(list.len() - 1)].as_secs_f64() * 1e6
    };
    println!(
        "record in a transaction on SQLite (WAL, synchronous=normal), microseconds, p50 / p99:"
    );
    println!(
        "  the caller's statement and commit  {:7.1} / {:7.1}",
        micros(&alone, 0.5),
        micros(&alone, 0.99)
    );
    println!(
        "  the same with one event            {:7.1} / {:7.1}",
        micros(&with_event, 0.5),
        micros(&with_event, 0.99)
    );
    println!(
        "  `record` alone                     {:7.1} / {:7.1}",
        micros(&calls, 0.5),
        micros(&calls, 0.99)
    );
    println!(
        "  beyond the caller's own            {:7.1}",
        micros(&with_event, 0.5) - micros(&alone, 0.5)
    );
}

fn relay(what: &str, url: &str, requests: usize) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("app.sqlite");
    let mut database = database(&path);
    let outbox = SqliteOutbox::default();
    let transaction = database.transaction().unwrap();
    for n in 0..WORKSPACES {
        outbox
            .ensure_organization(&transaction, &format!("w{n}"), "Bench")
            .unwrap();
    }
    for n in 0..EVENTS {
        let _ = outbox
            .record(&transaction, &format!("w{}", n % WORKSPACES), event(n))
            .unwrap();
    }
    transaction.commit().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = Client::builder(url, KEY).build().unwrap();
        let mut relay = Relay::sqlite(
            &path,
            client,
            RelayOptions {
                requests,
                ..RelayOptions::default()
            },
        )
        .await
        .unwrap();
        let begun = Instant::now();
        relay.drain().await.unwrap();
        let took = begun.elapsed();
        let now = relay.metrics().snapshot();
        assert_eq!(
            (now.backlog, now.delivered),
            (0, u64::from(EVENTS + WORKSPACES)),
            "{now:?}"
        );
        println!(
            "relay to {what}, {requests} at once: {:.0} events/s ({EVENTS} events in {:.2} s)",
            f64::from(EVENTS) / took.as_secs_f64(),
            took.as_secs_f64()
        );
    });
}

fn serve(binary: &Path, folder: &Path) -> (Child, String) {
    let mut child = Command::new(binary)
        .args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder.join("data"))
        .env("ANNALS_BOOTSTRAP_KEY", KEY)
        .env("ANNALS_LOG", "error")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let started: serde_json::Value = serde_json::from_str(&line).unwrap();
    (child, started["annals"].as_str().unwrap().to_owned())
}

/// A server that reads requests and says that everything is recorded.
fn sink() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    url
}

fn answer(stream: TcpStream) {
    stream.set_nodelay(true).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    let mut body = Vec::new();
    loop {
        let (mut length, mut line) = (0, String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        body.resize(length, 0);
        reader.read_exact(&mut body).unwrap();
        let lines = body.iter().filter(|byte| **byte == b'\n').count();
        let one = r#"{"status":"recorded","id":"0192f7a0-0000-7000-8000-000000000000","position":123456,"recorded_at":"2026-11-22T10:00:00.000000Z"}"#;
        let answer = format!(
            r#"{{"recorded":{lines},"duplicates":0,"rejected":0,"results":[{}]}}"#,
            vec![one; lines].join(",")
        );
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        writer.write_all(head.as_bytes()).unwrap();
        writer.write_all(answer.as_bytes()).unwrap();
    }
}
