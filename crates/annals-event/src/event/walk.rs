//! The thorough way from a JSON value to an event: it finds everything that is wrong, and where.

use super::{Actor, Context, Event, Failure, OnBehalfOf, Target};
use crate::json::{Json, Number, Object};
use crate::limits;
use crate::problem::{EventError, Problem, ProblemCode, push_token};
use crate::time::Timestamp;

pub(super) fn event(value: Json) -> Result<Event, EventError> {
    let mut problems = Vec::new();
    let event = Members::of(value, "", &mut problems).and_then(read_event);
    match event {
        Some(event) if problems.is_empty() => Ok(event),
        _ => Err(EventError::many(problems)),
    }
}

/// The members of one object, taken out one by one; those that nobody took are unknown.
struct Members<'p> {
    members: Object,
    pointer: String,
    problems: &'p mut Vec<Problem>,
}

/// `None` where a problem was noted, so that the reading goes on to find the others.
fn read_event(mut m: Members<'_>) -> Option<Event> {
    let action = m.required("action", Members::text);
    let occurred_at = m.required("occurred_at", Members::time);
    let actor = m.required("actor", Members::object(read_actor));
    let targets = m.required("targets", read_targets);
    let context = m.required("context", Members::object(read_context));
    let id = m.optional("id", Members::text);
    let metadata = m.optional("metadata", Members::free);
    let version = m.optional("version", Members::version);
    let failure = m.optional("failure", Members::object(read_failure));
    let previous = m.optional("previous", Members::free);
    let next = m.optional("next", Members::free);
    m.finish();
    Some(Event {
        id: id?,
        action: action?,
        occurred_at: occurred_at?,
        actor: actor?,
        targets: targets?,
        context: context?,
        metadata: metadata?,
        version: version?,
        failure: failure?,
        previous: previous?,
        next: next?,
    })
}

fn read_actor(mut m: Members<'_>) -> Option<Actor> {
    let id = m.required("id", Members::text);
    let kind = m.required("type", Members::text);
    let name = m.optional("name", Members::text);
    let email = m.optional("email", Members::text);
    let role = m.optional("role", Members::text);
    let metadata = m.optional("metadata", Members::free);
    let on_behalf_of = m.optional("on_behalf_of", Members::object(read_on_behalf_of));
    m.finish();
    Some(Actor {
        id: id?,
        kind: kind?,
        name: name?,
        email: email?,
        role: role?,
        metadata: metadata?,
        on_behalf_of: on_behalf_of?,
    })
}

fn read_on_behalf_of(mut m: Members<'_>) -> Option<OnBehalfOf> {
    let id = m.required("id", Members::text);
    let kind = m.required("type", Members::text);
    let name = m.optional("name", Members::text);
    let email = m.optional("email", Members::text);
    m.finish();
    Some(OnBehalfOf {
        id: id?,
        kind: kind?,
        name: name?,
        email: email?,
    })
}

fn read_target(mut m: Members<'_>) -> Option<Target> {
    let id = m.required("id", Members::text);
    let kind = m.required("type", Members::text);
    let name = m.optional("name", Members::text);
    let email = m.optional("email", Members::text);
    let metadata = m.optional("metadata", Members::free);
    m.finish();
    Some(Target {
        id: id?,
        kind: kind?,
        name: name?,
        email: email?,
        metadata: metadata?,
    })
}

fn read_context(mut m: Members<'_>) -> Option<Context> {
    let location = m.optional("location", Members::text);
    let user_agent = m.optional("user_agent", Members::text);
    let source = m.optional("source", Members::text);
    let session_id = m.optional("session_id", Members::text);
    let request_id = m.optional("request_id", Members::text);
    let correlation_id = m.optional("correlation_id", Members::text);
    let trace = m.optional("trace", Members::text);
    m.finish();
    Some(Context {
        location: location?,
        user_agent: user_agent?,
        source: source?,
        session_id: session_id?,
        request_id: request_id?,
        correlation_id: correlation_id?,
        trace: trace?,
    })
}

fn read_failure(mut m: Members<'_>) -> Option<Failure> {
    let reason = m.optional("reason", Members::text);
    let stage = m.optional("stage", Members::text);
    let detail = m.optional("detail", Members::text);
    m.finish();
    Some(Failure {
        reason: reason?,
        stage: stage?,
        detail: detail?,
    })
}

fn read_targets(value: Json, pointer: &str, problems: &mut Vec<Problem>) -> Option<Vec<Target>> {
    let Json::Array(elements) = value else {
        return wrong_type(&value, "an array", pointer, problems);
    };
    if elements.len() > limits::TARGETS {
        let rule = format!(
            "has {} elements, the limit is {}",
            elements.len(),
            limits::TARGETS
        );
        problems.push(Problem::new(pointer, ProblemCode::TooMany, &rule));
        return None;
    }
    // Every element is looked at, also behind one that is wrong.
    let targets: Vec<_> = elements
        .into_iter()
        .enumerate()
        .map(|(n, element)| {
            Members::of(element, &format!("{pointer}/{n}"), problems).and_then(read_target)
        })
        .collect();
    targets.into_iter().collect()
}

