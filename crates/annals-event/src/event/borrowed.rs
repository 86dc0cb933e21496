//! The straight way from JSON text to an event: one pass, texts stay where they lie, free values become canonical text.
//!
//! Accepts exactly what [`super::walk`] accepts; a property test holds them together. Its errors are thrown away.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Actor, Context, Event, Failure, OnBehalfOf, Target};
use crate::json::{Free, FreeSeed, Json, Object, TextSeed};
use crate::limits;
use crate::time::Timestamp;

type Text<'a> = Cow<'a, str>;

/// An event whose texts lie elsewhere, and whose free values are ranges of a text that stands beside it.
#[derive(Debug)]
pub(crate) struct EventRef<'a> {
    pub(crate) id: Option<Text<'a>>,
    pub(crate) action: Text<'a>,
    pub(crate) occurred_at: Timestamp,
    pub(crate) actor: PartyRef<'a>,
    pub(crate) targets: Vec<PartyRef<'a>>,
    /// In the order of [`CONTEXT`].
    pub(crate) context: [Option<Text<'a>>; CONTEXT.len()],
    pub(crate) metadata: Option<Free>,
    pub(crate) version: Option<u32>,
    pub(crate) failure: Option<FailureRef<'a>>,
    pub(crate) previous: Option<Free>,
    pub(crate) next: Option<Free>,
}

/// An actor, a target, or whom an actor stands for.
#[derive(Debug, Default)]
pub(crate) struct PartyRef<'a> {
    pub(crate) id: Text<'a>,
    pub(crate) kind: Text<'a>,
    pub(crate) name: Option<Text<'a>>,
    pub(crate) email: Option<Text<'a>>,
    pub(crate) metadata: Option<Free>,
    pub(crate) role: Option<Text<'a>>,
    pub(crate) on_behalf_of: Option<Box<PartyRef<'a>>>,
}

/// Why an attempt failed.
#[derive(Debug, Default)]
pub(crate) struct FailureRef<'a> {
    pub(crate) reason: Option<Text<'a>>,
    pub(crate) stage: Option<Text<'a>>,
    pub(crate) detail: Option<Text<'a>>,
}

const EVENT: &[&str] = &[
    "action",
    "occurred_at",
    "actor",
    "targets",
    "context",
    "id",
    "metadata",
    "version",
    "failure",
    "previous",
    "next",
];
const FAILURE: &[&str] = &["reason", "stage", "detail"];
/// All that a party can have. Targets and those whom actors stand for have the first members only.
const PARTY: &[&str] = &[
    "id",
    "type",
    "name",
    "email",
    "metadata",
    "role",
    "on_behalf_of",
];
const OF_TARGET: usize = 5;
const OF_PRINCIPAL: usize = 4;
/// The members of the context in canonical order.
pub(crate) const CONTEXT: [&str; 7] = [
    "correlation_id",
    "location",
    "request_id",
    "session_id",
    "source",
    "trace",
    "user_agent",
];

/// Reads an event; the canonical texts of its free values are appended to the text in the seed.
pub(crate) struct EventSeed<'s>(pub(crate) &'s mut String);

/// Reads one event from a whole text, if it is in order.
pub(super) fn event(text: &[u8]) -> Option<Event> {
    // Once for the whole text is cheaper than for every string in it.
    let text = std::str::from_utf8(text).ok()?;
    let mut free = String::new();
    let mut input = serde_json::Deserializer::from_str(text);
    let event = EventSeed(&mut free).deserialize(&mut input).ok()?;
    input.end().ok()?;
    event.into_event(&free)
}

