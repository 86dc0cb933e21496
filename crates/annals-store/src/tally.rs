//! Counting rows of one log: when they occurred, and which values they have.

mod counts;
mod extent;

use std::time::Instant;

use annals_event::{Facet, Filter, RowParts, Steps};

use crate::blocks::Look;
use crate::search::{gather, possible};
use crate::{Log, Order, StoreError, Unreadable};

use counts::Counts;
use extent::ExtentTally;

/// A histogram has at most this many steps with events in them.
pub const STEPS_MAX: usize = 10_000;

/// This many different values of a facet are told apart.
pub const VALUES_MAX: usize = 10_000;

/// Rows of a block that is read to be counted.
const BLOCK: usize = 1024;

/// What is to be counted, of all rows that match.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Which rows.
    pub filter: Filter,
    /// As the log was at this size; the size now if absent.
    pub as_of: Option<u64>,
    /// By hours or days of a zone, by `occurred_at`.
    pub steps: Option<Steps>,
    /// By the values of these.
    pub facets: Vec<Facet>,
    /// How many values of each facet are named.
    pub top: usize,
    /// When to stop looking. What was counted by then is returned and says how far it reached.
    pub deadline: Option<Instant>,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            filter: Filter::everything(),
            as_of: None,
            steps: None,
            facets: Vec::new(),
            top: 10,
            deadline: None,
        }
    }
}

/// What a [`Tally`] came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tallied {
    /// The size that was looked at.
    pub as_of: u64,
    /// How many rows match.
    pub count: u64,
    /// The steps in which events occurred, the earliest first. Empty if none were asked for.
    pub steps: Vec<StepCount>,
    /// The facets, in the order in which they were asked for.
    pub facets: Vec<FacetCounts>,
    /// If the deadline came first: the position down to which, itself included, everything was counted. The counts hold
    /// for the positions from there on.
    pub partial: Option<u64>,
    /// What could not be read, and is not counted.
    pub unreadable: Vec<Unreadable>,
}

/// Events of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepCount {
    /// The first microsecond of the step, since the epoch.
    pub from: i64,
    /// The first microsecond after it.
    pub to: i64,
    /// How many events occurred in it.
    pub count: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// The values of one facet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetCounts {
    /// The facet.
    pub facet: Facet,
    /// The most frequent values, the most frequent one first; equally frequent ones by their text.
    pub values: Vec<ValueCount>,
    /// How many other values there are.
    pub others: u64,
    /// How many rows have no value.
    pub missing: u64,
    /// Whether all different values were told apart. If not, there are more than [`VALUES_MAX`]: `others` is the least that there
    /// are, and counts are the least that their values have. What is frequent among newer events is named before what is not.
    pub complete: bool,
}

/// One value of a facet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCount {
    /// The value, as a term of the search language takes it.
    pub value: String,
    /// What people call it, if that is something else: one of its newer names.
    pub label: Option<String>,
    /// How many rows have it.
    pub count: u64,
}

/// Counts, from the newest row on.
pub(crate) fn tally(log: &Log, tally: &Tally) -> Result<Tallied, StoreError> {
    let blocks = log.blocks();
    let as_of = tally.as_of.unwrap_or(u64::MAX).min(log.size());
    let nothing = RowParts::default();
    let parts = tally.facets.iter().map(|facet| facet.parts());
    let look = Look::new(log.slot, tally.filter.clone()).only(parts.fold(nothing, RowParts::and));
    // The tallies of segments know times and values, but not which event has both.
    let by_extent = tally.filter.is_range();
    let mut left = possible(&tally.filter, 0, as_of);
    let mut counts = Counts::new(tally);
    let mut open: Option<ExtentTally> = None;
    // From here on up there is a tally that does not serve.
    let mut useless_from = u64::MAX;
    let (mut partial, mut unreadable) = (None, Vec::new());
    while !left.is_empty() {
        counts.check()?;
        let in_time = |deadline| Instant::now() < deadline;
        if !tally.deadline.is_none_or(in_time) {
            partial = Some(left.end);
            break;
        }
        let holds = |extent: &ExtentTally| extent.holds(left.end - 1);
        if by_extent && !open.as_ref().is_some_and(holds) && left.end <= useless_from {
            if let Some(extent) = open.take() {
                extent.close(&mut counts);
            }
            match blocks.tallied(log.slot, &left, &look, !counts.places().is_empty()) {
                Ok(Some(found)) => match ExtentTally::open(found, &counts) {
                    Ok(extent) => open = Some(extent),
                    Err(first) => useless_from = first,
                },
                // What cannot be read is met below.
                Ok(None) | Err(StoreError::Unreadable(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(extent) = &mut open
            && let Some(rest) = extent.count_page(&left, &look, &mut counts)?
        {
            left.end = rest;
            continue;
        }
        match blocks.next(log.slot, &left, Order::Desc, &look, BLOCK) {
            Ok(Some(block)) => {
                block.rows.iter().for_each(|row| counts.row(row));
                left.end = block.from;
            }
            Ok(None) => break,
            Err(StoreError::Unreadable(what)) => {
                left.end = what.positions.start.max(left.start);
                gather(&mut unreadable, what);
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(extent) = open {
        extent.close(&mut counts);
    }
    counts.check()?;
    Ok(counts.finish(as_of, partial, unreadable))
}
