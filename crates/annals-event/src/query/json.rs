//! Looking for values inside metadata and changes.

use std::borrow::Cow;

use super::fold::{Needle, fold};
use crate::{Json, Object};

/// The text that a value is compared as; none for arrays and objects.
fn scalar(value: &Json) -> Option<Cow<'_, str>> {
    match value {
        Json::String(text) => Some(Cow::Borrowed(text)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {
            let mut text = String::new();
            value.write_canonical(&mut text);
            Some(Cow::Owned(text))
        }
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// Whether `needle` occurs in any text, number or truth value at any depth. Keys are not looked at.
pub(crate) fn occurs(needle: &Needle, value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Array(elements) => elements.iter().any(|element| occurs(needle, element)),
        Json::Object(members) => occurs_in(needle, members),
        scalar_value => scalar(scalar_value).is_some_and(|text| needle.occurs_in(&text)),
    }
}

/// [`occurs`] for an object.
pub(crate) fn occurs_in(needle: &Needle, members: &Object) -> bool {
    members.iter().any(|(_, value)| occurs(needle, value))
}

/// Whether one of `needles` fits what `path` leads to.
///
/// A key may contain dots itself: `a.b` is the key `a.b`, and the key `b` of what `a` holds. Arrays are looked through.
pub(crate) fn any_at(members: &Object, path: &str, needles: &[Needle]) -> bool {
    members.iter().any(|(key, value)| {
        let key = fold(key);
        match path.strip_prefix(&*key) {
            Some("") => fits(value, needles),
            Some(rest) => rest
                .strip_prefix('.')
                .is_some_and(|rest| any_below(value, rest, needles)),
            None => false,
        }
    })
}

fn any_below(value: &Json, path: &str, needles: &[Needle]) -> bool {
    match value {
        Json::Object(members) => any_at(members, path, needles),
        Json::Array(elements) => elements
            .iter()
            .any(|element| any_below(element, path, needles)),
        _ => false,
    }
}

fn fits(value: &Json, needles: &[Needle]) -> bool {
    needles
        .iter()
        .any(|needle| needle.is_any() || fits_one(value, needle))
}

fn fits_one(value: &Json, needle: &Needle) -> bool {
    match value {
        Json::Array(elements) => elements.iter().any(|element| fits_one(element, needle)),
        other => scalar(other).is_some_and(|text| needle.fits(&text)),
    }
}
