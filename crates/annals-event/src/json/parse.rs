use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Json, Number, Object};
use crate::limits;
use crate::problem::push_token;

/// Why a text is not JSON that Annals keeps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} (line {line}, column {column})", self.describe())]
pub struct JsonError {
    /// Which rule was broken.
    pub kind: JsonErrorKind,
    /// JSON pointer to the value, as far as it was understood.
    pub pointer: String,
    /// Line of the text, from 1; 0 where it is not known.
    pub line: usize,
    /// Column in bytes, from 1; 0 where it is not known.
    pub column: usize,
}

/// The rule that a [`JsonError`] breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// Not JSON, not UTF-8, or a lone surrogate.
    Syntax,
    /// The text ended early.
    Incomplete,
    /// The same key twice in one object.
    DuplicateKey,
    /// U+0000 in a text or a key.
    Nul,
    /// Nested too deeply.
    TooDeep,
    /// Not finite, or integral beyond ±(2^53 − 1).
    Number,
}

impl JsonError {
    fn describe(&self) -> &'static str {
        match self.kind {
            JsonErrorKind::Syntax => "not valid JSON",
            JsonErrorKind::Incomplete => "the JSON text ends early",
            JsonErrorKind::DuplicateKey => "the same key stands twice in one object",
            JsonErrorKind::Nul => "the character U+0000 is not accepted",
            JsonErrorKind::TooDeep => "nested too deeply",
            JsonErrorKind::Number => {
                "a number is out of range: integers reach ±(2^53 − 1), others must be finite doubles"
            }
        }
    }
}

impl Json {
    /// Reads one JSON text: UTF-8 without byte order mark, no duplicate keys, no NUL, no lone surrogates, nested at most
    /// [`limits::JSON_DEPTH`] deep, numbers as [`Number`] says.
    ///
    /// # Errors
    /// [`JsonError`] with the place of the first fault.
    pub fn parse(text: &[u8]) -> Result<Self, JsonError> {
        let trail = Trail::default();
        let mut input = serde_json::Deserializer::from_slice(text);
        let seed = ValueSeed {
            depth: limits::JSON_DEPTH,
            trail: &trail,
        };
        let value = seed
            .deserialize(&mut input)
            .and_then(|value| input.end().map(|()| value));
        value.map_err(|error| trail.into_error(&error))
    }
}

/// Where in the document a fault lies and what it was; filled only when there is one, from the inside outwards.
#[derive(Default)]
struct Trail {
    tokens: RefCell<Vec<String>>,
    kind: RefCell<Option<JsonErrorKind>>,
}

impl Trail {
    fn into_error(self, error: &serde_json::Error) -> JsonError {
        let mut pointer = String::new();
        for token in self.tokens.into_inner().iter().rev() {
            push_token(&mut pointer, token);
        }
        let kind = self.kind.into_inner().unwrap_or_else(|| {
            // serde_json tells this case by its words only.
            if error.to_string().starts_with("number out of range") {
                JsonErrorKind::Number
            } else if error.is_eof() {
                JsonErrorKind::Incomplete
            } else {
                JsonErrorKind::Syntax
            }
        });
        JsonError {
            kind,
            pointer,
            line: error.line(),
            column: error.column(),
        }
    }
}

/// Reads any value; `depth` containers may still open.
#[derive(Clone, Copy)]
struct ValueSeed<'t> {
    depth: usize,
    trail: &'t Trail,
}

impl ValueSeed<'_> {
    fn refuse<E: Error>(self, kind: JsonErrorKind) -> E {
        *self.trail.kind.borrow_mut() = Some(kind);
        E::custom("refused")
    }

    fn at<T, E>(self, result: Result<T, E>, token: impl FnOnce() -> String) -> Result<T, E> {
        if result.is_err() {
            self.trail.tokens.borrow_mut().push(token());
        }
        result
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..self }),
            None => Err(self.refuse(JsonErrorKind::TooDeep)),
        }
    }

    fn number<E: Error>(self, number: Option<Number>) -> Result<Json, E> {
        number
            .map(Json::Number)
            .ok_or_else(|| self.refuse(JsonErrorKind::Number))
    }

    fn text<E: Error>(self, text: &str) -> Result<(), E> {
        if text.as_bytes().contains(&0) {
            Err(self.refuse(JsonErrorKind::Nul))
        } else {
            Ok(())
        }
    }

    fn members<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let inner = self.deeper()?;
        let mut members = Vec::with_capacity(4);
        while let Some(key) = map.next_key::<String>()? {
            self.at(self.text(&key), || key.replace('\0', "\u{fffd}"))?;
            let value = self.at(map.next_value_seed(inner), || key.clone())?;
            members.push((key, value));
        }
        Object::from_members(members)
            .or_else(|key| self.at(Err(self.refuse(JsonErrorKind::DuplicateKey)), || key))
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Json, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        self.number(Number::from_i64(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        self.number(i64::try_from(value).ok().and_then(Number::from_i64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        self.number(Number::from_f64(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Json, E> {
        self.text(text)?;
        Ok(Json::String(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Json, E> {
        self.text(&text)?;
        Ok(Json::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        let inner = self.deeper()?;
        let mut elements = Vec::new();
        while let Some(element) =
            self.at(seq.next_element_seed(inner), || elements.len().to_string())?
        {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Json, A::Error> {
        self.members(map).map(Json::Object)
    }
}
