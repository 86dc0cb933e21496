//! The outbox in a SQLite database, through rusqlite.

#[cfg(relay)]
mod store;

#[cfg(relay)]
pub(crate) use store::SqliteStore;

use std::sync::Arc;
use std::time::Instant;

use annals_event::Timestamp;
use rusqlite::{Connection, Row, params};

use super::bound::{Estimate, count_limit};
use super::{Bound, Insertion, Item, ItemKind, OutboxError, Parked, Queued, Recorded, WhenFull};
use crate::SQLITE_MIGRATIONS;
use crate::event::NewEvent;
use crate::organization::Organization;

/// The outbox of an application that keeps its data in SQLite.
///
/// Every method works on the caller's own connection, inside the caller's own transaction: what it writes is committed or rolled back
/// with the change that it tells of. Make one and clone it; clones share what they know of the outbox's size.
#[derive(Clone, Debug)]
pub struct SqliteOutbox {
    bound: Bound,
    estimate: Arc<Estimate>,
}

impl Default for SqliteOutbox {
    fn default() -> Self {
        Self::new(Bound::default())
    }
}

impl SqliteOutbox {
    /// An outbox with this bound.
    pub fn new(bound: Bound) -> Self {
        Self {
            bound,
            estimate: Arc::new(Estimate::new()),
        }
    }

