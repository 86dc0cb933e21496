//! The store: one directory, opened by one process.

use std::path::Path;
use std::sync::Arc;

use annals_event::Draft;
use rusqlite::Transaction;

use crate::{Log, Options, Pending, StoreError};

/// The number of a log within the installation. 0 is the installation's own.
pub type Slot = u32;

/// An open store. Cheap to clone; the last clone that goes closes nothing: see [`Store::close`].
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    origin: String,
}

impl Store {
    /// Opens the store in `dir`, and makes it first if the directory is new or empty.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process has it, [`StoreError::Newer`] if a later version
    /// wrote it, [`StoreError::Damaged`] if what is stored contradicts itself.
    pub fn open(dir: &Path, options: Options) -> Result<Store, StoreError> {
        let _ = (dir, options);
        Ok(Store(Arc::new(Inner { origin: String::new() })))
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
        let _ = id;
        None
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
        let _ = (events, change, applied);
        Pending::ready(Err(E::from(StoreError::Stopped)), || E::from(StoreError::Stopped))
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
