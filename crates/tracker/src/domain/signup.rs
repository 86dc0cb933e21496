//! Making an account, and proving the address that it has.
//!
//! Whoever signs up with an address that has an account already is told nothing else than anybody; its owner gets a mail that says so.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::session::{self, Begun, Device, Method};
use super::text;
use super::user::User;
use crate::act::Act;
use crate::clock::later;
use crate::refused::Refused;
use crate::{events, mail, secret};

/// How long the link may be used.
pub(crate) const LINK_LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// Why an address is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Signup,
    EmailChange,
}

/// A link that proves an address, and still may.
#[derive(Clone, Debug)]
pub(crate) struct Verification {
    pub(crate) id: String,
    pub(crate) user: User,
    /// The address that it proves.
    pub(crate) email: String,
    pub(crate) purpose: Purpose,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::EmailChange => "email_change",
        }
    }
}

impl Verification {
    /// Makes a link for a person, which voids earlier ones of the same purpose, and gives its token.
    pub(crate) fn make(
        act: &Act<'_>,
        user: &str,
        email: &str,
        purpose: Purpose,
    ) -> Result<String, Refused> {
        act.db.execute(
            "update email_verification set superseded_at = ?3 where user_id = ?1 and purpose = ?2 and used_at is null and superseded_at is null",
            params![user, purpose.as_str(), act.now.as_micros()],
        )?;
        let token = secret::token();
        act.db.execute(
            "insert into email_verification (id, user_id, email, purpose, token_hash, created_at, expires_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                act.id("evf"),
                user,
                email,
                purpose.as_str(),
                secret::hash("verification", &token),
                act.now.as_micros(),
                later(act.now, LINK_LIFETIME).as_micros()
            ],
        )?;
        Ok(token)
    }

    /// What a link leads to, if it still holds.
    pub(crate) fn by_token(
        db: &Connection,
        token: &str,
        now: annals_client::Timestamp,
    ) -> Result<Self, Refused> {
        let sql = "select id, user_id, email, purpose from email_verification
                   where token_hash = ?1 and used_at is null and superseded_at is null and expires_at > ?2";
        let read = |row: &Row<'_>| {
            let purpose: String = row.get(3)?;
            let purpose = if purpose == "signup" {
                Purpose::Signup
            } else {
                Purpose::EmailChange
            };
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?, purpose))
        };
        let hash = secret::hash("verification", token);
        let found = db
            .prepare_cached(sql)?
            .query_row(params![hash, now.as_micros()], read)
            .optional()?;
        let (id, user, email, purpose) = found.ok_or_else(Self::dead)?;
        let user = User::by_id(db, &user)?.ok_or_else(Self::dead)?;
        Ok(Self {
            id,
            user,
            email,
            purpose,
        })
    }

    fn dead() -> Refused {
        Refused::new(
            crate::refused::Kind::NotFound,
            "This link no longer holds. It was used, replaced by a newer one, or is too old.",
        )
    }

    /// Uses it up.
    pub(crate) fn spend(&self, act: &Act<'_>) -> Result<(), Refused> {
        act.db.execute(
            "update email_verification set used_at = ?2 where id = ?1",
            params![self.id, act.now.as_micros()],
        )?;
        Ok(())
    }
}

/// Makes an account whose address is not proved yet, and sends the link that proves it.
pub(crate) fn sign_up(
    act: &Act<'_>,
    name: &str,
    email: &str,
    password_hash: &str,
) -> Result<(), Refused> {
    let name = text::name("name", name)?;
    let user = match User::by_email(act.db, email)? {
        Some(user) if user.email_verified_at.is_some() => {
            return act.mail(
                &mail::already_registered(&user.email, &user.name, &act.settings.link("/login")),
                None,
            );
        }
        // Nobody has proved this address: whoever comes last has it, and what was signed in as it is not.
        Some(user) => {
            act.db.execute(
                "update user set name = ?2, password_hash = ?3, failed_logins = 0, locked_until = null where id = ?1",
                params![user.id, name, password_hash],
            )?;
            session::end_all(act, &user.id, None)?;
            user.id
        }
        None => insert(act, &name, email, password_hash, false)?,
    };
    let token = Verification::make(act, &user, email, Purpose::Signup)?;
    act.mail(
        &mail::verify_email(
            email,
            &name,
            &act.settings.link(&format!("/verify/{token}")),
        ),
        None,
    )
}

/// Sends the link once more.
pub(crate) fn send_again(act: &Act<'_>, user: &User) -> Result<(), Refused> {
    let token = Verification::make(act, &user.id, &user.email, Purpose::Signup)?;
    act.mail(
        &mail::verify_email(
            &user.email,
            &user.name,
            &act.settings.link(&format!("/verify/{token}")),
        ),
        None,
    )
}

/// Proves the address of an account, by its link and its password together: the link alone would prove an account that somebody
/// else has made for it. Then signs in.
pub(crate) fn verify(
    act: &Act<'_>,
    token: &str,
    is_owner: bool,
    device: Option<&Device>,
) -> Result<Option<Begun>, Refused> {
    let verification = Verification::by_token(act.db, token, act.now)?;
    let user = &verification.user;
    if verification.purpose != Purpose::Signup {
        return Err(Verification::dead());
    }
    if !is_owner {
        return Err(Refused::invalid(
            "password",
            "This is not the password that you chose when you signed up. You can choose a new one: “Forgot your password?”",
        ));
    }
    verification.spend(act)?;
    prove(act, user)?;
    device
        .map(|device| session::begin(act, user, Method::Signup, device))
        .transpose()
}

/// Notes that a person's address is his.
pub(crate) fn prove(act: &Act<'_>, user: &User) -> Result<(), Refused> {
    if user.email_verified_at.is_some() {
        return Ok(());
    }
    act.db.execute(
        "update user set email_verified_at = ?2 where id = ?1",
        params![user.id, act.now.as_micros()],
    )?;
    act.record_account(user, |membership| {
        Some(events::user::email_verified(
            user,
            membership.role,
            &user.email,
            Purpose::Signup,
        ))
    })
}

/// Writes a new account.
pub(crate) fn insert(
    act: &Act<'_>,
    name: &str,
    email: &str,
    password_hash: &str,
    verified: bool,
) -> Result<String, Refused> {
    let id = act.id("usr");
    act.db.execute(
        "insert into user (id, email, email_verified_at, name, password_hash, created_at) values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![id, email, verified.then_some(act.now.as_micros()), name, password_hash, act.now.as_micros()],
    )?;
    Ok(id)
}
