//! From the bytes of a request to events that are ready to be recorded.
//!
//! This is the hot path, so there are two ways. The straight one reads a text once, envelope and event
//! together, into the bytes that the journal keeps; it takes what is in order. The thorough one reads
//! the envelope without looking into the event, and then the event; it takes what is merely unusual,
//! has a schema to obey, or is wrong, and says what.

use std::borrow::Cow;
use std::fmt;

use annals_event::{Draft, Drafts, Event, EventError, Rules, Straight, limits};
use annals_store::Idempotency;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::error::ApiError;
use crate::{fields, ids, room};

/// Reads `{"organization_id", "event"}` the straight way: the workspace, and the event is appended to
/// the drafts. `None` if it has to be read the thorough way; then nothing was appended.
pub(crate) fn straight<'a>(app: &App, text: &'a [u8], drafts: &mut Drafts) -> Option<Cow<'a, str>> {
    if text.len() > limits::EVENT_BYTES {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    with_reader(app, drafts, |reader| {
        read_envelope(text, reader, Holds::Event)
    })
}

/// As [`straight`], for each of these lines.
pub(crate) fn straight_lines<'a>(
    app: &App,
    lines: &[&'a [u8]],
    drafts: &mut Drafts,
) -> Vec<(&'a [u8], Option<Cow<'a, str>>)> {
    with_reader(app, drafts, |reader| {
        lines
            .iter()
            .map(|&line| {
                let text = std::str::from_utf8(line).ok();
                let text = text.filter(|text| text.len() <= limits::EVENT_BYTES);
                (
                    line,
                    text.and_then(|text| read_envelope(text, reader, Holds::Event)),
                )
            })
            .collect()
    })
}

/// As [`straight`], for `{"organization_id", "events": […]}`, of which all or nothing is read.
pub(crate) fn straight_list<'a>(app: &App, text: &'a [u8]) -> Option<(Cow<'a, str>, Drafts)> {
    // The drafts of a text that turns out to be wrong at its end are memory for nothing.
    let text = std::str::from_utf8(text)
        .ok()
        .filter(|text| text.len() <= room::SHARE)?;
    // The journal's form is hardly ever larger than the text.
    let mut drafts = Drafts::with_capacity(limits::BATCH_EVENTS, text.len());
    let organization = with_reader(app, &mut drafts, |reader| {
        read_envelope(text, reader, Holds::Events)
    })?;
    Some((organization, drafts))
}

fn with_reader<T>(app: &App, drafts: &mut Drafts, read: impl FnOnce(&mut Straight<'_>) -> T) -> T {
    let now = app.now();
    let new_id = || ids::event_id(now);
    let has_schema = |action: &str| app.store.has_schema(action);
    read(&mut drafts.straight(rules(app), now, &new_id, &has_schema))
}

/// What this installation accepts of an action without a schema.
fn rules(app: &App) -> Rules<'_> {
    Rules {
        catalogue: app.catalogue(),
        strict: app.config.strict,
        personal_types: &app.config.personal_types,
        internal: false,
    }
}

fn read_envelope<'a>(
    text: &'a str,
    reader: &mut Straight<'_>,
    holds: Holds,
) -> Option<Cow<'a, str>> {
    let mut input = serde_json::Deserializer::from_str(text);
    let before = reader.drafts().len();
    let seed = EnvelopeSeed {
        reader: &mut *reader,
        holds,
    };
    let read = seed
        .deserialize(&mut input)
        .and_then(|organization| input.end().map(|()| organization))
        .ok()
        .filter(|organization| !organization.is_empty());
    if read.is_none() {
        reader.drafts().truncate(before);
    }
    read
}

struct EnvelopeSeed<'r, 's> {
    reader: &'r mut Straight<'s>,
    holds: Holds,
}

/// What stands in an envelope beside the workspace.
#[derive(Clone, Copy)]
enum Holds {
    Event,
    Events,
}

impl Holds {
    fn member(self) -> &'static str {
        match self {
            Holds::Event => "event",
            Holds::Events => "events",
        }
    }
}

impl<'de> DeserializeSeed<'de> for EnvelopeSeed<'_, '_> {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Cow<'de, str>, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for EnvelopeSeed<'_, '_> {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cow<'de, str>, A::Error> {
        let (mut organization, mut held) = (None, false);
        while let Some(member) = map.next_key::<Text<'de>>()? {
            if member.0 == "organization_id" {
                let text = map.next_value::<Text<'de>>()?.0;
                if organization.replace(text).is_some() {
                    return Err(A::Error::custom("twice"));
                }
            } else if member.0 == self.holds.member() {
                if std::mem::replace(&mut held, true) {
                    return Err(A::Error::custom("twice"));
                }
                match self.holds {
                    Holds::Event => map.next_value_seed(&mut *self.reader)?,
                    Holds::Events => map.next_value_seed(ListSeed(self.reader))?,
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        organization
            .filter(|_| held)
            .ok_or_else(|| A::Error::custom("missing"))
    }
}

/// A text, left where it lies if nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct ListSeed<'r, 's>(&'r mut Straight<'s>);

impl<'de> DeserializeSeed<'de> for ListSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ListSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(&mut *self.0)?.is_some() {
            if self.0.drafts().len() > limits::BATCH_EVENTS {
                return Err(A::Error::custom("too many events"));
            }
        }
        Ok(())
    }
}

