//! Backups are made while events are recorded, sealed and merged, and what is restored is what was there.
//!
//! `ANNALS_BACKUP_KILLS` sets the number of kills that have to fall within a backup (10 by default; the torture script
//! asks for 100).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use annals_store::{
    BackupError, BackupOptions, BackupReport, Bucket as _, CopyProgress, Options, Restored, Store,
    StoreError, backup, restore,
};
use tempfile::TempDir;

use crate::bucket::{assert_sound, exact, files, fill, in_bucket, seen, world as world_in};
use crate::memory_bucket::MemoryBucket;
use crate::world::{World, event, generated, ids, record, sealing_at_once};

const DATA: &str = "ANNALS_BACKUP_KILL_DATA";
const FOLDER: &str = "ANNALS_BACKUP_KILL_FOLDER";

/// A backup's folder, a file for the key, and a place to restore to.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        Place(TempDir::new().unwrap())
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join("backup")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("signing.key")
    }

    fn backup(&self, world: &World) -> BackupReport {
        self.try_backup(world).unwrap()
    }

    fn try_backup(&self, world: &World) -> Result<BackupReport, BackupError> {
        self.try_backup_with(world, &mut |_| {})
    }

    fn try_backup_with(
        &self,
        world: &World,
        progress: &mut dyn FnMut(CopyProgress),
    ) -> Result<BackupReport, BackupError> {
        let options = BackupOptions {
            keys: Some(self.key()),
            settings: Some("strict = true\n".to_owned()),
            ..BackupOptions::default()
        };
        let bucket = world.options.bucket.as_ref();
        backup(world.path(), bucket, &self.folder(), &options, progress)
    }

    fn restore(&self, name: &str) -> Result<(Restored, PathBuf), BackupError> {
        self.restore_with(name, false)
    }

    fn restore_with(&self, name: &str, accept: bool) -> Result<(Restored, PathBuf), BackupError> {
        let data = self.0.path().join(name);
        let restored = restore(
            &self.folder(),
            &data,
            Some(&self.key()),
            accept,
            &mut |_| {},
        )?;
        Ok((restored, data))
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder().join("files")).unwrap();
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn sealed_at_once() -> World {
    World::with(|options| options.sealing = Some(sealing_at_once()))
}

