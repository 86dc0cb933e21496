//! Every error that the API answers, and the only place that knows their status codes and bodies.
//!
//! The bodies are those of `WorkOS` where it has one, since its SDKs choose their exception by them:
//! a 400 always carries both `code` and `errors`, a 422 `errors` with a `code` each, and no body
//! ever has a member `error` or `error_description`. What went wrong inside is
//! never shown; the layer of `request.rs` logs it.

use std::error::Error as StdError;
use std::time::Duration;

use annals_event::{EventError, Problem, ProblemCode, QueryError};
use annals_store::Unreadable;
use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::request::Cause;

mod store;

/// Why a request was refused or failed.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// 401: no key, or none that is known.
    Unauthorized,
    /// 403: the key's scopes do not allow this.
    Scope(&'static str),
    /// 403: writing is switched off for this workspace.
    Disabled,
    /// 403: the workspace is not entitled to read its log.
    NotEnabled { contact_url: Option<String> },
    /// 404: of a kind of thing, by its id.
    NotFound(&'static str, String),
    /// 404: no such route.
    NoRoute,
    /// 405: the path exists, the method does not.
    Method,
    /// 422: members of the body that cannot be accepted.
    Validation(Vec<Fault>),
    /// 400 or 422: the event itself is wrong.
    Event(EventError),
    /// 400: the query text is wrong.
    Query(QueryError),
    /// 400: anything else about the request.
    Bad {
        code: &'static str,
        message: String,
        field: Option<String>,
    },
    /// 409: the state of things does not allow it.
    Conflict { code: &'static str, message: String },
    /// 413: too many bytes or items.
    TooLarge(String),
    /// 415: a content type or an encoding that is not understood.
    MediaType(String),
    /// 416: a range that does not exist.
    Range { total: u64 },
    /// 408: the body did not arrive in time.
    Slow,
    /// 429: the key's limit is used up.
    RateLimited { retry_after: Duration },
    /// 503: the write queue or the room for downloads is full.
    Busy,
    /// 503: the server is stopping.
    Stopping,
    /// 503: the object store that holds older events does not answer; the text is for the log alone.
    Away(String),
    /// 507: no disk space is left.
    DiskFull,
    /// 500: these positions lie in a damaged part of a file. Where that is, is for the log alone.
    Unreadable(Box<Unreadable>),
    /// 500: a fault of ours; the text is for the log alone.
    Internal(Box<dyn StdError + Send + Sync>),
}

/// One member that cannot be accepted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Fault {
    /// Which rule was broken, such as `required`.
    pub(crate) code: String,
    /// The member, with dots: `event.action`.
    pub(crate) field: String,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

/// The body of every error.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// A sentence for people.
    pub(crate) message: String,
    /// A word for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// What exactly is wrong, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<ErrorDetail>,
    /// Where to ask for access.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) contact_url: Option<String>,
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// A word for programs, such as `wrong_type`.
    pub(crate) code: String,
    /// The member, with dots: `event.targets.0.type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// JSON pointer into the event.
    #[serde(rename = "instancePath", skip_serializing_if = "Option::is_none")]
    pub(crate) instance_path: Option<String>,
    /// A sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// Column of the query text, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column: Option<usize>,
    /// What was perhaps meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suggestion: Option<String>,
}

impl ApiError {
    /// A 400 with a code and a message.
    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::Bad {
            code,
            message: message.into(),
            field: None,
        }
    }

    /// A 400 about one parameter or member.
    pub(crate) fn bad_field(
        field: impl Into<String>,
        code: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self::Bad {
            code,
            message: message.into(),
            field: Some(field.into()),
        }
    }

    /// A 422 about one member.
    pub(crate) fn invalid(
        field: impl Into<String>,
        code: &str,
        message: impl Into<String>,
    ) -> Self {
        Self::Validation(vec![Fault::new(field, code, message)])
    }

    /// A fault of ours.
    pub(crate) fn internal(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// No organization of that id, or none that the caller may know of.
    pub(crate) fn organization(id: &str) -> Self {
        Self::NotFound("Organization", id.to_owned())
    }

    /// The status alone.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Scope(_) | Self::Disabled | Self::NotEnabled { .. } => StatusCode::FORBIDDEN,
            Self::NotFound(..) | Self::NoRoute => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Validation(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Event(error) if only_missing(error) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Event(_) | Self::Query(_) | Self::Bad { .. } => StatusCode::BAD_REQUEST,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Stopping | Self::Away(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::Unreadable(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The body, without status and headers: batches answer it for each item.
    pub(crate) fn body(&self) -> ErrorBody {
        let body = |message: &str, code: Option<&str>| ErrorBody {
            message: message.to_owned(),
            code: code.map(str::to_owned),
            errors: Vec::new(),
            contact_url: None,
        };
        match self {
            Self::Unauthorized => body("Unauthorized", None),
            Self::Scope(scope) => body(
                &format!("This key may not {scope}."),
                Some("insufficient_scope"),
            ),
            Self::Disabled => body(
                "Audit Logs are disabled for this organization.",
                Some("audit_logs_disabled"),
            ),
            Self::NotEnabled { contact_url } => ErrorBody {
                contact_url: contact_url.clone(),
                ..body(
                    "Audit Logs are not enabled for this organization.",
                    Some("audit_logs_not_enabled"),
                )
            },
            Self::NotFound(kind, id) => body(
                &format!("{kind} not found: '{id}'."),
                Some("entity_not_found"),
            ),
            Self::NoRoute => body(
                "There is nothing at this path; see /docs.",
                Some("not_found"),
            ),
            Self::Method => body(
                "This path does not take this method; see /docs.",
                Some("method_not_allowed"),
            ),
            Self::Validation(faults) => ErrorBody {
                errors: faults.iter().map(ErrorDetail::from_fault).collect(),
                ..body("Validation failed.", None)
            },
            Self::Event(error) if only_missing(error) => ErrorBody {
                errors: error.problems.iter().map(ErrorDetail::missing).collect(),
                ..body("Validation failed.", None)
            },
            Self::Event(error) => ErrorBody {
                errors: error
                    .problems
                    .iter()
                    .map(ErrorDetail::from_problem)
                    .collect(),
                ..body("Invalid Audit Log event.", Some("invalid_audit_log_event"))
            },
            Self::Query(error) => ErrorBody {
                errors: vec![ErrorDetail {
                    code: "invalid_query".to_owned(),
                    field: Some("q".to_owned()),
                    message: Some(error.message.clone()),
                    column: Some(error.column),
                    suggestion: error.suggestion.clone(),
                    ..ErrorDetail::default()
                }],
                ..body(
                    &format!("Column {}: {}", error.column, error.message),
                    Some("invalid_query"),
                )
            },
            Self::Bad {
                code,
                message,
                field,
            } => ErrorBody {
                errors: vec![ErrorDetail {
                    code: (*code).to_owned(),
                    field: field.clone(),
                    message: Some(message.clone()),
                    ..ErrorDetail::default()
                }],
                ..body(message, Some(code))
            },
            Self::Conflict { code, message } => body(message, Some(code)),
            Self::TooLarge(message) => body(message, Some("payload_too_large")),
            Self::MediaType(message) => body(message, Some("unsupported_media_type")),
            Self::Range { .. } => body(
                "This range lies beyond the end.",
                Some("range_not_satisfiable"),
            ),
            Self::Slow => body(
                "The request body did not arrive in time.",
                Some("request_timeout"),
            ),
            Self::RateLimited { .. } => body("Too many requests.", Some("rate_limit_exceeded")),
            Self::Busy => body(
                "The server is busy; nothing was recorded. Try again.",
                Some("busy"),
            ),
            Self::Stopping => body(
                "The server is stopping; nothing was recorded. Try again.",
                Some("stopping"),
            ),
            Self::Away(_) => body(
                "Older events cannot be read now. Nothing is lost; try again later.",
                Some("storage_unavailable"),
            ),
            Self::DiskFull => body(
                "No disk space is left; nothing was recorded.",
                Some("insufficient_storage"),
            ),
            Self::Unreadable(part) => body(
                &format!(
                    "Positions {} to {} of this log cannot be read: a file is damaged there. Everything else can; leave them out with position:.",
                    part.positions.start,
                    part.positions.end.saturating_sub(1)
                ),
                Some("damaged_positions"),
            ),
            Self::Internal(_) => body("Internal server error.", Some("internal_error")),
        }
    }
}

/// An event that merely lacks members is answered as `WorkOS` answers it.
fn only_missing(error: &EventError) -> bool {
    error
        .problems
        .iter()
        .all(|p| p.code == ProblemCode::Required)
}

impl Fault {
    /// A member that breaks a rule.
    pub(crate) fn new(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            field: field.into(),
            message: Some(message.into()),
        }
    }

    /// A member that must be there and is not.
    pub(crate) fn required(field: impl Into<String>) -> Self {
        Self {
            code: "required".to_owned(),
            field: field.into(),
            message: None,
        }
    }
}

impl ErrorDetail {
    fn from_fault(fault: &Fault) -> Self {
        Self {
            code: fault.code.clone(),
            field: Some(fault.field.clone()),
            message: fault.message.clone(),
            ..Self::default()
        }
    }

    fn missing(problem: &Problem) -> Self {
        Self {
            code: ProblemCode::Required.as_str().to_owned(),
            field: Some(event_field(problem)),
            ..Self::default()
        }
    }

    fn from_problem(problem: &Problem) -> Self {
        Self {
            code: problem.code.as_str().to_owned(),
            field: Some(event_field(problem)),
            instance_path: Some(problem.pointer.clone()),
            message: Some(problem.message.clone()),
            ..Self::default()
        }
    }
}

/// Problems are located inside the event, fields inside the request.
fn event_field(problem: &Problem) -> String {
    let field = problem.field();
    if field.is_empty() {
        "event".to_owned()
    } else {
        format!("event.{field}")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.body())).into_response();
        match &self {
            Self::Internal(cause) => {
                response.extensions_mut().insert(Cause(chain(&**cause)));
            }
            Self::Away(cause) => {
                response.extensions_mut().insert(Cause(cause.clone()));
            }
            _ => {}
        }
        if let Self::Unreadable(part) = &self {
            response.extensions_mut().insert(Cause(part.to_string()));
        }
        let headers = response.headers_mut();
        match &self {
            Self::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::RateLimited { retry_after } => {
                let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
                headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            }
            Self::Busy | Self::Stopping => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Away(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
            }
            Self::Range { total } => {
                if let Ok(value) = HeaderValue::try_from(format!("bytes */{total}")) {
                    headers.insert(axum::http::header::CONTENT_RANGE, value);
                }
            }
            _ => {}
        }
        response
    }
}

/// An error and everything behind it, for the log.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

impl From<EventError> for ApiError {
    fn from(error: EventError) -> Self {
        Self::Event(error)
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::Query(error)
    }
}
