//! The demo's own links. A portal link lives for minutes and opens once, as it should; the links that
//! the demo prints make a new one at every click. Only this command has such routes: a server never
//! opens a log for whoever knows an address.

use std::sync::{Arc, OnceLock};

use annals_server::Operator;
use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::theatre::Found;
use crate::client::Client;

/// The demo as its own client.
#[derive(Clone)]
pub(crate) struct Door {
    client: Arc<Client>,
    /// The two workspaces and who opens them, once they are there.
    rooms: Arc<OnceLock<[(String, Value); 2]>>,
}

impl Door {
    pub(crate) fn new(operator: &Operator) -> Result<Self> {
        let client = Arc::new(Client::new(&operator.url, &operator.key)?);
        Ok(Self {
            client,
            rooms: Arc::default(),
        })
    }

    /// `/demo` and `/demo/locked`.
    pub(crate) fn routes(&self) -> Router {
        Router::new()
            .route("/demo", get(open_page).head(look))
            .route("/demo/locked", get(locked_page).head(look))
            .with_state(self.clone())
    }

    /// Where the links lead from now on.
    pub(super) fn open(&self, found: &Found) {
        let [ann, olga] = found.founders.clone();
        let rooms = [(found.acme.clone(), ann), (found.globex.clone(), olga)];
        // It is opened once.
        let _ = self.rooms.set(rooms);
    }
}

/// To whoever only looks whether there is something: a link is made for those who open it.
async fn look() -> Response {
    let headers = [(CACHE_CONTROL, "no-store")];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Whether a browser fetches this for somebody who has not clicked, or only to show a part of it.
fn is_ahead(headers: &HeaderMap) -> bool {
    let says = |name: &str, what: &[&str]| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.is_some_and(|value| what.iter().any(|what| value.contains(what)))
    };
    ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        .into_iter()
        .any(|name| says(name, &["prefetch", "prerender", "preview"]))
}

async fn open_page(State(door): State<Door>, headers: HeaderMap) -> Response {
    to_page(door, headers, 0).await
}

async fn locked_page(State(door): State<Door>, headers: HeaderMap) -> Response {
    to_page(door, headers, 1).await
}

async fn to_page(door: Door, headers: HeaderMap, room: usize) -> Response {
    if is_ahead(&headers) {
        return look().await;
    }
    let Some((workspace, user)) = door.rooms.get().map(|rooms| rooms[room].clone()) else {
        return refused("the month is not over");
    };
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
