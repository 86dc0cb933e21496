//! The clock door: what time it is, said from outside. It is there only where the tracker was started with it, and for programs on this machine alone.

use std::net::SocketAddr;
use std::time::Duration;

use annals_client::Timestamp;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use rusqlite::{Connection, OptionalExtension as _};
use serde::Deserialize;

use crate::app::App;
use crate::refused::Refused;

/// How often it is looked whether everything has settled, and how often at most.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOKS_MAX: u32 = 15_000;

#[derive(Deserialize)]
pub(super) struct How {
    settled: Option<String>,
}

/// `POST /clock` with a time such as `2026-11-01T09:00:00Z` as its text stands the clock still there; with `follow` it follows the
/// machine's again. What was collected of floods is told at each step, as after a minute. With `?settled` the clock waits until the mails
/// and issues that are on their way have left and Annals has every event: so a story that is performed quickly leaves a log without
/// delays. What Annals refused is an error: the story would lack it.
pub(super) async fn set(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Query(how): Query<How>,
    headers: HeaderMap,
    body: String,
) -> Response {
    // A page of any site may let a browser on this machine send this.
    let is_browser = headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site");
    if is_browser || !peer.ip().to_canonical().is_loopback() {
        return StatusCode::NOT_FOUND.into_response();
    }
    if how.settled.is_some()
        && let Err(refused) = settle(&app).await
    {
        return refused.into_response();
    }
    match body.trim() {
        "follow" => app.clock.follow(),
        time => match Timestamp::parse(time) {
            Ok(time) => app.clock.set(time),
            Err(_) => {
                return (
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "The body is a time such as 2026-11-01T09:00:00Z, or `follow`.\n",
                )
                    .into_response();
            }
        },
    }
    crate::loops::tell_floods(&app, false).await;
    app.mails.notify_one();
    (StatusCode::OK, format!("{}\n", app.clock.now())).into_response()
}

/// Waits until nothing is on its way any more.
async fn settle(app: &App) -> Result<(), Refused> {
    for _ in 0..LOOKS_MAX {
        let now = app.clock.now();
        if app.read(move |db| is_settled(db, now)).await? {
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err(Refused::internal(
        "something is on its way and does not arrive",
    ))
}

fn is_settled(db: &Connection, now: Timestamp) -> Result<bool, Refused> {
    let parked = "select reason from annals_outbox_parked order by seq limit 1";
    let parked: Option<String> = db
        .prepare_cached(parked)?
        .query_row([], |row| row.get(0))
        .optional()?;
    if let Some(reason) = parked {
        return Err(Refused::internal(format_args!(
            "Annals does not take what happened: {reason}"
        )));
    }
    let sql = "select not exists (select 1 from annals_outbox)
        and not exists (select 1 from issue where sync_state = 'pending' and deleted_at is null)
        and not exists (select 1 from mail_queue where sent_at is null and refused_at is null and next_try_at <= ?1)";
    Ok(db
        .prepare_cached(sql)?
        .query_row([now.as_micros()], |row| row.get(0))?)
}
