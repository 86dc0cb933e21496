//! What a valid proof file shows.

use annals_event::Timestamp;
use annals_merkle::Hash;

/// What was proved: these positions of this log hold these entries, all of them and no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The log's name.
    pub log: String,
    /// The first position of the range.
    pub from: u64,
    /// One past the last position of the range.
    pub to: u64,
    /// How many entries the file shows, blanked sections or not; redacted ones are not among them.
    pub entries: u64,
    /// How many entries are redacted: of these only the leaf hash is shown. Their `recorded_at` is
    /// a claim that the tree does not cover.
    pub redacted: u64,
    /// How many entries have at least one blanked section.
    pub entries_blanked: u64,
    /// How many sections are shown with their values.
    pub sections_shown: u64,
    /// How many sections are blanked: erased, or withheld by whoever handed on the file.
    pub sections_blanked: u64,
    /// `recorded_at` of the first and of the last line; `None` for an empty range.
    pub recorded: Option<(Timestamp, Timestamp)>,
    /// The size of the log that the checkpoint signs.
    pub size: u64,
    /// The root of the log at that size.
    pub root: Hash,
    /// The text form of the key that signed the checkpoint.
    pub vkey: String,
    /// Whether that key is one that the reader brought along.
    pub signer: Signer,
}

/// Whether it is known whose key signed the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The key that the reader trusts has signed.
    Checked,
    /// The file is consistent with the key that it names itself; whose key that is was not checked.
    NotChecked,
}
