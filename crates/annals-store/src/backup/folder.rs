//! The folder of a backup, and what is copied into it.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::StepResult;
use sha2::{Digest as _, Sha256};

use super::contents::{Contents, FILES, Stored};
use super::{
    BackupError, BackupOptions, BackupReport, CopyProgress, PIECE_BYTES, at, make_folder, path_of,
    refused,
};
use crate::bucket::claim;
use crate::database::{self, hex};
use crate::files::{Blobs, Files as _, SystemFiles, Written};
use crate::journal::to_usize;
use crate::manifest;
use crate::recent::SegmentId;
use crate::segment::{Flaw, FlawKind, ReadAt};
use crate::snapshot::Held;
use crate::{Clock as _, StoreError, SystemClock};

/// The name of the lock in the folder of a backup. It also tells the folder from others before the first backup in it
/// is whole.
const LOCK: &str = "backup.lock";

/// How many pages of the database are copied at once.
const PAGES: i32 = 256;

/// The folder of a backup, held against others.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    files: Blobs,
    /// What is there, by name, with its length.
    there: HashMap<String, u64>,
    _lock: File,
}

/// What was copied so far.
pub(super) struct Copied {
    pub(super) contents: Contents,
    pub(super) report: BackupReport,
}

impl Folder {
    pub(super) fn open(data: &Path, target: &Path) -> Result<Folder, BackupError> {
        let data = at(data, fs::canonicalize(data))?;
        make_folder(target)?;
        let path = at(target, fs::canonicalize(target))?;
        if path.starts_with(&data) {
            return Err(refused(
                &path,
                "lies in the data directory; a backup belongs elsewhere, best on another disk",
            ));
        }
        let is_empty = at(&path, fs::read_dir(&path))?
            .all(|entry| entry.is_ok_and(|entry| entry.file_name() == "lost+found"));
        if !is_empty && !path.join(LOCK).exists() {
            return Err(refused(
                &path,
                "is neither empty nor the folder of a backup",
            ));
        }
        let lock_path = path.join(LOCK);
        let mut how = OpenOptions::new();
        let how = how.create(true).truncate(false).write(true).mode(0o600);
        let lock = at(&lock_path, how.open(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(refused(&path, "is in use by another backup"));
            }
            Err(TryLockError::Error(source)) => {
                return Err(StoreError::File {
                    path: lock_path,
                    source,
                }
                .into());
            }
        }
        let files = Blobs::open(path.join(FILES), Arc::new(SystemFiles))?;
        Ok(Folder {
            path,
            files,
            there: HashMap::new(),
            _lock: lock,
        })
    }

    /// Takes in what is there.
    pub(super) fn look(&mut self) -> Result<(), StoreError> {
        for name in self.files.list()? {
            let bytes = self.files.get(&name)?.size();
            self.there.insert(name, bytes);
        }
        Ok(())
    }

    /// Copies the database, as of the moment of the transaction.
    pub(super) fn begin(
        &self,
        connection: &Connection,
        segments: &[Held],
        origin: String,
        so_far: &mut CopyProgress,
        progress: &mut dyn FnMut(CopyProgress),
    ) -> Result<Copied, BackupError> {
        let sealed = segments.last().map_or(0, Held::last_group);
        let group: u64 = connection.query_row(
            "select coalesce(max(group_id), ?) from journal",
            [sealed],
            |row| row.get(0),
        )?;
        let migration = database::version(connection)?;
        let database = self.copy_database(connection, so_far, progress)?;
        let report = BackupReport {
            group,
            segments: segments.len() as u64,
            copied: database.bytes,
            ..BackupReport::default()
        };
        let contents = Contents {
            program: env!("CARGO_PKG_VERSION").to_owned(),
            made_at: SystemClock.now().to_string(),
            origin,
            migration,
            group,
            installation_key: None,
            missing: Vec::new(),
            files: vec![database],
        };
        Ok(Copied { contents, report })
    }

