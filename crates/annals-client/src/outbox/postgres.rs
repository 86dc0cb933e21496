//! The outbox in a PostgreSQL database, through tokio-postgres.

#[cfg(relay)]
mod store;

#[cfg(relay)]
pub(crate) use store::PostgresStore;

use std::sync::Arc;

use annals_event::Timestamp;
use tokio_postgres::{GenericClient, Row};

use super::bound::Estimate;
use super::{Bound, Item, ItemKind, OutboxError, Parked, Queued, Recorded, WhenFull};
use crate::POSTGRES_MIGRATIONS;
use crate::event::NewEvent;

/// The outbox of an application that keeps its data in PostgreSQL.
///
/// Every method works on the caller's own connection, inside the caller's own transaction: what it writes is committed or rolled back
/// with the change that it tells of. Make one and clone it; clones share what they know of the outbox's size. One statement is one
/// round trip; nothing is locked that two transactions share.
#[derive(Clone, Debug)]
pub struct PostgresOutbox {
    bound: Bound,
    estimate: Arc<Estimate>,
}

/// All rows of one recording in one statement.
const INSERT: &str = "
insert into annals_outbox (workspace, kind, event_id, recorded_at, body)
select workspace, $2, $3, $4, $5 from unnest($1::text[]) with ordinality as w (workspace, n) order by n
returning seq";

impl Default for PostgresOutbox {
    fn default() -> Self {
        Self::new(Bound::default())
    }
}

impl PostgresOutbox {
    /// An outbox with this bound.
    pub fn new(bound: Bound) -> Self {
        Self {
            bound,
            estimate: Arc::new(Estimate::new()),
        }
    }

    /// Makes the tables, where they are missing. Your own migration tool may run [`POSTGRES_MIGRATIONS`] instead.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn migrate(client: &impl GenericClient) -> Result<(), OutboxError> {
        for migration in POSTGRES_MIGRATIONS {
            client.batch_execute(migration).await?;
        }
        Ok(())
    }

    /// Records an event of one workspace. `transaction` is the one that makes the change.
    ///
    /// # Errors
    /// [`OutboxError::Event`] names what Annals would refuse; [`OutboxError::Full`] says that a strict outbox is full; else the
    /// database refused. Roll back after any of them.
    pub async fn record(
        &self,
        transaction: &impl GenericClient,
        workspace: &str,
        event: impl Into<NewEvent>,
    ) -> Result<Recorded, OutboxError> {
        self.record_for(transaction, [workspace], event).await
    }

    /// Records one event in the logs of several workspaces, under one id: what happens to an account is told to every workspace that
    /// it belongs to.
    ///
    /// # Errors
    /// As [`PostgresOutbox::record`].
    pub async fn record_for<W: AsRef<str>>(
        &self,
        transaction: &impl GenericClient,
        workspaces: impl IntoIterator<Item = W>,
        event: impl Into<NewEvent>,
    ) -> Result<Recorded, OutboxError> {
        let items = Item::events(workspaces, event.into())?;
        let Some(first) = items.first() else {
            return Ok(Recorded::Queued { id: String::new() });
        };
        let queued = Recorded::Queued {
            id: first.event_id.clone(),
        };
        let seqs = insert(transaction, &items).await?;
        let last = seqs.iter().copied().max().unwrap_or(0);
        if self.estimate.fits(last) {
            return Ok(queued);
        }
        let waiting = count(transaction, self.bound.rows).await?;
        if self.estimate.counted(last, waiting, self.bound.rows) {
            return Ok(queued);
        }
        // What was written goes again, so that a caller who commits after the error has not exceeded the bound.
        transaction
            .execute("delete from annals_outbox where seq = any($1)", &[&seqs])
            .await?;
        if self.bound.when_full == WhenFull::Strict {
            return Err(OutboxError::Full {
                waiting: waiting.saturating_sub(items.len() as u64),
                bound: self.bound.rows,
            });
        }
        // In the order of their ids, so that two transactions never wait for each other crosswise.
        let mut workspaces: Vec<&str> = items.iter().map(|item| item.workspace.as_str()).collect();
        workspaces.sort_unstable();
        workspaces.dedup();
        transaction
            .execute(
                "insert into annals_outbox_gap as gap (workspace, dropped, first_at, last_at)
                 select workspace, 1, $2, $2 from unnest($1::text[]) as w (workspace) order by workspace
                 on conflict (workspace) do update set dropped = gap.dropped + 1, last_at = excluded.last_at",
                &[&workspaces, &first.recorded_at.as_micros()],
            )
            .await?;
        Ok(Recorded::Dropped)
    }

    /// Ensures that Annals knows a workspace before it gets the workspace's events: call it in the transaction that makes the
    /// workspace. Doing it again does no harm. It never counts against the bound.
    ///
    /// # Errors
    /// [`OutboxError::Workspace`] where no workspace has such an id, [`OutboxError::Name`] where none has such a name; else the
    /// database refused.
    pub async fn ensure_organization(
        &self,
        transaction: &impl GenericClient,
        workspace: &str,
        name: &str,
    ) -> Result<(), OutboxError> {
        insert(transaction, &[Item::organization(workspace, name)?]).await?;
        Ok(())
    }

    /// What Annals refused and what is therefore put aside, oldest first.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn parked(
        &self,
        client: &impl GenericClient,
        limit: u32,
    ) -> Result<Vec<Parked>, OutboxError> {
        let rows = client
            .query(
                "select seq, kind, workspace, event_id, recorded_at, body, parked_at, reason
                 from annals_outbox_parked order by seq limit $1",
                &[&i64::from(limit)],
            )
            .await?;
        let parked = |row: &Row| {
            Ok(Parked {
                item: queued(row)?,
                parked_at: Timestamp::clamped(row.try_get(6)?),
                reason: row.try_get(7)?,
            })
        };
        rows.iter().map(parked).collect()
    }

    /// Sends a parked row again, before everything that waits. `false` if there is none of this number.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn retry_parked(
        &self,
        transaction: &impl GenericClient,
        seq: i64,
    ) -> Result<bool, OutboxError> {
        let moved = transaction
            .execute(
                "with gone as (delete from annals_outbox_parked where seq = $1 returning *)
                 insert into annals_outbox (seq, workspace, kind, event_id, recorded_at, body)
                 select seq, workspace, kind, event_id, recorded_at, body from gone",
                &[&seq],
            )
            .await?;
        Ok(moved > 0)
    }

    /// Gives up a parked row: its event will never be in the log. `false` if there is none of this number.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn discard_parked(
        &self,
        transaction: &impl GenericClient,
        seq: i64,
    ) -> Result<bool, OutboxError> {
        let gone = transaction
            .execute("delete from annals_outbox_parked where seq = $1", &[&seq])
            .await?;
        Ok(gone > 0)
    }
}

