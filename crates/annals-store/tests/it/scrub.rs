//! Rot in a segment is found, named and kept from readers; everything else goes on being read.
//!
//! `ANNALS_FLIPS` sets how many bytes are flipped (10 by default; the torture script asks for 500).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use annals_event::Draft;
use annals_store::{Order, Quarantined, Scrubbing, Sealing, Search, StoreError, check};

use crate::world::{World, copy, event, generated, record};

const LOGS: [&str; 3] = ["org_a", "org_b", "org_c"];

fn sealing(fan: usize) -> Sealing {
    Sealing {
        rows: 150,
        backlog: u64::MAX,
        age: Duration::MAX,
        fan,
    }
}

/// A closed store with several segments, of which the first has more than one page, and a journal.
fn stored(fan: usize) -> World {
    let mut world = World::with(|options| options.sealing = Some(sealing(fan)));
    let logs = LOGS.map(|name| world.log(name));
    record(&logs[0], generated(1_100, 3));
    record(&logs[1], generated(40, 4));
    world.store().seal().unwrap();
    for round in 0..4 {
        for (n, log) in logs.iter().enumerate() {
            record(log, generated(60, 10 + round * 3 + n as u64));
        }
        world.store().seal().unwrap();
    }
    record(&logs[2], vec![event("newest")]);
    drop(logs);
    world.store.take().unwrap().close().unwrap();
    world
}

/// What a search finds of each log when it goes through all of it, by position.
fn found(world: &World) -> Vec<BTreeMap<u64, Draft>> {
    let of_log = |name: &&str| {
        let search = Search {
            order: Order::Asc,
            limit: usize::MAX - 1,
            ..Search::default()
        };
        let rows = world.log(name).search(&search).unwrap().rows;
        rows.into_iter()
            .map(|row| (row.position, row.draft))
            .collect()
    };
    LOGS.iter().map(of_log).collect()
}

fn flip(file: &Path, byte: usize, bit: u8) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[byte] ^= 1 << bit;
    // In place, as a disk does it: whoever has the file open sees it.
    std::fs::write(file, bytes).unwrap();
}

/// The same directory once more, to be damaged.
fn again(world: &World) -> (tempfile::TempDir, World) {
    let dir = tempfile::TempDir::new().unwrap();
    copy(world.path(), dir.path());
    let world = World::at_closed(dir.path(), world.options.clone());
    (dir, world)
}

