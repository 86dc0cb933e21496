//! Segments in an object store: everything is as it is on a disk, and a lost disk comes back.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use annals_event::{Filter, Query, When};
use annals_store::{
    Bucket, Found, Item, Log, Nodes, Options, Order, Sealing, Search, Store, StoreError, Tally,
    check, check_with, probe, rebuild,
};
use tempfile::TempDir;

use crate::memory_bucket::{Manners, MemoryBucket};
use crate::world::{World, append, event, generated, ids, record, time};

pub(crate) fn world(bucket: &Arc<MemoryBucket>) -> World {
    World::with(|options| {
        in_bucket(options, bucket);
        options.bucket_cache_bytes = 2 << 20;
    })
}

/// A segment each time that the test says so, and never else.
pub(crate) fn in_bucket(options: &mut Options, bucket: &Arc<MemoryBucket>) {
    options.bucket = Some(bucket.clone());
    options.sealing = Some(Sealing {
        rows: u64::MAX,
        backlog: u64::MAX,
        age: Duration::MAX,
        fan: 3,
    });
}

/// The same, where each seal leaves a segment.
fn unmerged(bucket: &Arc<MemoryBucket>) -> World {
    World::with(|options| {
        in_bucket(options, bucket);
        options.sealing.as_mut().unwrap().fan = 100;
    })
}

pub(crate) fn exact() -> Arc<MemoryBucket> {
    MemoryBucket::new(Manners::Exact)
}

pub(crate) fn fill(world: &World, from: u64, count: u64) {
    let (log, other) = (world.log("org_a"), world.log("org_b"));
    for chunk in generated(count, from).chunks(30) {
        record(&log, chunk.to_vec());
        record(&other, vec![event(&format!("b-{from}-{}", other.size()))]);
    }
}

/// Everything that can be seen of a log, of its first `size` entries.
pub(crate) fn seen(log: &Log, size: u64) -> String {
    let mut proof = Vec::new();
    log.write_proof(0..size, Some(size), &mut proof, &|_, _| false)
        .unwrap();
    String::from_utf8(proof).unwrap()
}

/// Every row, by something that has to be compared with each.
fn words() -> Filter {
    let when = When {
        now: time("2026-11-22T12:00:00Z"),
        zone: jiff::tz::TimeZone::UTC,
    };
    let query = Query::parse("-nothing-like-this").unwrap();
    query.resolve(&when).unwrap()
}

fn find(log: &Log, filter: Filter, order: Order) -> Result<Found, StoreError> {
    log.search(&Search {
        filter,
        order,
        limit: 1_000,
        ..Search::default()
    })
}

pub(crate) fn assert_sound(dir: &Path, bucket: &Arc<MemoryBucket>) -> u64 {
    let report = check_with(dir, Some(bucket.clone()), &mut |_| {}).unwrap();
    assert_eq!(report.problems, []);
    report.entries
}

/// A new directory with the signing key of another one.
fn with_key(of: &Path) -> TempDir {
    let dir = TempDir::new().unwrap();
    std::fs::create_dir(dir.path().join("keys")).unwrap();
    std::fs::copy(
        of.join("keys/signing.key"),
        dir.path().join("keys/signing.key"),
    )
    .unwrap();
    dir
}

