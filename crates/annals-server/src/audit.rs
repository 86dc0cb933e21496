//! The log about the log: drafts of the `audit_log.*` events, built in one place.
//!
//! Reading, exporting and changing the audit log is itself recorded, in the log that it concerns.
//! What concerns the installation goes to its own log, and so does what happens to a workspace whose
//! log is still empty: the first entry of a log is never ours.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use annals_event::{Actor, Context, Draft, Event, Failure, Json, Object, Rules, Target, Timestamp};
use annals_store::{Append, Log, Organization, Recorded};
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;

use crate::app::App;
use crate::auth::{self, Caller};
use crate::error::ApiError;
use crate::ids;
use crate::request::RequestId;

/// Who records our own events.
pub(crate) const RECORDED_BY: &str = "annals";

/// Who did something to the log, and from where.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    /// Who.
    pub(crate) actor: Actor,
    /// From where.
    pub(crate) context: Context,
}

impl Act {
    /// A request with a key.
    pub(crate) fn of_key(caller: &Caller) -> Self {
        Self {
            actor: Actor {
                id: caller.key.id.clone(),
                kind: "api_key".to_owned(),
                name: Some(caller.key.name.clone()),
                ..Actor::default()
            },
            context: Context {
                location: caller.address.map(|a| a.to_string()),
                user_agent: caller.user_agent.clone(),
                source: Some("api".to_owned()),
                request_id: Some(caller.request_id.as_str().to_owned()),
                ..Context::default()
            },
        }
    }

    /// A request that came by an address which itself is the right to it, such as a download's.
    pub(crate) fn of_address(app: &App, parts: &Parts, kind: &str, id: &str) -> Self {
        let header = |name| parts.headers.get(name).and_then(|v| v.to_str().ok());
        Self {
            actor: Actor {
                id: id.to_owned(),
                kind: kind.to_owned(),
                ..Actor::default()
            },
            context: Context {
                location: auth::client_address(parts, app).map(|a| a.to_string()),
                user_agent: header(USER_AGENT).map(|text| text.chars().take(512).collect()),
                request_id: parts
                    .extensions
                    .get::<RequestId>()
                    .map(|id| id.as_str().to_owned()),
                ..Context::default()
            },
        }
    }

    /// Something that was done on the machine itself, before anybody could call.
    pub(crate) fn of_operator() -> Self {
        Self {
            actor: Actor {
                id: "operator".to_owned(),
                kind: "operator".to_owned(),
                ..Actor::default()
            },
            context: Context {
                source: Some("cli".to_owned()),
                ..Context::default()
            },
        }
    }

    /// An event about the log by this actor, now.
    pub(crate) fn event(&self, app: &App, action: &str) -> Own {
        let mut event = Event::new(action, app.now(), self.actor.clone());
        event.context = self.context.clone();
        Own {
            event,
            now: app.now(),
        }
    }
}

/// Records that a file of a workspace's log is handed out, before its first byte goes: in which format,
/// and what narrows it down.
pub(crate) async fn exported(
    app: &App,
    act: &Act,
    log: &Log,
    format: &str,
    of: Option<(&str, String)>,
) -> Result<(), ApiError> {
    let mut event = act
        .event(app, "audit_log.exported")
        .target("audit_log", log.id(), None)
        .with("format", format);
    if let Some((name, value)) = of {
        event = event.with(name, value);
    }
    record(app, log, event.draft()?).await
}

/// An event of our own in the making.
#[derive(Debug)]
pub(crate) struct Own {
    event: Event,
    now: Timestamp,
}

impl Own {
    /// Adds what it was done to.
    pub(crate) fn target(mut self, kind: &str, id: &str, name: Option<&str>) -> Self {
        self.event.targets.push(Target {
            id: id.to_owned(),
            kind: kind.to_owned(),
            name: name.map(str::to_owned),
            ..Target::default()
        });
        self
    }

    /// Adds the workspace whose log it concerns.
    pub(crate) fn workspace(self, organization: &Organization) -> Self {
        self.target("workspace", &organization.id, Some(&organization.name))
    }

