//! Many drafts in the form in which the journal keeps them, and the straight way from JSON text into it.

use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error};

use super::code::encode;
use super::split::{Sections, split, target_heads};
use super::{
    Draft, DraftRef, Head, Rules, SectionRef, TargetHead, has_own_prefix, is_event_id, is_name,
    is_too_far_ahead, size,
};
use crate::catalogue::Outcome;
use crate::event::{EventRef, EventSeed, PartyRef};
use crate::json::Free;
use crate::limits;
use crate::time::Timestamp;

/// An ordinary event's texts are not longer than this, in bytes.
pub(super) const ORDINARY: usize = 1 << 10;

/// Drafts, one behind the other, as bytes.
#[derive(Clone, Debug, Default)]
pub struct Drafts {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where a draft lies, and what is asked of it most.
#[derive(Clone, Debug)]
struct Place {
    end: usize,
    id: Range<usize>,
    given_id: bool,
}

/// Reads events from JSON text and appends them to [`Drafts`]: one pass, nothing built in between.
///
/// It is a seed for JSON text (other inputs may hold what JSON refuses) and may be used for one event after the other. It takes only what is in order: where it
/// fails, nothing was appended, and [`crate::Event::from_json`] with [`Draft::new`] reads what is merely unusual, or says what is wrong.
/// What it takes, it splits as they do.
pub struct Straight<'s> {
    drafts: &'s mut Drafts,
    rules: Rules<'s>,
    now: Timestamp,
    new_id: &'s dyn Fn() -> String,
    declines: &'s dyn Fn(&str) -> bool,
    free: String,
    sections: Sections,
}

impl Drafts {
    /// No drafts.
    pub fn new() -> Self {
        Self::default()
    }

    /// No drafts, with room for so many of so many bytes in all.
    pub fn with_capacity(drafts: usize, bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
            places: Vec::with_capacity(drafts),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many bytes they take.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a draft.
    pub fn push(&mut self, draft: &Draft) {
        let id = draft.encode_and_find_id(&mut self.bytes);
        self.end(id, draft.given_id);
    }

    /// Appends a draft whose parts lie elsewhere. There are exactly 3 + targets sections.
    pub fn push_parts<'a>(
        &mut self,
        given_id: bool,
        head: &Head<'_>,
        targets: impl ExactSizeIterator<Item = TargetHead<'a>>,
        sections: impl Iterator<Item = SectionRef<'a>>,
    ) {
        let id = encode(&mut self.bytes, given_id, head, targets, sections);
        self.end(id, given_id);
    }

    /// Drops all, and keeps the room that they took.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
    }

    fn end(&mut self, id: Range<usize>, given_id: bool) {
        self.places.push(Place {
            end: self.bytes.len(),
            id,
            given_id,
        });
    }

    /// Drops all but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.places.truncate(len);
        let end = self.places.last().map_or(0, |place| place.end);
        self.bytes.truncate(end);
    }

    /// The bytes of a draft, as [`Draft::encode`] writes them; empty if there is no such draft.
    pub fn bytes(&self, n: usize) -> &[u8] {
        let begin = match n.checked_sub(1) {
            None => Some(0),
            Some(before) => self.places.get(before).map(|place| place.end),
        };
        let end = self.places.get(n).map(|place| place.end);
        begin
            .zip(end)
            .and_then(|(begin, end)| self.bytes.get(begin..end))
            .unwrap_or_default()
    }

    /// Id of the event, if there is such a one.
    pub fn id(&self, n: usize) -> Option<&str> {
        let bytes = self.bytes.get(self.places.get(n)?.id.clone())?;
        std::str::from_utf8(bytes).ok()
    }

    /// Whether the producer gave the id of the event.
    pub fn given_id(&self, n: usize) -> bool {
        self.places.get(n).is_some_and(|place| place.given_id)
    }

    /// A draft where it lies, if there is such a one.
    pub fn get(&self, n: usize) -> Option<DraftRef<'_>> {
        // What is here was written by `encode`.
        DraftRef::read(self.bytes(n)).ok()
    }

    /// A reader of events that appends here.
    ///
    /// `now` is the receiver's clock; `new_id` makes an id where an event has none; `declines` says of an action that its events
    /// are to be looked at more closely, and are not taken.
    pub fn straight<'s>(
        &'s mut self,
        rules: Rules<'s>,
        now: Timestamp,
        new_id: &'s dyn Fn() -> String,
        declines: &'s dyn Fn(&str) -> bool,
    ) -> Straight<'s> {
        Straight {
            drafts: self,
            rules,
            now,
            new_id,
            declines,
            free: String::with_capacity(ORDINARY),
            sections: Sections::with_room(),
        }
    }
}