pub(crate) fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.join("segments"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_sealed_lies_in_the_bucket_and_reads_as_before() {
    let bucket = exact();
    let mut world = world(&bucket);
    fill(&world, 1, 700);
    let before = seen(&world.log("org_a"), 700);
    world.store().seal().unwrap();
    fill(&world, 2, 60);
    world.store().seal().unwrap();
    assert_eq!(seen(&world.log("org_a"), 700), before);
    // The indexes stay here, the segments do not.
    assert!(
        files(world.path())
            .iter()
            .all(|name| name.ends_with(".index"))
    );
    assert!(!bucket.names("segments/").is_empty());
    let entries = assert_sound(world.path(), &bucket);
    let reads = world.store().bucket_reads().unwrap();
    assert!(
        reads.misses > 0 && reads.hits > 0 && reads.fetched_bytes > 0,
        "{reads:?}"
    );
    assert!(reads.cached_bytes <= 2 << 20, "{reads:?}");

    world.reopen();
    assert_eq!(seen(&world.log("org_a"), 700), before);
    // What was merged away is gone after a start, and what counts is there once.
    assert_eq!(bucket.names("segments/").len(), files(world.path()).len());
    assert_eq!(assert_sound(world.path(), &bucket), entries);
    let log = world.log("org_a");
    let known = ids(&log)[5].clone();
    let again = append(&log, vec![event(&known)]);
    assert!(
        !matches!(again.as_ref().unwrap().items[0], Item::Recorded { .. }),
        "{again:?}"
    );
    drop(log);
    assert!(bucket.names("manifests/").len() <= 4);
}

#[test]
fn a_lost_directory_is_made_again_up_to_what_was_sealed() {
    let bucket = exact();
    let mut world = world(&bucket);
    fill(&world, 1, 900);
    world.store().seal().unwrap();
    let before = (
        seen(&world.log("org_a"), 900),
        seen(&world.log("org_b"), 30),
    );
    let slots = |store: &Store| {
        let slot = |id| store.organization(id).unwrap().slot;
        [slot("org_a"), slot("org_b")]
    };
    let slots_before = slots(world.store());
    record(&world.log("org_a"), vec![event("never-sealed")]);
    // As after a crash: nothing is tidied up, and the disk is gone.
    let dir = with_key(world.path());
    let options = world.options.clone();
    world.store.take().unwrap().close().unwrap();

    let mut steps = 0;
    let rebuilt = rebuild(dir.path(), bucket.clone(), &mut |_| steps += 1).unwrap();
    assert_eq!(
        (rebuilt.entries, rebuilt.logs, rebuilt.organizations),
        (930, 2, 2)
    );
    assert_eq!(rebuilt.segments, steps);
    assert_eq!(assert_sound(dir.path(), &bucket), 930);
    assert!(matches!(
        rebuild(dir.path(), bucket.clone(), &mut |_| {}),
        Err(StoreError::NotEmpty { .. })
    ));

    let again = World::at(dir.path(), options);
    let log = again.log("org_a");
    assert_eq!(slots(again.store()), slots_before);
    assert_eq!((seen(&log, 900), seen(&again.log("org_b"), 30)), before);
    assert_eq!(log.size(), 900, "what was not sealed is lost");
    assert_eq!(record(&log, vec![event("goes-on")]), [900]);
    again.log("org_new");
    let new = again.store().organization("org_new").unwrap().slot;
    assert!(
        new > slots_before[1] + 1,
        "slots that were perhaps given are left out"
    );
    again.store().seal().unwrap();
    assert_eq!(log.row_by_id("goes-on").unwrap().unwrap().position, 900);
    drop(log);
    again.store.clone().unwrap().close().unwrap();
    assert_eq!(assert_sound(dir.path(), &bucket), 931);
}

#[test]
fn a_rebuild_believes_nothing_that_the_key_has_not_signed() {
    let bucket = exact();
    let mut world = world(&bucket);
    fill(&world, 1, 300);
    world.store().seal().unwrap();
    // A start deletes what was merged away.
    world.reopen();
    world.store.take().unwrap().close().unwrap();
    let attempt = |dir: &Path, bucket: &Arc<MemoryBucket>| {
        rebuild(dir, bucket.clone(), &mut |_| {})
            .unwrap_err()
            .to_string()
    };

    let no_key = TempDir::new().unwrap();
    assert!(attempt(no_key.path(), &bucket).contains("signing.key"));
    let other_key = with_key(World::new().path());
    assert!(attempt(other_key.path(), &bucket).contains("signing.key is not the key"));

    let dir = with_key(world.path());
    let manifest = bucket.names("manifests/").pop().unwrap();
    for (find, put) in [("org_a", "org_x"), ("\"level\":", "\"level\": ")] {
        let forged = bucket.copy();
        forged.damage(&manifest, |bytes| {
            let text = String::from_utf8(bytes.clone()).unwrap();
            *bytes = text.replacen(find, put, 1).into_bytes();
        });
        let said = attempt(dir.path(), &forged);
        assert!(said.contains("not what was signed"), "{said}");
    }
    // An older state under a newer name.
    let forged = bucket.copy();
    forged.damage(&manifest, |_| {});
    let old = bucket.names("manifests/")[0].clone();
    let mut text = Vec::new();
    forged.damage(&old, |bytes| text.clone_from(bytes));
    forged.damage(&manifest, |bytes| *bytes = text);
    assert!(attempt(dir.path(), &forged).contains("not what was signed"));

    for change in [
        |bytes: &mut Vec<u8>| bytes[2000] ^= 1,
        |bytes: &mut Vec<u8>| bytes.truncate(500),
    ] {
        let rotten = bucket.copy();
        let segment = rotten.names("segments/")[0].clone();
        rotten.damage(&segment, change);
        let said = attempt(dir.path(), &rotten);
        assert!(
            said.contains(&segment) && said.contains("the object"),
            "{said}"
        );
    }
    // None of these attempts is in the way of the one that is right.
    let rebuilt = rebuild(dir.path(), bucket.clone(), &mut |_| {}).unwrap();
    assert_eq!(rebuilt.entries, 310);
}

#[test]
fn a_store_that_is_away_stops_sealing_and_reading_but_not_recording() {
    let bucket = exact();
    let mut world = world(&bucket);
    fill(&world, 1, 300);
    world.store().seal().unwrap();
    fill(&world, 2, 100);
    let log = world.log("org_a");
    let before = seen(&log, 400);
    drop(log);
    // Nothing fits into memory, so everything is asked for again.
    world.options.bucket_cache_bytes = 1;
    world.reopen();
    let log = world.log("org_a");
    bucket.is_away.store(true, Ordering::SeqCst);
    let error = log.scan(0..10, Order::Asc).next().unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Bucket { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("does not answer: connection refused"),
        "{error}"
    );
    // A search passes over what is damaged, but not over what will be there again.
    for order in [Order::Asc, Order::Desc] {
        for filter in [Filter::everything(), words()] {
            let found = find(&log, filter, order);
            assert!(matches!(found, Err(StoreError::Bucket { .. })), "{found:?}");
        }
    }
    let tallied = log.tally(&Tally {
        filter: words(),
        ..Tally::default()
    });
    assert!(
        matches!(tallied, Err(StoreError::Bucket { .. })),
        "{tallied:?}"
    );
    assert!(matches!(
        world.store().seal(),
        Err(StoreError::Bucket { .. })
    ));
    assert!(matches!(
        check_with(world.path(), Some(bucket.clone()), &mut |_| {}),
        Err(StoreError::Bucket { .. })
    ));
    // New events, and the newest ones, need nothing of it; also ids that have no time in them.
    assert_eq!(
        record(&log, vec![event("meanwhile"), event("and-another")]),
        [400, 401]
    );
    assert!(log.row_by_id("meanwhile").unwrap().is_some());
    assert_eq!(
        log.scan(400..402, Order::Desc)
            .filter(Result::is_ok)
            .count(),
        2
    );

    bucket.is_away.store(false, Ordering::SeqCst);
    world.store().seal().unwrap();
    assert_eq!(seen(&log, 400), before);
    drop(log);
    assert_eq!(assert_sound(world.path(), &bucket), 416);
    world.reopen();
    assert_eq!(bucket.names("segments/").len(), files(world.path()).len());
}

#[test]
fn an_object_that_is_gone_is_named_by_a_search_that_finds_the_rest() {
    let bucket = exact();
    let mut world = world(&bucket);
    fill(&world, 1, 300);
    world.store().seal().unwrap();
    record(&world.log("org_a"), vec![event("recent")]);
    world.options.bucket_cache_bytes = 1;
    world.reopen();
    let log = world.log("org_a");
    for name in bucket.names("segments/") {
        bucket.delete(&name).unwrap();
    }
    for filter in [Filter::everything(), words()] {
        let found = find(&log, filter, Order::Desc).unwrap();
        let ids = found.rows.iter().map(|row| row.skeleton().id.as_str());
        assert_eq!(ids.collect::<Vec<_>>(), ["recent"]);
        let gaps = found.unreadable.iter().map(|part| &part.positions);
        assert_eq!(gaps.map(|gap| gap.end - gap.start).sum::<u64>(), 300);
    }
}

#[test]
fn an_outage_while_scrubbing_puts_nothing_into_quarantine() {
    let bucket = exact();
    let mut world = unmerged(&bucket);
    // One that takes several requests, and small ones.
    fill(&world, 1, 2_000);
    world.store().seal().unwrap();
    for n in 2..8 {
        fill(&world, n, 30);
        world.store().seal().unwrap();
    }
    world.options.bucket_cache_bytes = 1;
    world.reopen();
    let before = seen(&world.log("org_a"), 2_180);
    let is_untouched = |world: &World| {
        let error = world.store().scrub().unwrap_err();
        assert!(matches!(error, StoreError::Bucket { .. }), "{error:?}");
        assert_eq!(world.store().quarantined(), []);
    };
    bucket.reads.store(0, Ordering::SeqCst);
    world.store().scrub().unwrap();
    let reads = bucket.reads.load(Ordering::SeqCst);
    assert!(reads > 4, "{reads}");
    let (pages, finished_at) = (
        world.store().scrubbed().pages,
        world.store().scrubbed().finished_at,
    );
    assert!(pages > 4 && finished_at.is_some());
    // It goes away before each of them.
    for most in 0..reads {
        bucket.reads.store(0, Ordering::SeqCst);
        bucket.reads_most.store(most, Ordering::SeqCst);
        is_untouched(&world);
        // Nor does a reader who stumbles over it set the scrubber on anything.
        match find(&world.log("org_a"), words(), Order::Asc) {
            Ok(in_memory) => assert_eq!(in_memory.unreadable, []),
            Err(error) => assert!(matches!(error, StoreError::Bucket { .. }), "{error:?}"),
        }
        bucket.reads_most.store(u64::MAX, Ordering::SeqCst);
        bucket.is_away.store(false, Ordering::SeqCst);
    }
    // Another store answers under its name, or the bucket was renamed: nothing is there, and that is no damage either.
    let objects = bucket.swap(std::collections::BTreeMap::new());
    is_untouched(&world);
    bucket.swap(objects);
    let scrubbed = world.store().scrubbed();
    assert_eq!(scrubbed.finished_at, finished_at, "no round ended");
    world.store().scrub().unwrap();
    assert_eq!(world.store().quarantined(), []);
    assert_eq!(seen(&world.log("org_a"), 2_180), before);
    assert_sound(world.path(), &bucket);
}

#[test]
fn what_rots_in_the_bucket_is_found_and_a_file_that_is_put_back_mends_it() {
    let bucket = exact();
    let mut world = unmerged(&bucket);
    for n in 1..5 {
        fill(&world, n, 100);
        world.store().seal().unwrap();
    }
    world.reopen();
    let log = world.log("org_a");
    // All of it is in memory now, and the scrubber looks all the same at what really lies there.
    let before = seen(&log, 400);
    // A small one may hold nothing of this log.
    let names = bucket.names("segments/");
    let size_of = |name: &String| bucket.size(name).unwrap();
    let files = names.iter().filter(|name| name.ends_with(".parquet"));
    let name = files.max_by_key(|name| size_of(name)).unwrap();
    let size = size_of(name);
    let whole = bucket.read(name, std::slice::from_ref(&(0..size))).unwrap();
    bucket.damage(name, |bytes| bytes[60] ^= 1);
    world.store().scrub().unwrap();
    let quarantined = world.store().quarantined();
    let segment = quarantined[0].segment;
    assert!(name.starts_with(&format!("segments/{segment:08}-")));
    let gaps: Vec<_> = quarantined
        .iter()
        .filter(|known| known.segment == segment && known.slot == log.slot())
        .map(|known| known.positions.clone())
        .collect();
    assert!(!gaps.is_empty());
    let found = find(&log, words(), Order::Asc).unwrap();
    let missing: u64 = gaps.iter().map(|gap| gap.end - gap.start).sum();
    assert_eq!(found.rows.len() as u64, 400 - missing);
    let named = found.unreadable.iter().map(|part| part.positions.clone());
    assert_eq!(named.collect::<Vec<_>>(), gaps);
    drop(log);
    // It is known after a start too, and an outage changes nothing of it.
    world.reopen();
    assert_eq!(world.store().quarantined(), quarantined);
    bucket.is_away.store(true, Ordering::SeqCst);
    world.store().scrub().unwrap_err();
    assert_eq!(world.store().quarantined(), quarantined);
    bucket.is_away.store(false, Ordering::SeqCst);
    // The file goes where it would lie without a bucket, and moves.
    world.store.take().unwrap().close().unwrap();
    let file = world.path().join(format!("segments/{segment:08}.parquet"));
    let mut wrong = whole[0].to_vec();
    wrong[70] ^= 1;
    std::fs::write(&file, wrong).unwrap();
    let refused = Store::open(world.path(), world.options.clone()).err();
    assert!(
        matches!(&refused, Some(StoreError::Damaged { what, .. }) if what.contains("backup")),
        "{refused:?}"
    );
    std::fs::write(&file, &whole[0]).unwrap();
    world.open();
    assert!(!file.exists());
    world.store().scrub().unwrap();
    assert_eq!(world.store().quarantined(), []);
    assert_eq!(seen(&world.log("org_a"), 400), before);
    assert_sound(world.path(), &bucket);
}

#[test]
fn a_start_without_its_bucket_is_refused_and_so_is_another_one() {
    let bucket = exact();
    let mut world = world(&bucket);
    fill(&world, 1, 200);
    world.store().seal().unwrap();
    let held = bucket.names("segments/");
    world.store.take().unwrap().close().unwrap();
    let attempt = |change: &dyn Fn(&mut Options)| {
        let mut options = world.options.clone();
        change(&mut options);
        Store::open(world.path(), options)
            .err()
            .unwrap()
            .to_string()
    };
    assert!(attempt(&|options| options.bucket = None).contains("was not named"));
    assert!(attempt(&|options| options.bucket = Some(exact())).contains("are not there"));
    bucket.is_away.store(true, Ordering::SeqCst);
    assert!(attempt(&|_| {}).contains("does not answer"));
    bucket.is_away.store(false, Ordering::SeqCst);
    assert!(matches!(
        check(world.path(), &mut |_| {}),
        Err(StoreError::Bucket { .. })
    ));
    let wrong = check_with(world.path(), Some(exact()), &mut |_| {});
    assert!(matches!(wrong, Err(StoreError::Bucket { .. })), "{wrong:?}");

    // Another installation would take our segments for what a merge left.
    let stranger = TempDir::new().unwrap();
    let mut options = Options::default();
    in_bucket(&mut options, &bucket);
    let refused = Store::open(stranger.path(), options).err().unwrap();
    assert!(
        refused.to_string().contains("another installation"),
        "{refused}"
    );
    assert_eq!(bucket.names("segments/"), held);
    world.open();
    assert_eq!(world.log("org_a").size(), 200);
}

#[test]
fn an_older_copy_of_the_directory_deletes_nothing_and_is_refused() {
    let bucket = exact();
    let world = world(&bucket);
    fill(&world, 1, 200);
    world.store().seal().unwrap();
    let frozen = bucket.copy();
    let mut options = world.options.clone();
    options.bucket = Some(frozen);
    let copy = TempDir::new().unwrap();
    for name in ["annals.db", "annals.db-wal"] {
        std::fs::copy(world.path().join(name), copy.path().join(name)).unwrap();
    }
    for folder in ["keys", "segments"] {
        std::fs::create_dir(copy.path().join(folder)).unwrap();
        for entry in std::fs::read_dir(world.path().join(folder)).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(
                entry.path(),
                copy.path().join(folder).join(entry.file_name()),
            )
            .unwrap();
        }
    }
    // The original goes on.
    fill(&world, 2, 200);
    world.store().seal().unwrap();
    let held = bucket.names("segments/");
    let refused = Store::open(copy.path(), world.options.clone())
        .err()
        .unwrap();
    assert!(refused.to_string().contains("older copy"), "{refused}");
    assert_eq!(bucket.names("segments/"), held);

    // One that was opened before the original went on is found out when it seals.
    let twin = World::at(copy.path(), options);
    fill(&twin, 3, 200);
    twin.store().seal().unwrap();
    assert!(!twin.store().bucket_copy_is_behind());
}

