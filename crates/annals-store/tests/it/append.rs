//! What is acknowledged is there, once, at its position, and stays there.

use std::collections::HashSet;
use std::thread;

use annals_event::Timestamp;
use annals_store::{AppendError, Item, Options, Share, Store, StoreError};

use crate::world::{
    World, anonymous, append, batch, event, event_with, generated, ids, keyed, record,
    sealing_at_once, time,
};

#[test]
fn events_get_dense_positions_and_survive_a_restart_and_a_crash() {
    let mut world = World::new();
    let (a, b) = (world.log("org_a"), world.log("org_b"));
    assert_eq!(record(&a, vec![event("1"), event("2")]), [0, 1]);
    assert_eq!(record(&b, vec![event("1")]), [0]);
    assert_eq!(record(&a, vec![event("3")]), [2]);
    let rows_before: Vec<_> = a
        .scan(0..9, annals_store::Order::Asc)
        .map(|row| row.unwrap().draft)
        .collect();

    let crashed = world.after_crash();
    assert_eq!(ids(&crashed.log("org_a")), ["1", "2", "3"]);
    assert_eq!(record(&crashed.log("org_a"), vec![event("4")]), [3]);
    crashed.assert_sound();

    drop((a, b));
    world.reopen();
    let a = world.log("org_a");
    assert_eq!(ids(&a), ["1", "2", "3"]);
    assert_eq!(ids(&world.log("org_b")), ["1"]);
    let rows: Vec<_> = a
        .scan(0..9, annals_store::Order::Asc)
        .map(|row| row.unwrap().draft)
        .collect();
    assert_eq!(rows, rows_before);
    assert_eq!(record(&a, vec![event("4")]), [3]);
    world.assert_sound();
}

#[test]
fn one_append_for_several_logs_gives_each_what_is_its_own() {
    let world = World::new();
    let [a, b, c] = ["org_a", "org_b", "org_c"].map(|id| world.log(id));
    append(&b, vec![event("2"), event("other")]).unwrap();
    append_keyed(&c, "key", "another body");
    let drafts = ["1", "2", "3", "3", "4"].map(event).to_vec();
    let shares = [(&a, vec![0, 2, 3]), (&b, vec![1, 4]), (&c, vec![4])];
    let outcomes = world
        .store()
        .append(
            keyed(drafts, "key", "body"),
            shares
                .map(|(log, events)| Share {
                    log: log.clone(),
                    events,
                })
                .to_vec(),
        )
        .wait()
        .unwrap();
    let place = |item: &Item| match item {
        Item::Recorded { position, id, .. } => (true, *position, id.clone()),
        Item::Duplicate { position, id, .. } => (false, *position, id.clone()),
        Item::Conflict { id } => panic!("{id} is the same event"),
    };
    let [a_outcome, b_outcome, c_outcome] = &outcomes[..] else {
        panic!("three shares")
    };
    let places = |outcome: &Result<annals_store::Appended, AppendError>| -> Vec<_> {
        outcome.as_ref().unwrap().items.iter().map(place).collect()
    };
    let of = |new, position, id: &str| (new, position, id.to_owned());
    assert_eq!(
        places(a_outcome),
        [of(true, 0, "1"), of(true, 1, "3"), of(false, 1, "3")]
    );
    assert_eq!(places(b_outcome), [of(false, 0, "2"), of(true, 2, "4")]);
    // What one log refuses does not keep the others from recording.
    assert!(matches!(c_outcome, Err(AppendError::IdempotencyMismatch)));
    assert_eq!(ids(&a), ["1", "3"]);
    assert_eq!(ids(&b), ["2", "other", "4"]);
    assert_eq!(ids(&c), ["keyed"]);
    let crashed = world.after_crash();
    assert_eq!(ids(&crashed.log("org_a")), ["1", "3"]);
    crashed.assert_sound();
}

fn append_keyed(log: &annals_store::Log, key: &str, body: &str) {
    log.append(keyed(vec![event("keyed")], key, body))
        .wait()
        .unwrap();
}

