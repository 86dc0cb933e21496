//! What is appended to a log, and what comes back.

use std::fmt;
use std::sync::{Arc, OnceLock};

use annals_event::{Drafts, Timestamp};
use annals_merkle::{Checkpoint, Hash, SigningKey};

use crate::Log;

/// Events for one log or several, which commit together or not at all.
#[derive(Clone, Debug)]
pub struct Append {
    /// The events; 1 to 10,000.
    pub drafts: Drafts,
    /// Who recorded them: the id of a key, or a name of ours. It stands in every entry.
    pub recorded_by: String,
    /// Makes a repeated request answer as the first one did, even where its events have no ids of
    /// their own.
    pub idempotency: Option<Idempotency>,
    /// Whether these are events of our own. On a full disk they are recorded from the reserve.
    pub internal: bool,
    /// Whether a [`Receipt`] is wanted.
    pub receipt: bool,
}

/// Which events of an [`Append`] go into which log.
#[derive(Clone)]
pub struct Share {
    /// The log.
    pub log: Log,
    /// The numbers of the events in [`Append::drafts`], in the order in which they are to stand in the log.
    pub events: Vec<usize>,
}

/// An idempotency key. The store keeps only salted hashes of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// SHA-256 of the key.
    pub key_hash: [u8; 32],
    /// SHA-256 of the request's body.
    pub body_hash: [u8; 32],
}

/// What became of an [`Append`].
#[derive(Clone, Debug)]
pub struct Appended {
    /// One for each event, in order.
    pub items: Vec<Item>,
    /// The receipt, if it was asked for. Its size covers every item that is not a conflict.
    pub receipt: Option<Receipt>,
}

/// What became of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// It is new, and recorded.
    Recorded {
        /// Its position.
        position: u64,
        /// Its id.
        id: String,
        /// When it was recorded.
        recorded_at: Timestamp,
    },
    /// The same event was recorded before; nothing was added.
    Duplicate {
        /// The position of the event that is there.
        position: u64,
        /// Its id.
        id: String,
        /// When it was recorded.
        recorded_at: Timestamp,
    },
    /// Another event has this id; nothing was added.
    Conflict {
        /// The id.
        id: String,
    },
}

/// A promise about a log: it has this size and this root, under the installation's signature.
///
/// Signed when [`Receipt::note`] is first called, and then once for all requests of one log that
/// committed together.
#[derive(Clone)]
pub struct Receipt(pub(crate) Arc<ReceiptInner>);

pub(crate) struct ReceiptInner {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) note: OnceLock<String>,
}

impl Receipt {
    /// The size of the log.
    pub fn size(&self) -> u64 {
        self.0.checkpoint.size()
    }

    /// The root of its tree.
    pub fn root(&self) -> Hash {
        *self.0.checkpoint.root()
    }

    /// The signed checkpoint, as the text of a signed note.
    pub fn note(&self) -> &str {
        self.0
            .note
            .get_or_init(|| self.0.key.sign(&self.0.checkpoint).to_string())
    }
}

impl std::fmt::Debug for ReceiptInner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiptInner")
            .field("checkpoint", &self.checkpoint)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receipt").field(&self.0.checkpoint).finish()
    }
}