#[test]
fn two_that_go_on_from_the_same_state_are_found_out() {
    let bucket = exact();
    let mut first = world(&bucket);
    fill(&first, 1, 200);
    first.store().seal().unwrap();
    let mut second = first.after_crash();
    for more in [2, 4] {
        fill(&first, more, 100);
        first.store().seal().unwrap();
    }
    assert!(!first.store().bucket_copy_is_behind());
    fill(&second, 3, 200);
    let _ = second.store().seal();
    assert!(second.store().bucket_copy_is_behind());
    record(&second.log("org_a"), vec![event("goes-on")]);
    let error = second.store().seal().unwrap_err().to_string();
    assert!(error.contains("another process writes there"), "{error}");
    second.store.take().unwrap().close().unwrap();
    let refused = Store::open(second.path(), second.options.clone())
        .err()
        .unwrap();
    assert!(refused.to_string().contains("older copy"), "{refused}");
    // The first one's segments are all there.
    first.reopen();
    assert_eq!(first.log("org_a").size(), 400);
    assert_sound(first.path(), &bucket);
}

#[test]
fn a_copy_that_failed_is_made_at_the_next_start_at_the_latest() {
    let bucket = exact();
    let mut world = world(&bucket);
    fill(&world, 1, 200);
    world.store().seal().unwrap();
    *bucket.refused.lock().unwrap() = Some("manifests/");
    fill(&world, 2, 200);
    // This one counts, and only its copy is missing: nothing more is sealed until that is made.
    world.store().seal().unwrap();
    record(&world.log("org_a"), vec![event("goes-on")]);
    let refused = world.store().seal().unwrap_err().to_string();
    assert!(refused.contains("refuses access"), "{refused}");
    assert!(world.store().bucket_copy_is_behind());
    let before = bucket.names("manifests/");
    *bucket.refused.lock().unwrap() = None;
    world.reopen();
    assert!(bucket.names("manifests/") > before);
    world.store().seal().unwrap();
    let dir = with_key(world.path());
    world.store.take().unwrap().close().unwrap();
    let rebuilt = rebuild(dir.path(), bucket.clone(), &mut |_| {}).unwrap();
    assert_eq!(rebuilt.entries, 415);
}

