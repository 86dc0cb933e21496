//! Text to terms.

use super::address::{Network, looks_like_part};
use super::error::QueryError;
use super::field::{Field, NoField, shorten};
use super::fold::{Pattern, fold};
use super::lex::{Cursor, Place, quote};
use super::span::Span;
use super::term::{Address, Term, Value};
use super::time::{Moment, When};
use crate::{Category, Outcome, Timestamp};

/// Terms separated by blanks. `AND` may stand between two, `NOT` before one; `OR` and brackets around terms are refused.
pub(crate) fn parse_terms(text: &str, most: usize) -> Result<Vec<Term>, QueryError> {
    let mut cursor = Cursor::new(text);
    let mut terms = Vec::new();
    let mut dangling = None;
    loop {
        cursor.skip_blanks();
        let column = cursor.column();
        if cursor.peek().is_none() {
            break;
        } else if cursor.take_word("OR") {
            let message = "OR between terms is not available here. For one of several values write a list, as in `actor:ana,bo`.";
            return Err(QueryError::new(column, message));
        } else if cursor.take_word("AND") {
            if terms.is_empty() || dangling.is_some() {
                return Err(QueryError::new(column, "AND needs a term on both sides."));
            }
            dangling = Some(column);
            continue;
        } else if terms.len() == most {
            return Err(QueryError::new(
                column,
                format!("A query has at most {most} terms."),
            ));
        }
        terms.push(term(&mut cursor)?);
        dangling = None;
    }
    match dangling {
        Some(column) => Err(QueryError::new(column, "AND needs a term on both sides.")),
        None => Ok(terms),
    }
}

fn term(cursor: &mut Cursor) -> Result<Term, QueryError> {
    let column = cursor.column();
    let negated = if cursor.take_word("NOT") {
        cursor.skip_blanks();
        if cursor.peek().is_none() {
            return Err(QueryError::new(column, "NOT needs a term after it."));
        }
        true
    } else {
        cursor.take('-')
    };
    if negated && (cursor.next_is_blank_or_end() || cursor.peek() == Some('-')) {
        let message = "`-` excludes the term after it. Quote text that starts with it.";
        return Err(QueryError::new(column, message));
    }
    if cursor.peek() == Some('(') {
        let message = "Parentheses around terms are not available here. They only hold a list of values, as in `actor:(ana, bo)`.";
        return Err(QueryError::new(cursor.column(), message));
    }
    let (name_column, word) = (cursor.column(), cursor.rest_of_word());
    let Some((name, key)) = cursor.take_name()? else {
        let pattern = cursor.pattern(Place::Text)?.without_outer_stars();
        return Ok(Term {
            negated,
            field: None,
            values: vec![Value::Text(pattern)],
        });
    };
    let full = name + key.as_deref().unwrap_or_default();
    let field = Field::parse(&full).map_err(|why| no_field(&full, &word, name_column, why))?;
    let values = values(cursor, &field)?;
    Ok(Term {
        negated,
        field: Some(field),
        values,
    })
}

/// A word with a colon that no field stands before: an address, a time, a link, or a slip of the pen.
fn no_field(name: &str, word: &str, column: usize, why: NoField) -> QueryError {
    let near = match why {
        NoField::Refused(message) => return QueryError::new(column, message),
        NoField::Unknown(near) => near.filter(|_| !word.contains("://")),
    };
    let message = format!("There is no field `{}`.", shorten(name));
    let text = word.trim_matches('"');
    if Network::parse(text).is_some() {
        QueryError::new(column, message).suggest(format!("ip:{text}"))
    } else if Moment::parse(text).is_some() {
        QueryError::new(column, message).suggest(format!("time:{text}"))
    } else if let Some(near) = near {
        QueryError::new(column, message).suggest(near)
    } else {
        let message = format!("{message} Text with a colon has to be quoted.");
        QueryError::new(column, message).suggest(quote(text))
    }
}

fn values(cursor: &mut Cursor, field: &Field) -> Result<Vec<Value>, QueryError> {
    let opened = cursor.column();
    let place = if cursor.take('(') {
        Place::List
    } else {
        Place::Value
    };
    let mut values = Vec::new();
    loop {
        if place == Place::List {
            cursor.skip_blanks();
        }
        let (column, comparison) = (cursor.column(), matches!(cursor.peek(), Some('<' | '>')));
        let pattern = cursor.pattern(place)?;
        if pattern.as_literal() == Some("") {
            let message = format!("A value is missing after `{}:`.", field.name());
            return Err(QueryError::new(column, message));
        }
        if comparison && !field.is_ordered() {
            let message = format!(
                "`{}` cannot be compared: `<` and `>` work with time, recorded and position.",
                field.name()
            );
            return Err(QueryError::new(column, message));
        }
        values.push(value(field, pattern, column)?);
        if place == Place::List {
            cursor.skip_blanks();
        }
        if !cursor.take(',') {
            break;
        }
    }
    if place == Place::List && !cursor.take(')') {
        return Err(match cursor.peek() {
            Some(_) => {
                QueryError::new(cursor.column(), "Values of a list are separated by commas.")
            }
            None => QueryError::new(opened, "This list is not closed: `)` is missing."),
        });
    }
    if cursor.next_is_blank_or_end() {
        Ok(values)
    } else {
        Err(QueryError::new(
            cursor.column(),
            "A blank has to follow the list.",
        ))
    }
}

