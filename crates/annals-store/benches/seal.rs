//! What moving events from the journal into segments costs, and what merging segments costs: `cargo bench -p annals-store`.
//!
//! A quarter of a million events of 500 workspaces are recorded, sealed into eight segments, and those are merged into one.
//! Processor time counts, of the whole process, because whatever else runs on the machine takes from the clock alone.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_event::{Draft, Event, Rules, Timestamp};
use annals_store::{Append, Entitlement, Options, Sealing, Share, Store, SystemClock};
use annals_testkit::{Generator, Profile, processor_time};

const EVENTS: u64 = 256 << 10;
const BATCH: usize = 500;
const ROUNDS: usize = 3;

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|rounds| rounds.parse().ok());
    for round in 1..=rounds.unwrap_or(ROUNDS) {
        run(round);
    }
}

fn run(round: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let open = |fan| {
        let options = Options {
            clock: Arc::new(SystemClock),
            sealing: Some(Sealing {
                rows: EVENTS / 8,
                backlog: u64::MAX,
                age: Duration::MAX,
                fan,
            }),
            scrubbing: None,
            ..Options::default()
        };
        Store::open(dir.path(), options).expect("a store")
    };
    // Nothing is merged while there are fewer segments than this.
    let store = open(1_000);
    measure(round, "record", || record(&store));
    measure(round, "seal", || store.seal().expect("sealed"));
    store.close().expect("closed");
    let store = open(8);
    measure(round, "merge", || store.seal().expect("merged"));
    let upkeep = store.upkeep().expect("upkeep");
    println!(
        "{round}  {} segment, {:.1} bytes an event",
        upkeep.segments,
        upkeep.segment_bytes as f64 / EVENTS as f64
    );
    store.close().expect("closed");
}

/// Prints what `work` takes for each event.
fn measure(round: usize, what: &str, work: impl FnOnce()) {
    let cpu = || processor_time(std::process::id());
    let (before, start) = (cpu(), Instant::now());
    work();
    let per_event = |time: Duration| time.as_secs_f64() * 1e6 / EVENTS as f64;
    println!(
        "{round}  {what:<8} {:>6.1} µs an event of processor time, {:>6.1} µs by the clock",
        per_event(cpu() - before),
        per_event(start.elapsed())
    );
}

fn record(store: &Store) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut generator = Generator::new(Profile::year(EVENTS)).peekable();
    while generator.peek().is_some() {
        let mut drafts = Vec::with_capacity(BATCH);
        let mut of_log: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (n, event) in generator.by_ref().take(BATCH).enumerate() {
            let parsed = Event::from_json(event.event_json(true).as_bytes()).expect("an event");
            let draft = Draft::new(parsed, &Rules::open(), Timestamp::MAX, String::new);
            drafts.push(draft.expect("a draft"));
            of_log.entry(event.organization_id()).or_default().push(n);
        }
        let shares = of_log.into_iter().map(|(id, events)| {
            if store.log(&id).is_none() {
                let ensured = store.ensure_organization(&id, Entitlement::Active);
                runtime.block_on(ensured).expect("an organization");
            }
            let log = store.log(&id).expect("a log");
            Share { log, events }
        });
        let append = Append {
            drafts: drafts.into_iter().collect(),
            recorded_by: "key_bench".to_owned(),
            idempotency: None,
            internal: false,
            receipt: false,
        };
        store
            .append(append, shares.collect())
            .wait()
            .expect("recorded");
    }
}
