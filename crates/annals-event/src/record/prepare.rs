//! From an event to a draft: every limit, every pattern, and which value goes where.

use super::{
    ActorRef, Draft, Rules, Section, Skeleton, TargetRef, UNSPECIFIED, contains_email, is_event_id,
    is_name,
};
use crate::catalogue::Outcome;
use crate::event::{Actor, Context, Event, Failure, OnBehalfOf, Target, too_deep, too_large};
use crate::json::{Json, Object, write_object, write_string};
use crate::limits;
use crate::problem::{EventError, Problem, ProblemCode, push_token};
use crate::time::Timestamp;

/// The prefix of the events that Annals writes itself.
const OWN_PREFIX: &str = "audit_log.";

impl Draft {
    /// Checks an event against the rules and splits it into what stands in the clear and its sections.
    ///
    /// `now` is the receiver's clock; `new_id` makes an id where the event has none.
    ///
    /// # Errors
    /// [`EventError`] with every member that breaks a limit, a pattern or a rule.
    pub fn new(
        mut event: Event,
        rules: &Rules<'_>,
        now: Timestamp,
        new_id: impl FnOnce() -> String,
    ) -> Result<Self, EventError> {
        let mut check = Check {
            problems: Vec::new(),
        };
        check.event(&event, rules, now);
        if !check.problems.is_empty() {
            return Err(EventError::many(check.problems));
        }
        let reason = settle_reason(&mut event, rules);
        let given_id = event.id.is_some();
        let personal = |kind: &str, id: &str| {
            rules.personal_types.iter().any(|personal| personal == kind) || contains_email(id)
        };

        let Event {
            id,
            action,
            occurred_at,
            actor,
            targets,
            context,
            ..
        } = &mut event;
        let mut sections = Vec::with_capacity(Section::TARGETS + targets.len());
        let hidden = personal(&actor.kind, &actor.id);
        let role = actor.role.take_if(|role| is_name(role));
        sections.push(actor_section(actor, hidden));
        sections.push(context_section(context));
        let mut skeleton = Skeleton {
            id: id.take().unwrap_or_else(new_id),
            action: std::mem::take(action),
            occurred_at: *occurred_at,
            actor: ActorRef {
                id: (!hidden).then(|| std::mem::take(&mut actor.id)),
                kind: std::mem::take(&mut actor.kind),
                role,
            },
            failure: None,
            targets: Vec::with_capacity(targets.len()),
        };
        let targets = std::mem::take(targets);
        sections.push(details_section(&event));
        skeleton.failure = reason;
        for target in targets {
            let hidden = personal(&target.kind, &target.id);
            sections.push(target_section(&target, hidden));
            skeleton.targets.push(TargetRef {
                id: (!hidden).then_some(target.id),
                kind: target.kind,
            });
        }
        let draft = Self {
            skeleton,
            sections,
            given_id,
        };
        match draft.size() {
            size if size > limits::RECORD_BYTES => {
                Err(too_large(size, limits::RECORD_BYTES).into())
            }
            _ => Ok(draft),
        }
    }
}

/// The reason for the skeleton. What of the failure belongs into the details stays in `event.failure`.
fn settle_reason(event: &mut Event, rules: &Rules<'_>) -> Option<String> {
    let known = rules.catalogue.get(&event.action);
    let fails = known.is_some_and(|entry| entry.outcome == Outcome::Failure);
    let listed = |reason: &str| {
        reason == UNSPECIFIED || known.is_some_and(|entry| entry.reasons.contains(&reason))
    };
    // Clients of WorkOS have no other place for it.
    let given = event
        .failure
        .as_ref()
        .is_some_and(|failure| failure.reason.is_some());
    if fails
        && !given
        && let Some(metadata) = &mut event.metadata
        && metadata.get_str("failure_reason").is_some_and(listed)
        && let Some(Json::String(reason)) = metadata.remove("failure_reason")
    {
        event.failure.get_or_insert_default().reason = Some(reason);
    }
    let failure = match (&mut event.failure, fails) {
        (None, false) => return None,
        (None, true) => return Some(UNSPECIFIED.to_owned()),
        (Some(failure), _) => failure,
    };
    let clear = |reason: &mut String| {
        if fails {
            listed(reason)
        } else {
            is_name(reason)
        }
    };
    Some(
        failure
            .reason
            .take_if(clear)
            .unwrap_or_else(|| UNSPECIFIED.to_owned()),
    )
}

/// Writes the members of one section in their sorted order, so that the text is canonical.
struct Writer {
    text: String,
}

impl Writer {
    fn new() -> Self {
        Self {
            text: String::with_capacity(128),
        }
    }

    fn key(&mut self, key: &str) {
        self.text
            .push_str(if self.text.is_empty() { "{\"" } else { ",\"" });
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    fn string(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key);
            write_string(&mut self.text, value);
        }
    }

    fn object(&mut self, key: &str, value: Option<&Object>) {
        if let Some(value) = value {
            self.key(key);
            write_object(&mut self.text, value);
        }
    }

    fn done(mut self) -> Section {
        if self.text.is_empty() {
            return Section::Empty;
        }
        self.text.push('}');
        Section::Value(self.text)
    }
}

