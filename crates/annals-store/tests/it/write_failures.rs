//! Every write fails once, in every way: without an effect, and after its effect. What was
//! acknowledged is there all the same, nothing is there twice, and after an error of the disk nothing
//! is acknowledged any more.

use std::sync::atomic::Ordering;

use annals_store::{AppendError, Item};
use annals_testkit::{Failure, FaultVfs, Injection};

use crate::world::{World, append, event, generated, ids, record};

/// One run with one injection. `None` if the injection came to nothing, because there were fewer calls.
fn run(injection: Injection) -> Option<()> {
    let vfs = FaultVfs::register();
    let name = vfs.name().to_owned();
    let mut world = World::with(|options| options.vfs = Some(name));
    let (a, b) = (world.log("org_a"), world.log("org_b"));
    let mut acknowledged: Vec<(u64, String)> = Vec::new();
    for (position, n) in record(&a, (0..3).map(|n| event(&format!("base-{n}"))).collect())
        .into_iter()
        .zip(0..)
    {
        acknowledged.push((position, format!("base-{n}")));
    }
    vfs.inject(injection);
    let mut failed = false;
    for n in 0..2u64 {
        let mut drafts = vec![event(&format!("new-{n}"))];
        if n == 1 {
            // Long enough for several pages and a complete tile.
            drafts.extend(generated(260, 4));
        }
        match append(&a, drafts) {
            Ok(appended) => {
                assert!(
                    !failed || injection.failure == Failure::Full,
                    "acknowledged after the disk failed"
                );
                for item in appended.items {
                    let Item::Recorded { position, id, .. } = item else {
                        panic!("{item:?}")
                    };
                    acknowledged.push((position, id));
                }
            }
            Err(error) => {
                failed = true;
                match injection.failure {
                    Failure::Io => assert_eq!(error, AppendError::Stopped, "{injection:?}"),
                    Failure::Full => assert_eq!(error, AppendError::DiskFull, "{injection:?}"),
                }
            }
        }
        if n == 0 {
            let _ = append(&b, vec![event("other")]);
        }
    }
    drop((a, b));
    let died = world.died.load(Ordering::SeqCst);
    let closed = world.store.take().unwrap().close();
    let missed = vfs.armed() && !failed && closed.is_ok() && !died;
    vfs.heal();
    if injection.failure == Failure::Io && failed {
        assert!(died, "an error of the disk is fatal: {injection:?}");
    }
    if injection.failure == Failure::Full {
        assert!(!died, "a full disk is not: {injection:?}");
    }

    // What is on the disk, read by somebody else.
    world.options.vfs = None;
    world.died.store(false, Ordering::SeqCst);
    world.open();
    let a = world.log("org_a");
    let there = ids(&a);
    for (position, id) in &acknowledged {
        assert_eq!(there.get(*position as usize), Some(id), "{injection:?}");
    }
    let mut once = there.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), there.len());
    // Sending all of it again adds what is missing, and only that.
    for n in 0..2 {
        append(&a, vec![event(&format!("new-{n}"))]).unwrap();
    }
    assert_eq!(
        ids(&a).iter().filter(|id| id.starts_with("new-")).count(),
        2
    );
    world.assert_sound();
    (!missed).then_some(())
}

fn every_call(failure: Failure, persisted: bool, forever: bool) {
    let mut after = 0;
    while run(Injection {
        after,
        failure,
        persisted,
        forever,
    })
    .is_some()
    {
        after += 1;
    }
    assert!(after > 10, "there are more writes than that: {after}");
}

#[test]
fn a_write_that_fails_without_effect() {
    every_call(Failure::Io, false, false);
}

#[test]
fn a_write_that_fails_after_its_effect() {
    every_call(Failure::Io, true, false);
}

#[test]
fn writes_that_fail_from_now_on() {
    every_call(Failure::Io, false, true);
}

#[test]
fn a_write_that_finds_the_disk_full() {
    every_call(Failure::Full, false, false);
}
