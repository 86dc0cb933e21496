//! Rows of one log as they are read back: the one shape that search, scans, proofs and checks consume.
//!
//! A block is what was found of a run of contiguous positions of one log. Blocks come from the journal
//! or from segments, and nobody who consumes them knows which.

mod sealed;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use annals_event::{Catalogue, Draft, Filter, Opened, Row, RowParts, Timestamp};
use rusqlite::{Connection, MAIN_DB, OptionalExtension as _};

use crate::cache::{Cache, Kind};
use crate::database::Readers;
use crate::journal::{
    Header, KeyUse, Malformed, Part, directory, directory_end, drafts_in_piece, open_frame,
    rows_in_piece, to_u32, to_usize,
};
use crate::quarantine::Quarantine;
use crate::recent::{Extent, Recent, SegmentId, Span, damaged, read, write};
use crate::sealed_keys;
use crate::segment::{Entry, Flaw, Lying, Probe, Segment, uuid_millis};
use crate::tree::Placed;
use crate::{Order, Slot, StoreError, Unreadable};

use sealed::{of_segment, position_in, unreadable};

/// What was found at contiguous positions of one log.
pub(crate) struct Block<T = Vec<Row>> {
    /// The positions that were looked at.
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// The rows that match, by rising position, or what became of them.
    pub(crate) rows: T,
}

/// Rows that match, by rising position.
enum Lot {
    Rows(Vec<Row>),
    /// In a segment.
    Lying(Lying),
}

/// Is shown events one after the other.
pub(crate) type Show<'a> = dyn FnMut(&Opened<'_>) -> Result<(), StoreError> + 'a;

/// What a reader wants of a log.
pub(crate) struct Look {
    pub(crate) filter: Filter,
    probe: Probe,
    /// The parts that the filter looks at.
    parts: RowParts,
    /// The parts that the rows need, if not all.
    only: Option<RowParts>,
}

impl Look {
    pub(crate) fn new(slot: Slot, filter: Filter) -> Look {
        let (probe, parts) = (Probe::new(slot, &filter), filter.parts());
        Look {
            filter,
            probe,
            parts,
            only: None,
        }
    }

    /// Of rows that are counted, not shown: they may lack all parts but these.
    pub(crate) fn only(mut self, parts: RowParts) -> Look {
        self.only = Some(parts);
        self
    }

    /// Every row.
    pub(crate) fn everything(slot: Slot) -> Look {
        Look::new(slot, Filter::everything())
    }

    /// The window of `occurred_at`, in microseconds since the epoch.
    pub(crate) fn window(&self) -> (Option<i64>, Option<i64>) {
        let (from, to) = self.filter.window();
        (from.map(Timestamp::as_micros), to.map(Timestamp::as_micros))
    }

    /// Whether a row that occurred between these times may match.
    fn overlaps(&self, earliest: i64, latest: i64) -> bool {
        let (from, to) = self.window();
        from.is_none_or(|from| latest >= from) && to.is_none_or(|to| earliest < to)
    }

    fn matches(&self, row: &Row) -> bool {
        self.filter.matches(row, Catalogue::builtin())
    }
}

/// Where blocks come from.
pub(crate) struct Blocks {
    pub(crate) recent: Recent,
    pub(crate) quarantine: Quarantine,
    segments: RwLock<HashMap<SegmentId, Arc<Segment>>>,
    readers: Readers,
    cache: Arc<Cache>,
}

/// Where the next rows are found: a place, and the positions there that are asked for.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    place: Place,
    from: u64,
    to: u64,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Group(Span),
    Segment(Extent),
}

/// An extent with what the index of its segment knows of it by number.
pub(crate) struct TalliedExtent {
    pub(crate) entry: Entry,
    pub(crate) times: Arc<Vec<u8>>,
    /// If they were wanted.
    pub(crate) values: Option<Arc<Vec<u8>>>,
}

/// How long a reader waits for what another thread is about to bring: that a group which is no longer in
/// the journal is known to be in a segment.
const PATIENCE: Duration = Duration::from_secs(10);

