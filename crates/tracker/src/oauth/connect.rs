//! Connecting an account: the person is sent to the provider, comes back with a code, and the code becomes a token.

use std::time::Duration;

use annals_client::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use url::Url;

pub(crate) use annals_client::actions::WorkspaceIntegrationSharedAccountConnectionFailedReason as Reason;

use super::http::{self, Answer, Unreachable};
use super::{Provider, forward};
use crate::clock::later;
use crate::secret;

/// A begun connection. The person goes to `url`; `state` comes back with him, and only its hash is kept; `verifier` is kept.
pub(crate) struct Begun {
    pub(crate) url: String,
    pub(crate) state: String,
    pub(crate) verifier: String,
}

/// An account that is connected.
#[derive(Clone)]
pub(crate) struct Account {
    /// The provider's id of it.
    pub(crate) external_id: String,
    pub(crate) name: String,
    /// Where at the provider it is: `acme.taskyard.example`.
    pub(crate) site: String,
    pub(crate) scopes: Vec<String>,
    /// What acts as the account.
    pub(crate) token: String,
    /// Until when the token works, where the provider says so.
    pub(crate) expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for Account {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account")
            .field("external_id", &self.external_id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why an account is not connected, in the words of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) stage: Stage,
    pub(crate) reason: Reason,
    /// The status of the provider's answer, where one came.
    pub(crate) provider_status: Option<u16>,
    /// The provider's word for it, if it is a word.
    pub(crate) provider_error_code: Option<String>,
}

/// How far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The person was asked.
    Authorize,
    /// He came back, and the code was to become a token.
    Callback,
    /// There was a token, and what it may do was looked at.
    Verify,
}

impl Stage {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Callback => "callback",
            Self::Verify => "verify",
        }
    }
}

impl Failure {
    fn new(stage: Stage, reason: Reason) -> Self {
        Self {
            stage,
            reason,
            provider_status: None,
            provider_error_code: None,
        }
    }

    /// The person came back with a state that this session did not begin, or had used.
    pub(crate) fn state_mismatch() -> Self {
        Self::new(Stage::Callback, Reason::OauthStateMismatch)
    }

    fn unreachable(stage: Stage) -> impl Fn(Unreachable) -> Self {
        move |_| Self::new(stage, Reason::ProviderUnreachable)
    }

    fn answered(stage: Stage, reason: Reason, answer: &Answer) -> Self {
        Self {
            provider_status: Some(answer.status),
            provider_error_code: answer.text("error").and_then(|code| word(&code)),
            ..Self::new(stage, reason)
        }
    }

    /// What the person is told.
    pub(crate) fn in_words(&self, provider: &str) -> String {
        match self.reason {
            Reason::OauthDenied => {
                format!("{provider} was not connected, because access was denied there.")
            }
            Reason::OauthStateMismatch => {
                "That link was not begun here, or was used already. Please connect again.".into()
            }
            Reason::InsufficientScopes => format!(
                "{provider} did not allow all that is needed. Please connect again and leave everything ticked."
            ),
            Reason::ProviderAdminApprovalRequired => {
                format!("An admin at {provider} has to approve this first.")
            }
            Reason::ProviderUnreachable => {
                format!("{provider} cannot be reached just now. Please try again later.")
            }
            Reason::InvalidCredentials => format!(
                "{provider} does not know this tracker. Whoever operates it has to look at its client id and secret."
            ),
            _ => format!("{provider} answered with an error. Please try again later."),
        }
    }
}

