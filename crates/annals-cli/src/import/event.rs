//! What is read from a file, before anybody answered for it.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// An event and where it came from.
pub(super) struct Event {
    /// The file, as it was named.
    pub(super) file: Arc<str>,
    /// The line or the record, from 1.
    pub(super) number: u64,
    /// `{"organization_id", "event"}`, on one line.
    pub(super) text: String,
    /// The workspace.
    pub(super) workspace: String,
    /// For another vocabulary than the catalogue's: the action, to be made known.
    pub(super) action: Option<String>,
    /// What stood in the file, where that is not `text`: it goes to the reject file whole.
    pub(super) original: Option<Box<str>>,
}

/// What something in a file turned out to be.
pub(super) enum Item {
    Event(Event),
    /// An event about the log itself, which belongs to the log that it was in.
    OfTheLog,
    /// A file that holds other things than records.
    NoRecords,
    Unreadable {
        number: u64,
        text: String,
        why: String,
    },
}

impl Event {
    /// `event` in its envelope.
    pub(super) fn new(file: Arc<str>, number: u64, workspace: String, event: &str) -> Event {
        let name = serde_json::Value::from(workspace.as_str());
        Event {
            file,
            number,
            text: format!("{{\"organization_id\":{name},\"event\":{event}}}"),
            workspace,
            action: None,
            original: None,
        }
    }

    /// Which of `lanes` the workspace has.
    pub(super) fn lane(&self, lanes: usize) -> usize {
        let mut hasher = DefaultHasher::new();
        self.workspace.hash(&mut hasher);
        usize::try_from(hasher.finish() % u64::try_from(lanes.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// What the reject file holds of it.
    pub(super) fn as_it_stood(&self) -> &str {
        self.original.as_deref().unwrap_or(&self.text)
    }

    /// Bytes that it takes while it waits.
    pub(super) fn size(&self) -> usize {
        self.text.len() + self.original.as_ref().map_or(0, |text| text.len())
    }
}

/// The id of an event that has none: the same for the same line of the same file, so that importing
/// the file again records nothing twice, and two equal lines are still two events.
pub(super) fn id_of_line(number: u64, event: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(number.to_be_bytes());
    hash.update(event);
    let mut id = "line_".to_owned();
    for byte in &hash.finalize()[..16] {
        let _ = write!(id, "{byte:02x}");
    }
    id
}
