//! Action schemas of the installation: numbered, immutable versions of what an event of an action
//! must look like. They belong to the installation, not to an organization.

use std::collections::HashMap;
use std::sync::Arc;

use annals_event::{ActionSchema, Timestamp};

mod write;

pub(super) use write::load;

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

impl Schemas {
    pub(super) fn versions(&self, action: &str) -> Option<&[Arc<SchemaVersion>]> {
        self.versions.get(action).map(Vec::as_slice)
    }

    pub(super) fn actions(&self) -> usize {
        self.actions.len()
    }

    pub(super) fn action(&self, name: &str) -> Option<Action> {
        let versions = self.versions(name)?;
        let (first, last) = (versions.first()?, versions.last()?);
        Some(Action {
            name: name.to_owned(),
            schema: Arc::clone(last),
            created_at: first.created_at,
            updated_at: last.created_at,
        })
    }

    pub(super) fn names(&self) -> impl DoubleEndedIterator<Item = &String> {
        self.actions.iter()
    }

    pub(super) fn add(&mut self, version: Arc<SchemaVersion>) {
        if !self.versions.contains_key(&version.action) {
            self.actions.push(version.action.clone());
        }
        self.versions
            .entry(version.action.clone())
            .or_default()
            .push(version);
    }
}
