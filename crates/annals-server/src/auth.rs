//! Who calls, and what they may reach.
//!
//! A handler names what it needs by the type of its argument ([`Writer`], [`Reader`], …), so that no
//! handler can forget to ask. An organization that a key does not reach answers exactly as one that
//! does not exist.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use annals_store::{Entitlement, Key, Log, Organization, Reach, Scopes};
use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;

use crate::app::App;
use crate::audit::{self, Act};
use crate::config::{EntitlementSetting, UnknownOrganization};
use crate::error::ApiError;
use crate::request::{Notes, RequestId};
use crate::serve::Peer;

/// A request with a key that is in force.
#[derive(Clone)]
pub(crate) struct Caller {
    /// The key.
    pub(crate) key: Arc<Key>,
    /// Where the request came from, as far as proxies are trusted.
    pub(crate) address: Option<IpAddr>,
    /// What the client calls itself.
    pub(crate) user_agent: Option<String>,
    /// The id of the request.
    pub(crate) request_id: RequestId,
    notes: Option<Arc<Notes>>,
    app: App,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let secret = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, secret)| secret.trim())
            .ok_or(ApiError::Unauthorized)?;
        let key = app
            .store
            .key_by_secret(secret)
            .ok_or(ApiError::Unauthorized)?;
        let notes = parts.extensions.get::<Arc<Notes>>().cloned();
        if let Some(notes) = &notes {
            let _ = notes.key.set(key.id.clone());
        }
        app.buckets.take(&key.id, 1)?;
        let request_id = parts.extensions.get::<RequestId>().cloned();
        Ok(Self {
            key,
            address: client_address(parts, app),
            user_agent: header_text(parts, &USER_AGENT).map(|t| t.chars().take(512).collect()),
            request_id: request_id.ok_or_else(|| ApiError::internal("a request without an id"))?,
            notes,
            app: app.clone(),
        })
    }
}

/// The address of the client, as far as proxies are trusted.
pub(crate) fn client_address(parts: &Parts, app: &App) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>()?.0.ip();
    let forwarded = header_text(parts, "x-forwarded-for");
    Some(app.config.client_address(peer, forwarded))
}

fn header_text(parts: &Parts, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
    parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
}

impl Caller {
    /// Whether this key covers all organizations.
    pub(crate) fn is_installation_key(&self) -> bool {
        matches!(self.key.organizations, Reach::All)
    }

    /// The log to record events of `id` in. Late events of a deleted organization are accepted.
    pub(crate) async fn recording_log(&self, id: &str) -> Result<Log, ApiError> {
        self.reach(id)?;
        let found = match self.app.store.recording_log(id) {
            Some(found) => found,
            None if self.app.config.unknown_organization == UnknownOrganization::Create => {
                let entitlement = match self.app.config.default_entitlement {
                    EntitlementSetting::Active => Entitlement::Active,
                    EntitlementSetting::Inactive => Entitlement::Inactive,
                };
                self.app.store.ensure_organization(id, entitlement).await?;
                self.app
                    .store
                    .recording_log(id)
                    .ok_or_else(|| ApiError::organization(id))?
            }
            None => return Err(ApiError::organization(id)),
        };
        let (log, organization) = found;
        if organization.entitlement == Entitlement::Disabled {
            return Err(ApiError::Disabled);
        }
        Ok(log)
    }

    /// The log to read of `id`. The reading is recorded in it before anything goes out, once per key
    /// and hour.
    pub(crate) async fn reading_log(&self, id: &str) -> Result<(Arc<Organization>, Log), ApiError> {
        let (organization, log) = self.organization(id)?;
        self.entitled(&organization)?;
        audit::viewed(&self.app, self, &log).await?;
        Ok((organization, log))
    }

    /// An organization that exists and that this key reaches, and its log.
    pub(crate) fn organization(&self, id: &str) -> Result<(Arc<Organization>, Log), ApiError> {
        self.reach(id)?;
        self.app.organization(id)
    }

    /// Refuses where the workspace is not entitled and the key is that workspace's own. Keys of the
    /// installation are not gated: they are the operator's, not the customer's.
    pub(crate) fn entitled(&self, organization: &Organization) -> Result<(), ApiError> {
        let own = matches!(&self.key.organizations, Reach::Only(ids) if ids.len() == 1);
        if own && organization.entitlement != Entitlement::Active {
            return Err(ApiError::NotEnabled {
                contact_url: self.app.config.contact_url.clone(),
            });
        }
        Ok(())
    }

    /// Refuses an organization out of this key's reach as one that does not exist.
    pub(crate) fn reach(&self, id: &str) -> Result<(), ApiError> {
        // Longer than any id is: not a name, and nothing for the log.
        if let Some(notes) = &self.notes
            && id.len() <= 64
        {
            let _ = notes.workspace.set(id.to_owned());
        }
        if self.key.reaches(id) {
            return Ok(());
        }
        audit::denied(&self.app, self, "wrong_workspace");
        Err(ApiError::organization(id))
    }

    /// Charges further events to the key's limit; the request itself has been charged.
    pub(crate) fn charge(&self, events: usize) -> Result<(), ApiError> {
        self.app
            .buckets
            .take(&self.key.id, u32::try_from(events).unwrap_or(u32::MAX))
    }

    /// Who acts, for the record.
    pub(crate) fn act(&self) -> Act {
        Act::of_key(self)
    }

    fn require(&self, allowed: bool, what: &'static str) -> Result<(), ApiError> {
        if allowed {
            return Ok(());
        }
        audit::denied(&self.app, self, "role_not_permitted");
        Err(ApiError::Scope(what))
    }
}

/// Defines a caller that may do one thing.
macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident may $what:literal if |$scopes:ident, $all:ident| $allowed:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) struct $name(Caller);

        impl Deref for $name {
            type Target = Caller;

            fn deref(&self) -> &Caller {
                &self.0
            }
        }

        impl FromRequestParts<App> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
                let caller = Caller::from_request_parts(parts, app).await?;
                let $scopes: Scopes = caller.key.scopes;
                let $all: bool = caller.is_installation_key();
                let _ = $all;
                caller.require($allowed, $what)?;
                Ok(Self(caller))
            }
        }
    )*};
}

callers! {
    /// May record events.
    Writer may "write events" if |scopes, all| scopes.write;
    /// May read logs.
    Reader may "read events" if |scopes, all| scopes.read;
    /// May see how organizations and actions are set up.
    Observer may "read settings" if |scopes, all| scopes.read || scopes.manage;
    /// May change organizations that it reaches, and make portal links.
    Manager may "manage organizations" if |scopes, all| scopes.manage;
    /// May change what concerns the whole installation: keys, schemas, entitlements.
    Operator may "manage the installation" if |scopes, all| scopes.manage && all;
    /// May see what concerns the whole installation.
    Inspector may "read the installation" if |scopes, all| (scopes.read || scopes.manage) && all;
}
