//! What is known to be damaged: stretches of segments that are not as they were written. Nothing is read from
//! them, and everything else is.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use annals_event::Timestamp;
use rusqlite::{Connection, params};

use crate::database::{self, Location};
use crate::journal::to_u32;
use crate::manifest::damaged;
use crate::recent::{SegmentId, read, write};
use crate::segment::{Flaw, FlawKind};
use crate::{Slot, StoreError, Unreadable};

/// Positions of one log that cannot be read, because the part of a segment that holds them is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantined {
    /// The segment: its files are `segments/<number, eight digits>.parquet` and `.index`.
    pub segment: u32,
    /// The log.
    pub slot: Slot,
    /// The positions.
    pub positions: Range<u64>,
    /// The rows of the file that the damage was found in; those of other logs are listed with their log.
    pub rows: Range<u32>,
    /// When it was found.
    pub since: Timestamp,
    /// What is wrong.
    pub reason: String,
}

/// All stretches that are known, and the segments that somebody stumbled over.
#[derive(Default)]
pub(crate) struct Quarantine {
    stretches: RwLock<Vec<Quarantined>>,
    suspects: Mutex<BTreeSet<SegmentId>>,
}

impl Quarantine {
    /// Everything that is known.
    pub(crate) fn all(&self) -> Vec<Quarantined> {
        read(&self.stretches).clone()
    }

    /// What is known of one segment.
    pub(crate) fn of_segment(&self, segment: SegmentId) -> Vec<Quarantined> {
        let stretches = read(&self.stretches);
        let of_segment = stretches.iter().filter(|known| known.segment == segment);
        of_segment.cloned().collect()
    }

    /// Takes over what is known of one segment, instead of what was.
    pub(crate) fn replace(&self, segment: SegmentId, with: Vec<Quarantined>) {
        let mut stretches = write(&self.stretches);
        stretches.retain(|known| known.segment != segment);
        stretches.extend(with);
    }

    /// The error for a segment that does not read as it should. If that is its own fault, the scrubber looks at it next.
    pub(crate) fn stumbled(&self, segment: SegmentId, flaw: &Flaw) -> StoreError {
        if flaw.1 == FlawKind::Damaged {
            self.suspect(segment);
        }
        damaged(segment, flaw)
    }

    /// Lets the scrubber look at a segment next.
    pub(crate) fn suspect(&self, segment: SegmentId) {
        self.suspects().insert(segment);
    }

    /// The segments to look at next.
    pub(crate) fn suspects(&self) -> MutexGuard<'_, BTreeSet<SegmentId>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something is wrong, or may be, with a segment, so that nothing may be made of it.
    pub(crate) fn touches(&self, segment: SegmentId) -> bool {
        self.suspects().contains(&segment)
            || read(&self.stretches)
                .iter()
                .any(|known| known.segment == segment)
    }

    /// The part of `positions` around `near` that can be read, or why `near` itself cannot.
    pub(crate) fn around(
        &self,
        slot: Slot,
        near: u64,
        mut positions: Range<u64>,
    ) -> Result<Range<u64>, StoreError> {
        for known in read(&self.stretches)
            .iter()
            .filter(|known| known.slot == slot)
        {
            if known.positions.contains(&near) {
                return Err(unreadable(known, &positions));
            }
            if known.positions.end <= near {
                positions.start = positions.start.max(known.positions.end);
            } else {
                positions.end = positions.end.min(known.positions.start);
            }
        }
        Ok(positions)
    }

    /// Fails if one of `positions` cannot be read.
    pub(crate) fn require(&self, slot: Slot, positions: &Range<u64>) -> Result<(), StoreError> {
        let stretches = read(&self.stretches);
        let touching = stretches.iter().find(|known| {
            known.slot == slot
                && known.positions.start < positions.end
                && positions.start < known.positions.end
        });
        touching.map_or(Ok(()), |known| Err(unreadable(known, positions)))
    }
}

/// The error for the part of a stretch that lies within `asked`.
fn unreadable(known: &Quarantined, asked: &Range<u64>) -> StoreError {
    let Range { start, end } = known.positions;
    let positions = start.max(asked.start)..end.min(asked.end);
    let row = |position: u64| known.rows.start.saturating_add(to_u32(position - start));
    // Of a segment that could not be opened it is not known which rows these are.
    let is_row_by_row = u64::from(known.rows.end - known.rows.start) == end - start;
    let rows = match is_row_by_row {
        true => row(positions.start)..row(positions.end),
        false => known.rows.clone(),
    };
    StoreError::Unreadable(Unreadable {
        log: known.slot,
        rows,
        positions,
        segment: Some(known.segment),
        what: format!("{}; in quarantine since {}", known.reason, known.since),
    })
}

/// What the table has, by segment, log and position.
pub(crate) fn list(connection: &Connection) -> Result<Vec<Quarantined>, StoreError> {
    let mut read = connection.prepare_cached(
        "select segment_id, slot, first, \"end\", first_row, end_row, since, reason from quarantine
         order by segment_id, slot, first",
    )?;
    let listed = read.query_map([], |row| {
        Ok(Quarantined {
            segment: row.get(0)?,
            slot: row.get(1)?,
            positions: row.get(2)?..row.get(3)?,
            rows: row.get(4)?..row.get(5)?,
            since: Timestamp::clamped(row.get(6)?),
            reason: row.get(7)?,
        })
    })?;
    Ok(listed.collect::<Result<_, _>>()?)
}

/// The same of a directory that an earlier version wrote last, which has no such table.
pub(crate) fn list_if_any(connection: &Connection) -> Result<Vec<Quarantined>, StoreError> {
    let is_there = "select 1 from sqlite_schema where type = 'table' and name = 'quarantine'";
    match connection.prepare_cached(is_there)?.exists([])? {
        true => list(connection),
        false => Ok(Vec::new()),
    }
}

/// What is known to be damaged in a directory, beside the process that has it open; and the origin, which begins the
/// names of its logs.
///
/// # Errors
/// [`StoreError::Database`] if the database cannot be read, [`StoreError::Newer`] if a later version wrote it.
pub fn quarantined(dir: &Path) -> Result<(String, Vec<Quarantined>), StoreError> {
    let connection = Location::new(dir, None).open_reader()?;
    database::require_known(&connection)?;
    let origin = database::meta(&connection, "origin")?.unwrap_or_default();
    let origin = String::from_utf8_lossy(&origin).into_owned();
    Ok((origin, list_if_any(&connection)?))
}

/// Writes down what is known of one segment, instead of what was.
pub(crate) fn store(
    connection: &Connection,
    segment: SegmentId,
    stretches: &[Quarantined],
) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("delete from quarantine where segment_id = ?")?
        .execute([segment])?;
    let mut insert = connection.prepare_cached(
        "insert into quarantine (segment_id, slot, first, \"end\", first_row, end_row, since, reason)
         values (?, ?, ?, ?, ?, ?, ?, ?)",
    )?;
    for known in stretches {
        insert.execute(params![
            known.segment,
            known.slot,
            known.positions.start,
            known.positions.end,
            known.rows.start,
            known.rows.end,
            known.since.as_micros(),
            known.reason,
        ])?;
    }
    Ok(())
}
