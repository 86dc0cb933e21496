//! One request to a provider, and what may come of it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use super::Provider;

/// A provider's answer is never larger.
const ANSWER_MAX: u64 = 64 << 10;

/// An answer: its status, and its body where that is JSON.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

/// No answer came in time.
#[derive(Debug)]
pub(super) struct Unreachable;

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A text of the body, if it is one line of a sensible length: it goes into pages and into the database.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        let text = self.body.get(name)?.as_str()?.trim();
        let sensible = (1..=200).contains(&text.len()) && !text.chars().any(char::is_control);
        sensible.then(|| text.to_owned())
    }
}

fn agent(provider: &Provider) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        // A token is for one address. It does not follow to another one.
        .max_redirects(0)
        .timeout_global(Some(provider.timeout))
        .user_agent(concat!("tracker/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// A form to an address where the tracker proves who it is.
pub(super) fn form(
    provider: &Provider,
    url: &str,
    form: &[(&str, &str)],
) -> Result<Answer, Unreachable> {
    // RFC 6749, section 2.3.1: both are form-encoded before they become Basic credentials.
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let credentials = format!(
        "{}:{}",
        encoded(&provider.client_id),
        encoded(&provider.client_secret)
    );
    let answer = agent(provider)
        .post(url)
        .header(
            "authorization",
            format!("Basic {}", STANDARD.encode(credentials)),
        )
        .header("accept", "application/json")
        .send_form(form.iter().copied());
    read(answer)
}

pub(super) fn get(provider: &Provider, path: &str, token: &str) -> Result<Answer, Unreachable> {
    let answer = agent(provider)
        .get(provider.api(path))
        .header("authorization", format!("Bearer {token}"))
        .header("accept", "application/json")
        .call();
    read(answer)
}

/// A JSON body; `key` makes a repetition harmless.
pub(super) fn post(
    provider: &Provider,
    path: &str,
    token: &str,
    key: &str,
    body: &Value,
) -> Result<Answer, Unreachable> {
    let answer = agent(provider)
        .post(provider.api(path))
        .header("authorization", format!("Bearer {token}"))
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .header("idempotency-key", key)
        .send(body.to_string());
    read(answer)
}

fn read(answer: Result<Response<Body>, ureq::Error>) -> Result<Answer, Unreachable> {
    let unreachable = |problem: ureq::Error| {
        // Kinds of errors, never addresses with codes in them.
        tracing::warn!(error = %problem, "a provider cannot be reached");
        Unreachable
    };
    let mut answer = answer.map_err(unreachable)?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(ANSWER_MAX);
    let body = body.read_to_vec().map_err(unreachable)?;
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Answer { status, body })
}