    /// Copies what the folder does not have of the segments.
    pub(super) fn copy_segments(
        &self,
        segments: &[Held],
        options: &BackupOptions,
        copied: &mut Copied,
        so_far: &mut CopyProgress,
        progress: &mut dyn FnMut(CopyProgress),
    ) -> Result<(), BackupError> {
        let Copied { contents, report } = copied;
        for wanted in segments.iter().flat_map(Wanted::of) {
            let path = path_of(&wanted.name);
            if self.has(&wanted) && (!options.verify || self.is_as_written(&wanted)?) {
                contents.files.push(wanted.stored(path));
                continue;
            }
            match self.copy_file(&wanted, &path, so_far, progress)? {
                Some(stored) => {
                    report.copied += stored.bytes;
                    if stored.sha256 != hex(&wanted.sha256) {
                        report.damaged.push(path);
                    }
                    contents.files.push(stored);
                }
                None => {
                    report.damaged.push(path.clone());
                    contents.missing.push(path);
                }
            }
        }
        Ok(())
    }

    /// How many bytes of the segments are to be copied.
    pub(super) fn missing(&self, segments: &[Held]) -> u64 {
        let wanted = segments.iter().flat_map(Wanted::of);
        wanted
            .filter(|wanted| !self.has(wanted))
            .map(|wanted| wanted.bytes)
            .sum()
    }

    fn has(&self, wanted: &Wanted<'_>) -> bool {
        self.there.get(&wanted.stored_as()) == Some(&wanted.bytes)
    }

    fn is_as_written(&self, wanted: &Wanted<'_>) -> Result<bool, StoreError> {
        let source = self.files.get(&wanted.stored_as())?;
        let written = Written {
            bytes: wanted.bytes,
            sha256: wanted.sha256,
        };
        Ok(manifest::is_as_written(&source, &written).unwrap_or(false))
    }

