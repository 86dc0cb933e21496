//! Reading a segment: any rows, any columns.

use std::borrow::Cow;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use annals_event::{Draft, KeyClass, Row, RowParts, Timestamp, address_key, fold_key};
use annals_merkle::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, Bytes};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use super::cells::{Parts, TargetParts, assemble};
use super::directory::{self, Entry};
use super::filter::{Probe, key_hash, uuid_millis};
use super::index::{Index, Sums, sum};
use super::page::{GROUP_PAGES, PAGE_ROWS};
use super::schema::{COLUMNS, Column, KEY_DIRECTORY, KEY_ORIGIN, KEY_PAGES, KEY_VERSION, VERSION};
use super::write::{CONTEXT_COLUMNS, DETAILS_COLUMNS, TARGET_COLUMNS, uuid_text};
use super::{Flaw, Redacted, Stored};
use crate::Slot;
use crate::journal::{to_u32, to_usize};

/// Bytes that can be read at any place, by many at once.
pub(crate) trait ReadAt: Send + Sync {
    /// So many bytes from `offset` on. Fewer than asked for is an error.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes>;
    /// How many bytes there are.
    fn size(&self) -> u64;
}

/// A segment that was opened.
pub(crate) struct Segment {
    file: Arc<Checked>,
    metadata: ParquetMetaData,
    index: Option<Index>,
}

/// What Parquet reads from: every page is compared with its checksum, if they are known.
struct Checked {
    source: Arc<dyn ReadAt>,
    sums: Option<Sums>,
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
            return Err(ParquetError::General(
                "the checksum of a page does not match".to_owned(),
            ));
        }
        Ok(bytes)
    }
}

/// A row as it was read: with its log, and the seed nodes where its row has them.
pub(crate) struct ReadRow {
    pub(crate) slot: Slot,
    pub(crate) stored: Stored,
    pub(crate) seed: Option<Arc<[u8]>>,
}

