//! Whether the server runs, and how it is doing.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Inspector;
use crate::error::{ApiError, ErrorBody};
use axum::extract::FromRequestParts;

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(metrics))
}

/// That the server answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`.
    status: &'static str,
    /// Version of the program.
    version: &'static str,
}

const HEALTH: Health = Health {
    status: "ok",
    version: env!("CARGO_PKG_VERSION"),
};

/// Whether the process answers.
#[utoipa::path(get, path = "/health", tag = "operating", responses((status = 200, body = Health)), security(()))]
async fn health() -> Json<Health> {
    Json(HEALTH)
}

/// Whether it takes requests: the store is open and readable.
#[utoipa::path(get, path = "/ready", tag = "operating", responses((status = 200, body = Health)), security(()))]
async fn ready(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    if !app.store.is_running() {
        return Err(ApiError::Stopping);
    }
    let log = app.store.installation_log();
    app.reading(move || log.checkpoint().map(drop)).await?;
    Ok(Json(HEALTH))
}

/// Counters for Prometheus.
///
/// Needs a key that covers all organizations, unless the setting `open_metrics` is on.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operating",
    responses((status = 200, content_type = "text/plain", body = String), (status = 401, body = ErrorBody)),
)]
async fn metrics(State(app): State<App>, mut parts: Parts) -> Result<Response, ApiError> {
    if !app.config.open_metrics {
        Inspector::from_request_parts(&mut parts, &app).await?;
    }
    let text = app.metrics.render(&app.gauges());
    Ok((
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response())
}
