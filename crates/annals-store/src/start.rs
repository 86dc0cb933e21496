//! How a store starts: everything that is not on the disk is worked out again from what is.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::time::Instant;

use annals_event::Timestamp;
use annals_merkle::{CompactRange, Hash};
use rusqlite::Connection;

use crate::blocks::Blocks;
use crate::bucket::copy::ManifestCopy;
use crate::bucket::probe::{Nodes, probe};
use crate::bucket::{Bucket, Remote, claim};
use crate::control::Control;
use crate::database::{self, Location, Readers, hex, meta, set_meta};
use crate::directory::Directory;
use crate::files::Blobs;
use crate::journal::{Header, to_u32};
use crate::manifest::{self, Listed};
use crate::quarantine::{self, Quarantined};
use crate::queue::Queue;
use crate::recent::{LogState, Recent, SegmentId, damaged};
use crate::scrub::{Progress, Scrubber};
use crate::seal::Sealer;
use crate::sealed_keys;
use crate::segment::{Segment, is_away};
use crate::shared::Shared;
use crate::{Options, Slot, StoreError};

/// Slots of organizations begin here or up to a million later, so that their numbers do not tell how
/// many there are.
const SLOT_START: u32 = 100_000;

/// The folder with the files of segments.
pub(crate) const SEGMENTS: &str = "segments";

/// What a start makes ready.
pub(crate) struct Started {
    pub(crate) shared: Arc<Shared>,
    pub(crate) control: Arc<Control>,
    pub(crate) connection: Connection,
    pub(crate) directory: Directory,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) scrubber: Arc<Scrubber>,
    /// The logs that grew after the tables were last brought up to date.
    pub(crate) dirty: BTreeSet<Slot>,
    /// The group up to which the tables are up to date.
    pub(crate) applied: u32,
}

pub(crate) fn start(dir: &Path, options: &Options) -> Result<Started, StoreError> {
    let directory = Directory::lock(dir)?;
    let location = Location::new(dir, options.vfs.as_deref());
    let mut connection = location.open_writer(options)?;
    database::migrate(&mut connection)?;
    let is_new = meta(&connection, "origin")?.is_none();
    // The key first: data without its key is refused, a key without data is harmless.
    let signing_key = directory.signing_key(is_new)?;
    let installation = installation(&mut connection, options)?;
    let control = Control::load(&connection, options.clock.clone(), installation.slot_start)?;
    let recent = Recent::new(installation.salt, options.idempotency_seconds);
    let applied = to_u32(number(&connection, "applied_through")?);
    restore_logs(&connection, &recent)?;
    let remote = options.bucket.clone();
    let remote = remote.map(|bucket| Remote::new(bucket, options.bucket_cache_bytes));
    let blobs = Blobs::open(dir.join(SEGMENTS), options.files.clone())?.with_remote(remote);
    let copy_manifest = |bucket: &dyn Bucket| {
        let copy = ManifestCopy::of(&connection, &installation.origin, options.clock.now())?;
        copy.put(bucket, &signing_key)
    };
    settle(&connection, &blobs, &installation.origin, copy_manifest)?;
    let segments = open_segments(&connection, &blobs, &recent)?;
    let scrubbed = Progress::load(&connection)?;
    for of_group in sealed_keys::all(&connection)? {
        recent.restore_keys(of_group.group, of_group.uptime, &of_group.keys);
    }
    let replayed = replay(&connection, &recent, applied)?;
    let now = options.clock.now();
    let quarantined = quarantined(&connection, &recent, &segments, now)?;
    let uptime_before = replayed.uptime.max(number(&connection, "uptime")?);
    let shared = Shared {
        origin: installation.origin,
        signing_key: Arc::new(signing_key),
        clock: options.clock.clone(),
        blocks: Blocks::new(recent, Readers::new(location), options.cache_bytes),
        queue: Queue::new(),
        committed: AtomicU32::new(replayed.committed),
        tables_wanted: AtomicU32::new(0),
        epoch: AtomicU64::new(0),
        full: AtomicBool::new(false),
        stopped: AtomicBool::new(false),
        on_fatal: options.on_fatal.clone(),
        started: Instant::now(),
        uptime_before,
    };
    let next_id = segments
        .iter()
        .map(|of| of.listed.id + 1)
        .max()
        .unwrap_or(1);
    let opened = segments.len();
    for OpenedSegment {
        listed,
        segment,
        is_suspect,
    } in segments
    {
        let known: Vec<Quarantined> = quarantined
            .iter()
            .filter(|known| known.segment == listed.id)
            .cloned()
            .collect();
        if !known.is_empty() || is_suspect {
            // Perhaps somebody has put back what was damaged.
            shared.blocks.quarantine.suspect(listed.id);
        }
        shared.blocks.quarantine.replace(listed.id, known);
        if let Ok(segment) = segment {
            shared.blocks.add_segment(listed.id, segment);
        }
    }
    let shared = Arc::new(shared);
    let sealer = Arc::new(Sealer::new(
        shared.clone(),
        blobs,
        options.sealing.clone().unwrap_or_default(),
        options.idempotency_seconds,
        next_id,
    ));
    let scrubber = Arc::new(Scrubber::new(
        shared.clone(),
        sealer.clone(),
        options.scrubbing.clone().unwrap_or_default(),
        scrubbed,
    ));
    tracing::info!(
        segments = opened,
        groups = replayed.committed,
        replayed = replayed.committed.saturating_sub(applied),
        "the journal is read"
    );
    Ok(Started {
        shared,
        control: Arc::new(control),
        connection,
        directory,
        sealer,
        scrubber,
        dirty: replayed.dirty,
        applied,
    })
}

