//! What can go wrong in the store.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use crate::store::Slot;

/// Why the store cannot be opened, read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the directory open.
    #[error("{path} is in use by another process")]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The directory already holds a log.
    #[error("{path} already holds a log")]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A file of the directory cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// SQLite refuses.
    #[error("the database failed")]
    Database(#[from] rusqlite::Error),
    /// The directory was written by a later version.
    #[error(
        "this data was written by a later version of Annals (it has migration {found}; this one knows {known})"
    )]
    Newer {
        /// The last migration in the directory.
        found: u32,
        /// The last one that this version knows.
        known: u32,
    },
    /// A file of the directory was written by a later version.
    #[error(
        "this data was written by a later version of Annals ({what} has format {found}; this one knows {known})"
    )]
    NewerFormat {
        /// Which file, or which kind of files.
        what: String,
        /// The version of its format, as far as it can be told.
        found: String,
        /// The last version that this program knows.
        known: &'static str,
    },
    /// What is stored contradicts itself.
    #[error("damaged data in {place}: {what}")]
    Damaged {
        /// Which group, log and position, as far as is known.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// Entries cannot be read, because the segment that holds them is not as it was written, or is not there.
    #[error("{0}")]
    Unreadable(Unreadable),
    /// A histogram has more steps than this with events in them.
    #[error("more than {limit} steps have events in them")]
    TooManySteps {
        /// The most steps.
        limit: usize,
    },
    /// The object store that holds the segments does not answer, refuses, or is not the right one. Nothing is known
    /// to be damaged; what lies there cannot be read or written now.
    #[error("the object store {place}: {what}")]
    Bucket {
        /// Which store, and which object, if it concerns one.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// A proof was asked for that cannot be made, such as of a position beyond the size.
    #[error(transparent)]
    Proof(#[from] annals_merkle::ProofError),
    /// There is no space left.
    #[error("the disk is full")]
    DiskFull,
    /// The store has stopped, because it was closed or the disk failed.
    #[error("the store has stopped")]
    Stopped,
    /// Writing the result out failed.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// The operating system gives no random bytes.
    #[error("no random bytes")]
    Random,
}

/// Entries that cannot be read: one page of a segment, or all of one that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The number of the log.
    pub log: Slot,
    /// The positions in it.
    pub positions: Range<u64>,
    /// The segment that holds them, if it is known.
    pub segment: Option<u32>,
    /// The rows of the segment.
    pub rows: Range<u32>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |end: u64| end.saturating_sub(1);
        let Range { start, end } = self.positions;
        write!(
            f,
            "damaged data in log {}, positions {start} to {}",
            self.log,
            last(end)
        )?;
        if let Some(segment) = self.segment {
            let Range { start, end } = self.rows;
            write!(
                f,
                " (segment {segment}, rows {start} to {})",
                last(end.into())
            )?;
        }
        write!(f, ": {}", self.what)
    }
}

/// Why events are not recorded. None of the batch is in the log, except after
/// [`AppendError::Stopped`], which leaves it open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// Too much is waiting; try again in a second.
    #[error("too many events are waiting")]
    Busy,
    /// There is no space left. Reading goes on.
    #[error("the disk is full")]
    DiskFull,
    /// The idempotency key was used before for another body.
    #[error("this idempotency key was used for another request")]
    IdempotencyMismatch,
    /// The batch holds nothing, or more than a group can hold.
    #[error("a batch has at least one and at most {limit} events")]
    Size {
        /// The most events.
        limit: usize,
    },
    /// The store has stopped, because it was closed or the disk failed. Whether the events are in the
    /// log is unknown; sending them again with their ids is safe.
    #[error("the store has stopped")]
    Stopped,
    /// The object store that holds the segments does not answer, so that duplicates cannot be told. Try again later.
    #[error("the object store cannot be read: {0}")]
    Away(String),
    /// What is stored cannot be read, so that duplicates cannot be told.
    #[error("the journal cannot be read: {0}")]
    Unreadable(String),
}

impl AppendError {
    /// Why it cannot be told whether an event is new.
    pub(crate) fn unreadable(error: StoreError) -> AppendError {
        match error {
            StoreError::Bucket { .. } => AppendError::Away(error.to_string()),
            error => AppendError::Unreadable(error.to_string()),
        }
    }
}