impl From<Draft> for Drafts {
    fn from(draft: Draft) -> Self {
        let mut drafts = Self::new();
        drafts.push(&draft);
        drafts
    }
}

impl<'a> FromIterator<&'a Draft> for Drafts {
    fn from_iter<I: IntoIterator<Item = &'a Draft>>(all: I) -> Self {
        let mut drafts = Self::new();
        all.into_iter().for_each(|draft| drafts.push(draft));
        drafts
    }
}

impl FromIterator<Draft> for Drafts {
    fn from_iter<I: IntoIterator<Item = Draft>>(all: I) -> Self {
        let mut drafts = Self::new();
        all.into_iter().for_each(|draft| drafts.push(&draft));
        drafts
    }
}

impl Straight<'_> {
    /// The drafts so far.
    pub fn drafts(&mut self) -> &mut Drafts {
        self.drafts
    }

    fn take(&mut self, event: &EventRef<'_>) -> Option<()> {
        let Self { rules, drafts, .. } = self;
        if !is_plain(event, rules, self.now) || (self.declines)(&event.action) {
            return None;
        }
        let made;
        let id = match event.id.as_deref() {
            Some(id) => id,
            None => {
                made = (self.new_id)();
                &made
            }
        };
        let head = split(event, &self.free, id, rules, &mut self.sections);
        let targets = target_heads(event, rules);
        if size(&head, targets.clone(), self.sections.iter()) > limits::RECORD_BYTES {
            return None;
        }
        drafts.push_parts(event.id.is_some(), &head, targets, self.sections.iter());
        Some(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Straight<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        self.free.clear();
        let event = EventSeed(&mut self.free).deserialize(input)?;
        self.take(&event).ok_or_else(|| D::Error::custom("unusual"))
    }
}

/// Whether nothing about the event needs a closer look. It may err towards no.
fn is_plain(event: &EventRef<'_>, rules: &Rules<'_>, now: Timestamp) -> bool {
    let short = |text: &Option<_>| is_short(text.as_deref());
    let failure = event.failure.as_ref();
    is_name(&event.action)
        && (rules.internal || !has_own_prefix(&event.action))
        && (!rules.strict || is_bare(event) && rules.catalogue.knows(&event.action))
        && !is_too_far_ahead(event.occurred_at, now)
        && is_plain_party(&event.actor)
        && event.targets.len() <= limits::TARGETS
        && event.targets.iter().all(is_plain_party)
        && event.context.iter().all(short)
        && event.id.as_deref().is_none_or(is_event_id)
        && [&event.metadata, &event.previous, &event.next]
            .into_iter()
            .all(is_usual)
        && failure.is_none_or(|failure| {
            short(&failure.reason) && short(&failure.stage) && short(&failure.detail)
        })
        && !has_reason_to_move(event, rules)
}

/// Whether there are no members that the catalogue might not know.
fn is_bare(event: &EventRef<'_>) -> bool {
    event.metadata.is_none() && event.previous.is_none() && event.next.is_none()
}

fn is_plain_party(party: &PartyRef<'_>) -> bool {
    let is_plain_id = (1..=limits::ID_BYTES).contains(&party.id.len())
        && party
            .id
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ');
    is_plain_id
        && is_name(&party.kind)
        && is_short(party.name.as_deref())
        && is_short(party.email.as_deref())
        && is_short(party.role.as_deref())
        && is_usual(&party.metadata)
        && party.on_behalf_of.as_deref().is_none_or(is_plain_party)
}

fn is_short(text: Option<&str>) -> bool {
    text.is_none_or(|text| text.len() <= limits::TEXT_BYTES)
}

fn is_usual(value: &Option<Free>) -> bool {
    value.as_ref().is_none_or(|value| !value.is_unusual)
}

/// Whether the metadata may hold the reason of the failure, as clients of WorkOS send it.
fn has_reason_to_move(event: &EventRef<'_>, rules: &Rules<'_>) -> bool {
    let in_metadata = event
        .metadata
        .as_ref()
        .is_some_and(|metadata| metadata.has_failure_reason);
    in_metadata
        && rules
            .catalogue
            .get(&event.action)
            .is_some_and(|entry| entry.outcome == Outcome::Failure)
}
