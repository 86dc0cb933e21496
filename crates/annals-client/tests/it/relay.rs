//! The relay between a real SQLite database and the real server.

use std::path::PathBuf;
use std::time::Duration;

use annals_client::{Actor, Bound, NewEvent, Relay, RelayOptions, SqliteOutbox, WhenFull};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Annals, options, until};

struct Host {
    _folder: TempDir,
    path: PathBuf,
    database: Connection,
    outbox: SqliteOutbox,
}

fn host() -> Host {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sqlite");
    let database = Connection::open(&path).unwrap();
    database.pragma_update(None, "journal_mode", "wal").unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    SqliteOutbox::migrate(&database).unwrap();
    Host {
        _folder: folder,
        path,
        database,
        outbox: SqliteOutbox::default(),
    }
}

impl Host {
    fn record(&self, workspace: &str, id: &str) {
        let event = NewEvent::new("thing.made", Actor::new("user", "usr_1")).id(id);
        let _ = self
            .outbox
            .record(&self.database, workspace, event)
            .unwrap();
    }

    async fn relay(&self, annals: &Annals, options: RelayOptions) -> Relay {
        Relay::sqlite(&self.path, annals.client(), options)
            .await
            .unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        let sql = format!("select count(*) from {table}");
        self.database.query_row(&sql, [], |row| row.get(0)).unwrap()
    }
}

