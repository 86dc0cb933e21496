//! One log: append, read, prove.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use annals_event::Row;
use annals_merkle::{Checkpoint, Hash, SigningKey};

use crate::store::Slot;
use crate::{
    Append, AppendError, Appended, Found, Order, Pending, Rows, Search, Store, StoreError,
};

/// One workspace's log, or the installation's own. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    pub(crate) store: Store,
    pub(crate) slot: Slot,
    pub(crate) id: Arc<str>,
    pub(crate) name: Arc<str>,
}

impl Log {
    /// The workspace's id: `organization_id` on the wire. Empty for the installation's own log.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The log's number, which its name ends with.
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// The log's name, `<origin>/w/<slot>`, which stands in every entry and checkpoint.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many entries are committed.
    pub fn size(&self) -> u64 {
        0
    }

    /// Records events. The answer comes when they are on stable storage and visible to readers.
    ///
    /// An event whose id is in the log already is not recorded again: [`Item::Duplicate`] if it is the
    /// same event, [`Item::Conflict`] if it is another one. May read from the disk before it returns,
    /// if an id or a key was seen before.
    ///
    /// [`Item::Duplicate`]: crate::Item::Duplicate
    /// [`Item::Conflict`]: crate::Item::Conflict
    pub fn append(&self, batch: Append) -> Pending<Appended, AppendError> {
        let _ = batch;
        Pending::ready(Err(AppendError::Stopped), || AppendError::Stopped)
    }

    /// One page of the rows that match, newest first or oldest first, always as of one size.
    ///
    /// Blocks while it reads: call it outside of async threads.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Database`].
    pub fn search(&self, search: &Search) -> Result<Found, StoreError> {
        let _ = search;
        Err(StoreError::Stopped)
    }

    /// The row at a position, or `None` if it is not committed.
    ///
    /// # Errors
    /// As [`Log::search`].
    pub fn row(&self, position: u64) -> Result<Option<Row>, StoreError> {
        let _ = position;
        Err(StoreError::Stopped)
    }

    /// The row of the event with this id.
    ///
    /// # Errors
    /// As [`Log::search`].
    pub fn row_by_id(&self, id: &str) -> Result<Option<Row>, StoreError> {
        let _ = id;
        Err(StoreError::Stopped)
    }

    /// The rows of a range of positions one after the other, in bounded memory; the range is cut to
    /// what is committed now.
    pub fn scan(&self, positions: Range<u64>, order: Order) -> Rows {
        Rows { log: self.clone(), left: positions, order }
    }

    /// The checkpoint of the log as it is now, signed.
    ///
    /// # Errors
    /// As [`Log::checkpoint_at`].
    pub fn checkpoint(&self) -> Result<String, StoreError> {
        self.checkpoint_at(self.size())
    }

    /// The checkpoint of the log as it was at `size`, signed.
    ///
    /// # Errors
    /// [`StoreError::Proof`] if the log is smaller; else as [`Log::search`].
    pub fn checkpoint_at(&self, size: u64) -> Result<String, StoreError> {
        let _ = size;
        Err(StoreError::Stopped)
    }

    /// The root of the log's tree as it was at `size`.
    ///
    /// # Errors
    /// As [`Log::checkpoint_at`].
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        let _ = size;
        Err(StoreError::Stopped)
    }

    /// The exact entry at a position: the canonical line that was hashed.
    ///
    /// # Errors
    /// As [`Log::search`].
    pub fn entry(&self, position: u64) -> Result<Option<String>, StoreError> {
        let _ = position;
        Err(StoreError::Stopped)
    }

    /// The proof that the entry at `position` is in the tree of `size`.
    ///
    /// # Errors
    /// [`StoreError::Proof`] if `position` or `size` is not committed; else as [`Log::search`].
    pub fn inclusion(&self, position: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        let _ = (position, size);
        Err(StoreError::Stopped)
    }

    /// The proof that the tree of size `new` begins with the tree of size `old`.
    ///
    /// # Errors
    /// As [`Log::inclusion`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        let _ = (old, new);
        Err(StoreError::Stopped)
    }

    /// Writes the proof file of a range of positions against the checkpoint at `as_of` (the size now if
    /// absent), in bounded memory. `blank` says, of an event and a section's index, whether its value is withheld.
    ///
    /// # Errors
    /// [`StoreError::Output`] if `out` refuses; else as [`Log::inclusion`].
    pub fn write_proof(
        &self,
        positions: Range<u64>,
        as_of: Option<u64>,
        out: &mut dyn Write,
        blank: &dyn Fn(&Row, usize) -> bool,
    ) -> Result<(), StoreError> {
        let _ = (positions, as_of, out, blank);
        Err(StoreError::Stopped)
    }

    /// The public key of this log in the text form of signed notes.
    pub fn verifier_key(&self) -> String {
        String::new()
    }
}

/// The text of the signed note over a checkpoint.
pub(crate) fn sign(checkpoint: &Checkpoint, key: &SigningKey) -> String {
    let _ = (checkpoint, key);
    String::new()
}
