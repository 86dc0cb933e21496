mod borrowed;
mod walk;

pub(crate) use borrowed::{CONTEXT, EventRef, EventSeed, PartyRef};
pub(crate) use walk::too_deep;

use crate::json::{Json, JsonErrorKind, Number, Object};
use crate::limits;
use crate::problem::{EventError, Problem, ProblemCode};
use crate::time::Timestamp;

/// What happened, as the producer reports it. A superset of the WorkOS audit-log event.
///
/// `None` means that the member is absent; `null` does not exist here.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Unique within the workspace, so that a repeated event is recorded once. Made on receipt where the producer gives none.
    pub id: Option<String>,
    /// The dotted name of what happened, such as `issue.status_updated`.
    pub action: String,
    /// When, by the producer's clock.
    pub occurred_at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// What it was done to; the primary target first. May be empty.
    pub targets: Vec<Target>,
    /// From where and how.
    pub context: Context,
    /// Free members that describe the event.
    pub metadata: Option<Object>,
    /// Version of the action's schema.
    pub version: Option<u32>,
    /// Present exactly where the attempt failed.
    pub failure: Option<Failure>,
    /// Values before the change, only those that changed.
    pub previous: Option<Object>,
    /// Values after the change, only those that changed.
    pub next: Option<Object>,
}

/// Who acted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actor {
    /// Stable id in the producer's system. Empty only in a [`crate::Row`] whose actor was erased.
    pub id: String,
    /// What kind of actor: `user`, `system`, `api_token`. On the wire `type`.
    pub kind: String,
    /// Name at that moment.
    pub name: Option<String>,
    /// E-mail address at that moment.
    pub email: Option<String>,
    /// Role in the workspace at that moment.
    pub role: Option<String>,
    /// Free members.
    pub metadata: Option<Object>,
    /// In whose stead the actor acted.
    pub on_behalf_of: Option<OnBehalfOf>,
}

/// In whose stead an actor acted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OnBehalfOf {
    /// Stable id.
    pub id: String,
    /// What kind of party. On the wire `type`.
    pub kind: String,
    /// Name at that moment.
    pub name: Option<String>,
    /// E-mail address at that moment.
    pub email: Option<String>,
}

/// What something was done to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// Stable id. Empty only in a [`crate::Row`] whose target was erased.
    pub id: String,
    /// What kind of thing: `issue`, `project`, `user`. On the wire `type`.
    pub kind: String,
    /// Name at that moment.
    pub name: Option<String>,
    /// E-mail address at that moment, where the target is a person.
    pub email: Option<String>,
    /// Free members.
    pub metadata: Option<Object>,
}

/// From where and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// IP address or place.
    pub location: Option<String>,
    /// User agent of the request.
    pub user_agent: Option<String>,
    /// Where in the product: `web`, `api`, `widget`.
    pub source: Option<String>,
    /// Opaque id of the session, never its cookie.
    pub session_id: Option<String>,
    /// Id of the request.
    pub request_id: Option<String>,
    /// Id that the events of one act share.
    pub correlation_id: Option<String>,
    /// Trace id of the producer's tracing.
    pub trace: Option<String>,
}

/// That an attempt failed, and why.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failure {
    /// Why, as a short name, such as `invalid_password`.
    pub reason: Option<String>,
    /// At which step: `validation`, `authorization`, `delivery`.
    pub stage: Option<String>,
    /// A sentence that is safe to show.
    pub detail: Option<String>,
}

impl Event {
    /// An event with what every event has; the rest is empty.
    pub fn new(action: impl Into<String>, occurred_at: Timestamp, actor: Actor) -> Self {
        Self {
            id: None,
            action: action.into(),
            occurred_at,
            actor,
            targets: Vec::new(),
            context: Context::default(),
            metadata: None,
            version: None,
            failure: None,
            previous: None,
            next: None,
        }
    }

    /// Reads one event from JSON text, strictly: members that do not exist, `null`, wrong types and duplicate keys are refused.
    ///
    /// Sizes and patterns are checked by [`crate::Draft::new`], which every event passes before it is recorded.
    ///
    /// # Errors
    /// [`EventError`] with a JSON pointer for every member that is wrong.
    pub fn from_json(text: &[u8]) -> Result<Self, EventError> {
        if text.len() > limits::EVENT_BYTES {
            return Err(too_large(text.len(), limits::EVENT_BYTES).into());
        }
        // The straight way says only that something is wrong; the second reading says what and where.
        borrowed::event(text).map_or_else(
            || {
                let json = Json::parse(text).map_err(|error| {
                    let (code, rule) = match error.kind {
                        JsonErrorKind::DuplicateKey => (ProblemCode::Duplicate, "stands twice"),
                        JsonErrorKind::Nul => (ProblemCode::BadPattern, "has the character U+0000"),
                        JsonErrorKind::TooDeep => (ProblemCode::TooDeep, "is nested too deeply"),
                        JsonErrorKind::Number => {
                            (ProblemCode::BadNumber, "is a number out of range")
                        }
                        JsonErrorKind::Incomplete => (ProblemCode::BadJson, "ends early"),
                        JsonErrorKind::Syntax => (ProblemCode::BadJson, "is not valid JSON"),
                    };
                    let mut problem = Problem::new(error.pointer, code, rule);
                    if error.line > 0 {
                        problem.message +=
                            &format!(" (line {}, column {})", error.line, error.column);
                    }
                    EventError::one(problem)
                })?;
                Self::from_value(json)
            },
            Ok,
        )
    }

