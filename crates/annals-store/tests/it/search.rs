//! Searching finds what matches, all of it, in order; the quick ways answer as the slow one does.

use std::time::Instant;

use annals_event::{Catalogue, Filter, Query, Row, When};
use annals_store::{Count, Log, Order, Search};
use proptest::prelude::*;

use crate::world::{World, event, event_with, generated, record, time};

fn filter(query: &str) -> Filter {
    let when = When {
        now: time("2026-11-22T12:00:00Z"),
        zone: jiff::tz::TimeZone::UTC,
    };
    Query::parse(query).unwrap().resolve(&when).unwrap()
}

/// The slow way: every row, looked at one by one.
fn slowly(log: &Log, filter: &Filter, as_of: u64, order: Order) -> Vec<u64> {
    let matches = |row: &Row| filter.matches(row, Catalogue::builtin());
    let mut positions: Vec<u64> = log
        .scan(0..as_of, Order::Asc)
        .map(Result::unwrap)
        .filter(matches)
        .map(|row| row.position)
        .collect();
    if order == Order::Desc {
        positions.reverse();
    }
    positions
}

fn pages(log: &Log, search: &Search) -> Vec<u64> {
    let mut positions = Vec::new();
    let mut search = search.clone();
    loop {
        let found = log.search(&search).unwrap();
        assert!(found.rows.len() <= search.limit);
        positions.extend(found.rows.iter().map(|row| row.position));
        if !found.more {
            return positions;
        }
        assert_eq!(found.rows.len(), search.limit);
        search.after = found.rows.last().map(|row| row.position);
    }
}

/// A log in which events of several times lie in many groups, some of them late.
fn mixed() -> (World, Log) {
    let world = World::with(|options| options.cache_bytes = 256 << 10);
    let log = world.log("org_a");
    let other = world.log("org_b");
    let events = generated(900, 3);
    for (n, chunk) in events.chunks(31).enumerate() {
        record(&log, chunk.to_vec());
        if n % 3 == 0 {
            record(&other, vec![event(&format!("other-{n}"))]);
        }
        if n % 7 == 0 {
            record(
                &log,
                vec![event_with(
                    &format!("late-{n}"),
                    "2020-01-01T00:00:00Z",
                    "zoe",
                )],
            );
        }
    }
    (world, log)
}

#[test]
fn pages_hold_what_the_slow_way_finds() {
    let (world, log) = mixed();
    let size = log.size();
    let queries = [
        "",
        "action:issue.*",
        "actor:zoe",
        "time:2020-01-01",
        "time:2026-03-01..2026-05-01",
        "-action:issue.*",
        "position:100..180",
        "nothing-has-this-word",
    ];
    for query in queries {
        let filter = filter(query);
        for order in [Order::Desc, Order::Asc] {
            for as_of in [size, size / 2, 0] {
                let expected = slowly(&log, &filter, as_of, order);
                let search = Search {
                    filter: filter.clone(),
                    as_of: Some(as_of),
                    order,
                    limit: 17,
                    ..Search::default()
                };
                assert_eq!(pages(&log, &search), expected, "{query} {order:?} {as_of}");
                let found = log.search(&search).unwrap();
                assert_eq!(found.count, Count::Exact(expected.len() as u64), "{query}");
                assert_eq!((found.as_of, found.partial), (as_of, None));
                let scanned: Vec<u64> = log
                    .scan_matching(filter.clone(), 0..as_of, order)
                    .map(|row| row.unwrap().position)
                    .collect();
                assert_eq!(scanned, expected, "{query}");
            }
        }
    }
    world.assert_sound();
}

#[test]
fn what_is_recorded_later_is_not_on_older_pages() {
    let world = World::new();
    let log = world.log("org_a");
    record(&log, (0..10).map(|n| event(&format!("{n}"))).collect());
    let first = log
        .search(&Search {
            limit: 4,
            ..Search::default()
        })
        .unwrap();
    record(&log, vec![event("later")]);
    let next = Search {
        limit: 4,
        as_of: Some(first.as_of),
        after: Some(6),
        ..Search::default()
    };
    let second = log.search(&next).unwrap();
    let positions = |rows: &[Row]| rows.iter().map(|row| row.position).collect::<Vec<_>>();
    assert_eq!(positions(&first.rows), [9, 8, 7, 6]);
    assert_eq!(positions(&second.rows), [5, 4, 3, 2]);
    assert_eq!(second.count, Count::Exact(10));
}

