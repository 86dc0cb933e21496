//! Counting the quick way gives what going through all rows gives.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use annals_event::{Catalogue, Facet, Filter, Query, Row, Step, Steps, When};
use annals_store::{
    Count, Log, Order, STEPS_MAX, Sealing, Search, StoreError, Tallied, Tally, VALUES_MAX,
};
use jiff::tz::TimeZone;

use crate::world::{World, event, event_with, generated, record, time};

const DAY: i64 = 86_400_000_000;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn filter(query: &str) -> Filter {
    let when = When {
        now: time("2026-11-22T12:00:00Z"),
        zone: TimeZone::UTC,
    };
    Query::parse(query).unwrap().resolve(&when).unwrap()
}

/// Segments are sealed when the test says so, and hold several pages.
fn by_hand() -> World {
    World::with(|options| {
        options.sealing = Some(Sealing {
            rows: 2_500,
            backlog: u64::MAX,
            age: Duration::MAX,
            fan: 4,
        });
    })
}

/// A large log, a small one and one of events that are late, in segments and in the journal.
fn mixed() -> World {
    let world = by_hand();
    let (large, small) = (world.log("org_large"), world.log("org_small"));
    let late = world.log("org_late");
    for (n, chunk) in generated(7_300, 5).chunks(100).enumerate() {
        record(&large, chunk.to_vec());
        record(&small, vec![event(&format!("small-{n}"))]);
        let days = (0..20).map(|k| (n * 7 + k * 13) % 28 + 1);
        let events = days.enumerate().map(|(k, day)| {
            let at = format!("2025-{:02}-{day:02}T{:02}:30:00Z", k % 12 + 1, k);
            event_with(&format!("late-{n}-{k}"), &at, &format!("actor-{day}"))
        });
        record(&late, events.collect());
        if n % 20 == 19 {
            world.store().seal().unwrap();
        }
    }
    world
}

/// What goes through all rows finds: by the hour or day that clocks of the zone show, and by value.
#[derive(Debug, PartialEq, Eq)]
struct Slowly {
    count: u64,
    steps: BTreeMap<String, (u64, u64)>,
    facets: Vec<(BTreeMap<String, u64>, u64)>,
}

fn clock(micros: i64, step: Step, zone: &TimeZone) -> String {
    let local = jiff::Timestamp::from_microsecond(micros)
        .unwrap()
        .to_zoned(zone.clone());
    match step {
        Step::Day => local.strftime("%F").to_string(),
        Step::Hour => local.strftime("%F %H %z").to_string(),
    }
}

fn values(row: &Row, facet: Facet) -> BTreeSet<String> {
    let one = |value: Option<&str>| value.map(str::to_owned).into_iter().collect();
    match facet {
        Facet::Action => one(Some(&row.skeleton().action)),
        Facet::Actor => one(row.actor_id()),
        Facet::ActorType => one(Some(row.actor_type())),
        Facet::Outcome => one(Some(match row.skeleton().failure {
            Some(_) => "failure",
            None => "success",
        })),
        Facet::TargetType => row.targets().map(|target| target.kind.to_owned()).collect(),
        Facet::Source => one(row.context("source")),
        Facet::Address => {
            let location = row.context("location").unwrap_or_default();
            let address: Option<std::net::IpAddr> = location.parse().ok();
            one(address.map(|a| a.to_canonical().to_string()).as_deref())
        }
    }
}

fn slowly(rows: &[Row], tally: &Tally, step: Step, zone: &TimeZone) -> Slowly {
    let mut slowly = Slowly {
        count: 0,
        steps: BTreeMap::new(),
        facets: vec![(BTreeMap::new(), 0); tally.facets.len()],
    };
    let as_of = tally.as_of.unwrap_or(u64::MAX);
    let matching = rows
        .iter()
        .filter(|row| row.position < as_of && tally.filter.matches(row, Catalogue::builtin()));
    for row in matching {
        slowly.count += 1;
        let at = clock(row.skeleton().occurred_at.as_micros(), step, zone);
        let (count, failed) = slowly.steps.entry(at).or_default();
        *count += 1;
        *failed += u64::from(row.skeleton().failure.is_some());
        for (facet, (counts, missing)) in tally.facets.iter().zip(&mut slowly.facets) {
            let values = values(row, *facet);
            *missing += u64::from(values.is_empty());
            values
                .into_iter()
                .for_each(|value| *counts.entry(value).or_default() += 1);
        }
    }
    slowly
}

