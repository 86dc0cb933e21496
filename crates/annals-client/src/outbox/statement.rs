//! The tables, and the statements of a driver that this crate does not know.

use super::{Item, ItemKind, OutboxError};
use crate::event::NewEvent;
use crate::organization::Organization;

/// The tables of the outbox for SQLite 3.37 or newer, in order. Run those that are missing with your own migration tool, or all of
/// them with [`crate::SqliteOutbox::migrate`]; running one twice does no harm.
pub const SQLITE_MIGRATIONS: [&str; 1] = [include_str!("sqlite/0001_outbox.sql")];

/// The tables of the outbox for PostgreSQL 12 or newer, in order. Run those that are missing with your own migration tool, or all of
/// them with [`crate::PostgresOutbox::migrate`]; running one twice does no harm.
pub const POSTGRES_MIGRATIONS: [&str; 1] = [include_str!("postgres/0001_outbox.sql")];

/// One statement that puts an item into the outbox, for a driver that this crate does not know, such as sqlx.
///
/// Run it in your own transaction with the parameters `workspace` (text), `kind` (small integer), `event_id` (text), `recorded_at`
/// (big integer) and `body` (text), in this order. It does not look whether the outbox is full.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use annals_client::{Actor, Insertion, actions::UserLogout};
/// # let database = rusqlite::Connection::open_in_memory()?;
/// # annals_client::SqliteOutbox::migrate(&database)?;
/// for row in Insertion::events(["org_acme"], UserLogout::new(Actor::new("user", "usr_1"), "usr_1"))? {
///     let bound = (row.workspace, row.kind, row.event_id, row.recorded_at, row.body);
///     database.execute(Insertion::SQLITE, bound)?; // or your driver's way to bind and run
/// }
/// # assert_eq!(database.query_row("select count(*) from annals_outbox", [], |row| row.get::<_, i64>(0))?, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Insertion {
    /// The workspace.
    pub workspace: String,
    /// 0 for an organization, 1 for an event.
    pub kind: i16,
    /// The event's id; empty for an organization.
    pub event_id: String,
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub recorded_at: i64,
    /// The event, or the organization, as JSON text.
    pub body: String,
}

impl Insertion {
    /// The statement for PostgreSQL.
    pub const POSTGRES: &'static str = "insert into annals_outbox (workspace, kind, event_id, recorded_at, body) values ($1, $2, $3, $4, $5) returning seq";
    /// The statement for SQLite.
    pub const SQLITE: &'static str = "insert into annals_outbox (workspace, kind, event_id, recorded_at, body) values (?1, ?2, ?3, ?4, ?5)";

    /// The rows that tell of an event in each of these workspaces, with one id.
    ///
    /// # Errors
    /// [`OutboxError::Event`] where Annals would refuse the event, [`OutboxError::Workspace`] where no workspace has such an id.
    pub fn events<W: AsRef<str>>(
        workspaces: impl IntoIterator<Item = W>,
        event: impl Into<NewEvent>,
    ) -> Result<Vec<Self>, OutboxError> {
        let items = Item::events(workspaces, event.into())?;
        Ok(items.into_iter().map(Self::from).collect())
    }

    /// The row that tells of a workspace.
    ///
    /// # Errors
    /// [`OutboxError::Workspace`] where no workspace has such an id, [`OutboxError::Name`] where none has such a name.
    pub fn organization(workspace: &str, name: &str) -> Result<Self, OutboxError> {
        Self::of(&Organization::new(workspace, name))
    }

    /// The row that tells of a workspace, with what else Annals is to know of it.
    ///
    /// # Errors
    /// As [`Insertion::organization`].
    pub fn of(organization: &Organization) -> Result<Self, OutboxError> {
        Item::organization(organization).map(Self::from)
    }
}

impl From<Item> for Insertion {
    fn from(item: Item) -> Self {
        Self {
            workspace: item.workspace,
            kind: ItemKind::as_i16(item.kind),
            event_id: item.event_id,
            recorded_at: item.recorded_at.as_micros(),
            body: item.body,
        }
    }
}