#[test]
fn what_is_restored_is_what_was_acknowledged_before_the_backup_began() {
    let world = sealed_at_once();
    let (a, b) = (world.log("org_a"), world.log("org_b"));
    record(&a, generated(500, 1));
    let place = Place::new();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                record(
                    &b,
                    vec![event(&format!("b-{n}")), event(&format!("b-{n}-more"))],
                );
            }
        });
        for round in 0..4 {
            let (size, more) = (a.size(), b.size());
            let mut proof = Vec::new();
            a.write_proof(size / 3..size, Some(size), &mut proof, &|_, _| false)
                .unwrap();
            let report = place.backup(&world);
            assert_eq!(report.damaged, Vec::<String>::new());
            let (restored, data) = place.restore(&format!("restored-{round}")).unwrap();
            assert!(restored.has_key);
            assert_eq!(restored.report.problems, []);
            assert_eq!(
                std::fs::read_to_string(data.join("operator.toml")).unwrap(),
                "strict = true\n"
            );
            let copy = World::at(&data, world.options.clone());
            let again = copy.log("org_a");
            assert_eq!(
                ids(&again),
                ids(&a)[..usize::try_from(again.size()).unwrap()]
            );
            assert!(again.size() >= size && copy.log("org_b").size() >= more);
            let mut same = Vec::new();
            again
                .write_proof(size / 3..size, Some(size), &mut same, &|_, _| false)
                .unwrap();
            assert!(
                same == proof,
                "a proof from before is the same, signature and all"
            );
            let size = copy.log("org_b").size();
            assert_eq!(
                copy.log("org_b").root_at(size).unwrap(),
                b.root_at(size).unwrap()
            );
            // It goes on.
            assert_eq!(record(&copy.log("org_b"), vec![event("next")]), [size]);
            drop(again);
            copy.store.unwrap().close().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_the_folder_has_is_not_copied_again_and_what_is_of_no_use_goes() {
    let world = World::with(|options| options.sealing = None);
    record(&world.log("org_a"), generated(3_000, 1));
    world.store().seal().unwrap();
    let place = Place::new();
    let first = place.backup(&world);
    assert_eq!(first.copied, first.bytes - 14, "all but the settings");
    record(&world.log("org_a"), generated(10, 2));
    let second = place.backup(&world);
    let database = world.path().join("annals.db").metadata().unwrap().len();
    assert!(second.copied <= database + (1 << 20), "{second:?}");
    assert!(second.bytes > second.copied);
    assert_eq!(place.files().len(), 4, "{:?}", place.files());
    let secret = std::fs::read(world.path().join("keys/signing.key")).unwrap();
    assert_eq!(std::fs::read(place.key()).unwrap(), secret);
    for file in place.files() {
        let bytes = std::fs::read(&file).unwrap();
        assert!(
            !bytes.windows(32).any(|window| window == secret),
            "{file:?}"
        );
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn damage_in_the_backup_is_found_and_nothing_of_it_is_restored() {
    let world = World::with(|options| options.sealing = None);
    record(&world.log("org_a"), generated(1_200, 1));
    world.store().seal().unwrap();
    record(&world.log("org_a"), generated(100, 2));
    let place = Place::new();
    place.backup(&world);
    let mut files = place.files();
    files.push(place.folder().join("backup.json"));
    let mut chance = fastrand::Rng::with_seed(5);
    for (n, file) in files.iter().cycle().take(15).enumerate() {
        let whole = std::fs::read(file).unwrap();
        let mut flipped = whole.clone();
        let byte = chance.usize(..whole.len());
        flipped[byte] ^= 1 << chance.u8(..7);
        std::fs::write(file, &flipped).unwrap();
        let name = format!("restored-{n}");
        match place.restore(&name) {
            Err(BackupError::Damaged(what)) => assert!(!what.is_empty()),
            // A version is believed before the hash: a later one may have another.
            Err(BackupError::Store(StoreError::NewerFormat { .. }))
                if file.ends_with("backup.json") => {}
            // White space at the end says nothing.
            Ok(_) if file.ends_with("backup.json") && byte + 1 == whole.len() => {}
            other => panic!("byte {byte} of {file:?}: {other:?}"),
        }
        assert!(!place.0.path().join(format!("{name}.restoring")).exists());
        std::fs::write(file, &whole).unwrap();
    }
    // Read again, the folder is mended from the installation.
    let segment = files
        .iter()
        .find(|file| file.to_string_lossy().ends_with(".parquet"))
        .unwrap();
    let whole = std::fs::read(segment).unwrap();
    std::fs::write(segment, vec![0; whole.len()]).unwrap();
    let options = BackupOptions {
        verify: true,
        ..BackupOptions::default()
    };
    backup(world.path(), None, &place.folder(), &options, &mut |_| {}).unwrap();
    assert!(std::fs::read(segment).unwrap() == whole);
    place.restore("mended").unwrap();
}

#[test]
fn a_good_copy_outlives_damage_in_the_installation() {
    let mut world = World::with(|options| options.sealing = None);
    record(&world.log("org_a"), generated(1_200, 1));
    world.store().seal().unwrap();
    let (place, late) = (Place::new(), Place::new());
    place.backup(&world);
    world.store.take().unwrap().close().unwrap();
    let file = world.path().join("segments/00000001.parquet");
    let whole = std::fs::read(&file).unwrap();
    // Of the first page, and of no dictionary, which every page needs.
    let is_in_first = |byte: &usize| {
        let mut bytes = whole.clone();
        bytes[*byte] ^= 4;
        std::fs::write(&file, bytes).unwrap();
        let problems = annals_store::check(world.path(), &mut |_| {})
            .unwrap()
            .problems;
        let rows: Vec<_> = problems
            .into_iter()
            .filter_map(|problem| problem.rows)
            .collect();
        rows.first() == Some(&(0..1024)) && rows.len() == 1
    };
    assert!(
        (0..40)
            .map(|n| n * whole.len() / 40)
            .any(|byte| is_in_first(&byte))
    );
    world.open();
    world.store().scrub().unwrap();
    assert!(!world.store().quarantined().is_empty());
    // The earlier backup has what is damaged now, and keeps it.
    let report = place.backup(&world);
    assert_eq!(report.damaged, Vec::<String>::new());
    let (restored, data) = place.restore("restored").unwrap();
    assert_eq!(restored.report.problems, []);
    let copy = World::at(&data, world.options.clone());
    copy.store().scrub().unwrap();
    assert_eq!(copy.store().quarantined(), []);
    assert_eq!(ids(&copy.log("org_a")).len(), 1_200);
    // A new one cannot, and says so.
    let report = late.backup(&world);
    assert_eq!(report.damaged, ["segments/00000001.parquet"]);
    assert!(matches!(
        late.restore("refused"),
        Err(BackupError::Damaged(_))
    ));
    let (restored, data) = late.restore_with("accepted", true).unwrap();
    assert!(!restored.report.problems.is_empty());
    let copy = World::at(&data, world.options.clone());
    assert!(copy.log("org_a").row(1_100).is_ok());
    assert!(copy.log("org_a").row(5).is_err());
}

#[test]
fn what_would_destroy_something_is_refused() {
    let world = World::new();
    record(&world.log("org_a"), generated(10, 1));
    let says = |result: Result<BackupReport, BackupError>, what: &str| match result {
        Err(BackupError::Refused { what: said, .. }) => assert!(said.contains(what), "{said}"),
        other => panic!("{other:?}"),
    };
    let plain = BackupOptions::default();
    let to = |folder: &Path| backup(world.path(), None, folder, &plain, &mut |_| {});
    says(
        to(&world.path().join("backup")),
        "lies in the data directory",
    );
    let place = Place::new();
    std::fs::write(place.0.path().join("thesis.tex"), "…").unwrap();
    says(to(place.0.path()), "neither empty");
    place.backup(&world);
    let inside = BackupOptions {
        keys: Some(place.folder().join("key")),
        ..BackupOptions::default()
    };
    says(
        backup(world.path(), None, &place.folder(), &inside, &mut |_| {}),
        "lies in the backup",
    );
    let other = World::new();
    record(&other.log("org_a"), generated(10, 1));
    let theirs = Place::new();
    says(
        backup(other.path(), None, &place.folder(), &plain, &mut |_| {}),
        "another installation",
    );
    theirs.backup(&other);
    let occupied = BackupOptions {
        keys: Some(theirs.key()),
        ..BackupOptions::default()
    };
    says(
        backup(world.path(), None, &place.folder(), &occupied, &mut |_| {}),
        "not overwritten",
    );

    let refused = |result: Result<Restored, BackupError>, what: &str| match result {
        Err(BackupError::Refused { what: said, .. }) => assert!(said.contains(what), "{said}"),
        other => panic!("{other:?}"),
    };
    let from =
        |data: &Path, key: &Path| restore(&place.folder(), data, Some(key), false, &mut |_| {});
    refused(from(world.path(), &place.key()), "not empty");
    let new = place.0.path().join("new");
    refused(from(&new, &theirs.key()), "another installation");
    refused(
        restore(place.0.path(), &new, None, false, &mut |_| {}),
        "no whole backup",
    );
    assert!(!new.exists());
    std::fs::create_dir(&new).unwrap();
    let restored = restore(&place.folder(), &new, None, false, &mut |_| {}).unwrap();
    assert!(!restored.has_key);
}

#[test]
fn a_backup_of_segments_in_an_object_store_is_restored_without_it() {
    let bucket = exact();
    let mut world = world_in(&bucket);
    for round in 1..3 {
        fill(&world, round, 200);
        world.store().seal().unwrap();
    }
    fill(&world, 3, 50);
    let before = seen(&world.log("org_a"), 450);
    let place = Place::new();
    let first = place.backup(&world);
    assert_eq!(first.damaged, Vec::<String>::new());
    assert!(first.segments > 0);
    // What the folder has is not fetched again.
    bucket.reads.store(0, Ordering::SeqCst);
    let second = place.backup(&world);
    assert!(second.copied < second.bytes, "{second:?}");
    // Only whose place it is was asked.
    assert_eq!(bucket.reads.load(Ordering::SeqCst), 1);

    let (restored, data) = place.restore("restored").unwrap();
    assert_eq!(restored.report.problems, []);
    let here = files(&data).len() as u64;
    assert_eq!(here, 2 * first.segments, "segments and indexes");
    let mut options = world.options.clone();
    options.bucket = None;
    let mut copy = World::at(&data, options);
    assert_eq!(seen(&copy.log("org_a"), 450), before);
    assert_eq!(record(&copy.log("org_a"), vec![event("next")]), [450]);
    copy.store.take().unwrap().close().unwrap();
    // The place of the original is not taken over, nor is anything deleted there.
    let names = bucket.names("");
    let refused = Store::open(&data, world.options.clone()).err().unwrap();
    let another = matches!(&refused, StoreError::Bucket { what, .. } if what.contains("another installation"));
    assert!(another, "{refused:?}");
    assert_eq!(bucket.names(""), names);
    // An empty one is.
    let empty = exact();
    in_bucket(&mut copy.options, &empty);
    copy.open();
    assert!(files(&data).iter().all(|name| name.ends_with(".index")));
    assert_eq!(seen(&copy.log("org_a"), 450), before);
    copy.store.take().unwrap().close().unwrap();
    assert_sound(&data, &empty);
    world.reopen();
    assert_eq!(seen(&world.log("org_a"), 450), before);
    assert_sound(world.path(), &bucket);
}

/// With segments in a bucket, of which the backup in the folder has none yet.
fn two_segments(bucket: &std::sync::Arc<MemoryBucket>) -> (World, Place) {
    let (world, place) = (world_in(bucket), Place::new());
    place.backup(&world);
    for round in 1..3 {
        fill(&world, round, 200);
        world.store().seal().unwrap();
    }
    assert!(bucket.names("segments/").len() >= 2);
    (world, place)
}

#[test]
fn an_object_store_that_goes_away_leaves_the_backup_before() {
    let bucket = exact();
    let (world, place) = two_segments(&bucket);
    let size = |name: &str| place.restore(name).unwrap().0.report.entries;
    let before = size("before");
    for reads in 0..3 {
        bucket.reads.store(0, Ordering::SeqCst);
        bucket.reads_most.store(reads, Ordering::SeqCst);
        let refused = place.try_backup(&world);
        let is_away = matches!(&refused, Err(BackupError::Store(StoreError::Bucket { .. })));
        assert!(is_away, "{refused:?}");
        assert_eq!(size(&format!("after-{reads}")), before);
        bucket.reads_most.store(u64::MAX, Ordering::SeqCst);
        bucket.is_away.store(false, Ordering::SeqCst);
    }
    assert_eq!(place.backup(&world).damaged, Vec::<String>::new());
    assert!(size("whole") > before);
}

#[test]
fn an_object_that_has_rotted_never_replaces_a_good_copy_and_one_that_was_merged_away_is_no_damage()
{
    let bucket = exact();
    let (world, place) = two_segments(&bucket);
    let old = bucket.names("segments/");
    // The server merges while the backup runs, and takes away what the backup was about to read.
    let mut is_first = true;
    let report = place.try_backup_with(&world, &mut |_| {
        if std::mem::take(&mut is_first) {
            fill(&world, 3, 200);
            world.store().seal().unwrap();
            // The index of what counts lies on the disk.
            let counting = files(world.path());
            let is_merged = |name: &&String| {
                let number = &name["segments/".len()..][..8];
                !counting.contains(&format!("{number}.index"))
            };
            let merged: Vec<&String> = old.iter().filter(is_merged).collect();
            assert!(!merged.is_empty(), "{old:?}");
            merged.iter().for_each(|name| bucket.delete(name).unwrap());
        }
    });
    assert_eq!(report.unwrap().damaged, Vec::<String>::new());
    let (restored, _) = place.restore("merged").unwrap();
    assert_eq!(restored.report.problems, []);
    // Everything that is due is done.
    world.store().seal().unwrap();
    assert_eq!(place.backup(&world).damaged, Vec::<String>::new());
    let name = bucket.names("segments/").pop().unwrap();
    bucket.damage(&name, |bytes| bytes[60] ^= 1);
    assert_eq!(place.backup(&world).damaged, Vec::<String>::new());
    place.restore("before").unwrap();
    let late = Place::new();
    let report = late.backup(&world);
    assert_eq!(report.damaged.len(), 1, "{report:?}");
    assert!(matches!(
        late.restore("refused"),
        Err(BackupError::Damaged(_))
    ));
}

/// What is killed: makes backups for ever, and tells when one begins and when it is there.
#[test]
fn backups() {
    let (Some(data), Some(folder)) = (std::env::var_os(DATA), std::env::var_os(FOLDER)) else {
        return;
    };
    let mut out = std::io::stdout();
    loop {
        writeln!(out, "begun").unwrap();
        backup(
            data.as_ref(),
            None,
            folder.as_ref(),
            &BackupOptions::default(),
            &mut |_| {},
        )
        .unwrap();
        writeln!(out, "there").unwrap();
    }
}

#[test]
fn a_backup_that_is_killed_leaves_the_one_before() {
    let kills: u64 = std::env::var("ANNALS_BACKUP_KILLS").map_or(10, |text| text.parse().unwrap());
    let mut world = World::new();
    world.store.take().unwrap().close().unwrap();
    world.options = Options {
        sealing: Some(sealing_at_once()),
        ..world.options
    };
    world.open();
    let log = world.log("org_a");
    record(&log, generated(300, 1));
    let place = Place::new();
    place.backup(&world);
    let mut chance = fastrand::Rng::with_seed(kills);
    let mut size = log.size();
    let (mut n, mut within) = (0, 0);
    while within < kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "backup::backups", "--nocapture"])
            .env(DATA, world.path())
            .env(FOLDER, place.folder())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Every backup has something new to copy.
        for more in 0..chance.u64(2..30) {
            record(
                &log,
                vec![
                    event(&format!("{n}-{more}")),
                    event(&format!("{n}-{more}-b")),
                ],
            );
            std::thread::sleep(Duration::from_millis(chance.u64(0..8)));
        }
        child.kill().unwrap();
        let told = child.wait_with_output().unwrap().stdout;
        let told = String::from_utf8(told).unwrap();
        within += u64::from(told.trim_end().ends_with("begun"));
        n += 1;
        assert!(n <= 10 + 4 * kills, "hardly a kill falls within");
        let (restored, data) = place.restore(&format!("restored-{n}")).unwrap();
        assert_eq!(restored.report.problems, []);
        assert!(
            restored.report.entries >= size,
            "{} after {size}",
            restored.report.entries
        );
        size = restored.report.entries;
        std::fs::remove_dir_all(data).unwrap();
    }
    place.backup(&world);
    let (restored, _) = place.restore("last").unwrap();
    assert_eq!(restored.report.entries, log.size());
}