#[test]
fn many_threads_record_each_event_once_and_nothing_is_lost_at_a_crash() {
    let world = World::new();
    let names = ["org_a", "org_b", "org_c"];
    let logs: Vec<_> = names.iter().map(|name| world.log(name)).collect();
    thread::scope(|scope| {
        for worker in 0..8 {
            let logs = &logs;
            scope.spawn(move || {
                for n in 0..60 {
                    let log = &logs[(worker + n) % logs.len()];
                    let drafts = (0..1 + n % 5)
                        .map(|k| event(&format!("{worker}-{n}-{k}")))
                        .collect();
                    let positions = record(log, drafts);
                    assert!(positions.windows(2).all(|pair| pair[0] + 1 == pair[1]));
                    assert!(log.size() > positions[0], "acknowledged but not visible");
                }
            });
        }
    });
    let crashed = world.after_crash();
    let mut all = HashSet::new();
    for name in names {
        let (before, after) = (ids(&world.log(name)), ids(&crashed.log(name)));
        assert_eq!(before, after);
        assert_eq!(
            world.log(name).root_at(before.len() as u64).unwrap(),
            crashed.log(name).root_at(before.len() as u64).unwrap()
        );
        all.extend(after);
    }
    assert_eq!(all.len(), 8 * (0..60).map(|n| 1 + n % 5).sum::<usize>());
    crashed.assert_sound();
}

#[test]
fn the_same_event_again_is_a_duplicate_and_another_one_a_conflict() {
    let mut world = World::new();
    let log = world.log("org_a");
    record(&log, vec![event("x"), event("y")]);
    let recorded_at = log.row(1).unwrap().unwrap().recorded_at;
    drop(log);
    for _ in 0..2 {
        let log = world.log("org_a");
        let other = event_with("x", "2026-11-22T11:59:00Z", "bob");
        let items = append(&log, vec![event("y"), other, event("x")])
            .unwrap()
            .items;
        let [
            Item::Duplicate {
                position: 1,
                recorded_at: at,
                ..
            },
            Item::Conflict { .. },
            Item::Duplicate { position: 0, .. },
        ] = items.as_slice()
        else {
            panic!("{items:?}");
        };
        assert_eq!(*at, recorded_at);
        assert_eq!(log.size(), 2);
        drop(log);
        world.reopen();
    }
    // Another workspace may use the same ids.
    assert_eq!(record(&world.log("org_b"), vec![event("x")]), [0]);
}

/// Most ids are new by their time, without being looked for. Here times go up and down and ids come again.
#[test]
fn an_id_is_new_once_whatever_its_time() {
    let mut world = World::with(|options| options.sealing = Some(sealing_at_once()));
    let uuid = |millis: u64| {
        format!(
            "{:08x}-{:04x}-7000-8000-000000000000",
            millis >> 16,
            millis & 0xffff
        )
    };
    let mut known = [HashSet::new(), HashSet::new()];
    let mut seed = 7u64;
    let mut random = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) % below
    };
    for step in 0..150 {
        let which = usize::from(random(2) == 1);
        let log = world.log(["org_a", "org_b"][which]);
        let ids: Vec<String> = (0..=random(4))
            .map(|_| match random(4) {
                0 => format!("id-{}", random(100)),
                // Most are later than all before them.
                1 => uuid(random(step + 10)),
                _ => uuid(step + random(10)),
            })
            .collect();
        let drafts = ids.iter().map(|id| event(id)).collect();
        let items = append(&log, drafts).unwrap().items;
        for (id, item) in ids.into_iter().zip(items) {
            let is_new = matches!(item, Item::Recorded { .. });
            assert!(is_new || matches!(item, Item::Duplicate { .. }), "{item:?}");
            assert_eq!(known[which].insert(id), is_new, "{item:?} at {step}");
        }
        drop(log);
        if random(20) == 0 {
            world.reopen();
        }
    }
    world.assert_sound();
}

#[test]
fn good_events_of_a_batch_are_kept_beside_duplicates_and_conflicts() {
    let world = World::new();
    let log = world.log("org_a");
    record(&log, vec![event("x")]);
    let other = event_with("n", "2026-11-22T11:00:00Z", "bob");
    let items = append(
        &log,
        vec![
            event("m"),
            event("x"),
            event("n"),
            other,
            event("n"),
            event("o"),
        ],
    )
    .unwrap()
    .items;
    let [
        Item::Recorded { position: 1, .. },
        Item::Duplicate { position: 0, .. },
        Item::Recorded { position: 2, .. },
        Item::Conflict { .. },
        Item::Duplicate {
            position: 2, id, ..
        },
        Item::Recorded { position: 3, .. },
    ] = items.as_slice()
    else {
        panic!("{items:?}");
    };
    assert_eq!(id, "n");
    assert_eq!(ids(&log), ["x", "m", "n", "o"]);
    world.assert_sound();
}