/// What is in quarantine is not read, and nothing else is missing.
fn assert_served(world: &World, expected: &[BTreeMap<u64, Draft>], quarantined: &[Quarantined]) {
    for ((name, found), expected) in LOGS.iter().zip(found(world)).zip(expected) {
        let log = world.log(name);
        let stretches: Vec<&Quarantined> = quarantined
            .iter()
            .filter(|stretch| stretch.slot == log.slot())
            .collect();
        let mut readable = expected.clone();
        readable.retain(|position, _| {
            let is_in = |stretch: &&&Quarantined| stretch.positions.contains(position);
            !stretches.iter().any(|stretch| is_in(&stretch))
        });
        assert!(found == readable, "{name}: {quarantined:?}");
        for order in [Order::Asc, Order::Desc] {
            let search = Search {
                order,
                limit: usize::MAX - 1,
                ..Search::default()
            };
            let unreadable = log.search(&search).unwrap().unreadable;
            assert!(
                unreadable
                    .iter()
                    .all(|part| part.what.contains("quarantine"))
            );
            let of = |positions: &Range<u64>| positions.clone().collect::<Vec<u64>>();
            let found: Vec<u64> = unreadable
                .iter()
                .flat_map(|part| of(&part.positions))
                .collect();
            let mut expected: Vec<u64> = stretches
                .iter()
                .flat_map(|known| of(&known.positions))
                .collect();
            expected.sort_unstable();
            assert_eq!(found, expected, "{name}");
        }
        for stretch in &stretches {
            for position in [stretch.positions.start, stretch.positions.end - 1] {
                let Err(StoreError::Unreadable(part)) = log.row(position) else {
                    panic!("{name} {position}")
                };
                assert_eq!(part.positions, position..position + 1);
                assert_eq!(part.segment, Some(stretch.segment));
            }
        }
        for position in readable.keys().step_by(211) {
            assert!(log.entry(*position).unwrap().is_some(), "{name} {position}");
        }
        let all = 0..log.size();
        assert_eq!(log.require_readable(&all).is_ok(), stretches.is_empty());
        assert_eq!(
            log.write_proof(all, None, &mut Vec::new(), &|_, _| false)
                .is_ok(),
            stretches.is_empty()
        );
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_named_and_only_its_page_is_not_served() {
    let sound = stored(100);
    let (_dir, mut world) = again(&sound);
    world.open();
    let expected = found(&world);
    world.store.take().unwrap().close().unwrap();
    let flips: usize = std::env::var("ANNALS_FLIPS").map_or(10, |text| text.parse().unwrap());
    let mut chance = fastrand::Rng::with_seed(flips as u64);
    let (mut in_pages, mut in_frames) = (0, 0);
    for n in 0..flips {
        let (_dir, mut world) = again(&sound);
        let files = world.files(if n % 4 == 3 { ".index" } else { ".parquet" });
        // The first one has most of the rows.
        let file = files[if n % 2 == 0 {
            0
        } else {
            chance.usize(..files.len())
        }]
        .clone();
        let whole = std::fs::read(&file).unwrap();
        let byte = match n {
            0 => 2,
            4 => 60,
            8 => whole.len() - 1,
            _ => chance.usize(..whole.len()),
        };
        let is_open = n % 3 == 0;
        if is_open {
            world.open();
        }
        flip(&file, byte, chance.u8(..8));
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let place = format!("byte {byte} of {} in {name}", whole.len());
        let segment: u32 = name[..8].parse().unwrap();
        let problems = check(world.path(), &mut |_| {}).unwrap().problems;
        assert!(!problems.is_empty(), "{place}");
        for problem in &problems {
            assert_eq!(problem.segment, Some(segment), "{place}: {problem:?}");
        }
        let path = format!("segments/{name}");
        assert_eq!(problems[0].file.as_deref(), Some(&*path), "{place}");
        if !is_open {
            world.open();
        }
        world.store().scrub().unwrap();
        let quarantined = world.store().quarantined();
        assert_served(&world, &expected, &quarantined);
        if quarantined.is_empty() {
            // It was written anew, so that nothing is damaged any more.
            in_frames += 1;
            let problems = check(world.path(), &mut |_| {}).unwrap().problems;
            assert_eq!(problems, [], "{place}");
            continue;
        }
        in_pages += 1;
        for stretch in &quarantined {
            assert_eq!(stretch.segment, segment, "{place}");
            assert!(!stretch.reason.is_empty());
            // The check names the same, unless nothing of the file can be opened.
            let named = problems.iter().any(|problem| {
                problem.position == Some(stretch.positions.start)
                    && problem.end == Some(stretch.positions.end)
                    && problem.rows == Some(stretch.rows.clone())
            });
            let is_whole = |problem: &annals_store::CheckProblem| {
                problem.file.is_none() && problem.log.is_none()
            };
            assert!(
                named || problems.iter().any(is_whole),
                "{place}: {problems:?}"
            );
        }
        // It is known after a restart, recording and sealing go on, and the check tells of it.
        world.reopen();
        assert_eq!(world.store().quarantined(), quarantined, "{place}");
        let log = world.log("org_b");
        let [position] = record(&log, vec![event("after")])[..] else {
            panic!()
        };
        world.store().seal().unwrap();
        assert_eq!(log.row(position).unwrap().unwrap().skeleton().id, "after");
        let report = check(world.path(), &mut |_| {}).unwrap();
        assert_eq!(report.quarantined, quarantined, "{place}");
        drop(log);
        // The file from a backup ends it.
        world.store.take().unwrap().close().unwrap();
        std::fs::write(&file, &whole).unwrap();
        world.open();
        world.store().scrub().unwrap();
        assert_eq!(world.store().quarantined(), [], "{place}");
        world.assert_sound();
        assert!(found(&world)[0] == expected[0], "{place}");
    }
    assert!(in_pages > 1 && in_frames > 1, "{in_pages}, {in_frames}");
}

#[test]
fn a_file_that_is_not_the_one_that_was_written_is_not_believed() {
    let sound = stored(100);
    let (_dir, mut world) = again(&sound);
    world.open();
    let expected = found(&world);
    world.store.take().unwrap().close().unwrap();
    for damage in ["cut", "zeros", "swapped", "gone"] {
        let (_dir, mut world) = again(&sound);
        let all = world.files("");
        let named = |name: &str| all.iter().find(|file| file.ends_with(name)).unwrap();
        let file = named("00000002.parquet");
        let bytes = std::fs::read(file).unwrap();
        match damage {
            "cut" => std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap(),
            "zeros" => {
                let mut bytes = bytes;
                bytes[100..4196].fill(0);
                std::fs::write(file, bytes).unwrap();
            }
            "swapped" => {
                for kind in ["parquet", "index"] {
                    let (one, other) = (format!("00000002.{kind}"), format!("00000003.{kind}"));
                    let third = world.path().join("third");
                    std::fs::rename(named(&one), &third).unwrap();
                    std::fs::rename(named(&other), named(&one)).unwrap();
                    std::fs::rename(third, named(&other)).unwrap();
                }
            }
            _ => std::fs::remove_file(file).unwrap(),
        }
        assert_ne!(
            check(world.path(), &mut |_| {}).unwrap().problems,
            [],
            "{damage}"
        );
        world.open();
        world.store().scrub().unwrap();
        let quarantined = world.store().quarantined();
        assert!(!quarantined.is_empty(), "{damage}");
        assert_served(&world, &expected, &quarantined);
    }
}

#[test]
fn a_damaged_segment_is_left_alone_and_its_neighbours_are_merged() {
    let mut world = stored(100);
    world.open();
    let expected = found(&world);
    world.store.take().unwrap().close().unwrap();
    let before = world.files(".parquet");
    assert!(before.len() >= 5, "{before:?}");
    let damaged = before[2].clone();
    flip(&damaged, 60, 3);
    world.options.sealing = Some(sealing(2));
    world.open();
    world.store().seal().unwrap();
    world.store().scrub().unwrap();
    let after = world.files(".parquet");
    assert!(after.len() < before.len(), "{after:?}");
    assert!(after.contains(&damaged), "{after:?}");
    let quarantined = world.store().quarantined();
    assert!(!quarantined.is_empty());
    let problems = check(world.path(), &mut |_| {}).unwrap().problems;
    for problem in &problems {
        assert_eq!(problem.segment, Some(quarantined[0].segment), "{problem:?}");
    }
    assert_served(&world, &expected, &quarantined);
}

#[test]
fn a_reader_who_stumbles_over_damage_sets_the_scrubber_on_it() {
    let mut world = stored(100);
    world.open();
    let file = world.files(".parquet").remove(0);
    let log = world.log("org_a");
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    // Somewhere in what a reader of this row reads.
    let hit = (1..40).map(|n| n * length / 40).any(|byte| {
        flip(&file, byte, 0);
        let is_hit = log.row(5).is_err();
        if !is_hit {
            flip(&file, byte, 0);
        }
        is_hit
    });
    assert!(hit);
    let begun = Instant::now();
    while world.store().quarantined().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(10));
    }
    let Err(StoreError::Unreadable(part)) = log.row(5) else {
        panic!("it is read")
    };
    assert!(part.what.contains("quarantine"), "{part}");
}

