//! Keys in their table.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use annals_event::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::{Key, Keys, Reach, Scopes};
use crate::StoreError;
use crate::control::{damaged, to_text};

pub(in crate::control) fn load(connection: &Connection) -> Result<Keys, StoreError> {
    let mut keys = Keys::default();
    let mut statement = connection.prepare(
        "SELECT id, digest, name, scopes, organizations, created_at, revoked_at, last_used_at
         FROM api_key ORDER BY sequence",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: String = row.get(0)?;
        let scopes: String = row.get(3)?;
        let scopes =
            Scopes::parse(scopes.split_whitespace()).map_err(|_| damaged("api_key", &id))?;
        let organizations = match row.get::<_, Option<String>>(4)? {
            None => Reach::All,
            Some(text) => {
                let ids: BTreeSet<String> =
                    serde_json::from_str(&text).map_err(|_| damaged("api_key", &id))?;
                Reach::Only(ids)
            }
        };
        let key = Key {
            name: row.get(2)?,
            scopes,
            organizations,
            created_at: Timestamp::clamped(row.get(5)?),
            revoked_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::clamped),
            last_used: Arc::new(AtomicI64::new(
                row.get::<_, Option<i64>>(7)?.unwrap_or(i64::MIN),
            )),
            id,
        };
        keys.add(row.get(1)?, Arc::new(key));
    }
    Ok(keys)
}

pub(super) fn insert(
    transaction: &Transaction<'_>,
    digest: &[u8; 32],
    key: &Key,
) -> rusqlite::Result<()> {
    let organizations = match &key.organizations {
        Reach::All => None,
        Reach::Only(ids) => Some(to_text(ids)),
    };
    transaction.execute(
        "INSERT INTO api_key (id, digest, name, scopes, organizations, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            key.id,
            digest,
            key.name,
            key.scopes.names().join(" "),
            organizations,
            key.created_at.as_micros(),
        ],
    )?;
    Ok(())
}

pub(super) fn revoke(
    transaction: &Transaction<'_>,
    id: &str,
    at: Timestamp,
) -> rusqlite::Result<()> {
    transaction.execute(
        "UPDATE api_key SET revoked_at = ?2 WHERE id = ?1",
        params![id, at.as_micros()],
    )?;
    Ok(())
}

/// Writes down the last use of every key that was used after `since` (microseconds).
pub(in crate::control) fn flush(
    keys: &Keys,
    since: i64,
    transaction: &Transaction<'_>,
) -> Result<(), StoreError> {
    let mut statement =
        transaction.prepare("UPDATE api_key SET last_used_at = ?2 WHERE id = ?1")?;
    for key in keys.iter() {
        let used = key.last_used.load(Ordering::Relaxed);
        if used >= since {
            statement.execute(params![key.id, used])?;
        }
    }
    Ok(())
}
