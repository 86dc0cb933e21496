//! Rows of one log as they are read back: the one shape that search, scans, proofs and checks consume.
//!
//! A block is a run of decoded rows at contiguous positions of one log. Blocks come from the journal;
//! when events move to another kind of file, blocks will come from there as well, and nobody who
//! consumes them will know.

use std::ops::Range;
use std::sync::Arc;

use annals_event::{Draft, Row, Timestamp};
use rusqlite::{Connection, MAIN_DB};

use crate::cache::{Cache, Kind};
use crate::database::Readers;
use crate::journal::{
    FrameSize, Header, Malformed, Part, directory, directory_end, open_frame, rows_in_piece, to_u32,
};
use crate::recent::{Recent, Span, damaged, read};
use crate::{Order, Slot, StoreError};

/// Rows at contiguous positions of one log, by rising position.
pub(crate) struct Block {
    pub(crate) rows: Vec<Row>,
}

/// Where blocks come from.
pub(crate) struct Blocks {
    pub(crate) recent: Recent,
    readers: Readers,
    cache: Cache,
}

/// Where the next block is found: a span of the log and the positions that are asked of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stretch {
    pub(crate) span: Span,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Blocks {
    pub(crate) fn new(recent: Recent, readers: Readers, cache_bytes: usize) -> Blocks {
        Blocks {
            recent,
            readers,
            cache: Cache::new(cache_bytes),
        }
    }

    /// The span at the near end of `positions`, as seen from where the reader comes, cut to them.
    /// `None` if nothing of `positions` is committed.
    pub(crate) fn stretch(
        &self,
        slot: Slot,
        positions: &Range<u64>,
        order: Order,
    ) -> Option<Stretch> {
        let log = self.recent.log(slot)?;
        let log = read(&log);
        let end = positions.end.min(log.size);
        if positions.start >= end {
            return None;
        }
        let near = match order {
            Order::Asc => positions.start,
            Order::Desc => end - 1,
        };
        let index = log.span_of(near)?;
        let span = log.spans[index];
        Some(Stretch {
            span,
            from: span.first.max(positions.start),
            to: log.span_end(index).min(end),
        })
    }

    /// The block at the near end of a stretch: at most a frame's worth of rows.
    pub(crate) fn block(
        &self,
        slot: Slot,
        stretch: &Stretch,
        order: Order,
    ) -> Result<Block, StoreError> {
        let group = stretch.span.group;
        let malformed = |what: Malformed| damaged(group, slot, stretch.from, what.0);
        let header = Header::find(&self.directory(group)?, slot).map_err(malformed)?;
        let header = header.unwrap_or_else(Header::default);
        let part = header
            .parts
            .first()
            .filter(|part| part.first == stretch.span.first)
            .ok_or_else(|| damaged(group, slot, stretch.from, "the group does not hold the log"))?;
        let near = match order {
            Order::Asc => stretch.from,
            Order::Desc => stretch.to - 1,
        };
        let mut first = part.first;
        for piece in &part.pieces {
            let end = first + u64::from(piece.count);
            if near < end {
                let frame = self.frame(group, &header, piece.frame)?;
                let (from, to) = (stretch.from.max(first), stretch.to.min(end));
                let drafts = rows_in_piece(
                    &frame,
                    piece.offset,
                    to_u32(from - first),
                    to_u32(to - first),
                )
                .map_err(|malformed| damaged(group, slot, from, malformed.0))?;
                return Ok(Block {
                    rows: rows(&header, part, from, drafts),
                });
            }
            first = end;
        }
        Err(damaged(
            group,
            slot,
            near,
            "the group does not hold the position",
        ))
    }

    /// The row at a position.
    pub(crate) fn row(&self, slot: Slot, position: u64) -> Result<Option<Row>, StoreError> {
        match self.stretch(slot, &(position..position.saturating_add(1)), Order::Asc) {
            None => Ok(None),
            Some(stretch) => Ok(self.block(slot, &stretch, Order::Asc)?.rows.pop()),
        }
    }

    /// The row of the event with this id, whose fingerprint is `print`.
    pub(crate) fn row_by_id(
        &self,
        slot: Slot,
        print: u64,
        id: &str,
    ) -> Result<Option<Row>, StoreError> {
        for group in self.recent.groups_of_id(print) {
            let header = self.header(group)?;
            let Some(part) = part_of(&header, slot) else {
                continue;
            };
            for (position, known) in (part.first..).zip(&part.ids) {
                if *known == print
                    && let Some(row) = self.row(slot, position)?
                    && row.draft.skeleton.id == id
                {
                    return Ok(Some(row));
                }
            }
        }
        Ok(None)
    }

    /// The whole header of a group.
    pub(crate) fn header(&self, group: u32) -> Result<Header, StoreError> {
        let bytes: Vec<u8> = self.readers.with(|connection| {
            let mut read =
                connection.prepare_cached("select header from journal where group_id = ?")?;
            Ok(read.query_row([group], |row| row.get(0))?)
        })?;
        Header::decode(&bytes).map_err(|malformed| damaged(group, 0, 0, malformed.0))
    }

    /// The directory of a group's header.
    fn directory(&self, group: u32) -> Result<Arc<Vec<u8>>, StoreError> {
        if let Some(known) = self.cache.get((group, Kind::Directory)) {
            return Ok(known);
        }
        let bytes = self.readers.with(|connection| {
            let header = connection.blob_open(MAIN_DB, "journal", "header", group.into(), true)?;
            let mut start = [0; 4];
            header.read_at_exact(&mut start, 0)?;
            let end = directory_end(start).min(header.len());
            let mut bytes = vec![0; end];
            header.read_at_exact(&mut bytes, 0)?;
            Ok(bytes)
        })?;
        self.keep_directory(group, &bytes)
    }

    /// Keeps the directory of a header in memory for a while.
    pub(crate) fn keep_directory(
        &self,
        group: u32,
        header: &[u8],
    ) -> Result<Arc<Vec<u8>>, StoreError> {
        let directory = directory(header).map_err(|malformed| damaged(group, 0, 0, malformed.0))?;
        let directory = Arc::new(directory.to_vec());
        self.cache
            .put((group, Kind::Directory), directory.clone(), directory.len());
        Ok(directory)
    }

    fn frame(&self, group: u32, header: &Header, frame: u32) -> Result<Arc<Vec<u8>>, StoreError> {
        if let Some(plain) = self.cache.get((group, Kind::Frame(frame))) {
            return Ok(plain);
        }
        let malformed = |what| damaged(group, 0, 0, what);
        let size = header
            .frames
            .get(frame as usize)
            .ok_or_else(|| malformed("no such frame"))?;
        let offset: usize = header.frames[..frame as usize]
            .iter()
            .map(|before| before.stored as usize)
            .sum();
        let stored = self.readers.with(|connection| {
            let body = connection.blob_open(MAIN_DB, "journal", "body", group.into(), true)?;
            let mut stored = vec![0; size.stored as usize];
            body.read_at_exact(&mut stored, offset)?;
            Ok(stored)
        })?;
        let plain = open_frame(&stored, *size).map_err(|why| malformed(why.0))?;
        Ok(self.keep_frame(group, frame, plain))
    }

    /// Keeps a decompressed frame in memory for a while.
    pub(crate) fn keep_frame(&self, group: u32, frame: u32, plain: Vec<u8>) -> Arc<Vec<u8>> {
        let bytes = plain.capacity();
        let plain = Arc::new(plain);
        self.cache
            .put((group, Kind::Frame(frame)), plain.clone(), bytes);
        plain
    }

    /// How many bytes the cache holds.
    pub(crate) fn cached_bytes(&self) -> usize {
        self.cache.bytes()
    }

    /// Runs `read` with a connection.
    pub(crate) fn with_reader<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.readers.with(read)
    }

    /// Lets go of the connections.
    pub(crate) fn close(&self) {
        self.readers.close();
    }
}

