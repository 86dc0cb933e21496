//! The first line: which part of which log, and by whose key.

use annals_event::{Json, limits};
use annals_merkle::VerifyingKey;

use crate::Flaw;
use crate::scan::Scan;

/// What the first line says. The log's name is the key's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) key: VerifyingKey,
}

impl Header {
    pub(crate) fn read(line: &str) -> Result<Header, Flaw> {
        let mut scan = Scan::new(line, "the header");
        scan.expect("{\"annals\":\"proof/v1\",\"from\":")?;
        let from = scan.count()?;
        scan.expect(",\"log\":")?;
        let log = scan.string()?;
        scan.expect(",\"to\":")?;
        let to = scan.count()?;
        scan.expect(",\"vkey\":")?;
        let key: VerifyingKey = scan.string()?.parse().map_err(Flaw::Key)?;
        scan.expect("}")?;
        scan.end()?;
        if from > to || to > limits::SAFE_INTEGER.unsigned_abs() {
            return Err(Flaw::Range);
        }
        if key.name() != log {
            return Err(Flaw::OtherLog);
        }
        Ok(Header { from, to, key })
    }

    pub(crate) fn write(&self, out: &mut String) {
        out.push_str(&format!(
            "{{\"annals\":\"proof/v1\",\"from\":{},\"log\":",
            self.from
        ));
        Json::from(self.key.name()).write_canonical(out);
        out.push_str(&format!(",\"to\":{},\"vkey\":", self.to));
        Json::from(self.key.to_string()).write_canonical(out);
        out.push_str("}\n");
    }
}
