mod free;
mod parse;
mod write;

use std::cmp::Ordering;

pub(crate) use free::{Free, FreeSeed, TextSeed};
pub use parse::{JsonError, JsonErrorKind};
pub(crate) use write::{write_bytes, write_string};

/// Appends a string as canonical JSON: in quotes, with the escapes of RFC 8785.
pub fn write_json_string(out: &mut String, text: &str) {
    write_string(out, text);
}

/// A JSON value as Annals keeps it: no duplicate keys, no NUL, no number that two readers could read differently.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A finite number.
    Number(Number),
    /// Text without NUL.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Object),
}

/// A number, by value: `1`, `1.0` and `1e0` are the same, and so are `-0` and `0`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integral value within ±(2^53 − 1).
    Integer(i64),
    /// A finite value that is not integral. Build it with [`Number::from_f64`].
    Float(f64),
}

/// The members of a JSON object: unique keys, kept in the order of their UTF-16 code units (RFC 8785 §3.2.3).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object(Vec<(String, Json)>);

impl Number {
    /// A number from an integer; `None` beyond ±(2^53 − 1).
    pub fn from_i64(value: i64) -> Option<Self> {
        let safe = -crate::limits::SAFE_INTEGER..=crate::limits::SAFE_INTEGER;
        safe.contains(&value).then_some(Self::Integer(value))
    }

    /// A number from a double; `None` if it is not finite, or integral beyond ±(2^53 − 1).
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        if value.fract() != 0.0 {
            return Some(Self::Float(value));
        }
        const SAFE: f64 = 9_007_199_254_740_991.0;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "integral and within ±(2^53 − 1)"
        )]
        (value.abs() <= SAFE).then_some(Self::Integer(value as i64))
    }

    /// The value as a double, exactly.
    pub fn as_f64(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "within ±(2^53 − 1)")]
            Self::Integer(n) => n as f64,
            Self::Float(x) => x,
        }
    }
}

impl Json {
    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value, if this is `true` or `false`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The value, if this is an integral number.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(Number::Integer(n)) => Some(*n),
            _ => None,
        }
    }

    /// The members, if this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The member `key`, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.as_object()?.get(key)
    }

    /// What kind of value this is, with its article, for messages: `a string`, `an object`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

impl Object {
    /// An object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    /// The text of `key`, if it is a string.
    pub fn get_str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// Sets `key` and returns what it was before.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Json>) -> Option<Json> {
        let (key, value) = (key.into(), value.into());
        match self.find(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
                None
            }
        }
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: &str) -> Option<Json> {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    /// The members in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Json)> + DoubleEndedIterator {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts members in order; the first key that stands twice is the error.
    pub(crate) fn from_members(mut members: Vec<(String, Json)>) -> Result<Self, String> {
        let order = |a: &(String, Json), b: &(String, Json)| utf16_order(&a.0, &b.0);
        let sorted = members.is_sorted_by(|a, b| order(a, b) == Ordering::Less);
        if !sorted {
            members.sort_by(order);
            if let Some(twice) = members.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(twice[0].0.clone());
            }
        }
        Ok(Self(members))
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0
            .binary_search_by(|member| utf16_order(&member.0, key))
    }
}

impl IntoIterator for Object {
    type Item = (String, Json);
    type IntoIter = std::vec::IntoIter<(String, Json)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Into<String>, V: Into<Json>> FromIterator<(K, V)> for Object {
    /// Where a key stands twice, the later one counts.
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let mut object = Self::new();
        for (key, value) in members {
            object.insert(key, value);
        }
        object
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Number(Number::Integer(value.into()))
    }
}

impl From<i32> for Json {
    fn from(value: i32) -> Self {
        Self::Number(Number::Integer(value.into()))
    }
}

impl From<Number> for Json {
    fn from(value: Number) -> Self {
        Self::Number(value)
    }
}

impl From<Object> for Json {
    fn from(members: Object) -> Self {
        Self::Object(members)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(elements: Vec<T>) -> Self {
        Self::Array(elements.into_iter().map(Into::into).collect())
    }
}

/// Compares two strings by their UTF-16 code units without converting them.
///
/// UTF-8 sorts by code point. UTF-16 differs only where a character of U+E000–U+FFFF (first byte EE or EF) meets one above U+FFFF
/// (first byte F0–F4, in UTF-16 a surrogate pair from D800 on), so those two first bytes are ranked above the others.
pub(crate) fn utf16_order(a: &str, b: &str) -> Ordering {
    let rank = |byte: u8| {
        if byte == 0xEE || byte == 0xEF {
            byte | 0x10
        } else {
            byte
        }
    };
    for (x, y) in a.bytes().zip(b.bytes()) {
        if x != y {
            return rank(x).cmp(&rank(y));
        }
    }
    a.len().cmp(&b.len())
}
