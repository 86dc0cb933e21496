use std::sync::{Arc, OnceLock};

use crate::catalogue::Outcome;
use crate::event::{Actor, Context, Event, Failure, OnBehalfOf, Target};
use crate::json::{Json, Object};
use crate::record::{Draft, Section, Skeleton};
use crate::time::Timestamp;

/// An event at its position of a log, as it is read back.
///
/// Sections are parsed when they are first asked for.
#[derive(Clone, Debug)]
pub struct Row {
    /// Position in the log, from 0.
    pub position: u64,
    /// When it was recorded; never decreases within a log.
    pub recorded_at: Timestamp,
    /// Opaque id of the key that sent it.
    pub recorded_by: Arc<str>,
    /// The event.
    pub draft: Draft,
    parsed: OnceLock<Box<[OnceLock<Option<Object>>]>>,
}

/// Where and when an event is, and how it ended: what is known of it before anything is put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlace {
    /// Position in the log.
    pub position: u64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// When it occurred, by the producer's clock.
    pub occurred_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// A target of a row.
#[derive(Clone, Copy, Debug)]
pub struct TargetView<'a> {
    /// The wire's `type`.
    pub kind: &'a str,
    /// Id; `None` where it was personal and is erased.
    pub id: Option<&'a str>,
    /// Name at that moment.
    pub name: Option<&'a str>,
    /// E-mail address at that moment.
    pub email: Option<&'a str>,
    /// Free members.
    pub metadata: Option<&'a Object>,
}

impl Row {
    /// A draft at its position.
    pub fn new(
        position: u64,
        recorded_at: Timestamp,
        recorded_by: impl Into<Arc<str>>,
        draft: Draft,
    ) -> Self {
        let recorded_by = recorded_by.into();
        Self {
            position,
            recorded_at,
            recorded_by,
            draft,
            parsed: OnceLock::new(),
        }
    }

    /// What stands in the clear.
    pub fn skeleton(&self) -> &Skeleton {
        &self.draft.skeleton
    }

    /// Where and when it is, and how it ended.
    pub fn place(&self) -> RowPlace {
        RowPlace {
            position: self.position,
            recorded_at: self.recorded_at,
            occurred_at: self.skeleton().occurred_at,
            outcome: self.outcome(),
        }
    }

    /// The members of section `k`; `None` where it is empty or erased.
    pub fn section(&self, k: usize) -> Option<&Object> {
        let text = self.section_text(k)?;
        let sections = self.parsed.get_or_init(|| {
            self.draft
                .sections
                .iter()
                .map(|_| OnceLock::new())
                .collect()
        });
        let parse = || match Json::parse(text.as_bytes()) {
            Ok(Json::Object(members)) => Some(members),
            _ => None,
        };
        sections.get(k)?.get_or_init(parse).as_ref()
    }

    /// The canonical text of section `k`; `None` where it is empty or erased. A search may look into it before it parses.
    pub fn section_text(&self, k: usize) -> Option<&str> {
        self.draft.sections.get(k)?.text()
    }

    /// The names of the sections whose values are gone: `actor`, `context`, `details`, `target.0`.
    pub fn erased(&self) -> Vec<String> {
        let sections = self.draft.sections.iter().enumerate();
        sections
            .filter(|(_, section)| matches!(section, Section::Withheld(_)))
            .map(|(k, _)| Section::name(k))
            .collect()
    }

    /// How the event ended.
    pub fn outcome(&self) -> Outcome {
        match self.draft.skeleton.failure {
            Some(_) => Outcome::Failure,
            None => Outcome::Success,
        }
    }

    /// Id of the actor; `None` where it was personal and is erased.
    pub fn actor_id(&self) -> Option<&str> {
        let clear = self.skeleton().actor.id.as_deref();
        clear.or_else(|| self.section(Section::ACTOR)?.get_str("id"))
    }

    /// The wire's `actor.type`.
    pub fn actor_type(&self) -> &str {
        &self.skeleton().actor.kind
    }

    /// Name of the actor at that moment.
    pub fn actor_name(&self) -> Option<&str> {
        self.section(Section::ACTOR)?.get_str("name")
    }

    /// E-mail address of the actor at that moment.
    pub fn actor_email(&self) -> Option<&str> {
        self.section(Section::ACTOR)?.get_str("email")
    }

    /// Role of the actor at that moment.
    pub fn actor_role(&self) -> Option<&str> {
        let clear = self.skeleton().actor.role.as_deref();
        clear.or_else(|| self.section(Section::ACTOR)?.get_str("role"))
    }

