//! Events: record one, record many, find them, prove them.

use annals_event::{Drafts, Query, When};
use annals_store::{Append, Item};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde::Serialize;
use std::sync::atomic::Ordering::Relaxed;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Writer;
use crate::body::{self, Bounds, Content};
use crate::error::{ApiError, ErrorBody};
use crate::ingest;
use crate::params::Params;
use crate::wanted::Wanted;

pub(crate) mod batch;
pub(crate) mod count;
pub(crate) mod find;
pub(crate) mod prove;

use prove::{Receipt, receipts};

/// The routes of this file and those below it.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create, find::search))
        .routes(routes!(batch::create))
        .routes(routes!(count::histogram))
        .routes(routes!(count::facets))
        .routes(routes!(find::by_id))
        .routes(routes!(prove::by_id))
}

/// Position of the recorded event.
const POSITION: HeaderName = HeaderName::from_static("annals-position");
/// Id of the recorded event.
const EVENT_ID: HeaderName = HeaderName::from_static("annals-event-id");

/// The answer to an event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Success {
    /// Always true: the event is durable, has its position and is hashed.
    success: bool,
    /// The signed receipt, where `receipt=1` asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
}

/// The body that records an event.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the body itself is read in place"
)]
pub(crate) struct NewEvent {
    /// The workspace.
    organization_id: String,
    /// What happened; see docs/formats/event-v1.md.
    #[schema(value_type = Object)]
    event: (),
}

/// Record an event.
///
/// The answer comes when the event is on stable storage, has its position in the workspace's log and
/// is hashed. Repeating a request is harmless: with an `id` in the event, or with the header
/// `Idempotency-Key`, it answers as the first one did.
#[utoipa::path(
    post,
    path = "/audit_logs/events",
    tag = "events",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Any unique text; remembered for at least 24 hours of uptime."),
        ("receipt" = Option<bool>, Query, description = "Also answer a signed receipt."),
    ),
    request_body = NewEvent,
    responses(
        (status = 200, description = "Recorded, now or before.", body = Success, headers(
            ("Annals-Position" = u64, description = "Position in the workspace's log."),
            ("Annals-Event-Id" = String, description = "Id of the event."),
        )),
        (status = 400, description = "The event is wrong.", body = ErrorBody),
        (status = 403, description = "The key may not write, or auditing is disabled.", body = ErrorBody),
        (status = 404, description = "No such organization.", body = ErrorBody),
        (status = 409, description = "The id or the idempotency key was used for something else.", body = ErrorBody),
        (status = 413, description = "Too large.", body = ErrorBody),
        (status = 422, description = "Members are missing.", body = ErrorBody),
        (status = 429, description = "The key's limit is used up.", body = ErrorBody),
        (status = 503, description = "Busy; try again.", body = ErrorBody),
        (status = 507, description = "No disk space is left.", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Writer,
    mut params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    let with_receipt = params.flag("receipt");
    params.finish()?;
    let (Parts { headers, .. }, body) = request.into_parts();
    if body::content(&headers)? != Content::Json {
        return Err(ApiError::MediaType(
            "One event is sent as application/json.".to_owned(),
        ));
    }
    let bounds = Bounds {
        decoded: body::EVENT_BYTES,
        timeout: app.config.limits.body_timeout(),
    };
    let body = body::read(&headers, body, bounds).await?;
    // The journal's form is hardly ever larger than the text.
    let mut drafts = Drafts::with_capacity(1, body.len());
    let log = match ingest::straight(&app, &body, &mut drafts) {
        Some(organization_id) => caller.recording_log(&organization_id).await?,
        None => {
            let envelope = ingest::envelope(&body)?;
            let log = caller.recording_log(&envelope.organization_id).await?;
            let draft = ingest::draft(&app, envelope.event).inspect_err(|_| {
                app.metrics.rejected.fetch_add(1, Relaxed);
            })?;
            drafts.push(&draft);
            log
        }
    };
    let appended = log
        .append(Append {
            drafts,
            recorded_by: caller.key.id.clone(),
            idempotency: ingest::idempotency(&headers, &body)?,
            internal: false,
            receipt: with_receipt,
        })
        .await?;
    let item = appended.items.into_iter().next();
    let (position, id) = match item {
        Some(Item::Recorded { position, id, .. }) => {
            app.metrics.recorded.fetch_add(1, Relaxed);
            (position, id)
        }
        Some(Item::Duplicate { position, id, .. }) => {
            app.metrics.duplicates.fetch_add(1, Relaxed);
            (position, id)
        }
        Some(Item::Conflict { .. }) | None => {
            app.metrics.rejected.fetch_add(1, Relaxed);
            return Err(id_conflict());
        }
    };
    let receipt = match appended.receipt {
        Some(promise) => receipts(&app, &log, vec![position], &promise).await?.pop(),
        None => None,
    };
    let mut response = match receipt {
        None => (
            [(axum::http::header::CONTENT_TYPE, "application/json")],
            r#"{"success":true}"#,
        )
            .into_response(),
        receipt => Json(Success {
            success: true,
            receipt,
        })
        .into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(POSITION, HeaderValue::from(position));
    // Ids are visible ASCII, so that they are header values.
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(EVENT_ID, id);
    }
    Ok(response)
}

/// The refusal of an event whose id stands for another one.
fn id_conflict() -> ApiError {
    ApiError::Conflict {
        code: "event_id_conflict",
        message:
            "Another event was recorded with this id; event.id must be unique in the organization."
                .to_owned(),
    }
}

/// Reads the parameters `q`, `tz`, `from` and `to`, which every way to find events takes.
pub(crate) fn query(params: &mut Params, app: &App) -> Result<Wanted, ApiError> {
    query_in_zone(params, app).map(|(wanted, _)| wanted)
}

/// As [`query`], and the zone that was named.
pub(crate) fn query_in_zone(
    params: &mut Params,
    app: &App,
) -> Result<(Wanted, TimeZone), ApiError> {
    let zone = match params.text("tz") {
        None => TimeZone::UTC,
        Some(name) => TimeZone::get(&name).unwrap_or_else(|_| {
            params.fault(
                "tz",
                "unknown_value",
                "must be a time zone such as Europe/Berlin",
            );
            TimeZone::UTC
        }),
    };
    let query = Query::parse(&params.text("q").unwrap_or_default())?;
    let when = When {
        now: app.now(),
        zone: zone.clone(),
    };
    let (from, to) = (params.time("from"), params.time("to"));
    if from.zip(to).is_some_and(|(from, to)| from > to) {
        params.fault("to", "out_of_range", "must not lie before from");
    }
    Ok((Wanted::new(&query, &when, (from, to))?, zone))
}
