//! What the relay does with the tables.

use std::path::Path;
use std::time::Duration;

use annals_event::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior, params};

use super::{insert, queued};
use crate::outbox::{Gap, Item, Queued};
use crate::relay::{Settlement, Waiting};

/// Bytes of rows that are in memory at once: several requests, whatever the size of their events.
const WINDOW_BYTES: usize = 32 << 20;

/// The relay's own connection to the database of the application.
pub(crate) struct SqliteStore {
    connection: Connection,
}

impl SqliteStore {
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        // A path that is wrong must not become a new database.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        Ok(Self { connection })
    }

    /// Takes or keeps the lead for `lease`; `false` if another relay has it.
    pub(crate) fn lead(
        &mut self,
        holder: &str,
        now: Timestamp,
        lease: Duration,
    ) -> rusqlite::Result<bool> {
        let until = now
            .as_micros()
            .saturating_add(i64::try_from(lease.as_micros()).unwrap_or(i64::MAX));
        // A lease that reaches much further than one was given by a clock that has been set back since; nobody must wait for it.
        let far = until.saturating_add(9 * until.saturating_sub(now.as_micros()));
        let taken = self
            .connection
            .prepare_cached(
                "update annals_outbox_lead set holder = ?1, until = ?3
                 where one = 1 and (holder = ?1 or until < ?2 or until > ?4)",
            )?
            .execute(params![holder, now.as_micros(), until, far])?;
        Ok(taken > 0)
    }

    /// Gives the lead away, so that another relay need not wait.
    pub(crate) fn resign(&mut self, holder: &str) -> rusqlite::Result<()> {
        self.connection.execute(
            "update annals_outbox_lead set until = 0 where holder = ?1",
            [holder],
        )?;
        Ok(())
    }

    /// The oldest rows of workspaces that are not held, in order, and not many more than [`WINDOW_BYTES`]: organizations, then events from
    /// a number on. With them the number below which there are no other events.
    pub(crate) fn fetch(
        &mut self,
        held: &[String],
        from: i64,
        limit: usize,
    ) -> rusqlite::Result<(Vec<Queued>, i64)> {
        let end: i64 = self
            .connection
            .prepare_cached("select coalesce(max(seq), 0) + 1 from annals_outbox")?
            .query_row([], |row| row.get(0))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let held = serde_json::to_string(held).unwrap_or_else(|_| "[]".to_owned());
        let mut organizations = self.connection.prepare_cached(
            "select seq, kind, workspace, event_id, recorded_at, body from annals_outbox
             where kind = 0 and workspace not in (select value from json_each(?1)) order by seq limit ?2",
        )?;
        let mut rows = window(organizations.query(params![held, limit])?)?;
        let mut events = self.connection.prepare_cached(
            "select seq, kind, workspace, event_id, recorded_at, body from annals_outbox
             where kind = 1 and seq >= ?3 and workspace not in (select value from json_each(?1)) order by seq limit ?2",
        )?;
        let events = window(events.query(params![held, limit, from])?)?;
        let below = events.first().map_or(end, |row| row.seq);
        rows.extend(events);
        Ok((rows, below))
    }

    /// Takes delivered rows out and puts refused ones aside, at once. COMMIT POINT of a delivery: until then it will be repeated.
    pub(crate) fn settle(
        &mut self,
        now: Timestamp,
        settlement: &Settlement,
    ) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut park = transaction.prepare_cached(
                "insert or replace into annals_outbox_parked (seq, workspace, kind, event_id, recorded_at, body, parked_at, reason)
                 select seq, workspace, kind, event_id, recorded_at, body, ?2, ?3 from annals_outbox where seq = ?1",
            )?;
            for (seq, reason) in &settlement.parked {
                park.execute(params![seq, now.as_micros(), reason])?;
            }
            let mut delete = transaction
                .prepare_cached("delete from annals_outbox where seq between ?1 and ?2")?;
            for (first, last) in settlement.runs() {
                delete.execute([first, last])?;
            }
            let mut keep = transaction.prepare_cached(
                "insert into annals_outbox_checkpoint (workspace, kept) values (?1, ?2)
                 on conflict (workspace) do update set kept = ?2",
            )?;
            for (workspace, kept) in &settlement.checkpoints {
                keep.execute([workspace, kept])?;
            }
        }
        transaction.commit()
    }

    /// The checkpoint that was kept of a workspace's log.
    pub(crate) fn kept(&mut self, workspace: &str) -> rusqlite::Result<Option<String>> {
        self.connection
            .prepare_cached("select kept from annals_outbox_checkpoint where workspace = ?1")?
            .query_row([workspace], |row| row.get(0))
            .optional()
    }

    /// Gaps that have not been told.
    pub(crate) fn gaps(&mut self) -> rusqlite::Result<Vec<Gap>> {
        let mut statement = self.connection.prepare_cached(
            "select workspace, dropped, first_at, last_at from annals_outbox_gap limit 1000",
        )?;
        statement
            .query_map([], |row| {
                Ok(Gap {
                    workspace: row.get(0)?,
                    dropped: row.get(1)?,
                    first_at: Timestamp::clamped(row.get(2)?),
                    last_at: Timestamp::clamped(row.get(3)?),
                })
            })?
            .collect()
    }

    /// Writes the event that tells of a gap, and takes exactly that gap away.
    pub(crate) fn tell_gap(&mut self, gap: &Gap, event: &Item) -> rusqlite::Result<()> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        // If another event was dropped meanwhile, the gap has grown and is told whole the next time.
        let gone = transaction.execute(
            "delete from annals_outbox_gap where workspace = ?1 and dropped = ?2",
            params![gap.workspace, gap.dropped],
        )?;
        if gone > 0 {
            insert(&transaction, event)?;
        }
        transaction.commit()
    }

    /// What waits.
    pub(crate) fn waiting(&mut self) -> rusqlite::Result<Waiting> {
        let count = |sql: &str| -> rusqlite::Result<u64> {
            let n: i64 = self
                .connection
                .prepare_cached(sql)?
                .query_row([], |row| row.get(0))?;
            Ok(u64::try_from(n).unwrap_or(0))
        };
        let oldest: Option<i64> = self
            .connection
            .prepare_cached("select recorded_at from annals_outbox order by seq limit 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(Waiting {
            backlog: count("select count(*) from annals_outbox")?,
            oldest: oldest.map(Timestamp::clamped),
            parked: count("select count(*) from annals_outbox_parked")?,
        })
    }
}

