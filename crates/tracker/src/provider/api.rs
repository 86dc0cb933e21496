//! What Taskyard offers to programs: whose account a token is, and making a task. And its one page, where the tasks are seen.

use std::fmt::Write as _;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::control::Api;
use super::token::{error, holder, json_answer};
use super::{ACCOUNTS, Yard, escape, page};

/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(120);

/// What was forwarded.
pub(super) struct Task {
    key: String,
    request: String,
    account: String,
    title: String,
    url: String,
}

pub(super) fn routes() -> Router<Yard> {
    Router::new()
        .route("/", get(tasks))
        .route("/api/account", get(account))
        .route("/api/issues", post(create))
}

/// Does not answer while anybody waits.
pub(super) async fn hang() {
    tokio::time::sleep(FOR_EVER).await;
}

async fn misbehave(yard: &Yard) -> Option<Response> {
    let mode = yard.state().control.api;
    match mode {
        Api::Works => None,
        Api::Hangs => {
            hang().await;
            Some(StatusCode::GATEWAY_TIMEOUT.into_response())
        }
        Api::Unauthorized => Some(error(StatusCode::UNAUTHORIZED, "invalid_token")),
        Api::Rejects => Some(error(
            StatusCode::UNPROCESSABLE_ENTITY,
            "required_field_missing",
        )),
        Api::Busy => Some(error(StatusCode::TOO_MANY_REQUESTS, "rate_limited")),
        Api::Fails => Some(error(StatusCode::INTERNAL_SERVER_ERROR, "server_error")),
    }
}

async fn account(State(yard): State<Yard>, headers: HeaderMap) -> Response {
    if let Some(answer) = misbehave(&yard).await {
        return answer;
    }
    let Some(holder) = holder(&yard, &headers) else {
        return error(StatusCode::UNAUTHORIZED, "invalid_token");
    };
    let (id, name, site) = ACCOUNTS
        .iter()
        .find(|(id, _, _)| *id == holder.account)
        .unwrap_or(&ACCOUNTS[0]);
    json_answer(
        StatusCode::OK,
        &json!({ "id": id, "name": name, "site": site }),
    )
}

async fn create(State(yard): State<Yard>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(answer) = misbehave(&yard).await {
        return answer;
    }
    let Some(holder) = holder(&yard, &headers) else {
        return error(StatusCode::UNAUTHORIZED, "invalid_token");
    };
    if !holder
        .scopes
        .split_whitespace()
        .any(|scope| scope == "issues:write")
    {
        return error(StatusCode::FORBIDDEN, "insufficient_scope");
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    let title = text("title");
    if title.is_empty() {
        return error(StatusCode::UNPROCESSABLE_ENTITY, "title_missing");
    }
    let request = headers
        .get("idempotency-key")
        .and_then(|key| key.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let mut state = yard.state();
    let known = state
        .tasks
        .iter()
        .find(|task| !request.is_empty() && task.request == request);
    let key = known.map_or_else(
        || format!("TY-{}", state.tasks.len() + 1),
        |task| task.key.clone(),
    );
    if known.is_none() {
        state.tasks.push(Task {
            key: key.clone(),
            request,
            account: holder.account,
            title,
            url: text("url"),
        });
    }
    json_answer(StatusCode::CREATED, &json!({ "key": key }))
}

async fn tasks(State(yard): State<Yard>) -> Response {
    let mut rows = String::new();
    for task in yard.state().tasks.iter().rev() {
        let _ = write!(
            rows,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escape(&task.key),
            escape(&task.title),
            escape(&task.account),
            escape(&task.url)
        );
    }
    let body = format!(
        "<h1>Tasks</h1><p>What the tracker forwarded since this was started. <a href=\"/control\">Let it misbehave</a>.</p>\
         <table><tr><th>Key</th><th>Title</th><th>Account</th><th>From</th></tr>{rows}</table>"
    );
    page("Tasks", "wide", &body)
}
