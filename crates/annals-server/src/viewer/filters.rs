//! The pills, the chips and the presets: other ways to write the query.
//!
//! Pills and text are two views of one thing. Each form sends what was chosen to one address, which
//! puts it into the query, and answers with the address of the page for that query; nothing is
//! kept anywhere else.

use annals_event::{
    Catalogue, Category, Facet, Field, Outcome, Query, QueryError, Term, Timestamp,
};
use annals_store::ValueCount;

use super::address::Address;
use super::pages::{
    Chip, Choice, EventChoice, EventGroup, EventPill, LinkPill, TextPill, TimePill, ZonePill,
};
use super::seen::Seen;
use super::visible::short;
use super::zone::{OFFERED, Zone};

mod form;

pub(crate) use form::{apply, typed};

/// Queries that people ask for most, by name.
const PRESETS: &[(&str, &str)] = &[
    ("Failed logins", "action:user.login_failed"),
    ("Everything that failed", "outcome:failure"),
    (
        "Role and membership changes",
        "action:workspace.user_*,project.user_*",
    ),
    ("Deletions", "action:*deleted,*removed"),
    ("Exports and downloads", "action:*export*"),
    ("Integrations", "action:*integration*"),
    (
        "Domain and invitation changes",
        "action:*domain_join*,*invit*",
    ),
    (
        "Changes to the audit log itself",
        "action:audit_log.* -action:audit_log.viewed",
    ),
];

/// Spans of time that the pill offers.
const SPANS: &[(&str, &str)] = &[
    ("Last 24 hours", "-24h"),
    ("Today", "today"),
    ("Yesterday", "yesterday"),
    ("Last 7 days", "-7d"),
    ("Last 30 days", "-30d"),
    ("Last 90 days", "-90d"),
];

/// What the language can do, by example: what it finds, and the query.
const EXAMPLES: &[(&str, &str)] = &[
    (
        "A name, an address or an id, anywhere in an event",
        "henrik",
    ),
    ("Two words side by side", "\"order mail\""),
    ("One field", "actor:ana@example.com"),
    ("A group of events", "action:project.*"),
    ("One or the other", "action:user.login,user.logout"),
    ("All but these", "-actor.type:system"),
    ("A network", "ip:203.0.113.0/24"),
    ("A span of time", "time:2026-11-01..2026-11-22"),
    ("The last days", "time:-7d outcome:failure"),
    ("A value after the change", "next.role:admin"),
    ("A member of the metadata", "meta.method:password"),
];

/// Whatever a pill's heading shows of a value.
const HEADING: usize = 28;

/// A query as a page shows it: its terms, each of which can be taken out, and its address.
pub(crate) struct Filters<'a> {
    pub(crate) query: &'a Query,
    pub(crate) address: &'a Address,
    pub(crate) catalogue: &'a Catalogue,
    /// The actions of the product that no catalogue names.
    pub(crate) own: Vec<String>,
    /// What occurs in the time that is looked at.
    pub(crate) seen: &'a Seen,
}

/// Values that a menu suggests.
const SUGGESTED: usize = 8;
/// Values that a field offers to who types in it.
const OFFERED_VALUES: usize = 50;