#[test]
fn segments_move_from_the_disk_into_the_bucket() {
    let bucket = exact();
    let mut world = world(&bucket);
    world.store.take().unwrap().close().unwrap();
    // A directory that was never told of a bucket.
    let mut plain = World::with(|options| {
        in_bucket(options, &bucket);
        options.bucket = None;
    });
    fill(&plain, 1, 500);
    plain.store().seal().unwrap();
    let before = seen(&plain.log("org_a"), 500);
    let target = exact();
    plain.options.bucket = Some(target.clone());
    plain.reopen();
    assert_eq!(seen(&plain.log("org_a"), 500), before);
    assert!(
        files(plain.path())
            .iter()
            .all(|name| name.ends_with(".index"))
    );
    assert_eq!(target.names("segments/").len(), files(plain.path()).len());
    assert_sound(plain.path(), &target);
    let dir = with_key(plain.path());
    plain.store.take().unwrap().close().unwrap();
    assert_eq!(
        rebuild(dir.path(), target, &mut |_| {}).unwrap().entries,
        517
    );
}

#[test]
fn an_index_that_is_lost_is_made_again_from_the_bucket() {
    let bucket = exact();
    let mut world = world(&bucket);
    fill(&world, 1, 300);
    world.store().seal().unwrap();
    let before = seen(&world.log("org_a"), 300);
    world.store.take().unwrap().close().unwrap();
    std::fs::remove_dir_all(world.path().join("segments")).unwrap();
    world.open();
    assert_eq!(seen(&world.log("org_a"), 300), before);
}

