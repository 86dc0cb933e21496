//! Control data: organizations, keys, schemas, exports, portal links and sessions.
//!
//! All of it but the exports is in memory and is read without SQL. A change is decided from memory
//! while nobody else changes anything, written in one transaction together with the events that
//! record it, and shows in memory when it has committed: see [`Control::turn`].

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use annals_event::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{Clock, Recorded, Slot, Store, StoreError};

mod exports;
mod keys;
mod links;
mod lists;
mod organizations;
mod schemas;
mod sessions;
mod texts;
mod tokens;

pub use exports::{DOWNLOAD_TOKEN_SECONDS, Export, ExportSelection, NewExport};
pub use keys::{Key, NewKey, Reach, Scopes};
pub use links::{
    HANDOFF_SECONDS, Intent, LINK_SECONDS, Link, NewLink, PortalUser, RedeemRefusal, Redeemed, Role,
};
pub use lists::{ListOrder, ListQuery, Page};
pub use organizations::{
    Created, Domain, DomainState, Entitlement, MetadataUpdate, NewDomain, NewOrganization,
    Organization, OrganizationUpdate, OrganizationsQuery, PendingRetention, RETENTION_DAYS_DEFAULT,
    Retention,
};
pub use schemas::{Action, SchemaVersion};
pub use sessions::{Grant, SESSION_IDLE_SECONDS, SESSION_SECONDS, Session};
pub use tokens::Secret;

/// Why control data cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no such object.
    #[error("{object} not found")]
    NotFound {
        /// What kind of object.
        object: &'static str,
    },
    /// It contradicts an object that is there.
    #[error("{field} {message}")]
    Conflict {
        /// The member that is taken.
        field: &'static str,
        /// How.
        message: &'static str,
    },
    /// Some members break a rule.
    #[error("{}", .0.first().map_or("invalid", |first| first.message.as_str()))]
    Invalid(Vec<InvalidField>),
    /// A link or handoff token opens nothing.
    #[error(transparent)]
    Refused(#[from] RedeemRefusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A member that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidField {
    /// Its name, with dots and indexes: `domains.0.domain`.
    pub field: String,
    /// The rule, as a word for programs: `required`, `too_long`, `bad_pattern` …
    pub code: &'static str,
    /// The rule, as a sentence for people.
    pub message: String,
}

impl ControlError {
    const fn not_found(object: &'static str) -> Self {
        ControlError::NotFound { object }
    }

    fn invalid(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        ControlError::Invalid(vec![InvalidField {
            field,
            code,
            message,
        }])
    }
}

impl From<rusqlite::Error> for ControlError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => ControlError::Store(StoreError::DiskFull),
            _ => ControlError::Store(StoreError::Database(error)),
        }
    }
}

/// The tables of control data, for the list of migrations.
pub(crate) const SCHEMA: &str = include_str!("control/schema.sql");

/// How long what was last used may lie in memory alone.
const FLUSH_MICROS: i64 = 60_000_000;

/// Control data in memory.
pub(crate) struct Control {
    clock: Arc<dyn Clock>,
    /// The slot of the first organization.
    slot_start: Slot,
    organizations: RwLock<organizations::Organizations>,
    keys: RwLock<keys::Keys>,
    schemas: RwLock<schemas::Schemas>,
    links: RwLock<links::Links>,
    sessions: RwLock<sessions::Sessions>,
    /// Signs download tokens and form tokens.
    secret: [u8; 32],
    turns: Turns,
    /// When last-used times were last written, in microseconds.
    flushed_at: AtomicI64,
}

/// Who may change what, one at a time. Where two are needed they are taken in this order.
#[derive(Default)]
struct Turns {
    organizations: Arc<Mutex<()>>,
    keys: Arc<Mutex<()>>,
    schemas: Arc<Mutex<()>>,
    portal: Arc<Mutex<()>>,
}

/// The right to change one kind of control data until it is dropped. The writer's thread drops it,
/// after memory was brought up to date: so a request that is given up half-way does not let the
/// next one decide from memory that is behind.
type Turn = OwnedMutexGuard<()>;

impl Control {
    /// Reads everything, and makes the installation's secret if there is none yet.
    pub(crate) fn load(
        connection: &Connection,
        clock: Arc<dyn Clock>,
        slot_start: Slot,
    ) -> Result<Control, StoreError> {
        let secret = load_secret(connection)?;
        let now = clock.now();
        Ok(Control {
            slot_start,
            organizations: RwLock::new(organizations::load(connection)?),
            keys: RwLock::new(keys::load(connection)?),
            schemas: RwLock::new(schemas::load(connection)?),
            links: RwLock::new(links::load(connection, now)?),
            sessions: RwLock::new(sessions::load(connection, now, &secret)?),
            secret,
            turns: Turns::default(),
            flushed_at: AtomicI64::new(now.as_micros()),
            clock,
        })
    }

    /// The slot of an organization that has not been deleted.
    pub(crate) fn living_slot(&self, id: &str) -> Option<Slot> {
        read(&self.organizations)
            .living(id)
            .map(|organization| organization.slot)
    }

    /// Writes down when keys and sessions were last used, at most once a minute unless `forced`,
    /// as it is when the store closes.
    pub(crate) fn flush(
        &self,
        transaction: &Transaction<'_>,
        forced: bool,
    ) -> Result<(), StoreError> {
        let now = self.clock.now().as_micros();
        let last = self.flushed_at.load(Ordering::Relaxed);
        if !forced && now.saturating_sub(last) < FLUSH_MICROS {
            return Ok(());
        }
        keys::flush(&read(&self.keys), last, transaction)?;
        sessions::flush(&read(&self.sessions), last, transaction)?;
        self.flushed_at.store(now, Ordering::Relaxed);
        Ok(())
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl Store {
    /// Commits a change of control data with the events that record it, and brings memory up to date
    /// before the turn passes on.
    async fn commit<T: Send + Unpin + 'static>(
        &self,
        turn: Turn,
        events: Vec<Recorded>,
        write: impl FnMut(&Transaction<'_>) -> Result<T, ControlError> + Send + 'static,
        applied: impl FnOnce(&Control, &T) + Send + 'static,
    ) -> Result<T, ControlError> {
        let store = self.clone();
        let applied = move |result: &T| {
            applied(store.control(), result);
            drop(turn);
        };
        self.change(events, write, applied).await
    }
}

async fn turn(of: &Arc<Mutex<()>>) -> Turn {
    Arc::clone(of).lock_owned().await
}

/// A panic of another thread leaves no half-made change: each is one assignment.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn load_secret(connection: &Connection) -> Result<[u8; 32], StoreError> {
    let stored: Option<[u8; 32]> = connection
        .query_row(
            "SELECT value FROM control_secret WHERE name = 'tokens'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    if let Some(secret) = stored {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|_| StoreError::Random)?;
    connection.execute(
        "INSERT INTO control_secret (name, value) VALUES ('tokens', ?1)",
        params![secret],
    )?;
    Ok(secret)
}

/// A stored JSON text that cannot be read any more.
fn damaged(table: &'static str, id: &str) -> StoreError {
    StoreError::Damaged {
        place: format!("{table} {id}"),
        what: "unreadable value".to_owned(),
    }
}

/// Our own types always serialize; SQLite would refuse the text if they ever did not.
fn to_text<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
