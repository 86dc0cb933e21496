//! Where people are asked whether the tracker may act for them.

use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;
use url::Url;

use super::control::Asking;
use super::{ACCOUNTS, Yard, escape, page};
use crate::secret;

/// What the tracker asks for, in the address.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    response_type: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    code_challenge: String,
    #[serde(default)]
    code_challenge_method: String,
}

/// What the person says, and what was asked, carried through the form.
#[derive(Deserialize)]
struct Said {
    answer: String,
    #[serde(default)]
    account: String,
    #[serde(flatten)]
    asked: Asked,
}

/// A code that waits to be exchanged.
pub(super) struct Grant {
    pub(super) account: String,
    pub(super) scopes: String,
    pub(super) challenge: String,
}

pub(super) fn routes() -> Router<Yard> {
    Router::new().route("/oauth/authorize", get(ask).post(answer))
}

/// What makes a question one that nobody is asked: the person is *not* sent back, since the address may be anybody's.
fn problem(yard: &Yard, asked: &Asked) -> Option<Response> {
    let known = asked.client_id == yard.settings().client_id;
    let what = if !known {
        "There is no such application."
    } else if asked.redirect_uri != yard.settings().redirect_uri {
        "The application is registered with another redirect_uri."
    } else if asked.response_type != "code" {
        "Only response_type=code is known here."
    } else if asked.code_challenge_method != "S256" || asked.code_challenge.len() != 43 {
        "A code_challenge with S256 is required."
    } else {
        return None;
    };
    let body = format!("<h1>This cannot go on</h1><p>{what}</p>");
    Some((StatusCode::BAD_REQUEST, page("Error", "", &body)).into_response())
}

async fn ask(State(yard): State<Yard>, Query(asked): Query<Asked>) -> Response {
    if let Some(problem) = problem(&yard, &asked) {
        return problem;
    }
    let hidden: String = [
        ("response_type", &asked.response_type),
        ("client_id", &asked.client_id),
        ("redirect_uri", &asked.redirect_uri),
        ("scope", &asked.scope),
        ("state", &asked.state),
        ("code_challenge", &asked.code_challenge),
        ("code_challenge_method", &asked.code_challenge_method),
    ]
    .map(|(name, value)| {
        format!(
            "<input type=\"hidden\" name=\"{name}\" value=\"{}\">",
            escape(value)
        )
    })
    .concat();
    let scopes: String = asked
        .scope
        .split_whitespace()
        .map(|scope| format!("<li>{}</li>", escape(scope)))
        .collect();
    let accounts: String = ACCOUNTS
        .iter()
        .enumerate()
        .map(|(place, (id, name, site))| {
            let checked = if place == 0 { " checked" } else { "" };
            format!("<label><input type=\"radio\" name=\"account\" value=\"{id}\"{checked}><span>{name}<br><small>{site}</small></span></label>")
        })
        .collect();
    page(
        "Allow access",
        "",
        &format!(
            "<h1>Tracker wants to use your account</h1><p>It asks for:</p><ul>{scopes}</ul>\
             <form method=\"post\" action=\"/oauth/authorize\">{hidden}<fieldset><legend>Account</legend>{accounts}</fieldset>\
             <div class=\"row\"><button class=\"main\" name=\"answer\" value=\"allow\">Allow</button><button name=\"answer\" value=\"deny\">Deny</button></div></form>"
        ),
    )
}

async fn answer(State(yard): State<Yard>, Form(said): Form<Said>) -> Response {
    if let Some(problem) = problem(&yard, &said.asked) {
        return problem;
    }
    let mut state = yard.state();
    let error = match state.control.asking {
        Asking::Person if said.answer == "allow" => None,
        Asking::Person | Asking::Deny => Some("access_denied"),
        Asking::AdminApproval => Some("admin_approval_required"),
    };
    let Ok(mut back) = Url::parse(&said.asked.redirect_uri) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    match error {
        Some(error) => {
            back.query_pairs_mut().append_pair("error", error);
        }
        None => {
            let code = secret::token();
            back.query_pairs_mut().append_pair("code", &code);
            let mut scopes: Vec<&str> = said.asked.scope.split_whitespace().collect();
            if state.control.fewer_scopes {
                scopes.pop();
            }
            let known = ACCOUNTS
                .iter()
                .find(|(id, _, _)| *id == said.account)
                .unwrap_or(&ACCOUNTS[0]);
            let grant = Grant {
                account: known.0.to_owned(),
                scopes: scopes.join(" "),
                challenge: said.asked.code_challenge,
            };
            state.codes.insert(code, grant);
        }
    }
    back.query_pairs_mut()
        .append_pair("state", &said.asked.state);
    Redirect::to(back.as_str()).into_response()
}
