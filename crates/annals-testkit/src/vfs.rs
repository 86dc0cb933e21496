//! A disk that remembers what it was told, in which order, and can forget what was never synced.
//!
//! `kill -9` proves nothing about fsync, because the page cache survives the process. This shim is
//! an SQLite VFS that hands every call to the real one and records the mutating calls. From the
//! record, [`FaultVfs::after_power_cut`] rebuilds a directory as a power cut could have left it:
//! what was synced before the cut is there; of everything else any part may be, torn at sector
//! boundaries. It also makes the n-th mutating call fail, either without an effect or *after* its
//! effect, which are the two ways in which a write can fail, and it can fill up.
//!
//! The model of directory entries follows POSIX: a new file's name is durable only after its
//! directory was synced, which SQLite does on the first sync of a new journal or WAL file.

#![expect(
    unsafe_code,
    reason = "a VFS is a table of C callbacks; this is the one place that speaks to it"
)]

use std::collections::{BTreeMap, HashSet};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::ffi;

/// The unit that a disk writes as a whole, in bytes; an unsynced write may survive sector by sector.
const SECTOR: usize = 512;

/// What a failing call answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// An I/O error (`SQLITE_IOERR_WRITE`, `SQLITE_IOERR_FSYNC`, …).
    Io,
    /// No space left (`SQLITE_FULL`).
    Full,
}

/// Which mutating call fails, and how.
#[derive(Debug, Clone, Copy)]
pub struct Injection {
    /// The call that fails, counted from the injection; 0 is the next one.
    pub after: u64,
    /// What it answers.
    pub failure: Failure,
    /// Whether the call takes effect before it answers with an error. A caller must be right in
    /// both cases, because a real disk does not say which one it was.
    pub persisted: bool,
    /// Whether every later call fails as well.
    pub forever: bool,
}

