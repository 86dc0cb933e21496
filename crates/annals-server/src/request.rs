//! What is done around every request: its id, its counters and its line in the log.
//!
//! The line has no payload and no query string: those hold what people searched for, and names.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tower::ServiceExt;
use tracing::Level;

use crate::app::App;
use crate::error::ApiError;
use crate::ids;

/// The header that names a request; support asks for it.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request in hand, for what is recorded about it.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) HeaderValue);

impl RequestId {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// What handlers learn that the log line names.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The id of the key.
    pub(crate) key: OnceLock<String>,
    /// The id of the workspace.
    pub(crate) workspace: OnceLock<String>,
}

/// The cause of an internal error, which only the log learns.
#[derive(Debug, Clone)]
pub(crate) struct Cause(pub(crate) String);

/// All routes, and what is done around them. It stands before the router: as a layer of each route it would
/// cost several allocations a request.
#[derive(Clone)]
pub(crate) struct Front {
    app: App,
    routes: Router,
}

impl Front {
    /// Stands before these routes.
    pub(crate) fn new(app: App, routes: Router) -> Self {
        Self { app, routes }
    }

    /// Stands before these routes too.
    pub(crate) fn with_routes(self, more: Router) -> Self {
        Self {
            app: self.app,
            routes: self.routes.merge(more),
        }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, mut request: Request) -> Response {
        let started = Instant::now();
        let app = &self.app;
        let id = ids::request_id();
        let route = app.metrics.route(request.uri().path());
        let method = request.method().clone();
        let notes = app.config.log_requests.then(|| Arc::new(Notes::default()));
        if let Some(notes) = &notes {
            request.extensions_mut().insert(Arc::clone(notes));
        }
        request.extensions_mut().insert(RequestId(id.clone()));

        let mut response = caught(async {
            let Ok(response) = self.routes.clone().oneshot(request).await;
            response
        })
        .await;

        let elapsed = started.elapsed();
        let status = response.status();
        route.observe(&method, status, elapsed);
        if let Some(Cause(cause)) = response.extensions_mut().remove::<Cause>() {
            let request_id = id.to_str().unwrap_or_default();
            tracing::error!(request.id = request_id, error = %cause, "cannot answer a request");
        }
        if let Some(notes) = notes {
            let route = route.path();
            let line = Line {
                method: &method,
                route,
                status,
                elapsed,
                id: &id,
                notes: &notes,
            };
            // An event that was recorded is the daily bread of this server: at `debug`, so that the log
            // of a busy installation shows what people did with it and what went wrong.
            if status.is_success()
                && route.is_some_and(|r| r == INGEST || r == INGEST_BATCH)
                && method == Method::POST
            {
                line.write(Level::DEBUG);
            } else {
                line.write(Level::INFO);
            }
        }
        let headers = response.headers_mut();
        // Answers to a key are for its holder alone; what may be kept says so itself.
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        headers.insert(X_REQUEST_ID, id);
        response
    }
}

/// A fault in a handler ends its request, with an answer, and nothing else: not the connection, on
/// which other requests may follow.
async fn caught(answer: impl Future<Output = Response>) -> Response {
    match AssertUnwindSafe(answer).catch_unwind().await {
        Ok(response) => response,
        Err(_) => ApiError::internal("a handler panicked").into_response(),
    }
}

const INGEST: &str = "/audit_logs/events";
const INGEST_BATCH: &str = "/audit_logs/events/bulk";

/// What is said about one request.
struct Line<'a> {
    method: &'a Method,
    route: Option<&'a str>,
    status: StatusCode,
    elapsed: Duration,
    id: &'a HeaderValue,
    notes: &'a Notes,
}

impl Line<'_> {
    fn write(&self, level: Level) {
        macro_rules! write {
            ($event:ident) => {
                tracing::$event!(
                    target: "annals::request",
                    method = self.method.as_str(),
                    route = self.route.unwrap_or("-"),
                    status = self.status.as_u16(),
                    elapsed_ms = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX),
                    request.id = self.id.to_str().unwrap_or_default(),
                    key.id = self.notes.key.get().map_or("-", String::as_str),
                    workspace.id = self.notes.workspace.get().map_or("-", String::as_str),
                    "request"
                )
            };
        }
        if level == Level::DEBUG {
            write!(debug)
        } else {
            write!(info)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered() {
        let response = caught(async { panic!("a fault of ours") }).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(response.extensions().get::<Cause>().is_some());
    }
}