    /// Makes the tables, where they are missing. Your own migration tool may run [`SQLITE_MIGRATIONS`] instead.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn migrate(connection: &Connection) -> Result<(), OutboxError> {
        for migration in SQLITE_MIGRATIONS {
            connection.execute_batch(migration)?;
        }
        Ok(())
    }

    /// Records an event of one workspace. `transaction` is the one that makes the change.
    ///
    /// # Errors
    /// [`OutboxError::Event`] names what Annals would refuse; [`OutboxError::Full`] says that a strict outbox is full; else the
    /// database refused. Roll back after any of them.
    pub fn record(
        &self,
        transaction: &Connection,
        workspace: &str,
        event: impl Into<NewEvent>,
    ) -> Result<Recorded, OutboxError> {
        self.record_for(transaction, [workspace], event)
    }

    /// Records one event in the logs of several workspaces, under one id: what happens to an account is told to every workspace that
    /// it belongs to.
    ///
    /// # Errors
    /// As [`SqliteOutbox::record`].
    pub fn record_for<W: AsRef<str>>(
        &self,
        transaction: &Connection,
        workspaces: impl IntoIterator<Item = W>,
        event: impl Into<NewEvent>,
    ) -> Result<Recorded, OutboxError> {
        let items = Item::events(workspaces, event.into())?;
        let Some(first) = items.first() else {
            return Ok(Recorded::Queued { id: String::new() });
        };
        if let Some(waiting) = self.estimate.full(Instant::now()) {
            return self.refuse(transaction, &items, waiting);
        }
        let queued = Recorded::Queued {
            id: first.event_id.clone(),
        };
        let mut seqs = Vec::with_capacity(items.len());
        for item in &items {
            seqs.push(insert(transaction, item)?);
        }
        let last = seqs.last().copied().unwrap_or(0);
        if self.estimate.fits(last) {
            return Ok(queued);
        }
        let begun = Instant::now();
        let waiting = count(transaction, last, self.bound.rows)?;
        let counted = (begun, begun.elapsed());
        let rows = items.len() as u64;
        if self
            .estimate
            .counted(last, waiting, rows, self.bound.rows, counted)
        {
            return Ok(queued);
        }
        // What was written goes again, so that a caller who commits after the error has not exceeded the bound.
        for seq in seqs {
            transaction
                .prepare_cached("delete from annals_outbox where seq = ?1")?
                .execute([seq])?;
        }
        self.refuse(transaction, &items, waiting - rows)
    }

    /// What a full outbox, in which `waiting` rows are, does with events.
    fn refuse(
        &self,
        transaction: &Connection,
        items: &[Item],
        waiting: u64,
    ) -> Result<Recorded, OutboxError> {
        if self.bound.when_full == WhenFull::Strict {
            return Err(OutboxError::Full {
                waiting,
                bound: self.bound.rows,
            });
        }
        for item in items {
            transaction
                .prepare_cached(
                    "insert into annals_outbox_gap (workspace, dropped, first_at, last_at) values (?1, 1, ?2, ?2)
                     on conflict (workspace) do update set dropped = dropped + 1, last_at = ?2",
                )?
                .execute(params![item.workspace, item.recorded_at.as_micros()])?;
        }
        Ok(Recorded::Dropped)
    }

    /// Ensures that Annals knows a workspace before it gets the workspace's events: call it in the transaction that makes the
    /// workspace. Doing it again does no harm. It never counts against the bound.
    ///
    /// # Errors
    /// [`OutboxError::Workspace`] where no workspace has such an id, [`OutboxError::Name`] where none has such a name; else the
    /// database refused.
    pub fn ensure_organization(
        &self,
        transaction: &Connection,
        workspace: &str,
        name: &str,
    ) -> Result<(), OutboxError> {
        self.ensure(transaction, &Organization::new(workspace, name))
    }

    /// As [`SqliteOutbox::ensure_organization`], with what else Annals is to know of the workspace.
    ///
    /// # Errors
    /// As [`SqliteOutbox::ensure_organization`].
    pub fn ensure(
        &self,
        transaction: &Connection,
        organization: &Organization,
    ) -> Result<(), OutboxError> {
        insert(transaction, &Item::organization(organization)?)?;
        Ok(())
    }

    /// What Annals refused and what is therefore put aside, oldest first.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn parked(&self, connection: &Connection, limit: u32) -> Result<Vec<Parked>, OutboxError> {
        let mut statement = connection.prepare_cached(
            "select seq, kind, workspace, event_id, recorded_at, body, parked_at, reason
             from annals_outbox_parked order by seq limit ?1",
        )?;
        let rows = statement.query_map([limit], |row| {
            Ok(Parked {
                item: queued(row)?,
                parked_at: Timestamp::clamped(row.get(6)?),
                reason: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Sends a parked row again, before everything that waits. `false` if there is none of this number.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn retry_parked(&self, transaction: &Connection, seq: i64) -> Result<bool, OutboxError> {
        let moved = transaction.execute(
            "insert into annals_outbox (seq, workspace, kind, event_id, recorded_at, body)
             select seq, workspace, kind, event_id, recorded_at, body from annals_outbox_parked where seq = ?1",
            [seq],
        )?;
        self.discard_parked(transaction, seq)?;
        Ok(moved > 0)
    }

    /// Sends all parked rows again, before everything that waits, and gives their number: after the cause is mended, which is
    /// often the same for all of them.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn retry_all_parked(&self, transaction: &Connection) -> Result<u64, OutboxError> {
        let moved = transaction.execute(
            "insert into annals_outbox (seq, workspace, kind, event_id, recorded_at, body)
             select seq, workspace, kind, event_id, recorded_at, body from annals_outbox_parked",
            [],
        )?;
        transaction.execute("delete from annals_outbox_parked", [])?;
        Ok(moved as u64)
    }

    /// Gives up a parked row: its event will never be in the log. `false` if there is none of this number.
    ///
    /// # Errors
    /// Where the database refuses.
    pub fn discard_parked(&self, transaction: &Connection, seq: i64) -> Result<bool, OutboxError> {
        let gone = transaction.execute("delete from annals_outbox_parked where seq = ?1", [seq])?;
        Ok(gone > 0)
    }
}

fn insert(connection: &Connection, item: &Item) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(Insertion::SQLITE)?
        .insert(params![
            item.workspace,
            item.kind.as_i16(),
            item.event_id,
            item.recorded_at.as_micros(),
            item.body,
        ])
}

/// How many rows wait, `last` being the newest: not more than there are numbers from the oldest on. Only if these are too many the
/// rows are counted, up to some more than `bound`.
fn count(connection: &Connection, last: i64, bound: u64) -> rusqlite::Result<u64> {
    let oldest: i64 = connection
        .prepare_cached("select coalesce(min(seq), 0) from annals_outbox")?
        .query_row([], |row| row.get(0))?;
    let span = last.abs_diff(oldest) + 1;
    if span <= bound {
        return Ok(span);
    }
    let counted: i64 = connection
        .prepare_cached("select count(*) from (select 1 from annals_outbox limit ?1)")?
        .query_row([count_limit(bound)], |row| row.get(0))?;
    Ok(u64::try_from(counted).unwrap_or(0))
}

/// A row whose first columns are those of [`Queued`].
fn queued(row: &Row<'_>) -> rusqlite::Result<Queued> {
    Ok(Queued {
        seq: row.get(0)?,
        kind: ItemKind::from_i16(row.get(1)?),
        workspace: row.get(2)?,
        event_id: row.get(3)?,
        recorded_at: Timestamp::clamped(row.get(4)?),
        body: row.get(5)?,
    })
}
