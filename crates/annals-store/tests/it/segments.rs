//! Events that moved into segments are what they were: to searches, proofs, retries and the check.

use std::time::{Duration, Instant};

use annals_event::{Catalogue, Filter, Query, Row, When};
use annals_store::{AppendError, Count, Item, Log, Order, Sealing, Search, check};
use annals_testkit::{Generator, Profile};

use crate::world::{
    World, anonymous, append, event, event_noting, event_with, generated, ids, keyed, record, time,
};

/// Segments of a few hundred rows, which are sealed when the test says so.
fn by_hand() -> World {
    World::with(|options| {
        options.sealing = Some(Sealing {
            rows: 150,
            backlog: u64::MAX,
            age: Duration::MAX,
            fan: 3,
        });
    })
}

fn filter(query: &str) -> Filter {
    let when = When {
        now: time("2026-11-22T12:00:00Z"),
        zone: jiff::tz::TimeZone::UTC,
    };
    Query::parse(query).unwrap().resolve(&when).unwrap()
}

/// Logs of several sizes, in several segments, with the newest events still in the journal.
fn mixed() -> World {
    let world = by_hand();
    let (a, b) = (world.log("org_a"), world.log("org_b"));
    for (n, chunk) in generated(2_600, 11).chunks(40).enumerate() {
        record(&a, chunk.to_vec());
        if n % 5 == 0 {
            let late = event_with(&format!("late-{n}"), "2020-01-01T00:00:00Z", "Zoë");
            record(&b, vec![event(&format!("b-{n}")), late]);
            record(&world.log(&format!("tiny_{n}")), vec![event("only")]);
        }
        if n % 15 == 14 && n < 60 {
            world.store().seal().unwrap();
        }
    }
    world
}

fn journal(world: &World) -> u64 {
    let database = rusqlite::Connection::open(world.path().join("annals.db")).unwrap();
    database
        .query_row("select count(*) from journal", [], |row| row.get(0))
        .unwrap()
}

/// Everything that can be seen of a log.
fn seen(log: &Log) -> (Vec<String>, Vec<String>, String, Vec<u8>) {
    let size = log.size();
    let entries = (0..size)
        .map(|position| log.entry(position).unwrap().unwrap())
        .collect();
    let mut proof = Vec::new();
    log.write_proof(size / 3..size, None, &mut proof, &|row, k| {
        row.position % 7 == 0 && k == 1
    })
    .unwrap();
    (
        ids(log),
        entries,
        log.checkpoint_at(size / 2).unwrap(),
        proof,
    )
}

#[test]
fn what_is_sealed_reads_as_before_and_after_a_restart_too() {
    let mut world = by_hand();
    let log = world.log("org_a");
    let other = world.log("org_b");
    for chunk in generated(1_000, 4).chunks(70) {
        record(&log, chunk.to_vec());
        record(&other, chunk[..3].to_vec());
    }
    let before = (seen(&log), seen(&other));
    let root = log.root_at(777).unwrap();
    world.store().seal().unwrap();
    assert_eq!(journal(&world), 0);
    assert!(!world.files(".parquet").is_empty());
    assert_eq!((seen(&log), seen(&other)), before);
    assert_eq!(log.root_at(777).unwrap(), root);
    world.assert_sound();
    drop((log, other));
    let crashed = world.after_crash();
    world.reopen();
    for world in [&world, &crashed] {
        assert_eq!(
            (seen(&world.log("org_a")), seen(&world.log("org_b"))),
            before
        );
        world.assert_sound();
        // It goes on where it ended.
        let log = world.log("org_a");
        assert_eq!(record(&log, vec![event("next")]), [1_000]);
        assert_eq!(log.row_by_id("next").unwrap().unwrap().position, 1_000);
        world.store().seal().unwrap();
        assert_eq!(log.row_by_id("next").unwrap().unwrap().position, 1_000);
        world.assert_sound();
    }
}

