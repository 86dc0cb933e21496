//! Why something could not be recorded, and what to do then.

use std::time::Duration;

use annals_event::EventError;

use crate::receipt::ReceiptError;

/// Why Annals did not do what was asked. Everything that could be tried again has been, as often as the client was told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is none.
    #[error("the address of Annals must begin with http:// or https:// and have a host")]
    Address,
    /// The key cannot stand in a header.
    #[error("the key has characters that no key has")]
    Key,
    /// Annals would refuse the event; nothing was sent. Change the event.
    #[error("Annals does not take this event: {0}")]
    Event(#[from] EventError),
    /// No answer came. The event may be recorded or not; sending the same event with the same id again is harmless and settles it.
    #[error("no answer from Annals; send the same event again, with its id")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Annals is busy, stopping, limiting the key, or has no disk space left. Nothing was recorded. Send again later.
    #[error("Annals cannot record now ({status}{}); send again later", said(code))]
    Busy {
        /// The HTTP status.
        status: u16,
        /// The word for programs, such as `busy` or `rate_limit_exceeded`.
        code: String,
        /// How long to wait, as it asked.
        retry_after: Option<Duration>,
    },
    /// The key is unknown, or may not do this. Look at its scopes: recording needs `write`, organizations `manage`, receipts also
    /// `read`.
    #[error(
        "the key is unknown or revoked, or may not do this ({status}{})",
        said(code)
    )]
    Denied {
        /// The HTTP status.
        status: u16,
        /// The word for programs, such as `insufficient_scope`.
        code: String,
    },
    /// The workspace does not record: the operator has switched it off. Drop the event.
    #[error("audit logs are disabled for this workspace")]
    Disabled,
    /// Annals does not know the workspace. Create it first, with `ensure_organization`.
    #[error("Annals does not know this workspace; ensure it first")]
    UnknownWorkspace,
    /// Another event was recorded with this id. Ids must be unique in a workspace.
    #[error("another event was recorded with this id")]
    Conflict,
    /// Annals does not take it, whoever sends it how often. The message names the members.
    #[error("Annals refused ({status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What is wrong, member by member; never their values.
        message: String,
    },
    /// What answers is not Annals.
    #[error("the answer ({status}) cannot be read; is this Annals?")]
    Answer {
        /// The HTTP status.
        status: u16,
    },
    /// The event is recorded in a log that does not continue the one that was acknowledged before. Tell the operator.
    #[error("the receipt is not believed: {0}")]
    Receipt(#[from] ReceiptError),
    /// The client was shut down before it was sent.
    #[error("the client was shut down")]
    Closed,
}

/// A word for programs in a message; not every answer has one.
fn said(code: &str) -> String {
    if code.is_empty() {
        String::new()
    } else {
        format!(", {code}")
    }
}

impl ClientError {
    /// Whether sending the same again, with the same ids, may succeed.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Busy { .. })
    }

    /// How long Annals asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
