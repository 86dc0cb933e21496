//! A store whose segments lie there.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use annals_event::{Draft, Event, Rules, Timestamp};
use annals_objects::S3;
use annals_store::{
    Append, Entitlement, Log, Options, Order, Sealing, Store, StoreError, check_with, rebuild,
};
use tempfile::TempDir;

use crate::harness::Server;

fn open(dir: &Path, bucket: &Arc<S3>, bucket_cache_bytes: usize) -> Store {
    let options = Options {
        bucket: Some(bucket.clone()),
        bucket_cache_bytes,
        sealing: Some(Sealing {
            rows: 300,
            backlog: u64::MAX,
            age: Duration::MAX,
            fan: 3,
        }),
        reserve_bytes: 64 << 10,
        ..Options::default()
    };
    Store::open(dir, options).unwrap()
}

fn draft(id: &str) -> Draft {
    let json = format!(
        r#"{{"id":"{id}","action":"issue.created","occurred_at":"2026-11-20T11:59:00Z",
            "actor":{{"id":"ada","type":"user","name":"Ada"}},"targets":[],"context":{{"location":"192.0.2.7"}},
            "metadata":{{"note":"about {id}"}}}}"#
    );
    let event = Event::from_json(json.as_bytes()).unwrap();
    Draft::new(event, &Rules::open(), Timestamp::MAX, || id.to_owned()).unwrap()
}

fn log(store: &Store) -> Log {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime
        .block_on(store.ensure_organization("acme", Entitlement::Active))
        .unwrap();
    store.log("acme").unwrap()
}

fn record(log: &Log, from: u64, count: u64) {
    for n in (from..from + count).step_by(100) {
        let drafts = (n..n + 100).map(|n| draft(&format!("event-{n}"))).collect();
        let append = Append {
            drafts,
            recorded_by: "key_test".to_owned(),
            idempotency: None,
            internal: false,
            receipt: false,
        };
        log.append(append).wait().unwrap();
    }
}

/// Everything that can be seen of the first `size` entries.
fn seen(log: &Log, size: u64) -> String {
    let mut proof = Vec::new();
    log.write_proof(0..size, Some(size), &mut proof, &|_, _| false)
        .unwrap();
    String::from_utf8(proof).unwrap()
}

#[test]
fn events_are_sealed_merged_searched_and_rebuilt_over_it() {
    let Some(server) = Server::start() else {
        return;
    };
    let bucket = server.bucket("one");
    let dir = TempDir::new().unwrap();
    let store = open(dir.path(), &bucket, 4 << 20);
    record(&log(&store), 0, 2_000);
    let before = seen(&log(&store), 2_000);
    store.seal().unwrap();
    assert_eq!(seen(&log(&store), 2_000), before);
    store.close().unwrap();

    let store = open(dir.path(), &bucket, 4 << 20);
    assert_eq!(seen(&log(&store), 2_000), before);
    store.close().unwrap();
    let report = check_with(dir.path(), Some(bucket.clone()), &mut |_| {}).unwrap();
    assert_eq!((report.problems, report.entries), (Vec::new(), 2_000));

    let again = TempDir::new().unwrap();
    std::fs::create_dir(again.path().join("keys")).unwrap();
    let key = "keys/signing.key";
    std::fs::copy(dir.path().join(key), again.path().join(key)).unwrap();
    drop(dir);
    let rebuilt = rebuild(again.path(), bucket.clone(), &mut |_| {}).unwrap();
    assert_eq!((rebuilt.entries, rebuilt.organizations), (2_000, 1));
    let report = check_with(again.path(), Some(bucket.clone()), &mut |_| {}).unwrap();
    assert_eq!((report.problems, report.entries), (Vec::new(), 2_000));
    let store = open(again.path(), &bucket, 4 << 20);
    assert_eq!(seen(&log(&store), 2_000), before);
    record(&log(&store), 2_000, 300);
    store.seal().unwrap();
    assert_eq!(seen(&log(&store), 2_000), before);
}

#[test]
fn while_it_does_not_answer_events_are_recorded_and_nothing_is_lost() {
    let Some(server) = Server::start() else {
        return;
    };
    let bucket = server.bucket("two");
    let dir = TempDir::new().unwrap();
    let store = open(dir.path(), &bucket, 1);
    record(&log(&store), 0, 600);
    store.seal().unwrap();
    let before = seen(&log(&store), 600);
    store.close().unwrap();
    // Nothing fits into memory, so everything is asked for again.
    let store = open(dir.path(), &bucket, 1);
    let log = log(&store);
    server.door.shut();
    record(&log, 600, 300);
    let error = log.scan(0..10, Order::Asc).next().unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Bucket { .. }), "{error:?}");
    assert!(error.to_string().contains("does not answer"), "{error}");
    assert!(matches!(store.seal(), Err(StoreError::Bucket { .. })));
    record(&log, 900, 100);

    server.door.open();
    store.seal().unwrap();
    assert_eq!((log.size(), seen(&log, 600)), (1_000, before));
    drop(log);
    store.close().unwrap();
    let report = check_with(dir.path(), Some(bucket.clone()), &mut |_| {}).unwrap();
    assert_eq!((report.problems, report.entries), (Vec::new(), 1_000));
}