fn quickly(tallied: &Tallied, step: Step, zone: &TimeZone) -> Slowly {
    assert_eq!((tallied.partial, &tallied.unreadable[..]), (None, &[][..]));
    let mut before = i64::MIN;
    let steps = tallied.steps.iter().map(|step_count| {
        assert!(before <= step_count.from && step_count.from < step_count.to);
        before = step_count.to;
        let last = clock(step_count.to - 1, step, zone);
        let at = clock(step_count.from, step, zone);
        assert_eq!(at, last);
        (at, (step_count.count, step_count.failed))
    });
    Slowly {
        count: tallied.count,
        steps: steps.collect(),
        facets: tallied
            .facets
            .iter()
            .map(|facet| {
                assert!(facet.complete && facet.others == 0);
                let order = |v: &annals_store::ValueCount| (u64::MAX - v.count, v.value.clone());
                assert!(facet.values.iter().map(order).is_sorted());
                let counts = facet.values.iter().map(|v| (v.value.clone(), v.count));
                (counts.collect(), facet.missing)
            })
            .collect(),
    }
}

fn rows(log: &Log) -> Vec<Row> {
    log.scan(0..log.size(), Order::Asc)
        .map(Result::unwrap)
        .collect()
}

#[test]
fn every_tally_is_what_the_slow_way_counts() {
    let mut world = mixed();
    world.reopen();
    let mut chance = fastrand::Rng::with_seed(8);
    let zones = [
        "UTC",
        "Europe/Berlin",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/New_York",
    ];
    let terms = [
        "action:issue.*",
        "outcome:failure",
        "-action:issue.created",
        "actor.type:user",
        "source:web",
        "ip:10.0.0.0/8",
        "target.type:project",
        "regression",
        "-time:2025-03",
        "time:2025-02..2025-05,2025-07",
        "recorded:2026-11-22",
    ];
    for workspace in ["org_large", "org_late", "org_small"] {
        let log = world.log(workspace);
        let all = rows(&log);
        let start = time("2025-01-01T00:00:00Z").as_micros();
        for n in 0..110 {
            let mut query = Vec::new();
            // Mostly ranges, which the indexes know of.
            if n % 3 == 0 {
                query.push(terms[chance.usize(..terms.len())].to_owned());
            }
            if chance.u8(..3) == 0 {
                let from = chance.u64(..log.size());
                query.push(format!(
                    "position:{from}..{}",
                    chance.u64(from..=log.size())
                ));
            }
            let mut asked = filter(&query.join(" "));
            if chance.u8(..3) > 0 {
                // To the microsecond, or where a quarter, an hour or a day begins.
                let unit = [1, DAY / 96, DAY / 24, DAY][chance.usize(..4)];
                let mut edge = || (start + chance.i64(..366 * DAY)) / unit * unit;
                let (a, b) = (edge(), edge());
                let at = |micros| Some(annals_event::Timestamp::clamped(micros));
                asked = asked.with_window(at(a.min(b)), at(a.max(b)));
            }
            let zone = zone(zones[chance.usize(..zones.len())]);
            let step = [Step::Hour, Step::Day][chance.usize(..2)];
            let mut facets = Facet::ALL.to_vec();
            chance.shuffle(&mut facets);
            facets.truncate(chance.usize(..=facets.len()));
            let tally = Tally {
                filter: asked,
                as_of: chance.bool().then(|| chance.u64(..=log.size())),
                steps: Some(Steps::new(step, zone.clone())),
                facets,
                top: usize::MAX,
                deadline: None,
            };
            let tallied = log.tally(&tally).unwrap();
            assert_eq!(
                quickly(&tallied, step, &zone),
                slowly(&all, &tally, step, &zone),
                "{workspace} {query:?} {tally:?}"
            );
            // Counting by nothing, and a search, come to the same number.
            let filter = tally.filter.clone();
            let bare = Tally {
                filter: filter.clone(),
                as_of: tally.as_of,
                ..Tally::default()
            };
            assert_eq!(log.tally(&bare).unwrap().count, tallied.count);
            let search = Search {
                filter,
                as_of: tally.as_of,
                limit: 0,
                ..Search::default()
            };
            let found = log.search(&search).unwrap();
            assert_eq!(found.count, Count::Exact(tallied.count), "{query:?}");
        }
    }
}

