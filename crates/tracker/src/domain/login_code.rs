//! Codes by e-mail, to sign in without a password.

use std::time::Duration;

use annals_client::Timestamp;
use annals_client::actions::UserLoginFailedReason as Reason;
use rusqlite::{Connection, params};

use super::login;
use super::session::{self, Begun, Device, Method};
use super::user::{User, time};
use crate::act::Act;
use crate::clock::later;
use crate::refused::{Aftermath, Refused};
use crate::{events, mail, secret};

/// How long a code may be used.
pub(crate) const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How often it may be got wrong.
const TRIES_MAX: u32 = 5;
/// For how long a code that no longer holds is recognized as one.
const REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

struct Code {
    id: String,
    hash: String,
    expires_at: Timestamp,
    tries: u32,
    used: bool,
    superseded: bool,
}

/// Sends a code, if somebody has this address. The caller has answered already, so that the time tells nothing either.
pub(crate) fn request(act: &Act<'_>, email: &str) -> Result<(), Refused> {
    // Whoever has not proved his address gets no code for it: he would prove an account that somebody else has made.
    let user = User::by_email(act.db, email)?
        .filter(|user| user.email_verified_at.is_some() && !user.disabled);
    let Some(user) = user else {
        return act.record_platform("user.login_code_requested", None, Some("unknown_email"));
    };

    act.db.execute(
        "update login_code set superseded_at = ?2 where user_id = ?1 and used_at is null and superseded_at is null",
        params![user.id, act.now.as_micros()],
    )?;
    let (code, expires_at) = (secret::code(), later(act.now, LIFETIME));
    act.db.execute(
        "insert into login_code (id, user_id, code_hash, created_at, expires_at) values (?1, ?2, ?3, ?4, ?5)",
        params![act.id("lco"), user.id, hash(&user, &code), act.now.as_micros(), expires_at.as_micros()],
    )?;
    act.mail(&mail::login_code(&user.email, &user.name, &code), None)?;
    act.record_platform("user.login_code_requested", Some(&user.id), None)?;
    act.record_account(&user, |_| {
        Some(events::user::login_code_requested(&user, expires_at))
    })
}

/// Signs in with a code.
pub(crate) fn redeem(
    act: &Act<'_>,
    email: &str,
    typed: &str,
    device: &Device,
) -> Result<Begun, Refused> {
    let Some(user) = User::by_email(act.db, email)? else {
        return Err(login::unknown());
    };
    if let Some(reason) = login::barred(act, &user) {
        return Err(login::failed(user, Method::LoginCode, reason));
    }
    let typed: String = typed.chars().filter(char::is_ascii_digit).collect();
    let typed = hash(&user, &typed);
    let codes = recent(act.db, &user, act.now)?;
    let current = codes
        .iter()
        .find(|code| !code.superseded && !code.used && code.expires_at > act.now);
    let same = codes.iter().find(|code| secret::equal(&code.hash, &typed));
    let reason = match (same, current) {
        (_, Some(current)) if current.tries >= TRIES_MAX => Reason::TooManyAttempts,
        (Some(code), _) if code.used => Reason::LoginCodeUsed,
        (Some(code), Some(current)) if code.id == current.id => {
            act.db.execute(
                "update login_code set used_at = ?2 where id = ?1",
                params![code.id, act.now.as_micros()],
            )?;
            if let Some(workspace) = login::forbidding(act.db, &user, Method::LoginCode)? {
                return Err(login::method_refused(user, Method::LoginCode, &workspace));
            }
            login::succeed(act, &user)?;
            return session::begin(act, &user, Method::LoginCode, device);
        }
        (Some(_), _) => Reason::LoginCodeExpired,
        (None, _) => Reason::LoginCodeInvalid,
    };
    let wrong = current.map(|code| code.id.clone());
    let refused = login::failed(user, Method::LoginCode, reason);
    Err(counting(refused, wrong))
}

/// The refusal, which also counts a try of the code that was not met.
fn counting(mut refused: Refused, code: Option<String>) -> Refused {
    let Some(code) = code else { return refused };
    let Some(Aftermath::Record(record)) = refused.aftermath.take() else {
        return refused;
    };
    refused.recording(move |act| {
        act.db.execute(
            "update login_code set tries = tries + 1 where id = ?1",
            [code],
        )?;
        record(act)
    })
}

fn recent(db: &Connection, user: &User, now: Timestamp) -> Result<Vec<Code>, Refused> {
    let mut statement = db.prepare_cached(
        "select id, code_hash, expires_at, tries, used_at, superseded_at from login_code
         where user_id = ?1 and created_at > ?2 order by created_at desc, id desc limit 100",
    )?;
    let since = now.as_micros() - i64::try_from(REMEMBERED.as_micros()).unwrap_or(0);
    let rows = statement.query_map(params![user.id, since], |row| {
        Ok(Code {
            id: row.get(0)?,
            hash: row.get(1)?,
            expires_at: Timestamp::clamped(row.get(2)?),
            tries: row.get(3)?,
            used: time(row.get(4)?).is_some(),
            superseded: time(row.get(5)?).is_some(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Of a code together with whose it is: a code of one person is none of another.
fn hash(user: &User, code: &str) -> String {
    secret::hash("login code", &format!("{}/{code}", user.id))
}
