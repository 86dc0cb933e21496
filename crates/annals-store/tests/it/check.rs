//! The check finds what is not as it was committed, and finds nothing where all is well.

use std::path::Path;

use annals_store::{CheckReport, check};
use rusqlite::{Connection, params};

use crate::world::{World, event, generated, record};

fn report(path: &Path) -> CheckReport {
    check(path, &mut |_| {}).unwrap()
}

/// A closed store with a few groups, two logs and a complete tile.
fn stored() -> World {
    let mut world = World::with(|options| options.sealing = None);
    let (a, b) = (world.log("org_a"), world.log("org_b"));
    for (n, chunk) in generated(600, 9).chunks(120).enumerate() {
        record(&a, chunk.to_vec());
        record(&b, vec![event(&format!("{n}"))]);
    }
    drop((a, b));
    world.store.take().unwrap().close().unwrap();
    world
}

#[test]
fn a_sound_store_is_sound_beside_a_running_server_too() {
    let world = World::new();
    let log = world.log("org_a");
    record(&log, generated(300, 1));
    let mut last = 0;
    let found = check(world.path(), &mut |progress| last = progress.groups_done).unwrap();
    assert_eq!(
        (found.entries, found.logs, found.problems.len()),
        (300, 1, 0)
    );
    assert_eq!(last, found.groups);
}

#[test]
fn a_flipped_bit_anywhere_in_the_journal_is_found_and_named() {
    let world = stored();
    let database = Connection::open(world.path().join("annals.db")).unwrap();
    assert_eq!(report(world.path()).problems, []);
    for group in [1u64, 2, 3] {
        let (header, body): (Vec<u8>, Vec<u8>) = database
            .query_row(
                "select header, body from journal where group_id = ?",
                [group],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        let write = |header: &[u8], body: &[u8]| {
            let sql = "update journal set header = ?, body = ? where group_id = ?";
            database.execute(sql, params![header, body, group]).unwrap();
        };
        for byte in (0..header.len()).step_by(header.len() / 9) {
            let mut flipped = header.clone();
            flipped[byte] ^= 1 << (byte % 8);
            write(&flipped, &body);
            let problems = report(world.path()).problems;
            assert_eq!(problems[0].group, group, "header byte {byte}");
        }
        for byte in (0..body.len()).step_by(body.len() / 15) {
            let mut flipped = body.clone();
            flipped[byte] ^= 1 << (byte % 8);
            write(&header, &flipped);
            let problems = report(world.path()).problems;
            assert_eq!(problems[0].group, group, "body byte {byte}");
            assert!(problems[0].log.is_some() && problems[0].position.is_some());
            assert!(
                problems.iter().all(|problem| problem.group == group),
                "the rest is sound"
            );
        }
        write(&header, &body);
    }
    assert_eq!(report(world.path()).problems, []);
}

#[test]
fn a_group_that_is_gone_and_tables_that_disagree_are_found() {
    for sql in [
        "delete from journal where group_id = 3",
        "delete from journal where group_id = (select max(group_id) from journal)",
        "update log_state set size = size + 1",
        "update log_state set frontier = zeroblob(length(frontier))",
        "update tile set seed = randomblob(32)",
        "update tile set hash = randomblob(32) where hash is not null",
        "delete from tile where tile = 1",
        "delete from log_state",
    ] {
        let world = stored();
        Connection::open(world.path().join("annals.db"))
            .unwrap()
            .execute(sql, [])
            .unwrap();
        assert_ne!(report(world.path()).problems, [], "{sql}");
    }
}
