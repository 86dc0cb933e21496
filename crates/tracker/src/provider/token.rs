//! Codes become tokens here, and tokens are given back. A token says by itself whose it is and what it may do, and is signed: a restart
//! keeps those that were given out.

use axum::Router;
use axum::extract::{Form, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::control::Exchange;
use super::{Yard, api};
use crate::secret;

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    grant_type: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    redirect_uri: String,
    #[serde(default)]
    code_verifier: String,
}

#[derive(Deserialize)]
struct GivenBack {
    token: String,
}

/// Whose a token is, and what it may do.
pub(super) struct Holder {
    pub(super) account: String,
    pub(super) scopes: String,
}

pub(super) fn routes() -> Router<Yard> {
    Router::new()
        .route("/oauth/token", post(exchange))
        .route("/oauth/revoke", post(revoke))
}

async fn exchange(
    State(yard): State<Yard>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Response {
    let mode = yard.state().control.exchange;
    match mode {
        Exchange::Works => {}
        Exchange::Hangs => api::hang().await,
        Exchange::Fails => return error(StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
    }
    if !is_client(&yard, &headers) {
        let mut answer = error(StatusCode::UNAUTHORIZED, "invalid_client");
        answer.headers_mut().insert(
            WWW_AUTHENTICATE,
            "Basic"
                .parse()
                .unwrap_or_else(|_| unreachable!("a word is a header")),
        );
        return answer;
    }
    if asked.grant_type != "authorization_code" {
        return error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    // Taken out whatever comes of it: a code works once.
    let grant = yard.state().codes.remove(&asked.code);
    let proved = URL_SAFE_NO_PAD.encode(Sha256::digest(asked.code_verifier.as_bytes()));
    let grant = grant.filter(|grant| {
        secret::equal(&grant.challenge, &proved)
            && asked.redirect_uri == yard.settings().redirect_uri
    });
    let Some(grant) = grant else {
        return error(StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let token = sign(
        &yard,
        &json!({ "account": grant.account, "scopes": grant.scopes, "nonce": secret::token() }),
    );
    json_answer(
        StatusCode::OK,
        &json!({ "access_token": token, "token_type": "Bearer", "expires_in": 7_776_000, "scope": grant.scopes }),
    )
}

async fn revoke(
    State(yard): State<Yard>,
    headers: HeaderMap,
    Form(given_back): Form<GivenBack>,
) -> Response {
    if !is_client(&yard, &headers) {
        return error(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    yard.state().revoked.push(given_back.token);
    StatusCode::OK.into_response()
}

fn is_client(yard: &Yard, headers: &HeaderMap) -> bool {
    let basic = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Basic "));
    let decoded = basic
        .and_then(|basic| STANDARD.decode(basic).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let Some((id, password)) = decoded.as_deref().and_then(|text| text.split_once(':')) else {
        return false;
    };
    let plain = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    plain(id) == yard.settings().client_id
        && secret::equal(&plain(password), &yard.settings().client_secret)
}

fn sign(yard: &Yard, payload: &Value) -> String {
    let payload = URL_SAFE_NO_PAD.encode(payload.to_string());
    format!("{payload}.{}", seal(yard, &payload))
}

fn seal(yard: &Yard, payload: &str) -> String {
    secret::hash(
        &secret::hash("taskyard token", &yard.settings().client_secret),
        payload,
    )
}

/// Whose the token of a request is, if it is one that holds.
pub(super) fn holder(yard: &Yard, headers: &HeaderMap) -> Option<Holder> {
    let token = headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .strip_prefix("Bearer ")?;
    let (payload, signature) = token.split_once('.')?;
    if !secret::equal(&seal(yard, payload), signature)
        || yard.state().revoked.iter().any(|revoked| revoked == token)
    {
        return None;
    }
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Some(Holder {
        account: payload["account"].as_str()?.to_owned(),
        scopes: payload["scopes"].as_str()?.to_owned(),
    })
}

pub(super) fn error(status: StatusCode, error: &str) -> Response {
    json_answer(status, &json!({ "error": error }))
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response {
    let headers = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
    ];
    (status, headers, body.to_string()).into_response()
}
