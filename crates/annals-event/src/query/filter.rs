//! A query made ready to be compared with rows.

use std::net::IpAddr;
use std::ops::Range;

use super::address::{Network, address_of};
use super::field::Field;
use super::fold::{Needle, Pattern, fold};
use super::json;
use super::term::{Address, Term, Value};
use super::text;
use super::time::{Bounds, Moment, Span, When};
use crate::{Catalogue, Category, Outcome, Row, Section, Timestamp};

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

/// One of the listed values has to fit.
#[derive(Debug, Clone)]
enum Check {
    Occurred(Vec<Bounds<i64>>),
    Recorded(Vec<Bounds<i64>>),
    Position(Vec<Bounds<u64>>),
    Outcome(Vec<Outcome>),
    Category(Vec<Category>),
    Action(Vec<ActionNeedle>),
    Key(Vec<Needle>),
    Id(Vec<Needle>),
    Reason(Vec<Needle>),
    Actor(Part, Vec<Needle>),
    Target(Part, Vec<Needle>),
    Context(&'static str, Vec<Needle>),
    Ip(Vec<IpNeedle>),
    /// A member of `metadata`, `previous` or `next`, by folded path.
    Detail(&'static str, String, Vec<Needle>),
    Text(Needle),
}

/// Which part of an actor or a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Id, name or e-mail address.
    Any,
    Id,
    Type,
    Name,
    Email,
    Role,
}

#[derive(Debug, Clone)]
struct ActionNeedle {
    name: Needle,
    /// `project.*`, if `project` was written.
    group: Option<Needle>,
    /// It may be a name as people read it.
    display: bool,
}

#[derive(Debug, Clone)]
enum IpNeedle {
    Network(Network),
    Like(Needle),
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

fn hull<V: super::time::Step>(spans: &[Bounds<V>]) -> Bounds<V> {
    spans.iter().copied().fold(Bounds::nothing(), Bounds::hull)
}

/// What a range of times means now. A relative time by itself means since then.
pub(crate) fn time_bounds(span: &Span<Moment>, when: &When) -> Bounds<i64> {
    let bounds = span.bounds(|at| at.bounds(when).first, |at| at.bounds(when).last);
    match span {
        Span::At(Moment::Ago(..)) => Bounds {
            last: i64::MAX,
            ..bounds
        },
        _ => bounds,
    }
}

fn check(term: &Term, when: &When) -> Check {
    use Check::{Actor, Context, Detail, Target};
    let values = || term.values.iter();
    let patterns = || {
        values().filter_map(|value| match value {
            Value::Text(pattern) => Some(pattern),
            _ => None,
        })
    };
    let needles = || patterns().map(Pattern::needle).collect::<Vec<_>>();
    let times = || {
        let spans = values().filter_map(|value| match value {
            Value::Time(span) => Some(time_bounds(span, when)),
            _ => None,
        });
        spans.collect()
    };
    let detail = |member, path: &str| Detail(member, fold(path).into_owned(), needles());
    let Some(field) = &term.field else {
        let any = || Pattern::from_pieces(vec![String::new(), String::new()]);
        return Check::Text(
            patterns()
                .next()
                .map_or_else(|| any().needle(), Pattern::needle),
        );
    };
    match field {
        Field::Time => Check::Occurred(times()),
        Field::Recorded => Check::Recorded(times()),
        Field::Position => Check::Position(
            values()
                .filter_map(|value| match value {
                    Value::Position(span) => Some(span.bounds(|n| *n, |n| *n)),
                    _ => None,
                })
                .collect(),
        ),
        Field::Outcome => Check::Outcome(
            values()
                .filter_map(|value| match value {
                    Value::Outcome(outcome) => Some(*outcome),
                    _ => None,
                })
                .collect(),
        ),
        Field::Category => Check::Category(
            values()
                .filter_map(|value| match value {
                    Value::Category(category) => Some(*category),
                    _ => None,
                })
                .collect(),
        ),
        Field::Ip => Check::Ip(
            values()
                .filter_map(|value| match value {
                    Value::Address(Address::Network(network)) => Some(IpNeedle::Network(*network)),
                    Value::Address(Address::Like(like)) => Some(IpNeedle::Like(like.needle())),
                    _ => None,
                })
                .collect(),
        ),
        Field::Action => Check::Action(patterns().map(ActionNeedle::new).collect()),
        Field::Key => Check::Key(needles()),
        Field::Id => Check::Id(needles()),
        Field::Reason => Check::Reason(needles()),
        Field::Actor => Actor(Part::Any, needles()),
        Field::ActorId => Actor(Part::Id, needles()),
        Field::ActorType => Actor(Part::Type, needles()),
        Field::ActorName => Actor(Part::Name, needles()),
        Field::ActorEmail => Actor(Part::Email, needles()),
        Field::ActorRole => Actor(Part::Role, needles()),
        Field::Target => Target(Part::Any, needles()),
        Field::TargetId => Target(Part::Id, needles()),
        Field::TargetType => Target(Part::Type, needles()),
        Field::TargetName => Target(Part::Name, needles()),
        Field::TargetEmail => Target(Part::Email, needles()),
        Field::Location => Context("location", needles()),
        Field::Source => Context("source", needles()),
        Field::Session => Context("session_id", needles()),
        Field::Request => Context("request_id", needles()),
        Field::Correlation => Context("correlation_id", needles()),
        Field::UserAgent => Context("user_agent", needles()),
        Field::Meta(path) => detail("metadata", path),
        Field::Previous(path) => detail("previous", path),
        Field::Next(path) => detail("next", path),
    }
}

impl ActionNeedle {
    fn new(pattern: &Pattern) -> Self {
        let group = pattern
            .as_literal()
            .map(|name| Pattern::from_pieces(vec![format!("{name}."), String::new()]).needle());
        let display = pattern.pieces().iter().any(|piece| piece.contains(' '));
        ActionNeedle {
            name: pattern.needle(),
            group,
            display,
        }
    }

