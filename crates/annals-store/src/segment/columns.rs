//! Columns of a run of rows, decoded, and how a row is put together from them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use annals_event::{
    Catalogue, Draft, Drafts, Facet, Filter, Head, KeyClass, Opened, OpenedTarget, Outcome, Row,
    RowPlace, Section, SectionRef, TargetHead, Timestamp, address_key, address_text, fold_key,
    occurs_folded,
};
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::DataType;
use parquet::schema::types::ColumnDescPtr;

use super::cells::{Parts, Scratch, TargetParts, assemble, erased_sections};
use super::filter::{Probe, key_hash, key_hash_of};
use super::find::Finder;
use super::page::Buffer;
use super::schema::{COLUMNS, Column, Physical};
use super::tally::{COUNTED, RowValues};
use super::text::TextRuns;
use super::uuid::{TEXT_BYTES, millis_of, put_uuid_text, uuid_millis, uuid_text};
use super::write::{
    ACTOR_COLUMNS, CONTEXT_COLUMNS, DETAILS_COLUMNS, FAILURE_COLUMNS, TARGET_COLUMNS,
};
use super::{Flaw, Redacted};
use crate::Slot;
use crate::journal::to_u32;

pub(super) fn to_i32(number: i64) -> i32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    i32::from_le_bytes([a, b, c, d])
}

/// The values of one column for a run of rows.
#[derive(Default)]
pub(crate) struct Values {
    pub(super) numbers: Vec<i64>,
    /// Its own, or those of the dictionary of its row group.
    pub(super) strings: Arc<Strings>,
    pub(super) places: Places,
    /// For each row the first of its elements, and the number of all. Empty if a row is a level.
    pub(super) elements: Vec<u32>,
}

/// Which of the values a level has.
#[derive(Default)]
pub(super) enum Places {
    /// Each has its own.
    #[default]
    Each,
    /// None has one.
    Nowhere,
    /// For each level the number of its value, or [`MISSING`].
    At(Vec<u32>),
}

pub(super) const MISSING: u32 = u32::MAX;

impl Places {
    fn at(&self, level: usize) -> Option<usize> {
        match self {
            Places::Each => Some(level),
            Places::Nowhere => None,
            Places::At(places) => {
                let place = *places.get(level)?;
                (place != MISSING).then_some(place as usize)
            }
        }
    }
}

/// Strings of bytes, one behind the other.
#[derive(Default)]
pub(super) struct Strings {
    all: Content,
    /// Where each ends.
    ends: Vec<u32>,
}

/// A column of texts, ready to be asked row by row.
#[derive(Clone, Copy)]
struct Texts<'a> {
    places: &'a Places,
    all: &'a str,
    ends: &'a [u32],
}

impl<'a> Texts<'a> {
    fn at(self, level: usize) -> Option<&'a str> {
        let n = self.places.at(level)?;
        let end = *self.ends.get(n)? as usize;
        let begin = n.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.all.get(begin as usize..end)
    }
}

enum Content {
    /// Of texts, which were checked all at once.
    Text(String),
    Bytes(Vec<u8>),
}

impl Default for Content {
    fn default() -> Content {
        Content::Bytes(Vec::new())
    }
}

impl Strings {
    pub(super) fn new<T: AsRef<[u8]>>(strings: &[T], are_texts: bool) -> Result<Strings, Flaw> {
        let length = strings.iter().map(|string| string.as_ref().len()).sum();
        let mut all = Vec::with_capacity(length);
        let mut ends = Vec::with_capacity(strings.len());
        for string in strings {
            all.extend_from_slice(string.as_ref());
            ends.push(to_u32(all.len()));
        }
        Strings::of(all, ends, are_texts)
    }

