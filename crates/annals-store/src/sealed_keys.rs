//! The idempotency keys of groups that are sealed: one blob for each time of sealing, dropped whole.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::StoreError;
use crate::journal::{Input, KeyUse, Malformed, put_number};
use crate::recent::damaged;

/// The keys of one group.
#[derive(Clone)]
pub(crate) struct OfGroup {
    pub(crate) group: u32,
    pub(crate) uptime: u64,
    pub(crate) keys: Vec<KeyUse>,
}

fn encode(groups: &[OfGroup]) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, groups.len() as u64);
    for of_group in groups {
        put_number(&mut out, u64::from(of_group.group));
        put_number(&mut out, of_group.uptime);
        put_number(&mut out, of_group.keys.len() as u64);
        for used in &of_group.keys {
            put_number(&mut out, u64::from(used.slot));
            out.extend_from_slice(&used.key);
            out.extend_from_slice(&used.body);
            put_number(&mut out, used.first);
            put_number(&mut out, u64::from(used.count));
        }
    }
    out
}

fn decode(bytes: &[u8]) -> Result<Vec<OfGroup>, Malformed> {
    let mut input = Input::new(bytes);
    let mut groups = Vec::new();
    for _ in 0..input.count(3)? {
        let (group, uptime) = (input.small()?, input.number()?);
        let mut keys = Vec::new();
        for _ in 0..input.count(35)? {
            keys.push(KeyUse {
                slot: input.small()?,
                key: input.array()?,
                body: input.array()?,
                first: input.number()?,
                count: input.small()?,
            });
        }
        groups.push(OfGroup {
            group,
            uptime,
            keys,
        });
    }
    match input.is_empty() {
        true => Ok(groups),
        false => Err(Malformed("bytes follow the keys")),
    }
}

/// Keeps the keys of the groups up to `last_group`, and forgets those whose time is over.
pub(crate) fn keep(
    connection: &Connection,
    last_group: u32,
    groups: &[OfGroup],
    forget_before: u64,
) -> Result<(), rusqlite::Error> {
    if let Some(uptime) = groups.iter().map(|of_group| of_group.uptime).max() {
        connection
            .prepare_cached("insert into sealed_keys (last_group, uptime, body) values (?, ?, ?)")?
            .execute(params![last_group, uptime, encode(groups)])?;
    }
    connection
        .prepare_cached("delete from sealed_keys where uptime < ?")?
        .execute([forget_before])?;
    Ok(())
}

/// The keys that were used in a sealed group, as far as they are still known.
pub(crate) fn of_group(connection: &Connection, group: u32) -> Result<Vec<KeyUse>, StoreError> {
    let body: Option<Vec<u8>> = connection
        .prepare_cached(
            "select body from sealed_keys where last_group >= ? order by last_group limit 1",
        )?
        .query_row([group], |row| row.get(0))
        .optional()?;
    let groups = decode(&body.unwrap_or_else(|| vec![0]))
        .map_err(|malformed| damaged(group, 0, 0, malformed.0))?;
    let found = groups.into_iter().find(|known| known.group == group);
    Ok(found.map_or_else(Vec::new, |known| known.keys))
}

/// All that is kept, by rising group.
pub(crate) fn all(connection: &Connection) -> Result<Vec<OfGroup>, StoreError> {
    let mut read = connection.prepare("select last_group, body from sealed_keys order by 1")?;
    let mut rows = read.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(1)?;
        let groups = decode(&bytes)
            .map_err(|malformed| damaged(row.get(0).unwrap_or_default(), 0, 0, malformed.0))?;
        all.extend(groups);
    }
    Ok(all)
}