    fn fits(&self, action: &str, catalogue: &Catalogue) -> bool {
        self.name.fits(action)
            || self.group.as_ref().is_some_and(|group| group.fits(action))
            || (self.display && self.name.fits(&catalogue.display_name(action)))
    }
}

impl Check {
    /// 0: skeleton only. 1: one section of a row. 2: all of a row.
    fn cost(&self) -> u8 {
        match self {
            Check::Text(_) => 2,
            Check::Reason(_) | Check::Context(..) | Check::Ip(_) | Check::Detail(..) => 1,
            Check::Actor(Part::Type, _) | Check::Target(Part::Type, _) => 0,
            Check::Actor(..) | Check::Target(..) => 1,
            _ => 0,
        }
    }

    fn holds(&self, row: &Row, catalogue: &Catalogue) -> bool {
        let skeleton = row.skeleton();
        let any = |needles: &[Needle], text: &str| needles.iter().any(|n| n.fits(text));
        match self {
            Check::Occurred(spans) => within(spans, skeleton.occurred_at.as_micros()),
            Check::Recorded(spans) => within(spans, row.recorded_at.as_micros()),
            Check::Position(spans) => within(spans, row.position),
            Check::Outcome(outcomes) => outcomes.contains(&row.outcome()),
            Check::Category(categories) => {
                categories.contains(&catalogue.category_of(&skeleton.action))
            }
            Check::Action(needles) => needles
                .iter()
                .any(|needle| needle.fits(&skeleton.action, catalogue)),
            Check::Key(needles) => any(needles, &row.recorded_by),
            Check::Id(needles) => any(needles, &skeleton.id),
            Check::Reason(needles) => {
                let Some(clear) = &skeleton.failure else {
                    return false;
                };
                any(needles, clear)
                    || (possible(row, Section::DETAILS, needles)
                        && row
                            .failure_reason()
                            .is_some_and(|reason| any(needles, reason)))
            }
            Check::Actor(part, needles) => actor_fits(row, *part, needles),
            Check::Target(part, needles) => {
                (0..skeleton.targets.len()).any(|n| target_fits(row, n, *part, needles))
            }
            Check::Context(member, needles) => {
                possible(row, Section::CONTEXT, needles)
                    && row.context(member).is_some_and(|value| any(needles, value))
            }
            Check::Ip(needles) => row.context("location").is_some_and(|location| {
                let address = address_of(location);
                address.is_some_and(|ip| needles.iter().any(|needle| needle.fits(ip, location)))
            }),
            Check::Detail(member, path, needles) => {
                possible(row, Section::DETAILS, needles)
                    && row
                        .section(Section::DETAILS)
                        .and_then(|details| details.get(member)?.as_object())
                        .is_some_and(|members| json::any_at(members, path, needles))
            }
            Check::Text(needle) => needle.is_any() || text::occurs(needle, row, catalogue),
        }
    }
}

impl IpNeedle {
    fn fits(&self, address: IpAddr, written: &str) -> bool {
        match self {
            IpNeedle::Network(network) => network.contains(address),
            IpNeedle::Like(needle) => needle.fits(written),
        }
    }
}

fn within<V: super::time::Step>(spans: &[Bounds<V>], value: V) -> bool {
    spans.iter().any(|span| span.contains(value))
}

/// Whether it is worth parsing section `k`.
fn possible(row: &Row, k: usize, needles: &[Needle]) -> bool {
    let text = row.section_text(k);
    text.is_some_and(|text| needles.iter().any(|needle| needle.possible_in(text)))
}

fn actor_fits(row: &Row, part: Part, needles: &[Needle]) -> bool {
    let any = |text: Option<&str>| text.is_some_and(|t| needles.iter().any(|n| n.fits(t)));
    let clear = &row.skeleton().actor;
    let plainly = match part {
        Part::Any | Part::Id => any(clear.id.as_deref()),
        Part::Role => any(clear.role.as_deref()),
        Part::Type => return any(Some(&clear.kind)),
        Part::Name | Part::Email => false,
    };
    plainly
        || (possible(row, Section::ACTOR, needles)
            && match part {
                Part::Any => any(row.actor_id()) || any(row.actor_name()) || any(row.actor_email()),
                Part::Id => any(row.actor_id()),
                Part::Name => any(row.actor_name()),
                Part::Email => any(row.actor_email()),
                Part::Role => any(row.actor_role()),
                Part::Type => false,
            })
}

fn target_fits(row: &Row, n: usize, part: Part, needles: &[Needle]) -> bool {
    let any = |text: Option<&str>| text.is_some_and(|t| needles.iter().any(|n| n.fits(t)));
    let Some(clear) = row.skeleton().targets.get(n) else {
        return false;
    };
    let plainly = match part {
        Part::Any | Part::Id => any(clear.id.as_deref()),
        Part::Type => return any(Some(&clear.kind)),
        Part::Name | Part::Email | Part::Role => false,
    };
    plainly
        || (possible(row, Section::TARGETS + n, needles)
            && row.target(n).is_some_and(|target| match part {
                Part::Any => any(target.id) || any(target.name) || any(target.email),
                Part::Id => any(target.id),
                Part::Name => any(target.name),
                Part::Email => any(target.email),
                Part::Type | Part::Role => false,
            }))
}