/// One mutating call.
#[derive(Debug)]
enum Op {
    Create(PathBuf),
    Write {
        path: PathBuf,
        offset: usize,
        data: Vec<u8>,
    },
    Truncate {
        path: PathBuf,
        size: usize,
    },
    /// Everything of `path` recorded before `upto` is durable; so are the names in its directory
    /// when `directory` is set.
    Sync {
        path: PathBuf,
        upto: usize,
        directory: bool,
    },
    Delete {
        path: PathBuf,
        directory: bool,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// The names in a folder are durable.
    SyncFolder(PathBuf),
}

#[derive(Default)]
struct Trace {
    ops: Vec<Op>,
    seen: HashSet<PathBuf>,
    injection: Option<Injection>,
    /// Bytes that may still be added to files before the disk is full.
    room: Option<u64>,
    sizes: BTreeMap<PathBuf, u64>,
}

/// A registered VFS with its record. Open a connection on it by its [`name`](FaultVfs::name).
///
/// It stays registered for the life of the process: SQLite keeps the pointer.
#[derive(Clone)]
pub struct FaultVfs {
    name: String,
    trace: Arc<Mutex<Trace>>,
}

impl FaultVfs {
    /// Registers a new recording VFS on top of the platform's own.
    ///
    /// # Panics
    /// Where SQLite has no default VFS or refuses the registration; neither happens on Unix.
    #[must_use]
    pub fn register() -> FaultVfs {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("annals-fault-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let trace = Arc::new(Mutex::new(Trace::default()));
        // SAFETY: `sqlite3_vfs_find(NULL)` gives the default VFS or NULL, which is checked; the
        // structures below are leaked, so SQLite's pointers to them stay valid for ever.
        unsafe {
            let base = ffi::sqlite3_vfs_find(ptr::null());
            assert!(!base.is_null(), "SQLite has no default VFS");
            let app = Box::leak(Box::new(App {
                base,
                trace: Arc::clone(&trace),
            }));
            let zname = CString::new(name.clone())
                .expect("no NUL in the name")
                .into_raw();
            let vfs = Box::leak(Box::new(ffi::sqlite3_vfs {
                iVersion: 2,
                szOsFile: (*base).szOsFile + c_int::try_from(size_of::<File>()).expect("small"),
                mxPathname: (*base).mxPathname,
                pNext: ptr::null_mut(),
                zName: zname,
                pAppData: ptr::from_mut(app).cast(),
                xOpen: Some(open),
                xDelete: Some(delete),
                xAccess: Some(access),
                xFullPathname: Some(full_pathname),
                xDlOpen: None,
                xDlError: None,
                xDlSym: None,
                xDlClose: None,
                xRandomness: Some(randomness),
                xSleep: Some(sleep),
                xCurrentTime: Some(current_time),
                xGetLastError: Some(get_last_error),
                xCurrentTimeInt64: Some(current_time_int64),
                xSetSystemCall: None,
                xGetSystemCall: None,
                xNextSystemCall: None,
            }));
            assert_eq!(
                ffi::sqlite3_vfs_register(vfs, 0),
                ffi::SQLITE_OK,
                "VFS not registered"
            );
        }
        FaultVfs { name, trace }
    }

    /// The name to open a connection with.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many mutating calls have been recorded: a moment that can be cut at.
    #[must_use]
    pub fn moment(&self) -> usize {
        self.lock().ops.len()
    }

    /// Makes a call fail. Replaces an earlier injection.
    pub fn inject(&self, injection: Injection) {
        self.lock().injection = Some(injection);
    }

    /// Ends an injection and frees a full disk.
    pub fn heal(&self) {
        let mut trace = self.lock();
        trace.injection = None;
        trace.room = None;
    }

    /// Whether an injection is still waiting for its call.
    #[must_use]
    pub fn armed(&self) -> bool {
        self.lock().injection.is_some()
    }

    /// Leaves room for `bytes` more in all files together; then writes answer that the disk is
    /// full. Overwriting needs no room.
    pub fn fill_after(&self, bytes: u64) {
        self.lock().room = Some(bytes);
    }

    /// Writes into `to` what a power cut at `moment` could have left of the files below `from`.
    ///
    /// `seed` chooses which unsynced effects survive. Files that did not go through this VFS are
    /// copied as they are.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn after_power_cut(
        &self,
        from: &Path,
        to: &Path,
        moment: usize,
        seed: u64,
    ) -> io::Result<()> {
        let from = from.canonicalize()?;
        let trace = self.lock();
        copy_unseen(&from, to, &trace.seen)?;
        let mut chance = fastrand::Rng::with_seed(seed);
        for (path, image) in replay(&trace.ops[..moment.min(trace.ops.len())]) {
            let Ok(relative) = path.strip_prefix(&from) else {
                continue;
            };
            if let Some(bytes) = image.survive(&mut chance) {
                let target = to.join(relative);
                if let Some(folder) = target.parent() {
                    fs::create_dir_all(folder)?;
                }
                fs::write(target, bytes)?;
            }
        }
        Ok(())
    }

    /// Records what a program does to a file without SQLite, so that a power cut forgets that as well.
    /// Call it after the deed; a sync covers what was recorded before it.
    ///
    /// # Panics
    /// Where the folder of the file does not exist.
    pub fn note(&self, deed: Deed<'_>) {
        let known = |path: &Path| {
            let folder = path.parent().map(Path::canonicalize);
            let folder = folder.expect("a folder").expect("it exists");
            folder.join(path.file_name().expect("a name"))
        };
        let mut trace = self.lock();
        let upto = trace.ops.len();
        let op = match deed {
            Deed::Create(path) => Op::Create(known(path)),
            Deed::Write(path, offset, data) => Op::Write {
                path: known(path),
                offset,
                data: data.to_vec(),
            },
            Deed::Sync(path) => Op::Sync {
                path: known(path),
                upto,
                directory: false,
            },
            Deed::Rename(from, to) => Op::Rename {
                from: known(from),
                to: known(to),
            },
            Deed::SyncFolder(path) => Op::SyncFolder(known(path)),
            Deed::Remove(path) => Op::Delete {
                path: known(path),
                directory: false,
            },
        };
        match &op {
            Op::Create(path) => {
                trace.seen.insert(path.clone());
            }
            Op::Rename { to, .. } => {
                trace.seen.insert(to.clone());
            }
            _ => {}
        }
        trace.ops.push(op);
    }

