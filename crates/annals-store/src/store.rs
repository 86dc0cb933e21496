//! The store: one directory, opened by one process.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use annals_event::Draft;
use rusqlite::{Connection, Transaction};

use crate::control::{self, Control};
use crate::{Log, Options, Pending, StoreError};

/// The number of a log within the installation. 0 is the installation's own.
pub type Slot = u32;

/// An open store. Cheap to clone; the last clone that goes closes nothing: see [`Store::close`].
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    origin: String,
    control: Control,
    /// Stands in for the writer's thread while that is being built.
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the store in `dir`, and makes it first if the directory is new or empty.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it, [`StoreError::Newer`] if a later version
    /// wrote it, [`StoreError::Damaged`] if what is stored contradicts itself.
    pub fn open(dir: &Path, options: Options) -> Result<Store, StoreError> {
        std::fs::create_dir_all(dir)
            .map_err(|source| StoreError::File { path: dir.to_owned(), source })?;
        let connection = Connection::open(dir.join("annals.db"))?;
        if !connection.table_exists(None, "organization")? {
            connection.execute_batch(control::SCHEMA)?;
        }
        let control = Control::load(&connection, options.clock, 1_000)?;
        let origin = options.origin.unwrap_or_default();
        Ok(Store(Arc::new(Inner { origin, control, connection: Mutex::new(connection) })))
    }

    /// Finishes what is waiting, writes down what a quick start needs, and lets go of the directory.
    /// Every log and clone of this store is dead after it.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the tidying up fails; everything acknowledged is safe all the same.
    pub fn close(self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The installation's origin, which begins the name of every log.
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The log of the workspace with this id, unless there is none. **The** way to a log.
    pub fn log(&self, id: &str) -> Option<Log> {
        let slot = self.control().living_slot(id)?;
        Some(self.log_at(slot, id))
    }

    /// Control data in memory.
    pub(crate) fn control(&self) -> &Control {
        &self.0.control
    }

    /// Runs `read` with a connection that only reads.
    pub(crate) fn with_reader<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        read(&self.0.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The installation's own log, which belongs to no workspace.
    pub fn installation_log(&self) -> Log {
        self.log_at(0, "")
    }

    /// The log in a slot. Only for control code, which has looked the workspace up.
    pub(crate) fn log_at(&self, slot: Slot, id: &str) -> Log {
        Log {
            store: self.clone(),
            slot,
            id: id.into(),
            name: format!("{}/w/{slot}", self.0.origin).into(),
        }
    }

    /// Changes control data and records the change: both commit in one transaction.
    ///
    /// `change` runs on the writer's thread inside of the transaction; if it fails, nothing of this
    /// change happens, and others are not disturbed. `events` says who recorded which events in which
    /// log (none is fine). After the commit, and before anything else is committed, `applied` is called
    /// with the result on the same thread: the place to bring memory up to date.
    pub(crate) fn change<T, E>(
        &self,
        events: Vec<Recorded>,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        applied: impl FnOnce(&T) + Send + 'static,
    ) -> Pending<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let _ = events;
        let run = || {
            let mut connection = self.0.connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.transaction().map_err(StoreError::from)?;
            let result = change(&transaction)?;
            transaction.commit().map_err(StoreError::from)?;
            applied(&result);
            Ok(result)
        };
        Pending::ready(run(), || E::from(StoreError::Stopped))
    }
}

/// Events that record a change of control data, for one log.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The log: 0 for the installation's own.
    pub slot: Slot,
    /// The events.
    pub drafts: Vec<Draft>,
    /// Who recorded them, as it stands in the entry.
    pub recorded_by: String,
}
