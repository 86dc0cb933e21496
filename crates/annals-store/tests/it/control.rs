//! What the tests of control data share: a store on a clock that stands still.

use std::sync::Arc;

use annals_event::{Draft, Event, Rules, Timestamp};
use annals_store::{NewOrganization, Options, Organization, Recorded, SteppedClock, Store};
use tempfile::TempDir;

pub(crate) struct Fixture {
    dir: TempDir,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) store: Store,
}

/// Noon of a day in 2026.
pub(crate) fn noon() -> Timestamp {
    Timestamp::parse("2026-11-22T12:00:00Z").unwrap()
}

pub(crate) fn later(seconds: i64) -> Timestamp {
    Timestamp::clamped(noon().as_micros() + seconds * 1_000_000)
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        Fixture::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Fixture {
        let dir = TempDir::new().unwrap();
        let clock = Arc::new(SteppedClock::new(noon()));
        let store = Fixture::open(&dir, &clock, options);
        Fixture { dir, clock, store }
    }

    fn open(dir: &TempDir, clock: &Arc<SteppedClock>, options: Options) -> Store {
        let clock = Arc::clone(clock) as Arc<_>;
        Store::open(dir.path(), Options { clock, ..options }).unwrap()
    }

    /// The same directory after a restart.
    pub(crate) fn reopened(self) -> Fixture {
        let Fixture { dir, clock, store } = self;
        store.close().unwrap();
        let store = Fixture::open(&dir, &clock, Options::default());
        Fixture { dir, clock, store }
    }

    pub(crate) fn at(&self, seconds: i64) {
        self.clock.set(later(seconds));
    }

    pub(crate) async fn organization(&self, id: &str) -> Arc<Organization> {
        let new = NewOrganization {
            id: Some(id.to_owned()),
            name: format!("Name of {id}"),
            ..NewOrganization::default()
        };
        self.store
            .create_organization(new, |_| Vec::new())
            .await
            .unwrap()
            .into_inner()
    }
}

/// One event of our own for a log.
pub(crate) fn recorded(slot: u32, action: &str) -> Vec<Recorded> {
    let json = format!(
        r#"{{"action":"{action}","occurred_at":"2026-11-22T12:00:00Z","actor":{{"id":"key_1","type":"api_key"}},"targets":[],"context":{{}}}}"#
    );
    let event = Event::from_json(json.as_bytes()).unwrap();
    let id = format!("event-{action}-{slot}");
    let draft = Draft::new(event, &Rules::internal(), noon(), || id).unwrap();
    vec![Recorded {
        slot,
        drafts: vec![draft],
        recorded_by: "key_1".to_owned(),
    }]
}
