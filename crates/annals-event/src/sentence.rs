//! What happened, in a sentence: the template of the catalogue, filled with the values of a row.

use crate::catalogue::Catalogue;
use crate::json::{Json, Object};
use crate::row::{Row, TargetView};
use crate::{Outcome, UNSPECIFIED};

/// Characters of one value that a sentence shows; the rest stands in the event.
const VALUE_CHARS: usize = 200;

impl Catalogue {
    /// Describes a row for people: `Ana Ruiz changed the role of Bo Li from member to admin`.
    ///
    /// Plain text, without a full stop. Values are the producer's: escape the sentence before it goes into a page. What is absent or
    /// erased is left out, or a general word stands for it. Control characters in values become blanks.
    pub fn sentence(&self, row: &Row) -> String {
        match self.get(&row.skeleton().action) {
            Some(entry) => fill(entry.template, entry.target, row),
            None => {
                let name = self.display_name(&row.skeleton().action);
                let template = match row.outcome() {
                    Outcome::Success => " by {actor}[ on {target}]",
                    Outcome::Failure => " by {actor}[ on {target}] failed[: {reason}]",
                };
                format!("{name}{}", fill(template, "", row))
            }
        }
    }
}

/// Fills `template`; see [`crate::CatalogueEntry`] for its form.
fn fill(template: &str, target: &str, row: &Row) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find(['[', '{']) {
        let (text, marked) = rest.split_at(at);
        out.push_str(text);
        let close = if marked.starts_with('[') { ']' } else { '}' };
        let Some((inside, after)) = marked[1..].split_once(close) else {
            break;
        };
        if close == ']' {
            out.push_str(&optional(inside, row).unwrap_or_default());
        } else {
            match value(inside, row) {
                Some(value) => out.push_str(&value),
                None => fall_back(&mut out, inside, target),
            }
        }
        rest = after;
    }
    out + rest
}

/// A part in brackets; nothing if one of its placeholders has no value.
fn optional(part: &str, row: &Row) -> Option<String> {
    let mut out = String::new();
    let mut rest = part;
    while let Some((text, marked)) = rest.split_once('{') {
        let (name, after) = marked.split_once('}')?;
        out.push_str(text);
        out.push_str(&value(name, row)?);
        rest = after;
    }
    Some(out + rest)
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

fn value(placeholder: &str, row: &Row) -> Option<String> {
    let text = match placeholder.split_once('.') {
        None if placeholder == "actor" => actor(row),
        None if placeholder == "target" => target_name(row.target(0)?),
        None if placeholder == "reason" => {
            let reason = row.failure_reason().filter(|reason| *reason != UNSPECIFIED);
            reason.map(in_words)
        }
        Some(("target", kind)) => target_name(row.targets().find(|target| target.kind == kind)?),
        Some(("previous", key)) => row.previous().and_then(|members| member(members, key)),
        Some(("next", key)) => row.next().and_then(|members| member(members, key)),
        Some(("metadata", key)) => row.metadata().and_then(|members| member(members, key)),
        _ => None,
    };
    text.map(|text| shown(&text))
        .filter(|text| !text.is_empty())
}

/// Who acted. Somebody who is not signed in is never taken for whom he names.
fn actor(row: &Row) -> Option<String> {
    let named = row.actor_name().or_else(|| row.actor_email());
    let who = match (row.actor_type(), named) {
        ("unauthenticated", Some(name)) => format!("Someone claiming to be {name}"),
        ("unauthenticated", None) => "Someone not signed in".to_owned(),
        (_, Some(name)) => name.to_owned(),
        ("system", None) => "The system".to_owned(),
        ("portal_link", None) => "Someone with a link".to_owned(),
        (_, None) => row.actor_id()?.to_owned(),
    };
    let behalf = row.on_behalf_of().and_then(|party| {
        ["name", "email", "id"]
            .into_iter()
            .find_map(|key| party.get_str(key))
    });
    Some(match behalf {
        Some(behalf) => format!("{who} on behalf of {behalf}"),
        None => who,
    })
}

fn target_name(target: TargetView<'_>) -> Option<String> {
    target
        .name
        .or(target.email)
        .or(target.id)
        .map(str::to_owned)
}

fn member(members: &Object, key: &str) -> Option<String> {
    let one = |value: &Json| match value {
        Json::String(text) => Some(in_words(text)),
        Json::Bool(_) | Json::Number(_) => Some(value.to_canonical()),
        _ => None,
    };
    match members.get(key)? {
        Json::Array(elements) => {
            let words: Vec<_> = elements.iter().filter_map(one).collect();
            (!words.is_empty()).then(|| words.join(", "))
        }
        value => one(value),
    }
}

/// `login_code` as `login code`; anything but a word of code is left alone.
fn in_words(text: &str) -> String {
    let code = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if code {
        text.replace('_', " ")
    } else {
        text.to_owned()
    }
}

/// One line of at most [`VALUE_CHARS`] characters.
fn shown(text: &str) -> String {
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.chars().take(VALUE_CHARS).map(blank).collect();
    if text.chars().nth(VALUE_CHARS).is_some() {
        line.push('…');
    }
    line.trim().to_owned()
}