/// What is drawn once, when the directory is new.
struct Installation {
    origin: String,
    slot_start: Slot,
    salt: [u8; 16],
}

fn installation(
    connection: &mut Connection,
    options: &Options,
) -> Result<Installation, StoreError> {
    if meta(connection, "origin")?.is_none() {
        let random = |bytes: &mut [u8]| getrandom::fill(bytes).map_err(|_| StoreError::Random);
        let (mut id, mut salt, mut start) = ([0; 8], [0; 16], [0; 4]);
        random(&mut id)?;
        random(&mut salt)?;
        random(&mut start)?;
        let origin = options
            .origin
            .clone()
            .unwrap_or_else(|| format!("annals.invalid/{}", hex(&id)));
        let slot_start = SLOT_START + u32::from_be_bytes(start) % 1_000_000;
        let transaction = connection.transaction()?;
        set_meta(&transaction, "origin", origin.as_bytes())?;
        set_meta(
            &transaction,
            "slot_start",
            &u64::from(slot_start).to_be_bytes(),
        )?;
        set_meta(&transaction, "salt", &salt)?;
        transaction.commit()?;
    }
    let broken = |what: &str| StoreError::Damaged {
        place: "the table meta".to_owned(),
        what: format!("{what} is missing or unreadable"),
    };
    let origin = meta(connection, "origin")?
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| broken("origin"))?;
    let salt = meta(connection, "salt")?
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| broken("salt"))?;
    let slot_start =
        u32::try_from(number(connection, "slot_start")?).map_err(|_| broken("slot_start"))?;
    Ok(Installation {
        origin,
        slot_start,
        salt,
    })
}

fn number(connection: &Connection, name: &str) -> Result<u64, StoreError> {
    let bytes = meta(connection, name)?;
    Ok(bytes
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u64::from_be_bytes))
}

/// Takes sizes, frontiers, seeds and tile hashes from the tables.
fn restore_logs(connection: &Connection, recent: &Recent) -> Result<(), StoreError> {
    let mut logs = connection.prepare("select slot, size, recorded_at, frontier from log_state")?;
    let mut tiles =
        connection.prepare("select tile, seed, hash from tile where slot = ? order by tile")?;
    let mut rows = logs.query([])?;
    while let Some(row) = rows.next()? {
        let slot: Slot = row.get(0)?;
        let size: u64 = row.get(1)?;
        let frontier = CompactRange::decode(row.get_ref(3)?.as_blob().unwrap_or_default())
            .map_err(|_| damaged(0, slot, size, "the frontier is unreadable"))?;
        let mut of_log = Vec::new();
        let mut tile_rows = tiles.query([slot])?;
        while let Some(tile) = tile_rows.next()? {
            if tile.get::<_, u64>(0)? != of_log.len() as u64 {
                return Err(damaged(0, slot, size, "a tile is missing"));
            }
            of_log.push((tile.get::<_, [u8; 32]>(1)?, tile.get::<_, Option<Hash>>(2)?));
        }
        let log = LogState::restore(size, row.get(2)?, frontier, of_log)
            .map_err(|what| damaged(0, slot, size, what))?;
        recent.restore(slot, log);
    }
    Ok(())
}