    /// Strings that lie one behind the other already, and where each ends.
    pub(super) fn of(all: Vec<u8>, ends: Vec<u32>, are_texts: bool) -> Result<Strings, Flaw> {
        if !are_texts {
            let all = Content::Bytes(all);
            return Ok(Strings { all, ends });
        }
        let no_text = || Flaw::new("a text is not UTF-8");
        let all = String::from_utf8(all).map_err(|_| no_text())?;
        let mut ends_of_texts = ends.iter().map(|end| *end as usize);
        if !all.is_ascii() && !ends_of_texts.all(|end| all.is_char_boundary(end)) {
            return Err(no_text());
        }
        let all = Content::Text(all);
        Ok(Strings { all, ends })
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn place(&self, n: usize) -> Option<Range<usize>> {
        let end = *self.ends.get(n)? as usize;
        let begin = n
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        Some(begin..end)
    }

    fn bytes(&self, n: usize) -> Option<&[u8]> {
        let place = self.place(n)?;
        match &self.all {
            Content::Text(text) => text.as_bytes().get(place),
            Content::Bytes(bytes) => bytes.get(place),
        }
    }

    fn text(&self, n: usize) -> Option<&str> {
        let place = self.place(n)?;
        match &self.all {
            Content::Text(text) => text.get(place),
            Content::Bytes(_) => None,
        }
    }

    /// For each text whether a piece occurs in it; empty if it occurs in none.
    pub(super) fn holding(&self, piece: &Finder<'_>) -> Vec<bool> {
        let Content::Text(all) = &self.all else {
            return Vec::new();
        };
        let mut holding = Vec::new();
        let mut hold = |n: usize| {
            holding.resize(self.ends.len(), false);
            holding[n] = true;
        };
        let mut from = 0;
        while let Some(at) = piece.find(all.as_bytes(), from) {
            let n = self.ends.partition_point(|end| *end as usize <= at);
            let Some(end) = self.ends.get(n).map(|end| *end as usize) else {
                break;
            };
            // What begins in one text and ends in the next is in neither.
            let is_within = at + piece.len() <= end;
            if is_within {
                hold(n);
            }
            from = if is_within { end } else { at + 1 };
        }
        if !all.is_ascii() {
            let texts = (0..self.ends.len()).filter_map(|n| Some((n, self.text(n)?)));
            for (n, text) in texts.filter(|(_, text)| !text.is_ascii()) {
                if occurs_folded(piece.folded(), text) {
                    hold(n);
                }
            }
        }
        holding
    }

    /// For each text whether it is one of those that are wanted; empty if none is.
    fn which(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<bool> {
        let mut wanted = Vec::new();
        for n in 0..self.ends.len() {
            if self.text(n).is_some_and(&is_wanted) {
                wanted.resize(self.ends.len(), false);
                wanted[n] = true;
            }
        }
        wanted
    }

    /// For each text whether it is this one, whose case is folded; empty if none is.
    fn equal(&self, folded: &[u8]) -> Vec<bool> {
        let all = match &self.all {
            Content::Text(all) if all.is_ascii() => all.as_bytes(),
            _ => return self.which(|text| fold_key(text).as_bytes() == folded),
        };
        let (mut equal, mut begin) = (Vec::new(), 0);
        for (n, end) in self.ends.iter().map(|end| *end as usize).enumerate() {
            if end - begin == folded.len() && all[begin..end].eq_ignore_ascii_case(folded) {
                equal.resize(self.ends.len(), false);
                equal[n] = true;
            }
            begin = end;
        }
        equal
    }

    fn taken(&self) -> usize {
        let all = match &self.all {
            Content::Text(text) => text.capacity(),
            Content::Bytes(bytes) => bytes.capacity(),
        };
        all + 4 * self.ends.capacity()
    }
}

fn lent<const N: usize>(texts: [Option<&str>; N]) -> [Option<Cow<'_, str>>; N] {
    texts.map(|text| text.map(Cow::Borrowed))
}

/// So few rows are sooner looked at than all texts of a page.
const ROWS_FEW: usize = 16;

/// The columns with the keys of the class of actors, and those of targets.
const ACTOR_KEYS: [Column; 3] = [Column::ActorId, Column::ActorName, Column::ActorEmail];
const TARGET_KEYS: [Column; 3] = [Column::TargetId, Column::TargetName, Column::TargetEmail];

/// The columns with the texts of an event, without those of its targets.
const TEXT_COLUMNS: [Column; 24] = [
    Column::Metadata,
    Column::ActorName,
    Column::ActorEmail,
    Column::ActorId,
    Column::Action,
    Column::Previous,
    Column::Next,
    Column::ActorMetadata,
    Column::OnBehalfOf,
    Column::ActorRole,
    Column::ActorType,
    Column::IdText,
    Column::Failure,
    Column::FailureStage,
    Column::FailureDetail,
    Column::FailureReason,
    Column::Location,
    Column::UserAgent,
    Column::Source,
    Column::SessionId,
    Column::RequestId,
    Column::CorrelationId,
    Column::Trace,
    Column::Version,
];

/// Those of them whose texts come again and again on a page.
const REPEATED: [Column; 9] = [
    Column::Action,
    Column::ActorName,
    Column::ActorEmail,
    Column::ActorId,
    Column::ActorType,
    Column::ActorRole,
    Column::Location,
    Column::UserAgent,
    Column::Source,
];

impl From<Arc<Strings>> for Values {
    /// A dictionary.
    fn from(strings: Arc<Strings>) -> Values {
        Values {
            strings,
            ..Values::default()
        }
    }
}

impl Values {
    /// Reads `count` rows from row `first` of a row group on, takes in their levels, and gives what is there.
    pub(super) fn read<T: DataType>(
        &mut self,
        described: ColumnDescPtr,
        pages: Box<dyn PageReader>,
        first: usize,
        count: usize,
    ) -> Result<Vec<T::T>, Flaw> {
        let (definition, repetition) = (described.max_def_level(), described.max_rep_level());
        let mut reader = ColumnReaderImpl::<T>::new(described, pages);
        if first > 0 && reader.skip_records(first)? != first {
            return Err(Flaw::new("a column has too few rows"));
        }
        let mut values = Vec::with_capacity(count);
        let (mut definitions, mut repetitions) = (Vec::new(), Vec::new());
        let (records, ..) = reader.read_records(
            count,
            (definition > 0).then_some(&mut definitions),
            (repetition > 0).then_some(&mut repetitions),
            &mut values,
        )?;
        if records != count {
            return Err(Flaw::new("a column has too few rows"));
        }
        let (mut next, mut places) = (0, Vec::new());
        let mut place = |places: &mut Vec<u32>, has_value: bool| {
            places.push(if has_value { next } else { MISSING });
            next += u32::from(has_value);
        };
        if repetition == 0 {
            for level in &definitions {
                place(&mut places, *level == definition);
            }
        } else {
            for (level, repeated) in definitions.iter().zip(&repetitions) {
                if *repeated == 0 {
                    self.elements.push(to_u32(places.len()));
                }
                // Below the first level the row has no element at all.
                if *level > 0 {
                    place(&mut places, *level == definition);
                }
            }
            self.elements.push(to_u32(places.len()));
        }
        if definition > 0 {
            self.places = Places::At(places);
        }
        Ok(values)
    }

    /// Which of the values a level has.
    fn at(&self, level: usize) -> Option<usize> {
        self.places.at(level)
    }

    /// How many bytes of memory it takes.
    pub(crate) fn taken(&self) -> usize {
        let numbers = 8 * self.numbers.capacity();
        let places = match &self.places {
            Places::At(places) => places.capacity(),
            Places::Each | Places::Nowhere => 0,
        };
        let of_levels = places + self.elements.capacity();
        size_of::<Values>() + numbers + self.strings.taken() + 4 * of_levels
    }

    fn elements(&self, row: usize) -> Range<usize> {
        let at = |n| self.elements.get(n).map_or(0, |at| *at as usize);
        at(row)..at(row + 1)
    }
}

#[cfg(test)]
impl Values {
    /// What each level has: a number, or bytes, or nothing; and where the elements of each row begin.
    pub(super) fn listed(&self, levels: usize) -> (Vec<Option<Vec<u8>>>, &[u32]) {
        let value = |level| {
            let at = self.at(level)?;
            let number = self
                .numbers
                .get(at)
                .map(|number| number.to_be_bytes().to_vec());
            number.or_else(|| Some(self.strings.bytes(at)?.to_vec()))
        };
        ((0..levels).map(value).collect(), &self.elements)
    }
}

/// Columns of a page. What was not asked for is not there.
pub(super) struct Columns {
    pub(super) values: Vec<Option<Arc<Values>>>,
}

/// What putting one row after the other together needs.
#[derive(Default)]
pub(super) struct Maker {
    /// The recorder of the row before, which most rows share.
    recorder: Arc<str>,
    scratch: Scratch,
}

impl Columns {
    pub(super) fn new() -> Columns {
        Columns {
            values: (0..COLUMNS).map(|_| None).collect(),
        }
    }

    pub(super) fn number(&self, column: Column, row: usize) -> i64 {
        let values = self.values[column as usize].as_ref();
        values
            .and_then(|values| values.numbers.get(row))
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn bytes(&self, column: Column, level: usize) -> Option<&[u8]> {
        let values = self.values[column as usize].as_ref()?;
        values.strings.bytes(values.at(level)?)
    }

    fn text(&self, column: Column, level: usize) -> Option<&str> {
        let values = self.values[column as usize].as_ref()?;
        values.strings.text(values.at(level)?)
    }

    /// The id of the event.
    pub(super) fn id(&self, row: usize) -> Cow<'_, str> {
        match self.bytes(Column::Id, row) {
            Some(uuid) => Cow::Owned(uuid_text(uuid)),
            None => Cow::Borrowed(self.text(Column::IdText, row).unwrap_or_default()),
        }
    }

    fn texts_of<const N: usize>(&self, columns: [Column; N], level: usize) -> [Option<&str>; N] {
        columns.map(|column| self.text(column, level))
    }

    /// The elements of a row in the list of targets.
    fn targets(&self, row: usize) -> Range<usize> {
        let values = self.values[Column::TargetType as usize].as_ref();
        values.map_or(0..0, |values| values.elements(row))
    }

    /// The log of a row.
    pub(super) fn slot(&self, row: usize) -> Slot {
        let slot = self.number(Column::Log, row);
        u32::from_ne_bytes(to_i32(slot).to_ne_bytes())
    }

    /// Who recorded a row.
    pub(super) fn recorder(&self, row: usize) -> &str {
        self.text(Column::RecordedBy, row).unwrap_or_default()
    }

    /// What is left of a row that was redacted whole.
    pub(super) fn redacted(&self, row: usize) -> Result<Option<Redacted>, Flaw> {
        let Some(bytes) = self.bytes(Column::Redacted, row) else {
            return Ok(None);
        };
        let (position, recorded_at, _) = self.places(row)?;
        let (leaf, id_hash) = bytes
            .split_first_chunk()
            .and_then(|(leaf, rest)| Some((*leaf, rest.try_into().ok()?)))
            .ok_or_else(|| Flaw::new("a redacted entry of another length"))?;
        Ok(Some(Redacted {
            position,
            recorded_at,
            leaf,
            id_hash,
        }))
    }

    /// The event of a row; `None` if it was redacted whole.
    pub(super) fn event(&self, row: usize, maker: &mut Maker) -> Result<Option<Row>, Flaw> {
        if self.bytes(Column::Redacted, row).is_some() {
            return Ok(None);
        }
        let (position, recorded_at, occurred_at) = self.places(row)?;
        let draft = match self.bytes(Column::Raw, row) {
            Some(raw) => Draft::decode(raw),
            None => self.assemble(
                row,
                occurred_at,
                &mut maker.scratch,
                |given_id, head, targets, sections| {
                    let (targets, sections) = (targets.iter().copied(), sections.iter().copied());
                    Draft::from_parts(given_id, head, targets, sections)
                },
            )?,
        };
        let draft = draft.map_err(|error| Flaw::new(error.to_string()))?;
        let by = self.recorder(row);
        if *maker.recorder != *by {
            maker.recorder = by.into();
        }
        let by = maker.recorder.clone();
        Ok(Some(Row::new(position, recorded_at, by, draft)))
    }

    /// Appends the bytes of the event of a row, which occurred then.
    pub(super) fn push_draft(
        &self,
        row: usize,
        occurred_at: Timestamp,
        maker: &mut Maker,
        drafts: &mut Drafts,
    ) -> Result<(), Flaw> {
        if let Some(raw) = self.bytes(Column::Raw, row) {
            let draft = Draft::decode(raw).map_err(|error| Flaw::new(error.to_string()))?;
            drafts.push(&draft);
            return Ok(());
        }
        self.assemble(
            row,
            occurred_at,
            &mut maker.scratch,
            |given_id, head, targets, sections| {
                let (targets, sections) = (targets.iter().copied(), sections.iter().copied());
                drafts.push_parts(given_id, head, targets, sections);
            },
        )
    }

    /// Puts the event of a row together of its parts.
    fn assemble<T>(
        &self,
        row: usize,
        occurred_at: Timestamp,
        scratch: &mut Scratch,
        take: impl FnOnce(bool, &Head<'_>, &[TargetHead<'_>], &[SectionRef<'_>]) -> T,
    ) -> Result<T, Flaw> {
        let required = |column| self.text(column, row).unwrap_or_default();
        let [metadata, next, previous, version] = self.texts_of(DETAILS_COLUMNS, row);
        let targets = self.targets(row);
        let mut of_row = Vec::with_capacity(targets.len());
        for element in targets {
            let [kind, id, name, email, metadata] = self.texts_of(TARGET_COLUMNS, element);
            of_row.push(TargetParts {
                kind: kind.unwrap_or_default(),
                flags: to_i32(self.number(Column::TargetFlags, element)),
                members: [email, id, metadata, name],
            });
        }
        let has_targets = self.values[Column::TargetType as usize].is_some();
        let erased = self.bytes(Column::Erased, row).unwrap_or_default();
        let id = self.id(row);
        let parts = Parts {
            id: &id,
            action: required(Column::Action),
            occurred_at,
            flags: to_i32(self.number(Column::Flags, row)),
            actor_type: required(Column::ActorType),
            reason: self.text(Column::Failure, row),
            actor: self.texts_of(ACTOR_COLUMNS, row),
            context: self.texts_of(CONTEXT_COLUMNS, row),
            details: [None, metadata, next, previous, version],
            failure: self.texts_of(FAILURE_COLUMNS, row),
            // Without the targets nobody asks what of them is gone.
            erased: if has_targets { erased } else { &[] },
        };
        assemble(parts, &of_row, scratch, take)
    }

    /// Appends what rows have in a column.
    pub(super) fn copy(&self, column: Column, rows: Range<usize>, into: &mut Buffer) {
        let is_number = matches!(column.physical(), Physical::Int32 | Physical::Int64);
        if !is_of_targets(column) {
            rows.for_each(|row| match is_number {
                true => into.number(self.number(column, row)),
                false => into.value(self.bytes(column, row)),
            });
            return;
        }
        for row in rows {
            let elements = self.targets(row);
            if elements.is_empty() {
                into.no_element();
            }
            for element in elements.clone() {
                let is_first = element == elements.start;
                match is_number {
                    true => into.number_element(is_first, self.number(column, element)),
                    false => into.element(is_first, self.bytes(column, element)),
                }
            }
        }
    }

    /// Whether a row lies in one piece, or nothing is left of it: what the columns have is not all of it.
    fn lies_elsewhere(&self, row: usize) -> bool {
        self.bytes(Column::Redacted, row).is_some() || self.bytes(Column::Raw, row).is_some()
    }

    fn of_texts(&self, column: Column) -> Texts<'_> {
        let values = self.values[column as usize].as_deref();
        let nothing = Texts {
            places: &Places::Nowhere,
            all: "",
            ends: &[],
        };
        values.map_or(nothing, |values| match &values.strings.all {
            Content::Text(all) => Texts {
                places: &values.places,
                all,
                ends: &values.strings.ends,
            },
            Content::Bytes(_) => nothing,
        })
    }

    /// The texts of all ids that are UUIDs, one behind the other.
    pub(super) fn uuid_texts(&self) -> String {
        let values = self.values[Column::Id as usize].as_ref();
        let count = values.map_or(0, |values| values.strings.len());
        let mut texts = Vec::with_capacity(count * TEXT_BYTES);
        for uuid in (0..count).filter_map(|n| values?.strings.bytes(n)) {
            put_uuid_text(&mut texts, uuid);
        }
        // ASCII by construction, so the fallback is never taken.
        String::from_utf8(texts).unwrap_or_default()
    }

    /// The position, and when it was recorded and occurred.
    pub(super) fn places(&self, row: usize) -> Result<(u64, Timestamp, Timestamp), Flaw> {
        let position = u64::try_from(self.number(Column::Position, row))
            .map_err(|_| Flaw::new("a position below zero"))?;
        let time = |column| {
            Timestamp::from_micros(self.number(column, row))
                .ok_or_else(|| Flaw::new("a time out of range"))
        };
        Ok((
            position,
            time(Column::RecordedAt)?,
            time(Column::OccurredAt)?,
        ))
    }

    /// The number of the id among those of [`Columns::uuid_texts`].
    fn uuid_at(&self, row: usize) -> Option<usize> {
        self.values[Column::Id as usize].as_ref()?.at(row)
    }

    /// For each row of the page, whether one of its texts holds a piece, whose case is folded.
    fn rows_holding(&self, piece: &str) -> Vec<bool> {
        let finder = Finder::new(piece);
        let columns = TEXT_COLUMNS.into_iter().chain(TARGET_COLUMNS);
        self.rows_with(columns, |column, texts| {
            let mut found = texts.holding(&finder);
            if column == Column::Action {
                // The name of an event is one of its texts.
                let names = texts.which(|action| {
                    occurs_folded(piece, &Catalogue::builtin().display_name(action))
                });
                found.resize(found.len().max(names.len()), false);
                let both = found.iter_mut().zip(names);
                both.for_each(|(found, name)| *found |= name);
            }
            found
        })
    }

    /// For each row of the page, whether it has a key, whose case is folded.
    fn rows_keyed(&self, class: KeyClass, key: &[u8]) -> Vec<bool> {
        let columns = match class {
            KeyClass::Actor => &ACTOR_KEYS[..],
            KeyClass::Target => &TARGET_KEYS[..],
            KeyClass::Session => &[Column::SessionId],
            KeyClass::Address => &[Column::Location],
            KeyClass::Id => &[],
        };
        self.rows_with(columns.iter().copied(), |column, texts| match column {
            Column::Location => texts.which(|text| address_key(text).is_some_and(|k| k == key)),
            _ => texts.equal(key),
        })
    }

    /// For each row of the page, whether it has one of the texts that `found` finds in the columns.
    fn rows_with(
        &self,
        columns: impl Iterator<Item = Column>,
        found: impl Fn(Column, &Strings) -> Vec<bool>,
    ) -> Vec<bool> {
        let rows = self.values[Column::Position as usize].as_ref();
        let mut with = vec![false; rows.map_or(0, |values| values.numbers.len())];
        for column in columns {
            let Some(values) = &self.values[column as usize] else {
                continue;
            };
            let found = found(column, &values.strings);
            if found.is_empty() {
                continue;
            }
            let is_found = |level| values.at(level).is_some_and(|n| found[n]);
            let of_targets = TARGET_COLUMNS.contains(&column);
            for (row, with) in with.iter_mut().enumerate() {
                *with |= match of_targets {
                    true => self.targets(row).any(is_found),
                    false => is_found(row),
                };
            }
        }
        with
    }

    /// Those of the rows that may match, without putting them together. What was redacted never does.
    pub(super) fn possible(
        &self,
        rows: Range<usize>,
        filter: &Filter,
        probe: &Probe,
    ) -> Result<Vec<usize>, Flaw> {
        let (mut possible, mut known) = (Vec::new(), Known::new(self));
        let actions = self.values[Column::Action as usize].as_deref();
        let count = actions.map_or(0, |actions| actions.strings.len());
        let mut fitting: Vec<Option<bool>> = vec![None; count];
        for row in rows {
            if self.bytes(Column::Redacted, row).is_some() {
                continue;
            }
            // The columns may lack what does not fit into them.
            let is_raw = self.bytes(Column::Raw, row).is_some();
            if !is_raw && !probe.keys_may_match(|class, key| known.has(class, key, row)) {
                continue;
            }
            let (position, recorded_at, occurred_at) = self.places(row)?;
            let failed = self.bytes(Column::Failure, row).is_some();
            let place = RowPlace {
                position,
                recorded_at,
                occurred_at,
                outcome: if failed {
                    Outcome::Failure
                } else {
                    Outcome::Success
                },
            };
            let fits = || {
                let number = actions.and_then(|actions| actions.at(row));
                let (Some(actions), Some(number)) = (actions, number) else {
                    return true;
                };
                *fitting[number].get_or_insert_with(|| {
                    let action = actions.strings.text(number).unwrap_or_default();
                    filter.may_have_action(action, Catalogue::builtin())
                })
            };
            if is_raw || (filter.may_be_at(&place) && { fits }()) {
                possible.push(row);
            }
        }
        if possible.len() > ROWS_FEW {
            possible.retain(|row| {
                self.bytes(Column::Raw, *row).is_some()
                    || probe.texts_may_match(|piece| known.holds(piece, *row))
            });
        }
        Ok(possible)
    }

    /// What a tally counts of a row. `raw` is the event of one that is kept as its bytes, of which columns may lack values.
    pub(super) fn counted<'a>(&'a self, row: usize, raw: Option<&Row>) -> RowValues<'a> {
        let mut counted = RowValues {
            occurred_at: self.number(Column::OccurredAt, row),
            failed: self.text(Column::Failure, row).is_some(),
            values: Vec::with_capacity(COUNTED.len() + 1),
        };
        let values = &mut counted.values;
        for (n, facet) in COUNTED.into_iter().enumerate() {
            if let Some(event) = raw {
                facet.values(event, &mut |value, _| {
                    values.push((n, Cow::Owned(value.to_owned()), None));
                });
                continue;
            }
            let text = |column| {
                let text = self.text(column, row);
                text.filter(|text| !text.is_empty())
            };
            let plain = |column| text(column).map(|value| (n, Cow::Borrowed(value), None));
            match facet {
                Facet::Action => values.extend(plain(Column::Action)),
                Facet::ActorType => values.extend(plain(Column::ActorType)),
                Facet::Source => values.extend(plain(Column::Source)),
                Facet::Address => {
                    let address = text(Column::Location).and_then(address_text);
                    values.extend(address.map(|address| (n, Cow::Owned(address), None)));
                }
                Facet::Actor => {
                    let name = self.text(Column::ActorName, row);
                    let label = name.or_else(|| self.text(Column::ActorEmail, row));
                    let id = text(Column::ActorId);
                    values.extend(id.map(|id| (n, Cow::Borrowed(id), label)));
                }
                Facet::TargetType => {
                    let kinds = |elements: Range<usize>| {
                        let kind = |element| self.text(Column::TargetType, element);
                        elements.filter_map(kind)
                    };
                    let targets = self.targets(row);
                    for element in targets.clone() {
                        let kind = self.text(Column::TargetType, element).unwrap_or_default();
                        if !kind.is_empty() && kinds(targets.start..element).all(|k| k != kind) {
                            values.push((n, Cow::Borrowed(kind), None));
                        }
                    }
                }
                // It stands with the times.
                Facet::Outcome => {}
            }
        }
        counted
    }

