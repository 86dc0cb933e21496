//! The manifest: which segments count, and how they are opened.

use std::sync::Arc;

use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};

use crate::StoreError;
use crate::files::{Blobs, Written};
use crate::journal::to_usize;
use crate::quarantine;
use crate::recent::SegmentId;
use crate::segment::{Cursor, Flaw, FlawKind, Index, ReadAt, Segment};

/// A segment as the manifest has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) id: SegmentId,
    /// The commit groups whose events it holds.
    pub(crate) groups: (u32, u32),
    /// How often its events were merged.
    pub(crate) level: u32,
    pub(crate) rows: u32,
    pub(crate) file: Written,
    pub(crate) index: Written,
}

impl Listed {
    pub(crate) fn file_name(&self) -> String {
        file_name(self.id)
    }

    pub(crate) fn index_name(&self) -> String {
        index_name(self.id)
    }
}

pub(crate) fn file_name(id: SegmentId) -> String {
    format!("{id:08}.parquet")
}

pub(crate) fn index_name(id: SegmentId) -> String {
    format!("{id:08}.index")
}

/// All segments that count, in the order of their groups.
pub(crate) fn list(connection: &Connection) -> Result<Vec<Listed>, StoreError> {
    let mut read = connection.prepare_cached(
        "select segment_id, first_group, last_group, level, rows, bytes, sha256, index_bytes,
           index_sha256 from segment order by first_group",
    )?;
    let listed = read.query_map([], |row| {
        Ok(Listed {
            id: row.get(0)?,
            groups: (row.get(1)?, row.get(2)?),
            level: row.get(3)?,
            rows: row.get(4)?,
            file: Written {
                bytes: row.get(5)?,
                sha256: row.get(6)?,
            },
            index: Written {
                bytes: row.get(7)?,
                sha256: row.get(8)?,
            },
        })
    })?;
    let listed: Vec<Listed> = listed.collect::<Result<_, _>>()?;
    let mut next = 1;
    for segment in &listed {
        if segment.groups.0 != next || segment.groups.1 < next {
            return Err(StoreError::Damaged {
                place: format!("segment {}", segment.id),
                what: "the manifest's segments do not follow on each other".to_owned(),
            });
        }
        next = segment.groups.1 + 1;
    }
    Ok(listed)
}

pub(crate) fn insert(connection: &Connection, segment: &Listed) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(
            "insert into segment (segment_id, first_group, last_group, level, rows, bytes, sha256,
               index_bytes, index_sha256) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            segment.id,
            segment.groups.0,
            segment.groups.1,
            segment.level,
            segment.rows,
            segment.file.bytes,
            segment.file.sha256,
            segment.index.bytes,
            segment.index.sha256,
        ])?;
    Ok(())
}

pub(crate) fn remove(connection: &Connection, id: SegmentId) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("delete from segment where segment_id = ?")?
        .execute([id])?;
    // What was made of it was compared entry by entry.
    quarantine::store(connection, id, &[])
}

/// How much of a file is hashed at once.
const PIECE_BYTES: usize = 1 << 20;