    fn lock(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a program does to a file; see [`FaultVfs::note`].
#[derive(Debug, Clone, Copy)]
pub enum Deed<'a> {
    /// Makes it, empty.
    Create(&'a Path),
    /// Writes bytes at an offset.
    Write(&'a Path, usize, &'a [u8]),
    /// Waits until its bytes are on the disk.
    Sync(&'a Path),
    /// Gives it another name.
    Rename(&'a Path, &'a Path),
    /// Waits until the names in a folder are on the disk.
    SyncFolder(&'a Path),
    /// Takes its name away.
    Remove(&'a Path),
}

/// A file as the disk knows it: what is certain, and what was only asked for.
#[derive(Default)]
struct Image<'a> {
    durable: Vec<u8>,
    /// Effects after the last sync, with their places in the record.
    pending: Vec<(usize, &'a Op)>,
    /// Whether the name is durable.
    linked: bool,
    deleted: bool,
}

impl Image<'_> {
    fn sync(&mut self, upto: usize) {
        for (at, op) in std::mem::take(&mut self.pending) {
            if at < upto {
                apply(&mut self.durable, op, |_| true);
            } else {
                self.pending.push((at, op));
            }
        }
    }

    /// The bytes after the cut, or nothing where the name was lost or the deletion took hold.
    fn survive(mut self, chance: &mut fastrand::Rng) -> Option<Vec<u8>> {
        if (!self.linked || self.deleted) && chance.bool() {
            return None;
        }
        // One cut in three loses the whole cache, the commonest and hardest case.
        let all_lost = chance.u8(..3) == 0;
        for (_, op) in self.pending {
            match chance.u8(..4) {
                _ if all_lost => {}
                0 => {}
                1 => apply(&mut self.durable, op, |_| chance.bool()),
                _ => apply(&mut self.durable, op, |_| true),
            }
        }
        Some(self.durable)
    }
}

fn apply(bytes: &mut Vec<u8>, op: &Op, mut keep: impl FnMut(usize) -> bool) {
    match op {
        Op::Write { offset, data, .. } => {
            for (index, sector) in data.chunks(SECTOR).enumerate() {
                if keep(index) {
                    let start = offset + index * SECTOR;
                    let end = start + sector.len();
                    if bytes.len() < end {
                        bytes.resize(end, 0);
                    }
                    bytes[start..end].copy_from_slice(sector);
                }
            }
        }
        Op::Truncate { size, .. } if keep(0) => bytes.resize(*size, 0),
        _ => {}
    }
}

fn replay(ops: &[Op]) -> BTreeMap<&Path, Image<'_>> {
    let mut images: BTreeMap<&Path, Image<'_>> = BTreeMap::new();
    for (at, op) in ops.iter().enumerate() {
        match op {
            Op::Create(path) => {
                let image = images.entry(path).or_default();
                if image.deleted {
                    *image = Image::default();
                }
            }
            Op::Write { path, .. } | Op::Truncate { path, .. } => {
                images.entry(path).or_default().pending.push((at, op));
            }
            Op::Sync {
                path,
                upto,
                directory,
            } => {
                images.entry(path).or_default().sync(*upto);
                if *directory {
                    sync_directory(&mut images, path.parent());
                }
            }
            Op::Rename { from, to } => {
                // Its old name is of no use to anybody, so it is under its new one or lost.
                let mut image = images.remove(from.as_path()).unwrap_or_default();
                image.linked = false;
                images.insert(to, image);
            }
            Op::SyncFolder(path) => sync_directory(&mut images, Some(path)),
            Op::Delete { path, directory } => {
                images.entry(path).or_default().deleted = true;
                if *directory {
                    sync_directory(&mut images, path.parent());
                }
            }
        }
    }
    images
}

fn sync_directory(images: &mut BTreeMap<&Path, Image<'_>>, directory: Option<&Path>) {
    images.retain(|path, image| {
        if path.parent() != directory {
            return true;
        }
        image.linked = true;
        !image.deleted
    });
}

fn copy_unseen(from: &Path, to: &Path, seen: &HashSet<PathBuf>) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let path = entry.path();
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_unseen(&path, &target, seen)?;
        } else if !seen.contains(&path) && !path.to_string_lossy().ends_with("-shm") {
            fs::copy(&path, &target)?;
        }
    }
    Ok(())
}

// ---- the callbacks ---------------------------------------------------------------------------

struct App {
    base: *mut ffi::sqlite3_vfs,
    trace: Arc<Mutex<Trace>>,
}

/// Our file, followed in the same allocation by the file of the VFS below.
#[repr(C)]
struct File {
    header: ffi::sqlite3_file,
    app: *const App,
    /// Leaked on open and taken back on close; null for files without a name.
    path: *mut PathBuf,
    /// A journal or WAL that may be new: as SQLite does, the first sync through this handle makes
    /// the directory durable.
    directory_pending: bool,
}

impl File {
    fn trace(&self) -> MutexGuard<'_, Trace> {
        // SAFETY: `app` is leaked at registration and never freed.
        unsafe { &*self.app }
            .trace
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self) -> Option<&PathBuf> {
        // SAFETY: null, or a box that lives until `close`.
        unsafe { self.path.as_ref() }
    }
}

