//! The outbox in a PostgreSQL database, through tokio-postgres or sqlx.

mod connection;
#[cfg(relay)]
mod store;

pub use connection::PostgresConnection;

#[cfg(relay)]
pub(crate) use store::PostgresStore;

use std::sync::Arc;
use std::time::Instant;

use annals_event::Timestamp;
use tokio_postgres::{GenericClient, Row};

use super::bound::{Estimate, count_limit};
use super::{Bound, Item, ItemKind, OutboxError, Parked, Queued, Recorded, WhenFull};
use crate::POSTGRES_MIGRATIONS;
use crate::event::NewEvent;
use crate::organization::Organization;
use connection::Value;

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
select workspace, $2, $3, $4, $5 from unnest($1) with ordinality as w (workspace, n) order by n
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
        transaction: impl PostgresConnection,
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
        mut transaction: impl PostgresConnection,
        workspaces: impl IntoIterator<Item = W>,
        event: impl Into<NewEvent>,
    ) -> Result<Recorded, OutboxError> {
        let items = Item::events(workspaces, event.into())?;
        let Some(first) = items.first() else {
            return Ok(Recorded::Queued { id: String::new() });
        };
        if let Some(waiting) = self.estimate.full(Instant::now()) {
            return self.refuse(&mut transaction, &items, waiting).await;
        }
        let queued = Recorded::Queued {
            id: first.event_id.clone(),
        };
        let seqs = insert(&mut transaction, &items).await?;
        let last = seqs.iter().copied().max().unwrap_or(0);
        if self.estimate.fits(last) {
            return Ok(queued);
        }
        let begun = Instant::now();
        let waiting = count(&mut transaction, last, self.bound.rows).await?;
        let counted = (begun, begun.elapsed());
        let rows = items.len() as u64;
        if self
            .estimate
            .counted(last, waiting, rows, self.bound.rows, counted)
        {
            return Ok(queued);
        }
        // What was written goes again, so that a caller who commits after the error has not exceeded the bound.
        transaction
            .numbers(
                "delete from annals_outbox where seq = any($1)",
                &[Value::Numbers(&seqs)],
            )
            .await?;
        self.refuse(&mut transaction, &items, waiting - rows).await
    }

    /// What a full outbox, in which `waiting` rows are, does with events.
    async fn refuse(
        &self,
        transaction: &mut impl PostgresConnection,
        items: &[Item],
        waiting: u64,
    ) -> Result<Recorded, OutboxError> {
        if self.bound.when_full == WhenFull::Strict {
            return Err(OutboxError::Full {
                waiting,
                bound: self.bound.rows,
            });
        }
        // In the order of their ids, so that two transactions never wait for each other crosswise.
        let mut workspaces: Vec<&str> = items.iter().map(|item| item.workspace.as_str()).collect();
        workspaces.sort_unstable();
        workspaces.dedup();
        let at = items.first().map_or(0, |item| item.recorded_at.as_micros());
        transaction
            .numbers(
                "insert into annals_outbox_gap as gap (workspace, dropped, first_at, last_at)
                 select workspace, 1, $2, $2 from unnest($1) as w (workspace) order by workspace
                 on conflict (workspace) do update set dropped = gap.dropped + 1, last_at = excluded.last_at",
                &[Value::Texts(&workspaces), Value::Number(at)],
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
        transaction: impl PostgresConnection,
        workspace: &str,
        name: &str,
    ) -> Result<(), OutboxError> {
        self.ensure(transaction, &Organization::new(workspace, name))
            .await
    }

    /// As [`PostgresOutbox::ensure_organization`], with what else Annals is to know of the workspace.
    ///
    /// # Errors
    /// As [`PostgresOutbox::ensure_organization`].
    pub async fn ensure(
        &self,
        mut transaction: impl PostgresConnection,
        organization: &Organization,
    ) -> Result<(), OutboxError> {
        insert(&mut transaction, &[Item::organization(organization)?]).await?;
        Ok(())
    }

    /// What Annals refused and what is therefore put aside, oldest first.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn parked(
        &self,
        mut connection: impl PostgresConnection,
        limit: u32,
    ) -> Result<Vec<Parked>, OutboxError> {
        connection
            .parked(
                "select seq, kind, workspace, event_id, recorded_at, body, parked_at, reason
                 from annals_outbox_parked order by seq limit $1",
                i64::from(limit),
            )
            .await
    }

    /// Sends a parked row again, before everything that waits. `false` if there is none of this number.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn retry_parked(
        &self,
        mut transaction: impl PostgresConnection,
        seq: i64,
    ) -> Result<bool, OutboxError> {
        let moved = transaction
            .numbers(
                "with gone as (delete from annals_outbox_parked where seq = $1 returning *)
                 insert into annals_outbox (seq, workspace, kind, event_id, recorded_at, body)
                 select seq, workspace, kind, event_id, recorded_at, body from gone returning seq",
                &[Value::Number(seq)],
            )
            .await?;
        Ok(!moved.is_empty())
    }

    /// Sends all parked rows again, before everything that waits, and gives their number: after the cause is mended, which is
    /// often the same for all of them.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn retry_all_parked(
        &self,
        mut transaction: impl PostgresConnection,
    ) -> Result<u64, OutboxError> {
        let moved = transaction
            .numbers(
                "with gone as (delete from annals_outbox_parked returning *),
                 moved as (insert into annals_outbox (seq, workspace, kind, event_id, recorded_at, body)
                   select seq, workspace, kind, event_id, recorded_at, body from gone returning 1)
                 select count(*) from moved",
                &[],
            )
            .await?;
        Ok(moved.first().map_or(0, |&n| u64::try_from(n).unwrap_or(0)))
    }

    /// Gives up a parked row: its event will never be in the log. `false` if there is none of this number.
    ///
    /// # Errors
    /// Where the database refuses.
    pub async fn discard_parked(
        &self,
        mut transaction: impl PostgresConnection,
        seq: i64,
    ) -> Result<bool, OutboxError> {
        let gone = transaction
            .numbers(
                "delete from annals_outbox_parked where seq = $1 returning seq",
                &[Value::Number(seq)],
            )
            .await?;
        Ok(!gone.is_empty())
    }
}

