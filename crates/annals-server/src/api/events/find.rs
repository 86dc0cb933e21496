//! Finding events: one page of a search, or one event by its id.

use annals_event::{Row, export_json};
use annals_store::{Count, Order, Search, Unreadable};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::sync::atomic::Ordering::Relaxed;
use utoipa::{IntoParams, ToSchema};

use super::count::parts;
use super::query;
use crate::app::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody};
use crate::params::{Id, Params};

/// How far matches are counted when counting is asked for without a bound.
const COUNT: u64 = 10_000;
/// Rows on a page.
const LIMIT: u64 = 50;
/// The most rows on a page.
const LIMIT_MAX: u64 = 1_000;

/// Which events of which workspace: what every way to get many of them takes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the wire; see the functions that read it"
)]
pub(crate) struct Matching {
    /// The workspace.
    organization_id: String,
    /// Which events, in the search language, such as `action:user.login_failed ip:192.0.2.0/24`.
    q: Option<String>,
    /// `occurred_at` from here.
    from: Option<String>,
    /// `occurred_at` before here.
    to: Option<String>,
    /// Zone in which dates in `q` are read; default UTC.
    tz: Option<String>,
}

/// A page of events.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the page is written row by row"
)]
pub(crate) struct EventPage {
    /// Always `list`.
    object: String,
    /// The events, newest position first unless asked otherwise.
    data: Vec<RecordedEvent>,
    /// Where the next page begins.
    list_metadata: EventCursor,
    /// The size of the log that was searched. Send it with the next page, so that events recorded
    /// meanwhile do not shift it.
    as_of: u64,
    /// How many events match in all, if counting was asked for.
    count: Option<MatchCount>,
    /// If the time for one search ran out: the position up to which everything was found. Go on with
    /// `after` this.
    partial: Option<u64>,
    /// What cannot be read, so that it was not looked at; everything else was.
    unreadable: Vec<UnreadablePart>,
}

/// An event as it is read back.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; rows are written by annals-event"
)]
pub(crate) struct RecordedEvent {
    /// The workspace.
    organization_id: String,
    /// The event in the shape in which it was sent.
    #[schema(value_type = Object)]
    event: (),
    /// Position in the log.
    position: u64,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: (),
    /// Names of the sections whose values were erased.
    erased: Vec<String>,
}

/// Where the next page begins.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventCursor {
    /// Always null: pages go one way.
    before: Option<String>,
    /// What to send as `after`; null at the end.
    after: Option<String>,
}

/// Positions of a log that cannot be read, because what holds them is damaged.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UnreadablePart {
    /// The first of them.
    first: u64,
    /// The last of them.
    last: u64,
    /// Where, and what is wrong.
    reason: String,
}

impl UnreadablePart {
    pub(crate) fn new(unreadable: &Unreadable) -> Self {
        Self {
            first: unreadable.positions.start,
            last: unreadable.positions.end.saturating_sub(1),
            reason: unreadable.to_string(),
        }
    }
}

/// How many events match.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MatchCount {
    /// The number that was counted.
    pub(super) value: u64,
    /// Whether `value` is all (`exact`), there are more than that (`more_than`), or at least that many
    /// (`at_least`), because the time ran out or not everything can be read.
    pub(super) relation: &'static str,
}

#[derive(Serialize)]
struct Tail {
    list_metadata: EventCursor,
    as_of: u64,
    count: Option<MatchCount>,
    partial: Option<u64>,
    unreadable: Vec<UnreadablePart>,
}

