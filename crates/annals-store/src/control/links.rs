//! Portal links: short-lived, single-use links that open the viewer for one workspace.
//!
//! A link is redeemed into a session. Beside the cookie the browser gets a *handoff* token for a
//! minute: where a frame refuses the cookie, a click on it opens the same grant at top level.

use std::collections::HashMap;
use std::sync::Arc;

use annals_event::Timestamp;

use super::sessions::{Grant, SESSION_SECONDS, Session};
use super::tokens::Secret;

mod revoke;
mod rows;
mod write;

pub(super) use rows::load;

/// How long a link can be redeemed.
pub const LINK_SECONDS: u32 = 300;
/// What a link opens can be made to last this long at least.
const SESSION_SECONDS_MIN: u32 = 60;
/// How long a handoff token can be redeemed.
pub const HANDOFF_SECONDS: u32 = 60;

/// A portal link, without its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// `portal_link_` and a ULID.
    pub id: String,
    /// What it was made with.
    pub terms: NewLink,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it can be redeemed.
    pub expires_at: Timestamp,
    /// When it was redeemed.
    pub used_at: Option<Timestamp>,
}

/// What is needed to make a link.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct NewLink {
    /// The workspace that it opens.
    pub organization_id: String,
    /// What for.
    pub intent: Intent,
    /// Who will use it; without one, the link itself is the actor.
    pub user: Option<PortalUser>,
    /// What that person may do.
    pub role: Role,
    /// The page it leads to, below `/w/{organization}/`; else that of its intent.
    pub path: Option<String>,
    /// The exact origin that frames the viewer, if one does.
    pub embed_origin: Option<String>,
    /// Where "back" leads.
    pub return_url: Option<String>,
    /// The host's id of the person, by which all links made for that person can be revoked, as by
    /// that of `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_user_id: Option<String>,
    /// How long what it opens lasts at most; [`SESSION_SECONDS`] unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_seconds: Option<u32>,
    /// The key that made it.
    pub created_by: String,
}

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Read the log.
    #[default]
    AuditLogs,
    /// Set up where the log is delivered.
    LogStreams,
}

impl Intent {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Intent::AuditLogs => "audit_logs",
            Intent::LogStreams => "log_streams",
        }
    }

    /// From the word on the wire.
    pub fn parse(word: &str) -> Option<Intent> {
        [Intent::AuditLogs, Intent::LogStreams]
            .into_iter()
            .find(|i| i.as_str() == word)
    }
}

/// The person that the host vouches for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PortalUser {
    /// The host's id of the person.
    pub id: String,
    /// The name, for the page and for the record of who read.
    pub name: Option<String>,
    /// The e-mail address.
    pub email: Option<String>,
}

/// What somebody may do in the viewer; each role includes those before it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads the log on the screen.
    Viewer,
    /// Downloads and verifies too.
    #[default]
    Auditor,
    /// Keeps notes and cases too.
    Investigator,
    /// Changes settings of the log too.
    Owner,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Auditor, Role::Investigator, Role::Owner];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Auditor => "auditor",
            Role::Investigator => "investigator",
            Role::Owner => "owner",
        }
    }

    /// From the word on the wire.
    pub fn parse(word: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// What redeeming a link or a handoff token gave.
#[derive(Debug, Clone)]
pub struct Redeemed {
    /// The session that now holds the grant.
    pub session: Arc<Session>,
    /// What the session may do in the link's workspace.
    pub grant: Arc<Grant>,
    /// The secret for the cookie, if the session is new; else the browser has it already.
    pub cookie: Option<Secret>,
    /// The token to add to the redirect; none after a handoff.
    pub handoff: Option<Secret>,
    /// Where to redirect: the link's path, or none for the log.
    pub path: Option<String>,
    /// Whether this was the first use. A second one by the session that the link opened redirects
    /// again and changes nothing.
    pub first_use: bool,
}

/// Why a link or a handoff token was not redeemed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedeemRefusal {
    /// No such token, or its workspace is gone.
    #[error("the link is not known")]
    Unknown,
    /// It was used already, by another browser.
    #[error("the link has been used")]
    Used,
    /// It is too old.
    #[error("the link has expired")]
    Expired,
}

