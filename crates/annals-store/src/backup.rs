//! Copies of an installation: made while it serves, compared when they are restored.
//!
//! A backup is a folder. Its file `backup.json` names the files that belong to it, with length and SHA-256, and is
//! replaced in one step when all of them are there and durable: so a backup that was interrupted is the one
//! before. What the folder has already is not copied again, and what the new backup does not name is
//! deleted last.
//!
//! Where segments lie in an object store, they are read from there: a backup holds everything that a restore needs. And
//! what it is restored to lies on one disk again, whatever the original used; so the copy of the database does not know
//! of the object store.
//!
//! The signing key is not in it. Whoever finds a backup can read the log; whoever finds it with the key could also
//! sign another one in its name.

mod contents;
mod folder;
mod restore;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annals_merkle::SigningKey;
use zeroize::Zeroizing;

use crate::database::{Location, meta};
use crate::directory::{SIGNING_KEY, read_signing_key};
use crate::files::{Files as _, SystemFiles};
use crate::manifest;
use crate::snapshot::{Held, at_one_moment};
use crate::start::SEGMENTS;
use crate::{Bucket, StoreError};

use contents::{Contents, Stored};
use folder::Folder;
pub use restore::{Restored, restore};

/// The format of `backup.json`.
const FORMAT: &str = "backup/v1";

/// The name of the settings, which the program keeps beside the store's own files.
const SETTINGS: &str = "operator.toml";

/// How much is copied at once.
const PIECE_BYTES: usize = 4 << 20;

/// How often it is begun again where segments are merged away before they were read.
const ATTEMPTS: u32 = 5;

/// What is to be in a backup besides the log.
#[derive(Clone, Debug, Default)]
pub struct BackupOptions {
    /// The text of the settings, without secrets.
    pub settings: Option<String>,
    /// A file outside of the backup into which the signing key is copied.
    pub keys: Option<PathBuf>,
    /// Read again what the folder has already, and replace what is not as it was written.
    pub verify: bool,
}

/// What a backup holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// The last commit group in it.
    pub group: u64,
    /// How many segments.
    pub segments: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of those that were copied now; the folder had the others.
    pub copied: u64,
    /// Files that are damaged in the installation, and of which the folder has no earlier copy that is not. They are
    /// in the backup as they are, or missing in it.
    pub damaged: Vec<String>,
}

/// How far copying is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyProgress {
    /// Bytes that were copied.
    pub done: u64,
    /// Bytes to copy, as far as is known.
    pub total: u64,
}

/// Why there is no backup, or it was not restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Reading or writing failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder cannot be used for this.
    #[error("{} {what}", path.display())]
    Refused {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// What is in the backup is not what was written.
    #[error("the backup is damaged: {}", .0.join("; "))]
    Damaged(Vec<String>),
}

impl From<rusqlite::Error> for BackupError {
    fn from(error: rusqlite::Error) -> BackupError {
        StoreError::from(error).into()
    }
}

