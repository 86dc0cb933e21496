//! Why an act was not done, for the person and for the audit log.

use std::borrow::Cow;
use std::fmt;

use annals_client::{NewEvent, OutboxError};

use crate::act::Act;

/// An act that was not done. Nothing of it is left in the database.
///
/// Where the attempt itself is to be known, the refusal carries what is recorded of it, which happens after the rollback, in a
/// transaction of its own.
pub(crate) struct Refused {
    /// What kind of refusal it is, which decides the status of the answer.
    pub(crate) kind: Kind,
    /// The field of the form that is wrong, if it is one.
    pub(crate) field: Option<&'static str>,
    /// What the person is told.
    pub(crate) message: Cow<'static, str>,
    pub(crate) aftermath: Option<Aftermath>,
}

/// What is recorded of an attempt after its rollback.
pub(crate) enum Aftermath {
    /// This, whatever it is.
    Record(Record),
    /// One event, which stands for all that are the `same` within a minute; see [`crate::collapse`].
    Collapse {
        same: String,
        workspaces: Vec<String>,
        event: Box<NewEvent>,
    },
}

/// Work in the transaction after the rollback.
pub(crate) type Record = Box<dyn FnOnce(&Act<'_>) -> Result<(), Refused> + Send>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not there, or not for this person to know of.
    NotFound,
    /// The person's role does not allow it.
    Forbidden,
    /// What was sent is wrong.
    Invalid,
    /// Right in itself, but not as things stand.
    Conflict,
    /// Too often.
    TooMany,
    /// Ours to repair.
    Internal,
}

impl Refused {
    pub(crate) fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            field: None,
            message: message.into(),
            aftermath: None,
        }
    }

    pub(crate) fn not_found() -> Self {
        Self::new(
            Kind::NotFound,
            "There is no such page, or it is not yours to see.",
        )
    }

    pub(crate) fn forbidden(message: &'static str) -> Self {
        Self::new(Kind::Forbidden, message)
    }

    pub(crate) fn conflict(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    pub(crate) fn too_many() -> Self {
        Self::new(
            Kind::TooMany,
            "That was too often. Wait a few minutes, then try again.",
        )
    }

    pub(crate) fn invalid(field: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            field: Some(field),
            ..Self::new(Kind::Invalid, message)
        }
    }

    /// A fault of ours. The cause goes to the log of the process and never to the person.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(error = %cause, "cannot complete a request");
        Self::new(
            Kind::Internal,
            "Something went wrong here, and nothing was changed. Please try again.",
        )
    }

    /// With what is recorded once the act is rolled back.
    pub(crate) fn recording(
        mut self,
        aftermath: impl FnOnce(&Act<'_>) -> Result<(), Self> + Send + 'static,
    ) -> Self {
        self.aftermath = Some(Aftermath::Record(Box::new(aftermath)));
        self
    }

    /// With an event that is recorded once the act is rolled back, and that stands for all the `same` within a minute.
    pub(crate) fn recording_once(
        mut self,
        same: String,
        workspaces: impl Into<Vec<String>>,
        event: impl Into<NewEvent>,
    ) -> Self {
        self.aftermath = Some(Aftermath::Collapse {
            same,
            workspaces: workspaces.into(),
            event: Box::new(event.into()),
        });
        self
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(error)
    }
}

impl From<OutboxError> for Refused {
    fn from(error: OutboxError) -> Self {
        Self::internal(error)
    }
}
