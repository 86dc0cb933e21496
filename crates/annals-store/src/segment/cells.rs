//! One event as the values of its columns, and back.

use std::borrow::Cow;

use annals_event::members::{
    ACTOR, CONTEXT, DETAILS, FAILURE, TARGET, Table, Values, nothing, read, write,
};
use annals_event::{ActorRef, Commitment, Draft, Section, Skeleton, TargetRef, Timestamp};

use super::Flaw;

/// The producer gave the id.
pub(crate) const GIVEN_ID: i32 = 1;
/// The actor's id is personal: it belongs to the section.
pub(crate) const ACTOR_ID_IN_SECTION: i32 = 2;
/// The actor's role is no plain name: it belongs to the section.
pub(crate) const ROLE_IN_SECTION: i32 = 4;
/// Of a target: its id is personal and belongs to the section.
pub(crate) const TARGET_ID_IN_SECTION: i32 = 1;

const COMMITMENT_BYTES: usize = 32;

/// What the columns have of an event's sections.
pub(crate) struct Cells<'a> {
    pub(crate) actor: Values<'a, 6>,
    pub(crate) context: Values<'a, 7>,
    pub(crate) details: Values<'a, 5>,
    pub(crate) failure: Values<'a, 3>,
    pub(crate) targets: Vec<(Values<'a, 4>, i32)>,
    pub(crate) flags: i32,
    /// The index and the commitment of each section whose values are gone.
    pub(crate) erased: Vec<u8>,
    /// Whether the event is rebuilt exactly from all this. If not, its bytes must be kept.
    pub(crate) exact: bool,
}

/// Takes the sections of an event apart.
pub(crate) fn shred<'a>(draft: &'a Draft, scratch: &mut String) -> Cells<'a> {
    let skeleton = &draft.skeleton;
    let mut cells = Cells {
        actor: nothing(),
        context: nothing(),
        details: nothing(),
        failure: nothing(),
        targets: vec![(nothing(), 0); skeleton.targets.len()],
        flags: if draft.given_id { GIVEN_ID } else { 0 },
        erased: Vec::new(),
        exact: draft.sections.len() == Section::TARGETS + skeleton.targets.len(),
    };
    for (k, section) in (0u8..).zip(&draft.sections) {
        match (section, usize::from(k)) {
            (Section::Withheld(commitment), _) => {
                cells.erased.push(k);
                cells.erased.extend_from_slice(commitment);
            }
            (Section::Empty, k) => cells.exact &= k != Section::ACTOR,
            (Section::Value(text), Section::ACTOR) => {
                take(&ACTOR, text, &mut cells.actor, &mut cells.exact, scratch);
            }
            (Section::Value(text), Section::CONTEXT) => {
                take(
                    &CONTEXT,
                    text,
                    &mut cells.context,
                    &mut cells.exact,
                    scratch,
                );
            }
            (Section::Value(text), Section::DETAILS) => {
                take(
                    &DETAILS,
                    text,
                    &mut cells.details,
                    &mut cells.exact,
                    scratch,
                );
                if let Some(Cow::Borrowed(failure)) = cells.details[0].take() {
                    take(
                        &FAILURE,
                        failure,
                        &mut cells.failure,
                        &mut cells.exact,
                        scratch,
                    );
                    cells.exact &= failure != "{}";
                }
            }
            (Section::Value(text), k) => {
                if let Some((target, _)) = cells.targets.get_mut(k - Section::TARGETS) {
                    take(&TARGET, text, target, &mut cells.exact, scratch);
                }
            }
        }
        // Only the actor's section is written where it is empty.
        let is_empty = matches!(section, Section::Value(text) if text == "{}");
        cells.exact &= !is_empty || usize::from(k) == Section::ACTOR;
    }
    // A value lies in one place only: in the clear or in the section.
    let twice = |clear: &Option<String>, section: &Option<_>| clear.is_some() && section.is_some();
    cells.exact &= !twice(&skeleton.actor.id, &cells.actor[1])
        && !twice(&skeleton.actor.role, &cells.actor[5]);
    if cells.actor[1].is_some() {
        cells.flags |= ACTOR_ID_IN_SECTION;
    }
    if cells.actor[5].is_some() {
        cells.flags |= ROLE_IN_SECTION;
    }
    for ((values, flags), clear) in cells.targets.iter_mut().zip(&skeleton.targets) {
        cells.exact &= !twice(&clear.id, &values[1]);
        if values[1].is_some() {
            *flags = TARGET_ID_IN_SECTION;
        }
    }
    cells
}

