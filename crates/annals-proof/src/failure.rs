//! Why a proof file is not accepted.

use std::io;

use annals_merkle::{CheckpointError, KeyError, ProofError};

/// What became of a proof file that was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file is not valid: it was changed, or never was one.
    #[error("line {line}: {flaw}")]
    Invalid {
        /// The line, counted from 1.
        line: u64,
        /// The position of the log that the line should have shown, for lines of the range. A change
        /// that only the tree shows is found at the trailer, where no position can be named.
        position: Option<u64>,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// The file ends before its trailer, and is in order up to there.
    #[error("the file ends after line {line}, without its trailer")]
    Incomplete {
        /// The last complete line, counted from 1; 0 if there is none.
        line: u64,
        /// The position that should have come next.
        position: Option<u64>,
    },
    /// The file could not be read.
    #[error("cannot read the proof file")]
    Io(#[from] io::Error),
}

/// What is wrong with a line of a proof file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// Longer than any line of a proof file can be.
    #[error("the line is too long")]
    TooLong,
    /// Not UTF-8.
    #[error("the line is not UTF-8")]
    NotUtf8,
    /// Not a line of the kind that belongs here, or with other members than it has.
    #[error("this is not {wanted} of a proof file")]
    Form {
        /// What belongs here.
        wanted: &'static str,
    },
    /// JSON, but not as the canonical form writes it.
    #[error("this is not canonical JSON")]
    NotCanonical,
    /// A member of the entry is missing, unknown, or of another type.
    #[error("the entry's {member} is not what an entry has there")]
    Member {
        /// The member, in words.
        member: &'static str,
    },
    /// A hash or salt that is not 32 bytes in unpadded URL-safe base64.
    #[error("a hash is not 32 bytes in base64url")]
    Base64,
    /// The header's key is malformed.
    #[error("the key in the header cannot be used: {0}")]
    Key(KeyError),
    /// The header's range runs backwards or is too large.
    #[error("the header's range is none")]
    Range,
    /// The entry, the key or the checkpoint belongs to another log than the header names.
    #[error("this belongs to another log than the header names")]
    OtherLog,
    /// The header's key is not the key that was asked for.
    #[error("the file names another key than the one given")]
    OtherKey,
    /// The entry stands at another position.
    #[error("position {expected} should stand here")]
    Position {
        /// The position that comes next.
        expected: u64,
    },
    /// An entry beyond the range of the header, or a trailer before its end.
    #[error("the file does not have as many entries as its header says")]
    Count,
    /// `recorded_at` lies before that of the entry before it.
    #[error("the recording time goes back")]
    TimeGoesBack,
    /// Not exactly one section for each commitment of the entry.
    #[error("the entry has another number of sections")]
    SectionCount,
    /// A section is given where the entry has none, or the other way round.
    #[error("section {section} is not empty exactly where the entry says so")]
    SectionEmpty {
        /// The index of the section.
        section: usize,
    },
    /// The value and salt are not those that the entry commits to.
    #[error("section {section} is not the one that was recorded")]
    Section {
        /// The index of the section.
        section: usize,
    },
    /// The bytes before the trailer are not those of its SHA-256.
    #[error("the file was changed: its checksum does not fit")]
    Checksum,
    /// The checkpoint is malformed or not signed by the header's key.
    #[error("the checkpoint cannot be believed: {0}")]
    Checkpoint(CheckpointError),
    /// The checkpoint does not have exactly one signature.
    #[error("the checkpoint has another number of signatures than one")]
    Signatures,
    /// The entries are not those of the log that the checkpoint signs.
    #[error("the entries are not those of the signed log: {0}")]
    Tree(ProofError),
    /// Something stands behind the trailer.
    #[error("something follows the trailer")]
    AfterTrailer,
}