#[test]
fn requests_that_race_with_the_same_ids_record_them_once() {
    let world = World::new();
    let log = world.log("org_a");
    for round in 0..30 {
        let outcomes: Vec<_> = thread::scope(|scope| {
            let racers: Vec<_> = (0..6)
                .map(|racer| {
                    let log = &log;
                    scope.spawn(move || {
                        let own = event(&format!("own-{round}-{racer}"));
                        let shared = event(&format!("shared-{round}"));
                        append(log, vec![own, shared]).unwrap().items
                    })
                })
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        let recorded = |items: &&Vec<Item>| matches!(items[1], Item::Recorded { .. });
        assert_eq!(outcomes.iter().filter(recorded).count(), 1, "{outcomes:?}");
        let positions: HashSet<u64> = outcomes
            .iter()
            .map(|items| match items[1] {
                Item::Recorded { position, .. } | Item::Duplicate { position, .. } => position,
                Item::Conflict { .. } => panic!("the same event is no conflict"),
            })
            .collect();
        assert_eq!(positions.len(), 1);
    }
    assert_eq!(log.size(), 30 * 7);
    world.assert_sound();
}

#[test]
fn an_idempotency_key_gives_the_same_answer_again() {
    let mut world = World::new();
    let log = world.log("org_a");
    record(&log, vec![event("before")]);
    // Events without ids of their own get new ones with every request.
    let first = log
        .append(keyed(
            vec![anonymous("n1"), event("x"), anonymous("n2")],
            "k",
            "b",
        ))
        .wait()
        .unwrap();
    let before: Vec<_> = first.items.into_iter().map(answer).collect();
    assert_eq!(
        before
            .iter()
            .map(|(position, _, _)| *position)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    drop(log);
    for round in 0..2 {
        let log = world.log("org_a");
        let drafts = vec![
            anonymous(&format!("r{round}")),
            event("x"),
            anonymous(&format!("s{round}")),
        ];
        let again = log.append(keyed(drafts, "k", "b")).wait().unwrap();
        assert!(
            again
                .items
                .iter()
                .all(|item| matches!(item, Item::Duplicate { .. }))
        );
        assert_eq!(
            again.items.into_iter().map(answer).collect::<Vec<_>>(),
            before
        );
        assert_eq!(log.size(), 4);
        let other = log
            .append(keyed(vec![anonymous("z")], "k", "another body"))
            .wait();
        assert_eq!(other.unwrap_err(), AppendError::IdempotencyMismatch);
        drop(log);
        world.reopen();
    }
    // The key belongs to its workspace.
    let other = world
        .log("org_b")
        .append(keyed(vec![anonymous("z")], "k", "another body"))
        .wait()
        .unwrap();
    assert!(matches!(other.items[0], Item::Recorded { position: 0, .. }));
}

fn answer(item: Item) -> (u64, String, Timestamp) {
    match item {
        Item::Recorded {
            position,
            id,
            recorded_at,
        }
        | Item::Duplicate {
            position,
            id,
            recorded_at,
        } => (position, id, recorded_at),
        Item::Conflict { id } => panic!("conflict on {id}"),
    }
}

#[test]
fn requests_that_race_with_one_idempotency_key_record_once() {
    let world = World::new();
    let log = world.log("org_a");
    for round in 0..20 {
        let answers: HashSet<u64> = thread::scope(|scope| {
            let racers: Vec<_> = (0..5)
                .map(|racer| {
                    let log = &log;
                    scope.spawn(move || {
                        let key = format!("key-{round}");
                        let draft = anonymous(&format!("{round}-{racer}"));
                        let mut items = log
                            .append(keyed(vec![draft], &key, "b"))
                            .wait()
                            .unwrap()
                            .items;
                        answer(items.remove(0)).0
                    })
                })
                .collect();
            racers
                .into_iter()
                .map(|racer| racer.join().unwrap())
                .collect()
        });
        assert_eq!(answers.len(), 1);
    }
    assert_eq!(log.size(), 20);
}

#[test]
fn recorded_at_never_goes_back_within_a_log() {
    let mut world = World::new();
    let log = world.log("org_a");
    record(&log, vec![event("1")]);
    world.clock.set(time("2026-11-22T13:00:00Z"));
    record(&log, vec![event("2")]);
    world.clock.set(time("2026-11-22T11:00:00Z"));
    record(&log, vec![event("3")]);
    drop(log);
    world.reopen();
    let log = world.log("org_a");
    record(&log, vec![event("4")]);
    let times: Vec<String> = log
        .scan(0..9, annals_store::Order::Asc)
        .map(|row| row.unwrap().recorded_at.to_string())
        .collect();
    assert_eq!(times[0], "2026-11-22T12:00:00.000000Z");
    assert_eq!(times[1..], ["2026-11-22T13:00:00.000000Z"; 3]);
    // Another log does not wait for that one.
    record(&world.log("org_b"), vec![event("1")]);
    let row = world.log("org_b").row(0).unwrap().unwrap();
    assert_eq!(row.recorded_at, time("2026-11-22T11:00:00Z"));
    world.assert_sound();
}

#[test]
fn a_batch_has_a_size() {
    let world = World::new();
    let log = world.log("org_a");
    assert!(matches!(
        append(&log, vec![]),
        Err(AppendError::Size { .. })
    ));
    let many = (0..10_000).map(|n| anonymous(&format!("n{n}"))).collect();
    assert_eq!(record(&log, many).len(), 10_000);
    let too_many = vec![anonymous("n"); 10_001];
    assert!(matches!(
        append(&log, too_many),
        Err(AppendError::Size { limit: 10_000 })
    ));
}

#[test]
fn an_event_as_large_as_allowed_is_recorded_and_read() {
    let mut world = World::new();
    let log = world.log("org_a");
    let mut large = event("large");
    let text = format!("{{\"name\":\"{}\"}}", "x".repeat(59 << 10));
    large.sections[0] = annals_event::Section::Value(text.clone());
    record(
        &log,
        vec![event("1"), large.clone(), event("2"), event("3")],
    );
    drop(log);
    world.reopen();
    let row = world.log("org_a").row(1).unwrap().unwrap();
    assert_eq!(row.draft.sections[0].text(), Some(text.as_str()));
    world.assert_sound();
}

#[test]
fn every_kind_of_event_comes_back_as_it_was() {
    let world = World::with(|options| options.cache_bytes = 0);
    let log = world.log("org_a");
    let events = generated(700, 7);
    for chunk in events.chunks(97) {
        record(&log, chunk.to_vec());
    }
    let rows: Vec<_> = log
        .scan(0..700, annals_store::Order::Asc)
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows.len(), 700);
    for (n, (row, draft)) in rows.iter().zip(&events).enumerate() {
        assert_eq!(row.position, n as u64);
        assert!(row.draft.same_event(draft));
        assert_eq!(&*row.recorded_by, "key_test");
        let found = log.row_by_id(&draft.skeleton.id).unwrap().unwrap();
        assert_eq!(found.position, n as u64);
    }
    assert!(log.row_by_id("nobody").unwrap().is_none());
    assert!(log.row(700).unwrap().is_none());
    assert!(log.row(u64::MAX).unwrap().is_none());
}

#[test]
fn one_process_at_a_time() {
    let world = World::new();
    let again = Store::open(world.path(), Options::default());
    assert!(matches!(again.err(), Some(StoreError::Locked { .. })));
}

#[test]
fn nobody_else_may_read_the_files_whatever_the_directory_allows() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let store = Store::open(dir.path(), Options::default()).unwrap();
    let mut names = Vec::new();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", file.file_name());
        names.push(file.file_name().into_string().unwrap());
    }
    for name in ["annals.db", "annals.db-wal", "annals.db-shm"] {
        assert!(names.iter().any(|n| n == name), "{name}");
    }
    store.close().unwrap();
}