impl Blocks {
    pub(crate) fn new(recent: Recent, readers: Readers, cache_bytes: usize) -> Blocks {
        Blocks {
            recent,
            quarantine: Quarantine::default(),
            segments: RwLock::default(),
            readers,
            cache: Arc::new(Cache::new(cache_bytes)),
        }
    }

    /// The matching rows at the near end of `positions`, as seen from where the reader comes: at most about
    /// `most` of them, and of no more than a frame or a page. `None` if nothing of `positions` is committed.
    pub(crate) fn next(
        &self,
        slot: Slot,
        positions: &Range<u64>,
        order: Order,
        look: &Look,
        most: usize,
    ) -> Result<Option<Block>, StoreError> {
        self.near(slot, positions, order, look, most, |lot| match lot {
            Lot::Rows(rows) => Ok(rows),
            Lot::Lying(lying) => lying.events(),
        })
    }

    /// As [`Blocks::next`], but the rows are shown, in `order`, and not put together where they lie in columns.
    pub(crate) fn show_next(
        &self,
        slot: Slot,
        positions: &Range<u64>,
        order: Order,
        look: &Look,
        most: usize,
        show: &mut Show<'_>,
    ) -> Result<Option<Block<Result<(), StoreError>>>, StoreError> {
        self.near(slot, positions, order, look, most, |lot| match lot {
            Lot::Lying(lying) => lying.show(order, show),
            Lot::Rows(mut rows) => {
                if order == Order::Desc {
                    rows.reverse();
                }
                Ok(rows.iter().try_for_each(|row| show(&Opened::from(row))))
            }
        })
    }

    fn near<T>(
        &self,
        slot: Slot,
        positions: &Range<u64>,
        order: Order,
        look: &Look,
        most: usize,
        mut take: impl FnMut(Lot) -> Result<T, Flaw>,
    ) -> Result<Option<Block<T>>, StoreError> {
        let began = Instant::now();
        loop {
            let Some(stretch) = self.stretch(slot, positions, order)? else {
                return Ok(None);
            };
            let (result, moved) = match stretch.place {
                Place::Group(span) => {
                    let result = self.of_group(slot, &stretch, &span, order, look);
                    let moved = result.is_err() && self.is_sealed(span.group)?;
                    let result = result.and_then(|block| {
                        let damaged = |flaw: Flaw| damaged(span.group, slot, block.from, &flaw.0);
                        let (from, to) = (block.from, block.to);
                        let rows = take(Lot::Rows(block.rows)).map_err(damaged)?;
                        Ok(Block { from, to, rows })
                    });
                    (result, moved)
                }
                Place::Segment(extent) => match self.segment(extent.segment) {
                    Some(segment) => {
                        let result = of_segment(&segment, &stretch, &extent, order, look, most)
                            .and_then(|block| {
                                let (from, to) = (block.from, block.to);
                                let rows = take(block.rows)?;
                                Ok(Block { from, to, rows })
                            });
                        let unreadable =
                            |flaw| match self.quarantine.stumbled(extent.segment, &flaw) {
                                StoreError::Damaged { .. } => {
                                    unreadable(&segment, &stretch, &extent, order, flaw)
                                }
                                // What comes back later is neither damaged nor passed over.
                                away => away,
                            };
                        (result.map_err(unreadable), false)
                    }
                    // It was merged a moment ago, and the log knows of the one that replaces it.
                    None => (Err(gone(&extent)), began.elapsed() < PATIENCE),
                },
            };
            match result {
                Err(_) if moved => {}
                result => return result.map(Some),
            }
        }
    }

