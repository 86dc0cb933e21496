//! One event in full, for the panel beside the table and for its own page.

use annals_event::{Context, Field, Json, Number, Object, Row, Term, Timestamp};

use super::address::Address;
use super::agent;
use super::json;
use super::pages::{Choice, Diff, EventView, Fact, ProofView, TargetFacts};
use super::row::{Scene, failed, is_extension, is_nobody, kind_in_words, late};
use super::visible::{short, visible};

/// How long before and after an event is "around this time".
const AROUND_MICROS: i64 = 3_600_000_000;
/// Longest value that the page shows outside of the raw event.
const VALUE: usize = 2_000;
/// Lines of a table of metadata, before and after.
const LINES: usize = 200;

/// What the page shows of an event, besides the event.
pub(crate) struct Whole {
    pub(crate) proof: ProofView,
    /// The event as the API gives it.
    pub(crate) raw: Json,
    pub(crate) raw_open: bool,
}

impl Scene<'_> {
    pub(crate) fn event(&self, row: &Row, whole: Whole) -> EventView {
        let skeleton = row.skeleton();
        let failure = failed(row);
        EventView {
            position: row.position,
            headline: visible(&self.catalogue.sentence(row), false).into_owned(),
            failed: failure.map(|reason| {
                if reason.is_empty() {
                    "no reason given".to_owned()
                } else {
                    reason
                }
            }),
            display_name: visible(&self.catalogue.display_name(&skeleton.action), false)
                .into_owned(),
            category: self
                .catalogue
                .category_of(&skeleton.action)
                .as_str()
                .to_owned(),
            extension: is_extension(&skeleton.action),
            action: skeleton.action.clone(),
            action_pivot: self.action_pivot(&skeleton.action),
            erased: row.erased().join(", "),
            happened: self.zone.moment(skeleton.occurred_at, self.now),
            recorded: self.zone.moment(row.recorded_at, self.now),
            late: late(row),
            recorded_by: visible(&row.recorded_by, false).into_owned(),
            who: self.who(row),
            claimed: is_nobody(row.actor_type()).then_some(
                "Nobody was signed in: the name and the address above are only what was claimed.",
            ),
            place: self.place(row),
            failure: [
                fact(
                    "Reason",
                    row.failure_reason().filter(|_| failed(row).is_some()),
                )
                .map(|f| self.with_pivot(f, "Reason", Field::Reason, row.failure_reason())),
                fact("Stage", row.failure_stage()),
                fact("Detail", row.failure_detail()),
            ]
            .into_iter()
            .flatten()
            .collect(),
            diff: diff(row.previous(), row.next()),
            targets: self.targets(row),
            metadata: self.metadata(row.metadata()),
            around: self.around(row),
            proof: whole.proof,
            raw: json::indented(&whole.raw),
            raw_open: whole.raw_open,
            link: Address {
                event: None,
                ..self.address.clone()
            }
            .event_page(&skeleton.id),
        }
    }

    fn with_pivot(
        &self,
        mut fact: Fact,
        about: &'static str,
        field: Field,
        value: Option<&str>,
    ) -> Fact {
        fact.pivot = value.and_then(|value| self.pivot(about, field, value));
        fact
    }

    fn who(&self, row: &Row) -> Vec<Fact> {
        let id = row.actor_id();
        let mut facts = Vec::new();
        facts.extend(
            fact("Name", row.actor_name())
                .map(|f| self.with_pivot(f, "Actor", Field::ActorName, row.actor_name())),
        );
        facts.extend(
            fact("E-mail", row.actor_email())
                .map(|f| self.with_pivot(f, "Actor", Field::ActorEmail, row.actor_email())),
        );
        facts.extend(
            fact("Role then", row.actor_role())
                .map(|f| self.with_pivot(f, "Role", Field::ActorRole, row.actor_role())),
        );
        let kind = row.actor_type();
        facts.extend(
            fact("Type", Some(&kind_in_words(kind)))
                .map(|f| self.with_pivot(f, "Type", Field::ActorType, Some(kind))),
        );
        match id {
            Some(_) => facts.extend(
                fact("Id", id)
                    .map(mono)
                    .map(|f| self.with_pivot(f, "Actor", Field::ActorId, id)),
            ),
            None => facts.extend(fact("Id", Some("Erased"))),
        }
        if let Some(party) = row.on_behalf_of() {
            let name = party
                .get_str("name")
                .or(party.get_str("email"))
                .or(party.get_str("id"));
            let note = party
                .get_str("email")
                .filter(|email| Some(*email) != name)
                .map(|e| short(e, 200));
            facts.extend(fact("On behalf of", name).map(|f| Fact { note, ..f }));
        }
        facts.extend(
            row.actor_metadata()
                .map(|o| self.plain(o))
                .unwrap_or_default(),
        );
        facts
    }

    fn place(&self, row: &Row) -> Vec<Fact> {
        // The members by name, so that a new one of the event cannot be forgotten here.
        let Context {
            location,
            user_agent,
            source,
            session_id,
            request_id,
            correlation_id,
            trace,
        } = row.to_event().context;
        let mut facts = Vec::new();
        if let Some(location) = location.as_deref() {
            let label = if location.parse::<std::net::IpAddr>().is_ok() {
                "Address"
            } else {
                "Location"
            };
            facts.extend(fact(label, Some(location)).map(mono).map(|f| Fact {
                pivot: self.place_pivot(location),
                ..f
            }));
        }
        if let Some(sent) = user_agent.as_deref() {
            facts.extend(fact("Device", Some(&agent::family(sent))).map(|f| Fact {
                note: Some(short(sent, 400)),
                ..f
            }));
        }
        let known = [
            ("Source", source, Field::Source, false),
            ("Session", session_id, Field::Session, true),
            ("Request", request_id, Field::Request, true),
            ("Correlation", correlation_id, Field::Correlation, true),
        ];
        for (label, value, field, is_id) in known {
            let found = fact(label, value.as_deref())
                .map(|f| self.with_pivot(f, label, field, value.as_deref()));
            facts.extend(found.map(|f| Fact { mono: is_id, ..f }));
        }
        facts.extend(fact("Trace", trace.as_deref()).map(mono));
        facts
    }

    fn targets(&self, row: &Row) -> Vec<TargetFacts> {
        let many = row.targets().len() > 1;
        let one = |(n, target): (usize, annals_event::TargetView<'_>)| {
            let mut facts = Vec::new();
            facts.extend(fact("Name", target.name));
            facts.extend(fact("E-mail", target.email));
            let kind = target.kind;
            facts.extend(
                fact("Type", Some(&kind_in_words(kind)))
                    .map(|f| self.with_pivot(f, "Type", Field::TargetType, Some(kind))),
            );
            match target.id {
                Some(_) => facts.extend(
                    fact("Id", target.id)
                        .map(mono)
                        .map(|f| self.with_pivot(f, "Target", Field::TargetId, target.id)),
                ),
                None => facts.extend(fact("Id", Some("Erased"))),
            }
            facts.extend(target.metadata.map(|o| self.plain(o)).unwrap_or_default());
            let title = if many {
                format!("Target {}", n + 1)
            } else {
                "Target".to_owned()
            };
            TargetFacts { title, facts }
        };
        row.targets().enumerate().map(one).collect()
    }

    fn plain(&self, members: &Object) -> Vec<Fact> {
        flat(members)
            .into_iter()
            .filter_map(|(key, value)| fact(&key, Some(&value)))
            .collect()
    }

    /// The event's own metadata, each value of which can be searched for.
    fn metadata(&self, members: Option<&Object>) -> Vec<Fact> {
        let pairs = members.map(flat).unwrap_or_default();
        let one = |(key, value): (String, String)| {
            let pivot = self.pivot("Metadata", Field::Meta(key.clone()), &value);
            fact(&key, Some(&value)).map(|f| Fact { pivot, ..f })
        };
        pairs.into_iter().filter_map(one).collect()
    }

    /// Other events that belong together with this one.
    fn around(&self, row: &Row) -> Vec<Choice> {
        let mut choices = Vec::new();
        let mut add = |label: &str, terms: Vec<Option<Term>>| {
            if let Some(terms) = terms.into_iter().collect::<Option<Vec<_>>>() {
                let href = self.only(terms);
                choices.push(Choice {
                    label: label.to_owned(),
                    note: String::new(),
                    href,
                    current: false,
                });
            }
        };
        let is = |field: Field, value: Option<&str>| {
            value.and_then(|value| Term::is(field, [value]).ok())
        };
        let at = row.skeleton().occurred_at.as_micros();
        let edge = |micros: i64| {
            Timestamp::from_micros(micros)
                .map(|time| time.to_string())
                .unwrap_or_default()
        };
        let around = format!(
            "time:{}..{}",
            edge(at - AROUND_MICROS),
            edge(at + AROUND_MICROS)
        );
        let around = annals_event::Query::parse(&around)
            .ok()
            .and_then(|q| q.terms().first().cloned());
        let actor = is(Field::ActorId, row.actor_id());
        add("Same actor", vec![actor.clone()]);
        add("Same actor, one hour either way", vec![actor, around]);
        add(
            "Same session",
            vec![is(Field::Session, row.context("session_id"))],
        );
        add(
            "Same request",
            vec![is(Field::Request, row.context("request_id"))],
        );
        add(
            "Same act",
            vec![is(Field::Correlation, row.context("correlation_id"))],
        );
        let target = row.target(0).and_then(|target| target.id);
        add("Same target", vec![is(Field::TargetId, target)]);
        if let Some(location) = row.context("location") {
            let field = if location.parse::<std::net::IpAddr>().is_ok() {
                Field::Ip
            } else {
                Field::Location
            };
            add("Same address", vec![is(field, Some(location))]);
        }
        choices
    }
}

