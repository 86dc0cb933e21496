//! A full disk refuses events, goes on answering, records who reads as long as the reserve lasts, and
//! takes events again when there is space.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use annals_store::{Append, AppendError, Log};
use annals_testkit::FaultVfs;

use crate::world::{World, append, batch, event, generated, ids, record};

/// Fills the store until it refuses, and says how many events it took.
fn fill(log: &Log) -> u64 {
    for n in 0.. {
        match append(log, generated(200, n)) {
            Ok(_) => {}
            Err(AppendError::DiskFull) => return log.size(),
            Err(other) => panic!("{other:?}"),
        }
    }
    unreachable!()
}

fn viewed(log: &Log, n: u64) -> Result<(), AppendError> {
    let append = Append {
        internal: true,
        ..batch(vec![event(&format!("viewed-{n}"))])
    };
    log.append(append).wait().map(drop)
}

fn limited(max_bytes: u64) -> World {
    World::with(|options| {
        options.max_bytes = Some(max_bytes);
        // What is sealed makes room in the database, and it never fills up.
        options.sealing = None;
        options.reserve_bytes = 128 << 10;
    })
}

#[test]
fn a_full_disk_refuses_events_and_still_records_who_reads() {
    let mut world = limited(2 << 20);
    let log = world.log("org_a");
    let size = fill(&log);
    assert!(size > 1000);
    assert!(world.store().is_full());
    assert!(
        !world.path().join("reserve").exists(),
        "the reserve was given back"
    );
    // Reading works, and is recorded.
    let before = ids(&log);
    assert_eq!(before.len() as u64, size);
    viewed(&log, 0).unwrap();
    assert_eq!(
        append(&log, vec![event("refused")]).unwrap_err(),
        AppendError::DiskFull
    );
    // Until the reserve is spent too.
    let spent = (1..100_000).find(|n| viewed(&log, *n).is_err()).unwrap();
    assert_eq!(
        viewed(&log, 0).map_err(|_| ()),
        Ok(()),
        "what is recorded is answered all the same"
    );
    assert!(spent > 3);
    assert_eq!(log.size(), size + spent);
    assert_eq!(ids(&log)[..before.len()], before);
    log.checkpoint().unwrap();
    assert!(!world.died.load(Ordering::SeqCst));

    // With more space everything is there, and it goes on.
    drop(log);
    let _ = world.store.take().unwrap().close();
    world.options.max_bytes = Some(8 << 20);
    world.open();
    let log = world.log("org_a");
    assert_eq!(log.size(), size + spent);
    assert!(!world.store().is_full());
    record(&log, vec![event("again")]);
    world.assert_sound();
}

#[test]
fn events_are_taken_again_soon_after_there_is_space() {
    let vfs = FaultVfs::register();
    let name = vfs.name().to_owned();
    let world = World::with(|options| options.vfs = Some(name));
    let log = world.log("org_a");
    record(&log, generated(100, 1));
    vfs.fill_after(200 << 10);
    let size = fill(&log);
    vfs.heal();
    let begun = Instant::now();
    while append(&log, vec![event("again")]).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it stays full");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(log.size(), size + 1);
    assert!(!world.died.load(Ordering::SeqCst));
    assert_eq!(
        ids(&world.after_crash().log("org_a")).len() as u64,
        size + 1
    );
}
