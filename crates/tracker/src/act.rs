//! An act of somebody: a transaction in which something changes, its events, and the mails that it causes. All of it, or nothing.

use annals_client::{NewEvent, SqliteOutbox, Timestamp};
use rusqlite::{Connection, params};

use crate::domain::member::Membership;
use crate::domain::user::User;
use crate::mail::Mail;
use crate::refused::Refused;
use crate::secret;

/// What an act works with.
pub(crate) struct Act<'a> {
    /// The database, in a transaction that the act does not end.
    pub(crate) db: &'a Connection,
    /// When it happens: the same for everything in it.
    pub(crate) now: Timestamp,
    pub(crate) settings: &'a Settings,
    pub(crate) outbox: &'a SqliteOutbox,
}

/// What acts have to know of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where the tracker is reached, without a slash at the end.
    pub(crate) public_url: String,
    pub(crate) seat_limit: u32,
    pub(crate) guest_limit: u32,
    pub(crate) project_limit: u32,
}

impl Settings {
    /// A link into the tracker, for mails.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    /// Where a workspace's Settings → Audit Logs are, as Annals writes it into links and mails: it puts its own page for `{path}`.
    pub(crate) fn viewer_url(&self, slug: &str) -> String {
        self.link(&format!("/w/{slug}/settings/audit-logs?open={{path}}"))
    }
}

impl Act<'_> {
    /// Records what happened in a workspace.
    pub(crate) fn record(
        &self,
        workspace: &str,
        event: impl Into<NewEvent>,
    ) -> Result<(), Refused> {
        self.outbox
            .record(self.db, workspace, event.into().at(self.now))?;
        Ok(())
    }

    /// Records one fact in several workspaces, under one id.
    pub(crate) fn record_in_all(
        &self,
        workspaces: &[String],
        event: impl Into<NewEvent>,
    ) -> Result<(), Refused> {
        self.outbox
            .record_for(self.db, workspaces, event.into().at(self.now))?;
        Ok(())
    }

    /// Records what happened to an account, for every workspace of which the person is an active member now: one fact under one id, in
    /// each log as that workspace may see it. `view` gets the membership and tells nothing of other workspaces; where it gives
    /// nothing, that workspace is not told.
    ///
    /// Somebody without a workspace has nobody to tell: the fact goes to the table of the platform.
    pub(crate) fn record_account<E: Into<NewEvent>>(
        &self,
        user: &User,
        view: impl Fn(&Membership) -> Option<E>,
    ) -> Result<(), Refused> {
        let memberships = Membership::active_of(self.db, &user.id)?;
        let id = uuid::Uuid::now_v7().to_string();
        for membership in &memberships {
            if let Some(event) = view(membership) {
                self.record(&membership.workspace_id, event.into().id(&id))?;
            }
        }
        Ok(())
    }

    /// Keeps what no workspace may be told: the address of the caller and a word, never what was typed.
    pub(crate) fn record_platform(
        &self,
        action: &str,
        user: Option<&str>,
        reason: Option<&str>,
    ) -> Result<(), Refused> {
        let context = annals_client::RequestContext::current();
        let address = context.and_then(|context| context.context().location.clone());
        self.db
            .prepare_cached("insert into platform_event (at, action, user_id, reason, address) values (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![self.now.as_micros(), action, user, reason, address.unwrap_or_default()])?;
        Ok(())
    }

    /// Sends a mail once the act is committed. What cannot be delivered of an invitation is a failure of that invitation.
    pub(crate) fn mail(&self, mail: &Mail, invitation: Option<&str>) -> Result<(), Refused> {
        self.db
            .prepare_cached(
                "insert into mail_queue (recipient, subject, text, html, invitation_id, queued_at, next_try_at)
                 values (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
            )?
            .execute(params![mail.to, mail.subject, mail.text, mail.html, invitation, self.now.as_micros()])?;
        Ok(())
    }

    /// A new id.
    pub(crate) fn id(&self, of: &str) -> String {
        secret::id(of)
    }
}
