//! Changing one's address: asked for with the password, done by the link that the new address gets, in the hands of the same person.

use rusqlite::params;

use super::account;
use super::signup::{Purpose, Verification};
use super::user::User;
use crate::act::Act;
use crate::refused::Refused;
use crate::{events, mail};

/// Sends the link to the new address, and a notice to the old one. Nothing has changed yet, and nothing is recorded.
pub(crate) fn request(
    act: &Act<'_>,
    user: &User,
    email: &str,
    is_right: bool,
) -> Result<(), Refused> {
    if !is_right {
        return Err(Refused::invalid("password", "This is not your password."));
    }
    if email == user.email {
        return Err(Refused::invalid("email", "This is your address already."));
    }
    // Whether the address is somebody's is not told: everything that the person can see comes before it is looked up, the notice in his
    // mailbox and the end of an earlier link too. The owner gets no link, and the answer is the same.
    act.mail(
        &mail::email_change_notice(&user.email, &user.name, email),
        None,
    )?;
    let token = Verification::make(act, &user.id, email, Purpose::EmailChange)?;
    if User::by_email(act.db, email)?.is_some() {
        return Ok(());
    }
    act.mail(
        &mail::confirm_new_email(
            email,
            &user.name,
            &act.settings.link(&format!("/confirm-email/{token}")),
        ),
        None,
    )
}

/// Makes the new address the person's, by its link and his session or password together: the link alone would make it the address of
/// whoever typed it, as soon as its owner clicks, and what its domain may join would be open to a stranger.
pub(crate) fn confirm(act: &Act<'_>, token: &str, is_owner: bool) -> Result<(), Refused> {
    let verification = Verification::by_token(act.db, token, act.now)?;
    let before = &verification.user;
    if verification.purpose != Purpose::EmailChange {
        return Err(Refused::not_found());
    }
    if !is_owner {
        return Err(Refused::invalid(
            "password",
            "This is not the password of that account. Sign in there first, then open the link again.",
        ));
    }
    if User::by_email(act.db, &verification.email)?.is_some() {
        return Err(Refused::conflict("This address has an account by now."));
    }
    verification.spend(act)?;
    account::void_links(act, &before.id)?;
    act.db.execute(
        "update user set email = ?2, email_verified_at = ?3 where id = ?1",
        params![before.id, verification.email, act.now.as_micros()],
    )?;
    let after = User {
        email: verification.email.clone(),
        ..before.clone()
    };
    act.record_account(before, |membership| {
        Some(events::user::email_changed(before, &after, membership.role))
    })?;
    act.record_account(&after, |membership| {
        Some(events::user::email_verified(
            &after,
            membership.role,
            &after.email,
            Purpose::EmailChange,
        ))
    })
}
