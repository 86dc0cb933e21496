//! Free text: which values of a row it is looked for in.

use super::fold::Needle;
use super::json;
use crate::{Catalogue, Object, Row, Section};

/// Whether `needle` occurs inside one value: names, e-mail addresses and ids; metadata; the reason; the event's name.
pub(crate) fn occurs(needle: &Needle, row: &Row, catalogue: &Catalogue) -> bool {
    let skeleton = row.skeleton();
    let clear = |text: &Option<String>| text.as_ref().is_some_and(|text| needle.occurs_in(text));
    needle.occurs_in(&skeleton.action)
        || clear(&skeleton.actor.id)
        || skeleton.targets.iter().any(|target| clear(&target.id))
        || needle.occurs_in(&catalogue.display_name(&skeleton.action))
        || needle.occurs_in(&skeleton.id)
        || clear(&skeleton.failure)
        || section(needle, row, Section::ACTOR).is_some_and(|actor| {
            party(needle, actor)
                || actor
                    .get("metadata")
                    .is_some_and(|value| json::occurs(needle, value))
                || actor
                    .get("on_behalf_of")
                    .and_then(|party| party.as_object())
                    .is_some_and(|behalf| party(needle, behalf))
        })
        || section(needle, row, Section::DETAILS).is_some_and(|details| {
            details
                .get("metadata")
                .is_some_and(|value| json::occurs(needle, value))
                || row
                    .failure_reason()
                    .is_some_and(|reason| needle.occurs_in(reason))
        })
        || (0..skeleton.targets.len()).any(|n| {
            section(needle, row, Section::TARGETS + n).is_some_and(|target| {
                party(needle, target)
                    || target
                        .get("metadata")
                        .is_some_and(|value| json::occurs(needle, value))
            })
        })
}

/// The section, if it can contain the text.
fn section<'a>(needle: &Needle, row: &'a Row, k: usize) -> Option<&'a Object> {
    needle
        .possible_in(row.section_text(k)?)
        .then(|| row.section(k))?
}

fn party(needle: &Needle, members: &Object) -> bool {
    let occurs = |key| {
        members
            .get_str(key)
            .is_some_and(|text| needle.occurs_in(text))
    };
    occurs("name") || occurs("email") || occurs("id")
}
