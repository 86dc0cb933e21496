//! One condition of a query, and how it is printed, for machines and for people.

use std::fmt;

use super::address::Network;
use super::check::time_bounds;
use super::error::QueryError;
use super::field::Field;
use super::fold::Pattern;
use super::lex::{Place, print_pattern, quote};
use super::parse::value;
use super::span::{Comparison, Span};
use super::time::{Moment, When};
use crate::{Catalogue, Category, Outcome};

/// One condition: a field and the values of which one has to fit, or free text; possibly negated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub(crate) negated: bool,
    /// None is free text.
    pub(crate) field: Option<Field>,
    /// At least one.
    pub(crate) values: Vec<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Pattern),
    Outcome(Outcome),
    Category(Category),
    Address(Address),
    Time(Span<Moment>),
    Position(Span<u64>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Network(Network),
    Like(Pattern),
}

impl Term {
    /// `field` has one of these values, taken as they are: a `*` in them is a star.
    ///
    /// # Errors
    /// Where a value is empty or is not one of the field's (column 1), or where there are no values.
    pub fn is<S: AsRef<str>>(
        field: Field,
        values: impl IntoIterator<Item = S>,
    ) -> Result<Term, QueryError> {
        let literal = |text: S| match text.as_ref() {
            "" => Err(QueryError::new(
                1,
                format!("A value of `{}` is empty.", field.name()),
            )),
            text => value(&field, Pattern::literal(text), 1),
        };
        let values = values
            .into_iter()
            .map(literal)
            .collect::<Result<Vec<_>, _>>()?;
        if values.is_empty() {
            return Err(QueryError::new(
                1,
                format!("`{}` has no values.", field.name()),
            ));
        }
        Ok(Term {
            negated: false,
            field: Some(field),
            values,
        })
    }

    /// `field` has any value.
    ///
    /// # Errors
    /// Where the field always has one and takes no `*`: outcome, category, times and position.
    pub fn is_present(field: Field) -> Result<Term, QueryError> {
        let any = Pattern::from_pieces(vec![String::new(), String::new()]);
        let value = value(&field, any, 1)?;
        Ok(Term {
            negated: false,
            field: Some(field),
            values: vec![value],
        })
    }

    /// `text` occurs in one of the event's names, e-mail addresses, ids or metadata values. Not empty.
    ///
    /// # Errors
    /// Where `text` is empty.
    pub fn text(text: &str) -> Result<Term, QueryError> {
        if text.is_empty() {
            return Err(QueryError::new(1, "The text to look for is empty."));
        }
        let value = Value::Text(Pattern::literal(text));
        Ok(Term {
            negated: false,
            field: None,
            values: vec![value],
        })
    }

    /// The opposite condition.
    #[must_use]
    pub fn toggled(mut self) -> Term {
        self.negated = !self.negated;
        self
    }

    /// Whether events that fit are left out.
    pub fn is_negated(&self) -> bool {
        self.negated
    }

    /// What it looks at; none for free text.
    pub fn field(&self) -> Option<&Field> {
        self.field.as_ref()
    }

    /// The values as a form shows them: without quotes, stars as `*`.
    pub fn values(&self) -> Vec<String> {
        self.values.iter().map(Value::plain).collect()
    }

    pub(crate) fn settled(&self, when: &When) -> Term {
        let settle = |value: &Value| match value {
            Value::Time(span) => Value::Time(match span {
                Span::At(at @ Moment::Ago(..)) => {
                    Span::Compare(Comparison::AtLeast, at.settled(when))
                }
                other => other.map(|at| at.settled(when)),
            }),
            other => other.clone(),
        };
        Term {
            values: self.values.iter().map(settle).collect(),
            ..self.clone()
        }
    }

    /// The first value that is a range of times which ends before it starts.
    pub(crate) fn backwards(&self, when: &When) -> Option<String> {
        self.values.iter().find_map(|value| match value {
            Value::Time(span @ Span::Range(Some(_), Some(_))) => {
                time_bounds(span, when).is_empty().then(|| span.to_string())
            }
            _ => None,
        })
    }