impl Filters<'_> {
    fn href(&self, query: &Query) -> String {
        self.address.searching(query.to_string()).href()
    }

    /// The same query with another choice for one field. A value that its field refuses leaves the
    /// query as it is: all values here are our own.
    fn choosing(&self, field: &Field, value: Option<&str>) -> String {
        let term = value.and_then(|value| term(field, value).ok());
        self.href(&self.query.clone().choosing(field, term))
    }

    /// The filters that are on, each with a link that takes it out.
    pub(crate) fn chips(&self) -> Vec<Chip> {
        let chip = |(index, term): (usize, &Term)| Chip {
            label: short(&term.label(self.catalogue), 120),
            negated: term.is_negated(),
            remove: self.href(&self.query.clone().without(index)),
        };
        self.query.terms().iter().enumerate().map(chip).collect()
    }

    /// All filters in words, for headings: `Event is User Login Failed, Time is in the last 7 days`.
    pub(crate) fn in_words(&self) -> String {
        let labels = self
            .query
            .terms()
            .iter()
            .map(|term| term.label(self.catalogue));
        short(&labels.collect::<Vec<_>>().join(", "), 160)
    }

    pub(crate) fn times(&self, zone: &Zone, now: Timestamp) -> TimePill {
        let chosen = self.query.chosen(&Field::Time);
        let current = chosen.first().map(String::as_str);
        let mut choices = vec![Choice {
            label: "All that is kept".to_owned(),
            note: String::new(),
            href: self.choosing(&Field::Time, None),
            current: current.is_none(),
        }];
        choices.extend(SPANS.iter().map(|(label, value)| Choice {
            label: (*label).to_owned(),
            note: String::new(),
            href: self.choosing(&Field::Time, Some(value)),
            current: current == Some(*value),
        }));
        let label = match current {
            None => "All time".to_owned(),
            Some(value) => match SPANS.iter().find(|(_, span)| *span == value) {
                Some((label, _)) => (*label).to_owned(),
                None => short(value, HEADING),
            },
        };
        let (from, to) = current.and_then(|c| c.split_once("..")).unwrap_or_default();
        let day = |text: &str| {
            if text.len() == 10 {
                text.to_owned()
            } else {
                String::new()
            }
        };
        TimePill {
            label,
            on: current.is_some(),
            choices,
            from: day(from),
            to: day(to),
            zone: zone.label(now),
        }
    }

    pub(crate) fn events(&self) -> EventPill {
        let chosen = self.query.chosen(&Field::Action);
        let groups = Category::ALL.into_iter().filter_map(|category| {
            let entries = self
                .catalogue
                .all()
                .filter(|entry| entry.category == category);
            let events = entries.map(|entry| EventChoice {
                action: entry.action.to_owned(),
                name: entry.display_name.to_owned(),
                failure: entry.outcome == Outcome::Failure,
                checked: chosen.iter().any(|value| value == entry.action),
                count: self.seen.count(Facet::Action, entry.action),
            });
            let mut events: Vec<_> = events.collect();
            if category == Category::Other {
                events.extend(self.own.iter().map(|action| EventChoice {
                    name: short(&self.catalogue.display_name(action), 60),
                    failure: false,
                    checked: chosen.contains(action),
                    count: self.seen.count(Facet::Action, action),
                    action: action.clone(),
                }));
            }
            (!events.is_empty()).then(|| EventGroup {
                name: category.as_str().to_owned(),
                all: self.href(&self.query.clone().choosing(&Field::Action, None).choosing(
                    &Field::Category,
                    term(&Field::Category, category.as_str()).ok(),
                )),
                events,
            })
        });
        let label = match chosen.as_slice() {
            [] => match self.query.chosen(&Field::Category).as_slice() {
                [] => "Event".to_owned(),
                categories => short(&categories.join(", "), HEADING),
            },
            [one] if one.contains('*') => short(one, HEADING),
            [one] => short(&self.catalogue.display_name(one), HEADING),
            many => format!("{} events", many.len()),
        };
        EventPill {
            on: label != "Event",
            label,
            groups: groups.collect(),
        }
    }

    /// Actor, target and address: what is typed, and what kinds there are.
    pub(crate) fn texts(&self) -> Vec<TextPill> {
        let text = |about: &str,
                    name,
                    prompt,
                    hint,
                    field: &Field,
                    suggests: Option<Facet>,
                    kinds: Option<(Facet, &[(&str, &str)])>| {
            let kinds = kinds.map(|(facet, kinds)| (facet, facet.field(), kinds));
            let value = self.query.chosen(field).join(",");
            let kind = kinds
                .as_ref()
                .map(|(_, field, _)| self.query.chosen(field))
                .unwrap_or_default();
            let choices = kinds.map_or_else(Vec::new, |(facet, field, kinds)| {
                let any = Choice {
                    label: "Any kind".to_owned(),
                    note: String::new(),
                    href: self.choosing(&field, None),
                    current: kind.is_empty(),
                };
                let one = |(label, value): &(&str, &str)| Choice {
                    label: (*label).to_owned(),
                    note: self.seen.count(facet, value),
                    href: self.choosing(&field, Some(value)),
                    current: kind.iter().any(|k| k == value),
                };
                std::iter::once(any).chain(kinds.iter().map(one)).collect()
            });
            let shown: Vec<_> = [value.as_str()]
                .into_iter()
                .chain(kind.iter().map(String::as_str))
                .filter(|v| !v.is_empty())
                .collect();
            TextPill {
                label: if shown.is_empty() {
                    about.to_owned()
                } else {
                    format!("{about}: {}", short(&shown.join(", "), HEADING))
                },
                on: !shown.is_empty(),
                field: name,
                prompt,
                hint,
                seen: suggests.map_or_else(Vec::new, |facet| self.suggested(facet, field)),
                offered: suggests.map_or_else(Vec::new, |facet| self.offered(facet)),
                value,
                choices,
            }
        };
        vec![
            text(
                "Actor",
                "actor",
                "Name, e-mail address or id",
                "A part is enough. A * stands for anything: *@example.com.",
                &Field::Actor,
                Some(Facet::Actor),
                Some((
                    Facet::ActorType,
                    &[
                        ("People", "user"),
                        ("API keys and tokens", "api_*"),
                        ("Integrations", "integration"),
                        ("Support staff", "support"),
                        ("System", "system"),
                        ("Not signed in", "unauthenticated"),
                    ],
                )),
            ),
            text(
                "Target",
                "target",
                "Name, e-mail address or id",
                "What it was done to: a person, a project, an issue.",
                &Field::Target,
                None,
                Some((
                    Facet::TargetType,
                    &[
                        ("People", "user"),
                        ("Issues", "issue"),
                        ("Comments", "comment"),
                        ("Projects", "project"),
                        ("Workspace", "workspace"),
                    ],
                )),
            ),
            text(
                "Address",
                "ip",
                "IP address or network",
                "A network as 203.0.113.0/24 or 2001:db8::/32, or with a * at the end.",
                &Field::Ip,
                Some(Facet::Address),
                None,
            ),
        ]
    }

    /// The most frequent values of a facet, each in place of what `field` was asked to have.
    fn suggested(&self, facet: Facet, field: &Field) -> Vec<Choice> {
        let exact = facet.field();
        let chosen = self.query.chosen(&exact);
        let values = self.seen.values(facet).iter().take(SUGGESTED);
        let choice = |value: &ValueCount| {
            let term = Term::is(exact.clone(), [&value.value]).ok();
            let query = self.query.clone().choosing(field, None);
            Choice {
                label: short(value.label.as_deref().unwrap_or(&value.value), 60),
                note: self.seen.shown(value.count),
                href: self.href(&query.choosing(&exact, term)),
                current: chosen.contains(&value.value),
            }
        };
        values.map(choice).collect()
    }

    /// What somebody may mean who types a value of a facet.
    fn offered(&self, facet: Facet) -> Vec<String> {
        let values = self.seen.values(facet).iter().take(OFFERED_VALUES);
        // What a page would have to show in another way than it is cannot be typed either.
        let mut offered: Vec<String> = values
            .map(|value| value.label.as_ref().unwrap_or(&value.value).clone())
            .filter(|text| *text == short(text, 80))
            .collect();
        offered.sort_unstable();
        offered.dedup();
        offered
    }

    pub(crate) fn outcomes(&self) -> LinkPill {
        let chosen = self.query.chosen(&Field::Outcome);
        let current = chosen.first().map(String::as_str);
        let choice = |label: &str, value: Option<&str>| Choice {
            label: label.to_owned(),
            note: value.map_or_else(String::new, |value| self.seen.count(Facet::Outcome, value)),
            href: self.choosing(&Field::Outcome, value),
            current: current == value,
        };
        let label = match current {
            Some("failure") => "Failed only",
            Some("success") => "Succeeded only",
            _ => "Outcome",
        };
        LinkPill {
            label: label.to_owned(),
            on: current.is_some(),
            choices: vec![
                choice("Any outcome", None),
                choice("Failed only", Some("failure")),
                choice("Succeeded only", Some("success")),
            ],
        }
    }

    pub(crate) fn presets(&self) -> LinkPill {
        let text = self.query.to_string();
        let choices = PRESETS.iter().map(|(label, query)| Choice {
            label: (*label).to_owned(),
            note: (*query).to_owned(),
            href: self.address.searching(*query).href(),
            current: text == *query,
        });
        LinkPill {
            label: "Presets".to_owned(),
            on: false,
            choices: choices.collect(),
        }
    }

    /// Queries that show how the language is written.
    pub(crate) fn examples(&self) -> LinkPill {
        let choices = EXAMPLES.iter().map(|(label, query)| Choice {
            label: (*query).to_owned(),
            note: (*label).to_owned(),
            href: self.address.searching(*query).href(),
            current: false,
        });
        LinkPill {
            label: "How to search".to_owned(),
            on: false,
            choices: choices.collect(),
        }
    }

    /// Less narrow queries, for when nothing matches: each drops one filter.
    pub(crate) fn looser(&self) -> Vec<Choice> {
        let terms = self.query.terms();
        let mut choices: Vec<_> = terms
            .iter()
            .enumerate()
            .filter(|_| terms.len() > 1)
            .map(|(index, term)| Choice {
                label: format!("Without “{}”", short(&term.label(self.catalogue), 60)),
                note: String::new(),
                href: self.href(&self.query.clone().without(index)),
                current: false,
            })
            .take(6)
            .collect();
        choices.push(Choice {
            label: "Show everything".to_owned(),
            note: String::new(),
            href: self.href(&Query::default()),
            current: false,
        });
        choices
    }
}

