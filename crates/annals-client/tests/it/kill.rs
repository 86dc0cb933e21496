//! An application is killed again and again between commit and delivery, and so is the server: every committed change has exactly one
//! event in each log that it belongs to, in order, and there is no event without its change.
//!
//! The application is this very test program, started once more with a variable set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use annals_client::{Actor, Client, Integer, NewEvent, PostgresOutbox, Relay, SqliteOutbox};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::harness::{Annals, KEY, options};
use crate::postgres;

/// Where the application finds its database and the server: `sqlite PATH URL` or `postgres SOCKET NAME URL`.
const APPLICATION: &str = "ANNALS_CLIENT_TEST_APPLICATION";
/// Set where the application only delivers and ends.
const DRAIN: &str = "ANNALS_CLIENT_TEST_DRAIN";

fn cycles() -> u64 {
    std::env::var("ANNALS_CLIENT_KILLS")
        .ok()
        .map_or(20, |text| text.parse().unwrap())
}

fn workspace(n: i64) -> String {
    // A new one every now and then, so that organizations are ensured under fire as well.
    format!(
        "w{}",
        if n % 40 == 0 {
            n / 40
        } else {
            n % (n / 40 + 1)
        }
    )
}

/// To which workspaces the change is told: to one, or to two.
fn audience(n: i64) -> Vec<String> {
    let mut audience = vec![workspace(n)];
    if n % 9 == 0 && audience[0] != "w0" {
        audience.push("w0".to_owned());
    }
    audience
}

fn event(n: i64) -> NewEvent {
    NewEvent::new("thing.made", Actor::new("user", "usr_1")).metadata("n", Integer::from(n))
}

/// Between two changes, so that a campaign tries many moments and not many events.
const PACE: Duration = Duration::from_millis(1);

