//! What the relay does with the tables.

use std::time::Duration;

use annals_event::Timestamp;
use tokio_postgres::{Client, Error};

use super::{insert, queued};
use crate::outbox::{Gap, Item, OutboxError, Queued};
use crate::relay::{Settlement, Waiting};

/// Bytes of rows that are in memory at once: several requests, whatever the size of their events.
const WINDOW_BYTES: i64 = 32 << 20;

/// The relay's own connection to the database of the application.
pub(crate) struct PostgresStore {
    client: Client,
}

impl PostgresStore {
    pub(crate) fn new(client: Client) -> Self {
        Self { client }
    }

    /// Takes or keeps the lead for `lease`, by the database's clock; `false` if another relay has it.
    pub(crate) async fn lead(&mut self, holder: &str, lease: Duration) -> Result<bool, Error> {
        // A lease that reaches much further than one was given by a clock that has been set back since; nobody must wait for it.
        let taken = self
            .client
            .execute(
                "update annals_outbox_lead set holder = $1, until = clock_timestamp() + make_interval(secs => $2)
                 where one = 1 and (holder = $1 or until < clock_timestamp()
                   or until > clock_timestamp() + 10 * make_interval(secs => $2))",
                &[&holder, &lease.as_secs_f64()],
            )
            .await?;
        Ok(taken > 0)
    }

    /// Gives the lead away, so that another relay need not wait.
    pub(crate) async fn resign(&mut self, holder: &str) -> Result<(), Error> {
        self.client
            .execute(
                "update annals_outbox_lead set until = 'epoch' where holder = $1",
                &[&holder],
            )
            .await?;
        Ok(())
    }

    /// The oldest rows of workspaces that are not held, in order, and not many more than [`WINDOW_BYTES`]: organizations, then events from
    /// a number on. With them the number below which there are no other events.
    pub(crate) async fn fetch(
        &mut self,
        held: &[String],
        from: i64,
        limit: usize,
    ) -> Result<(Vec<Queued>, i64), Error> {
        let end = "select coalesce(max(seq), 0) + 1 from annals_outbox";
        let end: i64 = self.client.query_one(end, &[]).await?.try_get(0)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let organizations = self
            .client
            .query(
                "select seq, kind, workspace, event_id, recorded_at, body from annals_outbox
                 where kind = 0 and workspace <> all($1) order by seq limit $2",
                &[&held, &limit],
            )
            .await?;
        let events = self
            .client
            .query(
                "select seq, kind, workspace, event_id, recorded_at, body from (
                   select *, sum(octet_length(body)) over (order by seq rows unbounded preceding) - octet_length(body) as before
                   from (select * from annals_outbox where kind = 1 and seq >= $2 and workspace <> all($1) order by seq limit $3) as oldest
                 ) as summed where before < $4 order by seq",
                &[&held, &from, &limit, &WINDOW_BYTES],
            )
            .await?;
        let below = events.first().map_or(Ok(end), |row| row.try_get(0))?;
        let rows: Result<_, _> = organizations.iter().chain(&events).map(queued).collect();
        Ok((rows?, below))
    }

    /// Takes delivered rows out and puts refused ones aside, at once. COMMIT POINT of a delivery: until then it will be repeated.
    pub(crate) async fn settle(
        &mut self,
        now: Timestamp,
        settlement: &Settlement,
    ) -> Result<(), Error> {
        let transaction = self.client.transaction().await?;
        for (seq, reason) in &settlement.parked {
            transaction
                .execute(
                    "insert into annals_outbox_parked (seq, workspace, kind, event_id, recorded_at, body, parked_at, reason)
                     select seq, workspace, kind, event_id, recorded_at, body, $2, $3 from annals_outbox where seq = $1
                     on conflict do nothing",
                    &[seq, &now.as_micros(), reason],
                )
                .await?;
        }
        let gone = settlement.gone();
        transaction
            .execute("delete from annals_outbox where seq = any($1)", &[&gone])
            .await?;
        for (workspace, kept) in &settlement.checkpoints {
            transaction
                .execute(
                    "insert into annals_outbox_checkpoint (workspace, kept) values ($1, $2)
                     on conflict (workspace) do update set kept = excluded.kept",
                    &[workspace, kept],
                )
                .await?;
        }
        transaction.commit().await
    }

    /// The checkpoint that was kept of a workspace's log.
    pub(crate) async fn kept(&mut self, workspace: &str) -> Result<Option<String>, Error> {
        let row = self
            .client
            .query_opt(
                "select kept from annals_outbox_checkpoint where workspace = $1",
                &[&workspace],
            )
            .await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    /// Gaps that have not been told.
    pub(crate) async fn gaps(&mut self) -> Result<Vec<Gap>, Error> {
        let rows = self
            .client
            .query(
                "select workspace, dropped, first_at, last_at from annals_outbox_gap limit 1000",
                &[],
            )
            .await?;
        let gap = |row: &tokio_postgres::Row| {
            Ok(Gap {
                workspace: row.try_get(0)?,
                dropped: row.try_get(1)?,
                first_at: Timestamp::clamped(row.try_get(2)?),
                last_at: Timestamp::clamped(row.try_get(3)?),
            })
        };
        rows.iter().map(gap).collect()
    }

    /// Writes the event that tells of a gap, and takes exactly that gap away.
    pub(crate) async fn tell_gap(&mut self, gap: &Gap, event: &Item) -> Result<(), OutboxError> {
        let transaction = self.client.transaction().await?;
        // If another event was dropped meanwhile, the gap has grown and is told whole the next time.
        let gone = transaction
            .execute(
                "delete from annals_outbox_gap where workspace = $1 and dropped = $2",
                &[&gap.workspace, &gap.dropped],
            )
            .await?;
        if gone > 0 {
            insert(&mut &transaction, std::slice::from_ref(event)).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// What waits.
    pub(crate) async fn waiting(&mut self) -> Result<Waiting, Error> {
        let row = self
            .client
            .query_one(
                "select (select count(*) from annals_outbox), (select recorded_at from annals_outbox order by seq limit 1),
                        (select count(*) from annals_outbox_parked)",
                &[],
            )
            .await?;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        Ok(Waiting {
            backlog: count(row.try_get(0)?),
            oldest: row.try_get::<_, Option<i64>>(1)?.map(Timestamp::clamped),
            parked: count(row.try_get(2)?),
        })
    }
}
