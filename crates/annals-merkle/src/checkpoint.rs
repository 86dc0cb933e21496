//! Checkpoints as C2SP tlog-checkpoint v1.0.0 has them: whose log, how large, which root.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::is_key_name;
use crate::{Hash, Note, NoteError, VerifyingKey, empty_root};

/// A statement about a log: at this size it had this root. Printing one gives the text of the note
/// that carries it: three lines, and never an extension line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
}

/// Why a text is not a checkpoint, or not one to believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The origin could not be the name of the key that signs it.
    #[error("a log's name is not empty and has no space, plus or control character")]
    Origin,
    /// The size is not a decimal number without leading zeros.
    #[error("the size is a decimal number without leading zeros")]
    Size,
    /// The root is not 32 bytes in base64, or not the root of a log without entries.
    #[error("the root is 32 bytes in base64, and that of an empty log is fixed")]
    Root,
    /// Not exactly three lines.
    #[error("a checkpoint has three lines")]
    Lines,
    /// The key is that of another log.
    #[error("the key is not that of the log that the checkpoint names")]
    OtherLog,
    /// The note is malformed or not signed.
    #[error("cannot believe the signed note")]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// The checkpoint of the log `origin` at `size`.
    ///
    /// # Errors
    /// [`CheckpointError::Origin`] if the name could not stand in a note, [`CheckpointError::Root`]
    /// if `size` is 0 and `root` is not [`empty_root`].
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Checkpoint, CheckpointError> {
        if !is_key_name(origin) {
            return Err(CheckpointError::Origin);
        }
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::Root);
        }
        Ok(Checkpoint {
            origin: origin.to_owned(),
            size,
            root,
        })
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the log had.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over them.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Reads a signed note and believes it if `key` has signed it, and the log is the key's.
    ///
    /// # Errors
    /// [`CheckpointError::Note`] if the note is malformed or not signed by `key`,
    /// [`CheckpointError::OtherLog`] if the key has another name than the log, and the others if
    /// the signed text is not a checkpoint.
    pub fn open(note: &str, key: &VerifyingKey) -> Result<Checkpoint, CheckpointError> {
        let note: Note = note.parse()?;
        note.verify(std::slice::from_ref(key))?;
        let checkpoint: Checkpoint = note.text.parse()?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::OtherLog);
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}\n{}\n{}",
            self.origin,
            self.size,
            STANDARD.encode(self.root)
        )
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Reads the text of a note; what is read prints as the same bytes again.
    fn from_str(text: &str) -> Result<Checkpoint, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let lines: Vec<&str> = lines.split('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(CheckpointError::Lines);
        };
        let parsed: u64 = size.parse().map_err(|_| CheckpointError::Size)?;
        // `parse` also takes "+1" and "01".
        if parsed.to_string() != size {
            return Err(CheckpointError::Size);
        }
        let root = STANDARD.decode(root).map_err(|_| CheckpointError::Root)?;
        let root = Hash::try_from(root).map_err(|_| CheckpointError::Root)?;
        Checkpoint::new(origin, parsed, root)
    }
}
