//! An event taken apart into texts that lie elsewhere, for whoever wants most of it: files and sentences.
//!
//! Canonical text is cut where it lies; nothing is parsed that is only passed on. [`Row`] has the same values one by one, for whoever
//! looks at a few of them.

use std::borrow::Cow;

use crate::members::{
    ACTOR, CONTEXT, DETAILS, FAILURE, Kind, TARGET, Table, Values, nothing, read,
};
use crate::{Object, Outcome, Row, Section, Timestamp};

/// An event at its position of a log, taken apart. It is what a [`Row`] opens to, and what columns of a table have as it is.
#[derive(Debug)]
pub struct Opened<'a> {
    /// Position in the log, from 0.
    pub position: u64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Id of the event.
    pub id: Cow<'a, str>,
    /// The dotted name of what happened.
    pub action: &'a str,
    /// When, by the producer's clock.
    pub occurred_at: Timestamp,
    /// The wire's `actor.type`.
    pub actor_type: &'a str,
    /// The failure reason that stands in the clear; `None` where it succeeded.
    pub failed: Option<&'a str>,
    /// The members of [`ACTOR`]; the id and the role also where they stand in the clear.
    pub actor: Values<'a, 6>,
    /// The members of [`CONTEXT`].
    pub context: Values<'a, 7>,
    /// The members of [`DETAILS`] without the failure.
    pub details: [Option<Cow<'a, str>>; 4],
    /// The members of [`FAILURE`].
    pub failure: Values<'a, 3>,
    /// What it was done to, the primary target first.
    pub targets: Vec<OpenedTarget<'a>>,
    /// The names of the sections whose values are gone, as [`Row::erased`] gives them.
    pub erased: Vec<String>,
}

/// A target of an [`Opened`].
#[derive(Debug)]
pub struct OpenedTarget<'a> {
    /// The wire's `type`.
    pub kind: &'a str,
    /// The members of [`TARGET`]; the id also where it stands in the clear.
    pub members: Values<'a, 4>,
}

impl<'a> From<&'a Row> for Opened<'a> {
    fn from(row: &'a Row) -> Opened<'a> {
        let skeleton = row.skeleton();
        let mut actor = open(&ACTOR, row, Section::ACTOR);
        stands_in_clear(&mut actor[1], &skeleton.actor.id);
        stands_in_clear(&mut actor[5], &skeleton.actor.role);
        let [failure, details @ ..] = open(&DETAILS, row, Section::DETAILS);
        let failure = match failure {
            None => Some(nothing()),
            Some(Cow::Borrowed(text)) => read(&FAILURE, text),
            Some(Cow::Owned(_)) => None,
        };
        let targets = (Section::TARGETS..).zip(&skeleton.targets);
        Opened {
            position: row.position,
            recorded_at: row.recorded_at,
            id: Cow::Borrowed(&skeleton.id),
            action: &skeleton.action,
            occurred_at: skeleton.occurred_at,
            actor_type: &skeleton.actor.kind,
            failed: skeleton.failure.as_deref(),
            actor,
            context: open(&CONTEXT, row, Section::CONTEXT),
            failure: failure.unwrap_or_else(|| {
                let details = row.section(Section::DETAILS);
                parsed(
                    &FAILURE,
                    details.and_then(|d| d.get("failure")?.as_object()),
                )
            }),
            details,
            targets: targets
                .map(|(k, clear)| {
                    let mut members = open(&TARGET, row, k);
                    stands_in_clear(&mut members[1], &clear.id);
                    OpenedTarget {
                        kind: &clear.kind,
                        members,
                    }
                })
                .collect(),
            erased: row.erased(),
        }
    }
}

impl Opened<'_> {
    pub(crate) fn outcome(&self) -> Outcome {
        match self.failed {
            Some(_) => Outcome::Failure,
            None => Outcome::Success,
        }
    }

    pub(crate) fn actor_id(&self) -> Option<&str> {
        self.actor[1].as_deref()
    }

    pub(crate) fn actor_name(&self) -> Option<&str> {
        self.actor[3].as_deref()
    }

    pub(crate) fn actor_email(&self) -> Option<&str> {
        self.actor[0].as_deref()
    }

    pub(crate) fn actor_role(&self) -> Option<&str> {
        self.actor[5].as_deref()
    }

    /// The text of an object.
    pub(crate) fn actor_metadata(&self) -> Option<&str> {
        object(&self.actor[2])
    }

    /// The text of an object.
    pub(crate) fn on_behalf_of(&self) -> Option<&str> {
        object(&self.actor[4])
    }

    /// The members of the context: `correlation_id`, `location`, `request_id`, `session_id`, `source`, `trace`, `user_agent`.
    pub(crate) fn context(&self) -> [Option<&str>; 7] {
        self.context.each_ref().map(Option::as_deref)
    }

    /// The text of an object.
    pub(crate) fn metadata(&self) -> Option<&str> {
        object(&self.details[0])
    }

    /// The text of an object.
    pub(crate) fn next(&self) -> Option<&str> {
        object(&self.details[1])
    }

    /// The text of an object.
    pub(crate) fn previous(&self) -> Option<&str> {
        object(&self.details[2])
    }

    /// The text of a number.
    pub(crate) fn version(&self) -> Option<&str> {
        let text = self.details[3].as_deref();
        text.filter(|text| text.parse::<u32>().is_ok())
    }

    pub(crate) fn failure_detail(&self) -> Option<&str> {
        self.failure[0].as_deref()
    }

    pub(crate) fn failure_reason(&self) -> Option<&str> {
        let clear = self.failed?;
        Some(self.failure[1].as_deref().unwrap_or(clear))
    }

    pub(crate) fn failure_stage(&self) -> Option<&str> {
        self.failure[2].as_deref()
    }
}

impl OpenedTarget<'_> {
    pub(crate) fn id(&self) -> Option<&str> {
        self.members[1].as_deref()
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.members[3].as_deref()
    }

    pub(crate) fn email(&self) -> Option<&str> {
        self.members[0].as_deref()
    }

    /// The text of an object.
    pub(crate) fn metadata(&self) -> Option<&str> {
        object(&self.members[2])
    }
}

fn stands_in_clear<'a>(member: &mut Option<Cow<'a, str>>, clear: &'a Option<String>) {
    if let Some(clear) = clear {
        *member = Some(Cow::Borrowed(clear));
    }
}

fn open<'a, const N: usize>(table: &Table<N>, row: &'a Row, k: usize) -> Values<'a, N> {
    match row.section_text(k) {
        None => nothing(),
        Some(text) => read(table, text).unwrap_or_else(|| parsed(table, row.section(k))),
    }
}

/// The members of a section that is not only what this version writes.
fn parsed<'a, const N: usize>(table: &Table<N>, members: Option<&'a Object>) -> Values<'a, N> {
    let value = |key, kind| match kind {
        Kind::Text => members?.get_str(key).map(Cow::Borrowed),
        Kind::Json => Some(Cow::Owned(members?.get(key)?.to_canonical())),
    };
    table.map(|(key, kind)| value(key, kind))
}

fn object<'a>(value: &'a Option<Cow<'_, str>>) -> Option<&'a str> {
    value.as_deref().filter(|text| text.starts_with('{'))
}
