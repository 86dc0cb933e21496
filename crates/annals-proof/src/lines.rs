//! Lines of bounded length, with the SHA-256 of all that went before.

use std::io::{BufRead, Read as _};

use annals_merkle::Hash;
use sha2::{Digest, Sha256};

use crate::{Failure, Flaw};

/// The longest line of a proof file, in bytes, without its newline.
///
/// An entry with its sections has at most 60 KiB before salts and commitments are added.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// A proof file, line by line.
pub(crate) struct Lines<R> {
    reader: R,
    line: Vec<u8>,
    number: u64,
    hash: Sha256,
    before: Sha256,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Lines<R> {
        let before = Sha256::new();
        Lines {
            reader,
            line: Vec::new(),
            number: 0,
            hash: Sha256::new(),
            before,
        }
    }

    /// Reads the next line; `false` if the file ends here, or within the line.
    pub(crate) fn advance(&mut self) -> Result<bool, Failure> {
        self.before = self.hash.clone();
        self.line.clear();
        let most = LINE_BYTES_MAX as u64 + 1;
        self.reader
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut self.line)?;
        if self.line.last() == Some(&b'\n') {
            self.number += 1;
            self.hash.update(&self.line);
            self.line.pop();
            return Ok(true);
        }
        if self.line.len() > LINE_BYTES_MAX {
            self.number += 1;
            return Err(self.invalid(None, Flaw::TooLong));
        }
        Ok(false)
    }

    /// The current line without its newline.
    pub(crate) fn text(&self) -> Result<&str, Flaw> {
        std::str::from_utf8(&self.line).map_err(|_| Flaw::NotUtf8)
    }

    /// The SHA-256 of everything before the current line.
    pub(crate) fn before(&self) -> Hash {
        self.before.clone().finalize().into()
    }

    /// Whether the file has nothing more, not even half a line.
    pub(crate) fn at_end(&mut self) -> Result<bool, Failure> {
        Ok(self.reader.fill_buf()?.is_empty())
    }

    pub(crate) fn invalid(&self, position: Option<u64>, flaw: Flaw) -> Failure {
        Failure::Invalid {
            line: self.number,
            position,
            flaw,
        }
    }

    pub(crate) fn incomplete(&self, position: Option<u64>) -> Failure {
        Failure::Incomplete {
            line: self.number,
            position,
        }
    }
}
