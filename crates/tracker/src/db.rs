//! One SQLite file: a connection that writes, behind a lock, and some that read.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use annals_client::{OutboxError, SqliteOutbox};
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::refused::Refused;

/// The tables, in the order in which they came to be. What is released is never edited; a change is a new file.
const MIGRATIONS: [&str; 2] = [
    include_str!("db/0001_first.sql"),
    include_str!("db/0002_viewer_closing.sql"),
];
/// How long a writer waits for the relay, which is the other one.
const BUSY: Duration = Duration::from_secs(5);
/// Connections that are kept for the next reader.
const READERS: usize = 8;

/// The database. Work with it is blocking: call it on a thread that may block.
pub(crate) struct Database {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens the file, and makes it and its tables if they are not there.
    pub(crate) fn open(path: &Path) -> Result<Self, OutboxError> {
        make_private(path);
        let mut writer = Connection::open(path)?;
        set_up(&writer)?;
        writer.pragma_update(None, "journal_mode", "wal")?;
        // What was answered is on stable storage, the change and its event alike.
        writer.pragma_update(None, "synchronous", "full")?;
        migrate(&mut writer)?;
        SqliteOutbox::migrate(&writer)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
        })
    }

    /// Runs `work` in a transaction: committed if it succeeds, rolled back if it refuses.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // The relay writes too: whoever is to write asks for that at once, and waits.
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&transaction)?;
        transaction.commit()?;
        Ok(done)
    }

    /// Runs `work` on one state of the database.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let kept = self
            .readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let reader = kept.map_or_else(|| self.reader(), Ok)?;
        let done = {
            let transaction = reader.unchecked_transaction()?;
            work(&transaction)
        };
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < READERS {
            readers.push(reader);
        }
        done
    }

    fn reader(&self) -> rusqlite::Result<Connection> {
        let reader = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        set_up(&reader)?;
        Ok(reader)
    }
}

/// Makes the file, so that nobody but its owner reads it. Where it is there already, it stays as it is; where it cannot be made, opening
/// it says why.
fn make_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let _ = options.open(path);
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(256);
    connection.pragma_update(None, "foreign_keys", "on")
}

fn migrate(writer: &mut Connection) -> rusqlite::Result<()> {
    let done: usize = writer.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (number, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", number + 1)?;
        transaction.commit()?;
    }
    Ok(())
}
