//! Mails: what the tracker writes to people, and how it leaves.

mod letters;
mod mailbox;
mod smtp;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use annals_client::Timestamp;

pub(crate) use letters::{
    already_registered, confirm_new_email, domain_ownership, email_change_notice, escape,
    login_code, password_changed, password_reset, project_invitation, verify_email,
    workspace_invitation,
};
pub(crate) use mailbox::{Mailbox, routes as mailbox_routes};
pub(crate) use smtp::Smtp;
pub use smtp::{Encryption, SmtpProblem, SmtpSettings};

/// One mail to one person: the same content as plain text and as HTML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// How mails leave. Sending blocks: call it on a thread that may.
#[derive(Clone)]
pub(crate) enum Mailer {
    /// To a mail server.
    Smtp(Arc<Smtp>),
    /// Into a page of the tracker, for development.
    Mailbox(Arc<Mailbox>),
}

/// Why a mail did not leave. The text is the server's own, for the operator; it may contain the address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undelivered {
    /// This recipient will never get it.
    #[error("refused: {0}")]
    Refused(String),
    /// It may go later: the server is away, is busy, or does not let us send anything at all.
    #[error("not yet: {0}")]
    Later(String),
}

impl Mailer {
    /// Gives the mail to whoever delivers it. `now` is when the mailbox says that it came.
    ///
    /// # Errors
    /// [`Undelivered`], which tells whether to try again.
    pub(crate) fn send(&self, mail: &Mail, now: Timestamp) -> Result<(), Undelivered> {
        match self {
            Self::Smtp(server) => server.send(mail),
            Self::Mailbox(mailbox) => mailbox.put(mail, now),
        }
    }
}