#[test]
fn counting_stops_at_the_limit() {
    let (_world, log) = mixed();
    let all = slowly(&log, &filter("action:issue.*"), log.size(), Order::Desc).len() as u64;
    assert!(all > 20);
    for (count_limit, expected) in [
        (all, Count::Exact(all)),
        (all - 1, Count::MoreThan(all - 1)),
        (5, Count::MoreThan(5)),
    ] {
        let search = Search {
            filter: filter("action:issue.*"),
            count_limit,
            limit: 3,
            ..Search::default()
        };
        assert_eq!(log.search(&search).unwrap().count, expected);
    }
}

#[test]
fn a_search_that_runs_out_of_time_says_how_far_it_came() {
    let (_world, log) = mixed();
    for order in [Order::Desc, Order::Asc] {
        let mut search = Search {
            filter: filter("actor:zoe"),
            order,
            deadline: Some(Instant::now()),
            ..Search::default()
        };
        let found = log.search(&search).unwrap();
        assert!(found.more && found.rows.is_empty());
        assert!(matches!(found.count, Count::AtLeast(0)));
        // Going on from there finds everything.
        search.after = found.partial;
        search.deadline = None;
        search.limit = 1000;
        let rest = log.search(&search).unwrap();
        let positions: Vec<u64> = rest.rows.iter().map(|row| row.position).collect();
        assert_eq!(positions, slowly(&log, &search.filter, log.size(), order));
    }
}

#[test]
fn the_cache_stays_within_its_bound_and_changes_no_answer() {
    let events = generated(3000, 11);
    let mut answers = Vec::new();
    for cache_bytes in [0, 300 << 10, 64 << 20] {
        let world = World::with(|options| options.cache_bytes = cache_bytes);
        let log = world.log("org_a");
        for chunk in events.chunks(50) {
            record(&log, chunk.to_vec());
        }
        let rows: Vec<_> = log
            .scan(0..3000, Order::Desc)
            .map(|row| row.unwrap().draft)
            .collect();
        assert!(world.store().cached_bytes() <= cache_bytes);
        if cache_bytes > 0 {
            assert!(world.store().cached_bytes() > 0);
        }
        answers.push(rows);
    }
    assert_eq!(answers[0].len(), 3000);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn any_way_of_recording_is_searched_alike(
        batches in prop::collection::vec((0usize..3, 1usize..40, 0u32..28), 1..25),
        after in 0u64..400,
        limit in 1usize..60,
        descending in any::<bool>(),
        day in 1u32..28,
    ) {
        let world = World::with(|options| options.cache_bytes = 64 << 10);
        let mut n = 0;
        for (log, count, day) in batches {
            let log = world.log(["org_a", "org_b", "org_c"][log]);
            let drafts = (0..count).map(|_| {
                n += 1;
                event_with(&format!("e{n}"), &format!("2026-10-{:02}T10:00:00Z", day + 1), "ada")
            });
            record(&log, drafts.collect());
        }
        let order = if descending { Order::Desc } else { Order::Asc };
        for name in ["org_a", "org_b", "org_c"] {
            let log = world.log(name);
            let filter = filter(&format!("time:2026-10-{day:02}"));
            let beyond = |position: &u64| if descending { *position < after } else { *position > after };
            let expected: Vec<u64> =
                slowly(&log, &filter, log.size(), order).into_iter().filter(beyond).take(limit).collect();
            let search = Search { filter, order, limit, after: Some(after), ..Search::default() };
            let found = log.search(&search).unwrap();
            prop_assert_eq!(found.rows.iter().map(|row| row.position).collect::<Vec<_>>(), expected);
        }
    }
}
