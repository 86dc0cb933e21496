//! Places for what runs long: so many at once, and so many for one workspace, so that no workspace
//! takes them all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals_store::{Log, Slot};

use crate::error::ApiError;

/// A number of places.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    each: usize,
    /// How many each workspace holds; those that hold none are not in it.
    taken: Mutex<HashMap<Slot, usize>>,
}

/// A place that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    slot: Slot,
}

impl Places {
    /// `most` places, of which one workspace may hold `each`.
    pub(crate) fn new(most: usize, each: usize) -> Self {
        Self(Arc::new(Inner {
            most,
            each,
            taken: Mutex::default(),
        }))
    }

    /// Takes a place for the workspace of this log.
    ///
    /// # Errors
    /// [`ApiError::Busy`] where none is free.
    pub(crate) fn take(&self, log: &Log) -> Result<Place, ApiError> {
        let mut taken = self.taken();
        let own = taken.get(&log.slot()).copied().unwrap_or(0);
        if own >= self.0.each || taken.values().sum::<usize>() >= self.0.most {
            return Err(ApiError::Busy);
        }
        taken.insert(log.slot(), own + 1);
        drop(taken);
        Ok(Place {
            places: self.clone(),
            slot: log.slot(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Slot, usize>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(own) = taken.get_mut(&self.slot) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.slot);
            }
        }
    }
}
