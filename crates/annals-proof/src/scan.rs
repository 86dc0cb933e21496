//! Cutting a line at its known places, so that every hash is over the bytes of the file itself.
//!
//! A line of a proof file is canonical JSON with fixed members, so their names stand at known
//! places. What lies between them is taken as it is, and each piece must be canonical by itself:
//! it is read strictly and printed again, and the bytes must be the same.

use annals_event::Json;
use annals_merkle::Hash;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Flaw;

/// A place in a line of which the kind is known.
pub(crate) struct Scan<'a> {
    rest: &'a str,
    line: &'static str,
}

impl<'a> Scan<'a> {
    /// `line` says what the text should be, for the error.
    pub(crate) fn new(text: &'a str, line: &'static str) -> Scan<'a> {
        Scan { rest: text, line }
    }

    fn wrong(&self) -> Flaw {
        Flaw::Form { wanted: self.line }
    }

    /// Steps over exactly this text.
    pub(crate) fn expect(&mut self, text: &str) -> Result<(), Flaw> {
        if self.skip(text) {
            Ok(())
        } else {
            Err(self.wrong())
        }
    }

    /// Steps over this text if it stands here.
    pub(crate) fn skip(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The line ends here.
    pub(crate) fn end(&self) -> Result<(), Flaw> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(self.wrong())
        }
    }

    /// The JSON value that begins here, as it stands in the file, and as it reads.
    pub(crate) fn value(&mut self) -> Result<(&'a str, Json), Flaw> {
        let length = value_length(self.rest).ok_or_else(|| self.wrong())?;
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        let json = Json::parse(text.as_bytes()).map_err(|_| Flaw::NotCanonical)?;
        let mut canonical = String::with_capacity(text.len());
        json.write_canonical(&mut canonical);
        if canonical == text {
            Ok((text, json))
        } else {
            Err(Flaw::NotCanonical)
        }
    }

    /// A string.
    pub(crate) fn string(&mut self) -> Result<String, Flaw> {
        match self.value()?.1 {
            Json::String(text) => Ok(text),
            _ => Err(self.wrong()),
        }
    }

    /// A count or position: an integer that is not negative.
    pub(crate) fn count(&mut self) -> Result<u64, Flaw> {
        let (_, json) = self.value()?;
        json.as_i64()
            .and_then(|n| u64::try_from(n).ok())
            .ok_or_else(|| self.wrong())
    }

    /// 32 bytes in unpadded URL-safe base64.
    pub(crate) fn hash(&mut self) -> Result<Hash, Flaw> {
        hash(&self.string()?)
    }

    /// Hashes in brackets, at most `most`.
    pub(crate) fn hashes(&mut self, most: usize) -> Result<Vec<Hash>, Flaw> {
        let mut hashes = Vec::new();
        self.expect("[")?;
        while !self.skip("]") {
            if !hashes.is_empty() {
                self.expect(",")?;
            }
            if hashes.len() == most {
                return Err(self.wrong());
            }
            hashes.push(self.hash()?);
        }
        Ok(hashes)
    }
}

/// The 32 bytes of an unpadded URL-safe base64 text that has no other spelling.
pub(crate) fn hash(text: &str) -> Result<Hash, Flaw> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Flaw::Base64)?;
    bytes.try_into().map_err(|_| Flaw::Base64)
}

/// How many bytes the value at the start of `text` has, if it ends before the text does.
///
/// It only looks for the end; whether the value is one is for the strict reader to say.
fn value_length(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut in_string = false;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if in_string => {
                bytes.next();
            }
            b'"' => {
                in_string = !in_string;
                if !in_string && depth == 0 {
                    return Some(at + 1);
                }
            }
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}
