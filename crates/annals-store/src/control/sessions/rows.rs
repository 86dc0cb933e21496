//! Sessions and grants in their tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use annals_event::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::{Grant, SESSION_SECONDS, Session, Sessions};
use crate::StoreError;
use crate::control::{ControlError, damaged, to_text};

pub(in crate::control) fn load(
    connection: &Connection,
    now: Timestamp,
    secret: &[u8; 32],
) -> Result<Sessions, StoreError> {
    let mut sessions = Sessions::default();
    let mut statement =
        connection.prepare("SELECT digest, id, created_at, last_seen_at FROM portal_session")?;
    let mut grants = connection.prepare("SELECT terms FROM portal_grant WHERE session = ?1")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let digest: [u8; 32] = row.get(0)?;
        let id: String = row.get(1)?;
        let mut session = Session::new(id, Timestamp::clamped(row.get(2)?), secret);
        session.last_seen = Arc::new(AtomicI64::new(row.get(3)?));
        if session.expires_at() <= now {
            continue;
        }
        let texts = grants.query_map(params![digest], |row| row.get::<_, String>(0))?;
        let mut by_organization = BTreeMap::new();
        for text in texts {
            let grant: Grant =
                serde_json::from_str(&text?).map_err(|_| damaged("portal_grant", &session.id))?;
            by_organization.insert(grant.organization_id.clone(), Arc::new(grant));
        }
        session.grants = by_organization;
        sessions.put(digest, Arc::new(session));
    }
    Ok(sessions)
}

/// Writes a session over its former self, if there is one; its grants are written apart.
pub(in crate::control) fn put_session(
    transaction: &Transaction<'_>,
    digest: &[u8; 32],
    session: &Session,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO portal_session (digest, id, created_at, last_seen_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (digest) DO UPDATE SET last_seen_at = excluded.last_seen_at",
        params![
            digest,
            session.id,
            session.created_at.as_micros(),
            session.last_seen_at().as_micros()
        ],
    )?;
    Ok(())
}

pub(in crate::control) fn put_grant(
    transaction: &Transaction<'_>,
    session: &[u8; 32],
    grant: &Grant,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO portal_grant (session, organization_id, terms) VALUES (?1, ?2, ?3)
         ON CONFLICT (session, organization_id) DO UPDATE SET terms = excluded.terms",
        params![session, grant.organization_id, to_text(grant)],
    )?;
    Ok(())
}

/// Takes a grant from a session, and the session away if it was its last one.
pub(in crate::control) fn remove_grant(
    transaction: &Transaction<'_>,
    session: &[u8; 32],
    organization_id: &str,
) -> rusqlite::Result<()> {
    transaction.execute(
        "DELETE FROM portal_grant WHERE session = ?1 AND organization_id = ?2",
        params![session, organization_id],
    )?;
    transaction.execute(
        "DELETE FROM portal_session WHERE digest = ?1
             AND NOT EXISTS (SELECT 1 FROM portal_grant WHERE session = ?1)",
        params![session],
    )?;
    Ok(())
}

/// Takes a workspace from every session, and away the sessions that had no other.
pub(in crate::control) fn end_all_of(
    transaction: &Transaction<'_>,
    organization_id: &str,
) -> Result<(), ControlError> {
    let mut sessions =
        transaction.prepare("SELECT session FROM portal_grant WHERE organization_id = ?1")?;
    let sessions: Vec<[u8; 32]> = sessions
        .query_map(params![organization_id], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for session in sessions {
        remove_grant(transaction, &session, organization_id)?;
    }
    Ok(())
}

/// Deletes the rows of sessions that have ended by age.
pub(in crate::control) fn prune(
    transaction: &Transaction<'_>,
    now: Timestamp,
) -> rusqlite::Result<()> {
    let oldest = now.as_micros() - i64::from(SESSION_SECONDS) * 1_000_000;
    transaction.execute(
        "DELETE FROM portal_grant WHERE session IN
             (SELECT digest FROM portal_session WHERE created_at <= ?1)",
        params![oldest],
    )?;
    transaction.execute(
        "DELETE FROM portal_session WHERE created_at <= ?1",
        params![oldest],
    )?;
    Ok(())
}

/// Writes down when each session was last seen, if that was after `since` (microseconds).
pub(in crate::control) fn flush(
    sessions: &Sessions,
    since: i64,
    transaction: &Transaction<'_>,
) -> Result<(), StoreError> {
    let mut statement =
        transaction.prepare("UPDATE portal_session SET last_seen_at = ?2 WHERE digest = ?1")?;
    for (digest, session) in sessions.iter() {
        let seen = session.last_seen.load(Ordering::Relaxed);
        if seen >= since {
            statement.execute(params![digest, seen])?;
        }
    }
    Ok(())
}