/// The pill that chooses the zone of the page.
pub(crate) fn zone_pill(address: &Address, zone: &Zone, now: Timestamp) -> ZonePill {
    let choice = |name: &str, label: String| Choice {
        label,
        note: name.to_owned(),
        href: Address {
            zone: Some(name.to_owned()).filter(|n| n != "UTC"),
            ..address.clone()
        }
        .href(),
        current: zone.name() == name,
    };
    let mut choices = vec![choice("UTC", "UTC".to_owned())];
    if !zone.is_utc() {
        choices.push(choice(zone.name(), zone.label(now)));
    }
    ZonePill {
        label: format!("Times in {}", zone.label(now)),
        name: zone.name().to_owned(),
        choices,
        offered: OFFERED,
    }
}

/// One condition from a value that a form sent. A `*` in it stands for anything, a comma separates
/// values; so it is read by the language itself, quoted where the language would stumble.
fn term(field: &Field, value: &str) -> Result<Term, QueryError> {
    let name = field.name();
    let one = |text: String| Query::parse(&text).ok().filter(|q| q.terms().len() == 1);
    let plain = one(format!("{name}:{value}"));
    let quoted = || {
        one(format!(
            "{name}:\"{}\"",
            value.replace('\\', "\\\\").replace('"', "\\\"")
        ))
    };
    let found = plain
        .filter(|q| q.terms()[0].field() == Some(field))
        .or_else(quoted);
    match found.and_then(|query| query.terms().first().cloned()) {
        Some(term) => Ok(term),
        None => Term::is(field.clone(), [value]),
    }
}