/// A segment that counts, or why it cannot be opened.
struct OpenedSegment {
    listed: Listed,
    segment: Result<Arc<Segment>, String>,
    /// Whether somebody should look at it.
    is_suspect: bool,
}

/// Opens the segments that count and deletes the files of others. One that cannot be opened is reported and
/// left alone: its positions cannot be read, everything else can.
fn open_segments(
    connection: &Connection,
    blobs: &Blobs,
    recent: &Recent,
) -> Result<Vec<OpenedSegment>, StoreError> {
    let all = manifest::list(connection)?;
    let mut segments = Vec::new();
    for listed in all.iter().cloned() {
        let opened = manifest::open(blobs, &listed).and_then(|opened| {
            let entries = opened
                .segment
                .directory()
                .map_err(|flaw| manifest::damaged(listed.id, &flaw))?;
            Ok((opened, entries))
        });
        match opened {
            Ok((opened, entries)) => {
                recent.place(listed.id, &entries, &[], listed.groups.1);
                segments.push(OpenedSegment {
                    listed,
                    segment: Ok(Arc::new(opened.segment)),
                    is_suspect: opened.is_indexed_anew,
                });
            }
            Err(error @ StoreError::NewerFormat { .. }) => return Err(error),
            // Nobody answers, which says nothing about what is stored. Soon it will be there again; until then a start
            // would only hide most of the log.
            Err(error @ StoreError::Bucket { .. }) => return Err(error),
            Err(StoreError::File { path, source }) if is_away(&source) => {
                return Err(StoreError::File { path, source });
            }
            Err(error) => {
                let why = cause(&error);
                tracing::error!(segment = listed.id, why, "a segment cannot be opened");
                recent.place(listed.id, &[], &[], listed.groups.1);
                segments.push(OpenedSegment {
                    listed,
                    segment: Err(why),
                    is_suspect: true,
                });
            }
        }
    }
    blobs.delete_others(&all)?;
    Ok(segments)
}

/// Makes sure that the segments are where this start was told, and that this place is ours. What is still on the
/// disk moves into the bucket, if there is one.
fn settle(
    connection: &Connection,
    blobs: &Blobs,
    origin: &str,
    copy_manifest: impl FnOnce(&dyn Bucket) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let Some(remote) = blobs.remote() else {
        return claim::refuse_without(connection);
    };
    let bucket = remote.bucket();
    let refused = |what: String| StoreError::Bucket {
        place: bucket.place().to_owned(),
        what,
    };
    let probed = probe(bucket).map_err(|error| refused(error.to_string()))?;
    let warning = probed.allows(Nodes::One);
    if let Some(warning) = warning.map_err(|error| refused(error.to_string()))? {
        tracing::warn!(
            place = bucket.place(),
            "this object store is good enough for one server only, never for several: {warning}"
        );
    }
    let listed = manifest::list(connection)?;
    let here: Vec<_> = listed.iter().filter(|known| blobs.is_here(known)).collect();
    claim::claim(connection, bucket, origin, here.len() == listed.len())?;
    claim::refuse_the_past(connection, bucket)?;
    for segment in here {
        let name = segment.file_name();
        let file = blobs.get(&name)?;
        let is_whole = manifest::is_as_written(&file, &segment.file);
        if !is_whole.map_err(|error| manifest::damaged(segment.id, &error.into()))? {
            return Err(StoreError::Damaged {
                place: format!("{SEGMENTS}/{name}"),
                what: "it is not as it was written, and does not move into the object store; put it back from a backup"
                    .to_owned(),
            });
        }
        blobs.publish(segment)?;
        tracing::info!(segment = segment.id, "moved into the bucket");
    }
    // A crash may have come between a commit and its copy. And one that is there has to be ours: otherwise somebody
    // else went on from where this directory was copied.
    copy_manifest(bucket)
}

