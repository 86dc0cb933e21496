//! A search tells of what cannot be read and serves everything else; a file is whole or fails.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use annals_event::{Facet, Filter, Query, Row, When};
use annals_store::{Count, Found, Log, Order, Sealing, Search, StoreError, Tally};

use crate::world::{World, event, generated, record, time};

const EVENTS: u64 = 4_500;

fn world() -> World {
    let world = World::with(|options| {
        options.sealing = Some(Sealing {
            rows: 10_000,
            backlog: u64::MAX,
            age: Duration::MAX,
            fan: 4,
        });
    });
    let log = world.log("org_a");
    record(&log, generated(EVENTS, 9));
    world.store().seal().unwrap();
    record(&log, vec![event("recent")]);
    world
}

fn segment(world: &World) -> PathBuf {
    let folder = std::fs::read_dir(world.path().join("segments")).unwrap();
    let mut files = folder.map(|entry| entry.unwrap().path());
    files
        .find(|path| path.extension().is_some_and(|e| e == "parquet"))
        .unwrap()
}

fn find(log: &Log, filter: &Filter, order: Order) -> Found {
    let search = Search {
        filter: filter.clone(),
        order,
        limit: 10_000,
        ..Search::default()
    };
    log.search(&search).unwrap()
}

fn gaps(found: &Found) -> Vec<Range<u64>> {
    let gaps = found.unreadable.iter().map(|part| part.positions.clone());
    gaps.collect()
}

#[test]
fn a_search_passes_over_damaged_pages_and_names_them() {
    let mut world = world();
    let words = Query::parse("-nothing-like-this").unwrap();
    let when = When {
        now: time("2026-11-22T12:00:00Z"),
        zone: jiff::tz::TimeZone::UTC,
    };
    let words = words.resolve(&when).unwrap();
    let whole: Vec<Row> = world
        .log("org_a")
        .scan(0..EVENTS + 1, Order::Asc)
        .map(Result::unwrap)
        .collect();
    world.store.take().unwrap().close().unwrap();
    let file = segment(&world);
    let bytes = std::fs::read(&file).unwrap();
    let mut chance = fastrand::Rng::with_seed(4);
    let (mut pages_lost, mut mostly_served) = (0, 0);
    for _ in 0..12 {
        let mut damaged = bytes.clone();
        // Within the pages; what happens to a file whose footer is damaged is tested below.
        damaged[chance.usize(4..bytes.len() / 10 * 8)] ^= 1;
        std::fs::write(&file, damaged).unwrap();
        world.open();
        let log = world.log("org_a");
        for filter in [Filter::everything(), words.clone()] {
            for order in [Order::Asc, Order::Desc] {
                let found = find(&log, &filter, order);
                assert!(!found.more && found.partial.is_none());
                let mut positions: Vec<u64> = found.rows.iter().map(|row| row.position).collect();
                if order == Order::Desc {
                    positions.reverse();
                }
                let gaps = gaps(&found);
                assert!(gaps.windows(2).all(|pair| pair[0].end < pair[1].start));
                let expected = |position: &u64| !gaps.iter().any(|gap| gap.contains(position));
                assert!(positions.iter().copied().eq((0..=EVENTS).filter(expected)));
                for row in &found.rows {
                    let position = usize::try_from(row.position).unwrap();
                    assert_eq!(row.draft, whole[position].draft);
                }
                for part in &found.unreadable {
                    assert!(part.segment.is_some() && part.log == log.slot());
                    let rows = part.rows.end - part.rows.start;
                    assert_eq!(u64::from(rows), part.positions.end - part.positions.start);
                    assert!(part.to_string().contains("segment"), "{part}");
                }
                let lost: u64 = gaps.iter().map(|gap| gap.end - gap.start).sum();
                let read = EVENTS + 1 - lost;
                // How many there are is known without reading those parts of them that nobody asks for.
                match found.count {
                    Count::Exact(count) => assert_eq!(count, EVENTS + 1),
                    Count::AtLeast(count) => {
                        assert!(lost > 0 && !filter.is_everything());
                        assert!((read..=EVENTS).contains(&count), "{count}");
                    }
                    Count::MoreThan(_) => panic!("{:?}", found.count),
                }
                pages_lost += gaps.len();
                mostly_served += usize::from(lost > 0 && lost <= 1_024);
                // A file never lacks rows without a word.
                let scanned: Result<Vec<Row>, StoreError> = log
                    .scan_matching(filter.clone(), 0..EVENTS + 1, order)
                    .collect();
                match scanned {
                    Ok(rows) => assert!(lost == 0 && rows.len() as u64 == EVENTS + 1),
                    Err(StoreError::Unreadable(part)) => {
                        assert!(gaps.iter().any(|gap| gap.contains(&part.positions.start)));
                    }
                    Err(error) => panic!("{error}"),
                }
            }
        }
        // Counting what has to be read says what is missing, too.
        let tally = Tally {
            filter: words.clone(),
            facets: vec![Facet::Source],
            ..Tally::default()
        };
        let tallied = log.tally(&tally).unwrap();
        let lost: u64 = tallied
            .unreadable
            .iter()
            .map(|part| part.positions.end - part.positions.start)
            .sum();
        assert_eq!(tallied.count + lost, EVENTS + 1);
        drop(log);
        world.store.take().unwrap().close().unwrap();
    }
    assert!(pages_lost > 0 && mostly_served > 0);
}

#[test]
fn a_segment_that_is_not_there_is_one_gap() {
    let mut world = world();
    world.store.take().unwrap().close().unwrap();
    std::fs::remove_file(segment(&world)).unwrap();
    world.open();
    let log = world.log("org_a");
    for order in [Order::Asc, Order::Desc] {
        let found = find(&log, &Filter::everything(), order);
        let ids: Vec<&str> = found
            .rows
            .iter()
            .map(|r| r.skeleton().id.as_str())
            .collect();
        assert_eq!(ids, ["recent"]);
        assert_eq!(gaps(&found), vec![0..EVENTS]);
    }
    let tallied = log.tally(&Tally::default()).unwrap();
    assert_eq!((tallied.count, tallied.unreadable.len()), (1, 1));
    assert_eq!(record(&log, vec![event("next")]), [EVENTS + 1]);
}
