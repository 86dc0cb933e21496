//! How fast events become durable, in process: parse, check, sequence, hash, compress, sync.
//!
//! `cargo run --release -p annals-store --example ingest -- [DIR [EVENTS]]`
//!
//! Prints events per second and latencies for single events from 64 threads, batches of 100 from 8
//! and batches of 500 from 4; then how long a restart and the newest 50 rows take. With
//! EVENTS it loads so many instead, 500 of mixed workspaces at a time.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a bench talks to a terminal, and stops if it cannot go on"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use annals_event::{Draft, Event, Rules};
use annals_store::{Append, Clock, Entitlement, Options, Order, Search, Store, SystemClock};
use annals_testkit::{Generator, Profile};

const SECONDS: u64 = 5;

fn main() {
    let dir = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "target/ingest-bench".to_owned());
    let dir = std::path::Path::new(&dir);
    let _ = std::fs::remove_dir_all(dir);
    let store = Store::open(dir, Options::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();

    let hold: Option<u64> = std::env::args().nth(2).map(|count| count.parse().unwrap());
    let profile = Profile::year(hold.unwrap_or(200_000));
    for name in Generator::organizations(&profile) {
        runtime
            .block_on(store.ensure_organization(&name, Entitlement::Active))
            .unwrap();
    }
    let names: Vec<String> = Generator::organizations(&profile).collect();
    if hold.is_some() {
        load(&store, profile);
    } else {
        compare(&store, profile);
    }
    report(store, dir, &names);
}

/// Loads all events of the profile, as somebody does who moves in.
fn load(store: &Store, profile: Profile) {
    let started = Instant::now();
    let mut events = Generator::new(profile);
    let now = SystemClock.now();
    let mut waiting = std::collections::VecDeque::new();
    loop {
        let mut by_log: std::collections::HashMap<String, Vec<Draft>> =
            std::collections::HashMap::new();
        for event in events.by_ref().take(500) {
            let parsed = Event::from_json(event.event_json(true).as_bytes()).unwrap();
            let draft = Draft::new(parsed, &Rules::open(), now, String::new).unwrap();
            by_log
                .entry(event.organization_id())
                .or_default()
                .push(draft);
        }
        if by_log.is_empty() {
            break;
        }
        for (name, drafts) in by_log {
            waiting.push_back(store.log(&name).unwrap().append(append(drafts)));
        }
        while waiting.len() > 2000 {
            waiting.pop_front().unwrap().wait().unwrap();
        }
    }
    waiting
        .into_iter()
        .for_each(|pending| drop(pending.wait().unwrap()));
    println!("loaded in {:?}", started.elapsed());
}

fn append(drafts: Vec<Draft>) -> Append {
    let recorded_by = "key_bench".to_owned();
    Append {
        drafts: drafts.into_iter().collect(),
        recorded_by,
        idempotency: None,
        internal: false,
        receipt: false,
    }
}

/// Singles and batches, one after the other.
fn compare(store: &Store, profile: Profile) {
    let events: Vec<(String, Vec<u8>)> = Generator::new(profile)
        .map(|event| {
            (
                event.organization_id(),
                event.event_json(false).into_bytes(),
            )
        })
        .collect();
    let bytes: usize = events.iter().map(|(_, json)| json.len()).sum();
    println!(
        "{} events of {} bytes on average",
        events.len(),
        bytes / events.len()
    );
    for (threads, batch) in [(64, 1), (8, 100), (4, 500)] {
        run(store, &events, threads, batch);
    }
}

/// What the store takes, and how quick it is after a restart.
fn report(store: Store, dir: &std::path::Path, names: &[String]) {
    let entries: u64 = names
        .iter()
        .map(|name| store.log(name).unwrap().size())
        .sum();
    println!("resident {} MB with {entries} entries", resident());
    let started = Instant::now();
    store.close().unwrap();
    println!("close {:?}", started.elapsed());
    let database = std::fs::metadata(dir.join("annals.db")).unwrap().len();
    println!(
        "{:.1} bytes an event in the database",
        database as f64 / entries as f64
    );

    let started = Instant::now();
    let store = Store::open(dir, Options::default()).unwrap();
    println!("open {:?}, resident {} MB", started.elapsed(), resident());
    let mut slowest = Duration::ZERO;
    let mut total = Duration::ZERO;
    for name in names {
        let log = store.log(name).unwrap();
        let started = Instant::now();
        let found = log
            .search(&Search {
                limit: 50,
                ..Search::default()
            })
            .unwrap();
        let took = started.elapsed();
        assert_eq!(found.rows.len() as u64, log.size().min(50));
        (slowest, total) = (slowest.max(took), total + took);
    }
    println!(
        "newest 50: {:?} on average, {slowest:?} at most",
        total / names.len() as u32
    );
    let biggest = names
        .iter()
        .map(|name| store.log(name).unwrap())
        .max_by_key(|log| log.size())
        .unwrap();
    let started = Instant::now();
    let rows = biggest.scan(0..biggest.size(), Order::Desc).count();
    let took = started.elapsed();
    println!(
        "scan {rows} rows in {took:?}, {:.0} rows/s",
        rows as f64 / took.as_secs_f64()
    );
    println!("resident {} MB", resident());
}

fn run(store: &Store, events: &[(String, Vec<u8>)], threads: usize, batch: usize) {
    let next = AtomicUsize::new(0);
    let until = Instant::now() + Duration::from_secs(SECONDS);
    let (started, cpu) = (Instant::now(), cpu());
    let mut latencies: Vec<Duration> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut latencies = Vec::new();
                    while Instant::now() < until {
                        let first = next.fetch_add(batch, Ordering::Relaxed);
                        let at = |n: usize| &events[n % events.len()];
                        let log = store.log(&at(first).0).unwrap();
                        let now = SystemClock.now();
                        let begun = Instant::now();
                        let drafts = (first..first + batch)
                            .map(|n| {
                                let event = Event::from_json(&at(n).1).unwrap();
                                Draft::new(event, &Rules::open(), now, || {
                                    uuid::Uuid::now_v7().to_string()
                                })
                                .unwrap()
                            })
                            .collect();
                        log.append(append(drafts)).wait().unwrap();
                        latencies.push(begun.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap())
            .collect()
    });
    let took = started.elapsed().as_secs_f64();
    latencies.sort_unstable();
    let rate = (latencies.len() * batch) as f64 / took;
    let at = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize];
    println!(
        "{threads} threads, batches of {batch}: {rate:.0} events/s, {:.1} µs of processor an event; p50 {:?}, p99 {:?}, most {:?}",
        (self::cpu() - cpu) * 1e6 / (latencies.len() * batch) as f64,
        at(0.5),
        at(0.99),
        at(1.0)
    );
}

/// Seconds of processor time that this process has used.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|field| field.parse().ok())
        .collect();
    // After the name and the state: user and system time are the 11th and 12th number, in hundredths.
    fields
        .get(10)
        .zip(fields.get(11))
        .map_or(0.0, |(user, system)| (user + system) / 100.0)
}

/// Resident memory in megabytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}