#[test]
fn a_block_is_fetched_once_however_many_want_it() {
    let bucket = exact();
    let mut world = world(&bucket);
    let log = world.log("org_a");
    for chunk in generated(900, 7).chunks(100) {
        record(&log, chunk.to_vec());
    }
    drop(log);
    world.store().seal().unwrap();
    world.reopen();
    let log = world.log("org_a");
    let misses = || world.store().bucket_reads().unwrap().misses;
    let (before, asked) = (misses(), bucket.reads.load(Ordering::SeqCst));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let rows = log.scan(0..900, Order::Asc);
                assert_eq!(rows.map(Result::unwrap).count(), 900);
            });
        }
    });
    let bytes: usize = bucket
        .names("segments/")
        .iter()
        .map(|name| (bucket.size(name).unwrap() as usize).div_ceil(256 << 10))
        .sum();
    assert!(
        misses() - before <= bytes as u64,
        "{} of {bytes} blocks",
        misses() - before
    );
    assert!(bucket.reads.load(Ordering::SeqCst) - asked <= bytes as u64);
}

#[test]
fn the_cache_keeps_to_its_bound() {
    const BOUND: u64 = 400 << 10;
    let bucket = exact();
    let mut world = world(&bucket);
    world.options.bucket_cache_bytes = BOUND as usize;
    world.options.sealing.as_mut().unwrap().rows = 4_000;
    world.reopen();
    let log = world.log("org_a");
    for chunk in generated(10_000, 3).chunks(2_000) {
        record(&log, chunk.to_vec());
    }
    world.store().seal().unwrap();
    let size = |name: &String| bucket.size(name).unwrap();
    let stored: u64 = bucket.names("segments/").iter().map(size).sum();
    assert!(stored > BOUND + (100 << 10), "{stored}");
    for position in (0..10_000).step_by(997) {
        assert!(log.entry(position).unwrap().is_some());
        let reads = world.store().bucket_reads().unwrap();
        assert!(reads.cached_bytes <= BOUND, "{reads:?}");
    }
    let reads = world.store().bucket_reads().unwrap();
    assert!(
        reads.cached_bytes > 0 && reads.fetched_bytes > BOUND,
        "{reads:?}"
    );
}

