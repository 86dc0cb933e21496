//! Sessions: rows that can be ended, behind a cookie of which only a hash is stored.

use std::time::Duration;

use annals_client::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::user::User;
use super::viewer;
use crate::act::Act;
use crate::clock::{later, seconds_between};
use crate::events;
use crate::refused::Refused;
use crate::secret;

/// How long a session lives.
pub(crate) const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Somebody's session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// Opaque, and no secret: it is in the audit log, where the cookie must never be.
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) created_at: Timestamp,
}

/// How somebody proved who he is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Password,
    LoginCode,
    Signup,
}

/// Where a session begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Device {
    pub(crate) address: String,
    pub(crate) user_agent: String,
}

/// A session that has begun: the cookie's value exists only here and in the browser.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) token: String,
}

/// A line of the list of one's sessions.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) created_at: Timestamp,
    pub(crate) address: String,
    pub(crate) user_agent: String,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::LoginCode => "login_code",
            Self::Signup => "signup",
        }
    }
}

impl Session {
    /// The session of a cookie, if it lives, and whose it is.
    pub(crate) fn by_token(
        db: &Connection,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<(Self, User)>, Refused> {
        let sql = "select id, user_id, created_at from session where token_hash = ?1 and ended_at is null and expires_at > ?2";
        let read = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                user_id: row.get(1)?,
                created_at: Timestamp::clamped(row.get(2)?),
            })
        };
        let hash = secret::hash("session", token);
        let session = db
            .prepare_cached(sql)?
            .query_row(params![hash, now.as_micros()], read)
            .optional()?;
        let Some(session) = session else {
            return Ok(None);
        };
        let user = User::by_id(db, &session.user_id)?.filter(|user| !user.disabled);
        Ok(user.map(|user| (session, user)))
    }

    /// Whether it has not ended since.
    pub(crate) fn lives(&self, db: &Connection, now: Timestamp) -> Result<bool, Refused> {
        let sql = "select exists (select 1 from session where id = ?1 and ended_at is null and expires_at > ?2)";
        Ok(db
            .prepare_cached(sql)?
            .query_row(params![self.id, now.as_micros()], |row| row.get(0))?)
    }

    /// Those of a person that live, newest first.
    pub(crate) fn of_user(
        db: &Connection,
        user: &str,
        now: Timestamp,
    ) -> Result<Vec<Listed>, Refused> {
        let mut statement = db.prepare_cached(
            "select id, created_at, address, user_agent from session
             where user_id = ?1 and ended_at is null and expires_at > ?2 order by created_at desc limit 50",
        )?;
        let rows = statement.query_map(params![user, now.as_micros()], |row| {
            Ok(Listed {
                id: row.get(0)?,
                created_at: Timestamp::clamped(row.get(1)?),
                address: row.get(2)?,
                user_agent: row.get(3)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Begins a session and records the login.
pub(crate) fn begin(
    act: &Act<'_>,
    user: &User,
    method: Method,
    device: &Device,
) -> Result<Begun, Refused> {
    let known: (bool, bool) = act.db.query_row(
        "select exists (select 1 from session where user_id = ?1), exists (select 1 from session where user_id = ?1 and user_agent = ?2)",
        [&user.id, &device.user_agent],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (first_login, new_device) = (!known.0, known.0 && !known.1);

    let (id, token) = (act.id("ses"), secret::token());
    act.db.execute(
        "insert into session (id, token_hash, user_id, method, created_at, expires_at, address, user_agent)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id,
            secret::hash("session", &token),
            user.id,
            method.as_str(),
            act.now.as_micros(),
            later(act.now, LIFETIME).as_micros(),
            device.address,
            device.user_agent,
        ],
    )?;
    act.record_account(user, |membership| {
        Some(events::user::login(
            user,
            membership.role,
            method,
            &id,
            first_login,
            new_device,
        ))
    })?;
    Ok(Begun { token })
}

/// Signs out: here, or everywhere.
pub(crate) fn log_out(
    act: &Act<'_>,
    user: &User,
    session: &Session,
    everywhere: bool,
) -> Result<(), Refused> {
    let now = act.now.as_micros();
    let ended = act.db.execute(
        "update session set ended_at = ?2, end_cause = 'logged_out' where id = ?1 and ended_at is null",
        params![session.id, now],
    )?;
    if ended == 0 {
        return Ok(());
    }
    if everywhere {
        end_all(act, &user.id, None)?;
    }
    // Which of his sessions opened a page of Annals is not known, so all of them close. Elsewhere the next look opens it again.
    viewer::close_of(act, &user.id)?;
    let seconds = seconds_between(session.created_at, act.now);
    act.record_account(user, |membership| {
        Some(events::user::logout(
            user,
            membership.role,
            &session.id,
            seconds,
            everywhere,
        ))
    })
}

/// Ends one of one's other sessions. (A session that is taken away is no logout, and has no event.)
pub(crate) fn revoke(act: &Act<'_>, user: &User, session: &str) -> Result<(), Refused> {
    let ended = act.db.execute(
        "update session set ended_at = ?3, end_cause = 'revoked' where id = ?2 and user_id = ?1 and ended_at is null",
        params![user.id, session, act.now.as_micros()],
    )?;
    if ended == 0 {
        return Ok(());
    }
    viewer::close_of(act, &user.id)
}

/// Ends all of a person's sessions but one, and says how many.
pub(crate) fn end_all(act: &Act<'_>, user: &str, but: Option<&str>) -> Result<usize, Refused> {
    let ended = act.db.execute(
        "update session set ended_at = ?3, end_cause = 'revoked'
         where user_id = ?1 and id is not ?2 and ended_at is null and expires_at > ?3",
        params![user, but, act.now.as_micros()],
    )?;
    // Also if there was none: a session that has run out may have opened a page of Annals that has not.
    viewer::close_of(act, user)?;
    Ok(ended)
}
