//! What moving events from the journal into segments costs, and what merging segments costs: `cargo bench -p annals-store`.
//!
//! A quarter of a million events of 500 workspaces are recorded and sealed, in one go and in eight; the eight segments are merged
//! into one. Processor time counts, of the whole process, because whatever else runs on the machine takes from the clock
//! alone.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use annals_event::{Draft, Event, Rules, Timestamp};
use annals_store::{Append, Entitlement, Options, Sealing, Share, Store, SystemClock};
use annals_testkit::{Generator, Profile, processor_time};

const EVENTS: usize = 256 << 10;
/// So many segments become one.
const FAN: usize = 8;
const EIGHTH: usize = EVENTS / FAN;
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
    let mut generator = Generator::new(Profile::year(EVENTS as u64));
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), FAN);
    let recorded = measure(|| record(&store, &mut generator, EVENTS));
    print(round, "record", recorded);
    print(
        round,
        "seal in one go",
        measure(|| store.seal().expect("sealed")),
    );
    print_size(round, &store);
    store.close().expect("closed");

    let mut generator = Generator::new(Profile::year(EVENTS as u64));
    let dir = tempfile::tempdir().expect("a directory");
    // Nothing is merged while there are fewer segments than this.
    let store = open(dir.path(), 1_000);
    let mut sealed = Spent::default();
    for _ in 0..FAN {
        record(&store, &mut generator, EIGHTH);
        let eighth = measure(|| store.seal().expect("sealed"));
        sealed.processor += eighth.processor;
        sealed.clock += eighth.clock;
    }
    print(round, "seal in eight", sealed);
    store.close().expect("closed");
    let store = open(dir.path(), FAN);
    print(round, "merge", measure(|| store.seal().expect("merged")));
    print_size(round, &store);
    store.close().expect("closed");
}

fn open(dir: &Path, fan: usize) -> Store {
    let options = Options {
        clock: Arc::new(SystemClock),
        sealing: Some(Sealing {
            rows: EIGHTH as u64,
            backlog: u64::MAX,
            age: Duration::MAX,
            fan,
        }),
        scrubbing: None,
        ..Options::default()
    };
    Store::open(dir, options).expect("a store")
}

/// What a piece of work took.
#[derive(Default)]
struct Spent {
    processor: Duration,
    clock: Duration,
}

fn measure(work: impl FnOnce()) -> Spent {
    let processor = || processor_time(std::process::id());
    let (before, start) = (processor(), Instant::now());
    work();
    Spent {
        processor: processor() - before,
        clock: start.elapsed(),
    }
}

fn print(round: usize, what: &str, spent: Spent) {
    let per_event = |time: Duration| time.as_secs_f64() * 1e6 / EVENTS as f64;
    println!(
        "{round}  {what:<14} {:>6.1} µs an event of processor time, {:>6.1} µs by the clock",
        per_event(spent.processor),
        per_event(spent.clock)
    );
}

fn print_size(round: usize, store: &Store) {
    let upkeep = store.upkeep().expect("upkeep");
    println!(
        "{round}  {} segment, {:.1} bytes an event",
        upkeep.segments,
        upkeep.segment_bytes as f64 / EVENTS as f64
    );
}

/// Records the next `count` events.
fn record(store: &Store, generator: &mut Generator, count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut generator = generator.take(count).peekable();
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
