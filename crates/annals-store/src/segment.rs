//! Segments: where events stay. A segment is an immutable Parquet file, sorted by log and position, from
//! whose columns every entry is rebuilt exactly; beside it lies an index that follows from it. The bytes
//! are specified in `docs/formats/segment-v1.md`.
//!
//! What is here knows bytes in and bytes out. Where the files lie and which of them count is not known here.

mod cells;
mod columns;
mod cursor;
mod directory;
mod filter;
mod index;
mod page;
mod read;
mod schema;
mod tally;
mod text;
mod uuid;
mod write;

pub(crate) use columns::Values;
pub(crate) use cursor::{BadPage, Cursor};
pub(crate) use directory::Entry;
pub(crate) use filter::Probe;
pub(crate) use index::Index;
pub(crate) use page::PAGE_ROWS;
pub(crate) use read::{ReadAt, Segment};
pub(crate) use schema::Column;
pub(crate) use tally::{COUNTED, Count, FacetValues, SLOT, Times};
pub(crate) use uuid::uuid_millis;
pub(crate) use write::{Redacted, SegmentWriter, Stored};

#[cfg(test)]
mod tests;

/// What is wrong with the bytes of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw(pub(crate) String);

impl Flaw {
    pub(crate) fn new(what: impl Into<String>) -> Flaw {
        Flaw(what.into())
    }
}

impl From<parquet::errors::ParquetError> for Flaw {
    fn from(error: parquet::errors::ParquetError) -> Flaw {
        Flaw(error.to_string())
    }
}

impl From<std::io::Error> for Flaw {
    fn from(error: std::io::Error) -> Flaw {
        Flaw(error.to_string())
    }
}

impl From<crate::journal::Malformed> for Flaw {
    fn from(malformed: crate::journal::Malformed) -> Flaw {
        Flaw(malformed.0.to_owned())
    }
}
