//! The thread that commits: the only one that writes to the database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};

use crate::control::Control;
use crate::database::{BUSY_TIMEOUT, PAGE_BYTES, set_meta};
use crate::directory::Directory;
use crate::journal::{tiles_at, to_usize};
use crate::recent::read;
use crate::sequencer::Formed;
use crate::shared::Shared;
use crate::start::Started;
use crate::submission::{Ran, Reply};
use crate::{AppendError, Options, Slot, StoreError};

/// What the writer is asked to do.
pub(crate) enum Job {
    Commit(Box<Formed>),
}

/// After so many groups the tables are brought up to date, even if the writer is never idle.
const GROUPS_BEHIND: u32 = 4096;

/// How long nothing must have happened before the writer tidies up.
const IDLE: Duration = Duration::from_secs(2);

/// How long it waits between two steps of giving space back to the disk.
const BETWEEN_STEPS: Duration = Duration::from_millis(20);

/// So many pages are given back at a time: a commit that comes waits for no more.
const PAGES_AT_ONCE: u32 = 512;

/// So many free pages are kept for what is recorded next.
const PAGES_KEPT: u32 = 1024;

/// A write-ahead log that is no larger than this stays as it is, in bytes.
const WAL_KEPT: usize = 4 << 20;

/// How often at least uptime and times of last use are written down.
const TIDY: Duration = Duration::from_secs(60);

/// How often it is tried whether a full disk has space again.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// How long the write-ahead log grows before it is copied into the database without waiting for an
/// idle moment, in bytes.
const WAL_BYTES: usize = 64 << 20;

/// How often one of our own events is tried again when the disk is full.
const ATTEMPTS: u32 = 3;

pub(crate) struct Writer {
    shared: Arc<Shared>,
    control: Arc<Control>,
    connection: Connection,
    directory: Directory,
    reserve_bytes: u64,
    max_bytes: Option<u64>,
    /// The logs that the tables are behind of.
    dirty: BTreeSet<Slot>,
    /// The group up to which the tables are up to date.
    applied: u32,
    /// What of the write-ahead log is not in the database yet.
    wal_bytes: usize,
    /// How large its file may be: it is written over from the beginning, and stays as large as it ever was.
    wal_file: usize,
    /// Whether there is more space to give back.
    has_space_left: bool,
    probed: Instant,
    tidied: Instant,
}

/// Why a commit did not happen.
enum Failure {
    /// No space left. Nothing was written.
    Full,
    /// The change of control data refused, and has told so.
    Refused,
    /// Nobody knows what is on the disk.
    Fatal(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Failure {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Failure::Full,
            _ => Failure::Fatal(error.to_string()),
        }
    }
}

impl Writer {
    pub(crate) fn new(started: Started, options: &Options) -> Writer {
        let now = Instant::now();
        Writer {
            shared: started.shared,
            control: started.control,
            connection: started.connection,
            directory: started.directory,
            reserve_bytes: options.reserve_bytes,
            max_bytes: options.max_bytes,
            dirty: started.dirty,
            applied: started.applied,
            wal_bytes: 0,
            // What the last process left is not known.
            wal_file: usize::MAX,
            has_space_left: false,
            probed: now,
            tidied: now,
        }
    }

