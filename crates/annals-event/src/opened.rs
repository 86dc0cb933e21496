//! A row whose sections are taken apart, for whoever wants most of it: files and sentences.
//!
//! Canonical text is cut where it lies; nothing is parsed that is only passed on. [`Row`] has the same values one by one, for whoever
//! looks at a few of them.

use std::borrow::Cow;

use crate::members::{
    ACTOR, CONTEXT, DETAILS, FAILURE, Kind, TARGET, Table, Values, nothing, read,
};
use crate::{Object, Row, Section};

/// See the module.
pub(crate) struct Opened<'a> {
    pub(crate) row: &'a Row,
    actor: Values<'a, 6>,
    context: Values<'a, 7>,
    details: Values<'a, 5>,
    failure: Values<'a, 3>,
    pub(crate) targets: Vec<OpenedTarget<'a>>,
}

/// A target of an [`Opened`].
pub(crate) struct OpenedTarget<'a> {
    pub(crate) kind: &'a str,
    clear_id: Option<&'a str>,
    members: Values<'a, 4>,
}

impl<'a> Opened<'a> {
    pub(crate) fn new(row: &'a Row) -> Opened<'a> {
        let skeleton = row.skeleton();
        let details = open(&DETAILS, row, Section::DETAILS);
        let failure = match &details[0] {
            None => Some(nothing()),
            Some(Cow::Borrowed(text)) => read(&FAILURE, text),
            Some(Cow::Owned(_)) => None,
        };
        let targets = (Section::TARGETS..).zip(&skeleton.targets);
        Opened {
            row,
            actor: open(&ACTOR, row, Section::ACTOR),
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
                .map(|(k, clear)| OpenedTarget {
                    kind: &clear.kind,
                    clear_id: clear.id.as_deref(),
                    members: open(&TARGET, row, k),
                })
                .collect(),
        }
    }

    pub(crate) fn actor_id(&self) -> Option<&str> {
        let clear = self.row.skeleton().actor.id.as_deref();
        clear.or(self.actor[1].as_deref())
    }

    pub(crate) fn actor_name(&self) -> Option<&str> {
        self.actor[3].as_deref()
    }

    pub(crate) fn actor_email(&self) -> Option<&str> {
        self.actor[0].as_deref()
    }

    pub(crate) fn actor_role(&self) -> Option<&str> {
        let clear = self.row.skeleton().actor.role.as_deref();
        clear.or(self.actor[5].as_deref())
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
        object(&self.details[1])
    }

    /// The text of an object.
    pub(crate) fn next(&self) -> Option<&str> {
        object(&self.details[2])
    }

    /// The text of an object.
    pub(crate) fn previous(&self) -> Option<&str> {
        object(&self.details[3])
    }

    /// The text of a number.
    pub(crate) fn version(&self) -> Option<&str> {
        let text = self.details[4].as_deref();
        text.filter(|text| text.parse::<u32>().is_ok())
    }

    pub(crate) fn failure_detail(&self) -> Option<&str> {
        self.failure[0].as_deref()
    }

    pub(crate) fn failure_reason(&self) -> Option<&str> {
        let clear = self.row.skeleton().failure.as_deref()?;
        Some(self.failure[1].as_deref().unwrap_or(clear))
    }

    pub(crate) fn failure_stage(&self) -> Option<&str> {
        self.failure[2].as_deref()
    }
}

impl OpenedTarget<'_> {
    pub(crate) fn id(&self) -> Option<&str> {
        self.clear_id.or(self.members[1].as_deref())
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
