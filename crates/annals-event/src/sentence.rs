//! What happened, in a sentence: the template of the catalogue, filled with the values of a row.

use std::borrow::Cow;

use crate::catalogue::{Catalogue, CatalogueEntry};
use crate::json::Json;
use crate::members::{find, plain};
use crate::opened::{Opened, OpenedTarget};
use crate::row::Row;
use crate::{Outcome, UNSPECIFIED};

/// Characters of one value that a sentence shows; the rest stands in the event.
const VALUE_CHARS: usize = 200;

impl Catalogue {
    /// Describes a row for people: `Ana Ruiz changed the role of Bo Li from member to admin`.
    ///
    /// Plain text, without a full stop. Values are the producer's: escape the sentence before it goes into a page. What is absent or
    /// erased is left out, or a general word stands for it. Control characters in values become blanks.
    pub fn sentence(&self, row: &Row) -> String {
        let action = &row.skeleton().action;
        let mut out = String::new();
        let name = self.display_name(action);
        describe(&mut out, self.get(action), &name, &row.into());
        out
    }
}

/// Appends the sentence of a row, whose action has this entry, if any, and this name.
pub(crate) fn describe(
    out: &mut String,
    entry: Option<&CatalogueEntry>,
    name: &str,
    row: &Opened<'_>,
) {
    match entry {
        Some(entry) => fill(out, entry.template, entry.target, row),
        None => {
            out.push_str(name);
            let template = match row.outcome() {
                Outcome::Success => " by {actor}[ on {target}]",
                Outcome::Failure => " by {actor}[ on {target}] failed[: {reason}]",
            };
            fill(out, template, "", row);
        }
    }
}

/// Fills `template`; see [`CatalogueEntry`] for its form.
fn fill(out: &mut String, template: &str, target: &str, row: &Opened<'_>) {
    let mut rest = template;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'[' | b'{')) {
        let (text, marked) = rest.split_at(at);
        out.push_str(text);
        let close = if marked.starts_with('[') { b']' } else { b'}' };
        let Some((inside, after)) = cut(&marked[1..], close) else {
            break;
        };
        if close == b']' {
            let before = out.len();
            if optional(out, inside, row).is_none() {
                out.truncate(before);
            }
        } else {
            match value(inside, row) {
                Some(value) => out.push_str(&value),
                None => fall_back(out, inside, target),
            }
        }
        rest = after;
    }
    out.push_str(rest);
}

/// Appends a part in brackets; `None` if one of its placeholders has no value.
fn optional(out: &mut String, part: &str, row: &Opened<'_>) -> Option<()> {
    let mut rest = part;
    while let Some((text, marked)) = cut(rest, b'{') {
        let (name, after) = cut(marked, b'}')?;
        out.push_str(text);
        out.push_str(&value(name, row)?);
        rest = after;
    }
    out.push_str(rest);
    Some(())
}

/// What stands before and behind a mark of a template, which is too short for a cleverer search.
fn cut(template: &str, mark: u8) -> Option<(&str, &str)> {
    let at = template.bytes().position(|byte| byte == mark)?;
    Some((&template[..at], &template[at + 1..]))
}

/// A general word where a value that the sentence needs is not there.
fn fall_back(out: &mut String, placeholder: &str, target: &str) {
    let noun = match placeholder.strip_prefix("target.").unwrap_or(target) {
        "domain_join" => "domain".to_owned(),
        kind => kind.replace('_', " "),
    };
    if placeholder == "actor" {
        out.push_str("Someone");
    } else if out.trim_end().ends_with(&noun) {
        // `created project {target}` already says what it is.
        out.truncate(out.trim_end().len());
    } else {
        let article = if noun.starts_with(['a', 'e', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        out.push_str(&format!("{article} {noun}"));
    }
}

fn value<'a>(placeholder: &str, row: &'a Opened<'_>) -> Option<Cow<'a, str>> {
    let text = match cut(placeholder, b'.') {
        None if placeholder == "actor" => actor(row),
        None if placeholder == "target" => target_name(row.targets.first()?),
        None if placeholder == "reason" => {
            let reason = row.failure_reason().filter(|reason| *reason != UNSPECIFIED);
            reason.map(|reason| in_words(Cow::Borrowed(reason)))
        }
        Some(("target", kind)) => {
            target_name(row.targets.iter().find(|target| target.kind == kind)?)
        }
        Some(("previous", key)) => member(row.previous()?, key),
        Some(("next", key)) => member(row.next()?, key),
        Some(("metadata", key)) => member(row.metadata()?, key),
        _ => None,
    };
    text.map(shown).filter(|text| !text.is_empty())
}

/// Who acted. Somebody who is not signed in is never taken for whom he names.
fn actor<'a>(row: &'a Opened<'_>) -> Option<Cow<'a, str>> {
    let named = row.actor_name().or_else(|| row.actor_email());
    let who = match (row.actor_type, named) {
        ("unauthenticated", Some(name)) => format!("Someone claiming to be {name}").into(),
        ("unauthenticated", None) => "Someone not signed in".into(),
        (_, Some(name)) => name.into(),
        ("system", None) => "The system".into(),
        ("portal_link", None) => "Someone with a link".into(),
        (_, None) => row.actor_id()?.into(),
    };
    let behalf = row.on_behalf_of().and_then(|party| {
        ["name", "email", "id"]
            .into_iter()
            .find_map(|key| plain(find(party, key)?))
    });
    Some(match behalf {
        Some(behalf) => format!("{who} on behalf of {behalf}").into(),
        None => who,
    })
}

fn target_name<'a>(target: &'a OpenedTarget<'_>) -> Option<Cow<'a, str>> {
    let name = target.name().or(target.email()).or(target.id());
    name.map(Cow::Borrowed)
}

/// The value of a member of an object, given as canonical text.
fn member<'a>(members: &'a str, key: &str) -> Option<Cow<'a, str>> {
    let one = |value: &Json| match value {
        Json::String(text) => Some(in_words(Cow::Borrowed(text)).into_owned()),
        Json::Bool(_) | Json::Number(_) => Some(value.to_canonical()),
        _ => None,
    };
    let text = find(members, key)?;
    match text.as_bytes().first()? {
        b'"' => plain(text).map(in_words),
        b'{' | b'n' => None,
        b'[' => {
            let elements = Json::parse(text.as_bytes()).ok()?;
            let words: Vec<_> = elements.as_array()?.iter().filter_map(one).collect();
            (!words.is_empty()).then(|| words.join(", ").into())
        }
        _ => Some(Cow::Borrowed(text)),
    }
}

/// `login_code` as `login code`; anything but a word of code is left alone.
fn in_words(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_code = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if text.contains('_') && text.bytes().all(is_code) {
        text.replace('_', " ").into()
    } else {
        text
    }
}

/// One line of at most [`VALUE_CHARS`] characters.
fn shown(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte);
    // Nearly every value is plain text.
    let is_line = text.bytes().fold(true, |line, byte| line & is_plain(byte))
        && !text.starts_with(' ')
        && !text.ends_with(' ');
    if text.len() <= VALUE_CHARS
        && (is_line || (text.trim().len() == text.len() && !text.contains(char::is_control)))
    {
        return text;
    }
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.chars().take(VALUE_CHARS).map(blank).collect();
    if text.chars().nth(VALUE_CHARS).is_some() {
        line.push('…');
    }
    line.trim().to_owned().into()
}
