//! Closing what somebody has opened of an audit log.
//!
//! What Settings → Audit Logs shows is a page of Annals with a session of its own, which knows nothing of roles and sessions here. So
//! whatever takes the right to read from somebody notes in the same transaction that Annals is to be told.

use annals_client::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::member::Member;
use super::permission::Deed;
use super::session::Session;
use crate::act::Act;
use crate::refused::Refused;

/// Longer than any page of Annals that was opened from here lives, in microseconds.
const OPEN_MICROS: i64 = 60 * 60 * 1_000_000;

/// Somebody whose pages of Annals are to be closed.
#[derive(Clone, Debug)]
pub(crate) struct Closing {
    pub(crate) workspace_id: String,
    pub(crate) user_id: String,
    asked: i64,
}

/// Closes what one person has opened in a workspace.
pub(crate) fn close(act: &Act<'_>, workspace: &str, user: &str) -> Result<(), Refused> {
    act.db
        .prepare_cached(
            "insert into viewer_closing (workspace_id, user_id, asked) values (?1, ?2, 1)
             on conflict (workspace_id, user_id) do update set asked = asked + 1",
        )?
        .execute([workspace, user])?;
    Ok(())
}

/// Closes what one person has opened, in whichever workspace: his session here is over.
///
/// Whoever may read now has something open perhaps, and so does whoever could when the workspace was deleted: its admins may still look
/// at what they have open, and take the last file. Of the others it was noted when their right ended.
pub(crate) fn close_of(act: &Act<'_>, user: &str) -> Result<(), Refused> {
    act.db
        .prepare_cached(
            "insert into viewer_closing (workspace_id, user_id, asked)
             select workspace_id, user_id, 1 from membership
             where user_id = ?1 and role = 'admin'
               and (ended_at is null or ended_cause = 'workspace_deleted' and ended_at > ?2)
             on conflict (workspace_id, user_id) do update set asked = asked + 1",
        )?
        .execute(params![user, act.now.as_micros() - OPEN_MICROS])?;
    Ok(())
}

/// Whether somebody may still read the log, in this session.
///
/// # Errors
/// Not found, where that has ended.
pub(crate) fn check(
    db: &Connection,
    member: &Member,
    session: &Session,
    now: Timestamp,
) -> Result<(), Refused> {
    let may = member.again(db)?.may(Deed::ReadAuditLog) && session.lives(db, now)?;
    may.then_some(()).ok_or_else(Refused::not_found)
}

/// The one that waits longest.
pub(crate) fn next(db: &Connection) -> Result<Option<Closing>, Refused> {
    let sql = "select workspace_id, user_id, asked from viewer_closing order by rowid limit 1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Closing {
            workspace_id: row.get(0)?,
            user_id: row.get(1)?,
            asked: row.get(2)?,
        })
    };
    Ok(db.prepare_cached(sql)?.query_row([], read).optional()?)
}

/// Annals has been told, unless it was asked for again meanwhile.
pub(crate) fn told(act: &Act<'_>, closing: &Closing) -> Result<(), Refused> {
    act.db
        .prepare_cached(
            "delete from viewer_closing where workspace_id = ?1 and user_id = ?2 and asked = ?3",
        )?
        .execute(params![
            closing.workspace_id,
            closing.user_id,
            closing.asked
        ])?;
    Ok(())
}
