//! Finding rows of one log.

use std::ops::Range;
use std::time::Instant;

use annals_event::{Filter, Opened, Row, RowParts};

use crate::blocks::Look;
use crate::{Log, StoreError, Unreadable};

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
    /// What could not be read, by rising position; everything else was looked at. At most [`UNREADABLE_MAX`] stretches are named.
    pub unreadable: Vec<Unreadable>,
}

/// So many stretches of what cannot be read are named.
pub const UNREADABLE_MAX: usize = 100;

/// How many rows match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Exactly so many.
    Exact(u64),
    /// More than this, which is the limit asked for.
    MoreThan(u64),
    /// At least so many: the deadline came before the end, or not everything could be read.
    AtLeast(u64),
}

/// An iterator over rows of a range of positions, in bounded memory. See [`Log::scan_matching`].
pub struct Rows {
    log: Log,
    look: Look,
    /// The positions that were not looked at yet.
    left: Range<u64>,
    order: Order,
    /// How many rows the next block has at most.
    most: usize,
    /// Rows that were read, the next one last.
    ready: Vec<Row>,
    /// What could not be read, if that is passed over. If not, it ends the iterator with its error.
    passed_over: Option<Vec<Unreadable>>,
}

/// How many rows the first block of a reader has at most; each further one has four times as many.
const FIRST_BLOCK: usize = 64;

/// How many rows a block has at most.
const BLOCK: usize = 1024;

impl Rows {
    pub(crate) fn new(log: Log, filter: Filter, positions: Range<u64>, order: Order) -> Rows {
        let left = possible(&filter, positions.start, positions.end.min(log.size()));
        let look = Look::new(log.slot, filter);
        Rows {
            log,
            look,
            left,
            order,
            most: FIRST_BLOCK,
            ready: Vec::new(),
            passed_over: None,
        }
    }

    /// Goes on behind what cannot be read: for searches, which say so, and never for files, which are whole or fail.
    fn passing_over(mut self) -> Rows {
        self.passed_over = Some(Vec::new());
        self
    }

    /// Shows every row, until `show` fails. What files are made of: rows that lie in columns are not put together for it.
    ///
    /// # Errors
    /// That of `show`, and as [`Log::search`].
    pub fn show_each(
        mut self,
        mut show: impl FnMut(&Opened<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        loop {
            let (blocks, slot) = (self.log.blocks(), self.log.slot);
            let (left, look, most) = (&self.left, &self.look, self.most);
            let shown = blocks.show_next(slot, left, self.order, look, most, &mut show)?;
            let Some(block) = shown else { return Ok(()) };
            self.go_on(block.from, block.to);
            block.rows?;
        }
    }

    /// What lies between was looked at.
    fn go_on(&mut self, from: u64, to: u64) {
        self.most = (self.most * 4).min(BLOCK);
        match self.order {
            Order::Asc => self.left.start = to,
            Order::Desc => self.left.end = from,
        }
    }

    /// Reads on by one block. `None` at the end.
    fn read_on(&mut self) -> Option<Result<(), StoreError>> {
        let blocks = self.log.blocks();
        let next = blocks.next(self.log.slot, &self.left, self.order, &self.look, self.most);
        let mut block = match next {
            Ok(block) => block?,
            Err(StoreError::Unreadable(what)) if self.passed_over.is_some() => {
                match self.order {
                    Order::Asc => self.left.start = what.positions.end.min(self.left.end),
                    Order::Desc => self.left.end = what.positions.start.max(self.left.start),
                }
                gather(self.passed_over.get_or_insert_default(), what);
                return Some(Ok(()));
            }
            Err(error) => {
                // An iterator that has failed is at its end.
                self.left = 0..0;
                return Some(Err(error));
            }
        };
        self.go_on(block.from, block.to);
        if self.order == Order::Asc {
            block.rows.reverse();
        }
        self.ready = block.rows;
        Some(Ok(()))
    }

    /// The first position that was not looked at, as seen from where the iterator comes.
    fn reached(&self) -> Range<u64> {
        self.left.clone()
    }
}

impl Iterator for Rows {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.ready.pop() {
                return Some(Ok(row));
            }
            if let Err(error) = self.read_on()? {
                return Some(Err(error));
            }
        }
    }
}

