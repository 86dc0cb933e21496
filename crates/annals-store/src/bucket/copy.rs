//! The manifest, copied into the bucket after each change, so that a lost directory can be made again.
//!
//! A copy says which segments count, and what is needed to know whose they are. It is signed, as a checkpoint of a
//! log `<origin>/manifest` whose size is the version and whose root is the SHA-256 of the text. There is no
//! secret in it; the segments themselves hold the seeds, so the bucket is as secret as the directory.

use annals_event::Timestamp;
use annals_merkle::{Checkpoint, Hash, SigningKey};
use rusqlite::types::{Value as Sql, ValueRef};
use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{Bucket, BucketError, Created, claim, create, read};
use crate::database::{hex, meta};
use crate::files::Written;
use crate::manifest::{self, Listed};
use crate::{Slot, StoreError};

/// Where copies lie.
const FOLDER: &str = "manifests";

/// What this text is.
const VERSION: &str = "manifest/v1";

/// How many copies stay. The newest one counts; the others tell how it came to be.
const KEPT: usize = 4;

/// The most bytes that a copy is read with. A hundred thousand organizations take some fifty million.
const BYTES_MAX: u64 = 512 << 20;

/// In the table meta: how often the manifest has changed since there is a bucket.
const META: &str = "manifest_version";

/// The tables that are copied whole. There is no secret in them, nor the hash of one.
const TABLES: [&str; 2] = ["organization", "action_schema"];

/// A row, by the names of its columns.
type Row = Map<String, Value>;

/// What stands in a copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManifestCopy {
    annals: String,
    pub(crate) version: u64,
    /// Of the place, as the object `installation` has it.
    pub(crate) bucket: String,
    pub(crate) origin: String,
    pub(crate) written_at: String,
    pub(crate) slot_start: Slot,
    /// How long the installation has been running, in seconds.
    pub(crate) uptime: u64,
    segments: Vec<SegmentLine>,
    pub(crate) organizations: Vec<Row>,
    pub(crate) schemas: Vec<Row>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SegmentLine {
    id: u32,
    groups: (u32, u32),
    level: u32,
    rows: u32,
    bytes: u64,
    sha256: String,
    index_bytes: u64,
    index_sha256: String,
}

impl ManifestCopy {
    /// What the database says now, all of one moment.
    pub(crate) fn of(
        connection: &Connection,
        origin: &str,
        now: Timestamp,
    ) -> Result<ManifestCopy, StoreError> {
        let snapshot = connection.unchecked_transaction()?;
        let number = |name: &str| -> Result<u64, StoreError> {
            let bytes = meta(&snapshot, name)?.and_then(|bytes| bytes.try_into().ok());
            Ok(bytes.map_or(0, u64::from_be_bytes))
        };
        let segments = manifest::list(&snapshot)?;
        let [organizations, schemas] = TABLES.map(|table| rows(&snapshot, table));
        Ok(ManifestCopy {
            annals: VERSION.to_owned(),
            version: version(&snapshot)?,
            bucket: claim::known(&snapshot)?.unwrap_or_default(),
            origin: origin.to_owned(),
            written_at: now.to_string(),
            slot_start: u32::try_from(number("slot_start")?).unwrap_or_default(),
            uptime: number("uptime")?,
            segments: segments.iter().map(SegmentLine::of).collect(),
            organizations: organizations?,
            schemas: schemas?,
        })
    }