    /// What the tallies of a segment say of a log at the upper end of `positions`. `None` if there is no segment or it has no
    /// tally of the log, if nothing there is in the window of `look`, or if the values are `wanted` and not known.
    pub(crate) fn tallied(
        &self,
        slot: Slot,
        positions: &Range<u64>,
        look: &Look,
        wanted: bool,
    ) -> Result<Option<TalliedExtent>, StoreError> {
        // Quarantine does not matter here: the index is whole, and knows of pages that are not.
        let Some(stretch) = self.place(slot, positions, Order::Desc)? else {
            return Ok(None);
        };
        let Place::Segment(extent) = stretch.place else {
            return Ok(None);
        };
        let (entry, id) = (extent.entry, extent.segment);
        let Some(segment) = self.segment(id).filter(|segment| {
            segment.has_tally(slot) && look.overlaps(entry.occurred.0, entry.occurred.1)
        }) else {
            return Ok(None);
        };
        let kept = |kind, read: &dyn Fn() -> Option<Vec<u8>>| {
            self.cache.bytes_of((id, kind)).or_else(|| {
                let bytes = Arc::new(read()?);
                self.cache.keep((id, kind), bytes.clone());
                Some(bytes)
            })
        };
        let Some(times) = kept(Kind::Times(slot), &|| segment.times(slot)) else {
            return Ok(None);
        };
        let values = match wanted {
            true => kept(Kind::Values(slot), &|| segment.values(slot)),
            false => None,
        };
        Ok((values.is_some() == wanted).then_some(TalliedExtent {
            entry,
            times,
            values,
        }))
    }

    /// What can be read of the place at the near end of `positions`.
    fn stretch(
        &self,
        slot: Slot,
        positions: &Range<u64>,
        order: Order,
    ) -> Result<Option<Stretch>, StoreError> {
        let Some(size) = self.recent.log(slot).map(|log| read(&log).size) else {
            return Ok(None);
        };
        let committed = positions.start..positions.end.min(size);
        let near = match order {
            Order::Asc => committed.start,
            Order::Desc => committed.end.saturating_sub(1),
        };
        if committed.is_empty() {
            return Ok(None);
        }
        let readable = self.quarantine.around(slot, near, committed)?;
        self.place(slot, &readable, order)
    }

    /// The place at the near end of `positions`.
    fn place(
        &self,
        slot: Slot,
        positions: &Range<u64>,
        order: Order,
    ) -> Result<Option<Stretch>, StoreError> {
        let Some(log) = self.recent.log(slot) else {
            return Ok(None);
        };
        let log = read(&log);
        let end = positions.end.min(log.size);
        if positions.start >= end {
            return Ok(None);
        }
        let near = match order {
            Order::Asc => positions.start,
            Order::Desc => end - 1,
        };
        let (place, first, last) = if let Some(extent) = log.extent_of(near) {
            let entry = extent.entry;
            (Place::Segment(extent), entry.first, entry.end())
        } else if let Some(index) = log.span_of(near) {
            let span = log.spans[index];
            (Place::Group(span), span.first, log.span_end(index))
        } else {
            // A segment that could not be opened leaves a gap, which is in quarantine.
            return Err(StoreError::Unreadable(Unreadable {
                log: slot,
                positions: near..near + 1,
                segment: None,
                rows: 0..0,
                what: "no segment that is open holds it".to_owned(),
            }));
        };
        Ok(Some(Stretch {
            place,
            from: first.max(positions.start),
            to: last.min(end),
        }))
    }

