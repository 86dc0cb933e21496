//! Passing an issue on to the tool that an account is connected at.

use serde_json::json;

use super::{Provider, http};

/// What the other tool is told of an issue.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Ours; the provider takes the same id once.
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) description: String,
    /// Where the issue is in the tracker.
    pub(crate) url: String,
}

/// Why an issue was not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForwardFailure {
    /// The token does not work any more: somebody has to connect again.
    AuthExpired { status: u16 },
    /// The provider does not want this issue.
    Rejected { status: u16 },
    /// No answer in time, or none that makes sense.
    Unreachable { status: Option<u16> },
    /// Too many at once.
    RateLimited,
}

impl ForwardFailure {
    /// The status of the provider's answer, where one came.
    pub(crate) fn status(self) -> Option<u16> {
        match self {
            Self::AuthExpired { status } | Self::Rejected { status } => Some(status),
            Self::Unreachable { status } => status,
            Self::RateLimited => Some(429),
        }
    }
}

/// Makes the issue at the provider and gives its key there, such as `TY-17`. Repeating it is harmless: the id of the report is the key
/// of the request.
pub(crate) fn forward(
    provider: &Provider,
    token: &str,
    report: &Report,
) -> Result<String, ForwardFailure> {
    let body =
        json!({ "title": report.title, "description": report.description, "url": report.url });
    let answer = http::post(provider, "/issues", token, &report.id, &body)
        .map_err(|_| ForwardFailure::Unreachable { status: None })?;
    let status = answer.status;
    match status {
        200..=299 => answer.text("key").ok_or(ForwardFailure::Unreachable {
            status: Some(status),
        }),
        401 => Err(ForwardFailure::AuthExpired { status }),
        429 => Err(ForwardFailure::RateLimited),
        400..=499 if status != 408 => Err(ForwardFailure::Rejected { status }),
        _ => Err(ForwardFailure::Unreachable {
            status: Some(status),
        }),
    }
}

/// Gives a token back (RFC 7009); whether the provider confirmed it.
pub(crate) fn revoke(provider: &Provider, token: &str) -> bool {
    let Some(url) = &provider.revoke_url else {
        return false;
    };
    let form = [("token", token), ("token_type_hint", "access_token")];
    http::form(provider, url, &form).is_ok_and(|answer| answer.is_success())
}
