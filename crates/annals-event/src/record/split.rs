//! Which value of an event goes where: into the skeleton, or into which section.

use super::drafts::ORDINARY;
use super::{Head, Rules, Section, SectionRef, TargetHead, UNSPECIFIED, contains_email, is_name};
use crate::catalogue::Outcome;
use crate::event::{CONTEXT, EventRef, PartyRef};
use crate::json::{Free, write_string};

/// The canonical texts of an event's sections, one behind the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Sections {
    text: String,
    ends: Vec<usize>,
}

/// What the skeleton says of a failure, and what is left for the details.
#[derive(Clone, Copy)]
struct Reason<'e> {
    clear: Option<&'e str>,
    detail: Option<&'e str>,
}

/// Splits an event that has passed every check; `free` has its free values.
pub(super) fn split<'e>(
    event: &'e EventRef<'_>,
    free: &str,
    id: &'e str,
    rules: &Rules<'_>,
    sections: &mut Sections,
) -> Head<'e> {
    let reason = reason(event, rules);
    let hidden = is_personal(&event.actor, rules);
    let role = event.actor.role.as_deref();
    let clear_role = role.filter(|role| is_name(role));
    let hidden_role = role.filter(|_| clear_role.is_none());

    sections.clear();
    let mut out = Writer { sections, free };
    out.actor(&event.actor, hidden, hidden_role);
    out.context(event);
    out.details(event, reason.detail);
    for target in &event.targets {
        out.target(target, is_personal(target, rules));
    }
    Head {
        id: id.as_bytes(),
        action: event.action.as_bytes(),
        occurred_at: event.occurred_at,
        actor: head(&event.actor, hidden),
        role: clear_role.map(str::as_bytes),
        failure: reason.clear.map(str::as_bytes),
    }
}

/// What the skeleton has of the targets.
pub(super) fn target_heads<'e>(
    event: &'e EventRef<'_>,
    rules: &Rules<'_>,
) -> impl ExactSizeIterator<Item = TargetHead<'e>> + Clone {
    event
        .targets
        .iter()
        .map(|target| head(target, is_personal(target, rules)))
}

fn head<'e>(party: &'e PartyRef<'_>, hidden: bool) -> TargetHead<'e> {
    TargetHead::new((!hidden).then_some(&*party.id), &party.kind)
}

fn is_personal(party: &PartyRef<'_>, rules: &Rules<'_>) -> bool {
    rules.personal_types.iter().any(|kind| *kind == *party.kind) || contains_email(&party.id)
}

fn reason<'e>(event: &'e EventRef<'_>, rules: &Rules<'_>) -> Reason<'e> {
    let known = rules.catalogue.get(&event.action);
    let fails = known.is_some_and(|entry| entry.outcome == Outcome::Failure);
    let given = match &event.failure {
        None => {
            return Reason {
                clear: fails.then_some(UNSPECIFIED),
                detail: None,
            };
        }
        Some(failure) => failure.reason.as_deref(),
    };
    let is_clear = |reason: &str| match known {
        Some(entry) if fails => reason == UNSPECIFIED || entry.reasons.contains(&reason),
        _ => is_name(reason),
    };
    match given {
        Some(reason) if is_clear(reason) => Reason {
            clear: given,
            detail: None,
        },
        detail => Reason {
            clear: Some(UNSPECIFIED),
            detail,
        },
    }
}

impl Sections {
    /// None yet, with room for those of an ordinary event.
    pub(super) fn with_room() -> Self {
        Self {
            text: String::with_capacity(ORDINARY),
            ends: Vec::with_capacity(8),
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// The sections in order.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = SectionRef<'_>> + Clone {
        self.ends.iter().enumerate().map(|(k, end)| {
            let begin = k.checked_sub(1).map_or(0, |before| self.ends[before]);
            match &self.text.as_bytes()[begin..*end] {
                [] => SectionRef::Empty,
                text => SectionRef::Value(text),
            }
        })
    }

    /// The sections with texts of their own.
    pub(super) fn to_vec(&self) -> Vec<Section> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins
            .zip(&self.ends)
            .map(|(begin, end)| match &self.text[begin..*end] {
                "" => Section::Empty,
                text => Section::Value(text.to_owned()),
            })
            .collect()
    }

