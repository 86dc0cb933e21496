//! What a workspace is entitled to, and how auditing is set up for it.

use annals_event::Object;
use annals_store::{Entitlement, Organization};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::{Observer, Operator};
use crate::body;
use crate::error::{ApiError, ErrorBody};
use crate::fields;
use crate::params::Id;

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(configuration))
        .routes(routes!(entitlement, set_entitlement))
}

/// How auditing is set up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Configuration {
    organization_id: String,
    /// Days; null is for ever.
    retention_period_in_days: Option<u32>,
    /// `active`, `inactive` or `disabled`.
    state: &'static str,
}

/// What a workspace is entitled to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntitlementObject {
    organization_id: String,
    /// `active`: all; `inactive`: recorded, but locked for the workspace; `disabled`: not recorded.
    state: &'static str,
}

/// The body that sets the entitlement.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the body is read member by member"
)]
pub(crate) struct EntitlementBody {
    /// `active`, `inactive` or `disabled`.
    state: String,
}

/// Get how auditing is set up.
#[utoipa::path(
    get,
    path = "/organizations/{id}/audit_log_configuration",
    tag = "organizations",
    params(("id" = String, Path, description = "Id of the organization.")),
    responses((status = 200, body = Configuration), (status = 404, body = ErrorBody)),
)]
async fn configuration(caller: Observer, Id(id): Id) -> Result<Json<Configuration>, ApiError> {
    let (organization, _) = caller.organization(&id)?;
    Ok(Json(Configuration {
        organization_id: id,
        retention_period_in_days: organization.retention.requested(),
        state: organization.entitlement.as_str(),
    }))
}

/// Get what a workspace is entitled to.
#[utoipa::path(
    get,
    path = "/organizations/{id}/entitlement",
    tag = "organizations",
    params(("id" = String, Path, description = "Id of the organization.")),
    responses((status = 200, body = EntitlementObject), (status = 404, body = ErrorBody)),
)]
async fn entitlement(caller: Observer, Id(id): Id) -> Result<Json<EntitlementObject>, ApiError> {
    let (organization, _) = caller.organization(&id)?;
    let state = organization.entitlement.as_str();
    Ok(Json(EntitlementObject {
        organization_id: id,
        state,
    }))
}

/// Set what a workspace is entitled to.
#[utoipa::path(
    put,
    path = "/organizations/{id}/entitlement",
    tag = "organizations",
    params(("id" = String, Path, description = "Id of the organization.")),
    request_body = EntitlementBody,
    responses((status = 200, body = EntitlementObject), (status = 404, body = ErrorBody), (status = 422, body = ErrorBody)),
)]
async fn set_entitlement(
    State(app): State<App>,
    caller: Operator,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<EntitlementObject>, ApiError> {
    let (_, log) = caller.organization(&id)?;
    let body = body::control(&app, &headers, body).await?;
    let mut fields = fields::read(&body)?;
    let word = fields.required_text("state");
    let state = Entitlement::parse(&word);
    if state.is_none() && !word.is_empty() {
        fields.fault(
            "state",
            "unknown_value",
            "must be active, inactive or disabled",
        );
    }
    fields.finish()?;
    let state = state.unwrap_or_default();
    let (act, recording) = (caller.act(), app.clone());
    let organization = app
        .store
        .set_entitlement(&id, state, move |before, after| {
            let member = |o: &Organization| Object::from_iter([("state", o.entitlement.as_str())]);
            act.event(&recording, "audit_log.entitlement_changed")
                .workspace(after)
                .previous(member(before))
                .next(member(after))
                .recorded_in(&log)
        })
        .await?;
    Ok(Json(EntitlementObject {
        organization_id: id,
        state: organization.entitlement.as_str(),
    }))
}
