//! Reads the members of a control body and collects what is wrong with them.
//!
//! The strict JSON reader of events is used here too, so that duplicate keys and other doubtful
//! texts are refused everywhere alike. Members that are not asked for are ignored, because SDKs
//! send some.

use std::collections::BTreeMap;

use annals_event::{Json, JsonErrorKind, Object, Timestamp};

use crate::error::{ApiError, Fault};

/// The members of one object of a body.
pub(crate) struct Fields {
    members: Object,
    /// Where this object stands, with a dot behind it, such as `user.`.
    prefix: String,
    faults: Vec<Fault>,
}

/// Reads a body that must be one JSON object.
pub(crate) fn read(body: &[u8]) -> Result<Fields, ApiError> {
    match parse(body)? {
        Json::Object(members) => Ok(Fields {
            members,
            prefix: String::new(),
            faults: Vec::new(),
        }),
        _ => Err(ApiError::bad(
            "invalid_json",
            "The body must be a JSON object.",
        )),
    }
}

/// Reads a JSON text and says where it breaks.
pub(crate) fn parse(body: &[u8]) -> Result<Json, ApiError> {
    Json::parse(body).map_err(|error| {
        let field: Vec<&str> = error.pointer.split('/').filter(|t| !t.is_empty()).collect();
        let code = match error.kind {
            JsonErrorKind::DuplicateKey => "duplicate",
            JsonErrorKind::TooDeep => "too_deep",
            JsonErrorKind::Number => "bad_number",
            JsonErrorKind::Nul => "bad_pattern",
            _ => "invalid_json",
        };
        if field.is_empty() {
            ApiError::bad(code, format!("The body cannot be read: {error}."))
        } else {
            ApiError::bad_field(
                field.join("."),
                code,
                format!("The body cannot be read: {error}."),
            )
        }
    })
}