impl Segment {
    /// Opens a segment and compares the footer with the index, if there is one.
    pub(crate) fn open(source: Arc<dyn ReadAt>, index: Option<Index>) -> Result<Segment, Flaw> {
        let sums = index.as_ref().map(|index| index.sums().clone());
        if let Some(sums) = &sums {
            let (offset, known) = sums.tail();
            let length = to_usize(source.size().saturating_sub(offset));
            if sum(&source.read_at(offset, length)?) != known {
                return Err(Flaw::new("the checksum of the footer does not match"));
            }
        }
        let file = Arc::new(Checked { source, sums });
        let metadata = ParquetMetaDataReader::new()
            .with_offset_index_policy(PageIndexPolicy::Required)
            .parse_and_finish(&*file)?;
        let segment = Segment {
            file,
            metadata,
            index,
        };
        segment.check_shape()?;
        Ok(segment)
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

    /// The ids of the rows in `rows`, which lie within one page.
    pub(crate) fn ids(&self, rows: Range<u32>) -> Result<Vec<String>, Flaw> {
        let columns = self.columns(rows.clone(), &[Column::Id, Column::IdText])?;
        (0..rows.len())
            .map(|n| Ok(columns.id(n)?.into_owned()))
            .collect()
    }

    /// The rows in `rows`, which lie within one page, with these parts of them. Without seeds.
    pub(crate) fn read(&self, rows: Range<u32>, parts: RowParts) -> Result<Vec<Stored>, Flaw> {
        let columns = self.columns(rows.clone(), &wanted(parts))?;
        (0..rows.len()).map(|n| columns.stored(n)).collect()
    }

    /// The rows in `rows`, which lie within one page, with everything. `keys` takes, for each row, its slot and
    /// the hashes of its keys.
    pub(crate) fn read_all(
        &self,
        rows: Range<u32>,
        keys: &mut dyn FnMut(Slot, &Stored, &[u64]),
    ) -> Result<Vec<ReadRow>, Flaw> {
        let columns = self.columns(rows.clone(), &Column::ALL)?;
        let mut hashes = Vec::new();
        (0..rows.len())
            .map(|n| {
                let slot = columns.number(Column::Log, n);
                let slot = u32::from_ne_bytes(to_i32(slot).to_ne_bytes());
                let stored = columns.stored(n)?;
                hashes.clear();
                columns.keys(n, slot, &stored, &mut hashes)?;
                keys(slot, &stored, &hashes);
                let seed = columns.bytes(Column::Seed, n).map(Arc::from);
                Ok(ReadRow { slot, stored, seed })
            })
            .collect()
    }

    fn columns(&self, rows: Range<u32>, wanted: &[Column]) -> Result<Columns, Flaw> {
        let full = to_u32(PAGE_ROWS * GROUP_PAGES);
        let group = (rows.start / full) as usize;
        let first = (rows.start % full) as usize;
        let group_metadata = self
            .metadata
            .row_groups()
            .get(group)
            .ok_or_else(|| Flaw::new("there is no such row"))?;
        let mut columns = Columns::new();
        for column in wanted {
            columns.values[*column as usize] =
                self.column(group, group_metadata, *column, first, rows.len())?;
        }
        Ok(columns)
    }

    fn column(
        &self,
        group: usize,
        metadata: &RowGroupMetaData,
        column: Column,
        first: usize,
        count: usize,
    ) -> Result<Option<Values>, Flaw> {
        use super::schema::Physical;
        let chunk = metadata.column(column as usize);
        let rows = usize::try_from(metadata.num_rows()).unwrap_or_default();
        let locations = self
            .metadata
            .page_index()
            .and_then(|pages| pages.offset_index(group, column as usize))
            .map(|index| index.page_locations().clone())
            .ok_or_else(|| Flaw::new("a column has no index of its pages"))?;
        let pages = SerializedPageReader::new(self.file.clone(), chunk, rows, Some(locations))?;
        let mut values = Values::default();
        match column.physical() {
            Physical::Int32 => {
                let mut numbers: Vec<i32> = Vec::with_capacity(count);
                values.read::<Int32Type>(
                    chunk.column_descr_ptr(),
                    pages,
                    first,
                    count,
                    &mut numbers,
                )?;
                values.numbers = numbers.into_iter().map(i64::from).collect();
            }
            Physical::Int64 => {
                let mut numbers = Vec::with_capacity(count);
                values.read::<Int64Type>(
                    chunk.column_descr_ptr(),
                    pages,
                    first,
                    count,
                    &mut numbers,
                )?;
                values.numbers = numbers;
            }
            Physical::Uuid => {
                let mut texts = Vec::with_capacity(count);
                values.read::<FixedLenByteArrayType>(
                    chunk.column_descr_ptr(),
                    pages,
                    first,
                    count,
                    &mut texts,
                )?;
                values.texts = texts.into_iter().map(ByteArray::from).collect();
            }
            Physical::Bytes => {
                let mut texts = Vec::with_capacity(count);
                values.read::<ByteArrayType>(
                    chunk.column_descr_ptr(),
                    pages,
                    first,
                    count,
                    &mut texts,
                )?;
                values.texts = texts;
            }
        }
        Ok(Some(values))
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

fn to_i32(number: i64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// The values of one column for a run of rows.
#[derive(Default)]
struct Values {
    numbers: Vec<i64>,
    texts: Vec<ByteArray>,
    /// For each level the value there, or [`MISSING`]. Empty if every row has one.
    places: Vec<u32>,
    /// For each row the first of its elements, and the number of all. Empty if a row is a level.
    elements: Vec<u32>,
}

const MISSING: u32 = u32::MAX;

impl Values {
    fn read<T: DataType>(
        &mut self,
        described: parquet::schema::types::ColumnDescPtr,
        pages: SerializedPageReader<Checked>,
        first: usize,
        count: usize,
        values: &mut Vec<T::T>,
    ) -> Result<(), Flaw> {
        let (definition, repetition) = (described.max_def_level(), described.max_rep_level());
        let mut reader = ColumnReaderImpl::<T>::new(described, Box::new(pages));
        if first > 0 && reader.skip_records(first)? != first {
            return Err(Flaw::new("a column has too few rows"));
        }
        let (mut definitions, mut repetitions) = (Vec::new(), Vec::new());
        let (records, ..) = reader.read_records(
            count,
            (definition > 0).then_some(&mut definitions),
            (repetition > 0).then_some(&mut repetitions),
            values,
        )?;
        if records != count {
            return Err(Flaw::new("a column has too few rows"));
        }
        let mut next = 0;
        if repetition == 0 {
            for level in &definitions {
                self.place(*level == definition, &mut next);
            }
            return Ok(());
        }
        for (level, repeated) in definitions.iter().zip(&repetitions) {
            if *repeated == 0 {
                self.elements.push(to_u32(self.places.len()));
            }
            // Below the first level the row has no element at all.
            if *level > 0 {
                self.place(*level == definition, &mut next);
            }
        }
        self.elements.push(to_u32(self.places.len()));
        Ok(())
    }

    fn place(&mut self, has_value: bool, next: &mut u32) {
        self.places.push(if has_value { *next } else { MISSING });
        *next += u32::from(has_value);
    }

    fn value(&self, level: usize) -> Option<&[u8]> {
        if self.places.is_empty() {
            return self.texts.get(level).map(ByteArray::data);
        }
        match self.places.get(level) {
            Some(&place) if place != MISSING => self.texts.get(place as usize).map(ByteArray::data),
            _ => None,
        }
    }

    fn elements(&self, row: usize) -> Range<usize> {
        let at = |n| self.elements.get(n).map_or(0, |at| *at as usize);
        at(row)..at(row + 1)
    }
}

/// Columns of a run of rows. What was not asked for is not there.
struct Columns {
    values: Vec<Option<Values>>,
}

impl Columns {
    fn new() -> Columns {
        Columns {
            values: (0..COLUMNS).map(|_| None).collect(),
        }
    }

    fn number(&self, column: Column, row: usize) -> i64 {
        let values = self.values[column as usize].as_ref();
        values
            .and_then(|values| values.numbers.get(row))
            .copied()
            .unwrap_or_default()
    }

    fn bytes(&self, column: Column, level: usize) -> Option<&[u8]> {
        self.values[column as usize].as_ref()?.value(level)
    }

    fn text(&self, column: Column, level: usize) -> Result<Option<&str>, Flaw> {
        match self.bytes(column, level) {
            None => Ok(None),
            Some(bytes) => std::str::from_utf8(bytes)
                .map(Some)
                .map_err(|_| Flaw::new("a text is not UTF-8")),
        }
    }

    /// The id of the event.
    fn id(&self, row: usize) -> Result<Cow<'_, str>, Flaw> {
        match self.bytes(Column::Id, row) {
            Some(uuid) => Ok(Cow::Owned(uuid_text(uuid))),
            None => Ok(Cow::Borrowed(
                self.text(Column::IdText, row)?.unwrap_or_default(),
            )),
        }
    }

    fn texts<const N: usize>(
        &self,
        columns: [Column; N],
        level: usize,
    ) -> Result<[Option<&str>; N], Flaw> {
        let mut texts = [None; N];
        for (text, column) in texts.iter_mut().zip(columns) {
            *text = self.text(column, level)?;
        }
        Ok(texts)
    }

    /// The elements of a row in the list of targets.
    fn targets(&self, row: usize) -> Range<usize> {
        let values = self.values[Column::TargetType as usize].as_ref();
        values.map_or(0..0, |values| values.elements(row))
    }

    fn stored(&self, row: usize) -> Result<Stored, Flaw> {
        let position = u64::try_from(self.number(Column::Position, row))
            .map_err(|_| Flaw::new("a position below zero"))?;
        let recorded_at = Timestamp::from_micros(self.number(Column::RecordedAt, row))
            .ok_or_else(|| Flaw::new("a time out of range"))?;
        if let Some(bytes) = self.bytes(Column::Redacted, row) {
            let (leaf, id_hash) = bytes
                .split_first_chunk()
                .and_then(|(leaf, rest)| Some((*leaf, rest.try_into().ok()?)))
                .ok_or_else(|| Flaw::new("a redacted entry of another length"))?;
            return Ok(Stored::Redacted(Redacted {
                position,
                recorded_at,
                leaf,
                id_hash,
            }));
        }
        let draft = match self.bytes(Column::Raw, row) {
            Some(raw) => Draft::decode(raw).map_err(|error| Flaw::new(error.to_string()))?,
            None => self.draft(row)?,
        };
        let by = self.text(Column::RecordedBy, row)?.unwrap_or_default();
        Ok(Stored::Event(Row::new(position, recorded_at, by, draft)))
    }

    fn draft(&self, row: usize) -> Result<Draft, Flaw> {
        let required =
            |column| -> Result<&str, Flaw> { Ok(self.text(column, row)?.unwrap_or_default()) };
        let [metadata, next, previous, version] = self.texts(DETAILS_COLUMNS, row)?;
        let targets = self.targets(row);
        let mut of_row = Vec::with_capacity(targets.len());
        for element in targets {
            let [kind, id, name, email, metadata] = self.texts(TARGET_COLUMNS, element)?;
            of_row.push(TargetParts {
                kind: kind.unwrap_or_default(),
                flags: to_i32(self.number(Column::TargetFlags, element)),
                members: [email, id, metadata, name],
            });
        }
        let has_targets = self.values[Column::TargetType as usize].is_some();
        let erased = self.bytes(Column::Erased, row).unwrap_or_default();
        let id = self.id(row)?;
        let parts = Parts {
            id: &id,
            action: required(Column::Action)?,
            occurred_at: self.number(Column::OccurredAt, row),
            flags: to_i32(self.number(Column::Flags, row)),
            actor_type: required(Column::ActorType)?,
            reason: self.text(Column::Failure, row)?,
            actor: self.texts(
                [
                    Column::ActorEmail,
                    Column::ActorId,
                    Column::ActorMetadata,
                    Column::ActorName,
                    Column::OnBehalfOf,
                    Column::ActorRole,
                ],
                row,
            )?,
            context: self.texts(CONTEXT_COLUMNS, row)?,
            details: [None, metadata, next, previous, version],
            failure: self.texts(
                [
                    Column::FailureDetail,
                    Column::FailureReason,
                    Column::FailureStage,
                ],
                row,
            )?,
            // Without the targets nobody asks what of them is gone.
            erased: if has_targets { erased } else { &[] },
        };
        assemble(parts, of_row.into_iter())
    }

    /// The hashes of the keys of a row.
    fn keys(
        &self,
        row: usize,
        slot: Slot,
        stored: &Stored,
        out: &mut Vec<u64>,
    ) -> Result<(), Flaw> {
        let mut key = |class, text: Option<&str>| {
            if let Some(text) = text {
                out.push(key_hash(slot, class, fold_key(text).as_bytes()));
            }
        };
        let Stored::Event(event) = stored else {
            return Ok(());
        };
        let id = event.skeleton().id.as_str();
        key(KeyClass::Id, uuid_millis(id).is_none().then_some(id));
        let location = if self.bytes(Column::Raw, row).is_some() {
            // The columns may lack what does not fit into them.
            key(KeyClass::Actor, event.skeleton().actor.id.as_deref());
            key(KeyClass::Actor, event.actor_id());
            key(KeyClass::Actor, event.actor_name());
            key(KeyClass::Actor, event.actor_email());
            for (target, clear) in event.targets().zip(&event.skeleton().targets) {
                key(KeyClass::Target, clear.id.as_deref());
                key(KeyClass::Target, target.id);
                key(KeyClass::Target, target.name);
                key(KeyClass::Target, target.email);
            }
            key(KeyClass::Session, event.context("session_id"));
            event.context("location")
        } else {
            for column in [Column::ActorId, Column::ActorName, Column::ActorEmail] {
                key(KeyClass::Actor, self.text(column, row)?);
            }
            for element in self.targets(row) {
                for column in [Column::TargetId, Column::TargetName, Column::TargetEmail] {
                    key(KeyClass::Target, self.text(column, element)?);
                }
            }
            key(KeyClass::Session, self.text(Column::SessionId, row)?);
            self.text(Column::Location, row)?
        };
        if let Some(address) = location.and_then(address_key) {
            out.push(key_hash(slot, KeyClass::Address, &address));
        }
        Ok(())
    }
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
