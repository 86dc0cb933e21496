//! From an event to a draft: every limit, every pattern, and which value goes where.

use super::split::{Sections, split, target_heads};
use super::{
    Draft, Rules, UNSPECIFIED, has_own_prefix, is_event_id, is_name, is_too_far_ahead, size,
};
use crate::catalogue::{Member, Outcome};
use crate::event::{Actor, Event, EventRef, Target, too_deep, too_large};
use crate::json::{Json, Object};
use crate::limits;
use crate::problem::{EventError, Problem, ProblemCode, push_token};
use crate::time::Timestamp;

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
        adopt_reason(&mut event, rules);
        let given_id = event.id.is_some();
        let id = event.id.take().unwrap_or_else(new_id);
        let mut free = String::new();
        let event = EventRef::of(&event, &mut free);
        let mut sections = Sections::default();
        let head = split(&event, &free, &id, rules, &mut sections);
        let targets = target_heads(&event, rules);
        let size = size(&head, targets.clone(), sections.iter());
        if size > limits::RECORD_BYTES {
            return Err(too_large(size, limits::RECORD_BYTES).into());
        }
        // They were texts a moment ago, so nothing is lost.
        let own = |text: &[u8]| Ok::<_, EventError>(String::from_utf8_lossy(text).into_owned());
        Ok(Self {
            skeleton: head.to_skeleton(targets, own)?,
            sections: sections.to_vec(),
            given_id,
        })
    }
}

/// Moves the reason of a failure from the metadata to its place: clients of WorkOS have no other place for it.
fn adopt_reason(event: &mut Event, rules: &Rules<'_>) {
    let Some(known) = rules.catalogue.get(&event.action) else {
        return;
    };
    let listed = |reason: &str| reason == UNSPECIFIED || known.reasons.contains(&reason);
    let given = event
        .failure
        .as_ref()
        .is_some_and(|failure| failure.reason.is_some());
    if known.outcome == Outcome::Failure
        && !given
        && let Some(metadata) = &mut event.metadata
        && metadata.get_str("failure_reason").is_some_and(listed)
        && let Some(Json::String(reason)) = metadata.remove("failure_reason")
    {
        event.failure.get_or_insert_default().reason = Some(reason);
    }
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
        if is_too_far_ahead(event.occurred_at, now) {
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
        if rules.strict
            && let Some(entry) = rules.catalogue.get(&event.action)
        {
            let changed: Vec<Member> = entry.changed().collect();
            self.known(at("previous"), event.previous.as_ref(), &changed);
            self.known(at("next"), event.next.as_ref(), &changed);
            let metadata: Vec<Member> = entry.metadata().collect();
            self.known(at("metadata"), event.metadata.as_ref(), &metadata);
        }
    }

    /// Members that the catalogue knows, with values that it knows.
    fn known(&mut self, at: At<'_>, given: Option<&Object>, members: &[Member]) {
        for (key, value) in given.into_iter().flat_map(Object::iter) {
            let at = At::Member(&at, key);
            match members.iter().find(|member| member.name == key) {
                Some(member) if member.takes(value) => {}
                Some(member) => {
                    let rule = format!("must be {}", member.expected());
                    self.note(at, ProblemCode::NotInCatalogue, &rule);
                }
                None => {
                    let rule = "is not a member that the catalogue has for this action";
                    self.note(at, ProblemCode::NotInCatalogue, rule);
                }
            }
        }
    }

    fn action(&mut self, at: At<'_>, action: &str, rules: &Rules<'_>) {
        self.name(at, action);
        if !rules.internal && has_own_prefix(action) {
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