/// Where to send the person, with a fresh state and a fresh verifier.
pub(crate) fn begin(provider: &Provider, redirect_uri: &str) -> Begun {
    let (state, verifier) = (secret::token(), secret::token());
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let query = [
        ("response_type", "code"),
        ("client_id", &provider.client_id),
        ("redirect_uri", redirect_uri),
        ("scope", &provider.scopes.join(" ")),
        ("state", &state),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    // Its address was checked when the tracker started; what is no address leads nowhere.
    let url = Url::parse_with_params(&provider.authorize_url, query);
    let url = url.map(String::from).unwrap_or_default();
    Begun {
        url,
        state,
        verifier,
    }
}

/// What it means that the provider sent the person back with an `error` (RFC 6749, section 4.1.2.1).
pub(crate) fn declined(error: &str) -> Failure {
    let reason = match error {
        "access_denied" => Reason::OauthDenied,
        "invalid_scope" => Reason::InsufficientScopes,
        "admin_approval_required" | "admin_policy_enforced" => {
            Reason::ProviderAdminApprovalRequired
        }
        "unauthorized_client" => Reason::InvalidCredentials,
        _ => Reason::ProviderError,
    };
    Failure {
        provider_error_code: word(error),
        ..Failure::new(Stage::Authorize, reason)
    }
}

/// Turns the code into a token, and looks at whose it is and what it may do.
pub(crate) fn finish(
    provider: &Provider,
    code: &str,
    verifier: &str,
    redirect_uri: &str,
    now: Timestamp,
) -> Result<Account, Failure> {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", verifier),
    ];
    let answer = http::form(provider, &provider.token_url, &form)
        .map_err(Failure::unreachable(Stage::Callback))?;
    let granted = granted(provider, &answer)?;
    let account = verify(provider, &granted, now);
    if account.is_err() {
        // Nobody will use it. If it cannot be given back, it expires.
        forward::revoke(provider, &granted.token);
    }
    account
}

struct Granted {
    token: String,
    scopes: Vec<String>,
    expires_in: Option<Duration>,
}

fn granted(provider: &Provider, answer: &Answer) -> Result<Granted, Failure> {
    let failed = |reason| Failure::answered(Stage::Callback, reason, answer);
    match answer.status {
        200..=299 => {}
        401 => return Err(failed(Reason::InvalidCredentials)),
        400 if answer.body["error"] == "invalid_client" => {
            return Err(failed(Reason::InvalidCredentials));
        }
        500.. => return Err(failed(Reason::ProviderError)),
        _ => return Err(failed(Reason::TokenExchangeFailed)),
    }
    let token = answer.body["access_token"]
        .as_str()
        .filter(|token| is_token(token));
    let is_bearer = answer.body["token_type"]
        .as_str()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    let (Some(token), true) = (token, is_bearer) else {
        return Err(failed(Reason::TokenExchangeFailed));
    };
    // RFC 6749, section 5.1: without the member, what was asked for was granted.
    let scopes = match answer.body["scope"].as_str() {
        Some(scopes) => scopes.split_whitespace().map(str::to_owned).collect(),
        None => provider.scopes.clone(),
    };
    let expires_in = answer.body["expires_in"].as_u64().map(Duration::from_secs);
    Ok(Granted {
        token: token.to_owned(),
        scopes,
        expires_in,
    })
}

fn verify(provider: &Provider, granted: &Granted, now: Timestamp) -> Result<Account, Failure> {
    if !provider
        .scopes
        .iter()
        .all(|needed| granted.scopes.contains(needed))
    {
        return Err(Failure::new(Stage::Verify, Reason::InsufficientScopes));
    }
    let answer = http::get(provider, "/account", &granted.token)
        .map_err(Failure::unreachable(Stage::Verify))?;
    let failed = |reason| Err(Failure::answered(Stage::Verify, reason, &answer));
    match answer.status {
        200..=299 => {}
        401 => return failed(Reason::InvalidCredentials),
        403 => return failed(Reason::InsufficientScopes),
        _ => return failed(Reason::ProviderError),
    }
    let (Some(external_id), Some(name)) = (answer.text("id"), answer.text("name")) else {
        return failed(Reason::ProviderError);
    };
    Ok(Account {
        external_id,
        name,
        site: answer.text("site").unwrap_or_default(),
        scopes: granted.scopes.clone(),
        token: granted.token.clone(),
        expires_at: granted.expires_in.map(|time| later(now, time)),
    })
}

/// A header takes it: RFC 6750, section 2.1.
fn is_token(token: &str) -> bool {
    (1..=4096).contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A provider's error code, if it is a word and not a sentence: it is recorded.
fn word(code: &str) -> Option<String> {
    let simple = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let is_word = (1..=64).contains(&code.len()) && code.chars().all(simple);
    is_word.then(|| code.to_owned())
}
