//! What the menus suggest: the values that occur in the time that is looked at, with how often.

use annals_event::{Facet, Field, Query, Term};
use annals_store::{FacetCounts, ValueCount};

use super::row::grouped;

/// The facets that menus show.
pub(crate) const FACETS: [Facet; 6] = [
    Facet::Action,
    Facet::Actor,
    Facet::ActorType,
    Facet::TargetType,
    Facet::Outcome,
    Facet::Address,
];

/// How many values of each are counted: more than there are actions in most catalogues.
pub(crate) const TOP: usize = 200;

/// Values with their counts; empty where nothing was counted.
#[derive(Default)]
pub(crate) struct Seen {
    facets: Vec<FacetCounts>,
    /// Whether the counts hold for the whole time.
    is_whole: bool,
}

impl Seen {
    pub(crate) fn new(facets: Vec<FacetCounts>, is_whole: bool) -> Seen {
        Seen { facets, is_whole }
    }

    /// The values of a facet, the most frequent first.
    pub(crate) fn values(&self, facet: Facet) -> &[ValueCount] {
        let found = self.facets.iter().find(|counts| counts.facet == facet);
        found.map_or(&[], |counts| &counts.values)
    }

    /// A count as a menu shows it; nothing where it is not known.
    pub(crate) fn shown(&self, count: u64) -> String {
        match self.is_whole {
            true => grouped(count),
            false => String::new(),
        }
    }

    /// How many events have a value that fits a pattern of the menus: a word, or a beginning and a star.
    pub(crate) fn count(&self, facet: Facet, pattern: &str) -> String {
        let fits = |value: &str| match pattern.strip_suffix('*') {
            Some(beginning) => value.starts_with(beginning),
            None => value == pattern,
        };
        let values = self.values(facet).iter();
        let count = values.filter(|v| fits(&v.value)).map(|v| v.count).sum();
        match self.facets.is_empty() {
            true => String::new(),
            false => self.shown(count),
        }
    }
}

/// Of a query, what says which time and which positions are looked at.
pub(crate) fn window(query: &Query) -> Query {
    let is_range = |term: &&Term| matches!(term.field(), Some(Field::Time | Field::Position));
    let terms: Vec<Term> = query.terms().iter().filter(is_range).cloned().collect();
    Query::from(terms)
}