impl Trace {
    /// Whether this call fails, and if so whether its effect takes place first.
    fn strikes(&mut self) -> Option<Injection> {
        let injection = self.injection.as_mut()?;
        if injection.after > 0 {
            injection.after -= 1;
            return None;
        }
        let found = *injection;
        if !found.forever {
            self.injection = None;
        }
        Some(found)
    }

    /// Takes room for a write that ends at `end`; false when there is none.
    fn take_room(&mut self, path: &Path, end: u64) -> bool {
        let size = self.sizes.entry(path.to_owned()).or_default();
        let grown = end.saturating_sub(*size);
        if let Some(room) = &mut self.room {
            if grown > *room {
                return false;
            }
            *room -= grown;
        }
        *size += grown;
        true
    }
}

/// The file of the VFS below.
unsafe fn below(file: *mut ffi::sqlite3_file) -> *mut ffi::sqlite3_file {
    // SAFETY: `szOsFile` reserves room for the lower file directly behind ours.
    unsafe { file.cast::<u8>().add(size_of::<File>()).cast() }
}

unsafe fn base_of(vfs: *mut ffi::sqlite3_vfs) -> *mut ffi::sqlite3_vfs {
    // SAFETY: `pAppData` is the `App` that `register` leaked.
    unsafe { (*(*vfs).pAppData.cast::<App>()).base }
}

