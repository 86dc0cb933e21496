//! Data of a later version is refused, by whoever would read or copy it.

use annals_store::{
    BackupError, BackupOptions, Store, StoreError, backup, check, quarantined, restore,
};
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use crate::world::{World, generated, record};

fn sealed() -> World {
    let mut world = World::with(|options| options.sealing = None);
    record(&world.log("org_a"), generated(60, 1));
    world.store().seal().unwrap();
    world.store.take().unwrap().close().unwrap();
    world
}

fn database(world: &World) -> Connection {
    Connection::open(world.path().join("annals.db")).unwrap()
}

/// Changes a file of the segment as a later version would have written it: with its hash in the manifest.
fn rewrite(world: &World, name: &str, column: &str, from: &[u8], to: &[u8]) {
    let path = world.path().join("segments").join(name);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes
        .windows(from.len())
        .position(|window| window == from)
        .unwrap();
    bytes[at..at + from.len()].copy_from_slice(to);
    std::fs::write(&path, &bytes).unwrap();
    let hash: [u8; 32] = Sha256::digest(&bytes).into();
    database(world)
        .execute(&format!("update segment set {column} = ?"), params![hash])
        .unwrap();
}

#[test]
fn a_database_of_a_later_version_is_refused() {
    let world = sealed();
    let folder = tempfile::TempDir::new().unwrap();
    let options = BackupOptions::default();
    let target = folder.path().join("backup");
    backup(world.path(), None, &target, &options, &mut |_| {}).unwrap();
    database(&world)
        .execute(
            "insert into migration (version, name, sha256) values (99, 'later', '')",
            [],
        )
        .unwrap();
    let is_newer = |error: StoreError| matches!(error, StoreError::Newer { found: 99, .. });
    assert!(is_newer(
        Store::open(world.path(), world.options.clone())
            .err()
            .unwrap()
    ));
    assert!(is_newer(check(world.path(), &mut |_| {}).unwrap_err()));
    assert!(is_newer(quarantined(world.path()).unwrap_err()));
    let Err(BackupError::Store(error)) = backup(world.path(), None, &target, &options, &mut |_| {})
    else {
        panic!()
    };
    assert!(is_newer(error));
    // The backup before is still there; one of a later version is not restored.
    let data = folder.path().join("data");
    restore(&target, &data, None, false, &mut |_| {}).unwrap();
    let contents = target.join("backup.json");
    let text = std::fs::read_to_string(&contents).unwrap();
    std::fs::write(&contents, text.replace("backup/v1", "backup/v2")).unwrap();
    let later = restore(
        &target,
        &folder.path().join("later"),
        None,
        false,
        &mut |_| {},
    );
    let Err(BackupError::Store(StoreError::NewerFormat { found, known, .. })) = later else {
        panic!("{later:?}")
    };
    assert_eq!((&*found, known), ("backup/v2", "backup/v1"));
    assert!(!folder.path().join("later").exists());
}

#[test]
fn a_segment_or_an_index_of_a_later_version_is_refused_and_not_taken_for_damage() {
    for (name, column, from, to) in [
        (
            "00000001.parquet",
            "sha256",
            &b"annals.segment\x18\x011"[..],
            &b"annals.segment\x18\x012"[..],
        ),
        (
            "00000001.index",
            "index_sha256",
            b"annals-index/v1\n",
            b"annals-index/v2\n",
        ),
    ] {
        let world = sealed();
        rewrite(&world, name, column, from, to);
        for error in [
            Store::open(world.path(), world.options.clone())
                .err()
                .unwrap(),
            check(world.path(), &mut |_| {}).unwrap_err(),
        ] {
            let StoreError::NewerFormat { what, found, known } = error else {
                panic!("{error:?}")
            };
            assert!(what.contains(name), "{what}");
            assert_eq!((&*found, known), ("2", "1"));
        }
    }
}

#[test]
fn a_database_of_an_earlier_version_is_checked_and_brought_up_to_date() {
    let mut world = sealed();
    database(&world)
        .execute_batch(
            "drop table quarantine; drop table scrub; delete from migration where name = 'quarantine'",
        )
        .unwrap();
    world.assert_sound();
    assert_eq!(quarantined(world.path()).unwrap().1, []);
    world.open();
    world.store().scrub().unwrap();
    world.assert_sound();
}
