//! The description of the API, for programs and for people.

use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) mod page;

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(openapi))
        .routes(routes!(docs))
        .routes(routes!(style))
}

const STYLE: &str = include_str!("docs/style.css");

/// This description, as OpenAPI 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "operating",
    responses((status = 200, content_type = "application/json", body = String)),
    security(()),
)]
async fn openapi(State(app): State<App>) -> Response {
    ([(CONTENT_TYPE, "application/json")], app.openapi.clone()).into_response()
}

/// This description, to read.
#[utoipa::path(
    get,
    path = "/docs",
    tag = "operating",
    responses((status = 200, content_type = "text/html", body = String)),
    security(()),
)]
async fn docs(State(app): State<App>) -> Response {
    let mut response = (
        [(CONTENT_TYPE, "text/html; charset=utf-8")],
        app.docs.clone(),
    )
        .into_response();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The style of that page.
#[utoipa::path(
    get,
    path = "/docs/style.css",
    tag = "operating",
    responses((status = 200, content_type = "text/css", body = String)),
    security(()),
)]
async fn style() -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE).into_response()
}
