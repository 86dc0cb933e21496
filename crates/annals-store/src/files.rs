//! Writing files so that they are still there after a power cut.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::StoreError;
use crate::bucket::Remote;
use crate::manifest::Listed;
use crate::recent::SegmentId;
use crate::segment::ReadAt;

/// The calls that change files of segments. There is the system's own, and what tests put around it to see
/// what a power cut would leave.
pub trait Files: Send + Sync {
    /// Makes a file that only the owner can read, or empties it.
    ///
    /// # Errors
    /// Those of the system.
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>>;
    /// Gives a file another name; one that has it already is gone.
    ///
    /// # Errors
    /// Those of the system.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// Those of the system.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// Those of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// A file that is being written.
pub trait WriteFile: Write + Send {
    /// Waits until everything written is on the disk.
    ///
    /// # Errors
    /// Those of the system.
    fn sync(&mut self) -> io::Result<()>;
}

/// The files of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemFiles;

impl Files for SystemFiles {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

impl WriteFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Immutable objects by name, in one folder. A name either holds a whole object or nothing.
///
/// Where there is a bucket, segments are made here, move there before they count, and are read from there; their
/// indexes stay here, so that looking for an id never waits for the network.
pub(crate) struct Blobs {
    folder: PathBuf,
    files: Arc<dyn Files>,
    remote: Option<Remote>,
}

/// What was written under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) sha256: [u8; 32],
}

/// An object that is being written; nobody sees it before it is finished.
pub(crate) struct BlobWriter {
    file: Box<dyn WriteFile>,
    buffer: Vec<u8>,
    bytes: u64,
    hash: Sha256,
}

/// Few calls, and still little memory.
const BUFFER_BYTES: usize = 256 << 10;

/// What is written has this behind its name until it is whole.
const UNFINISHED: &str = ".new";

impl Blobs {
    /// The objects in a folder, which is made if it is not there.
    pub(crate) fn open(folder: PathBuf, files: Arc<dyn Files>) -> Result<Blobs, StoreError> {
        let blobs = Blobs {
            folder,
            files,
            remote: None,
        };
        let made = || {
            if blobs.folder.is_dir() {
                return Ok(());
            }
            DirBuilder::new().mode(0o700).create(&blobs.folder)?;
            let parent = blobs.folder.parent().unwrap_or(&blobs.folder);
            blobs.files.sync_folder(parent)
        };
        blobs.at("", made())?;
        Ok(blobs)
    }

    /// The same with segments in a bucket, if there is one.
    pub(crate) fn with_remote(self, remote: Option<Remote>) -> Blobs {
        Blobs { remote, ..self }
    }

    pub(crate) fn remote(&self) -> Option<&Remote> {
        self.remote.as_ref()
    }

    /// The file of a segment.
    pub(crate) fn file_of(&self, segment: &Listed) -> Result<Arc<dyn ReadAt>, StoreError> {
        match &self.remote {
            Some(remote) => remote.get(segment),
            None => self.get(&segment.file_name()),
        }
    }

    /// The same as it lies there now, past what memory has of it.
    pub(crate) fn file_afresh(&self, segment: &Listed) -> Result<Arc<dyn ReadAt>, StoreError> {
        match &self.remote {
            Some(remote) => remote.afresh().get(segment),
            None => self.get(&segment.file_name()),
        }
    }

    /// Lets go of what memory has of a segment.
    pub(crate) fn forget(&self, segment: SegmentId) {
        if let Some(remote) = &self.remote {
            remote.forget(&[segment]);
        }
    }

    /// The index of a segment.
    pub(crate) fn index_of(&self, segment: &Listed) -> Result<Arc<dyn ReadAt>, StoreError> {
        self.get(&segment.index_name())
    }

    /// Brings a segment that was made here to where it is read from.
    pub(crate) fn publish(&self, segment: &Listed) -> Result<(), StoreError> {
        let Some(remote) = &self.remote else {
            return Ok(());
        };
        let name = segment.file_name();
        remote.put(segment, &self.folder.join(&name))?;
        self.delete(&name)
    }

