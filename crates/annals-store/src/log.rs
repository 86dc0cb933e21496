//! One log: append, read, prove.

use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use annals_event::{Filter, Row, Timestamp};
use annals_merkle::{Checkpoint, CheckpointError, Hash, Note, VerifyingKey};
use annals_proof::{ProofWriter, WriteError};

use crate::blocks::Blocks;
use crate::recent::read;
use crate::store::Slot;
use crate::submission::Answer;
use crate::tree::{Salts, Tree};
use crate::{
    Append, AppendError, Appended, Found, Order, Pending, Rows, Search, Share, Store, StoreError,
    Tallied, Tally,
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
        self.blocks()
            .recent
            .log(self.slot)
            .map_or(0, |log| read(&log).size)
    }

    /// When the newest entry was recorded; `None` while there is none.
    pub fn last_recorded_at(&self) -> Option<Timestamp> {
        let log = self.blocks().recent.log(self.slot)?;
        let log = read(&log);
        (log.size > 0).then(|| Timestamp::clamped(log.recorded_at))
    }

    /// Records events in this log; see [`Store::append`].
    pub fn append(&self, append: Append) -> Pending<Appended, AppendError> {
        let events = (0..append.drafts.len()).collect();
        let log = self.clone();
        self.store
            .record(append, vec![Share { log, events }], Answer::only)
    }

    /// One page of the rows that match, newest first or oldest first, always as of one size.
    ///
    /// Blocks while it reads: call it outside of async threads.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Database`].
    pub fn search(&self, search: &Search) -> Result<Found, StoreError> {
        crate::search::search(self, search)
    }

    /// Counts the rows that match: by hours or days, and by the values of facets.
    ///
    /// Blocks while it reads, as [`Log::search`]. Where the filter is nothing but a range, the indexes of segments have most of it.
    ///
    /// # Errors
    /// [`StoreError::TooManySteps`]; else as [`Log::search`].
    pub fn tally(&self, tally: &Tally) -> Result<Tallied, StoreError> {
        crate::tally::tally(self, tally)
    }

    /// The row at a position, or `None` if it is not committed.
    ///
    /// # Errors
    /// As [`Log::search`].
    pub fn row(&self, position: u64) -> Result<Option<Row>, StoreError> {
        self.blocks().row(self.slot, position)
    }

    /// The row of the event with this id.
    ///
    /// # Errors
    /// As [`Log::search`].
    pub fn row_by_id(&self, id: &str) -> Result<Option<Row>, StoreError> {
        let print = self.blocks().recent.id_print(self.slot, id);
        self.blocks().row_by_id(self.slot, print, id)
    }

    /// Fails if one of the positions is known to lie in a damaged part of a segment, so that a file which
    /// must not have gaps is refused before its first byte.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] with the positions that cannot be read.
    pub fn require_readable(&self, positions: &Range<u64>) -> Result<(), StoreError> {
        self.blocks().quarantine.require(self.slot, positions)
    }

    /// The rows of a range of positions one after the other, in bounded memory; the range is cut to
    /// what is committed now.
    pub fn scan(&self, positions: Range<u64>, order: Order) -> Rows {
        self.scan_matching(Filter::everything(), positions, order)
    }

    /// The rows of a range of positions that match, one after the other, in bounded memory.
    pub fn scan_matching(&self, filter: Filter, positions: Range<u64>, order: Order) -> Rows {
        Rows::new(self.clone(), filter, positions, order)
    }

    /// The checkpoint of the log as it is now, signed: the text of a signed note.
    ///
    /// # Errors
    /// As [`Log::checkpoint_at`].
    pub fn checkpoint(&self) -> Result<String, StoreError> {
        let shared = self.store.shared();
        match shared.receipt(self.slot, &self.name) {
            Some(receipt) => Ok(receipt.note().to_owned()),
            None => self.checkpoint_at(0),
        }
    }

    /// The checkpoint of the log as it was at `size`, signed.
    ///
    /// # Errors
    /// [`StoreError::Proof`] if the log is smaller; else as [`Log::search`].
    pub fn checkpoint_at(&self, size: u64) -> Result<String, StoreError> {
        Ok(self.note_at(size)?.to_string())
    }

    fn note_at(&self, size: u64) -> Result<Note, StoreError> {
        let root = self.root_at(size)?;
        let unusable = |error: CheckpointError| StoreError::Damaged {
            place: "the origin".to_owned(),
            what: error.to_string(),
        };
        let checkpoint = Checkpoint::new(&self.name, size, root).map_err(unusable)?;
        Ok(self.store.shared().signing_key.sign(&checkpoint))
    }

    /// The root of the log's tree as it was at `size`.
    ///
    /// # Errors
    /// As [`Log::checkpoint_at`].
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        self.tree().root(size)
    }

    /// The exact entry at a position: the canonical line that was hashed. `None` if it is not committed.
    ///
    /// # Errors
    /// As [`Log::search`].
    pub fn entry(&self, position: u64) -> Result<Option<String>, StoreError> {
        let Some(row) = self.row(position)? else {
            return Ok(None);
        };
        crate::tree::entry(self.blocks(), self.slot, &self.name, &row).map(Some)
    }

    /// The proof that the entry at `position` is in the tree of `size`.
    ///
    /// # Errors
    /// [`StoreError::Proof`] if `position` or `size` is not committed; else as [`Log::search`].
    pub fn inclusion(&self, position: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.tree().inclusion(position, size)
    }

    /// The proof that the tree of size `new` begins with the tree of size `old`.
    ///
    /// # Errors
    /// As [`Log::inclusion`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        self.tree().consistency(old, new)
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
        let size = as_of.unwrap_or_else(|| self.size());
        // What cannot be proved is refused before the first byte is written.
        self.require_readable(&positions)?;
        let proof = self.tree().range(positions.clone(), size)?;
        let note = self.note_at(size)?;
        let failed = |error: WriteError| match error {
            WriteError::Io(error) => StoreError::Output(error),
            error => StoreError::Damaged {
                place: format!("log {}", self.slot),
                what: error.to_string(),
            },
        };
        let mut file =
            ProofWriter::new(out, self.verifying_key()?, positions.clone()).map_err(failed)?;
        let mut salts = Salts::default();
        for row in self.scan(positions, Order::Asc) {
            let row = row?;
            let salt = salts.of(self.blocks(), self.slot, row.position)?;
            file.event_without(&row, &salt, |k| blank(&row, usize::from(k)))
                .map_err(failed)?;
        }
        file.finish(&note, &proof).map_err(failed)?;
        Ok(())
    }

    /// The public key of this log in the text form of signed notes.
    pub fn verifier_key(&self) -> String {
        self.verifying_key()
            .map(|key| key.to_string())
            .unwrap_or_default()
    }

    fn verifying_key(&self) -> Result<VerifyingKey, StoreError> {
        let key = self.store.shared().signing_key.for_log(&self.name);
        key.map_err(|error| StoreError::Damaged {
            place: "the origin".to_owned(),
            what: error.to_string(),
        })
    }

    fn tree(&self) -> Tree<'_> {
        Tree::new(self.blocks(), self.slot, &self.name)
    }

    pub(crate) fn blocks(&self) -> &Blocks {
        &self.store.shared().blocks
    }
}