    /// Free members of the actor.
    pub fn actor_metadata(&self) -> Option<&Object> {
        self.section(Section::ACTOR)?.get("metadata")?.as_object()
    }

    /// In whose stead the actor acted: an object with `id`, `type`, `name`, `email`.
    pub fn on_behalf_of(&self) -> Option<&Object> {
        self.section(Section::ACTOR)?
            .get("on_behalf_of")?
            .as_object()
    }

    /// One member of the context, such as `location` or `session_id`.
    pub fn context(&self, key: &str) -> Option<&str> {
        self.section(Section::CONTEXT)?.get_str(key)
    }

    /// Free members of the event.
    pub fn metadata(&self) -> Option<&Object> {
        self.section(Section::DETAILS)?.get("metadata")?.as_object()
    }

    /// Values before the change.
    pub fn previous(&self) -> Option<&Object> {
        self.section(Section::DETAILS)?.get("previous")?.as_object()
    }

    /// Values after the change.
    pub fn next(&self) -> Option<&Object> {
        self.section(Section::DETAILS)?.get("next")?.as_object()
    }

    /// Version of the action's schema.
    pub fn version(&self) -> Option<u32> {
        u32::try_from(self.section(Section::DETAILS)?.get("version")?.as_i64()?).ok()
    }

    /// Why it failed, in the producer's word where it is not one of the closed list.
    pub fn failure_reason(&self) -> Option<&str> {
        let clear = self.skeleton().failure.as_deref()?;
        Some(self.failure_member("reason").unwrap_or(clear))
    }

    /// At which step it failed.
    pub fn failure_stage(&self) -> Option<&str> {
        self.failure_member("stage")
    }

    /// A sentence about the failure.
    pub fn failure_detail(&self) -> Option<&str> {
        self.failure_member("detail")
    }

    fn failure_member(&self, key: &str) -> Option<&str> {
        self.section(Section::DETAILS)?
            .get("failure")?
            .as_object()?
            .get_str(key)
    }

    /// The `n`-th target.
    pub fn target(&self, n: usize) -> Option<TargetView<'_>> {
        let clear = self.skeleton().targets.get(n)?;
        let section = self.section(Section::TARGETS + n);
        let text = |key| section.and_then(|section| section.get_str(key));
        Some(TargetView {
            kind: &clear.kind,
            id: clear.id.as_deref().or_else(|| text("id")),
            name: text("name"),
            email: text("email"),
            metadata: section.and_then(|section| section.get("metadata")?.as_object()),
        })
    }

    /// All targets, the primary one first.
    pub fn targets(&self) -> impl ExactSizeIterator<Item = TargetView<'_>> {
        (0..self.skeleton().targets.len()).map(|n| {
            self.target(n).unwrap_or(TargetView {
                kind: "",
                id: None,
                name: None,
                email: None,
                metadata: None,
            })
        })
    }

    /// The event in the shape in which it was ingested. What was erased is absent; an erased personal id is empty.
    pub fn to_event(&self) -> Event {
        let s = self.skeleton();
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let context = |key| owned(self.context(key));
        Event {
            id: Some(s.id.clone()),
            action: s.action.clone(),
            occurred_at: s.occurred_at,
            actor: Actor {
                id: self.actor_id().unwrap_or_default().to_owned(),
                kind: s.actor.kind.clone(),
                name: owned(self.actor_name()),
                email: owned(self.actor_email()),
                role: owned(self.actor_role()),
                metadata: self.actor_metadata().cloned(),
                on_behalf_of: self.on_behalf_of().map(|party| OnBehalfOf {
                    id: party.get_str("id").unwrap_or_default().to_owned(),
                    kind: party.get_str("type").unwrap_or_default().to_owned(),
                    name: owned(party.get_str("name")),
                    email: owned(party.get_str("email")),
                }),
            },
            targets: self
                .targets()
                .map(|target| Target {
                    id: target.id.unwrap_or_default().to_owned(),
                    kind: target.kind.to_owned(),
                    name: owned(target.name),
                    email: owned(target.email),
                    metadata: target.metadata.cloned(),
                })
                .collect(),
            context: Context {
                location: context("location"),
                user_agent: context("user_agent"),
                source: context("source"),
                session_id: context("session_id"),
                request_id: context("request_id"),
                correlation_id: context("correlation_id"),
                trace: context("trace"),
            },
            metadata: self.metadata().cloned(),
            version: self.version(),
            failure: s.failure.is_some().then(|| Failure {
                reason: owned(self.failure_reason()),
                stage: owned(self.failure_stage()),
                detail: owned(self.failure_detail()),
            }),
            previous: self.previous().cloned(),
            next: self.next().cloned(),
        }
    }
}
