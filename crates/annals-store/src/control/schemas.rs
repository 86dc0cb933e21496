//! Action schemas of the installation: numbered, immutable versions of what an event of an action
//! must look like. They belong to the installation, not to an organization.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use annals_event::{ActionSchema, Event, EventError, Timestamp};

mod write;

/// One version of an action's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaVersion {
    /// The action.
    pub action: String,
    /// 1, 2, 3 …
    pub version: u32,
    /// What an event that names this version must look like.
    pub schema: ActionSchema,
    /// When it was made.
    pub created_at: Timestamp,
    /// The version as text: the cursor of lists.
    pub(super) cursor: String,
}

impl SchemaVersion {
    /// What to send as `before` or `after` in a list of versions.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }
}

/// An action that has a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// The name; the cursor of lists too.
    pub name: String,
    /// Its newest schema.
    pub schema: Arc<SchemaVersion>,
    /// When its first schema was made.
    pub created_at: Timestamp,
    /// When its newest schema was made.
    pub updated_at: Timestamp,
}

/// All schemas, in memory.
#[derive(Debug, Default)]
pub(super) struct Schemas {
    /// Names in the order of creation.
    actions: Vec<String>,
    /// Oldest version first; never empty.
    versions: HashMap<String, Vec<Arc<SchemaVersion>>>,
}
