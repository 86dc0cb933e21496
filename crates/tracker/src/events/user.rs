//! What happens to an account. Each is told to the workspaces of which the person is a member, as he is there.

use annals_client::actions::{
    UserDeleted, UserEmailVerified, UserEmailVerifiedMethod, UserEmailVerifiedPurpose, UserLogin,
    UserLoginCodeRequested, UserLoginFailed, UserLoginFailedMethod, UserLoginFailedReason,
    UserLoginMethod, UserLogout, UserPasswordRecoveryRequested, UserPasswordUpdated,
    UserPasswordUpdatedMethod, UserUpdated, UserUpdatedEmailChangeState,
};
use annals_client::{NewEvent, Timestamp};

use crate::domain::member::Role;
use crate::domain::session::Method;
use crate::domain::signup::Purpose;
use crate::domain::user::{User, unauthenticated};

pub(crate) fn login(
    user: &User,
    role: Role,
    method: Method,
    session: &str,
    first_login: bool,
    new_device: bool,
) -> UserLogin {
    UserLogin::new(user.actor_as(role), user.target())
        .method(match method {
            Method::Password => UserLoginMethod::Password,
            Method::LoginCode => UserLoginMethod::LoginCode,
            Method::Signup => UserLoginMethod::Signup,
        })
        .session_id(session)
        .session_id_of_event(session)
        .first_login(first_login)
        .new_device(new_device)
}

/// Whoever it was has not signed in: the person is the target and never the actor.
pub(crate) fn login_failed(
    user: &User,
    method: Method,
    reason: UserLoginFailedReason,
    failures: u32,
    locked_until: Option<Timestamp>,
    asked_by: Option<&str>,
) -> UserLoginFailed {
    let mut event = UserLoginFailed::new(unauthenticated(Some(&user.email)), user.target(), reason)
        .stage("authentication")
        .method(match method {
            Method::Password => UserLoginFailedMethod::Password,
            Method::LoginCode => UserLoginFailedMethod::LoginCode,
            Method::Signup => UserLoginFailedMethod::Signup,
        })
        .consecutive_failures(failures);
    if let Some(until) = locked_until {
        event = event.locked_until(until.to_string());
    }
    match asked_by {
        Some(workspace) => event.initiating_workspace_id(workspace),
        None => event,
    }
}

pub(crate) fn login_code_requested(user: &User, expires_at: Timestamp) -> UserLoginCodeRequested {
    UserLoginCodeRequested::new(unauthenticated(Some(&user.email)), user.target())
        .delivery("email")
        .expires_at(expires_at.to_string())
        .throttled(false)
        // A new code voids the ones before.
        .codes_outstanding(1)
}

pub(crate) fn logout(
    user: &User,
    role: Role,
    session: &str,
    seconds: i64,
    all_devices: bool,
) -> UserLogout {
    UserLogout::new(user.actor_as(role), user.target())
        .session_id_of_event(session)
        .session_seconds(seconds)
        .all_devices(all_devices)
}

pub(crate) fn recovery_requested(
    user: &User,
    expires_at: Timestamp,
) -> UserPasswordRecoveryRequested {
    UserPasswordRecoveryRequested::new(unauthenticated(Some(&user.email)), user.target())
        .delivery("email")
        .expires_at(expires_at.to_string())
        .throttled(false)
}

pub(crate) fn password_updated(
    user: &User,
    role: Role,
    how: UserPasswordUpdatedMethod,
    revoked: usize,
) -> UserPasswordUpdated {
    let event = UserPasswordUpdated::new(user.actor_as(role), user.target())
        .method(how)
        .sessions_revoked(revoked);
    match how {
        UserPasswordUpdatedMethod::Recovery => event.source("email_link"),
        _ => event,
    }
}

pub(crate) fn email_verified(
    user: &User,
    role: Role,
    email: &str,
    purpose: Purpose,
) -> UserEmailVerified {
    UserEmailVerified::new(user.actor_as(role), user.target())
        .previous_email_verified(false)
        .next_email_verified(true)
        .email(email)
        .purpose(match purpose {
            Purpose::Signup => UserEmailVerifiedPurpose::Signup,
            Purpose::EmailChange => UserEmailVerifiedPurpose::EmailChange,
        })
        .method(UserEmailVerifiedMethod::Link)
        .source("email_link")
}

/// Name and job role, as far as they changed.
pub(crate) fn updated(before: &User, after: &User, role: Role) -> UserUpdated {
    let mut event = UserUpdated::new(before.actor_as(role), after.target());
    if before.name != after.name {
        event = event.previous_name(&before.name).next_name(&after.name);
    }
    if before.job_role != after.job_role {
        event = event
            .previous_job_role(&before.job_role)
            .next_job_role(&after.job_role);
    }
    event
}

pub(crate) fn email_changed(before: &User, after: &User, role: Role) -> UserUpdated {
    UserUpdated::new(before.actor_as(role), after.target())
        .previous_email(&before.email)
        .next_email(&after.email)
        .email_change_state(UserUpdatedEmailChangeState::Confirmed)
        .source("email_link")
}

/// In each workspace it counts one membership: how many there were elsewhere is none of its business.
pub(crate) fn deleted(user: &User, role: Role, accounts: usize) -> NewEvent {
    let event = UserDeleted::new(user.actor_as(role), user.target())
        .previous_name(&user.name)
        .previous_email(&user.email)
        .of_oneself(true)
        .memberships_ended(1)
        .pseudonymised(true);
    // Guests have no such accounts, and what somebody had is told where he might have used it.
    if role > Role::Guest {
        event.integration_accounts_deleted(accounts).into()
    } else {
        event.into()
    }
}