/// Writes rows that differ in their workspace alone, and gives their numbers.
async fn insert(
    client: &impl GenericClient,
    items: &[Item],
) -> Result<Vec<i64>, tokio_postgres::Error> {
    let Some(first) = items.first() else {
        return Ok(Vec::new());
    };
    let workspaces: Vec<&str> = items.iter().map(|item| item.workspace.as_str()).collect();
    let recorded_at = first.recorded_at.as_micros();
    let kind = first.kind.as_i16();
    let rows = client
        .query_typed(
            INSERT,
            &[
                (&workspaces, tokio_postgres::types::Type::TEXT_ARRAY),
                (&kind, tokio_postgres::types::Type::INT2),
                (&first.event_id, tokio_postgres::types::Type::TEXT),
                (&recorded_at, tokio_postgres::types::Type::INT8),
                (&first.body, tokio_postgres::types::Type::TEXT),
            ],
        )
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// How many rows wait, counted up to some more than `bound`.
async fn count(client: &impl GenericClient, bound: u64) -> Result<u64, tokio_postgres::Error> {
    let limit = i64::try_from(bound)
        .unwrap_or(i64::MAX)
        .saturating_add(100_000);
    let row = client
        .query_one(
            "select count(*) from (select 1 from annals_outbox limit $1) as waiting",
            &[&limit],
        )
        .await?;
    Ok(u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0))
}

/// A row whose first columns are those of [`Queued`].
fn queued(row: &Row) -> Result<Queued, tokio_postgres::Error> {
    Ok(Queued {
        seq: row.try_get(0)?,
        kind: ItemKind::from_i16(row.try_get(1)?),
        workspace: row.try_get(2)?,
        event_id: row.try_get(3)?,
        recorded_at: Timestamp::clamped(row.try_get(4)?),
        body: row.try_get(5)?,
    })
}