/// What stands around an event on the wire. Members beside these are ignored: SDKs send some.
pub(crate) struct Envelope<'a> {
    /// The workspace.
    pub(crate) organization_id: Cow<'a, str>,
    /// The event's own text.
    pub(crate) event: &'a [u8],
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    organization_id: Cow<'a, str>,
    #[serde(borrow)]
    event: &'a RawValue,
}

/// Reads `{"organization_id", "event"}` without looking into the event.
pub(crate) fn envelope(text: &[u8]) -> Result<Envelope<'_>, ApiError> {
    match serde_json::from_slice::<Wire<'_>>(text) {
        Ok(wire) if !wire.organization_id.is_empty() && wire.event.get().starts_with('{') => {
            Ok(Envelope {
                organization_id: wire.organization_id,
                event: wire.event.get().as_bytes(),
            })
        }
        _ => Err(envelope_fault(text, "event")),
    }
}

/// `{"organization_id", "events": […]}` with the texts of the events.
pub(crate) struct Batch<'a> {
    /// The workspace.
    pub(crate) organization_id: Cow<'a, str>,
    /// The events' own texts.
    pub(crate) events: Vec<&'a [u8]>,
}

#[derive(Deserialize)]
struct WireBatch<'a> {
    #[serde(borrow)]
    organization_id: Cow<'a, str>,
    #[serde(borrow)]
    events: &'a RawValue,
}

/// Reads `{"organization_id", "events"}`. The list is not kept beyond the most that a batch may
/// hold, so that a body of a million empty lists costs no more memory than its text.
pub(crate) fn batch(text: &[u8]) -> Result<Batch<'_>, ApiError> {
    let wire = match serde_json::from_slice::<WireBatch<'_>>(text) {
        Ok(wire) if !wire.organization_id.is_empty() && wire.events.get().starts_with('[') => wire,
        _ => return Err(envelope_fault(text, "events")),
    };
    let mut list = serde_json::Deserializer::from_str(wire.events.get());
    let events = list.deserialize_seq(Events).map_err(|_| too_many())?;
    Ok(Batch {
        organization_id: wire.organization_id,
        events,
    })
}

/// The refusal of a batch with too many events.
pub(crate) fn too_many() -> ApiError {
    ApiError::TooLarge(format!(
        "A batch has at most {} events.",
        limits::BATCH_EVENTS
    ))
}

struct Events;

impl<'de> Visitor<'de> for Events {
    type Value = Vec<&'de [u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut events = Vec::new();
        while let Some(event) = list.next_element::<&'de RawValue>()? {
            if events.len() == limits::BATCH_EVENTS {
                return Err(A::Error::custom("too many events"));
            }
            events.push(event.get().as_bytes());
        }
        Ok(events)
    }
}

/// Says what is wrong with an envelope. A large one is not read into values for that.
fn envelope_fault(text: &[u8], member: &str) -> ApiError {
    if text.len() > crate::body::EVENT_BYTES {
        return match serde_json::from_slice::<IgnoredAny>(text) {
            Ok(_) => ApiError::bad(
                "invalid_request",
                format!("The body must be an object with organization_id and {member}."),
            ),
            Err(error) => ApiError::bad(
                "invalid_json",
                format!(
                    "The body is not valid JSON (line {}, column {}).",
                    error.line(),
                    error.column()
                ),
            ),
        };
    }
    let mut fields = match fields::read(text) {
        Ok(fields) => fields,
        Err(error) => return error,
    };
    fields.required_text("organization_id");
    let (given, is_list) = (fields.has(member), member == "events");
    if !given {
        fields.missing(member);
    } else if is_list {
        fields.texts(member, 0);
    } else if fields.object(member).is_none() && !fields.has_faults() {
        fields.missing(member);
    }
    match fields.finish() {
        Err(error) => error,
        Ok(()) => ApiError::bad("invalid_json", "The body cannot be read."),
    }
}

/// Reads, checks and splits one event.
pub(crate) fn draft(app: &App, text: &[u8]) -> Result<Draft, EventError> {
    let event = Event::from_json(text)?;
    app.store.check_schema(&event)?;
    let now = app.now();
    let rules = Rules {
        // An action with a schema is known, though not to the compiled-in catalogue.
        strict: app.config.strict && !app.store.has_schema(&event.action),
        ..rules(app)
    };
    Draft::new(event, &rules, now, || ids::event_id(now))
}

/// The idempotency key of a request, with what tells its body from another.
pub(crate) fn idempotency(
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<Idempotency>, ApiError> {
    let Some(key) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = key.as_bytes();
    if key.is_empty() || key.len() > 255 {
        return Err(ApiError::bad_field(
            "Idempotency-Key",
            "too_long",
            "The header Idempotency-Key has 1 to 255 bytes.",
        ));
    }
    Ok(Some(Idempotency {
        key_hash: Sha256::digest(key).into(),
        body_hash: Sha256::digest(body).into(),
    }))
}
