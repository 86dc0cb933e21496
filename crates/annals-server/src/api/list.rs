//! Lists of control data: paging as the `WorkOS` clients ask for it.

use annals_store::{ListOrder, ListQuery, Page};
use serde::Serialize;
use utoipa::ToSchema;

use crate::params::Params;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    /// Always `list`.
    object: &'static str,
    /// The objects.
    data: Vec<T>,
    /// The cursors of the neighbouring pages.
    list_metadata: Cursors,
}

/// The cursors of the neighbouring pages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Cursors {
    /// What to send as `before`, or null.
    before: Option<String>,
    /// What to send as `after`, or null.
    after: Option<String>,
}

impl<T> List<T> {
    /// A page as it stands on the wire.
    pub(crate) fn new<U>(page: Page<U>, wire: impl FnMut(U) -> T) -> Self {
        Self {
            object: "list",
            data: page.items.into_iter().map(wire).collect(),
            list_metadata: Cursors {
                before: page.before,
                after: page.after,
            },
        }
    }
}

/// Reads `before`, `after`, `limit` and `order`.
pub(crate) fn query(params: &mut Params) -> ListQuery {
    let orders = [
        ("desc", ListOrder::Desc),
        ("asc", ListOrder::Asc),
        ("normal", ListOrder::Normal),
    ];
    let limit = params.integer("limit", 1..=ListQuery::LIMIT_MAX as u64);
    ListQuery {
        before: params.text("before"),
        after: params.text("after"),
        limit: limit
            .and_then(|l| usize::try_from(l).ok())
            .unwrap_or(ListQuery::LIMIT_DEFAULT),
        order: params.word("order", &orders).unwrap_or_default(),
    }
}
