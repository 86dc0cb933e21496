//! The last line: what the range is proved against.

use annals_event::Json;
use annals_merkle::{Hash, RangeProof};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Flaw;
use crate::scan::Scan;

/// A compact range of a tree has at most 63 nodes on each slope.
const SIDE_HASHES_MAX: usize = 126;

/// What the last line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// The checkpoint as a signed note.
    pub(crate) note: String,
    pub(crate) proof: RangeProof,
    /// The SHA-256 of every byte before this line.
    pub(crate) before: Hash,
}

impl Trailer {
    /// What such a line begins with, and no other.
    pub(crate) const START: &'static str = "{\"checkpoint\":";

    pub(crate) fn read(line: &str) -> Result<Trailer, Flaw> {
        let mut scan = Scan::new(line, "the trailer");
        scan.expect(Trailer::START)?;
        let note = scan.string()?;
        scan.expect(",\"left\":")?;
        let left = scan.hashes(SIDE_HASHES_MAX)?;
        scan.expect(",\"right\":")?;
        let right = scan.hashes(SIDE_HASHES_MAX)?;
        scan.expect(",\"sha256\":")?;
        let before = scan.hash()?;
        scan.expect("}")?;
        scan.end()?;
        Ok(Trailer {
            note,
            proof: RangeProof { left, right },
            before,
        })
    }

    pub(crate) fn write(&self, out: &mut String) {
        out.push_str(Trailer::START);
        Json::from(self.note.as_str()).write_canonical(out);
        for (name, side) in [("left", &self.proof.left), ("right", &self.proof.right)] {
            out.push_str(&format!(",\"{name}\":["));
            for (i, hash) in side.iter().enumerate() {
                out.push_str(if i > 0 { ",\"" } else { "\"" });
                URL_SAFE_NO_PAD.encode_string(hash, out);
                out.push('"');
            }
            out.push(']');
        }
        out.push_str(",\"sha256\":\"");
        URL_SAFE_NO_PAD.encode_string(self.before, out);
        out.push_str("\"}\n");
    }
}