fn take<'a, const N: usize>(
    table: &Table<N>,
    text: &'a str,
    values: &mut Values<'a, N>,
    exact: &mut bool,
    scratch: &mut String,
) {
    match read(table, text) {
        Some(found) => *values = found,
        None => *exact = false,
    }
    scratch.clear();
    write(
        scratch,
        table,
        std::array::from_fn(|n| values[n].as_deref()),
    );
    *exact &= scratch == text || (scratch.is_empty() && text == "{}");
}

/// An event as it was read from the columns, before it is put together.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) id: &'a str,
    pub(crate) action: &'a str,
    pub(crate) occurred_at: Timestamp,
    pub(crate) flags: i32,
    pub(crate) actor_type: &'a str,
    pub(crate) reason: Option<&'a str>,
    pub(crate) actor: [Option<&'a str>; 6],
    pub(crate) context: [Option<&'a str>; 7],
    pub(crate) details: [Option<&'a str>; 5],
    pub(crate) failure: [Option<&'a str>; 3],
    pub(crate) erased: &'a [u8],
}

/// A target as it was read from the columns.
#[derive(Clone, Copy, Default)]
pub(crate) struct TargetParts<'a> {
    pub(crate) kind: &'a str,
    pub(crate) flags: i32,
    pub(crate) members: [Option<&'a str>; 4],
}

/// Puts an event together.
pub(crate) fn assemble<'a>(
    parts: Parts<'a>,
    targets: impl ExactSizeIterator<Item = TargetParts<'a>>,
) -> Result<Draft, Flaw> {
    let Parts {
        mut actor,
        mut details,
        flags,
        ..
    } = parts;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let mut sections = Vec::with_capacity(Section::TARGETS + targets.len());
    let clear = ActorRef {
        id: owned(in_clear(&mut actor[1], flags & ACTOR_ID_IN_SECTION != 0)),
        kind: parts.actor_type.to_owned(),
        role: owned(in_clear(&mut actor[5], flags & ROLE_IN_SECTION != 0)),
    };
    sections.push(match value(&ACTOR, actor) {
        Section::Empty => Section::Value("{}".to_owned()),
        value => value,
    });
    sections.push(value(&CONTEXT, parts.context));
    let mut failure = String::new();
    write(&mut failure, &FAILURE, parts.failure);
    details[0] = (!failure.is_empty()).then_some(failure.as_str());
    sections.push(value(&DETAILS, details));
    let targets = targets
        .map(|mut target| {
            let in_section = target.flags & TARGET_ID_IN_SECTION != 0;
            let id = owned(in_clear(&mut target.members[1], in_section));
            sections.push(value(&TARGET, target.members));
            TargetRef {
                id,
                kind: target.kind.to_owned(),
            }
        })
        .collect();
    for (k, commitment) in erased_sections(parts.erased)? {
        let section = sections
            .get_mut(k)
            .ok_or_else(|| Flaw::new("a commitment to a section that there is not"))?;
        *section = Section::Withheld(commitment);
    }
    Ok(Draft {
        skeleton: Skeleton {
            id: parts.id.to_owned(),
            action: parts.action.to_owned(),
            occurred_at: parts.occurred_at,
            actor: clear,
            failure: owned(parts.reason),
            targets,
        },
        sections,
        given_id: flags & GIVEN_ID != 0,
    })
}

/// The sections whose values are gone, with their commitments.
pub(crate) fn erased_sections(
    bytes: &[u8],
) -> Result<impl Iterator<Item = (usize, Commitment)>, Flaw> {
    let (erased, rest) = bytes.as_chunks::<{ 1 + COMMITMENT_BYTES }>();
    if !rest.is_empty() {
        return Err(Flaw::new("the commitments have another length"));
    }
    Ok(erased
        .iter()
        .map(|[k, commitment @ ..]| (usize::from(*k), *commitment)))
}

/// What of a column's value stands in the clear; that is taken out of the section then.
fn in_clear<'a>(value: &mut Option<&'a str>, in_section: bool) -> Option<&'a str> {
    match in_section {
        true => None,
        false => value.take(),
    }
}

fn value<const N: usize>(table: &Table<N>, members: [Option<&str>; N]) -> Section {
    let length: usize = members
        .iter()
        .zip(table)
        .map(|(value, (key, _))| value.map_or(0, |value| key.len() + value.len() + 6))
        .sum();
    if length == 0 {
        return Section::Empty;
    }
    let mut text = String::with_capacity(length + 2);
    write(&mut text, table, members);
    Section::Value(text)
}