fn fact(label: &str, value: Option<&str>) -> Option<Fact> {
    let value = value.filter(|value| !value.is_empty())?;
    Some(Fact {
        label: short(label, 80),
        value: short(value, VALUE),
        mono: false,
        pivot: None,
        note: None,
    })
}

fn mono(fact: Fact) -> Fact {
    Fact { mono: true, ..fact }
}

/// The leaves of an object with their dotted paths.
fn flat(members: &Object) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for (key, value) in members.iter() {
        leaves(key.to_owned(), value, &mut out);
    }
    out
}

fn leaves(path: String, value: &Json, out: &mut Vec<(String, String)>) {
    if out.len() >= LINES {
        return;
    }
    match value {
        Json::Object(members) if !members.is_empty() => {
            for (key, value) in members.iter() {
                leaves(format!("{path}.{key}"), value, out);
            }
        }
        other => out.push((path, in_words(other))),
    }
}

/// A value as a person would write it; lists and empty objects as JSON.
fn in_words(value: &Json) -> String {
    match value {
        Json::Null => "null".to_owned(),
        Json::Bool(value) => value.to_string(),
        Json::Number(Number::Integer(number)) => number.to_string(),
        Json::String(text) => text.clone(),
        other => {
            let mut text = String::new();
            other.write_canonical(&mut text);
            text
        }
    }
}

