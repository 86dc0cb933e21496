//! Writing a segment, row by row.

use std::io::Write;
use std::ops::Range;

use annals_event::members::Values;
use annals_event::{DraftRef, TILE, Timestamp};
use annals_merkle::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;
use sha2::{Digest as _, Sha256};

use super::Flaw;
use super::cells::shred;
use super::cursor::SealedPage;
use super::directory::{self, Entry};
use super::mark::{MarkOf, Marker, Marks};
use super::page::{Buffer, GROUP_PAGES, PAGE_ROWS};
use super::schema::{
    Column, KEY_DIRECTORY, KEY_ORIGIN, KEY_PAGES, KEY_VERSION, VERSION, message, properties,
};
use super::uuid::{uuid_bytes, uuid_millis_of};
use crate::Slot;
use crate::journal::to_u32;
use crate::tree::Placed;

/// What is left of an entry that was redacted whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redacted {
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    /// The entry's hash.
    pub(crate) leaf: Hash,
    /// A keyed hash of the event's id, so that a repeated delivery does not bring it back.
    pub(crate) id_hash: [u8; 16],
}

/// What is to be stored at a position, where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'a> {
    /// An event, of which sections may be erased.
    Event(Placed<'a>),
    /// An entry that was redacted whole.
    Redacted(&'a Redacted),
}

impl Item<'_> {
    pub(crate) fn position(&self) -> u64 {
        match self {
            Item::Event(event) => event.position,
            Item::Redacted(redacted) => redacted.position,
        }
    }

    pub(crate) fn recorded_at(&self) -> Timestamp {
        match self {
            Item::Event(event) => event.recorded_at,
            Item::Redacted(redacted) => redacted.recorded_at,
        }
    }
}

/// Writes rows, which must come by rising log and position. It holds one row group in memory.
pub(crate) struct SegmentWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    buffers: Vec<Buffer>,
    entries: Vec<Entry>,
    rows: u32,
    /// Hashes the leaf hashes of the page that is being filled.
    page: Sha256,
    pages: Vec<u8>,
    marker: Marker,
    seeded: Option<(Slot, u64)>,
    scratch: String,
}

impl<W: Write + Send> SegmentWriter<W> {
    /// Begins a segment of the installation with this origin.
    pub(crate) fn new(out: W, origin: &str) -> Result<SegmentWriter<W>, Flaw> {
        let keys = [(KEY_VERSION, VERSION), (KEY_ORIGIN, origin)]
            .map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
        let properties = properties()
            .set_key_value_metadata(Some(keys.to_vec()))
            .build();
        Ok(SegmentWriter {
            file: SerializedFileWriter::new(out, message(), properties.into())?,
            buffers: Column::ALL.map(Buffer::new).into(),
            entries: Vec::new(),
            rows: 0,
            page: Sha256::new(),
            pages: Vec::new(),
            marker: Marker::default(),
            seeded: None,
            scratch: String::new(),
        })
    }

    /// Appends a row. `leaf` is the hash of its entry; `seed` the nodes from which the salts of its tile grow.
    pub(crate) fn push(
        &mut self,
        slot: Slot,
        item: &Item<'_>,
        leaf: &Hash,
        seed: &[u8],
    ) -> Result<(), Flaw> {
        let mark = MarkOf::item(slot, item);
        let (occurred_at, millis) = match item {
            Item::Event(Placed { draft, .. }) => (
                draft.occurred_at().as_micros(),
                Some(uuid_millis_of(draft.head().id)),
            ),
            Item::Redacted(redacted) => (redacted.recorded_at.as_micros(), None),
        };
        self.enter(&mark, occurred_at, millis, leaf, seed)?;
        self.buffers[Column::Log as usize].number(slot.into());
        match item {
            Item::Event(event) => self.event(event)?,
            Item::Redacted(redacted) => self.redacted(redacted)?,
        }
        self.end_rows(1)
    }

    /// Appends rows of a page of another segment.
    pub(crate) fn copy(&mut self, page: &SealedPage, mut rows: Range<usize>) -> Result<(), Flaw> {
        let decoded = &page.decoded;
        while !rows.is_empty() {
            let left = PAGE_ROWS - self.rows as usize % PAGE_ROWS;
            let now = rows.start..rows.end.min(rows.start + left);
            for n in now.clone() {
                let (Some(mark), Some(row)) = (decoded.marked(n), page.rows.get(n)) else {
                    return Err(Flaw::new("a page has fewer rows"));
                };
                let (occurred_at, millis) = (decoded.occurred_at(n), decoded.id_millis(n));
                self.enter(&mark, occurred_at, millis, &row.leaf, &row.seed)?;
            }
            for column in Column::ALL {
                if column != Column::Seed {
                    decoded.copy(column, now.clone(), &mut self.buffers[column as usize]);
                }
            }
            rows.start = now.end;
            self.end_rows(to_u32(now.len()))?;
        }
        Ok(())
    }