    /// The time in the id of a row, in milliseconds since the epoch, if that is a UUID of version 7.
    pub(super) fn id_millis(&self, row: usize) -> Option<u64> {
        match self.bytes(Column::Id, row) {
            Some(uuid) => millis_of(uuid.try_into().ok()?),
            None => uuid_millis(self.text(Column::IdText, row)?),
        }
    }

    /// Appends the hashes of the keys of a row, that of its id first if the id has no time in it. `raw` is the event of one that is kept
    /// as its bytes.
    pub(super) fn keys(&self, row: usize, slot: Slot, raw: Option<&Row>, out: &mut Vec<u64>) {
        let mut key = |class, text: Option<&str>| {
            out.extend(text.map(|text| key_hash_of(slot, class, text)));
        };
        if self.id_millis(row).is_none() {
            key(KeyClass::Id, Some(&self.id(row)));
        }
        let location = match raw {
            Some(event) => {
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
            }
            None => {
                for column in ACTOR_KEYS {
                    key(KeyClass::Actor, self.text(column, row));
                }
                for element in self.targets(row) {
                    for column in TARGET_KEYS {
                        key(KeyClass::Target, self.text(column, element));
                    }
                }
                key(KeyClass::Session, self.text(Column::SessionId, row));
                self.text(Column::Location, row)
            }
        };
        if let Some(address) = location.and_then(address_key) {
            out.push(key_hash(slot, KeyClass::Address, &address));
        }
    }

