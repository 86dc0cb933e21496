//! Reading a segment: any rows, any columns.

use std::io;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use annals_event::{Filter, KeyClass, Opened, Row, RowParts, fold_key};
use annals_merkle::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes};
use parquet::data_type::{ByteArray, ByteArrayType, FixedLenByteArrayType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::Flaw;
use super::columns::{Columns, Maker, Shown, Strings, Values};
use super::decode;
use super::decoded::Decoded;
use super::directory::{self, Entry};
use super::filter::{Probe, key_hash};
use super::index::{Index, Sums, sum};
use super::page::{GROUP_PAGES, PAGE_ROWS};
use super::schema::{
    COLUMNS, Column, KEY_DIRECTORY, KEY_ORIGIN, KEY_PAGES, KEY_VERSION, Physical, VERSION,
};
use super::uuid::{uuid_bytes, uuid_millis};
use super::write::{CONTEXT_COLUMNS, DETAILS_COLUMNS, TARGET_COLUMNS};
use crate::cache::{Cache, Kind};
use crate::journal::{to_u32, to_usize};
use crate::recent::SegmentId;
use crate::{Order, Slot};

/// Bytes that can be read at any place, by many at once.
pub(crate) trait ReadAt: Send + Sync {
    /// So many bytes from `offset` on. Fewer than asked for is an error.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;
    /// How many bytes there are.
    fn size(&self) -> u64;
    /// Is told which ranges are read next, so that what lies far away comes by one journey.
    fn expect(&self, _ranges: &[Range<u64>]) -> io::Result<()> {
        Ok(())
    }
}

/// A segment that was opened.
pub(crate) struct Segment {
    file: Arc<Checked>,
    metadata: ParquetMetaData,
    index: Option<Index>,
    /// Where what was read is kept for a while, and as whose.
    kept: OnceLock<(Arc<Cache>, SegmentId)>,
}

/// What Parquet reads from: every page is compared with its checksum, if they are known.
struct Checked {
    source: Arc<dyn ReadAt>,
    sums: Option<Arc<Sums>>,
}

impl Length for Checked {
    fn len(&self) -> u64 {
        self.source.size()
    }
}

impl ChunkReader for Checked {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let rest = to_usize(self.len().saturating_sub(start));
        Ok(self.source.read_at(start, rest)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.source.read_at(start, length)?;
        if let Some(sums) = &self.sums
            && start < sums.tail().0
            && !sums.fits(start, &bytes)
        {
            let end = start.saturating_add(bytes.len() as u64);
            return Err(ParquetError::General(format!(
                "the checksum of the bytes {start} to {end} does not match"
            )));
        }
        Ok(bytes)
    }
}

/// Where a column of a page lies in the file, and how many rows it has.
struct PagePlace {
    group: usize,
    rows: usize,
    start: u64,
    length: usize,
}

/// Rows of a page where they lie: put together or shown when somebody wants that.
pub(crate) struct Lying {
    columns: Columns,
    /// Which rows of the page, rising.
    rows: Vec<usize>,
}

impl Lying {
    /// Only the rows at these positions, which rise.
    pub(crate) fn at(mut self, positions: impl IntoIterator<Item = u64>) -> Lying {
        let mut positions = positions.into_iter().peekable();
        let position = |row| u64::try_from(self.columns.number(Column::Position, row)).ok();
        self.rows.retain(|row| {
            let position = position(*row);
            positions
                .next_if(|wanted| Some(*wanted) == position)
                .is_some()
        });
        self
    }

    /// The events of the rows.
    pub(crate) fn events(&self) -> Result<Vec<Row>, Flaw> {
        let mut maker = Maker::default();
        let mut events = Vec::with_capacity(self.rows.len());
        for row in &self.rows {
            events.extend(self.columns.event(*row, &mut maker)?);
        }
        Ok(events)
    }

    /// Shows the events of the rows, until it fails.
    pub(crate) fn show<E>(
        &self,
        order: Order,
        show: &mut dyn FnMut(&Opened<'_>) -> Result<(), E>,
    ) -> Result<Result<(), E>, Flaw> {
        let rows = self.rows.iter().copied();
        let rows: &mut dyn Iterator<Item = usize> = match order {
            Order::Asc => &mut { rows },
            Order::Desc => &mut rows.rev(),
        };
        let uuids = self.columns.uuid_texts();
        let mut shown = Shown::new(&self.columns, &uuids);
        for row in rows {
            if let Some(Err(error)) = shown.show(row, &mut *show)? {
                return Ok(Err(error));
            }
        }
        Ok(Ok(()))
    }
}

impl Segment {
    /// Opens a segment and compares the footer with the index, if there is one.
    pub(crate) fn open(source: Arc<dyn ReadAt>, index: Option<Index>) -> Result<Segment, Flaw> {
        if let Some(index) = &index {
            let (offset, known) = index.sums().tail();
            let length = to_usize(source.size().saturating_sub(offset));
            if sum(&source.read_at(offset, length)?) != known {
                return Err(Flaw::new("the checksum of the footer does not match"));
            }
        }
        Segment::open_doubtful(source, index)
    }

    /// Opens a segment whose footer may not be as it was written. Of its pages only those are read that are as they
    /// were written, if there is an index.
    pub(crate) fn open_doubtful(
        source: Arc<dyn ReadAt>,
        index: Option<Index>,
    ) -> Result<Segment, Flaw> {
        let sums = index.as_ref().map(|index| index.sums().clone());
        let file = Arc::new(Checked { source, sums });
        let metadata = ParquetMetaDataReader::new()
            .with_offset_index_policy(PageIndexPolicy::Required)
            .parse_and_finish(&*file)?;
        let segment = Segment {
            file,
            metadata,
            index,
            kept: OnceLock::new(),
        };
        segment.check_shape()?;
        Ok(segment)
    }

    /// Lets what is read of it stay in memory for a while, under its number.
    pub(crate) fn keep_pages_in(&self, cache: &Arc<Cache>, id: SegmentId) {
        self.kept.get_or_init(|| (cache.clone(), id));
    }

    /// The version of the format that a file has and the one that this program knows, if they differ.
    pub(crate) fn later_version(source: &Arc<dyn ReadAt>) -> Option<(String, &'static str)> {
        let file = Checked {
            source: source.clone(),
            sums: None,
        };
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).ok()?;
        let keys = metadata.file_metadata().key_value_metadata()?;
        let version = keys.iter().find(|key| key.key == KEY_VERSION)?;
        let found = version.value.clone()?;
        (found != VERSION).then_some((found, VERSION))
    }

    fn check_shape(&self) -> Result<(), Flaw> {
        if self.key(KEY_VERSION)? != VERSION {
            return Err(Flaw::new("a later version wrote this segment"));
        }
        let groups = self.metadata.row_groups();
        for (n, group) in groups.iter().enumerate() {
            let full = PAGE_ROWS * GROUP_PAGES;
            let rows = usize::try_from(group.num_rows()).unwrap_or_default();
            if group.num_columns() != COLUMNS
                || rows > full
                || (rows < full && n + 1 < groups.len())
            {
                return Err(Flaw::new("the row groups have another shape"));
            }
            for (column, chunk) in group.columns().iter().enumerate() {
                self.check_places(n, column, chunk)?;
            }
        }
        let rows = self.directory()?.last().map_or(0, Entry::row_end);
        let pages = (rows as usize).div_ceil(PAGE_ROWS);
        let hashes = self.page_hashes()?.len();
        let indexed = self
            .index
            .as_ref()
            .map_or(pages, |index| index.pages().len());
        if rows != self.rows() || hashes != pages || indexed != pages {
            return Err(Flaw::new("the directory does not fit the rows"));
        }
        Ok(())
    }

    /// Parquet takes it for granted that a footer names places within the file.
    fn check_places(
        &self,
        group: usize,
        column: usize,
        chunk: &ColumnChunkMetaData,
    ) -> Result<(), Flaw> {
        let within = |from: i64, length: i64, bounds: (i64, i64)| {
            let end = from.checked_add(length);
            length >= 0 && from >= bounds.0 && end.is_some_and(|end| end <= bounds.1)
        };
        let size = i64::try_from(self.file.len()).unwrap_or(i64::MAX);
        let pages = self.metadata.page_index();
        let pages = pages.and_then(|pages| pages.offset_index(group, column));
        let begin = chunk.data_page_offset();
        let begin = chunk.dictionary_page_offset().unwrap_or(begin);
        let fits = within(begin, chunk.compressed_size(), (0, size))
            && pages.is_some_and(|pages| {
                let bounds = (begin, begin + chunk.compressed_size());
                let mut pages = pages.page_locations().iter();
                pages.all(|page| {
                    let length = i64::from(page.compressed_page_size);
                    page.first_row_index >= 0 && within(page.offset, length, bounds)
                })
            });
        match fits {
            true => Ok(()),
            false => Err(Flaw::new("the footer names places outside of the file")),
        }
    }

    fn key(&self, name: &str) -> Result<&str, Flaw> {
        let keys = self.metadata.file_metadata().key_value_metadata();
        keys.and_then(|keys| keys.iter().find(|key| key.key == name))
            .and_then(|key| key.value.as_deref())
            .ok_or_else(|| Flaw::new(format!("the footer has no {name}")))
    }

    fn decoded(&self, name: &str) -> Result<Vec<u8>, Flaw> {
        let unreadable = |_| Flaw::new(format!("{name} of the footer is unreadable"));
        STANDARD.decode(self.key(name)?).map_err(unreadable)
    }

    /// The origin of the installation that wrote it.
    pub(crate) fn origin(&self) -> Result<&str, Flaw> {
        self.key(KEY_ORIGIN)
    }

    /// Which rows belong to which log, by rising slot.
    pub(crate) fn directory(&self) -> Result<Vec<Entry>, Flaw> {
        Ok(directory::decode(&self.decoded(KEY_DIRECTORY)?)?)
    }

    /// For each page, SHA-256 over the leaf hashes of its rows.
    pub(crate) fn page_hashes(&self) -> Result<Vec<Hash>, Flaw> {
        let bytes = self.decoded(KEY_PAGES)?;
        let (hashes, rest) = bytes.as_chunks::<32>();
        match rest {
            [] => Ok(hashes.to_vec()),
            _ => Err(Flaw::new("the hashes of the pages have another length")),
        }
    }

    pub(crate) fn rows(&self) -> u32 {
        to_u32(self.metadata.file_metadata().num_rows())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.file.len()
    }

    /// The page of a row, and the rows of that page.
    pub(crate) fn page_of(&self, row: u32) -> (usize, Range<u32>) {
        let page = row as usize / PAGE_ROWS;
        let begin = to_u32(page * PAGE_ROWS);
        (page, begin..(begin + to_u32(PAGE_ROWS)).min(self.rows()))
    }

    /// Whether a page may have rows that occurred in a time and have what is wanted.
    pub(crate) fn may_hold(
        &self,
        page: usize,
        occurred: (Option<i64>, Option<i64>),
        probe: &Probe,
    ) -> bool {
        let Some(index) = &self.index else {
            return true;
        };
        let (from, to) = occurred;
        index.pages().get(page).is_none_or(|known| {
            from.is_none_or(|from| known.occurred.1 >= from)
                && to.is_none_or(|to| known.occurred.0 < to)
        }) && index.may_hold(page, probe)
    }

    /// Whether the log may have an event with this id.
    pub(crate) fn may_hold_id(&self, slot: Slot, id: &str) -> bool {
        let Some(index) = &self.index else {
            return true;
        };
        uuid_millis(id).is_some()
            || index.may_hold_id(slot, key_hash(slot, KeyClass::Id, fold_key(id).as_bytes()))
    }

    /// Whether there is a tally of a log.
    pub(crate) fn has_tally(&self, slot: Slot) -> bool {
        self.index
            .as_ref()
            .is_some_and(|index| index.has_tally(slot))
    }

    /// When the events of a log occurred. `None` if that is not known and has to be read.
    pub(crate) fn times(&self, slot: Slot) -> Option<Vec<u8>> {
        self.index.as_ref()?.times(slot)
    }

    /// Which values the events of a log have. `None` if that is not known and has to be read.
    pub(crate) fn values(&self, slot: Slot) -> Option<Vec<u8>> {
        self.index.as_ref()?.values(slot)
    }

    /// How many of the rows in `rows`, which lie within one page, stand before the one with this id, if it is there.
    pub(crate) fn find_id(&self, rows: Range<u32>, id: &str) -> Result<Option<u32>, Flaw> {
        let uuid = uuid_bytes(id.as_bytes());
        // Nearly all ids are UUIDs, which lie there as bytes: they are compared as they lie.
        let (column, wanted) = match &uuid {
            Some(uuid) => (Column::Id, &uuid[..]),
            None => (Column::IdText, id.as_bytes()),
        };
        let (columns, mut rows) = self.columns(rows, &[column], true)?;
        let found = rows.position(|row| columns.bytes(column, row) == Some(wanted));
        Ok(found.map(to_u32))
    }

    /// The events among the rows in `rows`, which lie within one page, with these parts of them.
    #[cfg(test)]
    pub(crate) fn read(&self, rows: Range<u32>, parts: RowParts) -> Result<Vec<Row>, Flaw> {
        let (columns, rows) = self.columns(rows, &wanted(parts), true)?;
        let mut maker = Maker::default();
        rows.filter_map(|n| columns.event(n, &mut maker).transpose())
            .collect()
    }

    /// The rows in `rows`, which lie within one page, where they lie. `keep` says whether they are likely to be wanted again.
    pub(crate) fn lying(&self, rows: Range<u32>, keep: bool) -> Result<Lying, Flaw> {
        let (columns, rows) = self.columns(rows, &wanted(RowParts::ALL), keep)?;
        let rows = rows.collect();
        Ok(Lying { columns, rows })
    }

    /// Those of the events in `rows`, which lie within one page, that may match, with these parts of them.
    pub(crate) fn read_possible(
        &self,
        rows: Range<u32>,
        parts: RowParts,
        filter: &Filter,
        probe: &Probe,
    ) -> Result<Vec<Row>, Flaw> {
        let (columns, rows) = self.columns(rows, &wanted(parts), true)?;
        let rows = columns.possible(rows, filter, probe)?;
        Lying { columns, rows }.events()
    }

    /// A page with everything.
    pub(super) fn decode_page(&self, page: usize) -> Result<Decoded, Flaw> {
        let (_, rows) = self.page_of(to_u32(page * PAGE_ROWS));
        // Whoever goes through everything must not push out what others come back to.
        let (columns, rows) = self.columns(rows, &Column::ALL, false)?;
        Decoded::new(columns, rows.len())
    }

    /// Columns of the page that `rows` lie within, and where on it they are. `keep` says whether they are likely to be wanted
    /// again.
    fn columns(
        &self,
        rows: Range<u32>,
        wanted: &[Column],
        keep: bool,
    ) -> Result<(Columns, Range<usize>), Flaw> {
        let (page, all) = self.page_of(rows.start);
        let kept = self.kept.get().filter(|_| keep);
        let key = |id: SegmentId, column| (id, Kind::Column(to_u32(page), column));
        let (mut columns, mut missing) = (Columns::new(), Vec::new());
        for column in wanted {
            match kept.and_then(|(cache, id)| cache.column(key(*id, *column))) {
                Some(values) => columns.values[*column as usize] = Some(values),
                None => missing.push(*column),
            }
        }
        self.expect(page, &missing)?;
        for column in missing {
            let values = Arc::new(self.column(page, column)?);
            if let Some((cache, id)) = kept {
                cache.keep_column(key(*id, column), values.clone());
            }
            columns.values[column as usize] = Some(values);
        }
        let first = (rows.start - all.start) as usize;
        Ok((columns, first..first + rows.len()))
    }

    /// Says which columns of a page are read next.
    fn expect(&self, page: usize, wanted: &[Column]) -> io::Result<()> {
        let Some(index) = self.metadata.page_index() else {
            return Ok(());
        };
        let (group, first) = (page / GROUP_PAGES, page % GROUP_PAGES * PAGE_ROWS);
        let (first, end) = (first as i64, (first + PAGE_ROWS) as i64);
        let ranges: Vec<Range<u64>> = wanted
            .iter()
            .filter_map(|column| index.offset_index(group, *column as usize))
            .flat_map(|index| {
                let pages = index.page_locations();
                let from = pages.partition_point(|page| page.first_row_index <= first);
                let to = pages.partition_point(|page| page.first_row_index < end);
                pages.get(from.saturating_sub(1)..to).unwrap_or_default()
            })
            .filter_map(|page| {
                let start = u64::try_from(page.offset).ok()?;
                let length = u64::try_from(page.compressed_page_size).ok()?;
                Some(start..start.checked_add(length)?)
            })
            .collect();
        self.file.source.expect(&ranges)
    }

    /// A column of a page.
    fn column(&self, page: usize, column: Column) -> Result<Values, Flaw> {
        match self.column_as_written(page, column)? {
            Some(values) => Ok(values),
            None => self.column_by_parquet(page, column),
        }
    }

    /// A column of a page, if it is as segments are written.
    pub(super) fn column_as_written(
        &self,
        page: usize,
        column: Column,
    ) -> Result<Option<Values>, Flaw> {
        let Some(place) = self.place(page, column) else {
            return Ok(None);
        };
        let stored = self.file.get_bytes(place.start, place.length)?;
        let dictionary = || self.dictionary(place.group, column);
        Ok(decode::page(&stored, column, place.rows, dictionary))
    }

    /// Where a column of a page lies, if its pages are those that segments are written with.
    fn place(&self, page: usize, column: Column) -> Option<PagePlace> {
        let (group, first) = (page / GROUP_PAGES, page % GROUP_PAGES * PAGE_ROWS);
        let rows = self.metadata.row_groups().get(group)?.num_rows();
        let pages = self.metadata.page_index()?;
        let pages = pages.offset_index(group, column as usize)?.page_locations();
        let place = pages.get(page % GROUP_PAGES)?;
        (place.first_row_index == first as i64).then_some(PagePlace {
            group,
            rows: PAGE_ROWS.min(usize::try_from(rows).ok()?.checked_sub(first)?),
            start: u64::try_from(place.offset).ok()?,
            length: usize::try_from(place.compressed_page_size).ok()?,
        })
    }

    /// The dictionary of a column of a row group, if it has one that can be read.
    fn dictionary(&self, group: usize, column: Column) -> Option<Arc<Strings>> {
        let kept = self.kept.get();
        let key = |id: SegmentId| (id, Kind::Dictionary(to_u32(group), column));
        if let Some(known) = kept.and_then(|(cache, id)| cache.column(key(*id))) {
            return Some(known.strings.clone());
        }
        let chunk = self
            .metadata
            .row_groups()
            .get(group)?
            .column(column as usize);
        let start = u64::try_from(chunk.dictionary_page_offset()?).ok()?;
        let pages = self
            .metadata
            .page_index()?
            .offset_index(group, column as usize)?;
        let end = u64::try_from(pages.page_locations().first()?.offset).ok()?;
        let stored = self
            .file
            .get_bytes(start, to_usize(end.checked_sub(start)?))
            .ok()?;
        let strings = Arc::new(decode::dictionary(&stored, column)?);
        if let Some((cache, id)) = kept {
            cache.keep_column(key(*id), Arc::new(Values::from(strings.clone())));
        }
        Some(strings)
    }

    /// A column of a page, by the general reader: whatever there is that Parquet knows, and what is wrong with the rest.
    pub(super) fn column_by_parquet(&self, page: usize, column: Column) -> Result<Values, Flaw> {
        let (group, first) = (page / GROUP_PAGES, page % GROUP_PAGES * PAGE_ROWS);
        let metadata = self
            .metadata
            .row_groups()
            .get(group)
            .ok_or_else(|| Flaw::new("there is no such page"))?;
        let chunk = metadata.column(column as usize);
        let rows = usize::try_from(metadata.num_rows()).unwrap_or_default();
        let count = PAGE_ROWS.min(rows.saturating_sub(first));
        let locations = self
            .metadata
            .page_index()
            .and_then(|pages| pages.offset_index(group, column as usize))
            .map(|index| index.page_locations().clone())
            .ok_or_else(|| Flaw::new("a column has no index of its pages"))?;
        let pages = SerializedPageReader::new(self.file.clone(), chunk, rows, Some(locations))?;
        let pages = Box::new(pages);
        let described = chunk.column_descr_ptr();
        let mut values = Values::default();
        match column.physical() {
            Physical::Int32 => {
                let numbers = values.read::<Int32Type>(described, pages, first, count)?;
                values.numbers = numbers.into_iter().map(i64::from).collect();
            }
            Physical::Int64 => {
                values.numbers = values.read::<Int64Type>(described, pages, first, count)?;
            }
            Physical::Uuid => {
                let ids = values.read::<FixedLenByteArrayType>(described, pages, first, count)?;
                values.strings = Arc::new(Strings::new(&ids, false)?);
            }
            Physical::Bytes => {
                let texts = values.read::<ByteArrayType>(described, pages, first, count)?;
                let texts: Vec<&[u8]> = texts.iter().map(ByteArray::data).collect();
                values.strings = Arc::new(Strings::new(&texts, column.is_text())?);
            }
        }
        Ok(values)
    }

    /// Reads every page of the file as it lies, for its checksum.
    pub(crate) fn sums(&self) -> Result<Sums, Flaw> {
        let mut sums = Sums::default();
        let mut end = 4;
        let offsets = self
            .metadata
            .page_index()
            .ok_or_else(|| Flaw::new("there is no index of the pages"))?;
        for (n, group) in self.metadata.row_groups().iter().enumerate() {
            for (column, chunk) in group.columns().iter().enumerate() {
                let index = offsets
                    .offset_index(n, column)
                    .ok_or_else(|| Flaw::new("a column has no index of its pages"))?;
                let (start, length) = chunk.byte_range();
                let pages = index.page_locations();
                let first = pages
                    .first()
                    .and_then(|page| u64::try_from(page.offset).ok())
                    .unwrap_or(start);
                let bytes = self.file.source.read_at(start, to_usize(length))?;
                let piece = |from: u64, length: usize| {
                    let from = to_usize(from.saturating_sub(start));
                    bytes
                        .get(from..from.saturating_add(length))
                        .ok_or_else(|| Flaw::new("a page lies outside of its column"))
                };
                if first > start {
                    sums.push(start, piece(start, to_usize(first - start))?);
                }
                for page in pages {
                    let offset = u64::try_from(page.offset).unwrap_or_default();
                    sums.push(offset, piece(offset, to_usize(page.compressed_page_size))?);
                }
                end = end.max(start + length);
            }
        }
        let rest = to_usize(self.file.len().saturating_sub(end));
        sums.set_tail(end, &self.file.source.read_at(end, rest)?);
        Ok(sums)
    }
}

/// The columns that these parts of a row lie in.
fn wanted(parts: RowParts) -> Vec<Column> {
    use Column::{
        Action, ActorEmail, ActorId, ActorMetadata, ActorName, ActorRole, ActorType, Erased,
        Failure, FailureDetail, FailureReason, FailureStage, Flags, Id, IdText, OccurredAt,
        OnBehalfOf, Position, Raw, RecordedAt, RecordedBy, Redacted, TargetFlags,
    };
    let mut columns = vec![
        Position, RecordedAt, OccurredAt, Action, Failure, Flags, Erased, Redacted, Raw,
    ];
    let mut take = |is_wanted: bool, more: &[Column]| {
        if is_wanted {
            columns.extend_from_slice(more);
        }
    };
    take(parts.id, &[Id, IdText]);
    take(parts.recorded_by, &[RecordedBy]);
    take(
        parts.actor,
        &[
            ActorId,
            ActorType,
            ActorRole,
            ActorName,
            ActorEmail,
            ActorMetadata,
            OnBehalfOf,
        ],
    );
    take(parts.context, &CONTEXT_COLUMNS);
    take(parts.details, &[FailureStage, FailureDetail, FailureReason]);
    take(parts.details, &DETAILS_COLUMNS);
    // A commitment to a target's section needs the target.
    take(parts.targets, &TARGET_COLUMNS);
    take(parts.targets, &[TargetFlags]);
    columns
}

#[cfg(test)]
impl Segment {
    /// Prints how many bytes each column takes.
    pub(super) fn print_columns(&self) {
        for column in Column::ALL {
            let bytes: i64 = self
                .metadata
                .row_groups()
                .iter()
                .map(|group| group.column(column as usize).compressed_size())
                .sum();
            println!("{:6.2} {column:?}", bytes as f64 / f64::from(self.rows()));
        }
    }
}
