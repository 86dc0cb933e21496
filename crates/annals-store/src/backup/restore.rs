//! A backup becomes a data directory again.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annals_merkle::SigningKey;

use super::contents::{CONTENTS, Contents, FILES, Stored};
use super::{BackupError, CopyProgress, PIECE_BYTES, at, make_folder, refused};
use crate::database::{hex, known_version};
use crate::directory::{SIGNING_KEY, read_signing_key};
use crate::files::{Blobs, Files as _, SystemFiles};
use crate::journal::to_usize;
use crate::{CheckReport, StoreError, check};

/// What was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// When the backup was made.
    pub made_at: String,
    /// The origin of the installation, which begins the names of its logs.
    pub origin: String,
    /// What a check of all of it has found.
    pub report: CheckReport,
    /// What is damaged or missing in the backup itself. Only if that was to be accepted.
    pub damaged: Vec<String>,
    /// Whether the signing key is in place. Without it the installation cannot be started.
    pub has_key: bool,
}

/// Makes the directory `data` of the backup in the folder `backup`, with the signing key in the file `key`.
///
/// Every file is compared with its hash while it is copied, and then everything in it is checked. The directory is there
/// when all of that went well, and not before. `accept_damage` restores what can be restored of a backup
/// that is not whole.
///
/// # Errors
/// [`BackupError::Refused`] if `data` is not empty, if there is no whole backup, or if the key is another one;
/// [`BackupError::Damaged`]; [`StoreError::Newer`] and [`StoreError::NewerFormat`] if a later version made it.
pub fn restore(
    backup: &Path,
    data: &Path,
    key: Option<&Path>,
    accept_damage: bool,
    progress: &mut dyn FnMut(CopyProgress),
) -> Result<Restored, BackupError> {
    let Some(contents) = Contents::read(backup)? else {
        return Err(refused(
            backup,
            format!("holds no whole backup: there is no {CONTENTS} in it"),
        ));
    };
    let (found, known) = (contents.migration, known_version());
    if found > known {
        return Err(StoreError::Newer { found, known }.into());
    }
    let key = match key {
        Some(file) => Some(matching_key(&contents, file)?),
        None => None,
    };
    let unfinished = place_for(data)?;
    make_folder(&unfinished)?;
    let result = fill(
        backup,
        &unfinished,
        &contents,
        key.as_ref(),
        accept_damage,
        progress,
    );
    let restored = match result {
        Ok(restored) => restored,
        Err(error) => {
            // It is ours, and nobody has seen it.
            let _ = fs::remove_dir_all(&unfinished);
            return Err(error);
        }
    };
    // COMMIT POINT: the directory is there, as a whole.
    at(data, SystemFiles.rename(&unfinished, data))?;
    let parent = parent_of(data);
    at(&parent, SystemFiles.sync_folder(&parent))?;
    Ok(restored)
}

/// Where the directory is made until it is whole: beside its place, so that it can take it in one step.
fn place_for(data: &Path) -> Result<PathBuf, BackupError> {
    let name = data
        .file_name()
        .ok_or_else(|| refused(data, "is not the name of a directory"))?;
    match fs::read_dir(data) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                return Err(refused(
                    data,
                    "is not empty; a backup is restored into a new directory",
                ));
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => {
            let path = data.to_owned();
            return Err(StoreError::File { path, source }.into());
        }
    }
    let mut unfinished = name.to_owned();
    unfinished.push(".restoring");
    let unfinished = parent_of(data).join(unfinished);
    if unfinished.exists() {
        return Err(refused(
            &unfinished,
            "is what an interrupted restore has left, or one is running; delete it if none is",
        ));
    }
    make_folder(&parent_of(data))?;
    Ok(unfinished)
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The key in a file, if it is the installation's.
fn matching_key(contents: &Contents, file: &Path) -> Result<SigningKey, BackupError> {
    let key = read_signing_key(file)?;
    let name = format!("{}/w/0", contents.origin);
    let found = key.for_log(&name).ok().map(|key| key.to_string());
    match &contents.installation_key {
        Some(expected) if found.as_ref() != Some(expected) => {
            Err(refused(file, "is the key of another installation"))
        }
        _ => Ok(key),
    }
}

fn fill(
    backup: &Path,
    data: &Path,
    contents: &Contents,
    key: Option<&SigningKey>,
    accept_damage: bool,
    progress: &mut dyn FnMut(CopyProgress),
) -> Result<Restored, BackupError> {
    let source = Blobs::open(backup.join(FILES), Arc::new(SystemFiles))?;
    let mut damaged: Vec<String> = contents
        .missing
        .iter()
        .map(|path| format!("{path} could not be read when the backup was made"))
        .collect();
    let mut so_far = CopyProgress {
        done: 0,
        total: contents.files.iter().map(|file| file.bytes).sum(),
    };
    for file in &contents.files {
        if let Some(what) = copy(&source, data, file, &mut so_far, progress)? {
            damaged.push(format!("{} {what}", file.path));
        }
    }
    if !damaged.is_empty() && !accept_damage {
        return Err(BackupError::Damaged(damaged));
    }
    if let Some(key) = key {
        let path = data.join(SIGNING_KEY);
        let folder = Blobs::open(parent_of(&path), Arc::new(SystemFiles))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (_, ()) = folder.put(&name, |mut out| {
            out.write_all(&key.to_bytes()[..])
                .map_err(StoreError::Output)?;
            Ok((out, ()))
        })?;
    }
    let report = check(data, &mut |_| {})?;
    if !report.problems.is_empty() && !accept_damage {
        let problem = |problem: &crate::CheckProblem| {
            let place = problem
                .file
                .as_deref()
                .or(problem.log.as_deref())
                .unwrap_or("the log");
            format!("{place}: {}", problem.what)
        };
        return Err(BackupError::Damaged(
            report.problems.iter().map(problem).collect(),
        ));
    }
    at(data, SystemFiles.sync_folder(data))?;
    Ok(Restored {
        made_at: contents.made_at.clone(),
        origin: contents.origin.clone(),
        report,
        damaged,
        has_key: key.is_some(),
    })
}

/// Copies a file to its place. What is wrong with it, if something is.
fn copy(
    source: &Blobs,
    data: &Path,
    file: &Stored,
    so_far: &mut CopyProgress,
    progress: &mut dyn FnMut(CopyProgress),
) -> Result<Option<String>, BackupError> {
    let stored = match source.get(&file.file) {
        Ok(stored) => stored,
        Err(StoreError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Some("is missing".to_owned()));
        }
        Err(error) => return Err(error.into()),
    };
    let path = data.join(&file.path);
    let folder = Blobs::open(parent_of(&path), Arc::new(SystemFiles))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut unreadable = None;
    let (written, ()) = folder.put(&name, |mut out| {
        let mut offset = 0;
        while offset < stored.size() {
            let length = to_usize(stored.size() - offset).min(PIECE_BYTES);
            match stored.read_at(offset, length) {
                Ok(piece) => out.write_all(&piece).map_err(StoreError::Output)?,
                Err(error) => {
                    unreadable = Some(format!("cannot be read: {error}"));
                    break;
                }
            }
            offset += length as u64;
            so_far.done += length as u64;
            progress(*so_far);
        }
        Ok((out, ()))
    })?;
    let is_same = written.bytes == file.bytes && hex(&written.sha256) == file.sha256;
    Ok(unreadable.or_else(|| (!is_same).then(|| "is not as it was written".to_owned())))
}
