//! Free values straight to their canonical text, without building them first.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Number, utf16_order, write_string};
use crate::limits;

/// An object as canonical text, which is a range of a longer text.
#[derive(Clone, Debug)]
pub(crate) struct Free {
    pub(crate) range: Range<usize>,
    /// Whether a key or a text breaks a limit, or a key is reserved.
    pub(crate) is_unusual: bool,
    /// Whether the object itself has the member `failure_reason`.
    pub(crate) has_failure_reason: bool,
}

/// Reads an object, nested at most [`limits::VALUE_DEPTH`] deep, and appends its canonical text.
pub(crate) struct FreeSeed<'s>(pub(crate) &'s mut String);

impl<'de> DeserializeSeed<'de> for FreeSeed<'_> {
    type Value = Free;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Free, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FreeSeed<'_> {
    type Value = Free;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Free, A::Error> {
        let begin = self.0.len();
        let (mut is_unusual, mut has_failure_reason) = (false, false);
        let seed = ValueSeed {
            depth: limits::VALUE_DEPTH,
            out: self.0,
            is_unusual: &mut is_unusual,
        };
        let mut reserved = false;
        seed.members(map, |key| {
            reserved |= key.starts_with('$');
            has_failure_reason |= key == "failure_reason";
        })?;
        Ok(Free {
            range: begin..self.0.len(),
            is_unusual: is_unusual || reserved,
            has_failure_reason,
        })
    }
}

/// Reads any value; `depth` containers may still open.
struct ValueSeed<'s> {
    depth: usize,
    out: &'s mut String,
    is_unusual: &'s mut bool,
}

/// A member whose text stands in `out` already.
struct Written<'de> {
    key: Cow<'de, str>,
    range: Range<usize>,
}

impl ValueSeed<'_> {
    fn number<E: Error>(self, number: Option<Number>) -> Result<(), E> {
        let number = number.ok_or_else(|| E::custom("number"))?;
        number.write_canonical(self.out);
        Ok(())
    }

    /// A text without NUL. One that stands in JSON as it is has none: a control character is refused there.
    fn plain_text(self, text: &str) {
        *self.is_unusual |= text.len() > limits::TEXT_BYTES;
        write_string(self.out, text);
    }

    fn members<'de, A: MapAccess<'de>>(
        self,
        mut map: A,
        mut note: impl FnMut(&str),
    ) -> Result<(), A::Error> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| A::Error::custom("too deep"))?;
        self.out.push('{');
        let begin = self.out.len();
        let mut written: Vec<Written<'de>> = Vec::with_capacity(4);
        let mut in_order = true;
        while let Some(key) = map.next_key_seed(TextSeed)? {
            note(&key);
            *self.is_unusual |= key.len() > limits::KEY_BYTES;
            if let Some(last) = written.last() {
                in_order &= utf16_order(&last.key, &key).is_lt();
                self.out.push(',');
            }
            let from = self.out.len();
            write_string(self.out, &key);
            self.out.push(':');
            map.next_value_seed(ValueSeed {
                depth,
                out: &mut *self.out,
                is_unusual: &mut *self.is_unusual,
            })?;
            let range = from..self.out.len();
            written.push(Written { key, range });
        }
        *self.is_unusual |= written.len() > limits::OBJECT_KEYS;
        if !in_order {
            written.sort_by(|a, b| utf16_order(&a.key, &b.key));
            if written.windows(2).any(|pair| pair[0].key == pair[1].key) {
                return Err(A::Error::custom("twice"));
            }
            let mut sorted = String::with_capacity(self.out.len() - begin);
            for (n, member) in written.into_iter().enumerate() {
                if n > 0 {
                    sorted.push(',');
                }
                sorted.push_str(&self.out[member.range]);
            }
            self.out.truncate(begin);
            self.out.push_str(&sorted);
        }
        self.out.push('}');
        Ok(())
    }
}

fn no_nul<E: Error>(text: &str) -> Result<(), E> {
    if text.as_bytes().contains(&0) {
        return Err(E::custom("NUL"));
    }
    Ok(())
}

/// Reads a text without NUL, and leaves it where it lies if nothing in it is escaped.
pub(crate) struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Cow<'de, str>, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        // It stands in JSON as it is, where a control character would have been refused.
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cow<'de, str>, E> {
        no_nul(text)?;
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.out.push_str("null");
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(Number::from_i64(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(i64::try_from(value).ok().and_then(Number::from_i64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.number(Number::from_f64(value))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.plain_text(text);
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        no_nul(text)?;
        self.plain_text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let depth = self
            .depth
            .checked_sub(1)
            .ok_or_else(|| A::Error::custom("too deep"))?;
        self.out.push('[');
        let begin = self.out.len();
        loop {
            let end = self.out.len();
            if end > begin {
                self.out.push(',');
            }
            let element = seq.next_element_seed(ValueSeed {
                depth,
                out: &mut *self.out,
                is_unusual: &mut *self.is_unusual,
            })?;
            if element.is_none() {
                self.out.truncate(end);
                break;
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.members(map, |_| {})
    }
}
