//! The disk that can lose power must itself be right: SQLite with `synchronous=FULL` survives it,
//! and with `synchronous=OFF` it must be seen to lose something.

use annals_testkit::{Failure, FaultVfs, Injection};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

fn connect(vfs: &FaultVfs, dir: &TempDir, synchronous: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags_and_vfs(
        dir.path().canonicalize().unwrap().join("test.db"),
        OpenFlags::default(),
        vfs.name(),
    )?;
    connection.execute_batch(&format!(
        "pragma journal_mode=WAL; pragma synchronous={synchronous};"
    ))?;
    connection.execute_batch("create table if not exists t(n integer primary key, pad blob)")?;
    Ok(connection)
}

/// Commits rows and cuts the power at random moments; answers in how many cuts an acknowledged row
/// was lost.
fn losses(synchronous: &str) -> usize {
    let (vfs, dir) = (FaultVfs::register(), TempDir::new().unwrap());
    let connection = connect(&vfs, &dir, synchronous).unwrap();
    let mut acknowledged = Vec::new();
    for n in 0..60 {
        connection
            .execute("insert into t values (?, zeroblob(3000))", [n])
            .unwrap();
        acknowledged.push((vfs.moment(), n));
        if n == 30 {
            connection
                .execute_batch("pragma wal_checkpoint(passive)")
                .unwrap();
        }
    }
    let end = vfs.moment();
    let mut lost = 0;
    for seed in 0..60 {
        let cut = fastrand::Rng::with_seed(seed).usize(acknowledged[0].0..=end);
        let after = TempDir::new().unwrap();
        vfs.after_power_cut(dir.path(), after.path(), cut, seed)
            .unwrap();
        let count = Connection::open(after.path().join("test.db"))
            .and_then(|db| db.query_row("select count(*) from t", [], |row| row.get::<_, i64>(0)));
        let count = count.ok().and_then(|count| usize::try_from(count).ok());
        let expected = acknowledged
            .iter()
            .filter(|(moment, _)| *moment <= cut)
            .count();
        lost += usize::from(count.is_none_or(|count| count < expected));
    }
    lost
}

#[test]
fn full_synchronous_survives_every_cut_and_off_does_not() {
    assert_eq!(losses("FULL"), 0);
    assert!(losses("OFF") > 0, "the shim does not forget anything");
}

#[test]
fn a_write_fails_without_an_effect_or_after_it() {
    for persisted in [false, true] {
        for failure in [Failure::Io, Failure::Full] {
            let (vfs, dir) = (FaultVfs::register(), TempDir::new().unwrap());
            let connection = connect(&vfs, &dir, "FULL").unwrap();
            let before = vfs.moment();
            vfs.inject(Injection {
                after: 0,
                failure,
                persisted,
                forever: false,
            });
            assert!(
                connection
                    .execute("insert into t values (1, null)", [])
                    .is_err()
            );
            assert!(!vfs.armed());
            assert_eq!(vfs.moment() > before, persisted);
            connection
                .execute("insert into t values (2, null)", [])
                .unwrap();
        }
    }
}

#[test]
fn a_full_disk_takes_nothing_more_until_there_is_room() {
    let (vfs, dir) = (FaultVfs::register(), TempDir::new().unwrap());
    let connection = connect(&vfs, &dir, "FULL").unwrap();
    vfs.fill_after(20_000);
    let mut inserted = 0;
    while connection
        .execute("insert into t(pad) values (zeroblob(3000))", [])
        .is_ok()
    {
        inserted += 1;
    }
    assert!(inserted < 8, "{inserted} rows of 3 kB in 20 kB");
    vfs.heal();
    connection
        .execute("insert into t(pad) values (zeroblob(3000))", [])
        .unwrap();
}