impl<'de> DeserializeSeed<'de> for EventSeed<'_> {
    type Value = EventRef<'de>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<EventRef<'de>, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EventSeed<'_> {
    type Value = EventRef<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<EventRef<'de>, A::Error> {
        let free = self.0;
        let (mut action, mut occurred_at, mut actor) = (None, None, None);
        let (mut targets, mut context, mut id) = (None, None, None);
        let (mut metadata, mut version, mut failure) = (None, None, None);
        let (mut previous, mut next) = (None, None);
        while let Some(member) = map.next_key_seed(Member(EVENT))? {
            match member {
                0 => once(&mut action, map.next_value_seed(TextSeed)?)?,
                1 => once(&mut occurred_at, map.next_value_seed(TimeSeed)?)?,
                2 => {
                    let members = PARTY.len();
                    once(
                        &mut actor,
                        map.next_value_seed(PartySeed { members, free })?,
                    )?;
                }
                3 => once(&mut targets, map.next_value_seed(TargetsSeed(free))?)?,
                4 => once(&mut context, map.next_value_seed(Texts(&CONTEXT))?)?,
                5 => once(&mut id, map.next_value_seed(TextSeed)?)?,
                6 => once(&mut metadata, map.next_value_seed(FreeSeed(free))?)?,
                7 => once(&mut version, map.next_value::<u32>()?)?,
                8 => once(&mut failure, map.next_value_seed(Texts(FAILURE))?)?,
                9 => once(&mut previous, map.next_value_seed(FreeSeed(free))?)?,
                _ => once(&mut next, map.next_value_seed(FreeSeed(free))?)?,
            }
        }
        Ok(EventRef {
            id,
            action: there(action)?,
            occurred_at: there(occurred_at)?,
            actor: there(actor)?,
            targets: there(targets)?,
            context: there(context)?,
            metadata,
            version,
            failure: failure.map(|[reason, stage, detail]| FailureRef {
                reason,
                stage,
                detail,
            }),
            previous,
            next,
        })
    }
}

fn once<T, E: Error>(place: &mut Option<T>, value: T) -> Result<(), E> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(E::custom("twice")),
    }
}

fn there<T, E: Error>(member: Option<T>) -> Result<T, E> {
    member.ok_or_else(|| E::custom("missing"))
}

/// Reads a member's name as one of these.
struct Member(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Member {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<usize, D::Error> {
        input.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Member {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let at = self.0.iter().position(|known| *known == name);
        at.ok_or_else(|| E::custom("unknown member"))
    }
}

struct TimeSeed;

impl<'de> DeserializeSeed<'de> for TimeSeed {
    type Value = Timestamp;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Timestamp, D::Error> {
        let text = TextSeed.deserialize(input)?;
        Timestamp::parse(&text).map_err(D::Error::custom)
    }
}

/// Reads an object that has nothing but texts, by these names.
struct Texts<const N: usize>(&'static [&'static str]);

impl<'de, const N: usize> DeserializeSeed<'de> for Texts<N> {
    type Value = [Option<Text<'de>>; N];

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de, const N: usize> Visitor<'de> for Texts<N> {
    type Value = [Option<Text<'de>>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut texts = [const { None }; N];
        while let Some(member) = map.next_key_seed(Member(self.0))? {
            once(&mut texts[member], map.next_value_seed(TextSeed)?)?;
        }
        Ok(texts)
    }
}

/// Reads a party with the first `members` of [`PARTY`].
struct PartySeed<'s> {
    members: usize,
    free: &'s mut String,
}

impl<'de> DeserializeSeed<'de> for PartySeed<'_> {
    type Value = PartyRef<'de>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<PartyRef<'de>, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PartySeed<'_> {
    type Value = PartyRef<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an actor or a target")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PartyRef<'de>, A::Error> {
        let Self { members, free } = self;
        let (mut id, mut kind) = (None, None);
        let mut party = PartyRef::default();
        while let Some(member) = map.next_key_seed(Member(&PARTY[..members]))? {
            match member {
                0 => once(&mut id, map.next_value_seed(TextSeed)?)?,
                1 => once(&mut kind, map.next_value_seed(TextSeed)?)?,
                2 => once(&mut party.name, map.next_value_seed(TextSeed)?)?,
                3 => once(&mut party.email, map.next_value_seed(TextSeed)?)?,
                4 => once(&mut party.metadata, map.next_value_seed(FreeSeed(free))?)?,
                5 => once(&mut party.role, map.next_value_seed(TextSeed)?)?,
                _ => {
                    let members = OF_PRINCIPAL;
                    let principal = map.next_value_seed(PartySeed { members, free })?;
                    once(&mut party.on_behalf_of, Box::new(principal))?;
                }
            }
        }
        party.id = there(id)?;
        party.kind = there(kind)?;
        Ok(party)
    }
}

struct TargetsSeed<'s>(&'s mut String);

impl<'de> DeserializeSeed<'de> for TargetsSeed<'_> {
    type Value = Vec<PartyRef<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for TargetsSeed<'_> {
    type Value = Vec<PartyRef<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of targets")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut targets = Vec::with_capacity(2);
        while let Some(target) = seq.next_element_seed(PartySeed {
            members: OF_TARGET,
            free: &mut *self.0,
        })? {
            if targets.len() == limits::TARGETS {
                return Err(A::Error::custom("too many"));
            }
            targets.push(target);
        }
        Ok(targets)
    }
}

