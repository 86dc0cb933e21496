//! Writing a proof file: header, one line for each position, trailer.

use std::io::{self, Write};
use std::ops::Range;

use annals_event::{Row, Salt, Section, Timestamp, entry_line, section_salt};
use annals_merkle::{
    Checkpoint, CheckpointError, CompactRange, Hash, Note, ProofError, RangeProof, VerifyingKey,
    leaf_hash, verify_range,
};
use sha2::{Digest, Sha256};

use crate::Disclosure;
use crate::disclosure::{EventLine, RedactedLine};
use crate::header::Header;
use crate::trailer::Trailer;

/// A proof file in the making. What was written so far is a valid beginning of one; without
/// [`ProofWriter::finish`] the file is incomplete and proves nothing.
pub struct ProofWriter<W> {
    out: Sink<W>,
    header: Header,
    leaves: CompactRange,
    line: String,
}

/// Why a proof file could not be written to its end.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The range runs backwards.
    #[error("a range cannot end before it begins")]
    Range,
    /// The entry is not the one that comes next.
    #[error("position {expected:?} comes next in this proof file, not {given}")]
    Position {
        /// The position that comes next; `None` once the range is complete.
        expected: Option<u64>,
        /// The position that was given.
        given: u64,
    },
    /// The range is not complete.
    #[error("position {0} is still to come in this proof file")]
    Unfinished(u64),
    /// The checkpoint is not one of this log, or not signed by its key.
    #[error("the checkpoint does not fit this proof file")]
    Checkpoint(#[from] CheckpointError),
    /// The entries are not those that the checkpoint signs: what is stored was damaged, or changed.
    #[error("the entries are not those of the signed log")]
    Tree(#[source] ProofError),
    /// The output failed.
    #[error("cannot write the proof file")]
    Io(#[from] io::Error),
}

impl<W: Write> ProofWriter<W> {
    /// Writes the header for the positions `range` of the log that `key` belongs to
    /// ([`annals_merkle::SigningKey::for_log`]).
    ///
    /// # Errors
    /// [`WriteError::Range`] and [`WriteError::Io`].
    pub fn new(out: W, key: VerifyingKey, range: Range<u64>) -> Result<ProofWriter<W>, WriteError> {
        if range.start > range.end {
            return Err(WriteError::Range);
        }
        let header = Header {
            from: range.start,
            to: range.end,
            key,
        };
        let mut line = String::new();
        header.write(&mut line);
        let mut out = Sink::new(out);
        out.write(&line)?;
        Ok(ProofWriter {
            out,
            header,
            leaves: CompactRange::new(range.start),
            line,
        })
    }

    /// Writes the next entry with all sections that are still there.
    ///
    /// # Errors
    /// [`WriteError::Position`] and [`WriteError::Io`].
    pub fn event(&mut self, row: &Row, event_salt: &Salt) -> Result<(), WriteError> {
        self.event_without(row, event_salt, |_| false)
    }

    /// Writes the next entry without those sections of which `withheld` says so.
    ///
    /// # Errors
    /// [`WriteError::Position`] and [`WriteError::Io`].
    pub fn event_without(
        &mut self,
        row: &Row,
        event_salt: &Salt,
        withheld: impl Fn(u8) -> bool,
    ) -> Result<(), WriteError> {
        let entry = entry_line(self.header.key.name(), row, event_salt);
        let sections: Vec<Disclosure<'_>> = (0u8..)
            .zip(&row.draft.sections)
            .map(|(k, section)| match section {
                Section::Empty => Disclosure::Empty,
                Section::Value(value) if !withheld(k) => Disclosure::Shown {
                    salt: section_salt(event_salt, k),
                    value,
                },
                Section::Value(_) | Section::Withheld(_) => Disclosure::Blanked,
            })
            .collect();
        self.entry(row.position, &entry, &sections)
    }

    /// Writes the next entry from its exact line and from what is to be shown of its sections: for
    /// an event of which the salts of some sections are left, but not the event's own.
    ///
    /// # Errors
    /// [`WriteError::Position`] and [`WriteError::Io`].
    pub fn entry(
        &mut self,
        position: u64,
        entry: &str,
        sections: &[Disclosure<'_>],
    ) -> Result<(), WriteError> {
        self.push(position, leaf_hash(entry.as_bytes()))?;
        self.line.clear();
        EventLine::write(&mut self.line, entry, sections);
        Ok(self.out.write(&self.line)?)
    }

    /// Writes the next entry as redacted: nothing of it is shown but its leaf hash.
    ///
    /// # Errors
    /// [`WriteError::Position`] and [`WriteError::Io`].
    pub fn redacted(
        &mut self,
        leaf: Hash,
        position: u64,
        recorded_at: Timestamp,
    ) -> Result<(), WriteError> {
        self.push(position, leaf)?;
        self.line.clear();
        RedactedLine {
            leaf,
            position,
            recorded_at,
        }
        .write(&mut self.line);
        Ok(self.out.write(&self.line)?)
    }

    /// Writes the trailer and returns the output, flushed. What would not verify is not finished.
    ///
    /// # Errors
    /// [`WriteError::Unfinished`] if entries are missing, [`WriteError::Checkpoint`] if the note is
    /// not the log's, [`WriteError::Tree`] if the entries do not lead to its root, and
    /// [`WriteError::Io`].
    pub fn finish(mut self, checkpoint: &Note, proof: &RangeProof) -> Result<W, WriteError> {
        if let Some(position) = self.expected() {
            return Err(WriteError::Unfinished(position));
        }
        let note = checkpoint.to_string();
        let checkpoint = Checkpoint::open(&note, &self.header.key)?;
        verify_range(&self.leaves, checkpoint.size(), proof, checkpoint.root())
            .map_err(WriteError::Tree)?;
        let before = self.out.hash.finalize_reset();
        let trailer = Trailer {
            note,
            proof: proof.clone(),
            before: before.into(),
        };
        self.line.clear();
        trailer.write(&mut self.line);
        self.out.write(&self.line)?;
        self.out.to.flush()?;
        Ok(self.out.to)
    }

    fn expected(&self) -> Option<u64> {
        (self.leaves.end() < self.header.to).then(|| self.leaves.end())
    }

    fn push(&mut self, position: u64, leaf: Hash) -> Result<(), WriteError> {
        let expected = self.expected();
        if expected != Some(position) {
            return Err(WriteError::Position {
                expected,
                given: position,
            });
        }
        self.leaves.push_leaf(leaf, &mut |_, _| {});
        Ok(())
    }
}

/// An output of which the SHA-256 is kept.
pub(crate) struct Sink<W> {
    pub(crate) to: W,
    pub(crate) hash: Sha256,
}

impl<W: Write> Sink<W> {
    pub(crate) fn new(to: W) -> Sink<W> {
        Sink {
            to,
            hash: Sha256::new(),
        }
    }

    pub(crate) fn write(&mut self, text: &str) -> io::Result<()> {
        self.hash.update(text);
        self.to.write_all(text.as_bytes())
    }
}
