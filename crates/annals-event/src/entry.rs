mod batch;
mod puncture;
mod seed;

pub use batch::{LeafMaker, Recorded, SaltRun, entry_leaves, event_salts};
pub use puncture::{SeedNode, SeedNodes};
pub use seed::{Salt, SaltWalk, Seed, TILE, event_salt, section_salt};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::json::write_bytes;
use crate::record::{Draft, Head, Section, TargetHead};
use crate::row::Row;
use crate::time::Timestamp;

/// What an entry holds of a section: a hash that shows nothing of the values and fits no others.
pub type Commitment = [u8; 32];

/// Where an event came to stand.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Name of the log.
    pub log: &'a str,
    /// Position in it, from 0.
    pub position: u64,
    /// When it was recorded; never decreases within a log.
    pub recorded_at: Timestamp,
    /// Opaque id of the key that sent it.
    pub recorded_by: &'a str,
}

/// `SHA-256("annals/section/v1\n" ‖ salt ‖ u8 k ‖ section)`: the commitment to section `k` with this canonical text.
pub fn commitment(salt: &Salt, k: u8, section: &str) -> Commitment {
    let mut hash = Sha256::new();
    hash.update(b"annals/section/v1\n");
    hash.update(salt);
    hash.update([k]);
    hash.update(section.as_bytes());
    hash.finalize().into()
}

/// The commitments of all sections in order; `None` where a section is empty.
pub fn section_commitments<'a>(
    draft: &'a Draft,
    event_salt: &'a Salt,
) -> impl Iterator<Item = Option<Commitment>> + 'a {
    (0u8..)
        .zip(&draft.sections)
        .map(move |(k, section)| match section {
            Section::Empty => None,
            Section::Value(text) => Some(commitment(&section_salt(event_salt, k), k, text)),
            Section::Withheld(stored) => Some(*stored),
        })
}

/// Appends the entry: the exact line, without line feed, that the log hashes.
///
/// Members stand in canonical order, so the text is the canonical JSON of itself. The leaves of many events are had faster from [`entry_leaves`].
pub fn write_entry(out: &mut String, place: &Place<'_>, draft: &Draft, event_salt: &Salt) {
    let commitments = section_commitments(draft, event_salt);
    let skeleton = &draft.skeleton;
    let mut line = Vec::with_capacity(LINE_BYTES);
    write_line(
        &mut line,
        place,
        &skeleton.head(),
        skeleton.target_heads(),
        commitments,
    );
    // It is made of texts.
    out.push_str(&String::from_utf8_lossy(&line));
}

/// About as long as most entries are, in bytes.
const LINE_BYTES: usize = 1024;

/// Appends the entry as UTF-8.
fn write_line<'a>(
    out: &mut Vec<u8>,
    place: &Place<'_>,
    s: &Head<'_>,
    targets: impl Iterator<Item = TargetHead<'a>>,
    commitments: impl Iterator<Item = Option<Commitment>>,
) {
    let put = |out: &mut Vec<u8>, key: &str, text: &[u8]| {
        out.extend_from_slice(key.as_bytes());
        write_bytes(out, text);
    };
    put(out, "{\"action\":", s.action);
    out.extend_from_slice(b",\"actor\":{");
    if let Some(id) = s.actor.id {
        put(out, "\"id\":", id);
        out.push(b',');
    }
    if let Some(role) = s.role {
        put(out, "\"role\":", role);
        out.push(b',');
    }
    put(out, "\"type\":", s.actor.kind);
    out.push(b'}');
    if let Some(reason) = s.failure {
        put(out, ",\"failure\":", reason);
    }
    put(out, ",\"id\":", s.id);
    put(out, ",\"log\":", place.log.as_bytes());
    out.extend_from_slice(b",\"occurred_at\":\"");
    out.extend_from_slice(&s.occurred_at.printed());
    out.extend_from_slice(b"\",\"position\":");
    out.extend_from_slice(itoa::Buffer::new().format(place.position).as_bytes());
    out.extend_from_slice(b",\"recorded_at\":\"");
    out.extend_from_slice(&place.recorded_at.printed());
    put(out, "\",\"recorded_by\":", place.recorded_by.as_bytes());
    out.extend_from_slice(b",\"sections\":[");
    for (k, commitment) in commitments.enumerate() {
        if k > 0 {
            out.push(b',');
        }
        match commitment {
            None => out.extend_from_slice(b"null"),
            Some(commitment) => {
                out.push(b'"');
                let end = out.len();
                out.resize(end + COMMITMENT_TEXT, 0);
                // The text is exactly so long.
                let _ = URL_SAFE_NO_PAD.encode_slice(commitment, &mut out[end..]);
                out.push(b'"');
            }
        }
    }
    out.extend_from_slice(b"],\"targets\":[");
    for (n, target) in targets.enumerate() {
        out.extend_from_slice(if n > 0 { b",{".as_slice() } else { b"{" });
        if let Some(id) = target.id {
            put(out, "\"id\":", id);
            out.push(b',');
        }
        put(out, "\"type\":", target.kind);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"v\":1}");
}

/// The characters of a commitment in base64 without padding.
const COMMITMENT_TEXT: usize = 43;

/// The entry of a row.
pub fn entry_line(log: &str, row: &Row, event_salt: &Salt) -> String {
    let mut out = String::new();
    let place = Place {
        log,
        position: row.position,
        recorded_at: row.recorded_at,
        recorded_by: &row.recorded_by,
    };
    write_entry(&mut out, &place, &row.draft, event_salt);
    out
}
