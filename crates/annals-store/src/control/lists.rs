//! Paging of control lists, with the cursors that the `WorkOS` clients send.
//!
//! A cursor is the id of an object already seen, not an opaque token, because those clients put
//! the id of the last object of a page into `after`. The order is always the order of creation,
//! so a page that was read never changes by what is created later.

use super::ControlError;

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListOrder {
    /// Newest first; `after` goes on to older ones.
    #[default]
    Desc,
    /// Oldest first; `after` goes on to newer ones.
    Asc,
    /// Newest first, with the cursors the other way round: `before` fetches older ones and
    /// `after` fetches newer ones.
    Normal,
}

/// One page of a list: where it begins, how long it is, in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Only objects that stand before the one with this id.
    pub before: Option<String>,
    /// Only objects that stand after the one with this id.
    pub after: Option<String>,
    /// At most this many, 1–100.
    pub limit: usize,
    /// The order.
    pub order: ListOrder,
}

impl ListQuery {
    /// The longest page.
    pub const LIMIT_MAX: usize = 100;
    /// The length of a page when none is given.
    pub const LIMIT_DEFAULT: usize = 10;
}

impl Default for ListQuery {
    fn default() -> Self {
        ListQuery {
            before: None,
            after: None,
            limit: Self::LIMIT_DEFAULT,
            order: ListOrder::Desc,
        }
    }
}

/// A page of a list and the cursors of its neighbours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The objects, in the order asked for.
    pub items: Vec<T>,
    /// What to send as `before` for the page before this one, if there is one.
    pub before: Option<String>,
    /// What to send as `after` for the page after this one, if there is one.
    pub after: Option<String>,
}

impl<T> Page<T> {
    /// The same page with every object turned into something else.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            before: self.before,
            after: self.after,
        }
    }
}

/// Cuts one page out of those of `all` that are `listed`; `all` stands in the order of creation.
///
/// A cursor may name any of `all`, so that a list goes on where it was although the object that the
/// client saw last has been deleted since. One that names nothing there is refused, and so are two
/// cursors at once and a limit outside 1–100.
pub(super) fn page<T>(
    all: impl DoubleEndedIterator<Item = T>,
    query: &ListQuery,
    id: impl Fn(&T) -> &str,
    listed: impl Fn(&T) -> bool,
) -> Result<Page<T>, ControlError> {
    if query.limit == 0 || query.limit > ListQuery::LIMIT_MAX {
        return Err(ControlError::invalid(
            "limit",
            "out_of_range",
            "must be between 1 and 100",
        ));
    }
    let all: Vec<T> = match query.order {
        ListOrder::Asc => all.collect(),
        ListOrder::Desc | ListOrder::Normal => all.rev().collect(),
    };
    // `normal` lists like `desc` and swaps the two cursors, going in and coming out.
    let swapped = query.order == ListOrder::Normal;
    let (before, after) = match swapped {
        false => (&query.before, &query.after),
        true => (&query.after, &query.before),
    };
    // How many are listed before the object that a cursor names, and up to it.
    let find = |cursor: &Option<String>, field: &'static str| match cursor {
        None => Ok::<_, ControlError>(None),
        Some(wanted) => {
            let at = all.iter().position(|item| id(item) == wanted);
            let unknown = || ControlError::invalid(field, "unknown_cursor", "names no object here");
            let at = at.ok_or_else(unknown)?;
            let before = all[..at].iter().filter(|item| listed(item)).count();
            Ok(Some((before, before + usize::from(listed(&all[at])))))
        }
    };
    let (before_field, after_field) = if swapped {
        ("after", "before")
    } else {
        ("before", "after")
    };
    let (before, after) = (find(before, before_field)?, find(after, after_field)?);
    let mut listed: Vec<T> = all.into_iter().filter(|item| listed(item)).collect();
    let (start, end) = match (before, after) {
        (Some(_), Some(_)) => {
            let message = "cannot be combined with `after`";
            return Err(ControlError::invalid(
                "before",
                "conflicting_cursors",
                message,
            ));
        }
        (Some((at, _)), None) => (at.saturating_sub(query.limit), at),
        (None, Some((_, next))) => (next, (next + query.limit).min(listed.len())),
        (None, None) => (0, query.limit.min(listed.len())),
    };
    let more = end < listed.len();
    let items: Vec<T> = listed.drain(start..end).collect();
    let first = (start > 0)
        .then(|| items.first().map(|item| id(item).to_owned()))
        .flatten();
    let last = more
        .then(|| items.last().map(|item| id(item).to_owned()))
        .flatten();
    let (before, after) = if swapped {
        (last, first)
    } else {
        (first, last)
    };
    Ok(Page {
        items,
        before,
        after,
    })
}
