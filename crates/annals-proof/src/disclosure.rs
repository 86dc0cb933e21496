//! What a proof file shows of one entry: the entry itself, and of each section value, blank or nothing.

use annals_event::Timestamp;
use annals_merkle::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Flaw;
use crate::entry::Entry;
use crate::scan::Scan;

/// The most sections of an entry that is read: three and one for each of at most 253 targets,
/// because a section's index is hashed as one byte.
const SECTIONS_MAX: usize = 256;

/// What is shown of one section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure<'a> {
    /// The entry has no such section: `null` here as there.
    Empty,
    /// The section was erased or is withheld: `0`.
    Blanked,
    /// The value, as canonical JSON, with the salt that opens the commitment: `[salt, value]`.
    Shown {
        /// The section's salt.
        salt: [u8; 32],
        /// The section's canonical JSON.
        value: &'a str,
    },
}

/// A line of the range: an entry with its sections.
pub(crate) struct EventLine<'a> {
    pub(crate) text: &'a str,
    pub(crate) entry: Entry,
    pub(crate) sections: Vec<Disclosure<'a>>,
}

impl<'a> EventLine<'a> {
    /// Reads the line; nothing is compared with a commitment yet.
    pub(crate) fn read(line: &'a str) -> Result<EventLine<'a>, Flaw> {
        let mut scan = Scan::new(line, "an entry");
        scan.expect("{\"entry\":")?;
        let (text, json) = scan.value()?;
        let entry = Entry::read(&json)?;
        scan.expect(",\"sections\":[")?;
        let mut sections = Vec::new();
        while !scan.skip("]") {
            if !sections.is_empty() {
                scan.expect(",")?;
            }
            if sections.len() == SECTIONS_MAX {
                return Err(Flaw::SectionCount);
            }
            sections.push(Disclosure::read(&mut scan)?);
        }
        scan.expect("}")?;
        scan.end()?;
        Ok(EventLine {
            text,
            entry,
            sections,
        })
    }

    pub(crate) fn write(out: &mut String, text: &str, sections: &[Disclosure<'_>]) {
        out.push_str("{\"entry\":");
        out.push_str(text);
        out.push_str(",\"sections\":[");
        for (k, section) in sections.iter().enumerate() {
            if k > 0 {
                out.push(',');
            }
            section.write(out);
        }
        out.push_str("]}\n");
    }
}

impl<'a> Disclosure<'a> {
    fn read(scan: &mut Scan<'a>) -> Result<Disclosure<'a>, Flaw> {
        if scan.skip("null") {
            return Ok(Disclosure::Empty);
        }
        if scan.skip("0") {
            return Ok(Disclosure::Blanked);
        }
        scan.expect("[")?;
        let salt = scan.hash()?;
        scan.expect(",")?;
        let (value, json) = scan.value()?;
        if json.as_object().is_none() {
            return Err(Flaw::Form {
                wanted: "a section",
            });
        }
        scan.expect("]")?;
        Ok(Disclosure::Shown { salt, value })
    }

    fn write(&self, out: &mut String) {
        match self {
            Disclosure::Empty => out.push_str("null"),
            Disclosure::Blanked => out.push('0'),
            Disclosure::Shown { salt, value } => {
                out.push_str("[\"");
                URL_SAFE_NO_PAD.encode_string(salt, out);
                out.push_str("\",");
                out.push_str(value);
                out.push(']');
            }
        }
    }
}

/// A line of the range for an entry of which only the leaf hash is left, or shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RedactedLine {
    pub(crate) leaf: Hash,
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
}

impl RedactedLine {
    /// What such a line begins with, and no other.
    pub(crate) const START: &'static str = "{\"leaf\":";

    pub(crate) fn read(line: &str) -> Result<RedactedLine, Flaw> {
        let mut scan = Scan::new(line, "a redacted entry");
        scan.expect(RedactedLine::START)?;
        let leaf = scan.hash()?;
        scan.expect(",\"position\":")?;
        let position = scan.count()?;
        scan.expect(",\"recorded_at\":")?;
        let recorded_at = crate::entry::time(&scan.string()?, "recorded_at")?;
        scan.expect("}")?;
        scan.end()?;
        Ok(RedactedLine {
            leaf,
            position,
            recorded_at,
        })
    }

    pub(crate) fn write(&self, out: &mut String) {
        out.push_str(RedactedLine::START);
        out.push('"');
        URL_SAFE_NO_PAD.encode_string(self.leaf, out);
        let (position, recorded_at) = (self.position, self.recorded_at);
        out.push_str(&format!(
            "\",\"position\":{position},\"recorded_at\":\"{recorded_at}\"}}\n"
        ));
    }
}
