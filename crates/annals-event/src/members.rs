//! Sections as members: canonical JSON text of an object whose keys are known, taken apart and put together
//! again.
//!
//! It is a reader of *canonical* text only, where nothing has two spellings. What it does not understand it
//! refuses, and whoever asked goes another way.

use std::borrow::Cow;

use crate::write_json_string;

/// How a member lies in its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string, without quotes and escapes.
    Text,
    /// Any value, as its canonical text.
    Json,
}

use Kind::{Json, Text};

/// The members of each section, in canonical order.
pub type Table<const N: usize> = [(&'static str, Kind); N];

/// The section of the actor.
pub const ACTOR: Table<6> = [
    ("email", Text),
    ("id", Text),
    ("metadata", Json),
    ("name", Text),
    ("on_behalf_of", Json),
    ("role", Text),
];
/// The section of the context.
pub const CONTEXT: Table<7> = [
    ("correlation_id", Text),
    ("location", Text),
    ("request_id", Text),
    ("session_id", Text),
    ("source", Text),
    ("trace", Text),
    ("user_agent", Text),
];
/// The section of everything free.
pub const DETAILS: Table<5> = [
    ("failure", Json),
    ("metadata", Json),
    ("next", Json),
    ("previous", Json),
    ("version", Json),
];
/// `failure` of [`DETAILS`].
pub const FAILURE: Table<3> = [("detail", Text), ("reason", Text), ("stage", Text)];
/// The section of a target.
pub const TARGET: Table<4> = [
    ("email", Text),
    ("id", Text),
    ("metadata", Json),
    ("name", Text),
];

/// The value of each member, where there is one.
pub type Values<'a, const N: usize> = [Option<Cow<'a, str>>; N];

/// No member has a value.
pub fn nothing<'a, const N: usize>() -> Values<'a, N> {
    [const { None }; N]
}

/// Takes the text of an object apart. `None` if it has a member that the table does not have, or is in
/// any other way not what [`write()`] would write.
pub fn read<'a, const N: usize>(table: &Table<N>, text: &'a str) -> Option<Values<'a, N>> {
    let mut values = nothing();
    let mut rest = text.strip_prefix('{')?;
    let mut place = 0;
    if rest != "}" {
        loop {
            let inside = rest.strip_prefix('"')?;
            let of_key = |(n, (key, _)): (usize, &(&str, Kind))| {
                let after = inside.strip_prefix(key)?.strip_prefix("\":")?;
                Some((n, after))
            };
            let (step, after) = table[place..].iter().enumerate().find_map(of_key)?;
            place += step;
            let end = value_end(after)?;
            let (value, after) = after.split_at(end);
            values[place] = Some(match table[place].1 {
                Json => Cow::Borrowed(value),
                Text => plain(value)?,
            });
            place += 1;
            rest = match after.strip_prefix(',') {
                Some(more) => more,
                None => break rest = after,
            };
        }
    }
    (rest == "}").then_some(values)
}

/// Appends the object with these members; nothing at all if there are none.
pub fn write<const N: usize>(out: &mut String, table: &Table<N>, values: [Option<&str>; N]) {
    let before = out.len();
    for ((key, kind), value) in table.iter().zip(values) {
        let Some(value) = value else { continue };
        out.push(if out.len() == before { '{' } else { ',' });
        out.push('"');
        out.push_str(key);
        out.push_str("\":");
        match kind {
            Text => write_json_string(out, value),
            Json => out.push_str(value),
        }
    }
    if out.len() > before {
        out.push('}');
    }
}

/// Where the value at the beginning of the text ends.
fn value_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    loop {
        match bytes.get(at)? {
            b'"' => at += 1 + string_end(&text[at + 1..])?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return Some(at),
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => return Some(at),
            _ => {}
        }
        at += 1;
    }
}

/// Where the string ends of which the text is the inside and what follows: the place of its quote.
fn string_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at),
            _ => at += 1,
        }
    }
}

/// The text of the member `key`, which needs no escapes, of any object.
pub fn find<'a>(object: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = object.strip_prefix('{')?;
    while let Some(inside) = rest.strip_prefix('"') {
        let (name, after) = inside.split_at(string_end(inside)?);
        let after = after.strip_prefix("\":")?;
        let (value, after) = after.split_at(value_end(after)?);
        if name == key {
            return Some(value);
        }
        rest = after.strip_prefix(',')?;
    }
    None
}

/// The string that a JSON string stands for.
pub fn plain(value: &str) -> Option<Cow<'_, str>> {
    let inside = value.strip_prefix('"')?.strip_suffix('"')?;
    if inside.contains('\\') {
        return serde_json::from_str(value).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(inside))
}