/// The application: changes, each with its event, some of them rolled back, and a relay beside them.
#[test]
fn application() {
    let Ok(place) = std::env::var(APPLICATION) else {
        // Run as a test there is nothing to do.
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let words: Vec<String> = place.split(' ').map(str::to_owned).collect();
    match words.as_slice() {
        [kind, path, url] if kind == "sqlite" => runtime.block_on(on_sqlite(path.into(), url)),
        [kind, socket, name, url] if kind == "postgres" => {
            runtime.block_on(on_postgres(socket.into(), name.clone(), url));
        }
        other => panic!("{other:?}"),
    }
}

fn client(url: &str) -> Client {
    let builder = Client::builder(url, KEY).timeout(Duration::from_secs(2));
    builder
        .backoff(crate::harness::quick())
        .receipts(true)
        .build()
        .unwrap()
}

async fn on_sqlite(path: PathBuf, url: &str) {
    let mut relay = Relay::sqlite(&path, client(url), options()).await.unwrap();
    if std::env::var_os(DRAIN).is_some() {
        return drain(&mut relay).await;
    }
    tokio::spawn(relay.run(std::future::pending()));
    let work = move || {
        let mut database = open(&path);
        let outbox = SqliteOutbox::default();
        let mut n: i64 = database
            .query_row("select coalesce(max(n), 0) from thing", [], |row| {
                row.get(0)
            })
            .unwrap();
        loop {
            std::thread::sleep(PACE);
            n += 1;
            let transaction = database
                .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
                .unwrap();
            transaction
                .execute("insert into thing values (?1)", [n])
                .unwrap();
            if n % 40 == 0 || n == 1 {
                outbox
                    .ensure_organization(&transaction, &workspace(n), "New")
                    .unwrap();
                outbox
                    .ensure_organization(&transaction, "w0", "First")
                    .unwrap();
            }
            let _ = outbox
                .record_for(&transaction, audience(n), event(n))
                .unwrap();
            if n % 7 == 3 && fastrand::bool() {
                transaction.rollback().unwrap();
                n -= 1;
            } else {
                transaction.commit().unwrap();
            }
        }
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn on_postgres(socket: PathBuf, name: String, url: &str) {
    let mut database = postgres::connect(socket.clone(), name.clone())
        .await
        .unwrap();
    let connect = move || postgres::connect(socket.clone(), name.clone());
    let mut relay = Relay::postgres(connect, client(url), options())
        .await
        .unwrap();
    if std::env::var_os(DRAIN).is_some() {
        return drain(&mut relay).await;
    }
    tokio::spawn(relay.run(std::future::pending()));
    let outbox = PostgresOutbox::default();
    // The database may still be at a commit of the life before; it holds this lock until it has noticed the kill.
    database
        .execute("select pg_advisory_lock(1)", &[])
        .await
        .unwrap();
    let row = database
        .query_one("select coalesce(max(n), 0) from thing", &[])
        .await
        .unwrap();
    let mut n: i64 = row.get(0);
    loop {
        tokio::time::sleep(PACE).await;
        n += 1;
        let transaction = database.transaction().await.unwrap();
        transaction
            .execute("insert into thing values ($1)", &[&n])
            .await
            .unwrap();
        if n % 40 == 0 || n == 1 {
            outbox
                .ensure_organization(&transaction, &workspace(n), "New")
                .await
                .unwrap();
            outbox
                .ensure_organization(&transaction, "w0", "First")
                .await
                .unwrap();
        }
        let _ = outbox
            .record_for(&transaction, audience(n), event(n))
            .await
            .unwrap();
        if n % 7 == 3 && fastrand::bool() {
            transaction.rollback().await.unwrap();
            n -= 1;
        } else {
            transaction.commit().await.unwrap();
        }
    }
}

/// Delivers until nothing waits; the lead of the killed one has to end first.
async fn drain(relay: &mut Relay) {
    let metrics = relay.metrics();
    loop {
        relay.drain().await.unwrap();
        let now = metrics.snapshot();
        if now.backlog == 0 {
            assert_eq!(now.parked, 0);
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn open(path: &Path) -> Connection {
    let database = Connection::open(path).unwrap();
    database.busy_timeout(Duration::from_secs(30)).unwrap();
    database.pragma_update(None, "journal_mode", "wal").unwrap();
    // A kill of the process does not lose what the system has; power cuts are SQLite's own business.
    database
        .pragma_update(None, "synchronous", "normal")
        .unwrap();
    database
}

fn start(place: &str, drain: bool) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "kill::application",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(APPLICATION, place)
        .env_remove("NEXTEST")
        .stdout(Stdio::null());
    if drain {
        command.env(DRAIN, "1");
    }
    command.spawn().unwrap()
}

/// The cycles; `things` reads which changes are committed.
fn campaign(place: impl Fn(&str) -> String, things: impl Fn() -> Vec<i64>) {
    let mut annals = Annals::start();
    let place = place(&annals.url());
    let mut grown = 0;
    for cycle in 0..cycles() {
        let before = things().len();
        let mut application = start(&place, false);
        // It is killed while it works, never at the same moment; before the server, after it, or both at once.
        let begun = Instant::now();
        while things().len() < before + 20 && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(cycle * 53 % 170));
        if cycle % 3 == 0 {
            annals.kill();
            std::thread::sleep(Duration::from_millis(cycle * 31 % 90));
        }
        application.kill().unwrap();
        application.wait().unwrap();
        if cycle % 3 == 1 {
            annals.kill();
        }
        if cycle % 3 < 2 {
            annals.run();
        }
        grown += usize::from(things().len() > before);
    }
    assert!(
        grown as u64 == cycles(),
        "the application worked in each of its lives"
    );
    let mut last = start(&place, true);
    assert!(last.wait().unwrap().success());

    let mut wanted: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for n in things() {
        for workspace in audience(n) {
            wanted.entry(workspace).or_default().push(n);
        }
    }
    assert!(wanted.values().map(Vec::len).sum::<usize>() > 20 * 20);
    let mut ids: BTreeMap<i64, String> = BTreeMap::new();
    for (workspace, wanted) in &wanted {
        let log = annals.log(workspace);
        let found: Vec<i64> = log
            .iter()
            .map(|event| event["metadata"]["n"].as_i64().unwrap())
            .collect();
        assert_eq!(
            &found, wanted,
            "{workspace}: every change once, in order, and nothing else"
        );
        for (event, n) in log.iter().zip(found) {
            // One event of several workspaces has one id in all of them.
            let id = event["id"].as_str().unwrap().to_owned();
            assert_eq!(*ids.entry(n).or_insert_with(|| id.clone()), id);
        }
    }
    let all = annals.ask("GET", "/organizations?limit=100", &serde_json::json!({}));
    assert!(all["data"].as_array().unwrap().len() >= wanted.len().min(100));
}

#[test]
fn no_kill_parts_a_change_from_its_event_on_sqlite() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sqlite");
    let database = open(&path);
    SqliteOutbox::migrate(&database).unwrap();
    database
        .execute_batch("create table thing (n integer primary key)")
        .unwrap();
    let things = || {
        let mut statement = database
            .prepare_cached("select n from thing order by n")
            .unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<Vec<i64>, _>>().unwrap()
    };
    campaign(|url| format!("sqlite {} {url}", path.display()), things);
}

#[test]
fn no_kill_parts_a_change_from_its_event_on_postgres() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (socket, name, database) = runtime.block_on(postgres::database("kills"));
    runtime
        .block_on(database.batch_execute("create table thing (n bigint primary key)"))
        .unwrap();
    let things = || {
        let rows = runtime
            .block_on(database.query("select n from thing order by n", &[]))
            .unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    };
    campaign(
        |url| format!("postgres {} {name} {url}", socket.display()),
        things,
    );
}
