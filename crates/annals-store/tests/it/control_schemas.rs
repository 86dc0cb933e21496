//! Schemas: numbered, never changed, and held against events.

use annals_event::{ActionSchema, Event, Json, ProblemCode};
use annals_store::{ControlError, Created, ListQuery, Store};

use crate::control::{Fixture, later};

fn schema(text: &str) -> ActionSchema {
    ActionSchema::from_json(&Json::parse(text.as_bytes()).unwrap()).unwrap()
}

const FIRST: &str = r#"{"targets":[{"type":"invoice"}]}"#;
const SECOND: &str = r#"{"targets":[{"type":"invoice"}],
    "metadata":{"type":"object","properties":{"cost":{"type":"number"}},"required":["cost"]}}"#;

async fn put(store: &Store, text: &str) -> (bool, u32) {
    match store
        .put_schema("invoice.viewed", schema(text), |_| Vec::new())
        .await
        .unwrap()
    {
        Created::New(version) => (true, version.version),
        Created::Existing(version) => (false, version.version),
    }
}

fn event(version: &str, metadata: &str) -> Event {
    let json = format!(
        r#"{{"action":"invoice.viewed","occurred_at":"2026-11-22T12:00:00Z","actor":{{"id":"u","type":"user"}},
            "targets":[{{"id":"i","type":"invoice"}}],"context":{{}}{version}{metadata}}}"#
    );
    Event::from_json(json.as_bytes()).unwrap()
}

#[tokio::test]
async fn versions_count_up_and_an_equal_schema_makes_none() {
    let fixture = Fixture::new();
    assert_eq!(put(&fixture.store, FIRST).await, (true, 1));
    assert_eq!(put(&fixture.store, FIRST).await, (false, 1));
    fixture.at(9);
    assert_eq!(put(&fixture.store, SECOND).await, (true, 2));
    // Equal to an older version, not to the newest: a new one.
    let fixture = fixture.reopened();
    assert_eq!(put(&fixture.store, SECOND).await, (false, 2));
    assert_eq!(put(&fixture.store, FIRST).await, (true, 3));

    let newest_first = fixture
        .store
        .schemas("invoice.viewed", &ListQuery::default())
        .unwrap();
    let versions: Vec<_> = newest_first
        .items
        .iter()
        .map(|version| version.version)
        .collect();
    assert_eq!(versions, [3, 2, 1]);
    let after = ListQuery {
        after: Some("3".to_owned()),
        limit: 1,
        ..Default::default()
    };
    assert_eq!(
        fixture
            .store
            .schemas("invoice.viewed", &after)
            .unwrap()
            .items[0]
            .version,
        2
    );
    let unknown = fixture.store.schemas("nothing", &ListQuery::default());
    assert!(matches!(unknown, Err(ControlError::NotFound { .. })));

    let actions = fixture.store.actions(&ListQuery::default()).unwrap().items;
    assert_eq!(actions.len(), 1);
    assert_eq!(
        (actions[0].name.as_str(), actions[0].schema.version),
        ("invoice.viewed", 3)
    );
    assert_eq!(
        (actions[0].created_at, actions[0].updated_at),
        (later(0), later(9))
    );
}

#[tokio::test]
async fn an_event_is_held_against_the_version_it_names() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    // Without a schema everything goes, whatever version it claims.
    store.check_schema(&event(r#","version":7"#, "")).unwrap();
    put(store, FIRST).await;
    put(store, SECOND).await;
    // Without a version it is the first one: producers of before go on as they were.
    store.check_schema(&event("", "")).unwrap();
    store.check_schema(&event(r#","version":1"#, "")).unwrap();
    store
        .check_schema(&event(r#","version":2"#, r#","metadata":{"cost":1.5}"#))
        .unwrap();
    let refused = [
        (event(r#","version":2"#, ""), "/metadata/cost"),
        (
            event(r#","version":2"#, r#","metadata":{"cost":"a"}"#),
            "/metadata/cost",
        ),
        (event(r#","version":3"#, ""), "/version"),
    ];
    for (event, pointer) in refused {
        let error = store.check_schema(&event).unwrap_err();
        assert_eq!(error.problems[0].pointer, pointer);
        assert_eq!(error.problems[0].code, ProblemCode::SchemaMismatch);
    }
}

#[tokio::test]
async fn names_are_checked() {
    let fixture = Fixture::new();
    for (action, code) in [
        ("a b", "bad_pattern"),
        ("audit_log.viewed", "reserved"),
        ("Audit_Log.viewed", "reserved"),
    ] {
        match fixture
            .store
            .put_schema(action, schema(FIRST), |_| Vec::new())
            .await
        {
            Err(ControlError::Invalid(fields)) => assert_eq!(fields[0].code, code),
            other => panic!("{other:?}"),
        }
    }
}