impl<'a> EventRef<'a> {
    /// The event without texts of its own; its free values are appended to `free`.
    pub(crate) fn of(event: &'a Event, free: &mut String) -> Self {
        let actor = &event.actor;
        let lent = |text: &'a Option<String>| text.as_deref().map(Cow::Borrowed);
        let mut write = |value: &Option<Object>| {
            value.as_ref().map(|members| {
                let begin = free.len();
                members.write_canonical(free);
                // Whoever made the event has checked it, or is about to.
                Free {
                    range: begin..free.len(),
                    is_unusual: false,
                    has_failure_reason: false,
                }
            })
        };
        Self {
            id: lent(&event.id),
            action: Cow::Borrowed(&event.action),
            occurred_at: event.occurred_at,
            actor: PartyRef {
                id: Cow::Borrowed(&actor.id),
                kind: Cow::Borrowed(&actor.kind),
                name: lent(&actor.name),
                email: lent(&actor.email),
                metadata: write(&actor.metadata),
                role: lent(&actor.role),
                on_behalf_of: actor.on_behalf_of.as_ref().map(|principal| {
                    Box::new(PartyRef {
                        id: Cow::Borrowed(&principal.id),
                        kind: Cow::Borrowed(&principal.kind),
                        name: lent(&principal.name),
                        email: lent(&principal.email),
                        ..PartyRef::default()
                    })
                }),
            },
            targets: event
                .targets
                .iter()
                .map(|target| PartyRef {
                    id: Cow::Borrowed(&target.id),
                    kind: Cow::Borrowed(&target.kind),
                    name: lent(&target.name),
                    email: lent(&target.email),
                    metadata: write(&target.metadata),
                    ..PartyRef::default()
                })
                .collect(),
            context: event
                .context
                .members()
                .map(|(_, text)| text.map(Cow::Borrowed)),
            metadata: write(&event.metadata),
            version: event.version,
            failure: event.failure.as_ref().map(|failure| FailureRef {
                reason: lent(&failure.reason),
                stage: lent(&failure.stage),
                detail: lent(&failure.detail),
            }),
            previous: write(&event.previous),
            next: write(&event.next),
        }
    }

    /// The event with texts of its own. `None` only if `free` is not what it was read with.
    fn into_event(self, free: &str) -> Option<Event> {
        let read = |value: Option<Free>| match value {
            None => Some(None),
            Some(value) => object(free, &value.range).map(Some),
        };
        let owned = |text: Option<Text<'_>>| text.map(Cow::into_owned);
        let PartyRef {
            id,
            kind,
            name,
            email,
            metadata,
            role,
            on_behalf_of,
        } = self.actor;
        let actor = Actor {
            id: id.into_owned(),
            kind: kind.into_owned(),
            name: owned(name),
            email: owned(email),
            role: owned(role),
            metadata: read(metadata)?,
            on_behalf_of: on_behalf_of.map(|principal| OnBehalfOf {
                id: principal.id.into_owned(),
                kind: principal.kind.into_owned(),
                name: owned(principal.name),
                email: owned(principal.email),
            }),
        };
        let target = |target: PartyRef<'_>| {
            Some(Target {
                id: target.id.into_owned(),
                kind: target.kind.into_owned(),
                name: owned(target.name),
                email: owned(target.email),
                metadata: read(target.metadata)?,
            })
        };
        let [
            correlation_id,
            location,
            request_id,
            session_id,
            source,
            trace,
            user_agent,
        ] = self.context.map(owned);
        Some(Event {
            id: owned(self.id),
            action: self.action.into_owned(),
            occurred_at: self.occurred_at,
            actor,
            targets: self
                .targets
                .into_iter()
                .map(target)
                .collect::<Option<_>>()?,
            context: Context {
                location,
                user_agent,
                source,
                session_id,
                request_id,
                correlation_id,
                trace,
            },
            metadata: read(self.metadata)?,
            version: self.version,
            failure: self.failure.map(|failure| Failure {
                reason: owned(failure.reason),
                stage: owned(failure.stage),
                detail: owned(failure.detail),
            }),
            previous: read(self.previous)?,
            next: read(self.next)?,
        })
    }
}

fn object(free: &str, range: &Range<usize>) -> Option<Object> {
    match Json::parse(free.get(range.clone())?.as_bytes()).ok()? {
        Json::Object(members) => Some(members),
        _ => None,
    }
}