/// Writes rows that differ in their workspace alone, and gives their numbers.
async fn insert(
    connection: &mut impl PostgresConnection,
    items: &[Item],
) -> Result<Vec<i64>, OutboxError> {
    let Some(first) = items.first() else {
        return Ok(Vec::new());
    };
    let workspaces: Vec<&str> = items.iter().map(|item| item.workspace.as_str()).collect();
    connection
        .numbers(
            INSERT,
            &[
                Value::Texts(&workspaces),
                Value::Kind(first.kind.as_i16()),
                Value::Text(&first.event_id),
                Value::Number(first.recorded_at.as_micros()),
                Value::Text(&first.body),
            ],
        )
        .await
}

/// How many rows wait, `last` being the newest: not more than there are numbers from the oldest on. Only if these are too many the
/// rows are counted, up to some more than `bound`.
async fn count(
    connection: &mut impl PostgresConnection,
    last: i64,
    bound: u64,
) -> Result<u64, OutboxError> {
    let number = |rows: Vec<i64>| rows.first().copied().unwrap_or(0);
    let oldest = "select coalesce(min(seq), 0) from annals_outbox";
    let span = last.abs_diff(number(connection.numbers(oldest, &[]).await?)) + 1;
    if span <= bound {
        return Ok(span);
    }
    let count = "select count(*) from (select 1 from annals_outbox limit $1) as waiting";
    let limit = Value::Number(count_limit(bound));
    let counted = number(connection.numbers(count, &[limit]).await?);
    Ok(u64::try_from(counted).unwrap_or(0))
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