    /// Ends a section.
    fn end(&mut self) {
        self.ends.push(self.text.len());
    }
}

/// Writes the members of each section in their sorted order, so that the text is canonical.
struct Writer<'s> {
    sections: &'s mut Sections,
    free: &'s str,
}

/// An object in the making.
struct Members<'s> {
    text: &'s mut String,
    free: &'s str,
    is_empty: bool,
}

impl Members<'_> {
    fn key(&mut self, key: &str) {
        self.text
            .push_str(if self.is_empty { "{\"" } else { ",\"" });
        self.is_empty = false;
        self.text.push_str(key);
        self.text.push_str("\":");
    }

    fn string(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.key(key);
            write_string(self.text, value);
        }
    }

    fn object(&mut self, key: &str, value: Option<&Free>) {
        if let Some(value) = value {
            self.key(key);
            self.text.push_str(&self.free[value.range.clone()]);
        }
    }

    fn inner(&mut self) -> Members<'_> {
        Members {
            text: self.text,
            free: self.free,
            is_empty: true,
        }
    }

    fn close(self) {
        if !self.is_empty {
            self.text.push('}');
        }
    }
}

impl Writer<'_> {
    fn members(&mut self) -> Members<'_> {
        Members {
            text: &mut self.sections.text,
            free: self.free,
            is_empty: true,
        }
    }

    fn actor(&mut self, actor: &PartyRef<'_>, hidden: bool, role: Option<&str>) {
        let mut out = self.members();
        out.string("email", actor.email.as_deref());
        out.string("id", hidden.then_some(&*actor.id));
        out.object("metadata", actor.metadata.as_ref());
        out.string("name", actor.name.as_deref());
        if let Some(principal) = &actor.on_behalf_of {
            out.key("on_behalf_of");
            let mut inner = out.inner();
            inner.string("email", principal.email.as_deref());
            inner.string("id", Some(&principal.id));
            inner.string("name", principal.name.as_deref());
            inner.string("type", Some(&principal.kind));
            inner.close();
        }
        out.string("role", role);
        let is_empty = out.is_empty;
        out.close();
        if is_empty {
            // Always committed, so that every leaf has a salt in it and cannot be guessed from its neighbours.
            self.sections.text.push_str("{}");
        }
        self.sections.end();
    }

    fn context(&mut self, event: &EventRef<'_>) {
        let mut out = self.members();
        for (key, value) in CONTEXT.iter().zip(&event.context) {
            out.string(key, value.as_deref());
        }
        out.close();
        self.sections.end();
    }

    fn details(&mut self, event: &EventRef<'_>, reason: Option<&str>) {
        let mut out = self.members();
        if let Some(failure) = &event.failure
            && (failure.detail.is_some() || reason.is_some() || failure.stage.is_some())
        {
            out.key("failure");
            let mut inner = out.inner();
            inner.string("detail", failure.detail.as_deref());
            inner.string("reason", reason);
            inner.string("stage", failure.stage.as_deref());
            inner.close();
        }
        out.object("metadata", event.metadata.as_ref());
        out.object("next", event.next.as_ref());
        out.object("previous", event.previous.as_ref());
        if let Some(version) = event.version {
            out.key("version");
            out.text.push_str(&version.to_string());
        }
        out.close();
        self.sections.end();
    }

    fn target(&mut self, target: &PartyRef<'_>, hidden: bool) {
        let mut out = self.members();
        out.string("email", target.email.as_deref());
        out.string("id", hidden.then_some(&*target.id));
        out.object("metadata", target.metadata.as_ref());
        out.string("name", target.name.as_deref());
        out.close();
        self.sections.end();
    }
}
