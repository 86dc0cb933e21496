//! A row of the log as a row of the table.

use annals_event::{Catalogue, Field, Outcome, Query, Row, Term, Timestamp};

use super::address::Address;
use super::agent;
use super::pages::{Face, FromCell, Pivot, RowView, TargetCell};
use super::visible::{short, visible};
use super::zone::{Zone, span};

/// Recorded this much after it happened is worth a word.
const LATE_MICROS: i64 = 60_000_000;
/// Longest texts of a cell; the event itself shows the whole.
const CELL: usize = 90;
const SENTENCE: usize = 240;

/// What all rows of a page have in common.
pub(crate) struct Scene<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) query: &'a Query,
    /// The page, with the size that it is fixed at.
    pub(crate) address: &'a Address,
    pub(crate) zone: &'a Zone,
    pub(crate) now: Timestamp,
    pub(crate) as_of: u64,
}

impl Scene<'_> {
    /// The menu of a value: the same query with it, and without.
    pub(crate) fn pivot(&self, about: &'static str, field: Field, value: &str) -> Option<Pivot> {
        let term = Term::is(field, [value]).ok()?;
        let href = |term: Term| {
            self.address
                .searching(self.query.clone().with(term).to_string())
                .href()
        };
        Some(Pivot {
            about,
            value: short(value, CELL),
            only: href(term.clone()),
            exclude: href(term.toggled()),
        })
    }

    /// The page that looks for nothing but this, over all that is kept.
    pub(crate) fn only(&self, terms: Vec<Term>) -> String {
        self.address
            .searching(Query::from(terms).to_string())
            .href()
    }

    pub(crate) fn row(&self, row: &Row) -> RowView {
        let skeleton = row.skeleton();
        let open = Address {
            event: Some(skeleton.id.clone()),
            as_of: Some(self.as_of),
            ..self.address.clone()
        };
        let (actor, detail) = actor(row);
        // That an event about the log is about the log goes without saying.
        let target = row
            .target(0)
            .filter(|target| target.kind != "audit_log")
            .map(|target| {
                let name = target.name.or(target.email).or(target.id);
                TargetCell {
                    name: name.map_or_else(|| "Erased".to_owned(), |name| short(name, CELL)),
                    kind: kind_in_words(target.kind),
                    pivot: target
                        .id
                        .and_then(|id| self.pivot("Target", Field::TargetId, id)),
                    more: skeleton.targets.len() - 1,
                }
            });
        let sentence = sentence(self.catalogue, row);
        RowView {
            position: row.position,
            id: skeleton.id.clone(),
            href: format!("{}#p{}", open.href(), row.position),
            proof: format!("{}#proof", open.href()),
            selected: self.address.event.as_deref() == Some(&skeleton.id),
            time: self.zone.moment(skeleton.occurred_at, self.now),
            late: late(row),
            face: face(row.actor_type(), &actor, row.actor_id()),
            actor_pivot: row
                .actor_id()
                .and_then(|id| self.pivot("Actor", Field::ActorId, id)),
            actor,
            actor_detail: detail,
            failed: failed(row).map(|why| {
                if sentence.contains(&why) {
                    String::new()
                } else {
                    why
                }
            }),
            sentence: short(&sentence, SENTENCE),
            action: skeleton.action.clone(),
            action_pivot: self.action_pivot(&skeleton.action),
            extension: is_extension(&skeleton.action),
            erased: !row.erased().is_empty(),
            target,
            from: self.from(row),
            mark: format!("Signed: in the checkpoint of size {}", grouped(self.as_of)),
        }
    }

    pub(crate) fn action_pivot(&self, action: &str) -> Pivot {
        // An action is a name, which its field always takes.
        self.pivot("Event", Field::Action, action)
            .unwrap_or_else(|| Pivot {
                about: "Event",
                value: action.to_owned(),
                only: self.address.href(),
                exclude: self.address.href(),
            })
    }

    /// The menu of where an act came from.
    pub(crate) fn place_pivot(&self, location: &str) -> Option<Pivot> {
        if location.parse::<std::net::IpAddr>().is_ok() {
            self.pivot("Address", Field::Ip, location)
        } else {
            self.pivot("Location", Field::Location, location)
        }
    }

    fn from(&self, row: &Row) -> Option<FromCell> {
        let location = row.context("location");
        let agent = row
            .context("user_agent")
            .map(agent::family)
            .unwrap_or_default();
        let source = row.context("source");
        let address = location.or(source)?;
        Some(FromCell {
            address: short(address, 60),
            pivot: match location {
                Some(location) => self.place_pivot(location),
                None => self.pivot("Source", Field::Source, address),
            },
            agent: if agent.is_empty() && location.is_some() {
                source.map(|s| short(s, 30)).unwrap_or_default()
            } else {
                agent
            },
        })
    }
}

