//! Rows of one log out of a segment.

use std::ops::Range;

use super::{Block, Look, Lot, Stretch};
use crate::journal::to_u32;
use crate::recent::Extent;
use crate::segment::{Flaw, Probe, Segment};
use crate::{Order, StoreError, Unreadable};

/// The page at the near end of a segment's share of a log, and those of its rows that the stretch has.
fn page_at(
    segment: &Segment,
    stretch: &Stretch,
    extent: &Extent,
    order: Order,
) -> (usize, Range<u32>) {
    let entry = extent.entry;
    let row_of = |position: u64| entry.row + to_u32(position - entry.first);
    let near = match order {
        Order::Asc => row_of(stretch.from),
        Order::Desc => row_of(stretch.to - 1),
    };
    let (page, rows) = segment.page_of(near);
    let begin = rows.start.max(row_of(stretch.from));
    let end = rows.end.min(row_of(stretch.to - 1) + 1);
    (page, begin..end)
}

/// The error for a page that [`of_segment`] could not read.
pub(super) fn unreadable(
    segment: &Segment,
    stretch: &Stretch,
    extent: &Extent,
    order: Order,
    flaw: Flaw,
) -> StoreError {
    let entry = extent.entry;
    let (_, rows) = page_at(segment, stretch, extent, order);
    let position_of = |row: u32| entry.first + u64::from(row - entry.row);
    StoreError::Unreadable(Unreadable {
        log: entry.slot,
        positions: position_of(rows.start)..position_of(rows.end),
        segment: Some(extent.segment),
        rows,
        what: flaw.0,
    })
}

/// What matches at the near end of a segment's share of a log: of one page.
pub(super) fn of_segment(
    segment: &Segment,
    stretch: &Stretch,
    extent: &Extent,
    order: Order,
    look: &Look,
    most: usize,
) -> Result<Block<Lot>, Flaw> {
    let entry = extent.entry;
    let row_of = |position: u64| entry.row + to_u32(position - entry.first);
    let position_of = |row: u32| entry.first + u64::from(row - entry.row);
    let nothing = |from, to| {
        Ok(Block {
            from,
            to,
            rows: Lot::Rows(Vec::new()),
        })
    };
    if !look.overlaps(entry.occurred.0, entry.occurred.1) {
        return nothing(stretch.from, stretch.to);
    }
    let (page, rows) = page_at(segment, stretch, extent, order);
    let (mut begin, mut end) = (rows.start, rows.end);
    let page_rows = segment.page_of(begin).1;
    if !segment.may_hold(page, look.window(), &look.probe) {
        return nothing(position_of(begin), position_of(end));
    }
    let cut = |begin: &mut u32, end: &mut u32, count: u32| match order {
        Order::Asc => *end = (*begin + count).min(*end),
        Order::Desc => *begin = end.saturating_sub(count).max(*begin),
    };
    if look.filter.is_everything() && look.only.is_none() {
        cut(&mut begin, &mut end, to_u32(most));
        // Who reads whole pages goes through everything, and must not push out what others come back to.
        let is_part = begin > page_rows.start || end < page_rows.end;
        let rows = Lot::Lying(segment.lying(begin..end, is_part)?);
        return Ok(Block {
            from: position_of(begin),
            to: position_of(end),
            rows,
        });
    }
    // First what the filter looks at, then everything of the rows that match.
    let parts = look.parts.and(look.only.unwrap_or_default());
    let mut matching = segment.read_possible(begin..end, parts, &look.filter, &look.probe)?;
    matching.retain(|row| look.matches(row));
    let (from, to) = (position_of(begin), position_of(end));
    if look.only.is_some() || matching.is_empty() {
        let rows = Lot::Rows(matching);
        return Ok(Block { from, to, rows });
    }
    let (mut from, mut to) = (from, to);
    if matching.len() > most {
        match order {
            Order::Asc => {
                matching.truncate(most);
                to = matching.last().map_or(to, |row| row.position + 1);
            }
            Order::Desc => {
                matching.drain(..matching.len() - most);
                from = matching.first().map_or(from, |row| row.position);
            }
        }
    }
    let first = matching.first().map_or(from, |row| row.position);
    let last = matching.last().map_or(from, |row| row.position);
    let whole = segment.lying(row_of(first)..row_of(last) + 1, true)?;
    let rows = Lot::Lying(whole.at(matching.iter().map(|row| row.position)));
    Ok(Block { from, to, rows })
}

/// The position of the event with this id in a segment's share of a log.
pub(super) fn position_in(
    segment: &Segment,
    extent: &Extent,
    id: &str,
    probe: &Probe,
) -> Result<Option<u64>, Flaw> {
    let entry = extent.entry;
    if !segment.may_hold_id(entry.slot, id) {
        return Ok(None);
    }
    let mut row = entry.row;
    while row < entry.row_end() {
        let (page, rows) = segment.page_of(row);
        let rows = rows.start.max(entry.row)..rows.end.min(entry.row_end());
        row = rows.end;
        if !segment.may_hold(page, (None, None), probe) {
            continue;
        }
        if let Some(before) = segment.find_id(rows.clone(), id)? {
            return Ok(Some(
                entry.first + u64::from(rows.start - entry.row + before),
            ));
        }
    }
    Ok(None)
}
