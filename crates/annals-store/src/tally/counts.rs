//! What was counted so far, in bounded memory.

use std::collections::{BTreeMap, HashMap};

use annals_event::{Facet, Row, Steps, Timestamp};

use super::{FacetCounts, STEPS_MAX, StepCount, Tallied, Tally, VALUES_MAX, ValueCount};
use crate::segment::{COUNTED, Count};
use crate::{StoreError, Unreadable};

pub(super) struct Counts {
    all: Count,
    histogram: Option<Histogram>,
    facets: Vec<Values>,
    top: usize,
}

/// Steps with events in them, by their first microsecond.
struct Histogram {
    steps: Steps,
    counts: BTreeMap<i64, StepCount>,
    /// The step that was met last: most often the next one, too.
    last: StepCount,
}

/// Values of one facet.
pub(super) struct Values {
    facet: Facet,
    /// How many rows have a value.
    pub(super) with: u64,
    counts: HashMap<String, (u64, Option<String>)>,
    complete: bool,
}

impl Values {
    pub(super) fn add(&mut self, value: &str, label: Option<&str>, count: u64) {
        if let Some((known, known_label)) = self.counts.get_mut(value) {
            *known = known.saturating_add(count);
            // Newer rows come first.
            if known_label.is_none() {
                *known_label = label.map(str::to_owned);
            }
        } else if self.counts.len() < VALUES_MAX {
            let label = label.map(str::to_owned);
            self.counts.insert(value.to_owned(), (count, label));
        } else {
            self.complete = false;
        }
    }

    /// How many more values are told apart.
    pub(super) fn room(&self) -> usize {
        VALUES_MAX - self.counts.len()
    }

    fn finish(self, all: u64, top: usize) -> FacetCounts {
        let mut values: Vec<ValueCount> = self
            .counts
            .into_iter()
            .map(|(value, (count, label))| ValueCount {
                value,
                label,
                count,
            })
            .collect();
        values.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        let others = values.len().saturating_sub(top) as u64;
        values.truncate(top);
        FacetCounts {
            facet: self.facet,
            values,
            others,
            missing: all.saturating_sub(self.with),
            complete: self.complete,
        }
    }
}

impl Histogram {
    /// The step that a moment lies in.
    fn step(&mut self, at: i64) -> &mut StepCount {
        if at < self.last.from || at >= self.last.to {
            self.keep();
            let around = self.steps.around(Timestamp::clamped(at));
            let known = self.counts.get(&around.start);
            self.last = known.copied().unwrap_or(StepCount {
                from: around.start,
                to: around.end,
                count: 0,
                failed: 0,
            });
        }
        &mut self.last
    }

    fn keep(&mut self) {
        if self.last.count > 0 {
            self.counts.insert(self.last.from, self.last);
        }
    }
}

impl Counts {
    pub(super) fn new(tally: &Tally) -> Counts {
        let none = StepCount {
            from: 0,
            to: 0,
            count: 0,
            failed: 0,
        };
        Counts {
            all: Count::default(),
            histogram: tally.steps.clone().map(|steps| Histogram {
                steps,
                counts: BTreeMap::new(),
                last: none,
            }),
            facets: tally
                .facets
                .iter()
                .map(|facet| Values {
                    facet: *facet,
                    with: 0,
                    counts: HashMap::new(),
                    complete: true,
                })
                .collect(),
            top: tally.top,
        }
    }

    /// The facets that are counted, by their place in [`COUNTED`].
    pub(super) fn by_place(&mut self) -> impl Iterator<Item = (usize, &mut Values)> {
        self.facets.iter_mut().filter_map(|values| {
            let place = COUNTED.iter().position(|facet| *facet == values.facet)?;
            Some((place, values))
        })
    }

    /// The places in [`COUNTED`] of the facets that are counted.
    pub(super) fn places(&self) -> Vec<usize> {
        let place = |values: &Values| COUNTED.iter().position(|facet| *facet == values.facet);
        self.facets.iter().filter_map(place).collect()
    }

    pub(super) fn row(&mut self, row: &Row) {
        let skeleton = row.skeleton();
        let failed = u64::from(skeleton.failure.is_some());
        self.all.all += 1;
        self.all.failed += failed;
        if let Some(histogram) = &mut self.histogram {
            let step = histogram.step(skeleton.occurred_at.as_micros());
            step.count += 1;
            step.failed += failed;
        }
        for values in self.facets.iter_mut().filter(|v| v.facet != Facet::Outcome) {
            let mut any = false;
            values.facet.values(row, &mut |value, label| {
                any = true;
                values.add(value, label, 1);
            });
            values.with += u64::from(any);
        }
    }

    /// Whether the moments from `first` to `last` all lie in one step.
    pub(super) fn fits(&mut self, first: i64, last: i64) -> bool {
        let Some(histogram) = &mut self.histogram else {
            return true;
        };
        last < histogram.step(first).to
    }

    /// Takes in events of a slot of time that begins at `from` and fits.
    pub(super) fn slot(&mut self, from: i64, count: Count) {
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut self.all.all, count.all);
        add(&mut self.all.failed, count.failed);
        if let Some(histogram) = &mut self.histogram {
            let step = histogram.step(from);
            add(&mut step.count, count.all);
            add(&mut step.failed, count.failed);
        }
    }

    /// Whether there are no more steps than memory is meant for.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let steps = self.histogram.as_ref().map_or(0, |h| h.counts.len());
        match steps > STEPS_MAX {
            true => Err(StoreError::TooManySteps { limit: STEPS_MAX }),
            false => Ok(()),
        }
    }

    pub(super) fn finish(
        mut self,
        as_of: u64,
        partial: Option<u64>,
        unreadable: Vec<Unreadable>,
    ) -> Tallied {
        let Count { all, failed } = self.all;
        for outcome in self.facets.iter_mut().filter(|v| v.facet == Facet::Outcome) {
            outcome.with = all;
            for (value, count) in [("failure", failed), ("success", all.saturating_sub(failed))] {
                if count > 0 {
                    outcome.add(value, None, count);
                }
            }
        }
        let steps = self.histogram.map_or_else(Vec::new, |mut histogram| {
            histogram.keep();
            histogram.counts.into_values().collect()
        });
        let facets = self.facets.into_iter();
        Tallied {
            as_of,
            count: all,
            steps,
            facets: facets.map(|values| values.finish(all, self.top)).collect(),
            partial,
            unreadable,
        }
    }
}