fn ids(prefix: &str, numbers: std::ops::Range<u32>) -> Vec<String> {
    numbers.map(|n| format!("{prefix}{n}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_in_order_and_leave_the_outbox() {
    let (annals, host) = (Annals::start(), host());
    host.outbox
        .ensure_organization(&host.database, "acme", "Acme Inc.")
        .unwrap();
    for n in 0..2_500 {
        host.record("acme", &format!("a{n}"));
        if n == 7 {
            host.outbox
                .ensure_organization(&host.database, "globex", "Globex")
                .unwrap();
        }
        if n > 7 && n % 10 == 0 {
            host.record("globex", &format!("g{n}"));
        }
    }
    let mut relay = host.relay(&annals, options()).await;
    let metrics = relay.metrics();
    assert_eq!(metrics.snapshot().backlog, 2_500 + 249 + 2);
    relay.drain().await.unwrap();
    assert_eq!(annals.ids("acme"), ids("a", 0..2_500));
    assert_eq!(annals.ids("globex").len(), 249);
    assert_eq!(
        annals.ask("GET", "/organizations/acme", &json!({}))["name"],
        "Acme Inc."
    );
    let now = metrics.snapshot();
    assert_eq!(
        (now.backlog, now.delivered, now.duplicates, now.parked),
        (0, 2_751, 0, 0)
    );
    assert!(!now.leading && now.problem.is_none() && now.oldest_seconds == 0.0);
    assert!(
        metrics
            .prometheus()
            .contains("annals_outbox_delivered_total 2751\n")
    );
    assert_eq!(host.count("annals_outbox"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_goes_first_however_many_events_wait_before_it() {
    let (annals, host) = (Annals::start(), host());
    for n in 0..300 {
        host.record("late", &n.to_string());
    }
    host.outbox
        .ensure_organization(&host.database, "late", "Late Inc.")
        .unwrap();
    // The rows that are read at once do not reach to the organization.
    let options = RelayOptions {
        batch: 10,
        patience: 0,
        ..options()
    };
    let mut relay = host.relay(&annals, options).await;
    relay.drain().await.unwrap();
    assert_eq!(annals.ids("late"), ids("", 0..300));
    assert_eq!(relay.metrics().snapshot().parked, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_behind_the_backlog_of_a_held_workspace_arrives() {
    let (annals, host) = (Annals::start(), host());
    host.outbox
        .ensure_organization(&host.database, "acme", "Acme")
        .unwrap();
    for n in 0..500 {
        host.record("unknown", &format!("u{n}"));
    }
    host.record("acme", "a0");
    let held = RelayOptions {
        batch: 10,
        backoff: annals_client::Backoff {
            first: Duration::from_secs(60),
            longest: Duration::from_secs(60),
        },
        ..options()
    };
    let mut relay = host.relay(&annals, held).await;
    for n in 1..=3 {
        relay.drain().await.unwrap();
        assert_eq!(annals.ids("acme"), ids("a", 0..n));
        host.record("acme", &format!("a{n}"));
    }
    let now = relay.metrics().snapshot();
    assert_eq!((now.held, now.parked), (1, 0));
    assert_eq!(host.count("annals_outbox"), 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_parks_alone_and_can_be_retried_or_discarded() {
    let (annals, host) = (Annals::start(), host());
    host.outbox
        .ensure_organization(&host.database, "acme", "Acme")
        .unwrap();
    // An id that stands for another event: the outbox cannot know.
    host.record("acme", "taken");
    let mut relay = host.relay(&annals, options()).await;
    relay.drain().await.unwrap();
    host.record("acme", "first");
    let other = NewEvent::new("thing.lost", Actor::new("user", "usr_2")).id("taken");
    let _ = host
        .outbox
        .record(&host.database, "acme", other.clone())
        .unwrap();
    // And one that a schema of the installation refuses.
    annals.ask(
        "POST",
        "/audit_logs/actions/bill.paid/schemas",
        &json!({"targets": [{"type": "bill"}]}),
    );
    let unfit = NewEvent::new("bill.paid", Actor::new("user", "usr_2")).target("invoice", "i");
    let _ = host.outbox.record(&host.database, "acme", unfit).unwrap();
    host.record("acme", "last");
    relay.drain().await.unwrap();
    assert_eq!(annals.ids("acme"), ["taken", "first", "last"]);
    assert_eq!(relay.metrics().snapshot().parked, 2);
    let parked = host.outbox.parked(&host.database, 10).unwrap();
    assert_eq!(parked[0].item.event_id, "taken");
    assert!(
        parked[0]
            .reason
            .contains("another event was recorded with this id"),
        "{}",
        parked[0].reason
    );
    assert!(parked[1].reason.contains("targets"), "{}", parked[1].reason);

    // The reason is gone: it arrives after all.
    annals.ask(
        "POST",
        "/audit_logs/actions/bill.paid/schemas",
        &json!({"targets": [{"type": "invoice"}]}),
    );
    assert!(
        host.outbox
            .discard_parked(&host.database, parked[0].item.seq)
            .unwrap()
    );
    assert!(
        !host
            .outbox
            .discard_parked(&host.database, parked[0].item.seq)
            .unwrap()
    );
    let event: serde_json::Value = serde_json::from_str(&parked[1].item.body).unwrap();
    assert_eq!(event["action"], "bill.paid");
    assert!(
        host.outbox
            .retry_parked(&host.database, parked[1].item.seq)
            .unwrap()
    );
    assert!(
        !host
            .outbox
            .retry_parked(&host.database, parked[1].item.seq)
            .unwrap()
    );
    relay.drain().await.unwrap();
    // Version 1 of the schema still holds for an event that names none, so it parks again and is still there.
    assert_eq!(
        host.count("annals_outbox_parked") + i64::try_from(annals.ids("acme").len()).unwrap(),
        4
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_is_unknown_holds_up_only_itself() {
    let (annals, host) = (Annals::start(), host());
    host.outbox
        .ensure_organization(&host.database, "acme", "Acme")
        .unwrap();
    host.record("nowhere", "n0");
    host.record("nowhere", "n1");
    host.record("acme", "a0");
    let relay = host
        .relay(
            &annals,
            RelayOptions {
                patience: 10_000,
                ..options()
            },
        )
        .await;
    let metrics = relay.metrics();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(relay.run(async { stopped.await.unwrap_or_default() }));
    until("the other workspace is served", || {
        annals.ids("acme") == ["a0"]
    })
    .await;
    until("the workspace is held", || metrics.snapshot().held == 1).await;
    let said = "nowhere is not known to Annals: ensure it (`ensure_organization`)";
    for n in 1..=3 {
        until("it says which", || {
            metrics.snapshot().problem.as_deref() == Some(said)
        })
        .await;
        // And still does while others are served.
        host.record("acme", &format!("a{n}"));
        until("the other workspace is served", || {
            annals.ids("acme").len() == n + 1
        })
        .await;
    }
    host.outbox
        .ensure_organization(&host.database, "nowhere", "Now here")
        .unwrap();
    until("it is served once it is there", || {
        annals.ids("nowhere") == ["n0", "n1"]
    })
    .await;
    until("nothing is wrong any more", || {
        metrics.snapshot().problem.is_none()
    })
    .await;
    stop.send(()).unwrap();
    running.await.unwrap();
    assert!(!metrics.snapshot().leading);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_stays_unknown_is_parked_so_that_the_outbox_does_not_fill() {
    let (annals, host) = (Annals::start(), host());
    host.record("nowhere", "n0");
    let relay = host
        .relay(
            &annals,
            RelayOptions {
                patience: 3,
                ..options()
            },
        )
        .await;
    let running = tokio::spawn(relay.run(std::future::pending()));
    until("it is parked", || host.count("annals_outbox_parked") == 1).await;
    running.abort();
    let parked = host.outbox.parked(&host.database, 1).unwrap();
    assert!(
        parked[0].reason.contains("entity_not_found"),
        "{}",
        parked[0].reason
    );

    // Somebody makes it after all, and has the row sent again.
    annals.ask(
        "POST",
        "/organizations",
        &json!({"id": "nowhere", "name": "Now here"}),
    );
    assert!(
        host.outbox
            .retry_parked(&host.database, parked[0].item.seq)
            .unwrap()
    );
    let relay = host.relay(&annals, options()).await;
    let running = tokio::spawn(relay.run(std::future::pending()));
    until("it arrives", || annals.ids("nowhere") == ["n0"]).await;
    until("it is settled", || host.count("annals_outbox") == 0).await;
    running.abort();
    assert_eq!(host.count("annals_outbox_parked"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_waits_for_the_server_and_says_so() {
    let (mut annals, host) = (Annals::start(), host());
    host.outbox
        .ensure_organization(&host.database, "acme", "Acme")
        .unwrap();
    annals.kill();
    host.record("acme", "a0");
    let relay = host.relay(&annals, options()).await;
    let metrics = relay.metrics();
    let running = tokio::spawn(relay.run(std::future::pending()));
    until("it says that nobody answers", || {
        metrics
            .snapshot()
            .problem
            .is_some_and(|problem| problem.contains("no answer"))
    })
    .await;
    assert!(metrics.snapshot().oldest_seconds > 0.0);
    host.record("acme", "a1");
    annals.run();
    until("everything is delivered", || {
        host.count("annals_outbox") == 0
    })
    .await;
    running.abort();
    assert_eq!(annals.ids("acme"), ["a0", "a1"]);
    assert_eq!(metrics.snapshot().problem, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_not_write_loses_nothing() {
    let (annals, host) = (Annals::start(), host());
    annals.ask(
        "POST",
        "/organizations",
        &json!({"id": "acme", "name": "Acme"}),
    );
    host.record("acme", "a0");
    let reader = annals_client::Client::new(&annals.url(), &annals.key(&["read"])).unwrap();
    let mut relay = Relay::sqlite(&host.path, reader, options()).await.unwrap();
    relay.drain().await.unwrap();
    let problem = relay.metrics().snapshot().problem.unwrap();
    assert!(problem.contains("insufficient_scope"), "{problem}");
    assert_eq!(host.count("annals_outbox"), 1);
    drop(relay);
    // A key that may write but not manage delivers events and holds up only what it cannot ensure.
    host.outbox
        .ensure_organization(&host.database, "globex", "Globex")
        .unwrap();
    host.record("globex", "g0");
    let writer = annals_client::Client::new(&annals.url(), &annals.key(&["write"])).unwrap();
    let relay = Relay::sqlite(&host.path, writer, options()).await.unwrap();
    let metrics = relay.metrics();
    let running = tokio::spawn(relay.run(std::future::pending()));
    until("the known workspace is served", || {
        annals.ids("acme") == ["a0"]
    })
    .await;
    until("it says why the other is not", || {
        metrics
            .snapshot()
            .problem
            .is_some_and(|problem| problem.contains("organizations cannot be ensured"))
    })
    .await;
    running.abort();
    assert_eq!(host.count("annals_outbox"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leads_and_another_takes_over() {
    let (annals, host) = (Annals::start(), host());
    host.outbox
        .ensure_organization(&host.database, "acme", "Acme")
        .unwrap();
    let mut relays = Vec::new();
    for _ in 0..3 {
        let relay = host.relay(&annals, options()).await;
        relays.push((
            relay.metrics(),
            tokio::spawn(relay.run(std::future::pending())),
        ));
    }
    let leading = |relays: &[(annals_client::Metrics, tokio::task::JoinHandle<()>)]| {
        relays
            .iter()
            .filter(|(metrics, _)| metrics.snapshot().leading)
            .count()
    };
    for round in 0..3 {
        until("one leads", || leading(&relays) == 1).await;
        host.record("acme", &format!("a{round}"));
        until("it is delivered", || annals.ids("acme").len() == round + 1).await;
        assert_eq!(leading(&relays), 1);
        // The leader dies without a word.
        let place = relays
            .iter()
            .position(|(metrics, _)| metrics.snapshot().leading)
            .unwrap();
        let (_, task) = relays.remove(place);
        task.abort();
    }
    assert_eq!(annals.ids("acme"), ["a0", "a1", "a2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_drains_can_be_run_again_at_once() {
    let (annals, host) = (Annals::start(), host());
    host.outbox
        .ensure_organization(&host.database, "acme", "Acme")
        .unwrap();
    let long = RelayOptions {
        lease: Duration::from_secs(600),
        ..options()
    };
    for n in 1..=3 {
        host.record("acme", &format!("a{n}"));
        let mut relay = host.relay(&annals, long).await;
        relay.drain().await.unwrap();
        assert_eq!(annals.ids("acme"), ids("a", 1..n + 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_clock_that_was_ahead_has_written_stops_nothing() {
    let (annals, host) = (Annals::start(), host());
    host.outbox
        .ensure_organization(&host.database, "acme", "Acme")
        .unwrap();
    host.record("acme", "a0");
    let ahead = annals_client::Timestamp::parse("2999-01-01T00:00:00Z")
        .unwrap()
        .as_micros();
    host.database
        .execute(
            "update annals_outbox_lead set holder = 'killed since', until = ?1",
            [ahead],
        )
        .unwrap();
    host.database
        .execute(
            "insert into annals_outbox_gap (workspace, dropped, first_at, last_at) values ('acme', 3, ?1, ?1)",
            [ahead],
        )
        .unwrap();
    let mut relay = host.relay(&annals, options()).await;
    relay.drain().await.unwrap();
    assert_eq!(host.count("annals_outbox_gap"), 0);
    assert_eq!(annals.ids("acme").len(), 2, "the event and that of the gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_slow_server_has_taken_leaves_the_outbox_before_the_rest_is_sent() {
    let host = host();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let taken = axum::routing::post(|| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        r#"{"results":[{"status":"recorded","id":"x","position":0}]}"#
    });
    let server = axum::Router::new().route("/audit_logs/events/bulk", taken);
    tokio::spawn(async move { axum::serve(listener, server).await });
    for n in 0..8 {
        host.record("acme", &format!("a{n}"));
    }
    let slow = RelayOptions {
        batch: 1,
        lease: Duration::from_secs(15),
        ..options()
    };
    let client = annals_client::Client::new(&address, "sk").unwrap();
    let relay = Relay::sqlite(&host.path, client, slow).await.unwrap();
    let running = tokio::spawn(relay.run(std::future::pending()));
    until("the first are settled", || host.count("annals_outbox") < 8).await;
    // At the end of what was read at once, all would be.
    assert!(host.count("annals_outbox") > 0);
    running.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_told_once_there_is_room() {
    let (annals, mut host) = (Annals::start(), host());
    host.outbox = SqliteOutbox::new(Bound {
        rows: 2,
        when_full: WhenFull::BestEffort,
    });
    host.outbox
        .ensure_organization(&host.database, "acme", "Acme")
        .unwrap();
    for n in 0..5 {
        host.record("acme", &format!("a{n}"));
    }
    let relay = host.relay(&annals, options()).await;
    let running = tokio::spawn(relay.run(std::future::pending()));
    until("the gap is told", || annals.log("acme").len() == 2).await;
    running.abort();
    let log = annals.log("acme");
    assert_eq!(
        (&log[0]["id"], &log[1]["action"]),
        (&json!("a0"), &json!("outbox.gap"))
    );
    assert_eq!(log[1]["metadata"]["dropped"], 4);
    assert!(
        log[1]["metadata"]["from"].as_str().unwrap() <= log[1]["metadata"]["to"].as_str().unwrap()
    );
    assert_eq!(host.count("annals_outbox_gap"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_does_not_record_is_dropped_and_counted() {
    let (annals, host) = (Annals::start(), host());
    annals.ask(
        "POST",
        "/organizations",
        &json!({"id": "acme", "name": "Acme"}),
    );
    annals.ask(
        "PUT",
        "/organizations/acme/entitlement",
        &json!({"state": "disabled"}),
    );
    host.record("acme", "a0");
    let mut relay = host.relay(&annals, options()).await;
    relay.drain().await.unwrap();
    let now = relay.metrics().snapshot();
    assert_eq!(
        (now.dropped, now.delivered, now.backlog, now.parked),
        (1, 0, 0, 0)
    );
}

#[tokio::test]
async fn a_database_without_an_outbox_is_said_at_once() {
    let folder = TempDir::new().unwrap();
    let client = annals_client::Client::new("http://127.0.0.1:1", "sk").unwrap();
    let path = folder.path().join("wrong.sqlite");
    assert!(
        Relay::sqlite(&path, client.clone(), options())
            .await
            .is_err()
    );
    assert!(!path.exists(), "a wrong path does not become a database");
    Connection::open(&path)
        .unwrap()
        .execute_batch("create table t (n)")
        .unwrap();
    assert!(Relay::sqlite(&path, client, options()).await.is_err());
}