    /// Whether the file of a segment lies here.
    pub(crate) fn is_here(&self, segment: &Listed) -> bool {
        self.folder.join(segment.file_name()).exists()
    }

    /// Deletes what does not belong to one of these segments, here and in the bucket.
    pub(crate) fn delete_others(&self, counting: &[Listed]) -> Result<(), StoreError> {
        let mut known: HashSet<String> = counting.iter().map(Listed::index_name).collect();
        if self.remote.is_none() {
            known.extend(counting.iter().map(Listed::file_name));
        }
        for name in self.list()? {
            if !known.contains(&name) {
                tracing::info!(name, "what an interrupted seal or merge left is deleted");
                self.delete(&name)?;
            }
        }
        match &self.remote {
            Some(remote) => remote.delete_others(counting),
            None => Ok(()),
        }
    }

    /// Writes an object: `write` fills it. It is there, and durable, when this returns.
    pub(crate) fn put<T>(
        &self,
        name: &str,
        write: impl FnOnce(BlobWriter) -> Result<(BlobWriter, T), StoreError>,
    ) -> Result<(Written, T), StoreError> {
        let unfinished = format!("{name}{UNFINISHED}");
        let path = self.folder.join(&unfinished);
        let writer = BlobWriter {
            file: self.at(&unfinished, self.files.create(&path))?,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            bytes: 0,
            hash: Sha256::new(),
        };
        let finish = |(mut writer, result): (BlobWriter, T)| {
            self.at(&unfinished, writer.pass_on())?;
            // The name must not be durable before what it names.
            self.at(&unfinished, writer.file.sync())?;
            let sha256 = writer.hash.finalize().into();
            self.at(name, self.files.rename(&path, &self.folder.join(name)))?;
            self.at(name, self.files.sync_folder(&self.folder))?;
            let bytes = writer.bytes;
            Ok((Written { bytes, sha256 }, result))
        };
        let result = write(writer).and_then(finish);
        if result.is_err() {
            let _ = self.files.remove(&path);
        }
        result
    }

    /// An object to read from. It stays readable when its name is deleted.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<dyn ReadAt>, StoreError> {
        let open = || {
            let file = File::open(self.folder.join(name))?;
            let size = file.metadata()?.len();
            Ok(OpenFile { file, size })
        };
        Ok(Arc::new(self.at(name, open())?))
    }

    /// The names of all objects, and of what was not finished.
    pub(crate) fn list(&self) -> Result<Vec<String>, StoreError> {
        let names = || {
            let entries = fs::read_dir(&self.folder)?;
            let name = |entry: io::Result<fs::DirEntry>| -> io::Result<String> {
                Ok(entry?.file_name().to_string_lossy().into_owned())
            };
            entries.map(name).collect()
        };
        self.at("", names())
    }

    /// Deletes an object. It is no error if it is not there.
    pub(crate) fn delete(&self, name: &str) -> Result<(), StoreError> {
        match self.files.remove(&self.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => self.at(name, Err(error)),
            _ => Ok(()),
        }
    }

    fn at<T>(&self, name: &str, result: io::Result<T>) -> Result<T, StoreError> {
        result.map_err(|source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::DiskFull,
            _ => StoreError::File {
                path: self.folder.join(name),
                source,
            },
        })
    }
}

impl BlobWriter {
    fn pass_on(&mut self) -> io::Result<()> {
        self.hash.update(&self.buffer);
        self.file.write_all(&self.buffer)?;
        self.bytes += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES {
            self.pass_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pass_on()
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blobs")
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

struct OpenFile {
    file: File,
    size: u64,
}

impl ReadAt for OpenFile {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        // A length that was read from a damaged file must not take memory.
        let end = u64::try_from(length)
            .ok()
            .and_then(|n| offset.checked_add(n));
        if end.is_none_or(|end| end > self.size) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes.into())
    }

    fn size(&self) -> u64 {
        self.size
    }
}
