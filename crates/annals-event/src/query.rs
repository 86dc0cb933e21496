//! The search language: one for the search box, the address line, the API and the command line.
//!
//! [`Query::parse`] turns text into terms, printing a query gives its canonical text, [`Query::resolve`] makes the
//! [`Filter`] that rows are compared with. Only that last step needs the time, so a stored query stays relative.
//! The guide for the people who type queries is `docs/query.md`.

mod address;
mod check;
mod error;
mod field;
mod filter;
mod fold;
mod fragments;
mod json;
mod keys;
mod lex;
mod parse;
mod span;
mod term;
mod text;
mod time;

use std::fmt;

pub use error::QueryError;
pub use field::Field;
pub use filter::Filter;
pub use fold::occurs_folded;
pub use keys::{KeyClass, RowParts, address_key, address_text, fold_key};
pub use term::Term;
pub use time::When;

use crate::limits;

/// Conditions that all have to hold. No terms: every event.
///
/// ```
/// # use annals_event::Query;
/// let query = Query::parse("event:project.*  NOT actor:\"Bo\" time:-7d")?;
/// assert_eq!(query.to_string(), "action:project.* -actor:Bo time:-7d");
/// # Ok::<(), annals_event::QueryError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    terms: Vec<Term>,
}

impl Query {
    /// Reads a query that somebody typed: at most [`limits::QUERY_CHARS`] characters and [`limits::QUERY_TERMS`] terms.
    ///
    /// # Errors
    /// [`QueryError`] with the column of the first thing that makes no sense.
    pub fn parse(text: &str) -> Result<Query, QueryError> {
        if text.chars().nth(limits::QUERY_CHARS).is_some() {
            let message = format!("A query has at most {} characters.", limits::QUERY_CHARS);
            return Err(QueryError::new(limits::QUERY_CHARS + 1, message));
        }
        Ok(Query {
            terms: parse::parse_terms(text, limits::QUERY_TERMS)?,
        })
    }

    /// Reads back what a program stored. The lists that an API call builds may be longer than what people type.
    ///
    /// # Errors
    /// As [`Query::parse`], without its two limits.
    pub fn parse_stored(text: &str) -> Result<Query, QueryError> {
        Ok(Query {
            terms: parse::parse_terms(text, usize::MAX)?,
        })
    }

    /// The terms, in the order in which they were written.
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Whether it lets every event through.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Also asks for `term`. If it is there nothing changes; if its opposite is, that one is turned around.
    #[must_use]
    pub fn with(mut self, term: Term) -> Query {
        let opposite = term.clone().toggled();
        match self.terms.iter().position(|known| *known == opposite) {
            Some(at) => self.terms[at] = term,
            None if self.terms.contains(&term) => {}
            None => self.terms.push(term),
        }
        self
    }

    /// Without the term at `index`; as it was if there is none.
    #[must_use]
    pub fn without(mut self, index: usize) -> Query {
        if index < self.terms.len() {
            self.terms.remove(index);
        }
        self
    }

    /// With the term at `index` negated, or no longer so.
    #[must_use]
    pub fn toggled(mut self, index: usize) -> Query {
        if let Some(term) = self.terms.get_mut(index) {
            term.negated = !term.negated;
        }
        self
    }

    /// Puts `term` where the terms of `field` that are not negated were, or takes them out.
    ///
    /// This is what a form with one choice per field does; text terms and exclusions stay.
    #[must_use]
    pub fn choosing(mut self, field: &Field, term: Option<Term>) -> Query {
        let same = |known: &Term| !known.negated && known.field.as_ref() == Some(field);
        let at = self.terms.iter().position(same);
        self.terms.retain(|known| !same(known));
        if let Some(term) = term {
            let at = at.unwrap_or(self.terms.len());
            self.terms.insert(at, term);
        }
        self
    }

    /// The values that `field` is asked to have, of all its terms that are not negated: what a form shows as chosen.
    pub fn chosen(&self, field: &Field) -> Vec<String> {
        let terms = self
            .terms
            .iter()
            .filter(|t| !t.negated && t.field.as_ref() == Some(field));
        terms.flat_map(Term::values).collect()
    }

    /// The same query with its relative times written out, so that it means the same later: for links that are passed on and for pages
    /// that are turned. Days stay days, to be read in the same zone.
    #[must_use]
    pub fn settled(&self, when: &When) -> Query {
        Query {
            terms: self.terms.iter().map(|term| term.settled(when)).collect(),
        }
    }

    /// Makes it ready to compare rows with: relative times become moments, local ones are read in the zone.
    ///
    /// # Errors
    /// Where a range of times turns out to end before it starts; the column is that in the canonical text.
    pub fn resolve(&self, when: &When) -> Result<Filter, QueryError> {
        let mut column = 1;
        for term in &self.terms {
            if let Some(value) = term.backwards(when) {
                let message = format!("The range `{value}` ends before it starts.");
                return Err(QueryError::new(column, message));
            }
            column += term.to_string().chars().count() + 1;
        }
        Ok(Filter::new(&self.terms, when))
    }
}

impl From<Vec<Term>> for Query {
    fn from(terms: Vec<Term>) -> Self {
        Query { terms }
    }
}

impl fmt::Display for Query {
    /// The canonical text. Parsed, it is the same query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, term) in self.terms.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{term}")?;
        }
        Ok(())
    }
}
