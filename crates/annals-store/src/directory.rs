//! The files beside the database: the lock, the signing key, and the reserve.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use annals_merkle::SigningKey;
use zeroize::Zeroizing;

use crate::StoreError;

/// Where the signing key lies in it.
pub(crate) const SIGNING_KEY: &str = "keys/signing.key";

/// The signing key in a file.
pub(crate) fn read_signing_key(path: &Path) -> Result<SigningKey, StoreError> {
    let mut secret = Zeroizing::new([0u8; 32]);
    at(
        path,
        File::open(path).and_then(|mut file| file.read_exact(&mut secret[..])),
    )?;
    Ok(SigningKey::from_bytes(&secret))
}

/// An installation's directory, held against every other process.
pub(crate) struct Directory {
    path: PathBuf,
    /// Holds the lock until it is dropped; the system lets go of it if the process dies.
    _lock: File,
}

impl Directory {
    /// Makes the directory if there is none, and locks it.
    pub(crate) fn lock(path: &Path) -> Result<Directory, StoreError> {
        at(
            path,
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path),
        )?;
        let lock_path = path.join("lock");
        let lock = at(
            &lock_path,
            OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&lock_path),
        )?;
        match lock.try_lock() {
            Ok(()) => Ok(Directory {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(fs::TryLockError::WouldBlock) => Err(StoreError::Locked {
                path: path.to_owned(),
            }),
            Err(fs::TryLockError::Error(source)) => Err(StoreError::File {
                path: lock_path,
                source,
            }),
        }
    }

    /// The installation's signing key; a new one if there is none and `may_create`.
    pub(crate) fn signing_key(&self, may_create: bool) -> Result<SigningKey, StoreError> {
        let path = self.path.join(SIGNING_KEY);
        let folder = self.path.join("keys");
        match read_signing_key(&path) {
            // A log that was signed with a lost key must not go on under another one unnoticed.
            Err(StoreError::File { source, .. })
                if may_create && source.kind() == io::ErrorKind::NotFound => {}
            key => return key,
        }
        at(
            &folder,
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder),
        )?;
        let mut secret = Zeroizing::new([0u8; 32]);
        getrandom::fill(&mut secret[..]).map_err(|_| StoreError::Random)?;
        let unfinished = folder.join("signing.key.new");
        let mut file = at(
            &unfinished,
            OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&unfinished),
        )?;
        at(
            &unfinished,
            file.write_all(&secret[..]).and_then(|()| file.sync_all()),
        )?;
        at(&path, fs::rename(&unfinished, &path))?;
        // The name is durable only when the folder is, and the folder's when its parent is.
        sync_folder(&folder)?;
        sync_folder(&self.path)?;
        Ok(SigningKey::from_bytes(&secret))
    }

    /// Sets `bytes` aside on the disk, as a file that is given back when the disk is full.
    /// Whether that succeeded; it is not an error if there is no space for it.
    pub(crate) fn set_aside(&self, bytes: u64) -> bool {
        let path = self.path.join("reserve");
        if fs::metadata(&path).is_ok_and(|file| file.len() == bytes) {
            return true;
        }
        let filled = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| {
                // Written, not only made longer: a sparse file reserves nothing.
                io::copy(&mut io::repeat(0).take(bytes), &mut file)?;
                file.sync_all()
            })
            .is_ok();
        if !filled {
            self.give_back();
        }
        filled
    }

    /// Gives the reserve back to the disk. Whether there was one.
    pub(crate) fn give_back(&self) -> bool {
        fs::remove_file(self.path.join("reserve")).is_ok()
    }
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    at(path, File::open(path).and_then(|folder| folder.sync_all()))
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, StoreError> {
    result.map_err(|source| StoreError::File {
        path: path.to_owned(),
        source,
    })
}
