//! How Taskyard misbehaves, and the page on which it is told to.

use axum::Router;
use axum::extract::{Form, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};

use super::{Yard, page};

/// What it does. A form that leaves a field out sets it back to what works.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Control {
    pub(super) asking: Asking,
    pub(super) exchange: Exchange,
    pub(super) api: Api,
    /// Grants all scopes but the last.
    #[serde(deserialize_with = "ticked")]
    pub(super) fewer_scopes: bool,
}

/// Who decides whether the tracker may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Asking {
    #[default]
    Person,
    Deny,
    AdminApproval,
}

/// What becomes of a code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Exchange {
    #[default]
    Works,
    Hangs,
    Fails,
}

/// How requests with a token are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Api {
    #[default]
    Works,
    Hangs,
    Unauthorized,
    Rejects,
    Busy,
    Fails,
}

fn ticked<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(!String::deserialize(deserializer)?.is_empty())
}

pub(super) fn routes() -> Router<Yard> {
    Router::new().route("/control", get(show).post(set))
}

async fn show(State(yard): State<Yard>) -> Response {
    let control = yard.state().control;
    let choose = |label: &str, name: &str, words: &[&str], chosen: String| {
        let options: String = words
            .iter()
            .map(|word| {
                let selected = if format!("\"{word}\"") == chosen {
                    " selected"
                } else {
                    ""
                };
                format!("<option{selected}>{word}</option>")
            })
            .collect();
        format!("<label class=\"field\">{label}<select name=\"{name}\">{options}</select></label>")
    };
    let word = |value: serde_json::Result<String>| value.unwrap_or_default();
    let body = [
        "<h1>Let it misbehave</h1><p>For trying out what the tracker does when another tool does not do its part.</p><form method=\"post\">".to_owned(),
        choose("Whoever asks", "asking", &["person", "deny", "admin_approval"], word(serde_json::to_string(&control.asking))),
        choose("The exchange of a code", "exchange", &["works", "hangs", "fails"], word(serde_json::to_string(&control.exchange))),
        choose("The API", "api", &["works", "hangs", "unauthorized", "rejects", "busy", "fails"], word(serde_json::to_string(&control.api))),
        format!(
            "<label><input type=\"checkbox\" name=\"fewer_scopes\"{}>Grants fewer scopes than were asked for</label>",
            if control.fewer_scopes { " checked" } else { "" }
        ),
        "<p></p><button class=\"main\">Set</button></form>".to_owned(),
    ];
    page("Control", "", &body.concat())
}

async fn set(State(yard): State<Yard>, Form(control): Form<Control>) -> Response {
    yard.state().control = control;
    Redirect::to("/control").into_response()
}
