//! The one SQLite file: how it is opened, and what is in it.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use crate::{Durability, Options, StoreError};

/// The oldest SQLite that is known to be free of the write-ahead-log reset bug.
const SQLITE_OLDEST: i32 = 3_051_003;

/// Large enough that a frame spans few pages, small enough that a group of a few events does not
/// write mostly air.
pub(crate) const PAGE_BYTES: u32 = 8192;

/// How long a connection waits for another one.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the tables look like, step by step. A step never changes once it was released.
const MIGRATIONS: [(&str, &str); 4] = [
    ("log", include_str!("database/0001_log.sql")),
    ("control", crate::control::SCHEMA),
    ("segments", include_str!("database/0003_segments.sql")),
    ("quarantine", include_str!("database/0004_quarantine.sql")),
];

/// The name of the file.
pub(crate) const FILE: &str = "annals.db";

/// Where the database is, and how its connections are opened.
#[derive(Clone, Debug)]
pub(crate) struct Location {
    file: PathBuf,
    vfs: Option<String>,
}

impl Location {
    pub(crate) fn new(dir: &Path, vfs: Option<&str>) -> Location {
        Location {
            file: dir.join(FILE),
            vfs: vfs.map(str::to_owned),
        }
    }

    fn connect(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match &self.vfs {
            Some(vfs) => Connection::open_with_flags_and_vfs(&self.file, flags, vfs.as_str())?,
            None => Connection::open_with_flags(&self.file, flags)?,
        };
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    /// The connection that writes. There is one in the process, and one process.
    pub(crate) fn open_writer(&self, options: &Options) -> Result<Connection, StoreError> {
        if rusqlite::version_number() < SQLITE_OLDEST {
            return Err(StoreError::Damaged {
                place: "the program itself".to_owned(),
                what: format!("SQLite {} is too old", rusqlite::version()),
            });
        }
        // The file holds the seeds, and the directory may have been made by somebody else, readable for
        // all. SQLite gives the files beside it the mode of this one.
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&self.file)
            .map_err(|source| StoreError::File {
                path: self.file.clone(),
                source,
            })?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
        let connection = self.connect(flags)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        // What events leave behind that moved into segments can be given back to the disk, in steps.
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
        let mode: String =
            connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(StoreError::Damaged {
                place: self.file.display().to_string(),
                what: format!("the journal mode is {mode}, not wal"),
            });
        }
        // FULL syncs at every commit. NORMAL would lose acknowledged events in a power cut.
        let synchronous = match options.durability {
            Durability::Full => "full",
            Durability::Off => "off",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // The writer checkpoints when it is idle, not in the middle of a commit.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "foreign_keys", "on")?;
        connection.pragma_update(None, "trusted_schema", "off")?;
        connection.pragma_update(None, "cache_size", -4096)?;
        Ok(connection)
    }

    /// A connection that only reads.
    pub(crate) fn open_reader(&self) -> Result<Connection, StoreError> {
        let connection = self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.pragma_update(None, "query_only", "on")?;
        connection.pragma_update(None, "cache_size", -1024)?;
        Ok(connection)
    }
}

/// The last migration that this version knows.
pub(crate) fn known_version() -> u32 {
    MIGRATIONS.len().try_into().unwrap_or(u32::MAX)
}

/// The last migration that was applied.
pub(crate) fn version(connection: &Connection) -> Result<u32, StoreError> {
    let sql = "select coalesce(max(version), 0) from migration";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Refuses data of a later version: whoever does not know what it means must not read it either.
pub(crate) fn require_known(connection: &Connection) -> Result<(), StoreError> {
    let (found, known) = (version(connection)?, known_version());
    match found > known {
        true => Err(StoreError::Newer { found, known }),
        false => Ok(()),
    }
}

/// Brings the tables up to date, and refuses data of a later version.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    connection.execute_batch(
        "create table if not exists migration (
           version integer primary key, name text not null, sha256 text not null
         ) strict",
    )?;
    require_known(connection)?;
    for (version, (name, sql)) in (1u32..).zip(MIGRATIONS) {
        let sha256 = hex(&Sha256::digest(sql));
        let applied: Option<String> = connection
            .query_row(
                "select sha256 from migration where version = ?",
                [version],
                |row| row.get(0),
            )
            .optional()?;
        match applied {
            Some(applied) if applied == sha256 => continue,
            Some(_) => {
                return Err(StoreError::Damaged {
                    place: format!("migration {version} ({name})"),
                    what: "the directory was made with another text of it".to_owned(),
                });
            }
            None => {}
        }
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.execute(
            "insert into migration (version, name, sha256) values (?, ?, ?)",
            params![version, name, sha256],
        )?;
        transaction.commit()?;
    }
    Ok(())
}

/// Reads a value of the meta table.
pub(crate) fn meta(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let value = connection
        .prepare_cached("select value from meta where name = ?")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(value)
}

/// Writes a value of the meta table.
pub(crate) fn set_meta(
    connection: &Connection,
    name: &str,
    value: &[u8],
) -> Result<(), StoreError> {
    connection
        .prepare_cached("insert into meta (name, value) values (?, ?) on conflict (name) do update set value = excluded.value")?
        .execute(params![name, value])?;
    Ok(())
}

/// A few connections that readers share. A reader without one opens another.
pub(crate) struct Readers {
    location: Location,
    idle: Mutex<Vec<Connection>>,
}

/// How many connections are kept when nobody reads.
const IDLE_READERS: usize = 4;

impl Readers {
    pub(crate) fn new(location: Location) -> Readers {
        Readers {
            location,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Runs `read` with a connection.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.location.open_reader()?,
        };
        let result = read(&connection);
        // One that failed may be in any state.
        if result.is_ok() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_READERS {
                idle.push(connection);
            }
        }
        result
    }

    /// Closes the idle connections.
    pub(crate) fn close(&self) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}