/// Who acted, and what is said of them in the line below.
fn actor(row: &Row) -> (String, Vec<String>) {
    let name = row.actor_name();
    let email = row.actor_email();
    let kind = row.actor_type();
    if is_nobody(kind) {
        let claims = email.or(name).map(|who| format!("as {}", short(who, CELL)));
        return ("Not signed in".to_owned(), claims.into_iter().collect());
    }
    let shown = name.or(email).or(row.actor_id());
    let Some(shown) = shown else {
        return ("Erased".to_owned(), vec![kind_in_words(kind)]);
    };
    let mut detail = Vec::new();
    if name.is_some() {
        detail.extend(email.map(|email| short(email, CELL)));
    }
    detail.extend(row.actor_role().map(|role| short(role, 40)));
    if kind != "user" {
        detail.push(kind_in_words(kind));
    }
    if let Some(party) = row.on_behalf_of() {
        let who = party
            .get_str("name")
            .or(party.get_str("email"))
            .or(party.get_str("id"));
        detail.extend(who.map(|who| format!("for {}", short(who, 40))));
    }
    (short(shown, CELL), detail)
}

/// Whether an act of this type of actor is nobody's: what it names is only a claim.
pub(crate) fn is_nobody(kind: &str) -> bool {
    matches!(kind, "unauthenticated" | "anonymous")
}

pub(crate) fn is_extension(action: &str) -> bool {
    action.starts_with("audit_log.")
}

/// `api_token` as `API token`, `domain_join` as `domain join`.
pub(crate) fn kind_in_words(kind: &str) -> String {
    match kind.strip_prefix("api_") {
        Some(rest) => format!("API {}", rest.replace('_', " ")),
        None => visible(&kind.replace('_', " "), false).into_owned(),
    }
}

/// Why it failed, in words; empty where it is not said, `None` where it did not fail.
pub(crate) fn failed(row: &Row) -> Option<String> {
    if row.outcome() != Outcome::Failure {
        return None;
    }
    let reason = row
        .failure_reason()
        .filter(|reason| *reason != annals_event::UNSPECIFIED);
    Some(
        reason
            .map(|reason| short(&reason.replace('_', " "), 60))
            .unwrap_or_default(),
    )
}

/// What happened, without repeating who did it, which has a column of its own.
fn sentence(catalogue: &Catalogue, row: &Row) -> String {
    let whole = catalogue.sentence(row);
    let names = [row.actor_name(), row.actor_email(), row.actor_id()];
    for name in names.into_iter().flatten() {
        if let Some(rest) = whole
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(' '))
        {
            let mut letters = rest.chars();
            if let Some(first) = letters.next() {
                return first.to_uppercase().chain(letters).collect();
            }
        }
    }
    whole
}

/// Said where it was recorded much later than it happened.
pub(crate) fn late(row: &Row) -> Option<String> {
    let micros = row.recorded_at.as_micros() - row.skeleton().occurred_at.as_micros();
    let late = u64::try_from(micros)
        .ok()
        .filter(|_| micros > LATE_MICROS)?;
    Some(format!("recorded {} later", span(late)))
}

/// The picture of an actor: initials of a person, a sign for anything else.
pub(crate) fn face(kind: &str, name: &str, id: Option<&str>) -> Face {
    let sign = match kind {
        "system" => Some("gear"),
        "unauthenticated" | "anonymous" => Some("question"),
        "api_key" | "api_token" => Some("key"),
        "integration" => Some("link"),
        _ => None,
    };
    if sign.is_some() {
        return Face {
            text: String::new(),
            icon: sign,
            hue: "fx",
        };
    }
    let words = name
        .split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| word.chars().next());
    let mut letters: Vec<char> = words.collect();
    if letters.len() > 2 {
        // First and last name.
        letters.drain(1..letters.len() - 1);
    }
    let text: String = letters
        .into_iter()
        .flat_map(char::to_uppercase)
        .take(3)
        .collect();
    if text.is_empty() {
        return Face {
            text,
            icon: Some("person"),
            hue: "fx",
        };
    }
    const HUES: [&str; 8] = ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"];
    let sum = id.unwrap_or(name).bytes().fold(7u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    Face {
        text,
        icon: None,
        hue: HUES[(sum >> 3) as usize % HUES.len()],
    }
}

/// `1,284`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_284, "1,284"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn faces() {
        assert_eq!(face("user", "Dana Whitfield", None).text, "DW");
        assert_eq!(face("user", "Anna Maria de Souza", None).text, "AS");
        assert_eq!(face("user", "émile", None).text, "É");
        assert_eq!(face("user", "«»", None).icon, Some("person"));
        assert_eq!(face("system", "System", None).icon, Some("gear"));
    }
}