/// What a pattern means as a value of the field.
pub(crate) fn value(field: &Field, pattern: Pattern, column: usize) -> Result<Value, QueryError> {
    let name = field.name();
    let refuse = |expected: &str| {
        let typed = shorten(&pattern.pieces().join("*"));
        QueryError::new(
            column,
            format!("`{typed}` is not a value of `{name}`: {expected}."),
        )
    };
    match field {
        Field::Time | Field::Recorded => {
            let expected = "write a date (2026-11-22), a date and time, today, yesterday, now, -30m, -24h, -7d or -2w, and between two of them `..`";
            let span = pattern
                .as_literal()
                .and_then(|text| Span::parse(text, Moment::parse));
            match span.ok_or_else(|| refuse(expected))? {
                Span::At(Moment::Now) => {
                    Err(refuse("now alone is a single moment; write `<=now`").suggest("<=now"))
                }
                span if runs_backwards(&span) => Err(refuse("the range ends before it starts")),
                span => Ok(Value::Time(span)),
            }
        }
        Field::Position => {
            let number = |text: &str| {
                let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                plain.then(|| text.parse::<u64>().ok()).flatten()
            };
            let span = pattern
                .as_literal()
                .and_then(|text| Span::parse(text, number));
            match span.ok_or_else(|| refuse("write a number, `10..20`, or `>=10`"))? {
                Span::Range(Some(from), Some(to)) if from > to => {
                    Err(refuse("the range ends before it starts"))
                }
                span => Ok(Value::Position(span)),
            }
        }
        Field::Outcome => match pattern.as_literal().map(fold).as_deref() {
            Some("success") => Ok(Value::Outcome(Outcome::Success)),
            Some("failure") => Ok(Value::Outcome(Outcome::Failure)),
            Some(text) if text.starts_with("fail") => {
                Err(refuse("an outcome is success or failure").suggest("failure"))
            }
            Some(text) if text.starts_with("succ") => {
                Err(refuse("an outcome is success or failure").suggest("success"))
            }
            _ => Err(refuse("an outcome is success or failure")),
        },
        Field::Category => {
            let known = pattern.as_literal().and_then(category);
            known.map(Value::Category).ok_or_else(|| {
                let all: Vec<_> = Category::ALL.iter().map(|c| quote(c.as_str())).collect();
                refuse(&format!("the categories are {}", all.join(", ")))
            })
        }
        Field::Ip => {
            let network = pattern.as_literal().and_then(Network::parse);
            let partial = pattern.as_literal().is_none()
                && pattern.pieces().iter().all(|piece| looks_like_part(piece));
            match network {
                Some(network) => Ok(Value::Address(Address::Network(network))),
                None if partial => Ok(Value::Address(Address::Like(pattern))),
                None => Err(refuse(
                    "write an address (192.0.2.7), a network (192.0.2.0/24) or a start (192.0.*)",
                )),
            }
        }
        _ => Ok(Value::Text(pattern)),
    }
}

/// By display name, with blanks, `_` or `-` between its words.
fn category(typed: &str) -> Option<Category> {
    let plain = |name: &str| fold(name).replace(['_', '-'], " ");
    Category::ALL
        .iter()
        .copied()
        .find(|category| plain(category.as_str()) == plain(typed))
}

/// A range that is empty whatever the time and the zone are.
fn runs_backwards(span: &Span<Moment>) -> bool {
    let Span::Range(Some(from), Some(to)) = span else {
        return false;
    };
    let same_clock = std::mem::discriminant(from) == std::mem::discriminant(to)
        || (from.is_local_date() && to.is_local_date())
        || (!from.is_absolute() && !to.is_absolute());
    // Any moment will do; noon, so that `today` is the day around it.
    let noon = Timestamp::from_micros(
        1_700_000_000_000_000 / 86_400_000_000 * 86_400_000_000 + 43_200_000_000,
    );
    let when = noon.map(|now| When {
        now,
        zone: jiff::tz::TimeZone::UTC,
    });
    same_clock && when.is_some_and(|when| from.bounds(&when).first > to.bounds(&when).last)
}
