//! Browser sessions of the portal, and what each may do in which workspace.
//!
//! A session is an opaque random text in a cookie; its SHA-256 is stored. One session holds at
//! most one grant per workspace, so an admin of two workspaces keeps both open.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use annals_event::Timestamp;

use super::links::{Intent, PortalUser, Role};
use super::tokens;

mod rows;
mod write;

pub(super) use rows::{end_all_of, flush, load, prune, put_grant, put_session, remove_grant};

/// A session ends this long after its last request.
pub const SESSION_IDLE_SECONDS: u32 = 8 * 3600;
/// A session ends this long after its first request.
pub const SESSION_SECONDS: u32 = 24 * 3600;

/// A browser session.
#[derive(Debug)]
pub struct Session {
    /// `session_` and a ULID; names the session in records, and opens nothing.
    pub id: String,
    /// What forms must carry.
    pub csrf: String,
    /// When it began.
    pub created_at: Timestamp,
    /// By workspace.
    pub(super) grants: BTreeMap<String, Arc<Grant>>,
    pub(super) last_seen: Arc<AtomicI64>,
}

impl Session {
    /// What it may do in a workspace.
    pub fn grant(&self, organization_id: &str) -> Option<&Arc<Grant>> {
        self.grants.get(organization_id)
    }

    /// Every workspace that it opens.
    pub fn grants(&self) -> impl Iterator<Item = &Arc<Grant>> {
        self.grants.values()
    }

    /// A session that opens nothing yet, seen when it was created.
    pub(super) fn new(id: String, created_at: Timestamp, secret: &[u8; 32]) -> Session {
        // The token for forms follows from the id, which the browser does not know; so it needs no
        // column, and it is the same after a restart.
        let csrf = tokens::hex(&tokens::hmac(secret, format!("csrf\n{id}").as_bytes()));
        let last_seen = Arc::new(AtomicI64::new(created_at.as_micros()));
        Session {
            id,
            csrf,
            created_at,
            grants: BTreeMap::new(),
            last_seen,
        }
    }

    /// The same session with one more grant, in place of what it held for that workspace.
    pub(super) fn with(&self, grant: Arc<Grant>) -> Session {
        let mut session = self.copied();
        session.grants.insert(grant.organization_id.clone(), grant);
        session
    }

    /// The same session without its grant for a workspace.
    pub(super) fn without(&self, organization_id: &str) -> Session {
        let mut session = self.copied();
        session.grants.remove(organization_id);
        session
    }

    /// The same session without the grants that have ended, if it has such; none if it has no other.
    fn at(self: &Arc<Session>, now: Timestamp) -> Option<Arc<Session>> {
        let has_ended =
            |grant: &Arc<Grant>| grant.expires_at.is_some_and(|end| end <= now.as_micros());
        if !self.grants.values().any(has_ended) {
            return Some(Arc::clone(self));
        }
        let mut session = self.copied();
        session.grants.retain(|_, grant| !has_ended(grant));
        (!session.grants.is_empty()).then(|| Arc::new(session))
    }

    fn copied(&self) -> Session {
        Session {
            id: self.id.clone(),
            csrf: self.csrf.clone(),
            created_at: self.created_at,
            grants: self.grants.clone(),
            last_seen: Arc::clone(&self.last_seen),
        }
    }

    /// When it was last seen.
    pub fn last_seen_at(&self) -> Timestamp {
        Timestamp::clamped(self.last_seen.load(Ordering::Relaxed))
    }

    /// When it ends if nothing more is heard of it.
    pub fn expires_at(&self) -> Timestamp {
        let idle = self.last_seen_at().as_micros() + i64::from(SESSION_IDLE_SECONDS) * 1_000_000;
        let absolute = self.created_at.as_micros() + i64::from(SESSION_SECONDS) * 1_000_000;
        Timestamp::clamped(idle.min(absolute))
    }
}

/// What a session may do in one workspace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    /// The workspace.
    pub organization_id: String,
    /// What the link was for. Only one for the log opens it.
    #[serde(default)]
    pub intent: Intent,
    /// What the person may do.
    pub role: Role,
    /// Who the host says it is; without one, the link is the actor.
    pub user: Option<PortalUser>,
    /// The link that gave it.
    pub link_id: String,
    /// The origin that frames the viewer, if one does.
    pub embed_origin: Option<String>,
    /// Where "back" leads.
    pub return_url: Option<String>,
    /// The host's id of the person, by which the grant can be revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_user_id: Option<String>,
    /// When it ends, in microseconds since 1970, where that may be before the session does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Whether reading the log in this session has been recorded.
    pub viewed_recorded: bool,
}

/// All sessions that have not ended, in memory.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_digest: HashMap<[u8; 32], Arc<Session>>,
}

impl Sessions {
    /// The session with this digest if it has not ended, with what it still holds, and remembers that
    /// it was seen.
    pub(super) fn recognise(&self, digest: &[u8; 32], now: Timestamp) -> Option<Arc<Session>> {
        let session = self.by_digest.get(digest)?;
        if session.expires_at() <= now {
            return None;
        }
        let session = session.at(now)?;
        session
            .last_seen
            .fetch_max(now.as_micros(), Ordering::Relaxed);
        Some(session)
    }

    pub(super) fn get(&self, digest: &[u8; 32]) -> Option<&Arc<Session>> {
        self.by_digest.get(digest)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8; 32], &Arc<Session>)> {
        self.by_digest.iter()
    }

    pub(super) fn put(&mut self, digest: [u8; 32], session: Arc<Session>) {
        self.by_digest.insert(digest, session);
    }

    pub(super) fn remove(&mut self, digest: &[u8; 32]) {
        self.by_digest.remove(digest);
    }

    /// Takes a grant from a session, and the session away if it was its last one.
    pub(super) fn remove_grant(&mut self, digest: &[u8; 32], organization_id: &str) {
        let Some(session) = self.by_digest.get_mut(digest) else {
            return;
        };
        let left = session.without(organization_id);
        if left.grants.is_empty() {
            self.by_digest.remove(digest);
        } else {
            *session = Arc::new(left);
        }
    }

    /// Takes a workspace from every session.
    pub(super) fn forget(&mut self, organization_id: &str) {
        let opening = |(digest, session): (&[u8; 32], &Arc<Session>)| {
            session
                .grants
                .contains_key(organization_id)
                .then_some(*digest)
        };
        let digests: Vec<[u8; 32]> = self.by_digest.iter().filter_map(opening).collect();
        for digest in digests {
            self.remove_grant(&digest, organization_id);
        }
    }

    /// Lets go of those that have ended.
    pub(super) fn prune(&mut self, now: Timestamp) {
        self.by_digest
            .retain(|_, session| session.expires_at() > now);
    }
}
