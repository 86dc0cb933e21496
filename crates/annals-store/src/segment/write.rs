//! Writing a segment, row by row.

use std::io::Write;

use annals_event::{Draft, Row, TILE, Timestamp};
use annals_merkle::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;
use sha2::{Digest as _, Sha256};

use super::Flaw;
use super::cells::shred;
use super::directory::{self, Entry};
use super::page::{Buffer, GROUP_PAGES, PAGE_ROWS};
use super::schema::{
    Column, KEY_DIRECTORY, KEY_ORIGIN, KEY_PAGES, KEY_VERSION, VERSION, message, properties,
};
use super::uuid::{uuid_bytes, uuid_millis};
use crate::Slot;

/// What is stored at a position.
#[derive(Clone, Debug)]
pub(crate) enum Stored {
    /// An event, of which sections may be erased.
    Event(Row),
    /// An entry that was redacted whole.
    Redacted(Redacted),
}

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

impl Stored {
    pub(crate) fn position(&self) -> u64 {
        match self {
            Stored::Event(row) => row.position,
            Stored::Redacted(redacted) => redacted.position,
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
    seeded: Option<(Slot, u64)>,
    scratch: String,
    raw: Vec<u8>,
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
            seeded: None,
            scratch: String::new(),
            raw: Vec::new(),
        })
    }

    /// Appends a row. `leaf` is the hash of its entry; `seed` the nodes from which the salts of its tile grow.
    pub(crate) fn push(
        &mut self,
        slot: Slot,
        stored: &Stored,
        leaf: &Hash,
        seed: &[u8],
    ) -> Result<(), Flaw> {
        self.enter(slot, stored)?;
        let tile = (slot, stored.position() / TILE);
        let seed = (self.seeded != Some(tile)).then_some(seed);
        self.seeded = Some(tile);
        self.buffers[Column::Log as usize].number(slot.into());
        self.buffers[Column::Seed as usize].value(seed);
        match stored {
            Stored::Event(row) => self.event(row)?,
            Stored::Redacted(redacted) => self.redacted(redacted)?,
        }
        self.page.update(leaf);
        self.rows = self
            .rows
            .checked_add(1)
            .ok_or_else(|| Flaw::new("too many rows"))?;
        if (self.rows as usize).is_multiple_of(PAGE_ROWS) {
            self.end_page()?;
        }
        Ok(())
    }

    /// How many rows there are by now.
    pub(crate) fn rows(&self) -> u32 {
        self.rows
    }

    /// Writes what is left and the footer, and gives back what was written to.
    pub(crate) fn finish(mut self) -> Result<W, Flaw> {
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
        Ok(self.file.into_inner()?)
    }

    /// Takes the row into the directory.
    fn enter(&mut self, slot: Slot, stored: &Stored) -> Result<(), Flaw> {
        let (position, row) = (stored.position(), self.rows);
        let is_new = match self.entries.last() {
            Some(last) if last.slot == slot => {
                if position != last.end() {
                    return Err(Flaw::new(
                        "the positions of a log do not follow on each other",
                    ));
                }
                false
            }
            Some(last) if last.slot > slot => return Err(Flaw::new("logs are not in order")),
            _ => true,
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
        let Some(entry) = self.entries.last_mut() else {
            return Ok(());
        };
        entry.count += 1;
        let occurred = match stored {
            Stored::Event(event) => {
                match uuid_millis(&event.skeleton().id) {
                    Some(millis) => entry.newest_id = entry.newest_id.max(millis),
                    None => entry.other_ids = true,
                }
                event.skeleton().occurred_at.as_micros()
            }
            Stored::Redacted(redacted) => redacted.recorded_at.as_micros(),
        };
        entry.occurred = (
            entry.occurred.0.min(occurred),
            entry.occurred.1.max(occurred),
        );
        Ok(())
    }

    fn text(&mut self, column: Column, value: Option<&str>) {
        self.buffers[column as usize].value(value.map(str::as_bytes));
    }

    fn number(&mut self, column: Column, number: i64) {
        self.buffers[column as usize].number(number);
    }

    fn event(&mut self, row: &Row) -> Result<(), Flaw> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let draft = &row.draft;
        let skeleton = &draft.skeleton;
        let cells = shred(draft, &mut scratch);
        self.place(row.position, row.recorded_at, skeleton.occurred_at)?;
        self.text(Column::RecordedBy, Some(&row.recorded_by));
        let uuid = uuid_bytes(&skeleton.id);
        self.buffers[Column::Id as usize].value(uuid.as_ref().map(<[u8; 16]>::as_slice));
        self.text(Column::IdText, uuid.is_none().then_some(&skeleton.id));
        self.text(Column::Action, Some(&skeleton.action));
        let [email, id, metadata, name, on_behalf_of, role] = &cells.actor;
        let id = skeleton.actor.id.as_deref().or(id.as_deref());
        let role = skeleton.actor.role.as_deref().or(role.as_deref());
        self.text(Column::ActorId, id);
        self.text(Column::ActorType, Some(&skeleton.actor.kind));
        self.text(Column::ActorRole, role);
        self.text(Column::ActorName, name.as_deref());
        self.text(Column::ActorEmail, email.as_deref());
        self.text(Column::ActorMetadata, metadata.as_deref());
        self.text(Column::OnBehalfOf, on_behalf_of.as_deref());
        self.text(Column::Failure, skeleton.failure.as_deref());
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
            self.raw.clear();
            draft.encode(&mut self.raw);
            self.buffers[Column::Raw as usize].value(Some(&self.raw));
        }
        self.scratch = scratch;
        Ok(())
    }

    fn targets(&mut self, draft: &Draft, cells: &[(annals_event::members::Values<'_, 4>, i32)]) {
        if cells.is_empty() {
            for column in TARGET_COLUMNS {
                self.buffers[column as usize].no_element();
            }
            self.buffers[Column::TargetFlags as usize].no_element();
        }
        for (n, (target, ([email, id, metadata, name], flags))) in
            draft.skeleton.targets.iter().zip(cells).enumerate()
        {
            let id = target.id.as_deref().or(id.as_deref());
            let values = [
                Some(target.kind.as_str()),
                id,
                name.as_deref(),
                email.as_deref(),
                metadata.as_deref(),
            ];
            for (column, value) in TARGET_COLUMNS.into_iter().zip(values) {
                self.buffers[column as usize].element(n == 0, value.map(str::as_bytes));
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