#[test]
fn every_search_finds_what_the_slow_way_finds() {
    let mut world = mixed();
    assert!(world.files(".parquet").len() >= 2 && journal(&world) > 0);
    world.reopen();
    let sample: Vec<Row> = world
        .log("org_a")
        .scan(0..2_600, Order::Asc)
        .step_by(700)
        .map(Result::unwrap)
        .collect();
    let mut queries: Vec<String> = [
        "",
        "action:issue.*",
        "action:user.login*",
        "-action:issue",
        "actor:Zoë",
        "actor:ZOË",
        "actor.name:\"Name of ada\"",
        "outcome:failure",
        "reason:invalid_password",
        "category:project",
        "time:2020-01-01",
        "time:2025-03-01..2025-05-01",
        "recorded:2026-11-22",
        "position:100..1800",
        "ip:10.0.0.0/8",
        "ip:192.0.2.7",
        "ip:::ffff:192.0.2.7",
        "source:web",
        "meta.plan:team",
        "meta.attempt:2 action:user.login",
        "previous.status:Open",
        "next.status:closed",
        "target.type:issue",
        "target:issue_1",
        "target.name:\"A title\"",
        "id:b-5",
        "id:B-5,late-10,nothing",
        "regression",
        "zanzibar",
        "REGRESSION -cart",
        "nothing-has-this-word",
        "actor:nobody",
        "session:nothing",
        "key:key_test",
    ]
    .map(str::to_owned)
    .to_vec();
    for row in &sample {
        let target = row.target(0).unwrap();
        queries.push(format!("id:{}", row.skeleton().id));
        queries.push(format!("actor:{}", row.actor_id().unwrap()));
        queries.push(format!("actor.email:{}", row.actor_email().unwrap()));
        queries.push(format!("target:{}", target.id.unwrap()));
        queries.push(format!(
            "target.name:\"{}\"",
            target.name.unwrap().to_uppercase()
        ));
        queries.push(format!("session:{}", row.context("session_id").unwrap()));
        queries.push(format!("request:{}", row.context("request_id").unwrap()));
        queries.push(format!("ip:{}", row.context("location").unwrap()));
        queries.push(format!(
            "target:{},issue_1 action:{}",
            target.id.unwrap(),
            row.skeleton().action
        ));
    }
    for workspace in ["org_a", "org_b", "tiny_40"] {
        let log = world.log(workspace);
        let all: Vec<Row> = log
            .scan(0..log.size(), Order::Asc)
            .map(Result::unwrap)
            .collect();
        assert_eq!(all.len() as u64, log.size());
        let mut found_any = 0;
        for (n, query) in queries.iter().enumerate() {
            let filter = filter(query);
            let expected: Vec<u64> = all
                .iter()
                .filter(|row| filter.matches(row, Catalogue::builtin()))
                .map(|row| row.position)
                .collect();
            found_any += usize::from(!expected.is_empty());
            let orders = [Order::Desc, Order::Asc];
            for order in &orders[..if n % 3 == 0 { 2 } else { 1 }] {
                let order = *order;
                let mut expected = expected.clone();
                if order == Order::Desc {
                    expected.reverse();
                }
                let search = Search {
                    filter: filter.clone(),
                    order,
                    limit: 20,
                    ..Search::default()
                };
                let found = log.search(&search).unwrap();
                let positions: Vec<u64> = found.rows.iter().map(|row| row.position).collect();
                assert_eq!(positions, expected[..expected.len().min(20)], "{query}");
                assert_eq!(found.count, Count::Exact(expected.len() as u64), "{query}");
                assert_eq!(found.more, expected.len() > 20);
                let scanned: Vec<Row> = log
                    .scan_matching(filter.clone(), 0..log.size(), order)
                    .map(Result::unwrap)
                    .collect();
                let positions: Vec<u64> = scanned.iter().map(|row| row.position).collect();
                assert_eq!(positions, expected, "{query}");
                // Not only the parts that the query looked at.
                for row in scanned.iter().take(5) {
                    let position = usize::try_from(row.position).unwrap();
                    assert_eq!(row.draft, all[position].draft);
                }
            }
        }
        assert!(found_any > 3, "{workspace}");
    }
}

