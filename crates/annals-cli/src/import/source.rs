//! The files to import: which there are, and what is in them once they are unpacked.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, Result};

/// How much is read at once, and looked at to tell what it is.
const BUFFER: usize = 1 << 18;
/// Ends of the names of files that are taken from a directory.
const KINDS: [&str; 3] = ["json", "ndjson", "jsonl"];
const PACKED: [&str; 3] = ["gz", "zst", "zstd"];

/// What the arguments name.
pub(super) struct Found {
    files: Vec<PathBuf>,
    bytes: Option<u64>,
    others: u64,
}

impl Found {
    /// Goes through directories; files that are named are taken whatever they are called.
    pub(super) fn at(paths: &[PathBuf]) -> Result<Found> {
        let mut found = Found {
            files: Vec::new(),
            bytes: Some(0),
            others: 0,
        };
        for path in paths {
            if path.as_os_str() == "-" {
                found.bytes = None;
                found.files.push(path.clone());
                continue;
            }
            let about =
                fs::metadata(path).with_context(|| format!("cannot open {}", path.display()))?;
            if about.is_dir() {
                found.directory(path)?;
            } else {
                found.file(path.clone(), &about);
            }
        }
        Ok(found)
    }

    /// In the order of their names, which for the files of a trail is that of their times.
    fn directory(&mut self, path: &Path) -> Result<()> {
        let cannot = || format!("cannot read {}", path.display());
        let mut entries = fs::read_dir(path)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .with_context(cannot)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().with_context(cannot)?;
            if kind.is_dir() {
                self.directory(&entry.path())?;
                continue;
            }
            // A link to a directory is left out: it may lead in a circle.
            let about = fs::metadata(entry.path()).with_context(cannot)?;
            if about.is_file() && is_wanted(&entry.path()) {
                self.file(entry.path(), &about);
            } else {
                self.others += 1;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf, about: &fs::Metadata) {
        // A pipe or a device has no length that says anything.
        self.bytes = self.bytes.filter(|_| about.is_file());
        self.bytes = self.bytes.map(|bytes| bytes + about.len());
        self.files.push(path);
    }

    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Bytes of all of them as they lie on the disk; nothing if that is not known.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.bytes
    }

    /// Files in directories that were left out.
    pub(super) fn others(&self) -> u64 {
        self.others
    }
}

fn is_wanted(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_ascii_lowercase();
    // What an earlier import set aside is not taken without being asked for.
    if name.ends_with(".rejected.ndjson") {
        return false;
    }
    let mut ends = name.rsplit('.');
    let last = ends.next().unwrap_or_default();
    let kind = if PACKED.contains(&last) {
        ends.next().unwrap_or_default()
    } else {
        last
    };
    KINDS.contains(&kind)
}

/// One file, unpacked while it is read.
pub(super) struct Source {
    reader: Box<dyn BufRead>,
}

impl Source {
    /// Opens a file, or standard input for `-`. What it takes from there is added to `read`. Whether it is packed is
    /// told from its first bytes, not from its name.
    pub(super) fn open(path: &Path, read: Arc<AtomicU64>) -> io::Result<Source> {
        let input: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path)?)
        };
        let mut raw = BufReader::with_capacity(BUFFER, Counting { input, read });
        let begins = raw.fill_buf()?;
        let reader: Box<dyn BufRead> = if begins.starts_with(&[0x1f, 0x8b]) {
            let unpacked = flate2::bufread::MultiGzDecoder::new(raw);
            Box::new(BufReader::with_capacity(BUFFER, unpacked))
        } else if begins.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            let unpacked = zstd::stream::read::Decoder::with_buffer(raw)?;
            Box::new(BufReader::with_capacity(BUFFER, unpacked))
        } else {
            Box::new(raw)
        };
        Ok(Source { reader })
    }

    /// What it begins with, at most some hundred kilobytes, without taking it.
    pub(super) fn begins(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.reader.read(into)
    }
}

impl BufRead for Source {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.reader.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

/// Counts what was read before it is unpacked, since that is what a file's length speaks of.
struct Counting {
    input: Box<dyn Read>,
    read: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(into)?;
        self.read
            .fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
        Ok(read)
    }
}
