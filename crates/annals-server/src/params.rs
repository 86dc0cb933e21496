//! Reads the query string and collects what is wrong with it.

use std::ops::RangeInclusive;

use annals_event::Timestamp;
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;

use crate::error::{ApiError, Fault};

/// The one variable part of a path.
#[derive(Debug)]
pub(crate) struct Id(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(ApiError::bad(
                "invalid_path",
                "The path cannot be read: it must be UTF-8.",
            )),
        }
    }
}

/// The parameters of a query string.
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    asked: Vec<&'static str>,
    faults: Vec<Fault>,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Query(pairs) =
            Query::<Vec<(String, String)>>::try_from_uri(&parts.uri).map_err(|_| {
                ApiError::bad("invalid_query_string", "The query string cannot be read.")
            })?;
        Ok(Self {
            pairs,
            asked: Vec::new(),
            faults: Vec::new(),
        })
    }
}

impl Params {
    /// A parameter's text; an empty one counts as absent, as forms send it.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.asked.push(name);
        let mut given = self
            .pairs
            .iter()
            .filter(|(key, value)| key == name && !value.is_empty());
        let first = given.next().map(|(_, value)| value.clone());
        if given.next().is_some() {
            self.fault(name, "duplicate", "is given more than once");
        }
        first
    }

    /// All texts of a parameter that may be repeated or hold a comma list.
    pub(crate) fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.asked.push(name);
        let given = self
            .pairs
            .iter()
            .filter(|(key, _)| key == name || key.strip_suffix("[]") == Some(name));
        given
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A text that must be there.
    pub(crate) fn required(&mut self, name: &'static str) -> String {
        self.text(name).unwrap_or_else(|| {
            self.faults.push(Fault::required(name));
            String::new()
        })
    }

    /// A whole number within bounds.
    pub(crate) fn integer(
        &mut self,
        name: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Option<u64> {
        let text = self.text(name)?;
        match text.parse::<u64>() {
            Ok(number) if bounds.contains(&number) => Some(number),
            _ => {
                let rule = if *bounds.end() == u64::MAX {
                    format!("must be a whole number from {}", bounds.start())
                } else {
                    format!(
                        "must be a whole number from {} to {}",
                        bounds.start(),
                        bounds.end()
                    )
                };
                self.fault(name, "out_of_range", &rule);
                None
            }
        }
    }

    /// A time.
    pub(crate) fn time(&mut self, name: &'static str) -> Option<Timestamp> {
        let text = self.text(name)?;
        // A `+` that was not encoded arrives as a space.
        match Timestamp::parse(&text.replace(' ', "+")) {
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

    /// One of some words.
    pub(crate) fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(name)?;
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let list: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.fault(
                name,
                "unknown_value",
                &format!("must be one of {}", list.join(", ")),
            );
        }
        found
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, name: &'static str) -> bool {
        let words = [("1", true), ("true", true), ("0", false), ("false", false)];
        self.word(name, &words).unwrap_or(false)
    }

    /// Remembers that a parameter is wrong.
    pub(crate) fn fault(&mut self, name: &str, code: &str, rule: &str) {
        self.faults
            .push(Fault::new(name, code, format!("{name} {rule}")));
    }

    /// Ends the reading of a route that ignores what it does not know, as `WorkOS` does.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(ApiError::Validation(self.faults))
        }
    }

    /// Ends the reading of a route of ours: a parameter that nobody asked for is refused, because a
    /// filter that is misspelt and ignored would show, or export, too much.
    pub(crate) fn finish_strictly(mut self) -> Result<(), ApiError> {
        let unknown: Vec<String> = self
            .pairs
            .iter()
            .map(|(key, _)| key)
            .filter(|key| {
                !self
                    .asked
                    .iter()
                    .any(|asked| asked == key || key.strip_suffix("[]") == Some(asked))
            })
            .cloned()
            .collect();
        for key in unknown {
            let message = format!(
                "This route has no such parameter; it knows {}.",
                self.asked.join(", ")
            );
            self.faults.push(Fault::new(key, "unknown", message));
        }
        self.finish()
    }
}
