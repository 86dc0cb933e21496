//! From the bytes of a request to events that are ready to be recorded.
//!
//! This is the hot path: the envelope is read without looking into the event, the event is parsed
//! once from the bytes as they lie, and only a request that is wrong is read a second time, to name
//! the member.

use std::borrow::Cow;

use annals_event::{Draft, Event, EventError, Rules, limits};
use annals_store::Idempotency;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::error::ApiError;
use crate::{fields, ids};

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

/// Reads `{"organization_id", "event"}`.
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
    let events = serde::Deserializer::deserialize_seq(&mut list, Events).map_err(|_| too_many())?;
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

impl<'de> serde::de::Visitor<'de> for Events {
    type Value = Vec<&'de [u8]>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list of events")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut events = Vec::new();
        while let Some(event) = list.next_element::<&'de RawValue>()? {
            if events.len() == limits::BATCH_EVENTS {
                return Err(serde::de::Error::custom("too many events"));
            }
            events.push(event.get().as_bytes());
        }
        Ok(events)
    }
}

/// Says what is wrong with an envelope. A large one is not read into values for that.
fn envelope_fault(text: &[u8], member: &str) -> ApiError {
    if text.len() > crate::body::EVENT_BYTES {
        return match serde_json::from_slice::<serde::de::IgnoredAny>(text) {
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
        catalogue: app.catalogue(),
        // An action with a schema is known, though not to the compiled-in catalogue.
        strict: app.config.strict && app.store.action(&event.action).is_none(),
        personal_types: &app.config.personal_types,
        internal: false,
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