fn segments(world: &World) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(world.path().join("segments")).unwrap();
    let files = folder.map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|e| e == "parquet"))
        .collect()
}

fn everything() -> Tally {
    Tally {
        steps: Some(Steps::new(Step::Day, zone("Europe/Berlin"))),
        facets: Facet::ALL.to_vec(),
        ..Tally::default()
    }
}

#[test]
fn a_tally_of_all_that_is_sealed_reads_no_event() {
    let mut world = by_hand();
    let log = world.log("org_a");
    record(&log, generated(3_000, 2));
    world.store().seal().unwrap();
    let before = log.tally(&everything()).unwrap();
    assert_eq!(before.count, 3_000);
    let failed: u64 = before.steps.iter().map(|step| step.failed).sum();
    assert!(failed > 0 && before.steps.len() > 300);
    // Actors have names, and what is not among the ten is told of.
    let actors = &before.facets[1];
    assert!(actors.values.len() == 10 && actors.others > 0);
    assert!(actors.values.iter().all(|actor| actor.label.is_some()));
    drop(log);
    world.store.take().unwrap().close().unwrap();
    for file in segments(&world) {
        let mut bytes = std::fs::read(&file).unwrap();
        // All pages; the footer stays.
        let footer = bytes.len() - 60_000.min(bytes.len() / 4);
        bytes[4..footer].fill(0);
        std::fs::write(&file, bytes).unwrap();
    }
    world.open();
    let log = world.log("org_a");
    assert!(log.row(5).is_err());
    assert_eq!(log.tally(&everything()).unwrap(), before);
}

#[test]
fn a_tally_that_runs_out_of_time_says_how_far_it_came() {
    let world = mixed();
    let log = world.log("org_large");
    let late = Tally {
        deadline: Some(Instant::now()),
        ..everything()
    };
    let tallied = log.tally(&late).unwrap();
    assert_eq!((tallied.count, tallied.partial), (0, Some(log.size())));
    assert!(tallied.steps.is_empty());
    let size = log.size();
    let in_time = Tally {
        deadline: Some(Instant::now() + Duration::from_secs(600)),
        ..everything()
    };
    let tallied = log.tally(&in_time).unwrap();
    assert_eq!((tallied.count, tallied.partial), (size, None));
}

#[test]
fn what_is_recorded_later_is_not_counted() {
    let world = World::new();
    let log = world.log("org_a");
    record(&log, (0..10).map(|n| event(&format!("{n}"))).collect());
    let as_of = log.size();
    record(&log, vec![event("later")]);
    let tally = Tally {
        as_of: Some(as_of),
        ..everything()
    };
    let tallied = log.tally(&tally).unwrap();
    assert_eq!((tallied.count, tallied.as_of), (10, as_of));
    assert_eq!(log.tally(&everything()).unwrap().count, 11);
}

#[test]
fn memory_is_bounded_however_different_values_and_times_are() {
    let world = by_hand();
    let log = world.log("org_a");
    let many = VALUES_MAX + 400;
    let events = (0..many).map(|n| {
        let at = annals_event::Timestamp::clamped((20_000 - n as i64) * DAY).to_string();
        event_with(
            &format!("e{n}"),
            &at,
            &format!("actor-{}", n.min(many - 300)),
        )
    });
    let events: Vec<_> = events.collect();
    for chunk in events.chunks(500) {
        record(&log, chunk.to_vec());
    }
    for _ in 0..2 {
        let tally = Tally {
            facets: vec![Facet::Actor, Facet::Action],
            top: 3,
            ..Tally::default()
        };
        let tallied = log.tally(&tally).unwrap();
        let [actors, actions] = &tallied.facets[..] else {
            panic!()
        };
        assert!(!actors.complete && actions.complete);
        assert_eq!(actors.others, (VALUES_MAX - 3) as u64);
        assert_eq!((actors.values[0].count, actors.missing), (300, 0));
        assert_eq!(actions.values.len(), 1);
        let by_day = Tally {
            steps: Some(Steps::new(Step::Day, TimeZone::UTC)),
            ..Tally::default()
        };
        let refused = log.tally(&by_day).unwrap_err();
        assert!(matches!(
            refused,
            StoreError::TooManySteps { limit: STEPS_MAX }
        ));
        world.store().seal().unwrap();
    }
}