impl Fields {
    /// Whether the member is there at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.get(name).is_some()
    }

    /// Remembers that a member is wrong.
    pub(crate) fn fault(&mut self, name: &str, code: &str, rule: &str) {
        let field = format!("{}{name}", self.prefix);
        let message = format!("{field} {rule}");
        self.faults.push(Fault::new(field, code, message));
    }

    /// A text that must be there.
    pub(crate) fn required_text(&mut self, name: &str) -> String {
        match self.text(name) {
            Some(text) if !text.is_empty() => text,
            Some(_) => {
                self.missing(name);
                String::new()
            }
            None => {
                if self.members.get(name).is_none_or(Json::is_null) {
                    self.missing(name);
                }
                String::new()
            }
        }
    }

    /// Whether the member is a list.
    pub(crate) fn is_list(&self, name: &str) -> bool {
        matches!(self.members.get(name), Some(Json::Array(_)))
    }

    /// Whether anything was wrong so far.
    pub(crate) fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    /// Remembers that a member must be there and is not.
    pub(crate) fn missing(&mut self, name: &str) {
        self.faults
            .push(Fault::required(format!("{}{name}", self.prefix)));
    }

    /// A text; `null` counts as absent, since some SDKs send it for what is not set.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.nullable_text(name).flatten()
    }

    /// A text where `null` has a meaning of its own: absent, null, or given.
    pub(crate) fn nullable_text(&mut self, name: &str) -> Option<Option<String>> {
        match self.members.get(name) {
            None => None,
            Some(Json::Null) => Some(None),
            Some(Json::String(text)) => Some(Some(text.clone())),
            Some(_) => {
                self.fault(name, "wrong_type", "must be a string");
                None
            }
        }
    }

    /// `true` or `false`; `null` counts as absent.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.members.get(name) {
            None | Some(Json::Null) => None,
            Some(Json::Bool(value)) => Some(*value),
            Some(_) => {
                self.fault(name, "wrong_type", "must be true or false");
                None
            }
        }
    }

    /// An integer where `null` has a meaning of its own.
    pub(crate) fn nullable_integer(&mut self, name: &str) -> Option<Option<i64>> {
        match self.members.get(name) {
            None => None,
            Some(Json::Null) => Some(None),
            Some(value) => match value.as_i64() {
                Some(number) => Some(Some(number)),
                None => {
                    self.fault(name, "wrong_type", "must be an integer");
                    None
                }
            },
        }
    }

    /// A list of texts; absent and `null` are an empty one.
    pub(crate) fn texts(&mut self, name: &str, at_most: usize) -> Vec<String> {
        let Some(elements) = self.elements(name, at_most) else {
            return Vec::new();
        };
        let texts: Option<Vec<String>> = elements
            .iter()
            .map(|e| e.as_str().map(str::to_owned))
            .collect();
        texts.unwrap_or_else(|| {
            self.fault(name, "wrong_type", "must be a list of strings");
            Vec::new()
        })
    }

    /// A list of objects, each with its own members; absent and `null` are `None`.
    pub(crate) fn objects(&mut self, name: &str, at_most: usize) -> Option<Vec<Fields>> {
        let elements = self.elements(name, at_most)?;
        let mut objects = Vec::with_capacity(elements.len());
        for (n, element) in elements.into_iter().enumerate() {
            match element {
                Json::Object(members) => objects.push(Fields {
                    members,
                    prefix: format!("{}{name}.{n}.", self.prefix),
                    faults: Vec::new(),
                }),
                _ => self.fault(&format!("{name}.{n}"), "wrong_type", "must be an object"),
            }
        }
        Some(objects)
    }

    fn elements(&mut self, name: &str, at_most: usize) -> Option<Vec<Json>> {
        match self.members.get(name) {
            None | Some(Json::Null) => None,
            Some(Json::Array(elements)) if elements.len() > at_most => {
                self.fault(name, "too_many", &format!("has at most {at_most} elements"));
                None
            }
            Some(Json::Array(elements)) => Some(elements.clone()),
            Some(_) => {
                self.fault(name, "wrong_type", "must be a list");
                None
            }
        }
    }

    /// An object with its own members; absent and `null` are `None`.
    pub(crate) fn object(&mut self, name: &str) -> Option<Fields> {
        match self.members.get(name) {
            None | Some(Json::Null) => None,
            Some(Json::Object(members)) => Some(Fields {
                members: members.clone(),
                prefix: format!("{}{name}.", self.prefix),
                faults: Vec::new(),
            }),
            Some(_) => {
                self.fault(name, "wrong_type", "must be an object");
                None
            }
        }
    }

    /// An object of texts where `null` takes a key away: absent, null, or given.
    pub(crate) fn text_map(
        &mut self,
        name: &str,
    ) -> Option<Option<BTreeMap<String, Option<String>>>> {
        let members = match self.members.get(name) {
            None => return None,
            Some(Json::Null) => return Some(None),
            Some(Json::Object(members)) => members.clone(),
            Some(_) => {
                self.fault(name, "wrong_type", "must be an object");
                return None;
            }
        };
        let mut map = BTreeMap::new();
        for (key, value) in members {
            match value {
                Json::Null => map.insert(key, None),
                Json::String(text) => map.insert(key, Some(text)),
                _ => {
                    self.fault(&format!("{name}.{key}"), "wrong_type", "must be a string");
                    None
                }
            };
        }
        Some(Some(map))
    }

    /// A time that must be there.
    pub(crate) fn required_time(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.required_text(name);
        if text.is_empty() {
            return None;
        }
        match Timestamp::parse(&text) {
            Ok(time) => Some(time),
            Err(_) => {
                self.fault(
                    name,
                    "bad_time",
                    "must be a time such as 2026-11-22T09:30:00Z",
                );
                None
            }
        }
    }

    /// Takes over what an inner object found.
    pub(crate) fn absorb(&mut self, inner: Fields) {
        self.faults.extend(inner.faults);
    }

    /// Ends the reading: everything that was wrong, if anything was.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Validation(self.faults))
        }
    }
}
