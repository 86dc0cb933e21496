//! Stored exports: a question and the size of the log when it was asked. The file is made each
//! time it is fetched, so there is nothing to clean up and nothing that grows old on disk.

use annals_event::Timestamp;

mod write;

/// How long a download token is good.
pub const DOWNLOAD_TOKEN_SECONDS: u32 = 600;

/// A stored export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// `audit_log_export_` and a ULID.
    pub id: String,
    /// Whose log.
    pub organization_id: String,
    /// Which of its events.
    pub selection: ExportSelection,
    /// Positions below this one only: what the log held when the export was made.
    pub as_of: u64,
    /// The key or person that made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// The question of an export. All given parts must hold; in a list, any of its values.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ExportSelection {
    /// `occurred_at` from here, in microseconds since the epoch.
    pub from_micros: Option<i64>,
    /// `occurred_at` before here, in microseconds since the epoch.
    pub to_micros: Option<i64>,
    /// A text in the search language, already canonical.
    pub query: Option<String>,
    /// Actions.
    pub actions: Vec<String>,
    /// Names of actors.
    pub actor_names: Vec<String>,
    /// Ids of actors.
    pub actor_ids: Vec<String>,
    /// Types of targets.
    pub target_types: Vec<String>,
}

/// What is needed to store an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewExport {
    /// Whose log.
    pub organization_id: String,
    /// Which of its events.
    pub selection: ExportSelection,
    /// The size of the log now.
    pub as_of: u64,
    /// The key or person that makes it.
    pub created_by: String,
}