    /// Adds a member of the metadata.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Json>) -> Self {
        self.event
            .metadata
            .get_or_insert_default()
            .insert(key, value);
        self
    }

    /// Adds what was there before.
    pub(crate) fn previous(mut self, members: Object) -> Self {
        self.event.previous = Some(members);
        self
    }

    /// Adds what is there now.
    pub(crate) fn next(mut self, members: Object) -> Self {
        self.event.next = Some(members);
        self
    }

    /// Says that it was refused, and why.
    pub(crate) fn failed(mut self, reason: &str) -> Self {
        self.event.failure = Some(Failure {
            reason: Some(reason.to_owned()),
            ..Failure::default()
        });
        self
    }

    /// The event, ready to be recorded.
    pub(crate) fn draft(self) -> Result<Draft, ApiError> {
        let now = self.now;
        Draft::new(self.event, &Rules::internal(), now, || ids::event_id(now))
            .map_err(ApiError::internal)
    }

    /// For a change that commits together with its record: into this log, or into the installation's
    /// while it is empty.
    pub(crate) fn recorded_in(self, log: &Log) -> Vec<Recorded> {
        self.recorded(if log.size() == 0 { 0 } else { log.slot() })
    }

    /// For a change that concerns the installation.
    pub(crate) fn recorded_at_home(self) -> Vec<Recorded> {
        self.recorded(0)
    }

    fn recorded(self, slot: annals_store::Slot) -> Vec<Recorded> {
        match self.draft() {
            Ok(draft) => {
                vec![Recorded {
                    slot,
                    drafts: vec![draft],
                    recorded_by: RECORDED_BY.to_owned(),
                }]
            }
            Err(error) => {
                // The texts in it were checked when they came in, so this is a fault of ours; the
                // change itself must not fail by it.
                tracing::error!(?error, "cannot record a change");
                Vec::new()
            }
        }
    }
}

/// Records an event of our own and waits until it is durable. While the log is empty it goes to the
/// installation's.
pub(crate) async fn record(app: &App, log: &Log, draft: Draft) -> Result<(), ApiError> {
    let log = if log.size() == 0 {
        &app.store.installation_log()
    } else {
        log
    };
    log.append(append(draft)).await?;
    Ok(())
}

fn append(draft: Draft) -> Append {
    Append {
        drafts: draft.into(),
        recorded_by: RECORDED_BY.to_owned(),
        idempotency: None,
        internal: true,
        receipt: false,
    }
}

/// What was recorded lately for (key, log slot or reason), and in which hour.
#[derive(Debug, Default)]
pub(crate) struct Reads(Mutex<HashMap<(String, String), i64>>);

const HOUR_MICROS: i64 = 3_600_000_000;

impl Reads {
    /// Whether this is the first in its hour. Entries of past hours are dropped as they are met.
    fn first(&self, key: &str, what: String, now: Timestamp) -> bool {
        let hour = now.as_micros().div_euclid(HOUR_MICROS);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= 10_000 {
            seen.retain(|_, at| *at == hour);
        }
        seen.insert((key.to_owned(), what), hour) != Some(hour)
    }

    /// Forgets one, because it could not be recorded.
    fn forget(&self, key: &str, what: String) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(&(key.to_owned(), what));
    }
}

/// Records that a key reads a log, once per key and hour. Without the record there is no reading; an
/// empty log has nothing to read.
pub(crate) async fn viewed(app: &App, caller: &Caller, log: &Log) -> Result<(), ApiError> {
    let what = log.slot().to_string();
    if log.size() == 0 || !app.reads.first(&caller.key.id, what.clone(), app.now()) {
        return Ok(());
    }
    let draft = caller
        .act()
        .event(app, "audit_log.viewed")
        .target("audit_log", log.id(), None)
        .draft()?;
    let recorded = record(app, log, draft).await;
    if recorded.is_err() {
        app.reads.forget(&caller.key.id, what);
    }
    recorded
}

/// Records in the installation's log that a key was refused, once per key, reason and hour. Nobody
/// waits for it: the answer is a refusal either way, and must take the same time.
pub(crate) fn denied(app: &App, caller: &Caller, reason: &str) {
    if !app
        .reads
        .first(&caller.key.id, reason.to_owned(), app.now())
    {
        return;
    }
    let event = caller
        .act()
        .event(app, "audit_log.access_denied")
        .failed(reason);
    let target = event.target("api_key", &caller.key.id, Some(&caller.key.name));
    if let Ok(draft) = target.draft() {
        drop(app.store.installation_log().append(append(draft)));
    }
}

/// Records in a log that a person at a page was refused, once per session, reason and hour. Nobody waits
/// for it, as with [`denied`].
pub(crate) fn turned_away(app: &App, act: &Act, log: &Log, session: &str, reason: &str) {
    let what = format!("{} {reason}", log.slot());
    if !app.reads.first(session, what, app.now()) {
        return;
    }
    let event = act.event(app, "audit_log.access_denied").failed(reason);
    if let Ok(draft) = event.target("session", session, None).draft() {
        drop(log.append(append(draft)));
    }
}