/// Calls a method of the file below: `lower!(file, xRead, args…)`.
macro_rules! lower {
    ($file:expr, $method:ident $(, $arg:expr)*) => {{
        // SAFETY: the lower file was opened by its own VFS, which fills in every method of its
        // version; SQLite calls ours only while the file is open.
        unsafe {
            let file = below($file);
            match (*(*file).pMethods).$method {
                Some(method) => method(file $(, $arg)*),
                None => ffi::SQLITE_IOERR,
            }
        }
    }};
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes an allocation of `szOsFile` bytes and a valid or null name.
    unsafe {
        (*file).pMethods = ptr::null();
        let base = base_of(vfs);
        let path = (!name.is_null()).then(|| path_of(name));
        let is_new = path.as_ref().is_some_and(|path| !path.exists());
        let Some(base_open) = (*base).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let code = base_open(base, name, below(file), flags, out_flags);
        if code != ffi::SQLITE_OK {
            return code;
        }
        let app = (*vfs).pAppData.cast::<App>();
        let journal = flags & (ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_WAL) != 0;
        ptr::write(
            file.cast::<File>(),
            File {
                header: ffi::sqlite3_file {
                    pMethods: &raw const METHODS,
                },
                app,
                path: path
                    .clone()
                    .map_or(ptr::null_mut(), |path| Box::into_raw(Box::new(path))),
                directory_pending: journal && flags & ffi::SQLITE_OPEN_CREATE != 0,
            },
        );
        if let Some(path) = path {
            let mut trace = (*app).trace.lock().unwrap_or_else(PoisonError::into_inner);
            trace.seen.insert(path.clone());
            if is_new {
                trace.sizes.insert(path.clone(), 0);
                trace.ops.push(Op::Create(path));
            }
        }
        code
    }
}

unsafe fn path_of(name: *const c_char) -> PathBuf {
    // SAFETY: SQLite's names end in NUL and outlive the call.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes();
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the path was boxed by `open`, and SQLite closes a file once.
    unsafe {
        let ours = file.cast::<File>();
        if !(*ours).path.is_null() {
            drop(Box::from_raw((*ours).path));
            (*ours).path = ptr::null_mut();
        }
    }
    lower!(file, xClose)
}

/// Runs a mutating call: records it, unless the injection says that it has no effect.
unsafe fn mutate(
    file: *mut ffi::sqlite3_file,
    io_error: c_int,
    record: impl FnOnce(&PathBuf) -> Op,
    perform: impl FnOnce() -> c_int,
) -> c_int {
    // SAFETY: `file` is ours and open.
    let ours = unsafe { &*file.cast::<File>() };
    let Some(path) = ours.path() else {
        return perform();
    };
    let mut trace = ours.trace();
    let struck = trace.strikes();
    if struck.is_none_or(|injection| injection.persisted) {
        let op = record(path);
        if let Op::Write { offset, data, .. } = &op
            && !trace.take_room(path, (offset + data.len()) as u64)
        {
            return ffi::SQLITE_FULL;
        }
        if let Op::Truncate { size, .. } = &op {
            trace.sizes.insert(path.clone(), *size as u64);
        }
        // The call is made under the lock, so that the record has the order of the disk.
        let code = perform();
        if code != ffi::SQLITE_OK {
            return code;
        }
        trace.ops.push(op);
    }
    match struck.map(|injection| injection.failure) {
        None => ffi::SQLITE_OK,
        Some(Failure::Io) => io_error,
        Some(Failure::Full) => ffi::SQLITE_FULL,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let length = usize::try_from(amount).unwrap_or(0);
    let record = |path: &PathBuf| Op::Write {
        path: path.clone(),
        offset: usize::try_from(offset).unwrap_or(0),
        // SAFETY: SQLite passes `amount` readable bytes.
        data: unsafe { std::slice::from_raw_parts(data.cast::<u8>(), length) }.to_vec(),
    };
    let perform = || lower!(file, xWrite, data, amount, offset);
    // SAFETY: an open file of ours.
    unsafe { mutate(file, ffi::SQLITE_IOERR_WRITE, record, perform) }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    let record = |path: &PathBuf| Op::Truncate {
        path: path.clone(),
        size: usize::try_from(size).unwrap_or(0),
    };
    let perform = || lower!(file, xTruncate, size);
    // SAFETY: an open file of ours.
    unsafe { mutate(file, ffi::SQLITE_IOERR_TRUNCATE, record, perform) }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: an open file of ours; SQLite uses one file from one thread at a time.
    let (upto, directory) = unsafe {
        let ours = &mut *file.cast::<File>();
        let upto = ours.trace().ops.len();
        (upto, std::mem::take(&mut ours.directory_pending))
    };
    let record = |path: &PathBuf| Op::Sync {
        path: path.clone(),
        upto,
        directory,
    };
    let perform = || lower!(file, xSync, flags);
    // SAFETY: as above.
    unsafe { mutate(file, ffi::SQLITE_IOERR_FSYNC, record, perform) }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    data: *mut c_void,
    amount: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    lower!(file, xRead, data, amount, offset)
}

unsafe extern "C" fn file_size(
    file: *mut ffi::sqlite3_file,
    size: *mut ffi::sqlite3_int64,
) -> c_int {
    lower!(file, xFileSize, size)
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    lower!(file, xLock, level)
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    lower!(file, xUnlock, level)
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    lower!(file, xCheckReservedLock, out)
}

unsafe extern "C" fn file_control(
    file: *mut ffi::sqlite3_file,
    op: c_int,
    arg: *mut c_void,
) -> c_int {
    lower!(file, xFileControl, op, arg)
}

unsafe extern "C" fn sector_size(file: *mut ffi::sqlite3_file) -> c_int {
    lower!(file, xSectorSize)
}

unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    // Nothing is promised: no atomic writes, no safe append, no power-safe overwrite.
    0
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    lower!(file, xShmMap, page, size, extend, out)
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    offset: c_int,
    n: c_int,
    flags: c_int,
) -> c_int {
    lower!(file, xShmLock, offset, n, flags)
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: as in `lower!`; this method answers nothing.
    unsafe {
        let file = below(file);
        if let Some(method) = (*(*file).pMethods).xShmBarrier {
            method(file);
        }
    }
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, delete: c_int) -> c_int {
    lower!(file, xShmUnmap, delete)
}