    fn end_rows(&mut self, count: u32) -> Result<(), Flaw> {
        self.rows = self
            .rows
            .checked_add(count)
            .ok_or_else(|| Flaw::new("too many rows"))?;
        if (self.rows as usize).is_multiple_of(PAGE_ROWS) {
            self.end_page()?;
        }
        Ok(())
    }

    /// Writes what is left and the footer. Gives back what was written to, and what reading it back has to find.
    pub(crate) fn finish(mut self) -> Result<(W, Marks), Flaw> {
        if !(self.rows as usize).is_multiple_of(PAGE_ROWS) {
            self.end_page()?;
        }
        self.flush()?;
        let directory = STANDARD.encode(directory::encode(&self.entries));
        let pages = STANDARD.encode(&self.pages);
        for (key, value) in [(KEY_DIRECTORY, directory), (KEY_PAGES, pages)] {
            self.file
                .append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        Ok((self.file.into_inner()?, self.marker.finish(self.rows)))
    }

    /// Takes a row into all that is said of rows besides their columns, and its seed if it is the first of a tile. `millis` is, of an
    /// event, the time in its id if there is one.
    fn enter(
        &mut self,
        of: &MarkOf<'_>,
        occurred_at: i64,
        millis: Option<Option<u64>>,
        leaf: &Hash,
        seed: &[u8],
    ) -> Result<(), Flaw> {
        let entry = self.entry(of.slot, of.position)?;
        entry.count += 1;
        match millis {
            Some(Some(millis)) => entry.newest_id = entry.newest_id.max(millis),
            Some(None) => entry.other_ids = true,
            None => {}
        }
        entry.occurred = (
            entry.occurred.0.min(occurred_at),
            entry.occurred.1.max(occurred_at),
        );
        let tile = (of.slot, of.position / TILE);
        let seed = (self.seeded != Some(tile)).then_some(seed);
        self.seeded = Some(tile);
        self.buffers[Column::Seed as usize].value(seed);
        self.marker.row(of, seed);
        self.page.update(leaf);
        Ok(())
    }

    /// The entry of the directory that a row belongs to.
    fn entry(&mut self, slot: Slot, position: u64) -> Result<&mut Entry, Flaw> {
        let row = self.entries.last().map_or(0, Entry::row_end);
        let is_new = match self.entries.last() {
            Some(last) if last.slot == slot && position != last.end() => {
                let what = "the positions of a log do not follow on each other";
                return Err(Flaw::new(what));
            }
            Some(last) if last.slot > slot => return Err(Flaw::new("logs are not in order")),
            last => last.is_none_or(|last| last.slot != slot),
        };
        if is_new {
            self.entries.push(Entry {
                slot,
                row,
                count: 0,
                first: position,
                occurred: (i64::MAX, i64::MIN),
                newest_id: 0,
                other_ids: false,
            });
        }
        let missing = || Flaw::new("there is no entry");
        self.entries.last_mut().ok_or_else(missing)
    }

    fn text(&mut self, column: Column, value: Option<&str>) {
        self.bytes(column, value.map(str::as_bytes));
    }

    fn bytes(&mut self, column: Column, value: Option<&[u8]>) {
        self.buffers[column as usize].value(value);
    }

    fn number(&mut self, column: Column, number: i64) {
        self.buffers[column as usize].number(number);
    }

    fn event(&mut self, event: &Placed<'_>) -> Result<(), Flaw> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let draft = &event.draft;
        let head = draft.head();
        let cells = shred(draft, &mut scratch);
        self.place(event.position, event.recorded_at, head.occurred_at)?;
        self.text(Column::RecordedBy, Some(event.recorded_by));
        let uuid = uuid_bytes(head.id);
        self.buffers[Column::Id as usize].value(uuid.as_ref().map(<[u8; 16]>::as_slice));
        self.bytes(Column::IdText, uuid.is_none().then_some(head.id));
        self.bytes(Column::Action, Some(head.action));
        let [email, id, metadata, name, on_behalf_of, role] = &cells.actor;
        self.bytes(
            Column::ActorId,
            head.actor.id.or(id.as_deref().map(str::as_bytes)),
        );
        self.bytes(Column::ActorType, Some(head.actor.kind));
        self.bytes(
            Column::ActorRole,
            head.role.or(role.as_deref().map(str::as_bytes)),
        );
        self.text(Column::ActorName, name.as_deref());
        self.text(Column::ActorEmail, email.as_deref());
        self.text(Column::ActorMetadata, metadata.as_deref());
        self.text(Column::OnBehalfOf, on_behalf_of.as_deref());
        self.bytes(Column::Failure, head.failure);
        let [detail, reason, stage] = &cells.failure;
        self.text(Column::FailureStage, stage.as_deref());
        self.text(Column::FailureDetail, detail.as_deref());
        self.text(Column::FailureReason, reason.as_deref());
        for (column, value) in CONTEXT_COLUMNS.into_iter().zip(&cells.context) {
            self.text(column, value.as_deref());
        }
        for (column, value) in DETAILS_COLUMNS.into_iter().zip(&cells.details[1..]) {
            self.text(column, value.as_deref());
        }
        self.targets(draft, &cells.targets);
        self.number(Column::Flags, cells.flags.into());
        let erased = (!cells.erased.is_empty()).then_some(cells.erased.as_slice());
        self.buffers[Column::Erased as usize].value(erased);
        self.buffers[Column::Redacted as usize].value(None);
        if cells.exact {
            self.buffers[Column::Raw as usize].value(None);
        } else {
            self.buffers[Column::Raw as usize].value(Some(draft.bytes()));
        }
        self.scratch = scratch;
        Ok(())
    }

    fn targets(&mut self, draft: &DraftRef<'_>, cells: &[(Values<'_, 4>, i32)]) {
        if cells.is_empty() {
            for column in TARGET_COLUMNS {
                self.buffers[column as usize].no_element();
            }
            self.buffers[Column::TargetFlags as usize].no_element();
        }
        for (n, (target, ([email, id, metadata, name], flags))) in
            draft.target_heads().zip(cells).enumerate()
        {
            let [id, name, email, metadata] =
                [id, name, email, metadata].map(|value| value.as_deref().map(str::as_bytes));
            let values = [Some(target.kind), target.id.or(id), name, email, metadata];
            for (column, value) in TARGET_COLUMNS.into_iter().zip(values) {
                self.buffers[column as usize].element(n == 0, value);
            }
            self.buffers[Column::TargetFlags as usize].number_element(n == 0, (*flags).into());
        }
    }

    fn redacted(&mut self, redacted: &Redacted) -> Result<(), Flaw> {
        self.place(
            redacted.position,
            redacted.recorded_at,
            redacted.recorded_at,
        )?;
        for column in Column::ALL {
            match column {
                Column::RecordedBy | Column::Action | Column::ActorType => {
                    self.text(column, Some(""));
                }
                Column::Log
                | Column::Position
                | Column::RecordedAt
                | Column::OccurredAt
                | Column::Seed => {}
                Column::Flags => self.number(column, 0),
                Column::TargetType
                | Column::TargetId
                | Column::TargetName
                | Column::TargetEmail
                | Column::TargetMetadata
                | Column::TargetFlags => self.buffers[column as usize].no_element(),
                Column::Redacted => {
                    let bytes = [redacted.leaf.as_slice(), &redacted.id_hash].concat();
                    self.buffers[column as usize].value(Some(&bytes));
                }
                _ => self.text(column, None),
            }
        }
        Ok(())
    }

    fn place(
        &mut self,
        position: u64,
        recorded_at: Timestamp,
        occurred_at: Timestamp,
    ) -> Result<(), Flaw> {
        let position = i64::try_from(position).map_err(|_| Flaw::new("a position is too large"))?;
        self.number(Column::Position, position);
        self.number(Column::RecordedAt, recorded_at.as_micros());
        self.number(Column::OccurredAt, occurred_at.as_micros());
        Ok(())
    }

    fn end_page(&mut self) -> Result<(), Flaw> {
        self.buffers.iter_mut().for_each(Buffer::end_page);
        let hash = std::mem::take(&mut self.page).finalize();
        self.pages.extend_from_slice(&hash);
        self.marker.end_page();
        let pages = self.pages.len() / 32;
        if pages.is_multiple_of(GROUP_PAGES) {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Flaw> {
        let pages = self.pages.len() / 32;
        let groups = self.file.flushed_row_groups().len();
        if pages == groups * GROUP_PAGES {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for buffer in &mut self.buffers {
            let Some(mut column) = group.next_column()? else {
                return Err(Flaw::new("the schema has fewer columns"));
            };
            buffer.flush(&mut column)?;
            column.close()?;
        }
        group.close()?;
        Ok(())
    }
}

/// The columns of the actor's members, in canonical order.
pub(super) const ACTOR_COLUMNS: [Column; 6] = [
    Column::ActorEmail,
    Column::ActorId,
    Column::ActorMetadata,
    Column::ActorName,
    Column::OnBehalfOf,
    Column::ActorRole,
];

/// The columns of the failure's members, in canonical order.
pub(super) const FAILURE_COLUMNS: [Column; 3] = [
    Column::FailureDetail,
    Column::FailureReason,
    Column::FailureStage,
];

/// The columns of the context's members, in canonical order.
pub(super) const CONTEXT_COLUMNS: [Column; 7] = [
    Column::CorrelationId,
    Column::Location,
    Column::RequestId,
    Column::SessionId,
    Column::Source,
    Column::Trace,
    Column::UserAgent,
];

/// The columns of the details' members, in canonical order, without the failure.
pub(super) const DETAILS_COLUMNS: [Column; 4] = [
    Column::Metadata,
    Column::Next,
    Column::Previous,
    Column::Version,
];

/// The text columns of a target.
pub(super) const TARGET_COLUMNS: [Column; 5] = [
    Column::TargetType,
    Column::TargetId,
    Column::TargetName,
    Column::TargetEmail,
    Column::TargetMetadata,
];
