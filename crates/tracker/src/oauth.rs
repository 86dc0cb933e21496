//! Accounts at other tools: connected by OAuth 2 (authorization code with PKCE, RFC 6749 and 7636), used to pass issues on.
//!
//! Everything here blocks for as long as the other tool takes, at most [`Provider::timeout`] for each request: call it on a thread
//! that may, outside of any transaction.

mod connect;
mod forward;
mod http;

#[cfg(test)]
mod tests;

use std::time::Duration;

use url::{Host, Url};

pub(crate) use connect::{Account, Begun, Failure, begin, declined, finish};
pub(crate) use forward::{ForwardFailure, Report, forward, revoke};

/// How long a provider may take for one request, unless said.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// Another tool, and how this tracker is known there.
#[derive(Clone)]
pub struct Provider {
    /// In addresses and events: `taskyard`.
    pub id: String,
    /// As people know it: `Taskyard`.
    pub name: String,
    /// Where people are asked.
    pub authorize_url: String,
    /// Where a code becomes a token.
    pub token_url: String,
    /// Where a token is given back (RFC 7009), if there is such a place.
    pub revoke_url: Option<String>,
    /// Beginning of the addresses `…/account` and `…/issues`.
    pub api_url: String,
    /// As whom the tracker is registered.
    pub client_id: String,
    /// What proves it.
    pub client_secret: String,
    /// What is asked for, all of which is needed.
    pub scopes: Vec<String>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// What is wrong with the settings of a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` of the provider {what}")]
pub struct ProviderProblem {
    /// The setting.
    pub field: &'static str,
    /// What is wrong with it.
    pub what: &'static str,
}

impl std::fmt::Debug for Provider {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider")
            .field("id", &self.id)
            .field("authorize_url", &self.authorize_url)
            .finish_non_exhaustive()
    }
}

impl Provider {
    /// Whether it can be used: every address is `https`, or `http` on this machine, since tokens travel there.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn check(&self) -> Result<(), ProviderProblem> {
        let problem = |field, what| Err(ProviderProblem { field, what });
        let simple = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if self.id.is_empty() || self.id.len() > 32 || !self.id.chars().all(simple) {
            return problem("id", "must be 1 to 32 of a-z, 0-9, - and _");
        }
        for (field, value) in [
            ("name", &self.name),
            ("client_id", &self.client_id),
            ("client_secret", &self.client_secret),
        ] {
            if value.trim().is_empty() {
                return problem(field, "is missing");
            }
        }
        let urls = [
            ("authorize_url", Some(&self.authorize_url)),
            ("token_url", Some(&self.token_url)),
            ("revoke_url", self.revoke_url.as_ref()),
            ("api_url", Some(&self.api_url)),
        ];
        for (field, url) in urls {
            let Some(url) = url else { continue };
            match Url::parse(url) {
                Ok(url) if url.scheme() == "https" || is_this_machine(&url) => {}
                _ => return problem(field, "must be https, or http on this machine"),
            }
        }
        Ok(())
    }

    fn api(&self, path: &str) -> String {
        format!("{}{path}", self.api_url.trim_end_matches('/'))
    }
}

fn is_this_machine(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}
