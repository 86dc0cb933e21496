//! An event whose texts lie elsewhere: what stands between the wire, or an [`Event`], and the journal.

mod read;

pub(crate) use read::EventSeed;
pub(in crate::event) use read::event;

use std::borrow::Cow;
use std::ops::Range;

use super::{Actor, Context, Event, Failure, OnBehalfOf, Target};
use crate::json::{Free, Json, Object};
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