    /// Whether a group was sealed. If its row is gone that is so, or is known to all in a moment.
    fn is_sealed(&self, group: u32) -> Result<bool, StoreError> {
        let began = Instant::now();
        loop {
            if self.recent.sealed_through() >= group {
                return Ok(true);
            }
            let is_there = self.readers.with(|connection| {
                let mut read =
                    connection.prepare_cached("select 1 from journal where group_id = ?")?;
                Ok(read.exists([group])?)
            })?;
            if is_there || began.elapsed() >= PATIENCE {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// What matches at the near end of a group's share of a log: at most a frame's worth.
    fn of_group(
        &self,
        slot: Slot,
        stretch: &Stretch,
        span: &Span,
        order: Order,
        look: &Look,
    ) -> Result<Block, StoreError> {
        if !look.overlaps(span.earliest, span.latest()) {
            return Ok(Block {
                from: stretch.from,
                to: stretch.to,
                rows: Vec::new(),
            });
        }
        let group = span.group;
        let malformed = |what: Malformed| damaged(group, slot, stretch.from, what.0);
        let header = Header::find(&self.directory(group)?, slot).map_err(malformed)?;
        let header = header.unwrap_or_else(Header::default);
        let part = header
            .parts
            .first()
            .filter(|part| part.first == span.first)
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
                let mut rows = rows(&header, part, from, drafts);
                if !look.filter.is_everything() {
                    rows.retain(|row| look.matches(row));
                }
                return Ok(Block { from, to, rows });
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
        let positions = position..position.saturating_add(1);
        let look = Look::everything(slot);
        let block = self.next(slot, &positions, Order::Asc, &look, 1)?;
        Ok(block.and_then(|mut block| block.rows.pop()))
    }

    /// The row of the event with this id, whose fingerprint is `print`.
    pub(crate) fn row_by_id(
        &self,
        slot: Slot,
        print: u64,
        id: &str,
    ) -> Result<Option<Row>, StoreError> {
        for group in self.recent.groups_of_id(print) {
            let header = match self.header(group) {
                Ok(header) => header,
                // Then it is found below.
                Err(_) if self.is_sealed(group)? => continue,
                Err(error) => return Err(error),
            };
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
        match self.sealed_position(slot, id)? {
            Some(position) => self.row(slot, position),
            None => Ok(None),
        }
    }

    /// The position of the event with this id, if it is in a segment.
    fn sealed_position(&self, slot: Slot, id: &str) -> Result<Option<u64>, StoreError> {
        let Some(log) = self.recent.log(slot) else {
            return Ok(None);
        };
        let extents = read(&log).extents.clone();
        let millis = uuid_millis(id);
        let probe = Probe::of_id(slot, id);
        for extent in extents.iter().rev() {
            let entry = extent.entry;
            let possible = match millis {
                Some(millis) => millis <= entry.newest_id,
                None => entry.other_ids,
            };
            if !possible {
                continue;
            }
            let Some(segment) = self.segment(extent.segment) else {
                // Merged meanwhile: once more, with what is known now.
                return self.sealed_position(slot, id);
            };
            let found = position_in(&segment, extent, id, &probe);
            let flaw = |flaw| self.quarantine.stumbled(extent.segment, &flaw);
            if let Some(position) = found.map_err(flaw)? {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }

    /// The idempotency keys that were used in a group.
    pub(crate) fn keys_of(&self, group: u32) -> Result<Vec<KeyUse>, StoreError> {
        match self.header(group) {
            Ok(header) => Ok(header.keys),
            Err(_) if self.is_sealed(group)? => self
                .readers
                .with(|connection| sealed_keys::of_group(connection, group)),
            Err(error) => Err(error),
        }
    }

    /// The header of a group, as it is stored; `None` if it is not in the journal.
    pub(crate) fn stored_header(&self, group: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.readers.with(|connection| {
            let mut read =
                connection.prepare_cached("select header from journal where group_id = ?")?;
            Ok(read.query_row([group], |row| row.get(0)).optional()?)
        })
    }

    /// Some bytes of the body of a group in the journal.
    pub(crate) fn stored_body(
        &self,
        group: u32,
        range: Range<usize>,
    ) -> Result<Vec<u8>, StoreError> {
        self.readers.with(|connection| {
            let body = connection.blob_open(MAIN_DB, "journal", "body", group.into(), true)?;
            let mut stored = vec![0; range.len()];
            body.read_at_exact(&mut stored, range.start)?;
            Ok(stored)
        })
    }

    /// A segment that is open.
    pub(crate) fn segment(&self, id: SegmentId) -> Option<Arc<Segment>> {
        read(&self.segments).get(&id).cloned()
    }

    /// Makes a segment known, before any log refers to it.
    pub(crate) fn add_segment(&self, id: SegmentId, segment: Arc<Segment>) {
        segment.keep_pages_in(&self.cache, id);
        write(&self.segments).insert(id, segment);
    }

    /// Forgets segments that no log refers to any more.
    pub(crate) fn drop_segments(&self, ids: &[SegmentId]) {
        write(&self.segments).retain(|id, _| !ids.contains(id));
    }

    /// The whole header of a group.
    pub(crate) fn header(&self, group: u32) -> Result<Header, StoreError> {
        let bytes = self.stored_header(group)?;
        let bytes = bytes.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        Header::decode(&bytes).map_err(|malformed| damaged(group, 0, 0, malformed.0))
    }

    /// The directory of a group's header.
    fn directory(&self, group: u32) -> Result<Arc<Vec<u8>>, StoreError> {
        if let Some(known) = self.cache.bytes_of((group, Kind::Directory)) {
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
        self.cache.keep((group, Kind::Directory), directory.clone());
        Ok(directory)
    }

    fn frame(&self, group: u32, header: &Header, frame: u32) -> Result<Arc<Vec<u8>>, StoreError> {
        if let Some(plain) = self.cache.bytes_of((group, Kind::Frame(frame))) {
            return Ok(plain);
        }
        let malformed = |what| damaged(group, 0, 0, what);
        let (size, range) = header
            .frames
            .get(to_usize(frame))
            .zip(header.frame_range(frame))
            .ok_or_else(|| malformed("no such frame"))?;
        let stored = self.stored_body(group, range)?;
        let plain = open_frame(&stored, *size).map_err(|why| malformed(why.0))?;
        Ok(self.keep_frame(group, frame, plain))
    }

    /// Keeps a decompressed frame in memory for a while.
    pub(crate) fn keep_frame(&self, group: u32, frame: u32, plain: Vec<u8>) -> Arc<Vec<u8>> {
        let plain = Arc::new(plain);
        self.cache.keep((group, Kind::Frame(frame)), plain.clone());
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

fn gone(extent: &Extent) -> StoreError {
    damaged(
        0,
        extent.entry.slot,
        extent.entry.first,
        "the segment is gone",
    )
}

/// The events of a part of a group, where they lie in the frame of each of its pieces; or at which position that fails,
/// and why.
pub(crate) fn part_events<'a>(
    header: &'a Header,
    part: &'a Part,
    frames: impl Iterator<Item = Result<&'a [u8], &'a str>>,
) -> Result<Vec<Placed<'a>>, (u64, String)> {
    let mut recorders = recorders(header, part, part.first);
    let recorded_at = Timestamp::clamped(part.recorded_at);
    let mut events = Vec::with_capacity(to_usize(part.count));
    for (piece, frame) in part.pieces.iter().zip(frames) {
        let position = part.first + events.len() as u64;
        let frame = frame.map_err(|what| (position, what.to_owned()))?;
        let bad = |malformed: Malformed| (position, malformed.0.to_owned());
        for draft in drafts_in_piece(frame, piece.offset, 0, piece.count).map_err(bad)? {
            events.push(Placed {
                position: part.first + events.len() as u64,
                recorded_at,
                recorded_by: recorders.next().flatten().map_or("", |name| &**name),
                draft: draft.map_err(bad)?,
            });
        }
    }
    Ok(events)
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
    let mut recorders = recorders(header, part, from);
    (from..)
        .zip(drafts)
        .map(|(position, draft)| {
            let recorder = recorders.next().flatten().unwrap_or(&nobody);
            Row::new(position, recorded_at, recorder.clone(), draft)
        })
        .collect()
}

/// Who recorded each event of a part, from a position on, as far as the header says.
fn recorders<'a>(
    header: &'a Header,
    part: &'a Part,
    from: u64,
) -> impl Iterator<Item = Option<&'a Arc<str>>> {
    let of_run = |(name, count): &(u32, u32)| {
        let name = header.recorders.get(*name as usize);
        std::iter::repeat_n(name, *count as usize)
    };
    let all = part.recorders.iter().flat_map(of_run);
    all.skip(to_usize(from - part.first))
}

/// Decompresses one frame of a body that is in memory as a whole.
pub(crate) fn frame_of_body(
    body: &[u8],
    header: &Header,
    frame: u32,
) -> Result<Vec<u8>, &'static str> {
    let range = header.frame_range(frame);
    let size = header.frames.get(to_usize(frame));
    let (size, range) = size.zip(range).ok_or("there is no such frame")?;
    let stored = body
        .get(range)
        .ok_or("the body is shorter than its frames")?;
    open_frame(stored, *size).map_err(|malformed| malformed.0)
}