/// What changed, field by field: fields of both first in the order of their names.
fn diff(previous: Option<&Object>, next: Option<&Object>) -> Vec<Diff> {
    let before = previous.map(flat).unwrap_or_default();
    let after = next.map(flat).unwrap_or_default();
    let mut fields: Vec<&String> = before.iter().chain(&after).map(|(key, _)| key).collect();
    fields.sort();
    fields.dedup();
    let of = |pairs: &[(String, String)], field: &str| {
        pairs
            .iter()
            .find(|(key, _)| key == field)
            .map(|(_, value)| short(value, VALUE))
    };
    let one = |field: &String| Diff {
        before: of(&before, field),
        after: of(&after, field),
        field: short(field, 120),
    };
    fields.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Json::parse(text.as_bytes())
            .unwrap()
            .as_object()
            .unwrap()
            .clone()
    }

    #[test]
    fn a_change_is_shown_field_by_field() {
        let before = object(r#"{"role":"member","limits":{"seats":5},"old":true}"#);
        let after = object(r#"{"role":"admin","limits":{"seats":8},"tags":["a","b"]}"#);
        let found = diff(Some(&before), Some(&after));
        let lines: Vec<_> = found
            .iter()
            .map(|d| (d.field.as_str(), d.before.as_deref(), d.after.as_deref()))
            .collect();
        assert_eq!(
            lines,
            [
                ("limits.seats", Some("5"), Some("8")),
                ("old", Some("true"), None),
                ("role", Some("member"), Some("admin")),
                ("tags", None, Some(r#"["a","b"]"#)),
            ]
        );
    }
}