/// Adds to what could not be read; neighbours become one.
pub(crate) fn gather(all: &mut Vec<Unreadable>, more: Unreadable) {
    let touches = |known: &Unreadable| {
        known.segment == more.segment
            && known.positions.start <= more.positions.end
            && more.positions.start <= known.positions.end
    };
    if let Some(known) = all.iter_mut().find(|known| touches(known)) {
        let (a, b) = (&known.positions, &more.positions);
        known.positions = a.start.min(b.start)..a.end.max(b.end);
        known.rows = known.rows.start.min(more.rows.start)..known.rows.end.max(more.rows.end);
    } else if all.len() < UNREADABLE_MAX {
        let at = all.partition_point(|known| known.positions.start < more.positions.start);
        all.insert(at, more);
    }
}

/// The positions within `[from, to)` where a row may match.
pub(crate) fn possible(filter: &Filter, from: u64, to: u64) -> Range<u64> {
    let positions = filter.positions();
    let from = from.max(positions.start);
    from..to.min(positions.end).max(from)
}

/// Looks for one page, and goes on counting.
pub(crate) fn search(log: &Log, search: &Search) -> Result<Found, StoreError> {
    let as_of = search.as_of.unwrap_or(u64::MAX).min(log.size());
    let filter = &search.filter;
    let in_time = || {
        search
            .deadline
            .is_none_or(|deadline| Instant::now() < deadline)
    };
    let matching = possible(filter, 0, as_of);
    let after = match (search.after, search.order) {
        (None, _) => matching.clone(),
        (Some(after), Order::Desc) => matching.start..matching.end.min(after).max(matching.start),
        (Some(after), Order::Asc) => {
            matching
                .start
                .max(after.saturating_add(1))
                .min(matching.end)..matching.end
        }
    };
    let mut found = Found {
        rows: Vec::new(),
        as_of,
        more: false,
        count: Count::AtLeast(0),
        partial: None,
        unreadable: Vec::new(),
    };

    // The page itself, and one row more to know whether there is more.
    let mut rows = Rows::new(log.clone(), filter.clone(), after, search.order).passing_over();
    while found.rows.len() <= search.limit {
        if rows.ready.is_empty() && !in_time() {
            let reached = rows.reached();
            found.more = !reached.is_empty();
            found.partial = match search.order {
                Order::Asc => reached.start.checked_sub(1),
                Order::Desc => Some(reached.end),
            };
            break;
        }
        match rows.ready.pop() {
            Some(row) => found.rows.push(row),
            None => match rows.read_on() {
                Some(result) => result?,
                None => break,
            },
        }
    }
    let found_before = found.rows.len() as u64;
    if found.rows.len() > search.limit {
        found.rows.truncate(search.limit);
        found.more = true;
        // Whatever the deadline cut off came after the page.
        found.partial = None;
    }
    // A page that begins where everything does has been counted on the way.
    let (met, left) = match search.after {
        None => (found_before + rows.ready.len() as u64, rows.reached()),
        Some(_) => (0, matching.clone()),
    };
    found.unreadable = rows.passed_over.unwrap_or_default();
    found.count = count(
        log,
        search,
        matching,
        (met, left),
        &in_time,
        &mut found.unreadable,
    )?;
    Ok(found)
}

/// Counts what matches over all pages, as far as it is asked for and there is time: so many were met, and so many positions
/// are left to be looked at.
fn count(
    log: &Log,
    search: &Search,
    matching: Range<u64>,
    (met, left): (u64, Range<u64>),
    in_time: &dyn Fn() -> bool,
    unreadable: &mut Vec<Unreadable>,
) -> Result<Count, StoreError> {
    let limit = search.count_limit;
    if limit == 0 {
        return Ok(Count::AtLeast(0));
    }
    if search.filter.is_everything() {
        return Ok(Count::Exact(matching.end - matching.start));
    }
    let mut rows = Rows::new(log.clone(), search.filter.clone(), left, Order::Desc).passing_over();
    rows.look = rows.look.only(RowParts::default());
    let mut matches = met;
    let count = loop {
        if matches > limit {
            break Count::MoreThan(limit);
        }
        if !in_time() && !rows.reached().is_empty() {
            break Count::AtLeast(matches);
        }
        let Some(result) = rows.read_on() else {
            break Count::Exact(matches);
        };
        result?;
        matches += std::mem::take(&mut rows.ready).len() as u64;
    };
    let passed_over = rows.passed_over.unwrap_or_default();
    passed_over
        .into_iter()
        .for_each(|what| gather(unreadable, what));
    // What the page passed over is not counted either.
    let is_whole = unreadable.is_empty();
    Ok(match count {
        Count::Exact(matches) if !is_whole => Count::AtLeast(matches),
        count => count,
    })
}
