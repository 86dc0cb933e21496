//! Every route of the server, put together once.

use axum::Router;
use axum::response::IntoResponse;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::api;
use crate::app::App;
use crate::error::ApiError;
use crate::request::Front;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Annals",
        description = "The audit log for workspace software. Send `Authorization: Bearer sk_…` with every request. `organization_id` is the workspace. The routes of WorkOS Audit Logs are here as its SDKs expect them; what Annals adds stands beside them. Every answer carries `X-Request-ID`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    security(("key" = [])),
    tags(
        (name = "events", description = "Record and find events."),
        (name = "downloads", description = "Files: CSV, NDJSON, proof."),
        (name = "proofs", description = "What shows that nothing was changed or left out."),
        (name = "actions", description = "The catalogue, and schemas of your own actions."),
        (name = "organizations", description = "Workspaces and how their logs are kept."),
        (name = "portal", description = "Links that open the viewer."),
        (name = "keys", description = "Who may call."),
        (name = "operating", description = "Health, metrics and this description."),
    ),
)]
struct Api;

/// The routes of the API and their description, without state.
pub(crate) fn api() -> (Router<App>, OpenApi) {
    let (router, mut description) = OpenApiRouter::with_openapi(Api::openapi())
        .merge(api::events::router())
        .merge(api::downloads::router())
        .merge(api::tail::router())
        .merge(api::checkpoint::router())
        .merge(api::exports::router())
        .merge(api::actions::router())
        .merge(api::catalogue::router())
        .merge(api::organizations::router())
        .merge(api::entitlement::router())
        .merge(api::retention::router())
        .merge(api::portal_links::router())
        .merge(api::keys::router())
        .merge(api::health::router())
        .merge(api::docs::router())
        .split_for_parts();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    description
        .components
        .get_or_insert_default()
        .add_security_scheme("key", SecurityScheme::Http(bearer));
    (router, description)
}

/// API and pages, with what is done around every request.
pub(crate) fn whole(app: App, api: Router<App>) -> Front {
    let routes = api
        .merge(crate::viewer::routes())
        .fallback(async || ApiError::NoRoute.into_response())
        .method_not_allowed_fallback(async || ApiError::Method.into_response())
        .with_state(app.clone());
    Front::new(app, routes)
}