    /// The segments that count.
    pub(crate) fn listed(&self) -> Result<Vec<Listed>, &'static str> {
        self.segments.iter().map(SegmentLine::listed).collect()
    }

    /// Writes the rows of the copied tables into a database that has none.
    pub(crate) fn restore_tables(&self, connection: &Connection) -> Result<(), StoreError> {
        for (table, rows) in TABLES.iter().zip([&self.organizations, &self.schemas]) {
            for row in rows {
                insert(connection, table, row)?;
            }
        }
        Ok(())
    }

    /// Puts it into the bucket, unless it is there.
    pub(crate) fn put(&self, bucket: &dyn Bucket, key: &SigningKey) -> Result<(), StoreError> {
        let name = name(self.version);
        let signed = self.sign(key);
        let signed = signed.ok_or_else(|| damaged(bucket, &name, "it cannot be signed"))?;
        let created = create(bucket, &name, signed.as_bytes());
        if created.map_err(|error| error.at(bucket, &name))? == Created::Existing {
            // Perhaps ours, of an attempt whose answer was lost. If not, somebody else goes on from the same state.
            let there = get(bucket, self.version, &self.origin, key)?;
            if (&there.bucket, &there.segments) != (&self.bucket, &self.segments) {
                return Err(StoreError::Bucket {
                    place: format!("{}/{name}", bucket.place()),
                    what: "another process writes there as this installation: a copy of its directory is in use"
                        .to_owned(),
                });
            }
        }
        prune(bucket)
    }

    fn sign(&self, key: &SigningKey) -> Option<String> {
        let text = serde_json::to_string(self).ok()?;
        let hash: Hash = Sha256::digest(&text).into();
        let checkpoint = Checkpoint::new(&signer(&self.origin), self.version, hash).ok()?;
        Some(format!("{text}\n{}", key.sign(&checkpoint)))
    }
}

impl SegmentLine {
    fn of(listed: &Listed) -> SegmentLine {
        SegmentLine {
            id: listed.id,
            groups: listed.groups,
            level: listed.level,
            rows: listed.rows,
            bytes: listed.file.bytes,
            sha256: hex(&listed.file.sha256),
            index_bytes: listed.index.bytes,
            index_sha256: hex(&listed.index.sha256),
        }
    }

    fn listed(&self) -> Result<Listed, &'static str> {
        let written = |bytes, text: &str| -> Result<Written, &'static str> {
            let sha256 = unhex(text).ok_or("a hash is unreadable")?;
            Ok(Written { bytes, sha256 })
        };
        Ok(Listed {
            id: self.id,
            groups: self.groups,
            level: self.level,
            rows: self.rows,
            file: written(self.bytes, &self.sha256)?,
            index: written(self.index_bytes, &self.index_sha256)?,
        })
    }
}

/// How often the manifest of a database has changed since its segments go into a bucket.
pub(crate) fn version(connection: &Connection) -> Result<u64, rusqlite::Error> {
    let bytes: Option<[u8; 8]> = connection
        .prepare_cached("select value from meta where name = ?")?
        .query_row([META], |row| row.get(0))
        .optional()?;
    Ok(bytes.map_or(0, u64::from_be_bytes))
}

/// Counts a change of the manifest, in its transaction.
pub(crate) fn count(connection: &Connection) -> Result<(), rusqlite::Error> {
    set_version(connection, version(connection)? + 1)
}

pub(crate) fn set_version(connection: &Connection, version: u64) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached("insert into meta (name, value) values (?, ?) on conflict (name) do update set value = excluded.value")?
        .execute((META, version.to_be_bytes()))?;
    Ok(())
}

/// The versions in a bucket, rising.
pub(crate) fn versions(bucket: &dyn Bucket) -> Result<Vec<u64>, StoreError> {
    let names = bucket.list(FOLDER);
    let names = names.map_err(|error| error.at(bucket, FOLDER))?;
    let mut versions: Vec<u64> = names
        .iter()
        .filter_map(|known| {
            let version = known.rsplit_once('/')?.1.strip_suffix(".json")?;
            let version = version.parse().ok()?;
            (name(version) == *known).then_some(version)
        })
        .collect();
    versions.sort_unstable();
    Ok(versions)
}

/// Reads a copy, and believes it if the installation's key has signed it.
pub(crate) fn get(
    bucket: &dyn Bucket,
    version: u64,
    origin: &str,
    key: &SigningKey,
) -> Result<ManifestCopy, StoreError> {
    let (copy, text, note) = unverified(bucket, version)?;
    let name = name(version);
    let wrong = |what: &str| damaged(bucket, &name, what);
    let verifying = key
        .for_log(&signer(origin))
        .map_err(|_| wrong("its origin is none"))?;
    let signed = Checkpoint::open(&note, &verifying)
        .map_err(|_| wrong("keys/signing.key is not the key that has signed it"))?;
    let hash: Hash = Sha256::digest(&text).into();
    let is_signed = *signed.root() == hash && signed.size() == version;
    match is_signed && copy.version == version && copy.origin == origin {
        true => Ok(copy),
        false => Err(wrong("it is not what was signed")),
    }
}

