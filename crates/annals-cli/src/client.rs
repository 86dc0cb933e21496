//! An HTTP client of a running Annals, for the commands.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::exit::Refused;

/// An answer that is not a file is never larger.
const ANSWER_MAX: u64 = 64 << 20;

/// One server and one key for it.
pub(crate) struct Client {
    agent: Agent,
    url: String,
    authorization: String,
}

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:4600`.
    pub(crate) fn new(url: &str, key: &str) -> Result<Client> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("the address `{url}` must begin with http:// or https://");
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(10)))
            // Each of the senders of an import keeps its own.
            .max_idle_connections_per_host(16)
            .user_agent(concat!("annals/", env!("CARGO_PKG_VERSION")))
            .build()
            .into();
        Ok(Client {
            agent,
            url: url.trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {key}"),
        })
    }

    /// `GET`, answered with JSON.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.json(
            self.agent
                .get(self.at(path))
                .header("authorization", &self.authorization)
                .call(),
        )
    }

    /// `DELETE`, answered with nothing or JSON.
    pub(crate) fn delete(&self, path: &str) -> Result<Value> {
        self.json(
            self.agent
                .delete(self.at(path))
                .header("authorization", &self.authorization)
                .call(),
        )
    }

    /// `POST` of JSON, answered with JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .agent
            .post(self.at(path))
            .header("authorization", &self.authorization);
        self.json(
            request
                .content_type("application/json")
                .send(body.to_string()),
        )
    }

    /// `POST` of NDJSON lines under an idempotency key, answered with JSON. That every line was
    /// refused is an answer too: it has a result for each.
    pub(crate) fn post_lines(&self, path: &str, key: &str, lines: &str) -> Result<Value> {
        let request = self
            .agent
            .post(self.at(path))
            .header("authorization", &self.authorization);
        let request = request
            .header("idempotency-key", key)
            .content_type("application/x-ndjson");
        let mut answer = request
            .send(lines)
            .map_err(|error| self.unreachable(error))?;
        if answer.status() != 400 {
            return self.json(Ok(answer));
        }
        let (parts, body) = (answer.headers().clone(), answer.body_mut());
        let text = body
            .with_config()
            .limit(ANSWER_MAX)
            .read_to_string()
            .unwrap_or_default();
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        if body["results"].is_array() {
            return Ok(body);
        }
        let request = parts
            .get("x-request-id")
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        Err(anyhow!(Refused {
            status: 400,
            message: said(&body),
            request
        }))
    }

    /// `PUT` of JSON, answered with JSON.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Value> {
        let request = self
            .agent
            .put(self.at(path))
            .header("authorization", &self.authorization);
        self.json(
            request
                .content_type("application/json")
                .send(body.to_string()),
        )
    }

    /// `GET` of something long, as a stream. A stream that is cut is an error of the reader, never a
    /// shorter file: the server ends a complete body properly.
    pub(crate) fn download(&self, path: &str) -> Result<(Option<u64>, impl Read + use<>)> {
        let answer = self
            .agent
            .get(self.at(path))
            .header("authorization", &self.authorization)
            .call();
        let answer = self.accepted(answer)?;
        let length = answer
            .headers()
            .get("content-length")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.parse().ok());
        Ok((length, answer.into_body().into_reader()))
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn json(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Value> {
        let mut answer = self.accepted(answer)?;
        let text = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_MAX)
            .read_to_string()
            .with_context(|| format!("the answer of {} broke off", self.url))?;
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text)
            .with_context(|| format!("{} did not answer with JSON; is it Annals?", self.url))
    }

    fn accepted(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Response<Body>> {
        let mut answer = answer.map_err(|error| self.unreachable(error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let request = answer
            .headers()
            .get("x-request-id")
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        let body = answer
            .body_mut()
            .with_config()
            .limit(1 << 20)
            .read_to_string()
            .unwrap_or_default();
        let message = match serde_json::from_str::<Value>(&body) {
            Ok(body) => said(&body),
            Err(_) => format!("{} answered {status}", self.url),
        };
        let message = match status.as_u16() {
            401 => format!("the key was not accepted by {}", self.url),
            _ => message,
        };
        Err(anyhow!(Refused {
            status: status.as_u16(),
            message,
            request
        }))
    }

    fn unreachable(&self, error: ureq::Error) -> anyhow::Error {
        anyhow!(error).context(format!(
            "cannot reach Annals at {} (is the server running?)",
            self.url
        ))
    }
}

/// What the body of an error says: its message, and every field that it names.
fn said(body: &Value) -> String {
    let mut text = body["message"]
        .as_str()
        .unwrap_or("refused without a reason")
        .to_owned();
    for problem in body["errors"].as_array().into_iter().flatten().take(5) {
        let field = problem["field"]
            .as_str()
            .or_else(|| problem["instancePath"].as_str())
            .unwrap_or_default();
        let what = problem["message"]
            .as_str()
            .or_else(|| problem["code"].as_str())
            .unwrap_or_default();
        text.push_str(&format!("\n  {field}: {what}"));
    }
    text
}

/// A text as one part of a path or query.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A path with the query parameters that have a value.
pub(crate) fn with_query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let mut out = path.to_owned();
    let mut next = '?';
    for (name, value) in parameters {
        if let Some(value) = value {
            out.push(next);
            out.push_str(&format!("{name}={}", encoded(value)));
            next = '&';
        }
    }
    out
}
