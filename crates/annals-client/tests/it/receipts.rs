//! Receipts of the real server, and of one that has lost what it acknowledged.

use std::time::Duration;

use annals_client::{Actor, ClientError, Kept, NewEvent, ReceiptError, Relay, SqliteOutbox};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Annals, options, until};

fn event() -> NewEvent {
    NewEvent::new("thing.made", Actor::new("user", "usr_1"))
}

#[tokio::test]
async fn receipts_are_checked_and_the_log_must_continue() {
    let annals = Annals::start();
    let client = annals.client_with(|builder| builder.receipts(true));
    client.ensure_organization("acme", "Acme").await.unwrap();
    for n in 0..5 {
        let done = client.record("acme", event()).await.unwrap();
        let receipt = done.receipt.unwrap();
        assert_eq!((receipt.position, done.position), (n, n));
        let kept = client.kept("acme").unwrap();
        kept.check(&receipt).unwrap();
        assert!(receipt.to_json().contains("leaf_hash"));
    }
    // Somebody else writes, so that the path alone no longer proves it.
    let other = annals.client();
    let _ = other.record_all((0..300).map(|_| ("acme", event()))).await;
    let done = client.record("acme", event()).await.unwrap();
    assert!(done.receipt.unwrap().position >= 305);
    let kept = client.kept("acme").unwrap();
    assert!(kept.checkpoint().size() >= 306);

    // Stored and read again, it goes on in the next process.
    let later = annals.client_with(|builder| builder.receipts(true));
    later.keep("acme", Kept::from_text(&kept.to_text()).unwrap());
    assert!(later.record("acme", event()).await.is_ok());
}

#[tokio::test]
async fn a_log_that_lost_what_was_acknowledged_is_refused() {
    let first = Annals::start();
    let client = first.client_with(|builder| builder.receipts(true));
    client.ensure_organization("acme", "Acme").await.unwrap();
    for _ in 0..3 {
        let _ = client.record("acme", event()).await.unwrap();
    }
    let kept = client.kept("acme").unwrap();
    // Another installation in its place has another key.
    let second = Annals::start();
    let deceived = second.client_with(|builder| builder.receipts(true));
    deceived.ensure_organization("acme", "Acme").await.unwrap();
    deceived.keep("acme", kept.clone());
    let refused = deceived.record("acme", event()).await;
    assert!(
        matches!(
            refused,
            Err(ClientError::Receipt(ReceiptError::Checkpoint(_)))
        ),
        "{refused:?}"
    );
    assert_eq!(deceived.kept("acme"), Some(kept), "what is kept stays");
}

/// An old copy of the data is put back: same key, same names, and what was acknowledged meanwhile is gone.
#[tokio::test]
async fn a_server_that_was_set_back_is_refused_whatever_it_records_next() {
    let mut annals = Annals::start();
    let client = annals.client_with(|builder| builder.receipts(true));
    client.ensure_organization("acme", "Acme").await.unwrap();
    for _ in 0..2 {
        let _ = client.record("acme", event()).await.unwrap();
    }
    annals.copy("data", "backup");
    let _ = client.record("acme", event()).await.unwrap();
    let kept = client.kept("acme").unwrap();
    assert_eq!(kept.checkpoint().size(), 3);
    annals.copy("backup", "data");
    // The same size with another root; one more, right behind it; and later, with other events between.
    for between in [0, 0, 5] {
        let others = (0..between).map(|_| ("acme", event()));
        let _ = annals.client().record_all(others).await;
        let refused = client.record("acme", event()).await;
        assert!(
            matches!(
                refused,
                Err(ClientError::Receipt(ReceiptError::Forked { kept: 3, .. }))
            ),
            "{refused:?}"
        );
        assert_eq!(client.kept("acme"), Some(kept.clone()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_keeps_checkpoints_and_holds_up_a_log_that_it_does_not_believe() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("app.sqlite");
    let database = rusqlite::Connection::open(&path).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    SqliteOutbox::migrate(&database).unwrap();
    let outbox = SqliteOutbox::default();
    let kept = || -> Option<String> {
        let sql = "select kept from annals_outbox_checkpoint where workspace = 'acme'";
        database.query_row(sql, [], |row| row.get(0)).ok()
    };
    let waiting = || -> i64 {
        database
            .query_row("select count(*) from annals_outbox", [], |row| row.get(0))
            .unwrap()
    };
    let annals = Annals::start();
    let client = annals.client_with(|builder| builder.receipts(true));
    outbox
        .ensure_organization(&database, "acme", "Acme")
        .unwrap();
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let _ = outbox.record(&database, "acme", event()).unwrap();
        // Each relay is a new process; only the outbox remembers.
        let mut relay = Relay::sqlite(&path, client.clone(), options())
            .await
            .unwrap();
        relay.drain().await.unwrap();
        sizes.push(
            Kept::from_text(&kept().unwrap())
                .unwrap()
                .checkpoint()
                .size(),
        );
    }
    assert_eq!(sizes, [1, 2, 3]);
    assert_eq!(waiting(), 0);

    let before = kept();
    let impostor = Annals::start();
    impostor.ask(
        "POST",
        "/organizations",
        &json!({"id": "acme", "name": "Acme"}),
    );
    impostor.ask(
        "POST",
        "/organizations",
        &json!({"id": "globex", "name": "Globex"}),
    );
    let _ = outbox
        .record_for(&database, ["acme", "globex"], event())
        .unwrap();
    let client = impostor.client_with(|builder| builder.receipts(true));
    let relay = Relay::sqlite(&path, client, options()).await.unwrap();
    let metrics = relay.metrics();
    let running = tokio::spawn(relay.run(std::future::pending()));
    until("the other workspace is served", || waiting() == 1).await;
    until("it says why", || {
        metrics
            .snapshot()
            .problem
            .is_some_and(|problem| problem.contains("signed by somebody else"))
    })
    .await;
    running.abort();
    assert_eq!(kept(), before);
}
