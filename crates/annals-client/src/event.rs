//! An event before it is recorded, and what it is made of.

use annals_event::{
    Actor, Context, Draft, Event, EventError, Failure, Json, Number, Object, Rules, Target,
    Timestamp,
};

/// What happened, before it has an id: the start of every event, and the builder for actions of your own.
///
/// The types of [`crate::actions`] are this with only what their action knows. Whatever records it adds the id, the time where
/// none is given, and the context of the request where none is given (see [`crate::RequestContext`]).
///
/// ```
/// use annals_client::{Actor, NewEvent};
/// let event = NewEvent::new("invoice.paid", Actor::new("user", "usr_1").named("Ana Ruiz"))
///     .target("invoice", ("inv_7", "November"))
///     .next("state", "paid")
///     .metadata("amount_cents", 4_200);
/// ```
#[derive(Clone, Debug)]
pub struct NewEvent {
    event: Event,
    at: Option<Timestamp>,
}

/// What something was done to, where the action says of which type it is: an id, and what it was called at that moment.
///
/// Made from `"iss_7"`, from `("iss_7", "Header overlaps")`, or with the methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Ref(Target);

/// An integral number that JSON carries exactly: within ±(2^53 − 1). What lies beyond is moved to the nearest bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integer(i64);

impl NewEvent {
    /// An event of any action. Those of the catalogue have a type of their own, which knows their members.
    pub fn new(action: impl Into<String>, actor: impl Into<Actor>) -> Self {
        Self {
            event: Event::new(action, Timestamp::clamped(0), actor.into()),
            at: None,
        }
    }

    /// Adds a target of this type; the first is the primary one.
    #[must_use]
    pub fn target(mut self, kind: impl Into<String>, target: impl Into<Ref>) -> Self {
        self.event.targets.push(Target {
            kind: kind.into(),
            ..target.into().0
        });
        self
    }

    /// Sets a value as it was before the change.
    #[must_use]
    pub fn previous(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        put(&mut self.event.previous, key, value);
        self
    }

    /// Sets a value as it is after the change.
    #[must_use]
    pub fn next(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        put(&mut self.event.next, key, value);
        self
    }

    /// Sets a free member.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        put(&mut self.event.metadata, key, value);
        self
    }

    /// Says that the attempt failed, and why in a short word.
    #[must_use]
    pub fn failed(mut self, reason: impl Into<String>) -> Self {
        self.failure().reason = Some(reason.into());
        self
    }

    /// Says that the attempt failed, and at which step.
    #[must_use]
    pub fn stage(mut self, stage: impl Into<String>) -> Self {
        self.failure().stage = Some(stage.into());
        self
    }

    /// Says that the attempt failed, and why in a sentence that is safe to show.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.failure().detail = Some(detail.into());
        self
    }

    /// When it happened; without this, when it is recorded.
    #[must_use]
    pub fn at(mut self, time: Timestamp) -> Self {
        self.at = Some(time);
        self
    }

    /// An id of your own, 1 to 128 printable ASCII characters, unique in the workspace. Without it a `UUIDv7` is made.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.event.id = Some(id.into());
        self
    }

    /// The version of the action's schema that the event was made for.
    #[must_use]
    pub fn version(mut self, version: u32) -> Self {
        self.event.version = Some(version);
        self
    }

    /// From where and how, in place of what the request says.
    #[must_use]
    pub fn context(mut self, context: impl Into<Context>) -> Self {
        self.event.context = context.into();
        self
    }

    /// Where in the product: `web`, `api`, `widget`.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.event.context.source = Some(source.into());
        self
    }

    /// The id of the session, which must not be its cookie.
    #[must_use]
    pub fn session_id(mut self, session: impl Into<String>) -> Self {
        self.event.context.session_id = Some(session.into());
        self
    }

    /// An id that all events of one act share.
    #[must_use]
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.event.context.correlation_id = Some(id.into());
        self
    }

    /// The event as it will be recorded: with id and time, and with what `context` knows and the event does not say.
    ///
    /// # Errors
    /// [`EventError`] names every member that Annals would refuse.
    pub fn complete(
        self,
        now: Timestamp,
        context: Option<&Context>,
        make_id: impl FnOnce() -> String,
    ) -> Result<Event, EventError> {
        let mut event = self.event;
        event.occurred_at = self.at.unwrap_or(now);
        event.id.get_or_insert_with(make_id);
        if let Some(context) = context {
            fill(&mut event.context, context);
        }
        // The very check of the server, so that what cannot be recorded is refused where it is made. An id is there already.
        Draft::new(event.clone(), &Rules::open(), now, String::new)?;
        Ok(event)
    }

    fn failure(&mut self) -> &mut Failure {
        self.event.failure.get_or_insert_with(Failure::default)
    }
}

fn put(members: &mut Option<Object>, key: impl Into<String>, value: impl Into<Json>) {
    members
        .get_or_insert_with(Object::new)
        .insert(key, value.into());
}

fn fill(own: &mut Context, request: &Context) {
    for (own, request) in [
        (&mut own.location, &request.location),
        (&mut own.user_agent, &request.user_agent),
        (&mut own.source, &request.source),
        (&mut own.session_id, &request.session_id),
        (&mut own.request_id, &request.request_id),
        (&mut own.correlation_id, &request.correlation_id),
        (&mut own.trace, &request.trace),
    ] {
        if own.is_none() {
            own.clone_from(request);
        }
    }
}

impl Ref {
    /// What has this id.
    pub fn new(id: impl Into<String>) -> Self {
        Self(Target::new("", id))
    }

    /// What it is called now.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.0.name = Some(name.into());
        self
    }

    /// Its e-mail address, where it is a person.
    #[must_use]
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.0.email = Some(email.into());
        self
    }

    /// A free member about it.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Json>) -> Self {
        put(&mut self.0.metadata, key, value);
        self
    }
}

impl From<&str> for Ref {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl From<String> for Ref {
    fn from(id: String) -> Self {
        Self::new(id)
    }
}

impl<I: Into<String>, N: Into<String>> From<(I, N)> for Ref {
    fn from((id, name): (I, N)) -> Self {
        Self::new(id).named(name)
    }
}

macro_rules! integers {
    ($($kind:ty)*) => {$(
        impl From<$kind> for Integer {
            fn from(value: $kind) -> Self {
                let bound = annals_event::limits::SAFE_INTEGER;
                Self(i64::try_from(value).map_or(bound, |value| value.clamp(-bound, bound)))
            }
        }
    )*};
}

integers!(u8 u16 u32 u64 usize i8 i16 i32 i64);

impl From<Integer> for Json {
    fn from(value: Integer) -> Self {
        Self::Number(Number::Integer(value.0))
    }
}