fn wrong_type<T>(
    value: &Json,
    takes: &str,
    pointer: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let rule = format!("must be {takes}, not {}", value.kind());
    let rule = if value.is_null() {
        rule + "; leave it out instead"
    } else {
        rule
    };
    problems.push(Problem::new(pointer, ProblemCode::WrongType, &rule));
    None
}

impl<'p> Members<'p> {
    fn of(value: Json, pointer: &str, problems: &'p mut Vec<Problem>) -> Option<Self> {
        match value {
            Json::Object(members) => Some(Self {
                members,
                pointer: pointer.to_owned(),
                problems,
            }),
            other => wrong_type(&other, "an object", pointer, problems),
        }
    }

    fn required<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(Json, &str, &mut Vec<Problem>) -> Option<T>,
    ) -> Option<T> {
        let found = self.optional(key, read)?;
        if found.is_none() {
            let pointer = format!("{}/{key}", self.pointer);
            self.problems
                .push(Problem::new(pointer, ProblemCode::Required, "is required"));
        }
        found
    }

    fn optional<T>(
        &mut self,
        key: &str,
        read: impl FnOnce(Json, &str, &mut Vec<Problem>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.members.remove(key) {
            None => Some(None),
            Some(value) => read(value, &format!("{}/{key}", self.pointer), self.problems).map(Some),
        }
    }

    fn finish(self) {
        for (key, _) in self.members {
            let mut pointer = self.pointer.clone();
            push_token(&mut pointer, &key);
            let rule = "does not exist; put what is your own into metadata";
            self.problems
                .push(Problem::new(pointer, ProblemCode::Unknown, rule));
        }
    }

    fn text(value: Json, pointer: &str, problems: &mut Vec<Problem>) -> Option<String> {
        match value {
            Json::String(text) => Some(text),
            other => wrong_type(&other, "a string", pointer, problems),
        }
    }

    fn time(value: Json, pointer: &str, problems: &mut Vec<Problem>) -> Option<Timestamp> {
        let text = Self::text(value, pointer, problems)?;
        Timestamp::parse(&text)
            .map_err(|error| {
                problems.push(Problem::new(
                    pointer,
                    ProblemCode::BadTime,
                    &error.to_string(),
                ));
            })
            .ok()
    }

    fn version(value: Json, pointer: &str, problems: &mut Vec<Problem>) -> Option<u32> {
        match value {
            Json::Number(Number::Integer(n)) if u32::try_from(n).is_ok() => u32::try_from(n).ok(),
            Json::Number(_) => {
                let rule = "must be an integer from 0 to 4294967295";
                problems.push(Problem::new(pointer, ProblemCode::BadNumber, rule));
                None
            }
            other => wrong_type(&other, "a number", pointer, problems),
        }
    }

    fn free(value: Json, pointer: &str, problems: &mut Vec<Problem>) -> Option<Object> {
        let Json::Object(members) = value else {
            return wrong_type(&value, "an object", pointer, problems);
        };
        if let Some(deep) = too_deep(&members, limits::VALUE_DEPTH) {
            let rule = format!("is nested deeper than {} levels", limits::VALUE_DEPTH);
            problems.push(Problem::new(
                format!("{pointer}{deep}"),
                ProblemCode::TooDeep,
                &rule,
            ));
            return None;
        }
        Some(members)
    }

    fn object<T>(
        read: impl FnOnce(Members<'_>) -> Option<T>,
    ) -> impl FnOnce(Json, &str, &mut Vec<Problem>) -> Option<T> {
        move |value, pointer, problems| Members::of(value, pointer, problems).and_then(read)
    }
}

/// Pointer, relative to `members`, to the first container that lies deeper than `depth`, `members` itself counting as one.
pub(crate) fn too_deep(members: &Object, depth: usize) -> Option<String> {
    let Some(left) = depth.checked_sub(1) else {
        return Some(String::new());
    };
    members.iter().find_map(|(key, value)| {
        let deep = value_too_deep(value, left)?;
        let mut pointer = String::new();
        push_token(&mut pointer, key);
        Some(pointer + &deep)
    })
}

fn value_too_deep(value: &Json, depth: usize) -> Option<String> {
    match value {
        Json::Object(members) => too_deep(members, depth),
        Json::Array(elements) => match depth.checked_sub(1) {
            None => Some(String::new()),
            Some(left) => elements.iter().enumerate().find_map(|(n, element)| {
                value_too_deep(element, left).map(|deep| format!("/{n}{deep}"))
            }),
        },
        _ => None,
    }
}
