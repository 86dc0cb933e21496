//! Counting an extent by what the index of its segment knows, without reading rows.

use std::ops::Range;

use crate::StoreError;
use crate::blocks::{Look, TalliedExtent};
use crate::journal::to_usize;
use crate::segment::{COUNTED, Count, Entry, FacetValues, Flaw, PAGE_ROWS, SLOT, Times};

use super::counts::Counts;

/// An extent that is being counted, page by page, from its end.
pub(super) struct ExtentTally {
    entry: Entry,
    times: Times,
    values: Option<FacetValues>,
    /// For each of [`COUNTED`], if it is counted.
    sums: [Option<Sum>; COUNTED.len()],
    slots: Vec<(i64, Count)>,
}

/// What was counted of a facet.
struct Sum {
    /// How many events have a value.
    with: u64,
    /// How many have each value, by its number.
    counts: Vec<u64>,
}

impl ExtentTally {
    /// Makes an extent ready. If its tally does not serve, the first position of it: all of it has to be read.
    pub(super) fn open(found: TalliedExtent, counts: &Counts) -> Result<ExtentTally, u64> {
        let entry = found.entry;
        ExtentTally::read(found, counts).ok_or(entry.first)
    }

    fn read(found: TalliedExtent, counts: &Counts) -> Option<ExtentTally> {
        let TalliedExtent {
            entry,
            times,
            values,
        } = found;
        let times = Times::open(times).ok()?;
        let values = match values {
            Some(values) => Some(FacetValues::open(values).ok()?),
            None => None,
        };
        let mut sums = [const { None }; COUNTED.len()];
        for place in counts.places() {
            let length = values.as_ref()?.len(place)?;
            sums[place] = Some(Sum {
                with: 0,
                counts: vec![0; length],
            });
        }
        let pages = page(entry.row_end() - 1) - page(entry.row) + 1;
        (times.pages() == pages).then_some(ExtentTally {
            entry,
            times,
            values,
            sums,
            slots: Vec::new(),
        })
    }

    pub(super) fn holds(&self, position: u64) -> bool {
        self.entry.first <= position && position < self.entry.end()
    }

    /// Counts the page at the upper end of `left` and gives its first position. `None` if only reading it tells which of its
    /// events are in the window, in `left` and in one step.
    pub(super) fn count_page(
        &mut self,
        left: &Range<u64>,
        look: &Look,
        counts: &mut Counts,
    ) -> Result<Option<u64>, StoreError> {
        let entry = self.entry;
        let near = to_usize(left.end - 1 - entry.first) + entry.row as usize;
        let number = near / PAGE_ROWS;
        let begin = (number * PAGE_ROWS).max(entry.row as usize);
        let end = ((number + 1) * PAGE_ROWS).min(entry.row_end() as usize);
        let position_of = |row: usize| entry.first + (row - entry.row as usize) as u64;
        if position_of(begin) < left.start || position_of(end) > left.end {
            return Ok(None);
        }
        let number = number - page(entry.row);
        let (from, to) = look.window();
        let (from, to) = (from.unwrap_or(i64::MIN), to.unwrap_or(i64::MAX));
        let (mut inside, mut outside, mut cut) = (false, false, false);
        let slots = &mut self.slots;
        slots.clear();
        let result = self.times.page(number, &mut |first, count| {
            let last = first.saturating_add(SLOT - 1);
            if last < from || first >= to {
                outside = true;
            } else if from <= first && last < to && counts.fits(first, last) {
                inside = true;
                slots.push((first, count));
            } else {
                cut = true;
            }
        });
        // Of events in and outside of the window, nobody knows which have which values.
        if result.is_err() || cut || (inside && outside && self.values.is_some()) {
            return Ok(None);
        }
        slots
            .iter()
            .for_each(|(from, count)| counts.slot(*from, *count));
        if inside {
            self.count_values(number)?;
        }
        Ok(Some(position_of(begin)))
    }

    fn count_values(&mut self, page: usize) -> Result<(), StoreError> {
        let Some(values) = &self.values else {
            return Ok(());
        };
        let sums = &mut self.sums;
        let result = values.page(page, &mut |facet, number, count| {
            let Some(sum) = &mut sums[facet] else { return };
            match number {
                None => sum.with = sum.with.saturating_add(count),
                Some(number) => {
                    if let Some(known) = sum.counts.get_mut(number as usize) {
                        *known = known.saturating_add(count);
                    }
                }
            }
        });
        let damaged = |flaw: Flaw| StoreError::Damaged {
            place: format!("the index of a segment, log {}", self.entry.slot),
            what: flaw.0,
        };
        result.map_err(damaged)
    }

    /// Adds the values that were counted.
    pub(super) fn close(self, counts: &mut Counts) {
        let Some(values) = self.values else { return };
        for (place, into) in counts.by_place() {
            let Some(sum) = &self.sums[place] else {
                continue;
            };
            into.with = into.with.saturating_add(sum.with);
            let met = sum
                .counts
                .iter()
                .enumerate()
                .filter(|(_, count)| **count > 0);
            let mut met: Vec<(usize, u64)> = met.map(|(number, count)| (number, *count)).collect();
            // Where there is no room for all, it is for the frequent ones.
            if met.len() > into.room() {
                met.sort_unstable_by_key(|(_, count)| std::cmp::Reverse(*count));
            }
            for (number, count) in met {
                if let Some((value, label)) = values.value(place, number) {
                    into.add(value, label, count);
                }
            }
        }
    }
}

/// The page of the file that a row lies on.
fn page(row: u32) -> usize {
    row as usize / PAGE_ROWS
}