#[test]
fn the_probe_tells_who_can_be_shared_and_leaves_nothing() {
    for (manners, shared) in [
        (Manners::Exact, true),
        (Manners::LooksAndWrites, false),
        (Manners::Overwrites, false),
    ] {
        let bucket = MemoryBucket::new(manners);
        let probed = probe(&*bucket).unwrap();
        assert_eq!(probed.allows(Nodes::Several).is_ok(), shared);
        assert_eq!(probed.allows(Nodes::One).unwrap().is_none(), shared);
        assert_eq!(bucket.names(""), [""; 0]);
    }
    let said = |manners| {
        let probed = probe(&*MemoryBucket::new(manners)).unwrap();
        probed.allows(Nodes::Several).unwrap_err().to_string()
    };
    assert!(said(Manners::Overwrites).contains("If-None-Match"));
    assert!(said(Manners::LooksAndWrites).contains("8 were told"));
    let away = exact();
    away.is_away.store(true, Ordering::SeqCst);
    let error = probe(&*away).unwrap_err().to_string();
    assert!(error.contains("writing an object failed"), "{error}");
    // One that overwrites serves a single server, because every content has a name of its own.
    let bucket = MemoryBucket::new(Manners::Overwrites);
    let mut world = world(&bucket);
    fill(&world, 1, 400);
    world.store().seal().unwrap();
    world.reopen();
    assert_sound(world.path(), &bucket);
}
