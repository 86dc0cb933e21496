//! Columns of a run of rows, decoded, and how a row is put together from them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use annals_event::{
    Catalogue, Draft, Drafts, Facet, Head, KeyClass, Opened, OpenedTarget, Row, Section,
    SectionRef, TargetHead, Timestamp, address_key, address_text, fold_key, occurs_folded,
};
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::DataType;
use parquet::schema::types::ColumnDescPtr;

use super::cells::{Parts, Scratch, TargetParts, assemble, erased_sections};
use super::filter::{Probe, key_hash, key_hash_of};
use super::page::Buffer;
use super::schema::{COLUMNS, Column, Physical};
use super::tally::{COUNTED, RowValues};
use super::text::TextRuns;
use super::uuid::{millis_of, uuid_millis, uuid_text};
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
    pub(super) strings: Strings,
    /// For each level the value there, or [`MISSING`]. Empty if every row has one.
    places: Vec<u32>,
    /// For each row the first of its elements, and the number of all. Empty if a row is a level.
    elements: Vec<u32>,
}

const MISSING: u32 = u32::MAX;

/// Strings of bytes, one behind the other.
#[derive(Default)]
pub(super) struct Strings {
    all: Content,
    /// Where each ends.
    ends: Vec<u32>,
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
        if !are_texts {
            let all = Content::Bytes(all);
            return Ok(Strings { all, ends });
        }
        let no_text = || Flaw::new("a text is not UTF-8");
        let all = String::from_utf8(all).map_err(|_| no_text())?;
        if !ends.iter().all(|end| all.is_char_boundary(*end as usize)) {
            return Err(no_text());
        }
        let all = Content::Text(all);
        Ok(Strings { all, ends })
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

/// Whether the text, with its case folded, is this one.
fn is_folded(text: &str, folded: &[u8]) -> bool {
    match text.is_ascii() {
        true => text.as_bytes().eq_ignore_ascii_case(folded),
        false => fold_key(text).as_bytes() == folded,
    }
}

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
        let mut next = 0;
        if repetition == 0 {
            for level in &definitions {
                self.place(*level == definition, &mut next);
            }
            return Ok(values);
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
        Ok(values)
    }

    fn place(&mut self, has_value: bool, next: &mut u32) {
        self.places.push(if has_value { *next } else { MISSING });
        *next += u32::from(has_value);
    }

    /// Which of the values a level has.
    fn at(&self, level: usize) -> Option<usize> {
        if self.places.is_empty() {
            return Some(level);
        }
        let place = *self.places.get(level)?;
        (place != MISSING).then_some(place as usize)
    }

    /// How many bytes of memory it takes.
    pub(crate) fn taken(&self) -> usize {
        let numbers = 8 * self.numbers.capacity();
        let of_levels = self.places.capacity() + self.elements.capacity();
        size_of::<Values>() + numbers + self.strings.taken() + 4 * of_levels
    }

    fn elements(&self, row: usize) -> Range<usize> {
        let at = |n| self.elements.get(n).map_or(0, |at| *at as usize);
        at(row)..at(row + 1)
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

    /// Appends the bytes of the event of a row.
    pub(super) fn push_draft(
        &self,
        row: usize,
        maker: &mut Maker,
        drafts: &mut Drafts,
    ) -> Result<(), Flaw> {
        if let Some(raw) = self.bytes(Column::Raw, row) {
            let draft = Draft::decode(raw).map_err(|error| Flaw::new(error.to_string()))?;
            drafts.push(&draft);
            return Ok(());
        }
        let (_, _, occurred_at) = self.places(row)?;
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

    /// Shows a row without putting it together. `None` if nothing is left of it.
    pub(super) fn show<T>(
        &self,
        row: usize,
        show: impl FnOnce(&Opened<'_>) -> T,
    ) -> Result<Option<T>, Flaw> {
        if self.bytes(Column::Redacted, row).is_some() || self.bytes(Column::Raw, row).is_some() {
            let event = self.event(row, &mut Maker::default())?;
            return Ok(event.map(|row| show(&Opened::from(&row))));
        }
        let (position, recorded_at, occurred_at) = self.places(row)?;
        let required = |column| self.text(column, row).unwrap_or_default();
        let targets = self.targets(row).map(|element| {
            let [kind, id, name, email, metadata] = self.texts_of(TARGET_COLUMNS, element);
            OpenedTarget {
                kind: kind.unwrap_or_default(),
                members: lent([email, id, metadata, name]),
            }
        });
        let opened = Opened {
            position,
            recorded_at,
            id: self.id(row),
            action: required(Column::Action),
            occurred_at,
            actor_type: required(Column::ActorType),
            failed: self.text(Column::Failure, row),
            actor: lent(self.texts_of(ACTOR_COLUMNS, row)),
            context: lent(self.texts_of(CONTEXT_COLUMNS, row)),
            details: lent(self.texts_of(DETAILS_COLUMNS, row)),
            failure: lent(self.texts_of(FAILURE_COLUMNS, row)),
            targets: targets.collect(),
            erased: erased_sections(self.bytes(Column::Erased, row).unwrap_or_default())?
                .map(|(k, _)| Section::name(k))
                .collect(),
        };
        Ok(Some(show(&opened)))
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

    /// Whether a row may match, without putting it together.
    pub(super) fn may_match(&self, row: usize, wanted: &Probe) -> bool {
        if self.bytes(Column::Raw, row).is_some() {
            // The columns may lack what does not fit into them.
            return true;
        }
        let targets = self.targets(row);
        let has = |class, key: &[u8]| {
            let is_key = |column, level| {
                let text = self.text(column, level);
                text.is_some_and(|text| is_folded(text, key))
            };
            match class {
                KeyClass::Actor => ACTOR_KEYS.into_iter().any(|column| is_key(column, row)),
                KeyClass::Target => targets
                    .clone()
                    .any(|element| TARGET_KEYS.into_iter().any(|c| is_key(c, element))),
                KeyClass::Session => is_key(Column::SessionId, row),
                KeyClass::Address => {
                    let location = self.text(Column::Location, row);
                    location.and_then(address_key).is_some_and(|k| k == key)
                }
                // Looking at the row costs as little.
                KeyClass::Id => true,
            }
        };
        let holds = |piece: &str| {
            let holds = |column, level| {
                let text = self.text(column, level);
                text.is_some_and(|text| occurs_folded(piece, text))
            };
            TEXT_COLUMNS.into_iter().any(|column| holds(column, row))
                || targets
                    .clone()
                    .any(|element| TARGET_COLUMNS.into_iter().any(|c| holds(c, element)))
                || {
                    let action = self.text(Column::Action, row).unwrap_or_default();
                    occurs_folded(piece, &Catalogue::builtin().display_name(action))
                }
        };
        wanted.may_match(has, holds)
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