#[test]
fn an_id_stays_unique_when_its_event_is_sealed() {
    let world = by_hand();
    let log = world.log("org_a");
    let events = generated(400, 6);
    record(&log, events.clone());
    record(&log, vec![event("mine"), event("other")]);
    world.store().seal().unwrap();
    assert_eq!(journal(&world), 0);
    for (n, draft) in events.iter().enumerate().step_by(41) {
        let again = append(&log, vec![draft.clone()]).unwrap();
        assert!(
            matches!(&again.items[..], [Item::Duplicate { position, .. }] if *position == n as u64)
        );
        let mut changed = draft.clone();
        changed.skeleton.action = "issue.deleted".to_owned();
        changed.skeleton.actor.kind = "robot".to_owned();
        let conflict = append(&log, vec![changed]).unwrap();
        assert!(matches!(&conflict.items[..], [Item::Conflict { .. }]));
    }
    let again = append(&log, vec![event("mine"), event("new"), event("other")]).unwrap();
    assert!(matches!(
        again.items[..],
        [
            Item::Duplicate { position: 400, .. },
            Item::Recorded { position: 402, .. },
            Item::Duplicate { position: 401, .. }
        ]
    ));
    // In another log the same id is another event.
    assert_eq!(record(&world.log("org_b"), vec![event("mine")]), [0]);
}

#[test]
fn an_idempotency_key_outlives_the_journal() {
    let mut world = by_hand();
    let log = world.log("org_a");
    let request = || {
        keyed(
            vec![anonymous("drawn-1"), anonymous("drawn-2")],
            "key",
            "body",
        )
    };
    log.append(request()).wait().unwrap();
    world.store().seal().unwrap();
    assert_eq!(journal(&world), 0);
    drop(log);
    for _ in 0..2 {
        let log = world.log("org_a");
        let again = keyed(
            vec![anonymous("drawn-3"), anonymous("drawn-4")],
            "key",
            "body",
        );
        let items = log.append(again).wait().unwrap().items;
        assert!(matches!(
            &items[..],
            [Item::Duplicate { position: 0, id, .. }, Item::Duplicate { position: 1, .. }]
                if id == "drawn-1"
        ));
        let other = keyed(vec![anonymous("drawn-5")], "key", "other body");
        let refused = log.append(other).wait().unwrap_err();
        assert_eq!(refused, AppendError::IdempotencyMismatch);
        drop(log);
        world.reopen();
    }
}