/// Links that can still be redeemed or redirect again, and the handoff tokens of the last minute.
#[derive(Debug, Default)]
pub(super) struct Links {
    by_digest: HashMap<[u8; 32], Arc<Link>>,
    /// Kept in memory alone: after a restart a token of the last minute fails closed, and the
    /// host makes a new link.
    handoffs: HashMap<[u8; 32], Handoff>,
}

#[derive(Debug, Clone)]
pub(super) struct Handoff {
    grant: Arc<Grant>,
    /// The digest of the session that redeemed the link.
    session: [u8; 32],
    path: Option<String>,
    expires_at: Timestamp,
}

/// Whether something that was given to a person was given to this one. The host names a person by
/// either of the two; whoever has named somebody as the reader must not have to name him again for
/// it to be taken back.
pub(super) fn is_given_to(
    person: &str,
    external_user_id: Option<&str>,
    user: Option<&PortalUser>,
) -> bool {
    external_user_id == Some(person) || user.is_some_and(|user| user.id == person)
}

impl Link {
    /// What it gives to the session that redeems it at this time.
    pub(super) fn grant(&self, now: Timestamp) -> Grant {
        Grant {
            organization_id: self.terms.organization_id.clone(),
            intent: self.terms.intent,
            role: self.terms.role,
            user: self.terms.user.clone(),
            link_id: self.id.clone(),
            embed_origin: self.terms.embed_origin.clone(),
            return_url: self.terms.return_url.clone(),
            external_user_id: self.terms.external_user_id.clone(),
            expires_at: self
                .terms
                .session_seconds
                .map(|lasts| after(now, lasts).as_micros()),
            viewed_recorded: false,
        }
    }
}

impl Links {
    pub(super) fn get(&self, digest: &[u8; 32]) -> Option<&Arc<Link>> {
        self.by_digest.get(digest)
    }

    pub(super) fn put(&mut self, digest: [u8; 32], link: Arc<Link>) {
        self.by_digest.insert(digest, link);
    }

    pub(super) fn offer(&mut self, digest: [u8; 32], handoff: Handoff) {
        self.handoffs.insert(digest, handoff);
    }

    /// The handoff of this token, which is spent by it.
    pub(super) fn take(&mut self, digest: &[u8; 32]) -> Option<Handoff> {
        self.handoffs.remove(digest)
    }

    /// The links made for this workspace and person.
    pub(super) fn made_for(&self, organization_id: &str, person: &str) -> Vec<[u8; 32]> {
        let terms = |link: &Arc<Link>| {
            let (id, user) = (&link.terms.external_user_id, &link.terms.user);
            link.terms.organization_id == organization_id
                && is_given_to(person, id.as_deref(), user.as_ref())
        };
        self.by_digest
            .iter()
            .filter(|(_, link)| terms(link))
            .map(|(digest, _)| *digest)
            .collect()
    }

    pub(super) fn remove(&mut self, digest: &[u8; 32]) {
        self.by_digest.remove(digest);
    }

    /// Lets go of what can no longer be redeemed. A used link is kept as long as the session that it
    /// opened can last, because in that session it redirects again.
    pub(super) fn prune(&mut self, now: Timestamp) {
        self.handoffs.retain(|_, handoff| handoff.expires_at > now);
        self.by_digest
            .retain(|_, link| link.expires_at.as_micros() > forgotten_before(now));
    }
}

fn after(now: Timestamp, seconds: u32) -> Timestamp {
    Timestamp::clamped(
        now.as_micros()
            .saturating_add(i64::from(seconds) * 1_000_000),
    )
}

/// Links that expired before this time, in microseconds, are forgotten.
fn forgotten_before(now: Timestamp) -> i64 {
    now.as_micros() - i64::from(SESSION_SECONDS) * 1_000_000
}