    /// Reads one event from a JSON value, as [`Event::from_json`] does.
    ///
    /// # Errors
    /// [`EventError`] with a JSON pointer for every member that is wrong.
    pub fn from_value(value: Json) -> Result<Self, EventError> {
        walk::event(value)
    }

    /// The event as JSON; what is absent is left out.
    pub fn to_json(&self) -> Json {
        let mut out = Object::new();
        put(&mut out, "id", self.id.as_deref());
        out.insert("action", self.action.as_str());
        out.insert("occurred_at", self.occurred_at.to_string());
        out.insert("actor", self.actor.to_json());
        out.insert(
            "targets",
            self.targets.iter().map(Target::to_json).collect::<Vec<_>>(),
        );
        out.insert("context", self.context.to_json());
        put(&mut out, "metadata", self.metadata.clone());
        put(
            &mut out,
            "version",
            self.version.map(|n| Number::Integer(n.into())),
        );
        put(
            &mut out,
            "failure",
            self.failure.as_ref().map(Failure::to_json),
        );
        put(&mut out, "previous", self.previous.clone());
        put(&mut out, "next", self.next.clone());
        Json::Object(out)
    }
}

impl Actor {
    /// An actor of whom only kind and id are known.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// The same actor with a name.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    /// The same actor with an e-mail address.
    pub fn with_email(self, email: impl Into<String>) -> Self {
        Self {
            email: Some(email.into()),
            ..self
        }
    }

    /// The same actor with the role that it has at that moment.
    pub fn with_role(self, role: impl Into<String>) -> Self {
        Self {
            role: Some(role.into()),
            ..self
        }
    }

    fn to_json(&self) -> Json {
        let mut out = party(
            &self.id,
            &self.kind,
            self.name.as_ref(),
            self.email.as_ref(),
        );
        put(&mut out, "role", self.role.as_deref());
        put(&mut out, "metadata", self.metadata.clone());
        put(
            &mut out,
            "on_behalf_of",
            self.on_behalf_of.as_ref().map(OnBehalfOf::to_json),
        );
        Json::Object(out)
    }
}

impl OnBehalfOf {
    /// The party as JSON.
    pub fn to_json(&self) -> Json {
        Json::Object(party(
            &self.id,
            &self.kind,
            self.name.as_ref(),
            self.email.as_ref(),
        ))
    }
}

impl Target {
    /// A target of which only kind and id are known.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            ..Self::default()
        }
    }

    /// The same target with a name.
    pub fn named(self, name: impl Into<String>) -> Self {
        Self {
            name: Some(name.into()),
            ..self
        }
    }

    fn to_json(&self) -> Json {
        let mut out = party(
            &self.id,
            &self.kind,
            self.name.as_ref(),
            self.email.as_ref(),
        );
        put(&mut out, "metadata", self.metadata.clone());
        Json::Object(out)
    }
}

impl Context {
    /// The members and their values, in canonical order.
    pub fn members(&self) -> [(&'static str, Option<&str>); 7] {
        [
            ("correlation_id", self.correlation_id.as_deref()),
            ("location", self.location.as_deref()),
            ("request_id", self.request_id.as_deref()),
            ("session_id", self.session_id.as_deref()),
            ("source", self.source.as_deref()),
            ("trace", self.trace.as_deref()),
            ("user_agent", self.user_agent.as_deref()),
        ]
    }

    fn to_json(&self) -> Json {
        let members = self.members();
        Json::Object(
            members
                .iter()
                .filter_map(|(key, value)| Some((*key, (*value)?)))
                .collect(),
        )
    }
}

impl Failure {
    /// A failure of which only the reason is known.
    pub fn because(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::default()
        }
    }

    fn to_json(&self) -> Json {
        let mut out = Object::new();
        put(&mut out, "reason", self.reason.as_deref());
        put(&mut out, "stage", self.stage.as_deref());
        put(&mut out, "detail", self.detail.as_deref());
        Json::Object(out)
    }
}

pub(crate) fn too_large(size: usize, limit: usize) -> Problem {
    let rule = format!("has {size} bytes, the limit is {limit}");
    Problem::new("", ProblemCode::TooLarge, &rule)
}

fn party(id: &str, kind: &str, name: Option<&String>, email: Option<&String>) -> Object {
    let mut out = Object::new();
    put(&mut out, "id", Some(id).filter(|id| !id.is_empty()));
    out.insert("type", kind);
    put(&mut out, "name", name.cloned());
    put(&mut out, "email", email.cloned());
    out
}

fn put(out: &mut Object, key: &str, value: Option<impl Into<Json>>) {
    if let Some(value) = value {
        out.insert(key, value);
    }
}