/// The origin that a copy claims to be of; nobody has verified it.
pub(crate) fn claimed_origin(bucket: &dyn Bucket, version: u64) -> Result<String, StoreError> {
    Ok(unverified(bucket, version)?.0.origin)
}

fn unverified(
    bucket: &dyn Bucket,
    version: u64,
) -> Result<(ManifestCopy, String, String), StoreError> {
    let name = name(version);
    let bytes = match read(bucket, &name, BYTES_MAX) {
        Err(BucketError::Missing) => return Err(damaged(bucket, &name, "it is not there")),
        bytes => bytes.map_err(|error| error.at(bucket, &name))?,
    };
    let text = std::str::from_utf8(&bytes).ok();
    let parts = text.and_then(|text| text.split_once('\n'));
    let (text, note) = parts.ok_or_else(|| damaged(bucket, &name, "it is cut short"))?;
    let copy: ManifestCopy = serde_json::from_str(text)
        .ok()
        .filter(|copy: &ManifestCopy| copy.annals == VERSION)
        .ok_or_else(|| damaged(bucket, &name, "it is none that this version can read"))?;
    Ok((copy, text.to_owned(), note.to_owned()))
}

/// Deletes all but the newest copies.
fn prune(bucket: &dyn Bucket) -> Result<(), StoreError> {
    let versions = versions(bucket)?;
    let old = versions.len().saturating_sub(KEPT);
    for version in &versions[..old] {
        let name = name(*version);
        if let Err(error) = bucket.delete(&name) {
            tracing::warn!(name, %error, "an old copy of the manifest cannot be deleted, which does no harm");
        }
    }
    Ok(())
}

fn name(version: u64) -> String {
    format!("{FOLDER}/{version:012}.json")
}

fn signer(origin: &str) -> String {
    format!("{origin}/manifest")
}

fn damaged(bucket: &dyn Bucket, name: &str, what: &str) -> StoreError {
    StoreError::Damaged {
        place: format!("{}/{name}", bucket.place()),
        what: what.to_owned(),
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(bytes)
}

/// All rows of a table, as JSON. These tables hold texts and numbers only.
fn rows(connection: &Connection, table: &str) -> Result<Vec<Row>, StoreError> {
    let mut read = connection.prepare(&format!("select * from {table} order by 1"))?;
    let columns: Vec<String> = read.column_names().map(str::to_owned).collect();
    let mut found = read.query([])?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let mut known = Row::new();
        for (n, column) in columns.iter().enumerate() {
            let value = match row.get_ref(n)? {
                ValueRef::Integer(number) => number.into(),
                ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
                _ => Value::Null,
            };
            known.insert(column.clone(), value);
        }
        rows.push(known);
    }
    Ok(rows)
}

/// Inserts a row; columns that this version does not have are an error of SQLite.
fn insert(connection: &Connection, table: &str, row: &Row) -> Result<(), StoreError> {
    let is_name = |name: &String| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if row.is_empty() || !row.keys().all(is_name) {
        return Err(StoreError::Damaged {
            place: "the copy of the manifest".to_owned(),
            what: format!("a row of {table} has columns that no table has"),
        });
    }
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    let marks = vec!["?"; names.len()].join(", ");
    let values = row.values().map(|value| match value {
        Value::Number(number) => number.as_i64().map_or(Sql::Null, Sql::Integer),
        Value::String(text) => Sql::Text(text.clone()),
        _ => Sql::Null,
    });
    let sql = format!(
        "insert into {table} ({}) values ({marks})",
        names.join(", ")
    );
    connection
        .prepare_cached(&sql)?
        .execute(rusqlite::params_from_iter(values))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_as_they_are_written() {
        let bytes: [u8; 32] = std::array::from_fn(|n| u8::try_from(n * 7).unwrap());
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        for wrong in ["", "00", &"0".repeat(63), &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
    }
}
