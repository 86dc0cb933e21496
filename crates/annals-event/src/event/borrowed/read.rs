//! The straight way from JSON text to an event: one pass, texts stay where they lie, free values become canonical text.
//!
//! Accepts exactly what [`super::super::walk`] accepts; a property test holds them together. Its errors are thrown away.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{CONTEXT, Event, EventRef, FailureRef, PartyRef, Text};
use crate::json::{FreeSeed, TextSeed};
use crate::limits;
use crate::time::Timestamp;

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

/// Reads an event; the canonical texts of its free values are appended to the text in the seed.
pub(crate) struct EventSeed<'s>(pub(crate) &'s mut String);

/// Reads one event from a whole text, if it is in order.
pub(in crate::event) fn event(text: &[u8]) -> Option<Event> {
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
