//! Signing in, and what happens when it fails.
//!
//! Nobody can tell from the answer whether an address has an account: unknown, wrong, locked and disabled get the same words, after the
//! same work.

use std::time::Duration;

use annals_client::actions::UserLoginFailedReason as Reason;
use rusqlite::{Connection, params};

use super::member::{Membership, Role};
use super::session::{self, Begun, Device, Method};
use super::user::User;
use super::workspace::Workspace;
use crate::act::Act;
use crate::clock::later;
use crate::events;
use crate::refused::{Kind, Refused};

/// Failures in a row after which an account pauses.
const FAILURES_MAX: u32 = 5;
/// For how long.
const PAUSE: Duration = Duration::from_secs(15 * 60);

/// What somebody is told whose sign-in failed, whyever.
pub(crate) const FAILED: &str = "That did not work. Check what you entered; after several failures in a row an account pauses for 15 minutes.";

/// Signs in with a password that was compared already (`is_right`), because that takes long and is no work for a transaction.
pub(crate) fn with_password(
    act: &Act<'_>,
    email: &str,
    is_right: bool,
    device: &Device,
) -> Result<Begun, Refused> {
    let Some(user) = User::by_email(act.db, email)? else {
        return Err(unknown());
    };
    let reason = if let Some(reason) = barred(act, &user) {
        reason
    } else if user.password_hash.is_none() {
        Reason::PasswordNotSet
    } else if !is_right {
        Reason::InvalidPassword
    } else if let Some(workspace) = forbidding(act.db, &user, Method::Password)? {
        return Err(method_refused(user, Method::Password, &workspace));
    } else {
        succeed(act, &user)?;
        return session::begin(act, &user, Method::Password, device);
    };
    Err(failed(user, Method::Password, reason))
}

/// Why this account cannot sign in at all now.
pub(crate) fn barred(act: &Act<'_>, user: &User) -> Option<Reason> {
    if user.disabled {
        return Some(Reason::UserDisabled);
    }
    user.locked_until
        .filter(|until| *until > act.now)
        .map(|_| Reason::AccountLocked)
}

/// The workspace that does not let this person sign in like this, if there is one. Admins are exempt in theirs.
///
/// Two workspaces may leave no way in between them. Then a code is one: it proves the mailbox, by which a password can be set anyway.
pub(crate) fn forbidding(
    db: &Connection,
    user: &User,
    method: Method,
) -> Result<Option<Workspace>, Refused> {
    let (mut no_password, mut no_code) = (None, None);
    for membership in Membership::active_of(db, &user.id)? {
        if membership.role == Role::Admin {
            continue;
        }
        let Some(workspace) = Workspace::by_id(db, &membership.workspace_id)? else {
            continue;
        };
        if !workspace.password_allowed {
            no_password = Some(workspace);
        } else if !workspace.login_code_allowed {
            no_code = Some(workspace);
        }
    }
    Ok(match method {
        Method::Password => no_password,
        Method::LoginCode => no_code.filter(|_| no_password.is_none()),
        Method::Signup => None,
    })
}

/// Forgets the failures before.
pub(crate) fn succeed(act: &Act<'_>, user: &User) -> Result<(), Refused> {
    act.db
        .prepare_cached("update user set failed_logins = 0, locked_until = null where id = ?1")?
        .execute([&user.id])?;
    Ok(())
}

/// The refusal for an address without an account. It is in no workspace's log, since there is none that it could belong to.
pub(crate) fn unknown() -> Refused {
    Refused::new(Kind::Invalid, FAILED)
        .recording(|act| act.record_platform("user.login_failed", None, Some("unknown_email")))
}

/// The refusal for an account that is there: counted, recorded, and in the same words.
pub(crate) fn failed(user: User, method: Method, reason: Reason) -> Refused {
    Refused::new(Kind::Invalid, FAILED)
        .recording(move |act| count_and_record(act, &user, method, reason, None))
}

/// The refusal for somebody who proved who he is, in a way that his workspace does not allow.
pub(crate) fn method_refused(user: User, method: Method, workspace: &Workspace) -> Refused {
    let other = match method {
        Method::Password => "a code by e-mail",
        Method::LoginCode | Method::Signup => "your password",
    };
    let message = format!("{} asks you to sign in with {other}.", workspace.name);
    let workspace = workspace.id.clone();
    let reason = Reason::MethodNotAllowed;
    Refused::new(Kind::Invalid, message)
        .recording(move |act| count_and_record(act, &user, method, reason, Some(&workspace)))
}

fn count_and_record(
    act: &Act<'_>,
    user: &User,
    method: Method,
    reason: Reason,
    asked_by: Option<&str>,
) -> Result<(), Refused> {
    // As it is now: several may have failed at the same time.
    let Some(user) = User::by_id(act.db, &user.id)? else {
        return Ok(());
    };
    let guessed = matches!(
        reason,
        Reason::InvalidPassword
            | Reason::LoginCodeInvalid
            | Reason::LoginCodeExpired
            | Reason::LoginCodeUsed
            | Reason::TooManyAttempts
    );
    let paused = user.locked_until.is_some_and(|until| until > act.now);
    // A pause that is over begins the count anew.
    let before = if user.locked_until.is_some() && !paused {
        0
    } else {
        user.failed_logins
    };
    let failures = before + u32::from(guessed);
    let locked_until = if paused {
        user.locked_until
    } else {
        (failures >= FAILURES_MAX).then(|| later(act.now, PAUSE))
    };
    act.db.execute(
        "update user set failed_logins = ?2, locked_until = ?3 where id = ?1",
        params![
            user.id,
            failures,
            locked_until.map(annals_client::Timestamp::as_micros)
        ],
    )?;
    let told = act.record_account(&user, |membership| {
        let initiator = asked_by.filter(|asked_by| *asked_by == membership.workspace_id);
        Some(events::user::login_failed(
            &user,
            method,
            reason,
            failures,
            locked_until,
            initiator,
        ))
    });
    act.record_platform("user.login_failed", Some(&user.id), Some(reason.as_str()))?;
    told
}

/// The workspaces that hear of what happens to the account with this address; none for an unknown one.
pub(crate) fn audience(
    db: &Connection,
    email: &str,
) -> Result<Option<(User, Vec<String>)>, Refused> {
    let Some(user) = User::by_email(db, email)? else {
        return Ok(None);
    };
    let memberships = Membership::active_of(db, &user.id)?;
    Ok(Some((
        user,
        memberships
            .into_iter()
            .map(|membership| membership.workspace_id)
            .collect(),
    )))
}

/// The event for attempts beyond the limit, which are refused without comparing anything.
pub(crate) fn too_often(user: &User, method: &str) -> annals_client::actions::UserLoginFailed {
    let method = if method == "login_code" {
        Method::LoginCode
    } else {
        Method::Password
    };
    events::user::login_failed(
        user,
        method,
        Reason::RateLimited,
        user.failed_logins,
        user.locked_until,
        None,
    )
}