/// Search events.
///
/// Newest position first. `q` is the search language of docs/query.md; `from` and `to` bound
/// `occurred_at` (`to` is exclusive).
#[utoipa::path(
    get,
    path = "/audit_logs/events",
    tag = "events",
    params(
        Matching,
        ("limit" = Option<u64>, Query, description = "1 to 1,000; default 50."),
        ("after" = Option<u64>, Query, description = "The cursor of the page before."),
        ("as_of" = Option<u64>, Query, description = "As the log was at this size."),
        ("order" = Option<String>, Query, description = "`desc` (default) or `asc`, by position."),
        ("count" = Option<u64>, Query, description = "Count matches up to this many, at most 10,000; default 0, no counting."),
    ),
    responses(
        (status = 200, body = EventPage),
        (status = 400, description = "The query is wrong; names the column.", body = ErrorBody),
        (status = 403, description = "The key may not read, or the workspace is not entitled.", body = ErrorBody),
        (status = 404, description = "No such organization.", body = ErrorBody),
        (status = 422, description = "A parameter is wrong.", body = ErrorBody),
    ),
)]
pub(crate) async fn search(
    State(app): State<App>,
    caller: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let organization_id = params.required("organization_id");
    let filter = query(&mut params, &app)?.filter;
    let limit = params.integer("limit", 1..=LIMIT_MAX).unwrap_or(LIMIT);
    let search = Search {
        filter,
        as_of: params.integer("as_of", 0..=u64::MAX),
        order: order(&mut params),
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        after: params.integer("after", 0..=u64::MAX),
        count_limit: params.integer("count", 0..=COUNT).unwrap_or(0),
        deadline: Some(app.search_deadline()),
    };
    params.finish_strictly()?;
    let counting = search.count_limit > 0;
    let (_, log) = caller.reading_log(&organization_id).await?;
    let found = app.reading(move || log.search(&search)).await?;

    let cursor = if found.more {
        found.partial.or(found.rows.last().map(|row| row.position))
    } else {
        None
    };
    app.metrics.rows.fetch_add(found.rows.len() as u64, Relaxed);
    app.noticed(&found.unreadable);
    let mut body = String::with_capacity(64 + found.rows.len() * 1024);
    body.push_str("{\"object\":\"list\",\"data\":[");
    for (n, row) in found.rows.iter().enumerate() {
        if n > 0 {
            body.push(',');
        }
        export_json(&organization_id, row).write_canonical(&mut body);
    }
    body.push_str("],");
    let count = counting.then_some(match found.count {
        Count::Exact(value) => MatchCount {
            value,
            relation: "exact",
        },
        Count::MoreThan(value) => MatchCount {
            value,
            relation: "more_than",
        },
        Count::AtLeast(value) => MatchCount {
            value,
            relation: "at_least",
        },
    });
    let tail = Tail {
        list_metadata: EventCursor {
            before: None,
            after: cursor.map(|c| c.to_string()),
        },
        as_of: found.as_of,
        count,
        partial: found.partial,
        unreadable: parts(&found.unreadable),
    };
    let tail = serde_json::to_string(&tail).map_err(ApiError::internal)?;
    // The members of the tail go on where the object was left open.
    body.push_str(&tail[1..]);
    Ok(json(body))
}

/// Get one event.
#[utoipa::path(
    get,
    path = "/audit_logs/events/{id}",
    tag = "events",
    params(
        ("id" = String, Path, description = "Id of the event."),
        ("organization_id" = String, Query, description = "The workspace."),
    ),
    responses(
        (status = 200, body = RecordedEvent),
        (status = 404, description = "No such event or organization.", body = ErrorBody),
    ),
)]
pub(crate) async fn by_id(
    State(app): State<App>,
    caller: Reader,
    Id(id): Id,
    mut params: Params,
) -> Result<Response, ApiError> {
    let organization_id = params.required("organization_id");
    params.finish_strictly()?;
    let (_, log) = caller.reading_log(&organization_id).await?;
    let wanted = id.clone();
    let row: Option<Row> = app.reading(move || log.row_by_id(&wanted)).await?;
    let row = row.ok_or(ApiError::NotFound("Event", id))?;
    app.metrics.rows.fetch_add(1, Relaxed);
    let mut body = String::with_capacity(1024);
    export_json(&organization_id, &row).write_canonical(&mut body);
    Ok(json(body))
}

/// Reads the parameter `order`.
pub(crate) fn order(params: &mut Params) -> Order {
    params
        .word("order", &[("desc", Order::Desc), ("asc", Order::Asc)])
        .unwrap_or_default()
}

fn json(body: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
