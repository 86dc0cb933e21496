//! The web site of a customer of the tracker: a page on an origin of its own, with a strict policy, that loads the widget.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;

use super::escape;

const STYLE: &str = "
body { margin: 0; font: 17px/1.6 Georgia, serif; color: #2b2118; background: #fbf7f0; }
header { background: #2b2118; color: #fbf7f0; padding: 18px 8vw; font-size: 20px; } main { padding: 40px 8vw; max-width: 720px; }
h1 { font-size: 34px; line-height: 1.15; margin: 0 0 14px; } button, input { all: revert; background: crimson !important; letter-spacing: 9px; }
";

pub(super) fn routes(tracker_url: &str) -> Router {
    Router::new()
        .route("/", get(hint))
        .route(
            "/site.css",
            get(|| async { ([(CONTENT_TYPE, "text/css")], STYLE) }),
        )
        .route("/{public_key}", get(page))
        .with_state(tracker_url.trim_end_matches('/').to_owned())
}

async fn hint() -> &'static str {
    "The web site of a customer. Its pages carry the tracker's widget: add the public key of a project's widget to this address.\n"
}

async fn page(State(tracker): State<String>, Path(key): Path<String>) -> Response {
    let is_key = (1..=64).contains(&key.len())
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !is_key {
        return StatusCode::NOT_FOUND.into_response();
    }
    let tracker = escape(&tracker);
    // As strict as a customer's policy can be: the tracker's origin for the script and its requests, and no style of anybody's.
    let policy = format!(
        "default-src 'none'; style-src 'self'; script-src {tracker}; connect-src {tracker}; base-uri 'none'; form-action 'none'"
    );
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Northwind Bakery</title><link rel=\"stylesheet\" href=\"/site.css\">\
         <script src=\"{tracker}/widget.js\" data-project=\"{key}\" async></script></head>\
         <body><header>Northwind Bakery</header><main><h1>Bread, from four in the morning</h1>\
         <p>Order before eight in the evening, and it stands at your door before you are up.</p>\
         <p>Something wrong with this page? Use the button in the corner.</p></main></body></html>"
    );
    ([(CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response()
}
