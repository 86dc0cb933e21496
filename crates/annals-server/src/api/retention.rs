//! How long a log is kept.

use annals_event::{Json as Value, Number, Object, Timestamp};
use annals_store::{Organization, Retention};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::time;
use crate::app::App;
use crate::auth::{Manager, Observer};
use crate::body;
use crate::error::{ApiError, ErrorBody};
use crate::fields::{self, Fields};
use crate::params::Id;

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get, set))
}

/// Days of the periods with names.
const MONTH: u32 = 30;
const YEAR: u32 = 365;

/// How long a log is kept.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetentionObject {
    /// What is set: days, or null for ever.
    #[serde(rename = "retention_period_in_days")]
    days: Option<u32>,
    /// What still holds while a shorter period waits, so that nobody makes evidence disappear with
    /// one call.
    #[serde(skip_serializing_if = "Option::is_none")]
    in_force: Option<InForce>,
}

/// The period that holds until a shorter one takes effect.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InForce {
    /// Days, or null for ever.
    #[serde(rename = "retention_period_in_days")]
    days: Option<u32>,
    /// Until then.
    #[schema(value_type = String, format = DateTime)]
    until: String,
}

/// The body that sets the retention: either member.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the body is read member by member"
)]
pub(crate) struct RetentionBody {
    /// Days, 1 to 36,525; null is for ever.
    retention_period_in_days: Option<u32>,
    /// `1_MONTH` to `11_MONTHS`, `1_YEAR` to `10_YEARS`.
    retention_period: Option<String>,
}

/// Get the retention.
#[utoipa::path(
    get,
    path = "/organizations/{id}/audit_logs_retention",
    tag = "organizations",
    params(("id" = String, Path, description = "Id of the organization.")),
    responses((status = 200, body = RetentionObject), (status = 404, body = ErrorBody)),
)]
async fn get(
    State(app): State<App>,
    caller: Observer,
    Id(id): Id,
) -> Result<Json<RetentionObject>, ApiError> {
    let (organization, _) = caller.organization(&id)?;
    Ok(Json(wire(&organization.retention, app.now())))
}

/// Set the retention.
///
/// A longer period is in force at once, a shorter one after seven days.
#[utoipa::path(
    put,
    path = "/organizations/{id}/audit_logs_retention",
    tag = "organizations",
    params(("id" = String, Path, description = "Id of the organization.")),
    request_body = RetentionBody,
    responses(
        (status = 200, body = RetentionObject),
        (status = 404, body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn set(
    State(app): State<App>,
    caller: Manager,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<RetentionObject>, ApiError> {
    let (_, log) = caller.organization(&id)?;
    let body = body::control(&app, &headers, body).await?;
    let mut fields = fields::read(&body)?;
    let days = period(&mut fields);
    fields.finish()?;
    let (act, recording) = (caller.act(), app.clone());
    let organization = app
        .store
        .set_retention(&id, days, move |before, after| {
            let days = |o: &Organization| {
                let days = o
                    .retention
                    .requested()
                    .and_then(|d| Number::from_i64(d.into()));
                Object::from_iter([("days", days.map_or(Value::from("unlimited"), Value::Number))])
            };
            act.event(&recording, "audit_log.retention_changed")
                .workspace(after)
                .previous(days(before))
                .next(days(after))
                .recorded_in(&log)
        })
        .await?;
    Ok(Json(wire(&organization.retention, app.now())))
}

/// Reads either member; `None` is for ever.
fn period(fields: &mut Fields) -> Option<u32> {
    const DAYS: &str = "retention_period_in_days";
    const NAME: &str = "retention_period";
    if fields.has(NAME) {
        let name = fields.required_text(NAME);
        let days = named(&name);
        if days.is_none() && !name.is_empty() {
            fields.fault(
                NAME,
                "unknown_value",
                "must be 1_MONTH to 11_MONTHS or 1_YEAR to 10_YEARS",
            );
        }
        return days;
    }
    if !fields.has(DAYS) {
        fields.missing(DAYS);
        return None;
    }
    let days = fields.nullable_integer(DAYS)??;
    let allowed = i64::from(Retention::DAYS_MIN)..=i64::from(Retention::DAYS_MAX);
    match u32::try_from(days) {
        Ok(days) if allowed.contains(&i64::from(days)) => Some(days),
        _ => {
            fields.fault(DAYS, "out_of_range", "must be 1 to 36525, or null for ever");
            None
        }
    }
}

fn named(name: &str) -> Option<u32> {
    let (count, unit) = name.split_once('_')?;
    let count: u32 = count.parse().ok()?;
    match (count, unit) {
        (1, "MONTH") | (2..=11, "MONTHS") => Some(count * MONTH),
        (1, "YEAR") | (2..=10, "YEARS") => Some(count * YEAR),
        _ => None,
    }
}

fn wire(retention: &Retention, now: Timestamp) -> RetentionObject {
    let in_force = retention.waiting(now).map(|waiting| InForce {
        days: retention.in_force(now),
        until: time(waiting.effective_at),
    });
    RetentionObject {
        days: retention.requested(),
        in_force,
    }
}
