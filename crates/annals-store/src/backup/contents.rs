//! `backup.json`: what belongs to a backup.

use std::io::Write as _;
use std::path::{Component, Path};
use std::sync::Arc;

use annals_event::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::{BackupError, FORMAT, at};
use crate::StoreError;
use crate::database::hex;
use crate::files::{Blobs, SystemFiles};

/// The name of the file.
pub(super) const CONTENTS: &str = "backup.json";

/// The folder with all others.
pub(super) const FILES: &str = "files";

/// What a backup holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Contents {
    /// The version of the program that made it.
    pub(super) program: String,
    pub(super) made_at: String,
    /// The installation that it is of.
    pub(super) origin: String,
    /// The last migration of the database.
    pub(super) migration: u32,
    /// The last commit group.
    pub(super) group: u64,
    /// The public key of the installation's own log, by which a signing key is told from another.
    pub(super) installation_key: Option<String>,
    /// Files of segments that could not be read.
    #[serde(default)]
    pub(super) missing: Vec<String>,
    pub(super) files: Vec<Stored>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    /// Where it lies in the data directory.
    pub(super) path: String,
    /// Its name in the folder of the backup.
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// The file as a whole. The hash is over the text of the member before it.
#[derive(Serialize, Deserialize)]
struct Outer<'a> {
    annals: String,
    #[serde(borrow)]
    backup: &'a RawValue,
    sha256: String,
}

/// What every version of the file begins with.
#[derive(Deserialize)]
struct Version {
    annals: String,
}

impl Contents {
    /// What the backup in a folder holds; `None` if there is no whole one.
    pub(super) fn read(folder: &Path) -> Result<Option<Contents>, BackupError> {
        let path = folder.join(CONTENTS);
        let text = match std::fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => String::new(),
            text => at(&path, text)?,
        };
        let damaged = |what: &str| BackupError::Damaged(vec![format!("{CONTENTS} {what}")]);
        let version: Version =
            serde_json::from_str(&text).map_err(|_| damaged("cannot be read"))?;
        if version.annals != FORMAT {
            return Err(StoreError::NewerFormat {
                what: "the backup".to_owned(),
                found: version.annals,
                known: FORMAT,
            }
            .into());
        }
        let outer: Outer<'_> =
            serde_json::from_str(&text).map_err(|_| damaged("cannot be read"))?;
        if hex(&Sha256::digest(outer.backup.get())) != outer.sha256 {
            return Err(damaged("is not as it was written"));
        }
        let contents: Contents =
            serde_json::from_str(outer.backup.get()).map_err(|_| damaged("cannot be read"))?;
        // It may come from anywhere; nothing in it may lead out of the two directories.
        let leads_out = |path: &str| {
            let path = Path::new(path);
            !path
                .components()
                .all(|part| matches!(part, Component::Normal(_)))
        };
        let is_bad = |file: &Stored| {
            leads_out(&file.path)
                || leads_out(&file.file)
                || Path::new(&file.file).components().count() != 1
        };
        if contents.files.iter().any(is_bad) || Timestamp::parse(&contents.made_at).is_err() {
            return Err(damaged("names files that no backup has"));
        }
        Ok(Some(contents))
    }

    /// Makes this the backup that the folder holds.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let failed = |error: serde_json::Error| StoreError::Output(error.into());
        let backup = serde_json::value::to_raw_value(self).map_err(failed)?;
        let outer = Outer {
            annals: FORMAT.to_owned(),
            sha256: hex(&Sha256::digest(backup.get())),
            backup: &backup,
        };
        let text = serde_json::to_string(&outer).map_err(failed)?;
        let blobs = Blobs::open(folder.to_owned(), Arc::new(SystemFiles))?;
        let (_, ()) = blobs.put(CONTENTS, |mut out| {
            writeln!(out, "{text}").map_err(StoreError::Output)?;
            Ok((out, ()))
        })?;
        Ok(())
    }
}
