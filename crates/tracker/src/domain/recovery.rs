//! A way back in without the password.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::user::User;
use super::{account, session, signup};
use crate::act::Act;
use crate::clock::later;
use crate::refused::{Kind, Refused};
use crate::{events, mail, secret};

use annals_client::Timestamp;
use annals_client::actions::UserPasswordUpdatedMethod as How;

/// How long the link may be used.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Sends a link, if somebody has this address. The caller has answered already, so that the time tells nothing either.
pub(crate) fn request(act: &Act<'_>, email: &str) -> Result<(), Refused> {
    let Some(user) = User::by_email(act.db, email)?.filter(|user| !user.disabled) else {
        return act.record_platform(
            "user.password_recovery_requested",
            None,
            Some("unknown_email"),
        );
    };

    act.db.execute(
        "update password_reset set superseded_at = ?2 where user_id = ?1 and used_at is null and superseded_at is null",
        params![user.id, act.now.as_micros()],
    )?;
    let (token, expires_at) = (secret::token(), later(act.now, LIFETIME));
    act.db.execute(
        "insert into password_reset (id, user_id, token_hash, created_at, expires_at) values (?1, ?2, ?3, ?4, ?5)",
        params![act.id("rst"), user.id, secret::hash("reset", &token), act.now.as_micros(), expires_at.as_micros()],
    )?;
    act.mail(
        &mail::password_reset(
            &user.email,
            &user.name,
            &act.settings.link(&format!("/recover/{token}")),
        ),
        None,
    )?;
    act.record_platform("user.password_recovery_requested", Some(&user.id), None)?;
    act.record_account(&user, |_| {
        Some(events::user::recovery_requested(&user, expires_at))
    })
}

/// Whose password a link may set, if it still holds.
pub(crate) fn by_token(db: &Connection, token: &str, now: Timestamp) -> Result<User, Refused> {
    let sql = "select user_id from password_reset where token_hash = ?1 and used_at is null and superseded_at is null and expires_at > ?2";
    let hash = secret::hash("reset", token);
    let user: Option<String> = db
        .prepare_cached(sql)?
        .query_row(params![hash, now.as_micros()], |row| row.get(0))
        .optional()?;
    let user = user
        .map(|user| User::by_id(db, &user))
        .transpose()?
        .flatten();
    user.ok_or_else(|| Refused::new(Kind::NotFound, "This link no longer holds. It was used, replaced by a newer one, or is older than an hour."))
}

/// Sets the password by a link, which proves the address too, and ends every session: one of them may be the reason.
pub(crate) fn complete(act: &Act<'_>, token: &str, password_hash: &str) -> Result<(), Refused> {
    let user = by_token(act.db, token, act.now)?;
    act.db.execute(
        "update password_reset set used_at = ?2 where token_hash = ?1",
        params![secret::hash("reset", token), act.now.as_micros()],
    )?;
    set(act, &user, password_hash, None, How::Recovery)?;
    signup::prove(act, &user)
}

/// Sets a new password, where the old one was right. Other sessions end.
pub(crate) fn change(
    act: &Act<'_>,
    user: &User,
    session: &str,
    is_right: bool,
    password_hash: &str,
) -> Result<(), Refused> {
    if !is_right {
        return Err(Refused::invalid("current", "This is not your password."));
    }
    let user = User::by_id(act.db, &user.id)?.ok_or_else(Refused::not_found)?;
    let how = if user.password_hash.is_some() {
        How::ProfileChange
    } else {
        How::FirstSet
    };
    set(act, &user, password_hash, Some(session), how)
}

fn set(
    act: &Act<'_>,
    user: &User,
    password_hash: &str,
    but: Option<&str>,
    how: How,
) -> Result<(), Refused> {
    act.db.execute(
        "update user set password_hash = ?2, failed_logins = 0, locked_until = null where id = ?1",
        [&user.id, password_hash],
    )?;
    let revoked = session::end_all(act, &user.id, but)?;
    account::void_links(act, &user.id)?;
    act.mail(
        &mail::password_changed(&user.email, &user.name, &act.settings.link("/recover")),
        None,
    )?;
    act.record_account(user, |membership| {
        Some(events::user::password_updated(
            user,
            membership.role,
            how,
            revoked,
        ))
    })
}