#[cfg(test)]
mod tests {
    use annals_store::FacetCounts;

    use super::*;

    #[test]
    fn every_preset_is_a_query_in_its_canonical_form() {
        for (label, text) in PRESETS.iter().chain(EXAMPLES) {
            assert_eq!(Query::parse(text).unwrap().to_string(), *text, "{label}");
        }
        for (label, text) in SPANS {
            assert!(Query::parse(&format!("time:{text}")).is_ok(), "{label}");
        }
    }

    #[test]
    fn every_link_of_every_pill_leads_to_a_query_that_reads() {
        let address = Address::new("o");
        let query = Query::parse("actor:ana outcome:failure time:-7d").unwrap();
        let odd = ["usr_1", "*", "a,b", "\"", " ", "x:y"].map(|value| ValueCount {
            value: value.to_owned(),
            label: None,
            count: 3,
        });
        let counts = |facet| FacetCounts {
            facet,
            values: odd.to_vec(),
            others: 0,
            missing: 0,
            complete: true,
        };
        let seen = Seen::new(Facet::ALL.map(counts).to_vec(), true);
        let filters = Filters {
            seen: &seen,
            query: &query,
            address: &address,
            catalogue: Catalogue::builtin(),
            own: vec!["invoice.paid".to_owned()],
        };
        let mut links: Vec<String> = filters.chips().into_iter().map(|c| c.remove).collect();
        links.extend(filters.outcomes().choices.into_iter().map(|c| c.href));
        links.extend(
            filters
                .texts()
                .into_iter()
                .flat_map(|t| t.choices)
                .map(|c| c.href),
        );
        let pills = filters.texts().into_iter();
        links.extend(pills.flat_map(|t| t.seen).map(|c| c.href));
        assert!(links.len() > 20);
        links.extend(filters.events().groups.into_iter().map(|g| g.all));
        for href in links {
            let uri: axum::http::Uri = href.parse().unwrap();
            let axum::extract::Query(pairs) =
                axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri).unwrap();
            Query::parse(&Address::read("o", &pairs).query).unwrap();
        }
    }
}
