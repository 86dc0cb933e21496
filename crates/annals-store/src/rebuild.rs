//! A directory made again from the bucket that holds its segments, after its disk was lost.
//!
//! Everything that was sealed comes back, and each entry of it is rebuilt and hashed on the way. What was not
//! sealed is lost with the disk, and so is what is not in the copy of the manifest: keys, links and sessions.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use annals_event::SeedNodes;
use annals_event::TILE;
use rusqlite::{Connection, params};

use crate::bucket::copy::{self, ManifestCopy};
use crate::bucket::{Bucket, Remote, claim};
use crate::database::{self, Location, set_meta};
use crate::directory::Directory;
use crate::files::{Blobs, SystemFiles};
use crate::journal::to_usize;
use crate::manifest::{self, Listed, damaged};
use crate::recent::LogState;
use crate::segment::{Cursor, Flaw, Segment};
use crate::start::SEGMENTS;
use crate::{CheckProgress, Options, Slot, StoreError};

/// Slots of organizations that were created after the manifest was copied are not known, and must not be given
/// again: a slot is part of the name of a log, under which checkpoints were signed. So as many are left out.
const SLOTS_LEFT_OUT: u32 = 100_000;

/// What was made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebuilt {
    /// The installation's origin.
    pub origin: String,
    /// Which copy of the manifest it was made from, and when that was written.
    pub manifest: u64,
    /// When that copy was written. What was recorded or changed later is lost.
    pub written_at: String,
    /// How many segments were read.
    pub segments: usize,
    /// How many logs have entries.
    pub logs: usize,
    /// How many entries were rebuilt and hashed.
    pub entries: u64,
    /// How many organizations came back, deleted ones included.
    pub organizations: usize,
    /// How many versions of schemas came back.
    pub schemas: usize,
}

/// Makes the directory `dir` from what lies in `bucket`. `keys/signing.key` must be in it already, restored from
/// where it is kept: it is in no bucket, and the copy of the manifest is believed only if this key has signed it.
///
/// One that was interrupted is simply begun again. `progress` is called after each segment.
///
/// # Errors
/// [`StoreError::Locked`] if a process has the directory; [`StoreError::NotEmpty`] if it holds a log;
/// [`StoreError::File`] if the key is not there; [`StoreError::Bucket`] if the bucket does not answer or has no copy
/// of a manifest; [`StoreError::Damaged`] if what lies there is not what was sealed.
pub fn rebuild(
    dir: &Path,
    bucket: Arc<dyn Bucket>,
    progress: &mut dyn FnMut(CheckProgress),
) -> Result<Rebuilt, StoreError> {
    let directory = Directory::lock(dir)?;
    let location = Location::new(dir, None);
    let mut connection = location.open_writer(&Options::default())?;
    database::migrate(&mut connection)?;
    if holds_a_log(&connection)? {
        return Err(StoreError::NotEmpty {
            path: dir.to_owned(),
        });
    }
    let key = directory.signing_key(false)?;
    let nothing = |what: &str| StoreError::Bucket {
        place: bucket.place().to_owned(),
        what: what.to_owned(),
    };
    let newest = copy::versions(&*bucket)?.last().copied();
    let newest = newest.ok_or_else(|| nothing("there is no copy of a manifest"))?;
    let origin = copy::claimed_origin(&*bucket, newest)?;
    let copy = copy::get(&*bucket, newest, &origin, &key)?;
    if claim::id_of(&*bucket)?.as_ref() != Some(&copy.bucket) {
        return Err(nothing("the copy of the manifest belongs to another place"));
    }
    let listed = copy.listed().map_err(nothing)?;
    let remote = Remote::new(bucket, 0);
    let blobs = Blobs::open(dir.join(SEGMENTS), Arc::new(SystemFiles))?;
    let mut logs = Logs::default();
    let groups = listed.last().map_or(0, |last| last.groups.1.into());
    for segment in &listed {
        logs.read(&origin, &blobs, &remote, segment)?;
        progress(CheckProgress {
            groups_done: segment.groups.1.into(),
            groups,
        });
    }
    write(&mut connection, &copy, &listed, &logs)?;
    Ok(Rebuilt {
        origin,
        manifest: copy.version,
        written_at: copy.written_at,
        segments: listed.len(),
        logs: logs.states.len(),
        entries: logs.states.values().map(|log| log.size).sum(),
        organizations: copy.organizations.len(),
        schemas: copy.schemas.len(),
    })
}

