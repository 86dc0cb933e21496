//! Links in their table.

use std::sync::Arc;

use annals_event::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::{Link, Links, NewLink, forgotten_before};
use crate::StoreError;
use crate::control::{damaged, to_text};

pub(in crate::control) fn load(
    connection: &Connection,
    now: Timestamp,
) -> Result<Links, StoreError> {
    let mut links = Links::default();
    let mut statement = connection.prepare(
        "SELECT digest, id, terms, created_at, expires_at, used_at FROM portal_link
         WHERE expires_at > ?1",
    )?;
    let mut rows = statement.query(params![forgotten_before(now)])?;
    while let Some(row) = rows.next()? {
        let id: String = row.get(1)?;
        let terms: String = row.get(2)?;
        let terms: NewLink =
            serde_json::from_str(&terms).map_err(|_| damaged("portal_link", &id))?;
        let link = Link {
            id,
            terms,
            created_at: Timestamp::clamped(row.get(3)?),
            expires_at: Timestamp::clamped(row.get(4)?),
            used_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::clamped),
        };
        links.put(row.get(0)?, Arc::new(link));
    }
    Ok(links)
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    digest: &[u8; 32],
    link: &Link,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO portal_link (digest, id, terms, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            digest,
            link.id,
            to_text(&link.terms),
            link.created_at.as_micros(),
            link.expires_at.as_micros(),
        ],
    )?;
    Ok(())
}

pub(super) fn set_used(
    transaction: &Transaction<'_>,
    digest: &[u8; 32],
    used_at: Timestamp,
) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE portal_link SET used_at = ?2 WHERE digest = ?1",
        params![digest, used_at.as_micros()],
    )?;
    Ok(())
}

/// Deletes the rows of links that are forgotten.
pub(super) fn prune(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    let before = forgotten_before(now);
    transaction.execute(
        "DELETE FROM portal_link WHERE expires_at <= ?1",
        params![before],
    )?;
    Ok(())
}