/// Whether a file has the bytes that were written.
pub(crate) fn is_as_written(source: &Arc<dyn ReadAt>, written: &Written) -> std::io::Result<bool> {
    if source.size() != written.bytes {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    let mut offset = 0;
    while offset < written.bytes {
        let length = to_usize(written.bytes - offset).min(PIECE_BYTES);
        hash.update(source.read_at(offset, length)?);
        offset += length as u64;
    }
    Ok(hash.finalize()[..] == written.sha256)
}

/// A segment that was opened.
pub(crate) struct Opened {
    pub(crate) segment: Segment,
    /// Whether its index could not be used and was made again, in memory.
    pub(crate) is_indexed_anew: bool,
}

/// Opens a segment with its index.
///
/// # Errors
/// [`StoreError::NewerFormat`] if a later version wrote one of them, [`StoreError::Damaged`] if it is not what
/// was written.
pub(crate) fn open(blobs: &Blobs, listed: &Listed) -> Result<Opened, StoreError> {
    open_now(blobs, listed).map_err(|error| match error {
        StoreError::Damaged { .. } => later(blobs, listed).unwrap_or(error),
        error => error,
    })
}

/// Whether a segment is as it was written, but by a later version.
fn later(blobs: &Blobs, listed: &Listed) -> Option<StoreError> {
    let as_written = |source: Result<Arc<dyn ReadAt>, StoreError>, written: &Written| {
        let source = source.ok()?;
        is_as_written(&source, written).ok()?.then_some(source)
    };
    let file = as_written(blobs.file_of(listed), &listed.file)?;
    let index = as_written(blobs.index_of(listed), &listed.index)?;
    later_version(listed, &file, &index)
}

/// What to say of a segment that a later version wrote. Its files are known to be as they were written.
pub(crate) fn later_version(
    listed: &Listed,
    file: &Arc<dyn ReadAt>,
    index: &Arc<dyn ReadAt>,
) -> Option<StoreError> {
    let of_file = Segment::later_version(file).map(|version| (listed.file_name(), version));
    let (what, (found, known)) = of_file.or_else(|| {
        let version = Index::later_version(index)?;
        Some((listed.index_name(), version))
    })?;
    Some(StoreError::NewerFormat { what, found, known })
}

fn open_now(blobs: &Blobs, listed: &Listed) -> Result<Opened, StoreError> {
    let file = blobs.file_of(listed)?;
    if file.size() != listed.file.bytes {
        return Err(damaged(
            listed.id,
            &Flaw::new("the file has another length"),
        ));
    }
    let index = blobs.index_of(listed).and_then(|index| {
        Index::open(index, file.size()).map_err(|flaw| damaged(listed.id, &flaw))
    });
    let flawed = |flaw: Flaw| damaged(listed.id, &flaw);
    let is_indexed_anew = index.is_err();
    let index = match index {
        Ok(index) => index,
        Err(error) => {
            if let Some(later) = later(blobs, listed) {
                return Err(later);
            }
            tracing::warn!(segment = listed.id, %error, "an index is made again");
            let plain = Segment::open(file.clone(), None).map_err(flawed)?;
            let bytes = made_again(&plain).map_err(flawed)?;
            Index::open(Arc::new(InMemory(bytes)), file.size()).map_err(flawed)?
        }
    };
    let segment = Segment::open(file, Some(index)).map_err(flawed)?;
    match segment.rows() == listed.rows {
        true => Ok(Opened {
            segment,
            is_indexed_anew,
        }),
        false => Err(flawed(Flaw::new("the manifest has another number of rows"))),
    }
}

/// The index of a segment, from its rows.
pub(crate) fn made_again(segment: &Segment) -> Result<Vec<u8>, Flaw> {
    let mut cursor = Cursor::new(segment, true)?;
    while let Some(page) = cursor.next_page() {
        page.map_err(|bad| bad.flaw)?;
    }
    cursor.into_index()
}

struct InMemory(Vec<u8>);

impl ReadAt for InMemory {
    fn read_at(&self, offset: u64, length: usize) -> std::io::Result<bytes::Bytes> {
        let begin = to_usize(offset);
        let bytes = self.0.get(begin..begin.saturating_add(length));
        let missing = std::io::ErrorKind::UnexpectedEof;
        Ok(bytes.ok_or(missing)?.to_vec().into())
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }
}

/// The error for what is wrong with a segment.
pub(crate) fn damaged(id: SegmentId, flaw: &Flaw) -> StoreError {
    let (place, what) = (format!("segment {id}"), flaw.0.clone());
    match flaw.1 {
        FlawKind::Damaged => StoreError::Damaged { place, what },
        FlawKind::Away => StoreError::Bucket {
            place: format!("or disk that holds {place}"),
            what,
        },
    }
}