/// The part of a group that belongs to a log.
pub(crate) fn part_of(header: &Header, slot: Slot) -> Option<&Part> {
    let index = header
        .parts
        .binary_search_by_key(&slot, |part| part.slot)
        .ok()?;
    header.parts.get(index)
}

/// Rows from the drafts at `from` and after, within one part of a group.
pub(crate) fn rows(header: &Header, part: &Part, from: u64, drafts: Vec<Draft>) -> Vec<Row> {
    let recorded_at = Timestamp::clamped(part.recorded_at);
    let nobody: Arc<str> = Arc::from("");
    let mut runs = part.recorders.iter();
    let mut recorder = &nobody;
    let mut run_end = part.first;
    (from..)
        .zip(drafts)
        .map(|(position, draft)| {
            while position >= run_end {
                let Some((name, count)) = runs.next() else {
                    break;
                };
                recorder = header.recorders.get(*name as usize).unwrap_or(&nobody);
                run_end += u64::from(*count);
            }
            Row::new(position, recorded_at, recorder.clone(), draft)
        })
        .collect()
}

/// Decompresses one frame of a body that is in memory as a whole.
pub(crate) fn frame_of_body(
    body: &[u8],
    sizes: &[FrameSize],
    frame: usize,
) -> Result<Vec<u8>, &'static str> {
    let offset: usize = sizes[..frame]
        .iter()
        .map(|before| before.stored as usize)
        .sum();
    let size = sizes[frame];
    let stored = body
        .get(offset..offset + size.stored as usize)
        .ok_or("the body is shorter than its frames")?;
    open_frame(stored, size).map_err(|malformed| malformed.0)
}