fn actor_section(actor: &Actor, hidden: bool) -> Section {
    let mut out = Writer::new();
    out.string("email", actor.email.as_deref());
    out.string("id", hidden.then_some(&*actor.id));
    out.object("metadata", actor.metadata.as_ref());
    out.string("name", actor.name.as_deref());
    if let Some(party) = &actor.on_behalf_of {
        out.key("on_behalf_of");
        out.text.push_str(&on_behalf_of(party));
    }
    out.string("role", actor.role.as_deref());
    match out.done() {
        // Always committed, so that every leaf has a salt in it and cannot be guessed from its neighbours.
        Section::Empty => Section::Value("{}".to_owned()),
        section => section,
    }
}

fn on_behalf_of(party: &OnBehalfOf) -> String {
    let mut out = Writer::new();
    out.string("email", party.email.as_deref());
    out.string("id", Some(&party.id));
    out.string("name", party.name.as_deref());
    out.string("type", Some(&party.kind));
    out.text.push('}');
    out.text
}

fn context_section(context: &Context) -> Section {
    let mut out = Writer::new();
    for (key, value) in context.members() {
        out.string(key, value);
    }
    out.done()
}

fn details_section(event: &Event) -> Section {
    let mut out = Writer::new();
    if let Some(Failure {
        reason,
        stage,
        detail,
    }) = &event.failure
    {
        let mut failure = Writer::new();
        failure.string("detail", detail.as_deref());
        failure.string("reason", reason.as_deref());
        failure.string("stage", stage.as_deref());
        if let Section::Value(text) = failure.done() {
            out.key("failure");
            out.text.push_str(&text);
        }
    }
    out.object("metadata", event.metadata.as_ref());
    out.object("next", event.next.as_ref());
    out.object("previous", event.previous.as_ref());
    if let Some(version) = event.version {
        out.key("version");
        out.text.push_str(&version.to_string());
    }
    out.done()
}

fn target_section(target: &Target, hidden: bool) -> Section {
    let mut out = Writer::new();
    out.string("email", target.email.as_deref());
    out.string("id", hidden.then_some(&*target.id));
    out.object("metadata", target.metadata.as_ref());
    out.string("name", target.name.as_deref());
    out.done()
}

/// A place in the document that costs nothing until a problem is noted.
#[derive(Clone, Copy)]
enum At<'a> {
    Root,
    Member(&'a At<'a>, &'a str),
    Index(&'a At<'a>, usize),
}

impl At<'_> {
    fn pointer(&self) -> String {
        match self {
            At::Root => String::new(),
            At::Member(outer, key) => {
                let mut pointer = outer.pointer();
                push_token(&mut pointer, key);
                pointer
            }
            At::Index(outer, n) => format!("{}/{n}", outer.pointer()),
        }
    }
}

struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn note(&mut self, at: At<'_>, code: ProblemCode, rule: &str) {
        self.problems.push(Problem::new(at.pointer(), code, rule));
    }

    fn event(&mut self, event: &Event, rules: &Rules<'_>, now: Timestamp) {
        let root = At::Root;
        let at = |key| At::Member(&root, key);
        self.action(at("action"), &event.action, rules);
        if event
            .occurred_at
            .as_micros()
            .saturating_sub(now.as_micros())
            > limits::AHEAD_MICROS
        {
            let rule = "lies more than 10 minutes ahead of the clock here";
            self.note(at("occurred_at"), ProblemCode::InFuture, rule);
        }
        self.actor(at("actor"), &event.actor);
        if event.targets.len() > limits::TARGETS {
            let rule = format!(
                "has {} elements, the limit is {}",
                event.targets.len(),
                limits::TARGETS
            );
            self.note(at("targets"), ProblemCode::TooMany, &rule);
            return;
        }
        for (n, target) in event.targets.iter().enumerate() {
            self.target(At::Index(&at("targets"), n), target);
        }
        for (key, value) in event.context.members() {
            self.text(At::Member(&at("context"), key), value);
        }
        if event.id.as_deref().is_some_and(|id| !is_event_id(id)) {
            let rule =
                "must be 1 to 128 printable ASCII characters without space or e-mail address";
            self.note(at("id"), ProblemCode::BadPattern, rule);
        }
        self.free(at("metadata"), event.metadata.as_ref());
        if let Some(failure) = &event.failure {
            let at = at("failure");
            self.text(At::Member(&at, "reason"), failure.reason.as_deref());
            self.text(At::Member(&at, "stage"), failure.stage.as_deref());
            self.text(At::Member(&at, "detail"), failure.detail.as_deref());
        }
        self.free(at("previous"), event.previous.as_ref());
        self.free(at("next"), event.next.as_ref());
    }

    fn action(&mut self, at: At<'_>, action: &str, rules: &Rules<'_>) {
        self.name(at, action);
        // Without regard to case, as searches compare: no event may look like one of ours.
        let own = action
            .get(..OWN_PREFIX.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(OWN_PREFIX));
        if !rules.internal && own {
            let rule = "starts with audit_log., which is kept for events about the log itself";
            self.note(at, ProblemCode::Reserved, rule);
        } else if rules.strict && !rules.catalogue.knows(action) {
            self.note(at, ProblemCode::NotInCatalogue, "is not in the catalogue");
        }
    }

    fn actor(&mut self, at: At<'_>, actor: &Actor) {
        self.id(At::Member(&at, "id"), &actor.id);
        self.name(At::Member(&at, "type"), &actor.kind);
        self.text(At::Member(&at, "name"), actor.name.as_deref());
        self.text(At::Member(&at, "email"), actor.email.as_deref());
        self.text(At::Member(&at, "role"), actor.role.as_deref());
        self.free(At::Member(&at, "metadata"), actor.metadata.as_ref());
        if let Some(party) = &actor.on_behalf_of {
            let at = At::Member(&at, "on_behalf_of");
            self.id(At::Member(&at, "id"), &party.id);
            self.name(At::Member(&at, "type"), &party.kind);
            self.text(At::Member(&at, "name"), party.name.as_deref());
            self.text(At::Member(&at, "email"), party.email.as_deref());
        }
    }

    fn target(&mut self, at: At<'_>, target: &Target) {
        self.id(At::Member(&at, "id"), &target.id);
        self.name(At::Member(&at, "type"), &target.kind);
        self.text(At::Member(&at, "name"), target.name.as_deref());
        self.text(At::Member(&at, "email"), target.email.as_deref());
        self.free(At::Member(&at, "metadata"), target.metadata.as_ref());
    }

    fn name(&mut self, at: At<'_>, name: &str) {
        if name.is_empty() {
            self.note(at, ProblemCode::Required, "must not be empty");
        } else if name.len() > limits::NAME_BYTES {
            self.too_long(at, name.len(), limits::NAME_BYTES);
        } else if !is_name(name) {
            let rule = "must consist of letters, digits and _ . : / - only";
            self.note(at, ProblemCode::BadPattern, rule);
        }
    }

    fn id(&mut self, at: At<'_>, id: &str) {
        if id.is_empty() {
            self.note(at, ProblemCode::Required, "must not be empty");
        } else if id.len() > limits::ID_BYTES {
            self.too_long(at, id.len(), limits::ID_BYTES);
        } else if !id
            .bytes()
            .all(|byte| byte.is_ascii_graphic() || byte == b' ')
            && id.chars().any(char::is_control)
        {
            self.note(at, ProblemCode::BadPattern, "has a control character");
        }
    }

    fn text(&mut self, at: At<'_>, text: Option<&str>) {
        let Some(text) = text else { return };
        if text.len() > limits::TEXT_BYTES {
            self.too_long(at, text.len(), limits::TEXT_BYTES);
        } else if text.as_bytes().contains(&0) {
            self.note(at, ProblemCode::BadPattern, "has the character U+0000");
        }
    }

    fn too_long(&mut self, at: At<'_>, length: usize, limit: usize) {
        let rule = format!("has {length} bytes, the limit is {limit}");
        self.note(at, ProblemCode::TooLong, &rule);
    }

    fn free(&mut self, at: At<'_>, members: Option<&Object>) {
        let Some(members) = members else { return };
        if let Some(deep) = too_deep(members, limits::VALUE_DEPTH) {
            let rule = format!("is nested deeper than {} levels", limits::VALUE_DEPTH);
            let pointer = at.pointer() + &deep;
            self.problems
                .push(Problem::new(pointer, ProblemCode::TooDeep, &rule));
            return;
        }
        for (key, _) in members.iter() {
            if key.starts_with('$') {
                let rule = "starts with $, which is kept for downloads";
                self.note(At::Member(&at, key), ProblemCode::Reserved, rule);
            }
        }
        self.object(at, members);
    }

    fn object(&mut self, at: At<'_>, members: &Object) {
        if members.len() > limits::OBJECT_KEYS {
            let rule = format!(
                "has {} keys, the limit is {}",
                members.len(),
                limits::OBJECT_KEYS
            );
            self.note(at, ProblemCode::TooMany, &rule);
            return;
        }
        for (key, value) in members.iter() {
            if key.len() > limits::KEY_BYTES {
                let rule = format!(
                    "has a key of {} bytes, the limit is {}",
                    key.len(),
                    limits::KEY_BYTES
                );
                self.note(at, ProblemCode::TooLong, &rule);
            } else if key.as_bytes().contains(&0) {
                self.note(
                    at,
                    ProblemCode::BadPattern,
                    "has a key with the character U+0000",
                );
            } else {
                self.value(At::Member(&at, key), value);
            }
        }
    }

    fn value(&mut self, at: At<'_>, value: &Json) {
        match value {
            Json::String(text) => self.text(at, Some(text)),
            Json::Object(members) => self.object(at, members),
            Json::Array(elements) => {
                for (n, element) in elements.iter().enumerate() {
                    self.value(At::Index(&at, n), element);
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}