unsafe extern "C" fn delete(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_dir: c_int,
) -> c_int {
    // SAFETY: SQLite passes our registered VFS and a valid name.
    unsafe {
        let base = base_of(vfs);
        let Some(method) = (*base).xDelete else {
            return ffi::SQLITE_IOERR;
        };
        let code = method(base, name, sync_dir);
        if code == ffi::SQLITE_OK {
            let path = path_of(name);
            let app = (*vfs).pAppData.cast::<App>();
            let mut trace = (*app).trace.lock().unwrap_or_else(PoisonError::into_inner);
            trace.sizes.remove(&path);
            trace.ops.push(Op::Delete {
                path,
                directory: sync_dir != 0,
            });
        }
        code
    }
}

/// Calls a method of the VFS below: `base!(vfs, xAccess, args…)`.
macro_rules! base {
    ($vfs:expr, $method:ident $(, $arg:expr)*) => {{
        // SAFETY: the lower VFS is SQLite's own and stays registered.
        unsafe {
            let base = base_of($vfs);
            match (*base).$method {
                Some(method) => method(base $(, $arg)*),
                None => ffi::SQLITE_ERROR,
            }
        }
    }};
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    base!(vfs, xAccess, name, flags, out)
}

unsafe extern "C" fn full_pathname(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    base!(vfs, xFullPathname, name, length, out)
}

unsafe extern "C" fn randomness(
    vfs: *mut ffi::sqlite3_vfs,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    base!(vfs, xRandomness, length, out)
}

unsafe extern "C" fn sleep(vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    base!(vfs, xSleep, microseconds)
}

unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    base!(vfs, xCurrentTime, out)
}

unsafe extern "C" fn get_last_error(
    vfs: *mut ffi::sqlite3_vfs,
    length: c_int,
    out: *mut c_char,
) -> c_int {
    base!(vfs, xGetLastError, length, out)
}

unsafe extern "C" fn current_time_int64(
    vfs: *mut ffi::sqlite3_vfs,
    out: *mut ffi::sqlite3_int64,
) -> c_int {
    base!(vfs, xCurrentTimeInt64, out)
}