fn refused(path: &Path, what: impl Into<String>) -> BackupError {
    BackupError::Refused {
        path: path.to_owned(),
        what: what.into(),
    }
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, StoreError> {
    result.map_err(|source| StoreError::File {
        path: path.to_owned(),
        source,
    })
}

/// Copies the installation in `data` into the folder `target`, beside the process that has it open. Its segments lie in
/// `bucket`, if there is one.
///
/// Everything is as of one moment: what was acknowledged before this was called is in it.
///
/// # Errors
/// [`BackupError::Refused`] if the folder is used for something else or by another backup, or lies in `data`;
/// [`BackupError::Store`] if something cannot be read or written, or the object store does not answer. The backup that the
/// folder held is still there then.
pub fn backup(
    data: &Path,
    bucket: Option<&Arc<dyn Bucket>>,
    target: &Path,
    options: &BackupOptions,
    progress: &mut dyn FnMut(CopyProgress),
) -> Result<BackupReport, BackupError> {
    let mut folder = Folder::open(data, target)?;
    let before = Contents::read(&folder.path)?;
    let mut attempts = 0;
    let mut copied = loop {
        attempts += 1;
        folder.look()?;
        let mut so_far = CopyProgress { done: 0, total: 0 };
        // The transaction is over when the database is copied; the files of the segments stay open.
        let begun = at_one_moment(data, bucket, |connection, segments| {
            let origin = meta(connection, "origin")?.unwrap_or_default();
            let origin = String::from_utf8_lossy(&origin).into_owned();
            if let Some(before) = before.as_ref().filter(|before| before.origin != origin) {
                let what = format!("holds a backup of another installation, {}", before.origin);
                return Ok(Err(refused(&folder.path, what)));
            }
            so_far.total = folder.missing(&segments);
            let copied = folder.begin(connection, &segments, origin, &mut so_far, progress);
            Ok(copied.map(|copied| (copied, segments)))
        })?;
        let (mut copied, segments) = begun?;
        folder.copy_segments(&segments, options, &mut copied, &mut so_far, progress)?;
        // An object that was merged away is deleted some minutes later, whoever reads it. What was copied stays copied.
        if attempts == ATTEMPTS || all_count(data, &segments, &copied.report.damaged)? {
            break copied;
        }
    };
    if let Some(settings) = &options.settings {
        let written = folder.write("operator", "toml", settings.as_bytes())?;
        copied.contents.files.push(Stored {
            path: SETTINGS.to_owned(),
            ..written
        });
    }
    let key = read_signing_key(&data.join(SIGNING_KEY)).ok();
    copied.contents.installation_key = key.as_ref().and_then(|key| {
        let name = format!("{}/w/0", copied.contents.origin);
        Some(key.for_log(&name).ok()?.to_string())
    });
    if let Some(file) = &options.keys {
        save_key(&folder.path, file, key.as_ref())?;
    }
    copied.report.bytes = copied.contents.files.iter().map(|file| file.bytes).sum();
    // COMMIT POINT: from here on the folder holds this backup, and before it the one before.
    copied.contents.write(&folder.path)?;
    folder.clean(&copied.contents)?;
    Ok(copied.report)
}

/// Whether the segments that are damaged still count.
fn all_count(data: &Path, segments: &[Held], damaged: &[String]) -> Result<bool, StoreError> {
    if damaged.is_empty() {
        return Ok(true);
    }
    let now = manifest::list(&Location::new(data, None).open_reader()?)?;
    let is_damaged = |held: &&Held| {
        let mut names = [held.listed.file_name(), held.listed.index_name()].into_iter();
        names.any(|name| damaged.contains(&path_of(&name)))
    };
    let mut those = segments.iter().filter(is_damaged);
    Ok(those.all(|held| now.contains(&held.listed)))
}

/// Where a file of a segment lies in a data directory.
fn path_of(name: &str) -> String {
    format!("{SEGMENTS}/{name}")
}

/// Makes a folder that only the owner can read, with the folders above it.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let mut folder = fs::DirBuilder::new();
    at(path, folder.recursive(true).mode(0o700).create(path))
}

/// Copies the signing key to where the backup is not.
fn save_key(backup: &Path, file: &Path, key: Option<&SigningKey>) -> Result<(), BackupError> {
    let Some(key) = key else {
        return Err(refused(
            file,
            "cannot be written: the signing key cannot be read",
        ));
    };
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    if at(&parent, fs::canonicalize(&parent))?.starts_with(backup) {
        return Err(refused(
            file,
            "lies in the backup; the key belongs elsewhere, or whoever finds the backup can also sign in its name",
        ));
    }
    let secret = key.to_bytes();
    if file.exists() {
        let known = at(file, fs::read(file).map(Zeroizing::new))?;
        return match known[..] == secret[..] {
            true => Ok(()),
            false => Err(refused(file, "holds something else; it is not overwritten")),
        };
    }
    let mut how = OpenOptions::new();
    let mut out = at(
        file,
        how.create_new(true).write(true).mode(0o600).open(file),
    )?;
    at(
        file,
        out.write_all(&secret[..]).and_then(|()| out.sync_all()),
    )?;
    at(&parent, SystemFiles.sync_folder(&parent))?;
    Ok(())
}