    /// Tells a filter over texts of those in the columns of a page of so many rows.
    pub(super) fn note_texts(&self, rows: usize, texts: &mut TextRuns) {
        for column in TEXT_COLUMNS {
            let all = (0..rows).filter_map(|row| self.text(column, row));
            if !REPEATED.contains(&column) {
                all.for_each(|text| texts.add_text(text));
                continue;
            }
            for text in all.collect::<HashSet<_>>() {
                texts.add_text(text);
                if column == Column::Action {
                    texts.add_text(&Catalogue::builtin().display_name(text));
                }
            }
        }
        let mut kinds = HashSet::new();
        for element in (0..rows).flat_map(|row| self.targets(row)) {
            let [kind, rest @ ..] = self.texts_of(TARGET_COLUMNS, element);
            let kind = kind.filter(|kind| kinds.insert(*kind));
            for text in kind.into_iter().chain(rest.into_iter().flatten()) {
                texts.add_text(text);
            }
        }
    }
}

/// Whether a column has the targets of rows.
fn is_of_targets(column: Column) -> bool {
    column == Column::TargetFlags || TARGET_COLUMNS.contains(&column)
}

/// What is known of all rows of a page once it was asked of one.
struct Known<'a> {
    columns: &'a Columns,
    keyed: Said<(KeyClass, &'a [u8])>,
    holding: Said<&'a str>,
}

