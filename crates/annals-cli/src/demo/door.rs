//! The demo's own links. A portal link lives for minutes and opens once, as it should; the links that
//! the demo prints make a new one at every click. Only this command has such routes: a server never
//! opens a log for whoever knows an address.

use std::sync::Arc;

use annals_server::Operator;
use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::{Value, json};

use crate::client::Client;

/// What the routes need: the demo as its own client.
struct Door {
    client: Client,
    open: &'static str,
    locked: &'static str,
}

/// `/demo` and `/demo/locked`.
pub(crate) fn routes(
    operator: &Operator,
    open: &'static str,
    locked: &'static str,
) -> Result<Router> {
    let door = Door {
        client: Client::new(&operator.url, &operator.key)?,
        open,
        locked,
    };
    Ok(Router::new()
        .route("/demo", get(open_page))
        .route("/demo/locked", get(locked_page))
        .with_state(Arc::new(door)))
}

async fn open_page(State(door): State<Arc<Door>>) -> Response {
    let user = json!({"id": "usr_ann", "name": "Ann Keller", "email": "ann@acme.example"});
    to_page(door.clone(), door.open, user).await
}

async fn locked_page(State(door): State<Arc<Door>>) -> Response {
    let user = json!({"id": "usr_olga", "name": "Olga Brandt", "email": "olga@globex.example"});
    to_page(door.clone(), door.locked, user).await
}

async fn to_page(door: Arc<Door>, workspace: &'static str, user: Value) -> Response {
    let made = tokio::task::spawn_blocking(move || {
        door.client.post(
            "/portal/generate_link",
            &json!({
                "organization": workspace,
                "intent": "audit_logs",
                "role": "owner",
                "user": user,
            }),
        )
    });
    match made.await {
        Ok(Ok(answer)) => match answer["link"].as_str() {
            Some(link) => Redirect::to(link).into_response(),
            None => refused("the answer has no link"),
        },
        Ok(Err(error)) => refused(&format!("{error:#}")),
        Err(_) => refused("interrupted"),
    }
}

fn refused(why: &str) -> Response {
    tracing::error!("no portal link: {why}");
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "The demo is not ready yet. Try again in a moment.\n",
    )
        .into_response()
}
