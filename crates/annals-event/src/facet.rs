//! Facets: the fields whose values are few enough that counting them says something.

use crate::query::{RowParts, address_text};
use crate::{Field, Outcome, Row};

/// A field whose values are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Facet {
    /// The action.
    Action,
    /// Who did it, by id; labelled with a name.
    Actor,
    /// What kind of actor.
    ActorType,
    /// Success or failure.
    Outcome,
    /// What kinds of targets; each kind counts once for an event.
    TargetType,
    /// From which part of the product.
    Source,
    /// From which internet address, in one spelling. Places that are no address do not count.
    Address,
}

impl Facet {
    /// All of them, in the order in which a page shows them.
    pub const ALL: [Facet; 7] = [
        Facet::Action,
        Facet::Actor,
        Facet::ActorType,
        Facet::Outcome,
        Facet::TargetType,
        Facet::Source,
        Facet::Address,
    ];

    /// The field of the search language by which a value is found.
    pub fn field(self) -> Field {
        match self {
            Facet::Action => Field::Action,
            Facet::Actor => Field::ActorId,
            Facet::ActorType => Field::ActorType,
            Facet::Outcome => Field::Outcome,
            Facet::TargetType => Field::TargetType,
            Facet::Source => Field::Source,
            Facet::Address => Field::Ip,
        }
    }

    /// The parts of a row that it looks at.
    pub fn parts(self) -> RowParts {
        let nothing = RowParts::default();
        match self {
            Facet::Action | Facet::Outcome => nothing,
            Facet::Actor | Facet::ActorType => RowParts {
                actor: true,
                ..nothing
            },
            Facet::TargetType => RowParts {
                targets: true,
                ..nothing
            },
            Facet::Source | Facet::Address => RowParts {
                context: true,
                ..nothing
            },
        }
    }

    /// Gives `take` each value that the row has, once, with what people call it if that is something else.
    pub fn values(self, row: &Row, take: &mut dyn FnMut(&str, Option<&str>)) {
        let mut some = |value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                take(value, None);
            }
        };
        match self {
            Facet::Action => some(Some(&row.skeleton().action)),
            Facet::ActorType => some(Some(row.actor_type())),
            Facet::Source => some(row.context("source")),
            Facet::Address => some(row.context("location").and_then(address_text).as_deref()),
            Facet::Outcome => some(Some(match row.outcome() {
                Outcome::Success => "success",
                Outcome::Failure => "failure",
            })),
            Facet::Actor => {
                if let Some(id) = row.actor_id().filter(|id| !id.is_empty()) {
                    take(id, row.actor_name().or_else(|| row.actor_email()));
                }
            }
            Facet::TargetType => {
                let targets = &row.skeleton().targets;
                for (n, target) in targets.iter().enumerate() {
                    if targets[..n].iter().all(|before| before.kind != target.kind) {
                        some(Some(&target.kind));
                    }
                }
            }
        }
    }
}
