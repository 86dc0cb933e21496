//! What happens to accounts at other tools. Tokens are in none of it, nor what a provider said in its own words.

use annals_client::actions::{
    UserIntegrationAccountConnected, UserIntegrationAccountConnectedAuthType,
    UserIntegrationAccountDeleted, UserIntegrationAccountDeletedCause,
    WorkspaceIntegrationSharedAccountConnected, WorkspaceIntegrationSharedAccountConnectedAuthType,
    WorkspaceIntegrationSharedAccountConnectionFailed,
    WorkspaceIntegrationSharedAccountConnectionFailedAuthType,
    WorkspaceIntegrationSharedAccountConnectionFailedReason,
    WorkspaceIntegrationSharedAccountDeleted, WorkspaceIntegrationSharedAccountDeletedCause,
};

use crate::domain::integration::Account;
use crate::domain::member::{Member, Role};
use crate::domain::permission::Deed;
use crate::domain::user::User;

pub(crate) fn shared_connected(
    by: &Member,
    account: &Account,
    reconnect: bool,
) -> WorkspaceIntegrationSharedAccountConnected {
    let event = WorkspaceIntegrationSharedAccountConnected::new(by.actor(), account.target())
        .on_workspace(by.workspace.target())
        .next_state("connected")
        .provider(&account.provider)
        .auth_type(WorkspaceIntegrationSharedAccountConnectedAuthType::Oauth2)
        .external_account_id(&account.external_id)
        .external_account_name(&account.external_name)
        .external_site(&account.external_site)
        .scopes(account.scopes())
        .reconnect(reconnect);
    match account.expires_at {
        Some(time) => event.expires_at(time.to_string()),
        None => event,
    }
}

pub(crate) fn shared_failed(
    by: &Member,
    provider: &str,
    stage: &str,
    reason: WorkspaceIntegrationSharedAccountConnectionFailedReason,
    status: Option<u16>,
    code: Option<&str>,
) -> WorkspaceIntegrationSharedAccountConnectionFailed {
    let mut event = WorkspaceIntegrationSharedAccountConnectionFailed::new(
        by.actor(),
        by.workspace.target(),
        reason,
    )
    .stage(stage)
    .provider(provider)
    .auth_type(WorkspaceIntegrationSharedAccountConnectionFailedAuthType::Oauth2);
    if let Some(status) = status {
        event = event.provider_status(status);
    }
    match code {
        Some(code) => event.provider_error_code(code),
        None => event,
    }
}

pub(crate) fn shared_deleted(
    by: &Member,
    account: &Account,
    projects: Vec<String>,
    revoked: bool,
) -> WorkspaceIntegrationSharedAccountDeleted {
    WorkspaceIntegrationSharedAccountDeleted::new(by.actor(), account.target())
        .on_workspace(by.workspace.target())
        .previous_state(&account.state)
        .provider(&account.provider)
        .external_account_id(&account.external_id)
        .cause(WorkspaceIntegrationSharedAccountDeletedCause::UserAction)
        .affected_project_ids(projects)
        .provider_token_revoked(revoked)
}

/// As a workspace sees it; where the person is a guest it does not, since guests have no such accounts there.
pub(crate) fn personal_connected(
    user: &User,
    role: Role,
    account: &Account,
    reconnect: bool,
) -> Option<UserIntegrationAccountConnected> {
    if !Deed::ConnectPersonalAccounts.allowed_to(role) {
        return None;
    }
    let event = UserIntegrationAccountConnected::new(user.actor_as(role), account.target())
        .on_user(user.target())
        .next_state("connected")
        .provider(&account.provider)
        .auth_type(UserIntegrationAccountConnectedAuthType::Oauth2)
        .external_account_id(&account.external_id)
        .external_account_name(&account.external_name)
        .external_site(&account.external_site)
        .scopes(account.scopes())
        .reconnect(reconnect);
    Some(match account.expires_at {
        Some(time) => event.expires_at(time.to_string()),
        None => event,
    })
}

/// As a workspace sees it, with its own projects alone.
pub(crate) fn personal_deleted(
    user: &User,
    role: Role,
    account: &Account,
    projects: Vec<String>,
    revoked: bool,
) -> Option<UserIntegrationAccountDeleted> {
    if !Deed::ConnectPersonalAccounts.allowed_to(role) {
        return None;
    }
    let event = UserIntegrationAccountDeleted::new(user.actor_as(role), account.target())
        .on_user(user.target())
        .previous_state(&account.state)
        .provider(&account.provider)
        .external_account_id(&account.external_id)
        .cause(UserIntegrationAccountDeletedCause::UserAction)
        .affected_project_ids(projects)
        .provider_token_revoked(revoked);
    Some(event)
}