/// An error with what is behind it.
fn cause(error: &StoreError) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// What cannot be read: what the table has of segments that are open, and everything that lies in others. That is
/// written down as well.
fn quarantined(
    connection: &Connection,
    recent: &Recent,
    segments: &[OpenedSegment],
    now: Timestamp,
) -> Result<Vec<Quarantined>, StoreError> {
    let known = quarantine::list(connection)?;
    let mut all = Vec::new();
    for of_segment in segments.iter().filter(|segment| segment.segment.is_ok()) {
        let id = of_segment.listed.id;
        all.extend(known.iter().filter(|known| known.segment == id).cloned());
    }
    let unopened = |after: u32, before: u32| {
        segments.iter().find_map(|segment| {
            let groups = segment.listed.groups;
            let why = segment.segment.as_ref().err()?;
            (groups.0 > after && groups.1 < before).then_some((&segment.listed, why))
        })
    };
    let groups_of = |id: SegmentId| {
        let segment = segments.iter().find(|segment| segment.listed.id == id);
        segment.map_or((0, 0), |segment| segment.listed.groups)
    };
    for (slot, log) in recent.all() {
        let log = crate::recent::read(&log);
        let sealed = log.spans.first().map_or(log.size, |span| span.first);
        let (mut at, mut after) = (0, 0);
        let extents = log.extents.iter().map(|extent| {
            let (first, end) = (extent.entry.first, extent.entry.end());
            (first, end, groups_of(extent.segment))
        });
        for (first, end, groups) in extents.chain([(sealed, sealed, (u32::MAX, u32::MAX))]) {
            if at < first
                && let Some((listed, why)) = unopened(after, groups.0)
            {
                let same = |known: &&Quarantined| {
                    (known.segment, known.slot, known.positions.start) == (listed.id, slot, at)
                };
                all.push(Quarantined {
                    segment: listed.id,
                    slot,
                    positions: at..first,
                    rows: 0..listed.rows,
                    since: known.iter().find(same).map_or(now, |known| known.since),
                    reason: why.clone(),
                });
            }
            (at, after) = (end, groups.1);
        }
    }
    all.sort_by_key(|known| (known.segment, known.slot, known.positions.start));
    for of_segment in segments.iter().filter(|segment| segment.segment.is_err()) {
        let id = of_segment.listed.id;
        let of_this: Vec<Quarantined> = all
            .iter()
            .filter(|known| known.segment == id)
            .cloned()
            .collect();
        quarantine::store(connection, id, &of_this)?;
    }
    Ok(all)
}

struct Replayed {
    committed: u32,
    uptime: u64,
    dirty: BTreeSet<Slot>,
}

/// Applies every group of the journal: those after `applied` wholly, of the others the directory.
fn replay(connection: &Connection, recent: &Recent, applied: u32) -> Result<Replayed, StoreError> {
    let mut replayed = Replayed {
        committed: recent.sealed_through(),
        uptime: 0,
        dirty: BTreeSet::new(),
    };
    let mut groups =
        connection.prepare("select group_id, header from journal order by group_id")?;
    let mut rows = groups.query([])?;
    while let Some(row) = rows.next()? {
        let group: u32 = row.get(0)?;
        if group != replayed.committed + 1 {
            return Err(damaged(
                replayed.committed + 1,
                0,
                0,
                "the group is missing",
            ));
        }
        let bytes = row.get_ref(1)?.as_blob().unwrap_or_default();
        let decode = if group <= applied {
            Header::decode_without_trees
        } else {
            Header::decode
        };
        let header = decode(bytes).map_err(|malformed| damaged(group, 0, 0, malformed.0))?;
        recent.apply(group, &header, Vec::new(), group <= applied)?;
        if group > applied {
            replayed
                .dirty
                .extend(header.parts.iter().map(|part| part.slot));
        }
        replayed.committed = group;
        replayed.uptime = replayed.uptime.max(header.uptime);
    }
    if replayed.committed < applied {
        return Err(damaged(
            applied,
            0,
            0,
            "the tables are ahead of the journal",
        ));
    }
    Ok(replayed)
}
