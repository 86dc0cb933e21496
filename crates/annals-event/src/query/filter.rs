//! A query made ready to be compared with rows.

use std::ops::Range;

use super::check::{Check, check};
use super::span::{Bounds, Step};
use super::term::Term;
use super::time::When;
use crate::{Catalogue, Row, RowPlace, Timestamp};

/// Says of every row whether it fits a query. Made by [`super::Query::resolve`]; cheap to clone compared with a search.
///
/// Tests that need only the skeleton run first; a section is parsed only if its text can hold what is looked for.
#[derive(Debug, Clone)]
pub struct Filter {
    /// All have to hold; cheap ones first.
    tests: Vec<Test>,
    occurred: Bounds<i64>,
    recorded: Bounds<i64>,
    positions: Bounds<u64>,
}

#[derive(Debug, Clone)]
struct Test {
    negated: bool,
    check: Check,
}

impl Filter {
    /// Lets every row through.
    pub fn everything() -> Filter {
        Filter {
            tests: Vec::new(),
            occurred: Bounds::everything(),
            recorded: Bounds::everything(),
            positions: Bounds::everything(),
        }
    }

    pub(crate) fn new(terms: &[Term], when: &When) -> Filter {
        let tests = terms.iter().map(|term| Test {
            negated: term.negated,
            check: check(term, when),
        });
        tests.fold(Filter::everything(), Filter::with_test)
    }

    fn with_test(mut self, test: Test) -> Filter {
        if !test.negated {
            match &test.check {
                Check::Occurred(spans) => self.occurred = self.occurred.and(hull(spans)),
                Check::Recorded(spans) => self.recorded = self.recorded.and(hull(spans)),
                Check::Position(spans) => self.positions = self.positions.and(hull(spans)),
                _ => {}
            }
        }
        let at = self
            .tests
            .partition_point(|known| known.check.cost() <= test.check.cost());
        self.tests.insert(at, test);
        self
    }

    /// Lets through what both let through.
    #[must_use]
    pub fn and(self, other: Filter) -> Filter {
        other.tests.into_iter().fold(self, Filter::with_test)
    }

    /// Also asks that `occurred_at` is at or after `from` and before `to`, where they are given.
    #[must_use]
    pub fn with_window(self, from: Option<Timestamp>, to: Option<Timestamp>) -> Filter {
        if from.is_none() && to.is_none() {
            return self;
        }
        let first = from.map_or(i64::MIN, Timestamp::as_micros);
        let last = to.map_or(i64::MAX, |to| to.as_micros() - 1);
        let check = Check::Occurred(vec![Bounds { first, last }]);
        self.with_test(Test {
            negated: false,
            check,
        })
    }

    /// Also asks that the action is one of these, to the letter: unlike `action:` of the search language, a
    /// name does not stand for its group.
    #[must_use]
    pub fn with_actions(self, names: Vec<String>) -> Filter {
        self.with_test(Test {
            negated: false,
            check: Check::Actions(names),
        })
    }

    /// Also asks that the position is in `range`.
    #[must_use]
    pub fn with_positions(self, range: Range<u64>) -> Filter {
        let bounds = match range.end.checked_sub(1) {
            Some(last) => Bounds {
                first: range.start,
                last,
            },
            None => Bounds::nothing(),
        };
        self.with_test(Test {
            negated: false,
            check: Check::Position(vec![bounds]),
        })
    }

    /// Whether it lets every row through.
    pub fn is_everything(&self) -> bool {
        self.tests.is_empty()
    }

    /// Whether [`Filter::window`] and [`Filter::positions`] are all that it asks for: a row within both fits.
    pub fn is_range(&self) -> bool {
        self.tests.iter().all(|test| {
            !test.negated
                && match &test.check {
                    Check::Occurred(spans) => spans.len() == 1,
                    Check::Position(spans) => spans.len() == 1,
                    _ => false,
                }
        })
    }

    /// Whether a row can be judged by its skeleton, position and times alone. If not, sections may have to be read.
    pub fn needs_sections(&self) -> bool {
        self.tests.iter().any(|test| test.check.cost() > 0)
    }

    /// Bounds of `occurred_at`, `[from, to)`: no row outside of them fits. A row inside may still not fit.
    pub fn window(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        window(self.occurred)
    }

    /// The same for `recorded_at`, which never decreases with the position.
    pub fn recorded_window(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        window(self.recorded)
    }

    /// Positions outside of which no row fits.
    pub fn positions(&self) -> Range<u64> {
        match self.positions.is_empty() {
            true => 0..0,
            false => self.positions.first..self.positions.last.saturating_add(1),
        }
    }

    pub(super) fn checks(&self) -> impl Iterator<Item = &Check> {
        self.tests.iter().map(|test| &test.check)
    }

    /// What has to hold, as opposed to what must not.
    pub(super) fn required(&self) -> impl Iterator<Item = &Check> {
        self.tests
            .iter()
            .filter(|test| !test.negated)
            .map(|test| &test.check)
    }

    /// Whether an event may fit that has this place. Nothing else of it is looked at.
    pub fn may_be_at(&self, place: &RowPlace) -> bool {
        let fits = |test: &Test| test.check.holds_at(place) != Some(test.negated);
        self.tests.iter().all(fits)
    }

    /// Whether an event may fit that has this action. Nothing else of it is looked at.
    pub fn may_have_action(&self, action: &str, catalogue: &Catalogue) -> bool {
        let fits =
            |test: &Test| test.check.holds_of_action(action, catalogue) != Some(test.negated);
        self.tests.iter().all(fits)
    }

    /// Whether the row fits. `catalogue` knows the display names and categories of actions.
    pub fn matches(&self, row: &Row, catalogue: &Catalogue) -> bool {
        self.tests
            .iter()
            .all(|test| test.check.holds(row, catalogue) != test.negated)
    }
}

fn window(bounds: Bounds<i64>) -> (Option<Timestamp>, Option<Timestamp>) {
    if bounds.is_empty() {
        return (Some(Timestamp::MAX), Some(Timestamp::MIN));
    }
    let from = (bounds.first > i64::MIN).then(|| Timestamp::clamped(bounds.first));
    // An end beyond the last moment that exists is no end.
    let to = bounds
        .last
        .checked_add(1)
        .and_then(|end| match end > Timestamp::MAX.as_micros() {
            true => None,
            false => Some(Timestamp::clamped(end)),
        });
    (from, to)
}

fn hull<V: Step>(spans: &[Bounds<V>]) -> Bounds<V> {
    spans.iter().copied().fold(Bounds::nothing(), Bounds::hull)
}