/// For each thing that was asked for, which rows have it.
struct Said<T>(Vec<(T, Vec<bool>)>);

impl<'a> Known<'a> {
    fn new(columns: &'a Columns) -> Known<'a> {
        Known {
            columns,
            keyed: Said(Vec::new()),
            holding: Said(Vec::new()),
        }
    }

    fn has(&mut self, class: KeyClass, key: &'a [u8], row: usize) -> bool {
        let of_rows = || self.columns.rows_keyed(class, key);
        // Of an id, looking at the row costs as little.
        class == KeyClass::Id || self.keyed.says((class, key), row, of_rows)
    }

    fn holds(&mut self, piece: &'a str, row: usize) -> bool {
        let of_rows = || self.columns.rows_holding(piece);
        self.holding.says(piece, row, of_rows)
    }
}

impl<T: PartialEq> Said<T> {
    fn says(&mut self, wanted: T, row: usize, of_rows: impl FnOnce() -> Vec<bool>) -> bool {
        let at = match self.0.iter().position(|(known, _)| *known == wanted) {
            Some(at) => at,
            None => {
                self.0.push((wanted, of_rows()));
                self.0.len() - 1
            }
        };
        self.0[at].1.get(row).copied().unwrap_or_default()
    }
}

/// Columns of a page, made ready to be shown row by row without putting a row together.
pub(super) struct Shown<'a> {
    columns: &'a Columns,
    /// What [`Columns::uuid_texts`] gave.
    uuids: &'a str,
    id: Texts<'a>,
    action: Texts<'a>,
    actor_type: Texts<'a>,
    failed: Texts<'a>,
    actor: [Texts<'a>; 6],
    context: [Texts<'a>; 7],
    details: [Texts<'a>; 4],
    failure: [Texts<'a>; 3],
    target: [Texts<'a>; 5],
    /// Taken from row to row.
    targets: Vec<OpenedTarget<'a>>,
}

impl<'a> Shown<'a> {
    pub(super) fn new(columns: &'a Columns, uuids: &'a str) -> Shown<'a> {
        let texts = |column| columns.of_texts(column);
        Shown {
            columns,
            uuids,
            id: texts(Column::IdText),
            action: texts(Column::Action),
            actor_type: texts(Column::ActorType),
            failed: texts(Column::Failure),
            actor: ACTOR_COLUMNS.map(texts),
            context: CONTEXT_COLUMNS.map(texts),
            details: DETAILS_COLUMNS.map(texts),
            failure: FAILURE_COLUMNS.map(texts),
            target: TARGET_COLUMNS.map(texts),
            targets: Vec::new(),
        }
    }

    /// Shows a row. `None` if nothing is left of it.
    pub(super) fn show<T>(
        &mut self,
        row: usize,
        show: impl FnOnce(&Opened<'_>) -> T,
    ) -> Result<Option<T>, Flaw> {
        let columns = self.columns;
        if columns.lies_elsewhere(row) {
            let event = columns.event(row, &mut Maker::default())?;
            return Ok(event.map(|row| show(&Opened::from(&row))));
        }
        let (position, recorded_at, occurred_at) = columns.places(row)?;
        let target = self.target;
        let mut targets = std::mem::take(&mut self.targets);
        targets.extend(columns.targets(row).map(|element| {
            let [kind, id, name, email, metadata] = target.map(|texts| texts.at(element));
            OpenedTarget {
                kind: kind.unwrap_or_default(),
                members: lent([email, id, metadata, name]),
            }
        }));
        let uuid = columns.uuid_at(row).map(|n| n * TEXT_BYTES);
        let uuid = uuid.and_then(|begin| self.uuids.get(begin..begin + TEXT_BYTES));
        let id = uuid.or_else(|| self.id.at(row)).unwrap_or_default();
        let erased = columns.bytes(Column::Erased, row).unwrap_or_default();
        let mut opened = Opened {
            position,
            recorded_at,
            id: Cow::Borrowed(id),
            action: self.action.at(row).unwrap_or_default(),
            occurred_at,
            actor_type: self.actor_type.at(row).unwrap_or_default(),
            failed: self.failed.at(row),
            actor: shown(self.actor, row),
            context: shown(self.context, row),
            details: shown(self.details, row),
            failure: shown(self.failure, row),
            targets,
            erased: erased_sections(erased)?
                .map(|(k, _)| Section::name(k))
                .collect(),
        };
        let result = show(&opened);
        self.targets = std::mem::take(&mut opened.targets);
        self.targets.clear();
        Ok(Some(result))
    }
}

fn shown<const N: usize>(columns: [Texts<'_>; N], row: usize) -> [Option<Cow<'_, str>>; N] {
    lent(columns.map(|texts| texts.at(row)))
}