#[test]
fn a_file_that_is_gone_is_written_anew_while_it_is_open() {
    let mut world = stored(100);
    world.open();
    let expected = found(&world);
    let file = world.files(".parquet").remove(0);
    std::fs::remove_file(&file).unwrap();
    world.store().scrub().unwrap();
    assert_eq!(world.store().quarantined(), []);
    world.assert_sound();
    world.reopen();
    assert!(found(&world) == expected);
}

#[test]
fn a_round_goes_on_where_it_was_before_the_restart() {
    let mut world = stored(100);
    let segments = world.files(".parquet").len() as u64;
    let bytes: u64 = world
        .files("")
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    world.options.scrubbing = Some(Scrubbing {
        // A few segments a second.
        bytes_per_second: bytes / 3,
        every: Duration::from_secs(3600),
        after_start: Duration::ZERO,
    });
    world.open();
    let eventually = |what: &str, is_so: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    // The first one has two pages.
    let pages = segments + 1;
    let store = world.store().clone();
    eventually("it reads", &|| store.scrubbed().pages >= pages - 2);
    let (read, finished) = (store.scrubbed().pages, store.scrubbed().finished_at);
    assert!(read < pages && finished.is_none(), "{read} of {pages}");
    drop(store);
    world.reopen();
    let store = world.store().clone();
    eventually("it ends", &|| store.scrubbed().finished_at.is_some());
    let rest = store.scrubbed().pages;
    assert!(
        rest <= pages - read + 1,
        "{rest} more after {read} of {pages}"
    );
    assert_eq!(store.quarantined(), []);
}
