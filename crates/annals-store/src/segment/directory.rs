//! Which rows of a segment belong to which log.

use crate::Slot;
use crate::journal::{Input, Malformed, put_number, put_signed};

/// A log's share of a segment: rows at contiguous positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) slot: Slot,
    /// The first row in the file.
    pub(crate) row: u32,
    /// How many rows; at least one.
    pub(crate) count: u32,
    /// The position of the first row.
    pub(crate) first: u64,
    /// The earliest and the latest `occurred_at`, in microseconds since the epoch.
    pub(crate) occurred: (i64, i64),
    /// The newest of those ids that are UUIDs of version 7, in milliseconds since the epoch; 0 if there is none.
    pub(crate) newest_id: u64,
    /// Whether there are other ids than those.
    pub(crate) other_ids: bool,
}

impl Entry {
    /// One past the last position.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    /// One past the last row.
    pub(crate) fn row_end(&self) -> u32 {
        self.row + self.count
    }
}

/// The entries as bytes. They are in order of their slots and rows follow on each other, so a row's number
/// is the sum of the counts before.
pub(crate) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 * entries.len());
    put_number(&mut out, entries.len() as u64);
    let (mut slot, mut time) = (0, 0i64);
    for entry in entries {
        put_number(&mut out, u64::from(entry.slot - slot));
        put_number(&mut out, u64::from(entry.count));
        put_number(&mut out, entry.first);
        put_signed(&mut out, entry.occurred.0.wrapping_sub(time));
        put_number(&mut out, entry.occurred.1.abs_diff(entry.occurred.0));
        put_number(&mut out, entry.newest_id << 1 | u64::from(entry.other_ids));
        (slot, time) = (entry.slot, entry.occurred.0);
    }
    out
}

/// Reads what [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Entry>, Malformed> {
    let mut input = Input::new(bytes);
    let too_large = Malformed("the directory has a number that is too large");
    let count = input.count(6)?;
    let mut entries: Vec<Entry> = Vec::with_capacity(count);
    let (mut slot, mut row, mut time): (Slot, u32, i64) = (0, 0, 0);
    for n in 0..count {
        let step = input.small()?;
        if n > 0 && step == 0 {
            return Err(Malformed("the directory has a log twice"));
        }
        slot = slot.checked_add(step).ok_or(too_large)?;
        let (count, first) = (input.small()?, input.number()?);
        if count == 0 {
            return Err(Malformed("the directory has a log without rows"));
        }
        first.checked_add(u64::from(count)).ok_or(too_large)?;
        let earliest = time.wrapping_add(input.signed()?);
        let latest = earliest
            .checked_add_unsigned(input.number()?)
            .ok_or(too_large)?;
        let ids = input.number()?;
        entries.push(Entry {
            slot,
            row,
            count,
            first,
            occurred: (earliest, latest),
            newest_id: ids >> 1,
            other_ids: ids & 1 == 1,
        });
        row = row.checked_add(count).ok_or(too_large)?;
        time = earliest;
    }
    match input.is_empty() {
        true => Ok(entries),
        false => Err(Malformed("bytes follow the directory")),
    }
}
