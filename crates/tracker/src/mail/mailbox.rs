//! The mailbox of a development machine: mails go into a file and are read on a page. Whoever reaches the page reads every mail, so
//! it is there only where no mail server is configured, which the operator has to ask for.

mod page;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use annals_client::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Mail, Undelivered};

pub(crate) use page::routes;

/// Mails on a page of the list.
const PAGE: u32 = 50;
/// What is kept; older ones go.
const KEPT: u32 = 5_000;

const MIGRATION: &str = "
create table if not exists mailbox (
    id integer primary key autoincrement,
    recipient text not null,
    subject text not null,
    text text not null,
    received_at integer not null            -- microseconds since 1970, by the clock of the tracker
) strict;
create index if not exists mailbox_recipient on mailbox (recipient, id);
";

/// Mails that were sent, in a file of their own.
pub(crate) struct Mailbox {
    db: Mutex<Connection>,
}

/// A mail that arrived.
pub(crate) struct Received {
    pub(crate) id: i64,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) at: Timestamp,
}

impl Mailbox {
    /// Opens the file, and makes it if it is not there.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "wal")?;
        // A mail that a power cut takes from a development machine is no loss.
        db.pragma_update(None, "synchronous", "off")?;
        db.execute_batch(MIGRATION)?;
        Ok(Self { db: Mutex::new(db) })
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a mail in. Addresses under `.invalid` are refused for ever, as every mail server does with a domain that cannot exist.
    pub(super) fn put(&self, mail: &Mail, now: Timestamp) -> Result<(), Undelivered> {
        if mail.to.ends_with(".invalid") {
            return Err(Undelivered::Refused(
                "550 5.1.2 there is no such domain".into(),
            ));
        }
        self.insert(mail, now)
            .map_err(|problem| Undelivered::Later(problem.to_string()))
    }

    fn insert(&self, mail: &Mail, now: Timestamp) -> rusqlite::Result<()> {
        let db = self.db();
        db.execute(
            "insert into mailbox (recipient, subject, text, received_at) values (?1, ?2, ?3, ?4)",
            params![mail.to, mail.subject, mail.text, now.as_micros()],
        )?;
        db.execute(
            "delete from mailbox where id <= ?1",
            [db.last_insert_rowid() - i64::from(KEPT)],
        )?;
        Ok(())
    }

    /// The newest mails before `before`, to one address or to all; one more than a page where there are more.
    fn list(&self, to: &str, before: i64) -> rusqlite::Result<Vec<Received>> {
        let db = self.db();
        let mut rows = db.prepare_cached(
            "select id, recipient, subject, text, received_at from mailbox
             where id < ?1 and (?2 = '' or recipient = ?2) order by id desc limit ?3",
        )?;
        rows.query_map(params![before, to, PAGE + 1], received)?
            .collect()
    }

    fn find(&self, id: i64) -> rusqlite::Result<Option<Received>> {
        self.db()
            .query_row(
                "select id, recipient, subject, text, received_at from mailbox where id = ?1",
                [id],
                received,
            )
            .optional()
    }
}

fn received(row: &rusqlite::Row<'_>) -> rusqlite::Result<Received> {
    Ok(Received {
        id: row.get(0)?,
        to: row.get(1)?,
        subject: row.get(2)?,
        text: row.get(3)?,
        at: Timestamp::clamped(row.get(4)?),
    })
}
