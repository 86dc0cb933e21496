//! Browser sessions of the portal, and what each may do in which workspace.
//!
//! A session is an opaque random text in a cookie; its SHA-256 is stored. One session holds at
//! most one grant per workspace, so an admin of two workspaces keeps both open.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use annals_event::Timestamp;

use super::links::{PortalUser, Role};

mod write;

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
    /// Whether reading the log in this session has been recorded.
    pub viewed_recorded: bool,
}

/// All sessions that have not ended, in memory.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_digest: HashMap<[u8; 32], Arc<Session>>,
}
