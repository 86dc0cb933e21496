//! Segments: where events stay. A segment is an immutable Parquet file, sorted by log and position, from
//! whose columns every entry is rebuilt exactly; beside it lies an index that follows from it. The bytes
//! are specified in `docs/formats/segment-v1.md`.
//!
//! What is here knows bytes in and bytes out. Where the files lie and which of them count is not known here.

mod cells;
mod columns;
mod cursor;
mod decode;
mod decoded;
mod directory;
mod filter;
mod find;
mod index;
mod mark;
mod page;
mod read;
mod schema;
mod tally;
mod text;
mod uuid;
mod write;

pub(crate) use columns::Values;
pub(crate) use cursor::{BadPage, Cursor, Share};
pub(crate) use directory::Entry;
pub(crate) use filter::Probe;
pub(crate) use index::Index;
pub(crate) use mark::Marks;
pub(crate) use page::PAGE_ROWS;
pub(crate) use read::{Lying, ReadAt, Segment};
pub(crate) use schema::Column;
pub(crate) use tally::{COUNTED, Count, FacetValues, SLOT, Times};
pub(crate) use uuid::uuid_millis;
pub(crate) use write::{Item, Redacted, SegmentWriter};

use std::io;

use crate::bucket::BucketError;

#[cfg(test)]
mod tests;

/// What is wrong with the bytes of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw(pub(crate) String, pub(crate) FlawKind);

/// What a flaw says of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlawKind {
    /// It is not as it was written.
    Damaged,
    /// It cannot be read now, because the store that holds it does not answer.
    Away,
}

impl Flaw {
    pub(crate) fn new(what: impl Into<String>) -> Flaw {
        Flaw(what.into(), FlawKind::Damaged)
    }
}

impl From<parquet::errors::ParquetError> for Flaw {
    fn from(error: parquet::errors::ParquetError) -> Flaw {
        match error {
            parquet::errors::ParquetError::External(source) => {
                match source.downcast::<io::Error>() {
                    Ok(source) => Flaw::from(*source),
                    Err(source) => Flaw::new(source.to_string()),
                }
            }
            error => Flaw::new(error.to_string()),
        }
    }
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Flaw {
        let kind = match is_away(&error) {
            true => FlawKind::Away,
            false => FlawKind::Damaged,
        };
        Flaw(error.to_string(), kind)
    }
}

/// The error number of the system for a sector that cannot be read.
const EIO: i32 = 5;

/// Whether an error of reading says that nobody answers now, rather than that what is stored is damaged.
pub(crate) fn is_away(error: &io::Error) -> bool {
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<BucketError>()) {
        Some(error) => *error != BucketError::Missing,
        // What has no number of the system was found in the bytes, such as by whoever unpacks them.
        None => error
            .raw_os_error()
            .is_some_and(|number| number != EIO && error.kind() != io::ErrorKind::NotFound),
    }
}

impl From<crate::journal::Malformed> for Flaw {
    fn from(malformed: crate::journal::Malformed) -> Flaw {
        Flaw::new(malformed.0)
    }
}