#[test]
fn a_closed_store_refuses() {
    let mut world = World::new();
    let log = world.log("org_a");
    record(&log, vec![event("1")]);
    world.store.take().unwrap().close().unwrap();
    assert_eq!(
        log.append(batch(vec![event("2")])).wait().unwrap_err(),
        AppendError::Stopped
    );
}

#[test]
fn data_of_a_later_version_is_refused() {
    let mut world = World::new();
    world.store.take().unwrap().close().unwrap();
    let database = rusqlite::Connection::open(world.path().join("annals.db")).unwrap();
    database
        .execute("insert into migration values (99, 'later', '')", [])
        .unwrap();
    let opened = Store::open(world.path(), world.options.clone());
    assert!(matches!(
        opened.err(),
        Some(StoreError::Newer { found: 99, .. })
    ));
}

#[test]
fn receipts_are_the_checkpoint_of_the_log() {
    let world = World::new();
    let log = world.log("org_a");
    let mut request = batch(vec![event("1"), event("2")]);
    request.receipt = true;
    let receipt = log.append(request.clone()).wait().unwrap().receipt.unwrap();
    assert_eq!(receipt.size(), 2);
    assert_eq!(receipt.root(), log.root_at(2).unwrap());
    assert_eq!(receipt.note(), log.checkpoint().unwrap());
    record(&log, vec![event("3")]);
    // A duplicate has a receipt too, of the log as it is now.
    let again = log.append(request).wait().unwrap().receipt.unwrap();
    assert_eq!(again.size(), 3);
}
