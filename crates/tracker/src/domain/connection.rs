//! Connecting an account at another tool.
//!
//! It goes out to the provider and comes back: [`begin`] notes the attempt, [`take`] takes it up, the web asks the provider, [`connect`]
//! or [`failed`] end it. A shared account that could not be connected is an event; a personal one is not.

use std::time::Duration;

use annals_client::Timestamp;
use annals_client::actions::WorkspaceIntegrationSharedAccountConnectionFailedReason as Reason;
use rusqlite::{OptionalExtension as _, params};

use super::integration::Account;
use super::member::{Member, Membership};
use super::permission::Deed;
use super::user::User;
use super::workspace::Workspace;
use crate::act::Act;
use crate::oauth;
use crate::refused::{Kind, Refused};
use crate::{events, secret};

/// How long one may take to answer the provider's question.
const ATTEMPT_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// For whom an account is connected.
#[derive(Clone, Debug)]
pub(crate) enum Owner {
    Workspace(Member),
    User(User),
}

/// An attempt whose answer has come.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) provider: String,
    pub(crate) owner: Owner,
    pub(crate) verifier: String,
    /// Whether the answer belongs to it: whoever brings another state may bring another's account.
    pub(crate) state_matches: bool,
}

impl Owner {
    fn user(&self) -> &User {
        match self {
            Self::Workspace(member) => &member.user,
            Self::User(user) => user,
        }
    }

    fn workspace_id(&self) -> Option<&str> {
        match self {
            Self::Workspace(member) => Some(&member.workspace.id),
            Self::User(_) => None,
        }
    }

    fn check(&self, act: &Act<'_>) -> Result<(), Refused> {
        match self {
            Self::Workspace(member) => member.again(act.db)?.must(Deed::ConnectSharedAccounts),
            Self::User(user) => {
                let memberships = Membership::active_of(act.db, &user.id)?;
                if memberships
                    .iter()
                    .any(|membership| Deed::ConnectPersonalAccounts.allowed_to(membership.role))
                {
                    return Ok(());
                }
                Err(Refused::forbidden(
                    "Guests have no accounts of their own at other tools.",
                ))
            }
        }
    }
}

/// Notes that somebody goes to the provider, with the state that has to come back.
pub(crate) fn begin(
    act: &Act<'_>,
    owner: &Owner,
    session: &str,
    provider: &str,
    begun: &oauth::Begun,
) -> Result<(), Refused> {
    if let Err(refused) = owner.check(act) {
        return Err(failed(
            refused,
            owner,
            provider,
            "authorize",
            Reason::PermissionDenied,
            None,
            None,
        ));
    }
    act.db.execute(
        "insert into oauth_attempt (id, state_hash, provider, workspace_id, user_id, session_id, verifier, created_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            act.id("oat"),
            secret::hash("oauth state", &begun.state),
            provider,
            owner.workspace_id(),
            owner.user().id,
            session,
            begun.verifier,
            act.now.as_micros()
        ],
    )?;
    Ok(())
}

/// Takes up the attempt that an answer of the provider belongs to, once. An answer with a state that is not ours ends the newest
/// attempt of the same session: that is what it was brought against.
pub(crate) fn take(
    act: &Act<'_>,
    user: &User,
    session: &str,
    state: &str,
) -> Result<Attempt, Refused> {
    let sql = "select id, provider, workspace_id, verifier, state_hash = ?2 from oauth_attempt
               where session_id = ?1 and used_at is null and created_at > ?3 order by state_hash = ?2 desc, created_at desc limit 1";
    let hash = secret::hash("oauth state", state);
    let since = act.now.as_micros() - i64::try_from(ATTEMPT_LIFETIME.as_micros()).unwrap_or(0);
    let found = act
        .db
        .prepare_cached(sql)?
        .query_row(params![session, hash, since], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get(1)?,
                row.get::<_, Option<String>>(2)?,
                row.get(3)?,
                row.get(4)?,
            ))
        });
    let nothing = || Refused::new(Kind::NotFound, "Nothing is being connected. Begin again.");
    let (id, provider, workspace, verifier, state_matches) =
        found.optional()?.ok_or_else(nothing)?;
    act.db.execute(
        "update oauth_attempt set used_at = ?2 where id = ?1",
        params![id, act.now.as_micros()],
    )?;
    let owner = match workspace {
        None => Owner::User(user.clone()),
        Some(workspace) => {
            let workspace = Workspace::by_id(act.db, &workspace)?.ok_or_else(nothing)?;
            Owner::Workspace(Member::load(act.db, &workspace.slug, &user.id)?)
        }
    };
    Ok(Attempt {
        provider,
        owner,
        verifier,
        state_matches,
    })
}

/// Stores what the provider said of the account. The same account again is a reconnection.
pub(crate) fn connect(
    act: &Act<'_>,
    attempt: &Attempt,
    account: &oauth::Account,
) -> Result<(), Refused> {
    let (owner, provider) = (&attempt.owner, attempt.provider.as_str());
    if let Err(refused) = owner.check(act) {
        return Err(failed(
            refused,
            owner,
            provider,
            "verify",
            Reason::PermissionDenied,
            None,
            None,
        ));
    }
    let existing = match owner {
        Owner::Workspace(member) => Account::of_workspace(act.db, &member.workspace.id)?,
        Owner::User(user) => Account::of_user(act.db, &user.id)?,
    };
    let existing = existing.into_iter().find(|existing| {
        existing.provider == provider && existing.external_id == account.external_id
    });
    if existing
        .as_ref()
        .is_some_and(|existing| existing.state == "connected")
    {
        let refused = Refused::conflict(format!("{} is connected already.", account.name));
        return Err(failed(
            refused,
            owner,
            provider,
            "verify",
            Reason::AccountAlreadyConnected,
            None,
            None,
        ));
    }
    let reconnect = existing.is_some();
    let id = existing.map_or_else(|| act.id("iac"), |existing| existing.id);
    act.db.execute(
        "insert into integration_account (id, workspace_id, user_id, provider, external_id, external_name, external_site, scopes, token,
             token_expires_at, state, connected_by, connected_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'connected', ?11, ?12)
         on conflict (id) do update set external_name = ?6, external_site = ?7, scopes = ?8, token = ?9, token_expires_at = ?10,
             state = 'connected', connected_by = ?11, connected_at = ?12",
        params![
            id,
            owner.workspace_id(),
            matches!(owner, Owner::User(_)).then(|| &owner.user().id),
            provider,
            account.external_id,
            account.name,
            account.site,
            account.scopes.join(" "),
            account.token,
            account.expires_at.map(Timestamp::as_micros),
            owner.user().id,
            act.now.as_micros()
        ],
    )?;
    let stored = Account::by_id(act.db, &id)?.ok_or_else(Refused::not_found)?;
    match owner {
        Owner::Workspace(member) => act.record(
            &member.workspace.id,
            events::integration::shared_connected(member, &stored, reconnect),
        ),
        Owner::User(user) => act.record_account(user, |membership| {
            events::integration::personal_connected(user, membership.role, &stored, reconnect)
        }),
    }
}

/// The refusal for a connection that failed. Only a shared one is recorded.
pub(crate) fn failed(
    refused: Refused,
    owner: &Owner,
    provider: &str,
    stage: &'static str,
    reason: Reason,
    status: Option<u16>,
    code: Option<&str>,
) -> Refused {
    let Owner::Workspace(member) = owner else {
        return refused;
    };
    let event = events::integration::shared_failed(member, provider, stage, reason, status, code);
    let workspace = member.workspace.id.clone();
    refused.recording(move |act| act.record(&workspace, event))
}
