//! Which events somebody asks for: to look with, and to tell.

use annals_event::{Field, Filter, Query, QueryError, Term, Timestamp, When};

/// A question to a log.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// To compare rows with.
    pub(crate) filter: Filter,
    /// The same as a query of the search language, which means the same later: its relative times are written out. Empty for all,
    /// and for an export, whose question is stored with it.
    pub(crate) query: String,
    /// The zone in which the dates of the query are read.
    pub(crate) zone: String,
}

impl Wanted {
    /// What `query` finds that happened from `from` on and before `to`.
    pub(crate) fn new(
        query: &Query,
        when: &When,
        (from, to): (Option<Timestamp>, Option<Timestamp>),
    ) -> Result<Self, QueryError> {
        let mut told = query.settled(when);
        for (sign, bound) in [(">=", from), ("<", to)] {
            if let Some(bound) = bound {
                told = told.with(Term::is(Field::Time, [format!("{sign}{bound}")])?);
            }
        }
        Ok(Self {
            filter: query.resolve(when)?.with_window(from, to),
            query: told.to_string(),
            zone: when.zone.iana_name().unwrap_or("UTC").to_owned(),
        })
    }
}

impl From<Filter> for Wanted {
    fn from(filter: Filter) -> Self {
        Self {
            filter,
            query: String::new(),
            zone: "UTC".to_owned(),
        }
    }
}