    /// For people: `Event is User Login Failed`, `Actor is not System`, `Time is in the last 7 days`.
    ///
    /// Values that are data are shown as they are: escape before this goes into a page.
    pub fn label(&self, catalogue: &Catalogue) -> String {
        let Some(field) = &self.field else {
            let verb = if self.negated {
                "does not contain"
            } else {
                "contains"
            };
            return format!("Text {verb} “{}”", self.values().join(" or "));
        };
        if self.values.iter().all(|value| value.is_any()) {
            let state = if self.negated {
                "is empty"
            } else {
                "is present"
            };
            return format!("{} {state}", field.label());
        }
        let verb = if self.negated { "is not" } else { "is" };
        let values: Vec<_> = self
            .values
            .iter()
            .map(|v| v.label(field, catalogue))
            .collect();
        format!("{} {verb} {}", field.label(), values.join(" or "))
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("-")?;
        }
        let place = if self.field.is_some() {
            Place::Value
        } else {
            Place::Text
        };
        match &self.field {
            Some(Field::Meta(key)) => write_path(f, "meta", key)?,
            Some(Field::Previous(key)) => write_path(f, "previous", key)?,
            Some(Field::Next(key)) => write_path(f, "next", key)?,
            Some(field) => write!(f, "{}:", field.name())?,
            None => {}
        }
        for (i, value) in self.values.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            f.write_str(&value.print(place))?;
        }
        Ok(())
    }
}

fn write_path(f: &mut fmt::Formatter<'_>, prefix: &str, key: &str) -> fmt::Result {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@');
    if key.chars().all(plain) {
        write!(f, "{prefix}.{key}:")
    } else {
        write!(f, "{prefix}.{}:", quote(key))
    }
}

impl Value {
    fn is_any(&self) -> bool {
        match self {
            Value::Text(pattern) | Value::Address(Address::Like(pattern)) => pattern.is_any(),
            _ => false,
        }
    }

    fn print(&self, place: Place) -> String {
        match self {
            Value::Text(pattern) | Value::Address(Address::Like(pattern)) => {
                print_pattern(pattern, place)
            }
            Value::Category(category) => print_pattern(&Pattern::literal(category.as_str()), place),
            other => other.plain(),
        }
    }

    fn plain(&self) -> String {
        match self {
            Value::Text(pattern) | Value::Address(Address::Like(pattern)) => {
                pattern.pieces().join("*")
            }
            Value::Outcome(Outcome::Success) => "success".to_owned(),
            Value::Outcome(Outcome::Failure) => "failure".to_owned(),
            Value::Category(category) => category.as_str().to_owned(),
            Value::Address(Address::Network(network)) => network.to_string(),
            Value::Time(span) => span.to_string(),
            Value::Position(span) => span.to_string(),
        }
    }

    fn label(&self, field: &Field, catalogue: &Catalogue) -> String {
        match self {
            Value::Text(pattern) => match pattern.as_literal() {
                Some(action) if *field == Field::Action => match action.split_once(' ') {
                    Some(_) => action.to_owned(),
                    None => catalogue.display_name(&action.to_lowercase()).into_owned(),
                },
                Some(word) if field.is_vocabulary() || *field == Field::Actor => titled(word),
                _ => self.plain(),
            },
            Value::Time(span) => time_label(span),
            Value::Outcome(Outcome::Success) => "Success".to_owned(),
            Value::Outcome(Outcome::Failure) => "Failure".to_owned(),
            _ => self.plain(),
        }
    }
}

/// `api_token` as `Api token`, `system` as `System`; anything but one lower-case word is left alone.
fn titled(word: &str) -> String {
    let one_word = word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match word.chars().next() {
        Some(first) if one_word => {
            format!(
                "{}{}",
                first.to_ascii_uppercase(),
                word[1..].replace('_', " ")
            )
        }
        _ => word.to_owned(),
    }
}

fn time_label(span: &Span<Moment>) -> String {
    match span {
        Span::At(at) => match at.length_in_words() {
            Some(length) => format!("in the last {length}"),
            None => at.in_words(),
        },
        Span::Range(Some(from), Some(to)) => format!("{} to {}", from.in_words(), to.in_words()),
        Span::Range(Some(at), None) | Span::Compare(Comparison::AtLeast, at) => {
            format!("from {} on", at.in_words())
        }
        Span::Range(None, Some(at)) | Span::Compare(Comparison::AtMost, at) => {
            format!("up to {}", at.in_words())
        }
        Span::Compare(Comparison::More, at) => format!("after {}", at.in_words()),
        Span::Compare(Comparison::Less, at) => format!("before {}", at.in_words()),
        Span::Range(None, None) => "any".to_owned(),
    }
}
