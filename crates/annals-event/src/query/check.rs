//! One condition, made ready: what it compares in a row, and in which order conditions are tried.

use std::net::IpAddr;

use super::address::{Network, address_of};
use super::field::Field;
use super::fold::{Needle, Pattern, fold};
use super::json;
use super::span::{Bounds, Span, Step};
use super::term::{Address, Term, Value};
use super::text;
use super::time::{Moment, When};
use crate::{Catalogue, Category, Outcome, Row, RowPlace, Section};

/// One of the listed values has to fit.
#[derive(Debug, Clone)]
pub(crate) enum Check {
    Occurred(Vec<Bounds<i64>>),
    Recorded(Vec<Bounds<i64>>),
    Position(Vec<Bounds<u64>>),
    Outcome(Vec<Outcome>),
    Category(Vec<Category>),
    Action(Vec<ActionNeedle>),
    /// Exactly one of these, to the letter.
    Actions(Vec<String>),
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
pub(crate) enum Part {
    /// Id, name or e-mail address.
    Any,
    Id,
    Type,
    Name,
    Email,
    Role,
}

#[derive(Debug, Clone)]
pub(crate) struct ActionNeedle {
    name: Needle,
    /// `project.*`, if `project` was written.
    group: Option<Needle>,
    /// It may be a name as people read it.
    display: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum IpNeedle {
    Network(Network),
    Like(Needle),
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

/// What a term compares. Case is folded and times are settled here, once.
pub(crate) fn check(term: &Term, when: &When) -> Check {
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
    pub(crate) fn cost(&self) -> u8 {
        match self {
            Check::Text(_) => 2,
            Check::Reason(_) | Check::Context(..) | Check::Ip(_) | Check::Detail(..) => 1,
            Check::Actor(Part::Type, _) | Check::Target(Part::Type, _) => 0,
            Check::Actor(..) | Check::Target(..) => 1,
            _ => 0,
        }
    }

    /// Whether it holds of an event with this place; `None` if that is not what it asks for.
    pub(crate) fn holds_at(&self, place: &RowPlace) -> Option<bool> {
        match self {
            Check::Occurred(spans) => Some(within(spans, place.occurred_at.as_micros())),
            Check::Recorded(spans) => Some(within(spans, place.recorded_at.as_micros())),
            Check::Position(spans) => Some(within(spans, place.position)),
            Check::Outcome(outcomes) => Some(outcomes.contains(&place.outcome)),
            _ => None,
        }
    }

    /// Whether it holds of an event with this action; `None` if that is not what it asks for.
    pub(crate) fn holds_of_action(&self, action: &str, catalogue: &Catalogue) -> Option<bool> {
        match self {
            Check::Category(categories) => {
                Some(categories.contains(&catalogue.category_of(action)))
            }
            Check::Action(needles) => {
                let mut needles = needles.iter();
                Some(needles.any(|needle| needle.fits(action, catalogue)))
            }
            Check::Actions(names) => Some(names.iter().any(|name| name == action)),
            _ => None,
        }
    }

    pub(crate) fn holds(&self, row: &Row, catalogue: &Catalogue) -> bool {
        let skeleton = row.skeleton();
        let any = |needles: &[Needle], text: &str| needles.iter().any(|n| n.fits(text));
        match self {
            Check::Occurred(_) | Check::Recorded(_) | Check::Position(_) | Check::Outcome(_) => {
                self.holds_at(&row.place()).unwrap_or(false)
            }
            Check::Category(_) | Check::Action(_) | Check::Actions(_) => self
                .holds_of_action(&skeleton.action, catalogue)
                .unwrap_or(false),
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

fn within<V: Step>(spans: &[Bounds<V>], value: V) -> bool {
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
