//! The outbox: rows that stand in the caller's own database, written by the caller's own transaction.
//!
//! This file is pure: what a row is, how it is made from an event, how many there may be. The SQL is beside it, a file for each
//! database.

mod bound;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;

pub use bound::{Bound, WhenFull};
#[cfg(all(relay, feature = "postgres"))]
pub(crate) use postgres::PostgresStore;
#[cfg(feature = "postgres")]
pub use postgres::{PostgresConnection, PostgresOutbox};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteOutbox;
#[cfg(all(relay, feature = "sqlite"))]
pub(crate) use sqlite::SqliteStore;
pub use statement::{Insertion, POSTGRES_MIGRATIONS, SQLITE_MIGRATIONS};

use annals_event::{EventError, Timestamp};

use crate::context::RequestContext;
use crate::event::NewEvent;
use crate::organization::Organization;
use crate::{WORKSPACE_BYTES, clock};

/// Characters of a workspace's name, as the server counts them.
const NAME_CHARS: usize = 255;

/// What a row of the outbox tells Annals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ItemKind {
    /// That a workspace exists. It goes before the workspace's events.
    Organization,
    /// What happened in a workspace.
    Event,
}

/// A row before it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) kind: ItemKind,
    pub(crate) workspace: String,
    /// Empty for an organization.
    pub(crate) event_id: String,
    pub(crate) recorded_at: Timestamp,
    /// The event, or the organization, as JSON text.
    pub(crate) body: String,
}

/// A row that waits to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Its place in the order of delivery.
    pub seq: i64,
    /// What it tells.
    pub kind: ItemKind,
    /// Of which workspace.
    pub workspace: String,
    /// The event's id; empty for an organization.
    pub event_id: String,
    /// When the row was written, by the clock of the process that wrote it.
    pub recorded_at: Timestamp,
    /// The event, or the organization, as JSON text.
    pub body: String,
}

/// A row that Annals refused and that waits for somebody to look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The row.
    pub item: Queued,
    /// When it was put aside.
    pub parked_at: Timestamp,
    /// Why, in Annals' words: a code and the members that are wrong. Never their values.
    pub reason: String,
}

/// The number of events that a full outbox has dropped of one workspace, and between which times.
#[cfg(relay)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) workspace: String,
    pub(crate) dropped: i64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
}

/// How recording went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is delivered once the transaction commits.
    Queued {
        /// The event's id.
        id: String,
    },
    /// The outbox is full and drops what it cannot hold. A gap event will say so.
    Dropped,
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboxError {
    /// Annals would refuse the event. Nothing was written; change the event.
    #[error("Annals does not take this event: {0}")]
    Event(#[from] EventError),
    /// No workspace can have this id.
    #[error("a workspace's id has 1 to {WORKSPACE_BYTES} of A-Z a-z 0-9 _ -")]
    Workspace,
    /// No workspace can have this name: its events would wait for a workspace that Annals never makes. Shorten or replace it.
    #[error(
        "a workspace's name has 1 to {NAME_CHARS} characters, none of them a control character"
    )]
    Name,
    /// The outbox holds as many rows as it may. Roll back, and look why the relay does not deliver.
    #[error(
        "the outbox is full with {waiting} of at most {bound} rows; does the relay run and reach Annals?"
    )]
    Full {
        /// How many rows wait.
        waiting: u64,
        /// How many may.
        bound: u64,
    },
    /// The database refused. Roll back.
    #[cfg(feature = "sqlite")]
    #[error("the outbox's table cannot be written; were the migrations run?")]
    Sqlite(#[from] rusqlite::Error),
    /// The database refused. Roll back.
    #[cfg(feature = "postgres")]
    #[error("the outbox's table cannot be written; were the migrations run?")]
    Postgres(#[from] tokio_postgres::Error),
    /// The caller's own driver refused. Roll back.
    #[error("the outbox's table cannot be written; were the migrations run?")]
    Driver(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ItemKind {
    /// As it stands in the table.
    pub(crate) fn as_i16(self) -> i16 {
        match self {
            Self::Organization => 0,
            Self::Event => 1,
        }
    }

    #[cfg(database)]
    pub(crate) fn from_i16(number: i16) -> Self {
        if number == 0 {
            Self::Organization
        } else {
            Self::Event
        }
    }
}

impl Item {
    /// The rows that tell of `event` in each of `workspaces`: one id, the same bytes.
    pub(crate) fn events<W: AsRef<str>>(
        workspaces: impl IntoIterator<Item = W>,
        event: NewEvent,
    ) -> Result<Vec<Self>, OutboxError> {
        let now = clock::now();
        let event =
            RequestContext::with_current(|context| event.complete(now, context, clock::event_id))?;
        let body = event.to_json().to_canonical();
        let event_id = event.id.unwrap_or_default();
        let row = |workspace: W| {
            Ok(Self {
                kind: ItemKind::Event,
                workspace: checked(workspace.as_ref())?,
                event_id: event_id.clone(),
                recorded_at: now,
                body: body.clone(),
            })
        };
        workspaces.into_iter().map(row).collect()
    }

    /// The row that tells of a workspace.
    pub(crate) fn organization(organization: &Organization) -> Result<Self, OutboxError> {
        let workspace = checked(&organization.id)?;
        let name = &organization.name;
        let length = name.chars().take(NAME_CHARS + 1).count();
        if name.trim().is_empty() || length > NAME_CHARS || name.contains(char::is_control) {
            return Err(OutboxError::Name);
        }
        Ok(Self {
            kind: ItemKind::Organization,
            workspace,
            event_id: String::new(),
            recorded_at: clock::now(),
            body: organization.to_body(),
        })
    }
}

fn checked(workspace: &str) -> Result<String, OutboxError> {
    let fits = (1..=WORKSPACE_BYTES).contains(&workspace.len())
        && workspace
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if fits {
        Ok(workspace.to_owned())
    } else {
        Err(OutboxError::Workspace)
    }
}
