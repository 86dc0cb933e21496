//! What the tests of the log share: stores in temporary directories, and events to put into them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use annals_event::{Draft, Event, Rules, Timestamp};
use annals_store::{
    Append, AppendError, Appended, Entitlement, Files, Idempotency, Item, Log, Options, Sealing,
    SteppedClock, Store, SystemFiles, WriteFile,
};
use annals_testkit::{Deed, FaultVfs, Generator, Profile};
use tempfile::TempDir;

/// A store whose clock stands still, and whose death is noticed rather than suffered.
pub(crate) struct World {
    pub(crate) path: PathBuf,
    /// The directory, if it is ours to remove.
    _dir: Option<TempDir>,
    pub(crate) clock: Arc<SteppedClock>,
    pub(crate) died: Arc<AtomicBool>,
    pub(crate) options: Options,
    pub(crate) store: Option<Store>,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Options)) -> World {
        let dir = TempDir::new().unwrap();
        let clock = Arc::new(SteppedClock::new(time("2026-11-22T12:00:00Z")));
        let died = Arc::new(AtomicBool::new(false));
        let noticed = died.clone();
        let mut options = Options {
            clock: clock.clone(),
            reserve_bytes: 64 << 10,
            on_fatal: Arc::new(move |_| noticed.store(true, Ordering::SeqCst)),
            ..Options::default()
        };
        // Every test holds over sealed events too; scripts/test runs all of them again with this.
        if std::env::var_os("ANNALS_TEST_SEALING").is_some() {
            options.sealing = Some(sealing_at_once());
        }
        change(&mut options);
        let mut world = World {
            path: dir.path().to_owned(),
            _dir: Some(dir),
            clock,
            died,
            options,
            store: None,
        };
        world.open();
        world
    }

    /// The store in a directory that outlives this.
    pub(crate) fn at(path: &Path, options: Options) -> World {
        let mut world = World::at_closed(path, options);
        world.open();
        world
    }

    /// The same, which is opened later.
    pub(crate) fn at_closed(path: &Path, options: Options) -> World {
        World {
            path: path.to_owned(),
            _dir: None,
            clock: Arc::new(SteppedClock::new(time("2026-11-22T12:00:00Z"))),
            died: Arc::new(AtomicBool::new(false)),
            options,
            store: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn open(&mut self) {
        self.store = Some(Store::open(&self.path, self.options.clone()).unwrap());
    }

    pub(crate) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopen(&mut self) {
        self.store.take().unwrap().close().unwrap();
        self.open();
    }

    /// What the directory holds at this moment, opened as after a crash: nothing was tidied up.
    pub(crate) fn after_crash(&self) -> World {
        let dir = picture(&self.path);
        let mut world = World {
            path: dir.path().to_owned(),
            _dir: Some(dir),
            clock: self.clock.clone(),
            died: self.died.clone(),
            options: self.options.clone(),
            store: None,
        };
        world.open();
        world
    }

    pub(crate) fn log(&self, id: &str) -> Log {
        let store = self.store();
        if store.log(id).is_none() {
            block_on(store.ensure_organization(id, Entitlement::Active)).unwrap();
        }
        store.log(id).unwrap()
    }

    /// The files of segments whose names end so, in order.
    pub(crate) fn files(&self, ending: &str) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(self.path().join("segments"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().ends_with(ending))
            .collect();
        files.sort();
        files
    }

    /// Nothing that is stored contradicts itself.
    pub(crate) fn assert_sound(&self) {
        let report = annals_store::check(self.path(), &mut |_| {}).unwrap();
        assert_eq!(report.problems, []);
    }
}

/// Every few events become a segment, as soon as they are there.
pub(crate) fn sealing_at_once() -> Sealing {
    Sealing {
        rows: 2,
        backlog: 2,
        age: Duration::ZERO,
        fan: 2,
    }
}

/// A copy of a directory as it was at one moment: sealing may go on in it meanwhile.
fn picture(of: &Path) -> TempDir {
    for _ in 0..200 {
        let (before, dir) = (files(of), TempDir::new().unwrap());
        if before.is_ok() && try_copy(of, dir.path()).is_ok() && files(of).ok() == before.ok() {
            return dir;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{} does not come to rest", of.display());
}

/// The files of a directory, with their sizes and when they changed. The memory that connections share says nothing of the data.
fn files(folder: &Path) -> io::Result<Vec<(PathBuf, u64, SystemTime)>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(self::files(&entry.path())?);
        } else if entry.path().extension().is_none_or(|e| e != "db-shm") {
            let about = entry.metadata()?;
            files.push((entry.path(), about.len(), about.modified()?));
        }
    }
    files.sort();
    Ok(files)
}

pub(crate) fn copy(from: &Path, to: &Path) {
    try_copy(from, to).unwrap();
}

