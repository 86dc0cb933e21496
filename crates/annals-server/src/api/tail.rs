//! The live tail: events as they are recorded, as server-sent events.

use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use annals_event::{Filter, export_line};
use annals_store::{Log, Order, StoreError};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use tokio::sync::mpsc;
use tokio::time::Instant;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::events::find::Matching;
use super::events::query;
use crate::app::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody};
use crate::params::Params;

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(tail))
}

/// How often the log is looked at: its size is in memory, so that looking costs nothing.
const LOOK: Duration = Duration::from_millis(250);
/// How often a silent connection is told that it is alive.
const ALIVE: Duration = Duration::from_secs(15);
/// When the connection ends; clients come back with `Last-Event-ID`.
const LIFE: Duration = Duration::from_secs(300);
/// Rows read at a time.
const ROWS: u64 = 256;

/// Follow a log.
///
/// Server-sent events: `id` is the position, `data` the event as the API returns it. Starts at the end
/// of the log, at `after`, or where `Last-Event-ID` says; the connection ends after five minutes and
/// the browser's `EventSource` goes on by itself.
#[utoipa::path(
    get,
    path = "/audit_logs/events/tail",
    tag = "events",
    params(
        Matching,
        ("after" = Option<u64>, Query, description = "Start after this position."),
        ("Last-Event-ID" = Option<u64>, Header, description = "The same, as browsers send it."),
    ),
    responses(
        (status = 200, content_type = "text/event-stream", body = String),
        (status = 404, description = "No such organization.", body = ErrorBody),
    ),
)]
async fn tail(
    State(app): State<App>,
    caller: Reader,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let organization_id = params.required("organization_id");
    let filter = query(&mut params, &app)?.filter;
    let after = params.integer("after", 0..=u64::MAX);
    params.finish_strictly()?;
    let (_, log) = caller.reading_log(&organization_id).await?;
    let last = headers
        .get("last-event-id")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok());
    let next = last
        .or(after)
        .map_or_else(|| log.size(), |position: u64| position.saturating_add(1));

    let place = app.tails.take(&log)?;
    let (lines, mut sent) = mpsc::channel::<Bytes>(4);
    tokio::spawn(async move {
        follow(app, log, filter, next, lines).await;
        drop(place);
    });
    let body = futures_util::stream::poll_fn(move |context| {
        sent.poll_recv(context)
            .map(|piece| piece.map(Ok::<Bytes, Infallible>))
    });
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// Sends what is recorded from `next` on until the client goes, the time is over or reading fails.
async fn follow(app: App, log: Log, filter: Filter, mut next: u64, lines: mpsc::Sender<Bytes>) {
    let end = Instant::now() + LIFE;
    let mut alive = Instant::now();
    let hello = Bytes::from_static(b"retry: 1000\n\n");
    if lines.send(hello).await.is_err() {
        return;
    }
    while Instant::now() < end && !lines.is_closed() && !app.stopping.load(Relaxed) {
        let size = log.size();
        if next >= size {
            if alive.elapsed() > ALIVE {
                alive = Instant::now();
                if lines
                    .send(Bytes::from_static(b": alive\n\n"))
                    .await
                    .is_err()
                {
                    return;
                }
            }
            tokio::time::sleep(LOOK).await;
            continue;
        }
        let until = size.min(next.saturating_add(ROWS));
        let (reading, reading_log, reading_filter) = (app.clone(), log.clone(), filter.clone());
        let read = app
            .reading(move || read(&reading, &reading_log, &reading_filter, next, until))
            .await;
        let Ok(text) = read else { return };
        if !text.is_empty() {
            alive = Instant::now();
            if lines.send(Bytes::from(text)).await.is_err() {
                return;
            }
        }
        next = until;
    }
}

fn read(
    app: &App,
    log: &Log,
    filter: &Filter,
    from: u64,
    until: u64,
) -> Result<String, StoreError> {
    let mut text = String::new();
    for row in log.scan(from..until, Order::Asc) {
        let row = row?;
        if filter.matches(&row, app.catalogue()) {
            let data = export_line(log.id(), &row);
            text.push_str(&format!(
                "id: {}\nevent: event\ndata: {data}\n\n",
                row.position
            ));
        }
    }
    Ok(text)
}