    /// Copies the database page by page, as the transaction sees it.
    fn copy_database(
        &self,
        connection: &Connection,
        so_far: &mut CopyProgress,
        progress: &mut dyn FnMut(CopyProgress),
    ) -> Result<Stored, BackupError> {
        let path = self.path.join(FILES).join("annals.db.new");
        for name in [path.clone(), path.with_extension("new-journal")] {
            match fs::remove_file(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => at(&name, Err(error))?,
                _ => {}
            }
        }
        let mut how = OpenOptions::new();
        at(
            &path,
            how.create_new(true).write(true).mode(0o600).open(&path),
        )?;
        let page_size: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let mut copy = Connection::open(&path)?;
        // If it is interrupted, it does not count anyway.
        copy.pragma_update(None, "journal_mode", "off")?;
        copy.pragma_update(None, "synchronous", "off")?;
        {
            let steps = rusqlite::backup::Backup::new(connection, &mut copy)?;
            let mut counted = 0;
            loop {
                let step = steps.step(PAGES)?;
                let pages = steps.progress();
                let number = |pages: i32| u64::try_from(pages).unwrap_or_default() * page_size;
                let (all, done) = (
                    number(pages.pagecount),
                    number(pages.pagecount - pages.remaining),
                );
                if counted == 0 {
                    so_far.total += all;
                }
                so_far.done += done.saturating_sub(counted);
                counted = done.max(1);
                progress(*so_far);
                match step {
                    StepResult::Done => break,
                    StepResult::Busy | StepResult::Locked => {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                    _ => {}
                }
            }
        }
        claim::leave(&copy)?;
        copy.close().map_err(|(_, error)| error)?;
        let mut file = at(&path, File::open(&path))?;
        let (bytes, sha256) = at(&path, hash_of(&mut file))?;
        at(&path, file.sync_all())?;
        let name = stored_as("annals", "db", &sha256);
        let stored = self.path.join(FILES).join(&name);
        at(&stored, SystemFiles.rename(&path, &stored))?;
        at(&stored, SystemFiles.sync_folder(&self.path.join(FILES)))?;
        Ok(Stored {
            path: database::FILE.to_owned(),
            file: name,
            bytes,
            sha256: hex(&sha256),
        })
    }

    /// Copies a file of a segment; `None` if it cannot be read.
    fn copy_file(
        &self,
        wanted: &Wanted<'_>,
        path: &str,
        so_far: &mut CopyProgress,
        progress: &mut dyn FnMut(CopyProgress),
    ) -> Result<Option<Stored>, BackupError> {
        let Ok(source) = wanted.source else {
            return Ok(None);
        };
        let mut unreadable = false;
        let copied = self.files.put(&wanted.stored_as(), |mut out| {
            let mut offset = 0;
            while offset < source.size() {
                let length = to_usize(source.size() - offset).min(PIECE_BYTES);
                let piece = source.read_at(offset, length).map_err(|error| {
                    let flaw = Flaw::from(error);
                    unreadable = flaw.1 == FlawKind::Damaged;
                    manifest::damaged(wanted.id, &flaw)
                })?;
                let written = out.write_all(&piece);
                written.map_err(|source| StoreError::File {
                    path: self.path.clone(),
                    source,
                })?;
                offset += length as u64;
                so_far.done += length as u64;
                progress(*so_far);
            }
            Ok((out, ()))
        });
        let written = match copied {
            Ok((written, ())) => written,
            Err(_) if unreadable => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut file = wanted.stored_as();
        if written.sha256 != wanted.sha256 {
            // It must not stand there under the name of what it should have been.
            let (stem, kind) = wanted
                .name
                .split_once('.')
                .unwrap_or((&wanted.name, "damaged"));
            let folder = self.path.join(FILES);
            let name = stored_as(stem, kind, &written.sha256);
            at(
                &folder,
                SystemFiles.rename(&folder.join(&file), &folder.join(&name)),
            )?;
            at(&folder, SystemFiles.sync_folder(&folder))?;
            file = name;
        }
        Ok(Some(Stored {
            path: path.to_owned(),
            file,
            bytes: written.bytes,
            sha256: hex(&written.sha256),
        }))
    }

    /// Writes a small file.
    pub(super) fn write(&self, stem: &str, kind: &str, bytes: &[u8]) -> Result<Stored, StoreError> {
        let sha256: [u8; 32] = Sha256::digest(bytes).into();
        let file = stored_as(stem, kind, &sha256);
        let (written, ()) = self.files.put(&file, |mut out| {
            out.write_all(bytes).map_err(StoreError::Output)?;
            Ok((out, ()))
        })?;
        Ok(Stored {
            path: String::new(),
            file,
            bytes: written.bytes,
            sha256: hex(&sha256),
        })
    }

    /// Deletes what the backup does not name, such as what the one before had and what an interrupted one left.
    pub(super) fn clean(&self, contents: &Contents) -> Result<(), StoreError> {
        let named: HashSet<&str> = contents
            .files
            .iter()
            .map(|file| file.file.as_str())
            .collect();
        for name in self.files.list()? {
            if !named.contains(name.as_str()) {
                self.files.delete(&name)?;
            }
        }
        Ok(())
    }
}

/// A file of a segment that is to be in the backup.
struct Wanted<'a> {
    id: SegmentId,
    name: String,
    bytes: u64,
    sha256: [u8; 32],
    source: Result<&'a Arc<dyn ReadAt>, ()>,
}

impl<'a> Wanted<'a> {
    fn of(held: &'a Held) -> [Wanted<'a>; 2] {
        let listed = &held.listed;
        [
            Wanted {
                id: listed.id,
                name: listed.file_name(),
                bytes: listed.file.bytes,
                sha256: listed.file.sha256,
                source: held.file.as_ref().map_err(|_| ()),
            },
            Wanted {
                id: listed.id,
                name: listed.index_name(),
                bytes: listed.index.bytes,
                sha256: listed.index.sha256,
                source: held.index.as_ref().map_err(|_| ()),
            },
        ]
    }

    /// Its name in the folder. It tells what is in it, so what is there under it need not be copied.
    fn stored_as(&self) -> String {
        let (stem, kind) = self.name.split_once('.').unwrap_or((&self.name, ""));
        stored_as(stem, kind, &self.sha256)
    }

    fn stored(&self, path: String) -> Stored {
        Stored {
            path,
            file: self.stored_as(),
            bytes: self.bytes,
            sha256: hex(&self.sha256),
        }
    }
}

fn stored_as(stem: &str, kind: &str, sha256: &[u8; 32]) -> String {
    format!("{stem}-{}.{kind}", hex(&sha256[..16]))
}

fn hash_of(file: &mut File) -> io::Result<(u64, [u8; 32])> {
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok((bytes, hash.finalize().into()));
        }
        hash.update(&piece[..length]);
        bytes += length as u64;
    }
}
