mod batch;
mod puncture;
mod seed;

pub use batch::{Recorded, SaltRun, entry_leaves, event_salts};
pub use puncture::{SeedNode, SeedNodes};
pub use seed::{Salt, SaltWalk, Seed, TILE, event_salt, section_salt};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::json::write_string;
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
    write_line(
        out,
        place,
        &skeleton.head(),
        skeleton.target_heads(),
        commitments,
    );
}

fn write_line<'a>(
    out: &mut String,
    place: &Place<'_>,
    s: &Head<'_>,
    targets: impl Iterator<Item = TargetHead<'a>>,
    commitments: impl Iterator<Item = Option<Commitment>>,
) {
    out.push_str("{\"action\":");
    write_string(out, s.action);
    out.push_str(",\"actor\":{");
    if let Some(id) = s.actor.id {
        out.push_str("\"id\":");
        write_string(out, id);
        out.push(',');
    }
    if let Some(role) = s.role {
        out.push_str("\"role\":");
        write_string(out, role);
        out.push(',');
    }
    out.push_str("\"type\":");
    write_string(out, s.actor.kind);
    out.push('}');
    if let Some(reason) = s.failure {
        out.push_str(",\"failure\":");
        write_string(out, reason);
    }
    out.push_str(",\"id\":");
    write_string(out, s.id);
    out.push_str(",\"log\":");
    write_string(out, place.log);
    out.push_str(",\"occurred_at\":\"");
    s.occurred_at.write_to(out);
    out.push_str("\",\"position\":");
    write_number(out, place.position);
    out.push_str(",\"recorded_at\":\"");
    place.recorded_at.write_to(out);
    out.push_str("\",\"recorded_by\":");
    write_string(out, place.recorded_by);
    out.push_str(",\"sections\":[");
    for (k, commitment) in commitments.enumerate() {
        if k > 0 {
            out.push(',');
        }
        match commitment {
            None => out.push_str("null"),
            Some(commitment) => {
                out.push('"');
                URL_SAFE_NO_PAD.encode_string(commitment, out);
                out.push('"');
            }
        }
    }
    out.push_str("],\"targets\":[");
    for (n, target) in targets.enumerate() {
        out.push_str(if n > 0 { ",{" } else { "{" });
        if let Some(id) = target.id {
            out.push_str("\"id\":");
            write_string(out, id);
            out.push(',');
        }
        out.push_str("\"type\":");
        write_string(out, target.kind);
        out.push('}');
    }
    out.push_str("],\"v\":1}");
}

/// The entry of a row.
pub fn entry_line(log: &str, row: &Row, event_salt: &Salt) -> String {
    let mut out = String::with_capacity(768);
    let place = Place {
        log,
        position: row.position,
        recorded_at: row.recorded_at,
        recorded_by: &row.recorded_by,
    };
    write_entry(&mut out, &place, &row.draft, event_salt);
    out
}

fn write_number(out: &mut String, value: u64) {
    use std::fmt::Write as _;
    let _ = write!(out, "{value}");
}