#[test]
fn small_segments_become_few_and_nothing_changes_for_who_reads_meanwhile() {
    let world = World::with(|options| {
        options.sealing = Some(Sealing {
            rows: 10,
            backlog: 10,
            age: Duration::ZERO,
            fan: 2,
        });
    });
    let log = world.log("org_a");
    let events = generated(1_200, 8);
    let expected: Vec<String> = events.iter().map(|e| e.skeleton.id.clone()).collect();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for chunk in events.chunks(10) {
                record(&log, chunk.to_vec());
            }
        });
        while !writer.is_finished() {
            let size = log.size();
            let read: Vec<String> = log
                .scan(0..size, Order::Desc)
                .map(|row| row.unwrap().draft.skeleton.id)
                .collect();
            assert_eq!(read.len() as u64, size);
            assert!(read.iter().rev().eq(&expected[..read.len()]));
            if let Some(id) = read.first() {
                assert_eq!(log.row_by_id(id).unwrap().unwrap().position, size - 1);
            }
        }
    });
    world.store().seal().unwrap();
    assert_eq!(ids(&log), expected);
    assert!(world.files(".parquet").len() <= 8, "{:?}", world.files(""));
    assert_eq!(world.files(".parquet").len(), world.files(".index").len());
    world.assert_sound();
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_named_and_the_rest_is_served() {
    let mut world = by_hand();
    let events: Vec<_> = Generator::new(Profile::year(1_500)).collect();
    for event in events.chunks(100) {
        for event in event {
            let draft = annals_event::Draft::new(
                annals_event::Event::from_json(event.event_json(true).as_bytes()).unwrap(),
                &annals_event::Rules::open(),
                annals_event::Timestamp::MAX,
                String::new,
            );
            let log = world.log(&event.organization_id());
            record(&log, vec![draft.unwrap()]);
        }
    }
    world.store().seal().unwrap();
    world.store.take().unwrap().close().unwrap();
    world.assert_sound();
    let report = |world: &World| check(world.path(), &mut |_| {}).unwrap();
    assert_eq!(report(&world).entries, 1_500);
    let mut chance = fastrand::Rng::with_seed(3);
    for ending in [".parquet", ".index"] {
        for file in world.files(ending) {
            let whole = std::fs::read(&file).unwrap();
            for _ in 0..4 {
                let byte = chance.usize(..whole.len());
                let mut flipped = whole.clone();
                flipped[byte] ^= 1 << chance.u8(..8);
                std::fs::write(&file, &flipped).unwrap();
                let problems = report(&world).problems;
                assert!(
                    problems.iter().any(|problem| problem.segment.is_some()),
                    "byte {byte} of {file:?}"
                );
                // The store opens all the same, and every row is either right or refused.
                world.open();
                let mut refused = 0;
                for n in 0..20 {
                    let log = world.log(&format!("org_{n:05}"));
                    for position in (0..log.size()).step_by(25) {
                        match log.row(position) {
                            Ok(Some(row)) => assert_eq!(row.position, position),
                            Ok(None) => panic!("position {position} is not there"),
                            Err(_) => refused += 1,
                        }
                    }
                }
                assert!(refused < 80, "{refused} of about 80");
                world.store.take().unwrap().close().unwrap();
            }
            std::fs::write(&file, &whole).unwrap();
        }
    }
    let file = world.files(".parquet").remove(0);
    std::fs::remove_file(&file).unwrap();
    assert!(!report(&world).problems.is_empty());
    world.open();
    let log = world.log("org_00000");
    assert!((0..log.size()).any(|position| log.row(position).is_err()));
    let [last] = record(&log, vec![event("last")])[..] else {
        panic!()
    };
    assert_eq!(log.row(last).unwrap().unwrap().skeleton().id, "last");
}

#[test]
fn what_an_interrupted_seal_left_is_deleted() {
    let mut world = by_hand();
    record(&world.log("org_a"), generated(50, 1));
    world.store().seal().unwrap();
    let folder = world.path().join("segments");
    for name in ["00000099.parquet", "00000099.index", "00000100.parquet.new"] {
        std::fs::write(folder.join(name), b"half").unwrap();
    }
    world.reopen();
    assert_eq!(world.files("").len(), 2);
    assert_eq!(world.log("org_a").size(), 50);
}

#[test]
fn what_sealed_events_leave_behind_goes_back_to_the_disk() {
    let mut world = by_hand();
    let log = world.log("org_a");
    let mut chance = fastrand::Rng::with_seed(3);
    // Large, and nothing that compresses.
    let mut noise = || -> String { (0..6_000).map(|_| chance.alphanumeric()).collect() };
    for batch in 0..22 {
        let events = (0..150).map(|n| event_noting(&format!("{batch}-{n}"), &noise()));
        record(&log, events.collect());
    }
    let size = |name: &str| std::fs::metadata(world.path().join(name)).map_or(0, |file| file.len());
    let taken = || size("annals.db") + size("annals.db-wal");
    assert!(taken() > 15 << 20, "{} bytes", taken());
    world.store().seal().unwrap();
    let began = Instant::now();
    while taken() > 11 << 20 {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} bytes",
            taken()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    // It goes on as before.
    record(&log, vec![event("one-more")]);
    world.reopen();
    assert_eq!(world.log("org_a").size(), 3_301);
    assert_eq!(world.store.take().unwrap().close().ok(), Some(()));
    world.assert_sound();
}