/// Rows until they have enough bytes.
fn window(mut rows: rusqlite::Rows<'_>) -> rusqlite::Result<Vec<Queued>> {
    let (mut window, mut bytes) = (Vec::new(), 0);
    while bytes < WINDOW_BYTES
        && let Some(row) = rows.next()?
    {
        let row = queued(row)?;
        bytes += row.body.len();
        window.push(row);
    }
    Ok(window)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::{SqliteStore, WINDOW_BYTES};

    #[test]
    fn large_rows_are_not_all_in_memory_at_once() {
        let connection = Connection::open_in_memory().unwrap();
        crate::SqliteOutbox::migrate(&connection).unwrap();
        let large = "x".repeat(WINDOW_BYTES / 4);
        for _ in 0..9 {
            connection
                .execute(
                    "insert into annals_outbox (workspace, kind, event_id, recorded_at, body) values ('acme', 1, '', 0, ?1)",
                    [&large],
                )
                .unwrap();
        }
        let mut store = SqliteStore { connection };
        assert_eq!(store.fetch(&[], 0, 8_000).unwrap().0.len(), 4);
        assert_eq!(store.fetch(&["other".to_owned()], 0, 3).unwrap().0.len(), 3);
        assert_eq!(
            store.fetch(&["acme".to_owned()], 0, 3).unwrap(),
            (Vec::new(), 10)
        );
        assert_eq!(store.fetch(&[], 8, 8_000).unwrap().0.len(), 2);
    }
}
