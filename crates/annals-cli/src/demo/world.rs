//! The state of the sample workspace, and the events of its everyday work.
//!
//! Events are told from state, so that what they say agrees: a status has the previous one it had,
//! a comment belongs to an issue that exists, a session ends that was begun.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::cast::{Person, Project, people, projects};
use super::chance::Chance;

/// One event and when it happens, in seconds since the epoch and microseconds within it.
pub(crate) struct Told {
    pub(crate) at: i64,
    pub(crate) micros: i64,
    pub(crate) event: Value,
}

pub(crate) struct Issue {
    pub(crate) number: i64,
    pub(crate) title: &'static str,
    pub(crate) status: &'static str,
    pub(crate) project: usize,
    pub(crate) assignee: Option<usize>,
    pub(crate) reporter: &'static str,
    pub(crate) comments: i64,
    pub(crate) gone: bool,
}

pub(crate) struct Comment {
    pub(crate) number: i64,
    pub(crate) issue: usize,
    pub(crate) author: usize,
    pub(crate) published: i64,
    pub(crate) length: i64,
    pub(crate) edits: i64,
    pub(crate) members_only: bool,
    pub(crate) gone: bool,
}

/// Where an act comes from.
pub(crate) struct Place {
    pub(crate) address: &'static str,
    pub(crate) agent: &'static str,
    pub(crate) source: &'static str,
    pub(crate) session: Option<String>,
    pub(crate) correlation: Option<String>,
}

impl Place {
    pub(crate) fn new(address: &'static str, agent: &'static str, source: &'static str) -> Place {
        Place {
            address,
            agent,
            source,
            session: None,
            correlation: None,
        }
    }

    /// The same place, as part of an act that makes several events.
    pub(crate) fn part_of(mut self, correlation: &str) -> Place {
        self.correlation = Some(correlation.to_owned());
        self
    }
}

/// Something that is to happen at a given time.
#[derive(Clone, Copy)]
pub(crate) enum Act {
    /// A scene of its own.
    Scene(fn(&mut World, i64)),
    /// Something that one person does.
    By(usize, fn(&mut World, usize, i64)),
    /// A person becomes a member, by this method.
    Join(usize, &'static str),
}

/// The workspace as it is at some moment of the month.
pub(crate) struct World {
    pub(crate) chance: Chance,
    pub(crate) workspace: Value,
    pub(crate) people: Vec<Person>,
    pub(crate) projects: Vec<Project>,
    pub(crate) issues: Vec<Issue>,
    pub(crate) comments: Vec<Comment>,
    pub(crate) told: Vec<Told>,
    agenda: BTreeMap<(i64, usize), Act>,
    planned: usize,
    event_prefix: String,
}

impl World {
    pub(crate) fn new(seed: u64, id: &str, name: &str) -> World {
        let mut chance = Chance::new(seed);
        let event_prefix = format!("evt_{}", chance.hex());
        World {
            chance,
            workspace: json!({"type": "workspace", "id": id, "name": name}),
            people: people(),
            projects: projects(),
            issues: Vec::new(),
            comments: Vec::new(),
            told: Vec::new(),
            agenda: BTreeMap::new(),
            planned: 0,
            event_prefix,
        }
    }

    /// Puts something on the agenda.
    pub(crate) fn later(&mut self, at: i64, act: Act) {
        self.agenda.insert((at, self.planned), act);
        self.planned += 1;
    }

    /// Lets everything happen that is on the agenda, in order, what is added meanwhile included.
    pub(crate) fn run(&mut self) {
        while let Some(((at, _), act)) = self.agenda.pop_first() {
            match act {
                Act::Scene(scene) => scene(self, at),
                Act::By(who, deed) => deed(self, who, at),
                Act::Join(who, method) => self.join(who, at, method),
            }
        }
    }

    /// Tells one event. `rest` holds the members beside who, what, where: `metadata`, `failure`,
    /// `previous`, `next`.
    pub(crate) fn tell(
        &mut self,
        at: i64,
        action: &str,
        actor: Value,
        targets: Vec<Value>,
        place: Place,
        rest: Value,
    ) {
        let mut context = json!({
            "location": place.address,
            "user_agent": place.agent,
            "source": place.source,
            "request_id": format!("req_{}", self.chance.hex()),
        });
        if let Some(session) = place.session {
            context["session_id"] = json!(session);
        }
        if let Some(correlation) = place.correlation {
            context["correlation_id"] = json!(correlation);
        }
        let mut event = rest;
        event["id"] = json!(format!("{}{:05}", self.event_prefix, self.told.len()));
        event["action"] = json!(action);
        event["actor"] = actor;
        event["targets"] = Value::Array(targets);
        event["context"] = context;
        let micros = self.chance.between(0, 999_999);
        self.told.push(Told { at, micros, event });
    }

    // Who and what, as events name them.

    pub(crate) fn user(&self, who: usize) -> Value {
        let p = &self.people[who];
        json!({"type": "user", "id": p.id, "name": p.name, "email": p.email, "role": p.role.as_str()})
    }

    pub(crate) fn user_target(&self, who: usize) -> Value {
        let p = &self.people[who];
        json!({"type": "user", "id": p.id, "name": p.name, "email": p.email})
    }

    /// Somebody who is not signed in; the address is only what was typed.
    pub(crate) fn unauthenticated(&self, who: usize) -> Value {
        json!({"type": "unauthenticated", "id": "anonymous", "email": self.people[who].email})
    }

    pub(crate) fn project_target(&self, project: usize) -> Value {
        let p = &self.projects[project];
        json!({"type": "project", "id": p.id, "name": p.name})
    }

    pub(crate) fn issue_target(&self, issue: usize) -> Value {
        let i = &self.issues[issue];
        json!({"type": "issue", "id": format!("iss_{}", i.number), "name": format!("#{} {}", i.number, i.title)})
    }

    pub(super) fn comment_target(&self, comment: usize) -> Value {
        json!({"type": "comment", "id": format!("cmt_{}", self.comments[comment].number)})
    }

    /// Where `who` works from at the moment: the place of the session.
    pub(crate) fn desk(&self, who: usize) -> Place {
        let p = &self.people[who];
        Place {
            address: p.session.as_ref().map_or(p.home, |s| s.address),
            agent: p.agent,
            source: "web",
            session: p.session.as_ref().map(|s| s.id.clone()),
            correlation: None,
        }
    }
}