    /// Works until nobody is left to ask, then leaves everything tidy.
    pub(crate) fn run(mut self, jobs: &Receiver<Job>) -> Result<(), StoreError> {
        self.look_for_space();
        loop {
            let patience = match self.has_space_left {
                true => BETWEEN_STEPS,
                false => IDLE,
            };
            match jobs.recv_timeout(patience) {
                Ok(Job::Commit(formed)) => {
                    // The quiet moment is over.
                    self.has_space_left = false;
                    self.commit(*formed);
                    self.shared.queue.finished();
                }
                Err(RecvTimeoutError::Timeout) => self.idle(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.shared.full.load(Ordering::SeqCst) && self.probed.elapsed() >= FULL_RETRY {
                self.look_for_space();
            }
        }
        if self.shared.has_stopped() {
            return Err(StoreError::Stopped);
        }
        self.bring_tables_up_to_date(true)?;
        self.shared.blocks.close();
        self.copy_wal("TRUNCATE")
    }

    fn commit(&mut self, mut formed: Formed) {
        if self.shared.has_stopped() {
            formed
                .submissions
                .into_iter()
                .for_each(|submission| submission.fail(AppendError::Stopped));
            return;
        }
        if formed.epoch != self.shared.epoch.load(Ordering::SeqCst) {
            // Positions were given on top of a group that did not commit.
            self.shared.queue.give_back(formed.submissions);
            return;
        }
        match self.write(&mut formed) {
            Ok(()) => self.committed(formed),
            Err(failure) => self.failed(formed, failure),
        }
    }

    fn write(&mut self, formed: &mut Formed) -> Result<(), Failure> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(group) = formed.group {
            transaction
                .prepare_cached("insert into journal (group_id, header, body) values (?, ?, ?)")?
                .execute(params![group, formed.header_bytes, formed.body])?;
        }
        for submission in &mut formed.submissions {
            let Reply::Change(change) = &mut submission.reply else {
                continue;
            };
            let ran = change.run(&transaction);
            // On a full disk SQLite ends the transaction by itself.
            let failure = match (ran, transaction.is_autocommit()) {
                (Ran::Done, false) => continue,
                (Ran::Done, true) => {
                    Failure::Fatal("a change went on after its transaction had ended".to_owned())
                }
                (Ran::Refused, _) => Failure::Refused,
                (Ran::Full, _) => Failure::Full,
            };
            if !transaction.is_autocommit() {
                transaction.rollback()?;
            }
            return Err(failure);
        }
        // COMMIT POINT: the events, and the change that they record, exist from here on. Before it
        // nothing has happened, and positions that were given are given again. After it, everything
        // else follows from the row: `Recent::apply` does it now, or at the next start.
        transaction.commit()?;
        Ok(())
    }

    fn committed(&mut self, formed: Formed) {
        let Formed {
            group,
            header,
            header_bytes,
            grown,
            body,
            frames,
            submissions,
            ..
        } = formed;
        if let Some(group) = group {
            self.grew(header_bytes.len() + body.len() + (16 << 10));
            for (frame, plain) in (0u32..).zip(frames) {
                self.shared.blocks.keep_frame(group, frame, plain);
            }
            let recent = &self.shared.blocks.recent;
            if let Err(error) = recent.apply(group, &header, grown, false) {
                self.shared
                    .fatal(&format!("a committed group cannot be applied: {error}"));
                return;
            }
            self.shared.committed.store(group, Ordering::SeqCst);
            self.dirty.extend(header.parts.iter().map(|part| part.slot));
            // What was recorded last is what is read next.
            let _ = self.shared.blocks.keep_directory(group, &header_bytes);
        }
        self.shared.answer_all(submissions);
        let behind = group.is_some_and(|group| group.saturating_sub(self.applied) >= GROUPS_BEHIND);
        let is_wanted = self.shared.tables_wanted.load(Ordering::SeqCst) > self.applied;
        if behind || is_wanted {
            let result = self.bring_tables_up_to_date(false);
            self.survive(result);
        }
        if self.wal_bytes >= WAL_BYTES {
            let result = self.copy_wal("PASSIVE");
            self.survive(result);
        }
    }

    fn failed(&mut self, formed: Formed, failure: Failure) {
        if formed.group.is_some() {
            self.shared.epoch.fetch_add(1, Ordering::SeqCst);
        }
        match failure {
            // Whoever asked for the change knows already.
            Failure::Refused => {}
            Failure::Fatal(reason) => {
                self.shared.fatal(&reason);
                let stopped = AppendError::Stopped;
                formed
                    .submissions
                    .into_iter()
                    .for_each(|submission| submission.fail(stopped.clone()));
            }
            Failure::Full => {
                self.disk_is_full();
                let (mut ours, others): (Vec<_>, Vec<_>) = formed
                    .submissions
                    .into_iter()
                    .partition(|submission| submission.may_be_retried(ATTEMPTS));
                ours.iter_mut()
                    .for_each(|submission| submission.attempts += 1);
                others
                    .into_iter()
                    .for_each(|submission| submission.fail(AppendError::DiskFull));
                self.shared.queue.give_back(ours);
            }
        }
    }

    /// From now on only our own events are recorded, in the space that was set aside for them.
    fn disk_is_full(&mut self) {
        if !self.shared.full.swap(true, Ordering::SeqCst) {
            tracing::error!("the disk is full: events are refused until there is space again");
            self.directory.give_back();
            self.limit(0);
            self.probed = Instant::now();
        }
    }

    /// Sets the reserve aside, again or for the first time; if that succeeds, the disk is not full.
    fn look_for_space(&mut self) {
        self.probed = Instant::now();
        let set_aside =
            self.limit(self.reserve_bytes) && self.directory.set_aside(self.reserve_bytes);
        if !set_aside {
            self.limit(0);
        }
        if self.shared.full.swap(!set_aside, Ordering::SeqCst) && set_aside {
            tracing::info!("there is space again: events are recorded");
        }
    }

    /// Limits the database to what it may take less `spare` bytes. Whether it fits.
    fn limit(&self, spare: u64) -> bool {
        let Some(max_bytes) = self.max_bytes else {
            return true;
        };
        let limit = || -> Result<bool, rusqlite::Error> {
            let number = |pragma| {
                self.connection
                    .pragma_query_value(None, pragma, |row| row.get(0))
            };
            let page_size: u64 = number("page_size")?;
            let wanted = max_bytes.saturating_sub(spare) / page_size;
            let set: u64 = self.connection.query_row(
                &format!("pragma max_page_count = {wanted}"),
                [],
                |row| row.get(0),
            )?;
            // SQLite does not go below what is there.
            Ok(set <= wanted)
        };
        limit().unwrap_or(false)
    }

    /// Nothing is waiting: the time for what would hold up a commit.
    fn idle(&mut self) {
        let behind = self.shared.committed.load(Ordering::SeqCst) != self.applied;
        if behind || self.tidied.elapsed() >= TIDY {
            let result = self.bring_tables_up_to_date(false);
            self.survive(result);
        }
        let result = self.give_space_back();
        self.survive(result);
        let result = match self.wal_bytes {
            0 => Ok(()),
            _ => self.copy_wal("PASSIVE"),
        };
        self.survive(result);
        if !self.has_space_left && self.wal_file > WAL_KEPT {
            let result = self.cut_wal();
            self.survive(result);
        }
    }

    /// Makes the database smaller by some of the pages that nothing is on any more.
    fn give_space_back(&mut self) -> Result<(), StoreError> {
        let free = |connection: &Connection| -> Result<u32, rusqlite::Error> {
            connection.pragma_query_value(None, "freelist_count", |row| row.get(0))
        };
        let before = free(&self.connection)?;
        let pages = before.saturating_sub(PAGES_KEPT).min(PAGES_AT_ONCE);
        self.has_space_left = false;
        if pages == 0 {
            return Ok(());
        }
        let mut step = self
            .connection
            .prepare(&format!("pragma incremental_vacuum({pages})"))?;
        let mut rows = step.query([])?;
        while rows.next()?.is_some() {}
        drop(rows);
        drop(step);
        // A page at the end goes to where one is free, and the map of both changes.
        self.grew(2 * to_usize(pages) * to_usize(PAGE_BYTES));
        let after = free(&self.connection)?;
        // A file that was made otherwise cannot become smaller.
        self.has_space_left = after < before && after > PAGES_KEPT;
        Ok(())
    }

    /// Makes the file of the write-ahead log empty, unless somebody is reading from it: then a later moment does as well.
    fn cut_wal(&mut self) -> Result<(), StoreError> {
        self.connection.busy_timeout(Duration::ZERO)?;
        let busy = self
            .connection
            .query_row("pragma wal_checkpoint(truncate)", [], |row| {
                row.get::<_, bool>(0)
            });
        self.connection.busy_timeout(BUSY_TIMEOUT)?;
        if !busy? {
            (self.wal_bytes, self.wal_file) = (0, 0);
        }
        Ok(())
    }

    /// A full disk hinders tidying, not the log. Anything else in writing is fatal.
    fn survive(&mut self, result: Result<(), StoreError>) {
        match result {
            Ok(()) => {}
            Err(StoreError::DiskFull) => self.disk_is_full(),
            Err(StoreError::Database(error))
                if error.sqlite_error_code() == Some(ErrorCode::DiskFull) =>
            {
                self.disk_is_full();
            }
            Err(error) => {
                use std::error::Error as _;
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                self.shared.fatal(&format!("{error}: {cause}"));
            }
        }
    }

    /// Writes down sizes, frontiers, seeds and tile hashes of the logs that grew, so that a start
    /// need not work them out. What is written follows from the journal; nothing depends on when.
    fn bring_tables_up_to_date(&mut self, closing: bool) -> Result<(), StoreError> {
        let committed = self.shared.committed.load(Ordering::SeqCst);
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.control.flush(&transaction, closing)?;
        let mut written = Vec::new();
        if committed != self.applied {
            let mut put_log = transaction.prepare_cached(
                "insert into log_state (slot, size, recorded_at, frontier) values (?, ?, ?, ?)
                 on conflict (slot) do update set size = excluded.size,
                   recorded_at = excluded.recorded_at, frontier = excluded.frontier",
            )?;
            let mut put_tile = transaction.prepare_cached(
                "insert into tile (slot, tile, seed, hash) values (?, ?, ?, ?)
                 on conflict (slot, tile) do update set hash = excluded.hash",
            )?;
            for slot in &self.dirty {
                let Some(log) = self.shared.blocks.recent.log(*slot) else {
                    continue;
                };
                let log = read(&log);
                put_log.execute(params![
                    slot,
                    log.size,
                    log.recorded_at,
                    log.frontier.encode()
                ])?;
                for tile in log.tiles_written..log.seeds.len() as u64 {
                    let seed = log.seeds[to_usize(tile)];
                    put_tile.execute(params![slot, tile, seed, log.tile(tile)])?;
                }
                written.push((*slot, tiles_at(log.size)));
            }
            set_meta(
                &transaction,
                "applied_through",
                &u64::from(committed).to_be_bytes(),
            )?;
        }
        set_meta(&transaction, "uptime", &self.shared.uptime().to_be_bytes())?;
        transaction.commit()?;
        for (slot, tiles) in written {
            if let Some(log) = self.shared.blocks.recent.log(slot) {
                crate::recent::write(&log).tiles_written = tiles;
            }
        }
        self.dirty.clear();
        self.applied = committed;
        self.tidied = Instant::now();
        self.grew(16 << 10);
        Ok(())
    }

    /// The write-ahead log has about so many bytes more.
    fn grew(&mut self, bytes: usize) {
        self.wal_bytes += bytes;
        self.wal_file = self.wal_file.saturating_add(bytes);
    }

    /// Copies the write-ahead log into the database.
    fn copy_wal(&mut self, how: &str) -> Result<(), StoreError> {
        let sql = format!("pragma wal_checkpoint({how})");
        self.connection.query_row(&sql, [], |_| Ok(()))?;
        self.wal_bytes = 0;
        Ok(())
    }
}