fn holds_a_log(connection: &Connection) -> Result<bool, StoreError> {
    let holds = connection.query_row(
        "select exists (select 1 from journal) or exists (select 1 from segment)
           or exists (select 1 from organization)",
        [],
        |row| row.get(0),
    )?;
    Ok(holds)
}

/// The logs, as far as they were read.
#[derive(Default)]
struct Logs {
    states: BTreeMap<Slot, LogState>,
}

impl Logs {
    /// Fetches a segment, rebuilds and hashes its entries, and makes its index again.
    fn read(
        &mut self,
        origin: &str,
        blobs: &Blobs,
        remote: &Remote,
        listed: &Listed,
    ) -> Result<(), StoreError> {
        let flawed = |flaw: Flaw| damaged(listed.id, &flaw);
        let name = listed.file_name();
        blobs.put(&name, |mut out| {
            remote.copy_out(listed, &mut out)?;
            Ok((out, ()))
        })?;
        let segment = Segment::open(blobs.get(&name)?, None).map_err(flawed)?;
        if segment.origin().map_err(flawed)? != origin {
            return Err(flawed(Flaw::new("it belongs to another installation")));
        }
        let mut cursor = Cursor::new(&segment, true).map_err(flawed)?;
        while let Some(page) = cursor.next_page() {
            for row in page.map_err(|bad| flawed(bad.flaw))?.rows {
                let (position, recorded_at) = (row.position, row.recorded_at);
                let log = self.states.entry(row.slot).or_default();
                if log.size != position || recorded_at.as_micros() < log.recorded_at {
                    let what = format!("log {} does not go on at {position}", row.slot);
                    return Err(flawed(Flaw::new(what)));
                }
                if position % TILE == 0 {
                    let seed = SeedNodes::decode(&row.seed);
                    let seed = seed.as_ref().and_then(|nodes| nodes.nodes().first());
                    let seed = seed.ok_or_else(|| flawed(Flaw::new("a tile has no seed")))?;
                    log.seeds.push(seed.secret);
                }
                log.push_leaf(row.leaf, recorded_at.as_micros());
            }
        }
        let index = cursor.into_index().map_err(flawed)?;
        blobs.put(&listed.index_name(), |mut out| {
            out.write_all(&index).map_err(StoreError::Output)?;
            Ok((out, ()))
        })?;
        blobs.delete(&name)
    }
}

/// Writes the tables, as they were when the manifest was copied.
fn write(
    connection: &mut Connection,
    copy: &ManifestCopy,
    listed: &[Listed],
    logs: &Logs,
) -> Result<(), StoreError> {
    let transaction = connection.transaction()?;
    let applied = listed.last().map_or(0, |last| u64::from(last.groups.1));
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| StoreError::Random)?;
    let highest = copy.organizations.iter();
    let highest = highest.filter_map(|row| row.get("slot")?.as_u64()).max();
    let next_slot = highest
        .and_then(|slot| u32::try_from(slot).ok())
        .map_or(copy.slot_start, |slot| slot + 1)
        .saturating_add(SLOTS_LEFT_OUT);
    for (name, value) in [
        ("origin", copy.origin.as_bytes()),
        ("salt", &salt),
        ("slot_start", &u64::from(next_slot).to_be_bytes()),
        ("uptime", &copy.uptime.to_be_bytes()),
        ("applied_through", &applied.to_be_bytes()),
        (claim::META, copy.bucket.as_bytes()),
    ] {
        set_meta(&transaction, name, value)?;
    }
    copy::set_version(&transaction, copy.version)?;
    for segment in listed {
        manifest::insert(&transaction, segment)?;
    }
    {
        let mut put_log = transaction.prepare(
            "insert into log_state (slot, size, recorded_at, frontier) values (?, ?, ?, ?)",
        )?;
        let mut put_tile =
            transaction.prepare("insert into tile (slot, tile, seed, hash) values (?, ?, ?, ?)")?;
        for (slot, log) in &logs.states {
            put_log.execute(params![
                slot,
                log.size,
                log.recorded_at,
                log.frontier.encode()
            ])?;
            for tile in 0..log.seeds.len() as u64 {
                put_tile.execute(params![
                    slot,
                    tile,
                    log.seeds[to_usize(tile)],
                    log.tile(tile)
                ])?;
            }
        }
    }
    copy.restore_tables(&transaction)?;
    // COMMIT POINT: before it the directory holds no log, and a rebuild is begun again.
    transaction.commit()?;
    Ok(())
}
