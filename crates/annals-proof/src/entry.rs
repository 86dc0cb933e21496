//! The entry as a verifier reads it: every member is looked at, none is trusted.

use annals_event::{Json, Timestamp};
use annals_merkle::Hash;

use crate::Flaw;
use crate::scan::hash;

/// What a verifier needs of an entry.
pub(crate) struct Entry {
    pub(crate) log: String,
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    /// The commitments; `None` for an empty section.
    pub(crate) sections: Vec<Option<Hash>>,
}

/// The members that an entry has; all but `failure` are always there.
const MEMBERS: [&str; 12] = [
    "action",
    "actor",
    "failure",
    "id",
    "log",
    "occurred_at",
    "position",
    "recorded_at",
    "recorded_by",
    "sections",
    "targets",
    "v",
];

impl Entry {
    /// Reads an entry of format 1: exactly its members, each of its type.
    pub(crate) fn read(json: &Json) -> Result<Entry, Flaw> {
        only(json, &MEMBERS, "list of members")?;
        for member in ["action", "id", "recorded_by"] {
            text(json, member, member)?;
        }
        if json.get("failure").is_some() {
            text(json, "failure", "failure")?;
        }
        if json.get("v").and_then(Json::as_i64) != Some(1) {
            return Err(Flaw::Member { member: "v" });
        }
        let actor = json.get("actor").ok_or(Flaw::Member { member: "actor" })?;
        party(actor, &["id", "role", "type"], "actor")?;
        let targets = list(json, "targets")?;
        for target in targets {
            party(target, &["id", "type"], "target")?;
        }
        time(text(json, "occurred_at", "occurred_at")?, "occurred_at")?;
        let sections = list(json, "sections")?;
        if sections.len() != 3 + targets.len() {
            return Err(Flaw::SectionCount);
        }
        // Without the salted commitment of the actor section, a leaf hash could be guessed.
        if sections[0].is_null() {
            return Err(Flaw::SectionEmpty { section: 0 });
        }
        Ok(Entry {
            log: text(json, "log", "log")?.to_owned(),
            position: json
                .get("position")
                .and_then(Json::as_i64)
                .and_then(|position| u64::try_from(position).ok())
                .ok_or(Flaw::Member { member: "position" })?,
            recorded_at: time(text(json, "recorded_at", "recorded_at")?, "recorded_at")?,
            sections: sections.iter().map(commitment).collect::<Result<_, _>>()?,
        })
    }
}

/// A time in the one spelling that entries have.
pub(crate) fn time(text: &str, member: &'static str) -> Result<Timestamp, Flaw> {
    match Timestamp::parse(text) {
        Ok(time) if time.to_string() == text => Ok(time),
        _ => Err(Flaw::Member { member }),
    }
}

fn commitment(section: &Json) -> Result<Option<Hash>, Flaw> {
    match section {
        Json::Null => Ok(None),
        Json::String(text) => hash(text).map(Some),
        _ => Err(Flaw::Member { member: "sections" }),
    }
}

/// An actor or target: a type, and its other members where they are given; all texts.
fn party(json: &Json, members: &[&str], member: &'static str) -> Result<(), Flaw> {
    only(json, members, member)?;
    text(json, "type", member)?;
    for name in members {
        if json.get(name).is_some() {
            text(json, name, member)?;
        }
    }
    Ok(())
}

fn only(json: &Json, members: &[&str], member: &'static str) -> Result<(), Flaw> {
    let object = json.as_object().ok_or(Flaw::Member { member })?;
    if object.iter().all(|(name, _)| members.contains(&name)) {
        Ok(())
    } else {
        Err(Flaw::Member { member })
    }
}

fn text<'a>(json: &'a Json, name: &str, member: &'static str) -> Result<&'a str, Flaw> {
    json.get(name)
        .and_then(Json::as_str)
        .ok_or(Flaw::Member { member })
}

fn list<'a>(json: &'a Json, member: &'static str) -> Result<&'a [Json], Flaw> {
    json.get(member)
        .and_then(Json::as_array)
        .ok_or(Flaw::Member { member })
}
