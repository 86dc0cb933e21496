//! The array `Records` of a file, a record at a time.

use std::cell::Cell;
use std::fmt;
use std::io::{self, Read};

use anyhow::{Context as _, Error, Result};
use serde::de::{DeserializeSeed, Deserializer as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A record that is longer ends the import: it could not be set aside within bounded memory. CloudTrail's are below
/// a megabyte.
const RECORD_MAX: usize = 16 << 20;

/// Gives the text of each record to `take`; says whether there was an array `Records` at all.
///
/// # Errors
/// Where the file is not JSON or breaks off, and what `take` says.
pub(super) fn records(
    input: impl Read,
    file: &str,
    take: &mut dyn FnMut(&str) -> Result<()>,
) -> Result<bool> {
    let since_last = Cell::new(0);
    let input = Bounded {
        input,
        since_last: &since_last,
    };
    let mut refused = None;
    let mut json = serde_json::Deserializer::from_reader(input);
    let found = json.deserialize_map(File {
        take: &mut |text| {
            since_last.set(0);
            take(text)
        },
        refused: &mut refused,
    });
    let ended = found.and_then(|found| json.end().map(|()| found));
    match (refused, ended) {
        (Some(error), _) => Err(error),
        (None, ended) => ended.with_context(|| format!("cannot read {file}")),
    }
}

/// The object that is the file.
struct File<'a> {
    take: &'a mut dyn FnMut(&str) -> Result<()>,
    refused: &'a mut Option<Error>,
}

impl<'de> Visitor<'de> for File<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the member Records")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(name) = members.next_key::<String>()? {
            if name == "Records" {
                found = true;
                members.next_value_seed(Records {
                    take: &mut *self.take,
                    refused: &mut *self.refused,
                })?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

struct Records<'a> {
    take: &'a mut dyn FnMut(&str) -> Result<()>,
    refused: &'a mut Option<Error>,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<(), A::Error> {
        while let Some(record) = records.next_element::<Box<RawValue>>()? {
            if let Err(error) = (self.take)(record.get()) {
                *self.refused = Some(error);
                return Err(serde::de::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

/// Stops reading where a record does not end.
struct Bounded<'a, R> {
    input: R,
    since_last: &'a Cell<usize>,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.since_last.get() > RECORD_MAX {
            let why = format!("a record is longer than {RECORD_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let read = self.input.read(into)?;
        self.since_last.set(self.since_last.get() + read);
        Ok(read)
    }
}