fn try_copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            std::fs::create_dir(&target)?;
            try_copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(future)
}

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// An event with an id of its own.
pub(crate) fn event(id: &str) -> Draft {
    event_with(id, "2026-11-22T11:59:00Z", "ada")
}

pub(crate) fn event_with(id: &str, occurred_at: &str, actor: &str) -> Draft {
    saying(id, occurred_at, actor, &format!("about {id}"))
}

/// An event with a note in its metadata.
pub(crate) fn event_noting(id: &str, note: &str) -> Draft {
    saying(id, "2026-11-22T11:59:00Z", "ada", note)
}

fn saying(id: &str, occurred_at: &str, actor: &str, note: &str) -> Draft {
    let json = format!(
        r#"{{"id":"{id}","action":"issue.created","occurred_at":"{occurred_at}",
            "actor":{{"id":"{actor}","type":"user","name":"Name of {actor}"}},
            "targets":[{{"id":"issue_1","type":"issue","name":"A title"}}],
            "context":{{"location":"192.0.2.7"}},"metadata":{{"note":"{note}"}}}}"#
    );
    draft(&json, "unused")
}

/// The same event, without an id of its own: it gets `id`, as the server would draw one.
pub(crate) fn anonymous(id: &str) -> Draft {
    let json = r#"{"action":"issue.created","occurred_at":"2026-11-22T11:59:00Z",
        "actor":{"id":"ada","type":"user"},"targets":[],"context":{}}"#;
    draft(json, id)
}

fn draft(json: &str, id: &str) -> Draft {
    let event = Event::from_json(json.as_bytes()).unwrap();
    Draft::new(event, &Rules::open(), Timestamp::MAX, || id.to_owned()).unwrap()
}

/// Believable events of all kinds, with ids; the same for the same seed.
pub(crate) fn generated(count: u64, seed: u64) -> Vec<Draft> {
    let profile = Profile {
        workspaces: 1,
        seed,
        ..Profile::year(count)
    };
    Generator::new(profile)
        .take(usize::try_from(count).unwrap())
        .map(|event| draft(&event.event_json(true), "unused"))
        .collect()
}

pub(crate) fn batch(drafts: Vec<Draft>) -> Append {
    Append {
        drafts: drafts.into_iter().collect(),
        recorded_by: "key_test".to_owned(),
        idempotency: None,
        internal: false,
        receipt: false,
    }
}

pub(crate) fn keyed(drafts: Vec<Draft>, key: &str, body: &str) -> Append {
    let hash = |text: &str| {
        let mut hash = [0; 32];
        hash[..text.len()].copy_from_slice(text.as_bytes());
        hash
    };
    let idempotency = Some(Idempotency {
        key_hash: hash(key),
        body_hash: hash(body),
    });
    Append {
        idempotency,
        ..batch(drafts)
    }
}

pub(crate) fn append(log: &Log, drafts: Vec<Draft>) -> Result<Appended, AppendError> {
    log.append(batch(drafts)).wait()
}

/// Appends events of which each is new, and gives their positions.
pub(crate) fn record(log: &Log, drafts: Vec<Draft>) -> Vec<u64> {
    let appended = append(log, drafts).unwrap();
    appended
        .items
        .into_iter()
        .map(|item| match item {
            Item::Recorded { position, .. } => position,
            other => panic!("not recorded: {other:?}"),
        })
        .collect()
}

/// The ids of a log's events, in order.
pub(crate) fn ids(log: &Log) -> Vec<String> {
    log.scan(0..log.size(), annals_store::Order::Asc)
        .map(|row| row.unwrap().draft.skeleton.id)
        .collect()
}

/// Writes files as the machine does, and tells the disk that loses power of it.
pub(crate) struct FaultFiles(pub(crate) FaultVfs);

struct FaultFile {
    vfs: FaultVfs,
    path: PathBuf,
    file: Box<dyn WriteFile>,
    at: usize,
}

impl Files for FaultFiles {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let file = SystemFiles.create(path)?;
        self.0.note(Deed::Create(path));
        Ok(Box::new(FaultFile {
            vfs: self.0.clone(),
            path: path.to_owned(),
            file,
            at: 0,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemFiles.rename(from, to)?;
        self.0.note(Deed::Rename(from, to));
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        SystemFiles.sync_folder(path)?;
        self.0.note(Deed::SyncFolder(path));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemFiles.remove(path)?;
        self.0.note(Deed::Remove(path));
        Ok(())
    }
}

impl Write for FaultFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.vfs
            .note(Deed::Write(&self.path, self.at, &bytes[..written]));
        self.at += written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl WriteFile for FaultFile {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        self.vfs.note(Deed::Sync(&self.path));
        Ok(())
    }
}
