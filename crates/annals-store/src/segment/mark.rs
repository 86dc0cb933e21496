//! Marks: what the pages of a segment were written from, so that reading it back tells whether the same came out.
//!
//! A mark covers all that an entry is made of: the log, the place in it, who recorded it, the bytes of the event, and the seeds. So events
//! whose hashes were compared before they were written need not be hashed again: it is enough that the very same events are read.
//! Marks stay in memory; they are no part of the format. Their hash need not withstand anybody who makes up collisions, because nobody
//! has a say in what a disk makes of bytes.

use annals_event::Timestamp;
use twox_hash::XxHash3_64;

use super::{Item, Redacted};
use crate::Slot;
use crate::journal::{put_bytes, put_number, put_signed};

/// What reading a segment back has to find.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) rows: u32,
    pub(crate) of_pages: Vec<u64>,
}

/// What the mark of a row covers.
#[derive(Clone, Copy, Debug)]
pub(super) struct MarkOf<'a> {
    pub(super) slot: Slot,
    pub(super) position: u64,
    pub(super) recorded_at: Timestamp,
    /// Of an event who recorded it, and its bytes; else the two hashes that are left of it.
    pub(super) content: [&'a [u8]; 2],
}

impl<'a> MarkOf<'a> {
    pub(super) fn item(slot: Slot, item: &Item<'a>) -> MarkOf<'a> {
        match *item {
            Item::Event(event) => MarkOf {
                slot,
                position: event.position,
                recorded_at: event.recorded_at,
                content: [event.recorded_by.as_bytes(), event.draft.bytes()],
            },
            Item::Redacted(redacted) => MarkOf::redacted(slot, redacted),
        }
    }

    pub(super) fn redacted(slot: Slot, redacted: &'a Redacted) -> MarkOf<'a> {
        MarkOf {
            slot,
            position: redacted.position,
            recorded_at: redacted.recorded_at,
            content: [&redacted.leaf, &redacted.id_hash],
        }
    }
}

/// Makes the marks of pages, row by row.
#[derive(Default)]
pub(super) struct Marker {
    row: Vec<u8>,
    page: Vec<u8>,
    done: Vec<u64>,
}

impl Marker {
    /// Takes a row, with the seed that is stored with it.
    pub(super) fn row(&mut self, of: &MarkOf<'_>, seed: Option<&[u8]>) {
        self.row.clear();
        put_number(&mut self.row, of.slot.into());
        put_number(&mut self.row, of.position);
        put_signed(&mut self.row, of.recorded_at.as_micros());
        let [first, second] = of.content;
        put_bytes(&mut self.row, first);
        self.row.extend_from_slice(second);
        let mark = XxHash3_64::oneshot(&self.row);
        self.page.extend_from_slice(&mark.to_le_bytes());
        self.page.extend_from_slice(seed.unwrap_or_default());
    }

    /// That the page is complete. Gives its mark.
    pub(super) fn end_page(&mut self) -> u64 {
        let mark = XxHash3_64::oneshot(&self.page);
        self.page.clear();
        self.done.push(mark);
        mark
    }

    pub(super) fn finish(self, rows: u32) -> Marks {
        Marks {
            rows,
            of_pages: self.done,
        }
    }
}
