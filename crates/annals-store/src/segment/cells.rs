//! One event as the values of its columns, and back.

use std::borrow::Cow;

use annals_event::members::{
    ACTOR, CONTEXT, DETAILS, FAILURE, TARGET, Table, Values, nothing, read, write,
};
use annals_event::{Commitment, DraftRef, Head, Section, SectionRef, TargetHead, Timestamp};

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
pub(crate) fn shred<'a>(draft: &DraftRef<'a>, scratch: &mut String) -> Cells<'a> {
    let mut cells = Cells {
        actor: nothing(),
        context: nothing(),
        details: nothing(),
        failure: nothing(),
        targets: vec![(nothing(), 0); draft.target_heads().len()],
        flags: if draft.given_id() { GIVEN_ID } else { 0 },
        erased: Vec::new(),
        exact: true,
    };
    for (k, section) in (0u8..).zip(draft.section_refs()) {
        match section {
            SectionRef::Withheld(commitment) => {
                cells.erased.push(k);
                cells.erased.extend_from_slice(commitment);
            }
            SectionRef::Empty => cells.exact &= usize::from(k) != Section::ACTOR,
            SectionRef::Value(text) => match std::str::from_utf8(text) {
                Ok(text) => cells.take(usize::from(k), text, scratch),
                Err(_) => cells.exact = false,
            },
        }
    }
    // A value lies in one place only: in the clear or in the section.
    let head = draft.head();
    cells.exact &= head.actor.id.is_none() || cells.actor[1].is_none();
    cells.exact &= head.role.is_none() || cells.actor[5].is_none();
    if cells.actor[1].is_some() {
        cells.flags |= ACTOR_ID_IN_SECTION;
    }
    if cells.actor[5].is_some() {
        cells.flags |= ROLE_IN_SECTION;
    }
    for ((values, flags), clear) in cells.targets.iter_mut().zip(draft.target_heads()) {
        cells.exact &= clear.id.is_none() || values[1].is_none();
        if values[1].is_some() {
            *flags = TARGET_ID_IN_SECTION;
        }
    }
    cells
}

impl<'a> Cells<'a> {
    /// Takes the members of a section.
    fn take(&mut self, k: usize, text: &'a str, scratch: &mut String) {
        // Only the actor's section is written where it is empty.
        self.exact &= text != "{}" || k == Section::ACTOR;
        let exact = &mut self.exact;
        match k {
            Section::ACTOR => take(&ACTOR, text, &mut self.actor, exact, scratch),
            Section::CONTEXT => take(&CONTEXT, text, &mut self.context, exact, scratch),
            Section::DETAILS => {
                take(&DETAILS, text, &mut self.details, exact, scratch);
                if let Some(Cow::Borrowed(failure)) = self.details[0].take() {
                    take(&FAILURE, failure, &mut self.failure, exact, scratch);
                    *exact &= failure != "{}";
                }
            }
            k => {
                if let Some((target, _)) = self.targets.get_mut(k - Section::TARGETS) {
                    take(&TARGET, text, target, exact, scratch);
                }
            }
        }
    }
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

/// What an event is put together in.
#[derive(Default)]
pub(crate) struct Scratch {
    text: String,
    failure: String,
    /// Where in `text` each section ends.
    ends: Vec<usize>,
}

/// Puts an event together, and gives `take` its parts: whether its id was given, what stands in the clear, and the sections.
pub(crate) fn assemble<'a, T>(
    parts: Parts<'a>,
    targets: &[TargetParts<'a>],
    scratch: &mut Scratch,
    take: impl FnOnce(bool, &Head<'_>, &[TargetHead<'_>], &[SectionRef<'_>]) -> T,
) -> Result<T, Flaw> {
    let Parts {
        mut actor,
        mut details,
        flags,
        ..
    } = parts;
    let Scratch {
        text,
        failure,
        ends,
    } = scratch;
    text.clear();
    failure.clear();
    ends.clear();
    let id = in_clear(&mut actor[1], flags & ACTOR_ID_IN_SECTION != 0);
    let clear = TargetHead::new(id, parts.actor_type);
    let role = in_clear(&mut actor[5], flags & ROLE_IN_SECTION != 0);
    write(text, &ACTOR, actor);
    if text.is_empty() {
        text.push_str("{}");
    }
    ends.push(text.len());
    write(text, &CONTEXT, parts.context);
    ends.push(text.len());
    write(failure, &FAILURE, parts.failure);
    details[0] = (!failure.is_empty()).then_some(failure.as_str());
    write(text, &DETAILS, details);
    ends.push(text.len());
    let mut heads = Vec::with_capacity(targets.len());
    for target in targets {
        let mut members = target.members;
        let id = in_clear(&mut members[1], target.flags & TARGET_ID_IN_SECTION != 0);
        heads.push(TargetHead::new(id, target.kind));
        write(text, &TARGET, members);
        ends.push(text.len());
    }
    let mut begin = 0;
    let mut sections: Vec<SectionRef<'_>> = ends
        .iter()
        .map(|end| match text.as_bytes().get(begin..*end) {
            None | Some([]) => SectionRef::Empty,
            Some(text) => {
                begin = *end;
                SectionRef::Value(text)
            }
        })
        .collect();
    for (k, commitment) in erased_sections(parts.erased)? {
        let section = sections
            .get_mut(k)
            .ok_or_else(|| Flaw::new("a commitment to a section that there is not"))?;
        *section = SectionRef::Withheld(commitment);
    }
    let head = Head {
        id: parts.id.as_bytes(),
        action: parts.action.as_bytes(),
        occurred_at: parts.occurred_at,
        actor: clear,
        role: role.map(str::as_bytes),
        failure: parts.reason.map(str::as_bytes),
    };
    Ok(take(flags & GIVEN_ID != 0, &head, &heads, &sections))
}

/// The sections whose values are gone, with their commitments.
pub(crate) fn erased_sections(
    bytes: &[u8],
) -> Result<impl Iterator<Item = (usize, &Commitment)>, Flaw> {
    let (erased, rest) = bytes.as_chunks::<{ 1 + COMMITMENT_BYTES }>();
    if !rest.is_empty() {
        return Err(Flaw::new("the commitments have another length"));
    }
    Ok(erased
        .iter()
        .map(|[k, commitment @ ..]| (usize::from(*k), commitment)))
}

/// What of a column's value stands in the clear; that is taken out of the section then.
fn in_clear<'a>(value: &mut Option<&'a str>, in_section: bool) -> Option<&'a str> {
    match in_section {
        true => None,
        false => value.take(),
    }
}
