//! Sealing: events move from the journal into segments, and small segments into larger ones.
//!
//! Both go the same way. What is to be done is planned (purely); every entry is rebuilt and compared with what was hashed at the
//! commit; the new file is written and made durable; it is read back, and every event is put together again and compared with the one
//! that was hashed; then one transaction puts the new file into the manifest and takes out what it replaces. Before that
//! transaction the new file does not exist, after it the old rows or files do not, so a crash at any moment
//! leaves each event in exactly one place. What a crash leaves lying about is deleted at the next start.

mod apart;
mod copies;
mod gather;
mod merge;
mod plan;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::Transaction;

use crate::bucket::copy;
use crate::control::ControlError;
use crate::files::{BlobWriter, Blobs};
use crate::manifest::{self, Listed, damaged, file_name, index_name};
use crate::recent::{SegmentId, Unsealed};
use crate::sealed_keys::{self, OfGroup};
use crate::segment::{Cursor, Flaw, Index, Marks, Segment};
use crate::shared::Shared;
use crate::store::submit_change;
use crate::{Sealing, StoreError};

use apart::{apart, side_by_side};
use copies::Copies;
use gather::Gathered;

/// How often it is looked whether something is due.
const TICK: Duration = Duration::from_millis(200);

/// From so many events between two looks on it is a burst, which goes first.
const BUSY: u64 = 1000;

/// How long after the last such look the burst is over: who loads much takes breath in between.
const BREATH: Duration = Duration::from_secs(1);

/// How long nothing is tried after a failure.
const PAUSE: Duration = Duration::from_secs(30);

/// What seals and merges.
pub(crate) struct Sealer {
    shared: Arc<Shared>,
    blobs: Blobs,
    sealing: Sealing,
    /// How long an idempotency key is remembered, in seconds of uptime.
    idempotency_seconds: u64,
    next_id: AtomicU32,
    /// Held by whoever seals, and by whoever merges.
    sealing_now: Mutex<()>,
    merging_now: Mutex<()>,
    /// After a failure one segment is made at a time: what comes after groups that cannot be sealed is made in vain.
    has_failed: AtomicBool,
    /// Whether the last look at what is due found nothing.
    nothing_to_seal: AtomicBool,
    nothing_to_merge: AtomicBool,
    copies: Mutex<Copies>,
    /// The last change was not copied. Beside the lock, which is held while the network is waited for.
    copy_is_behind: AtomicBool,
    stopping: AtomicBool,
}

/// How far events have moved from the journal into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// Events that are in the journal and in no segment.
    pub unsealed_events: u64,
    /// How many segments there are.
    pub segments: u64,
    /// What they and their indexes take, in bytes.
    pub segment_bytes: u64,
    /// Whether something is being sealed, merged or copied, or is about to be.
    pub is_due: bool,
}

/// Whether so much is being recorded that sealing and merging wait.
#[derive(Default)]
struct Burst {
    recorded: Option<u64>,
    seen: Option<Instant>,
}

impl Burst {
    /// Looks how many events were recorded since the start.
    fn note(&mut self, recorded: u64) {
        let before = self.recorded.replace(recorded).unwrap_or(recorded);
        if recorded - before >= BUSY {
            self.seen = Some(Instant::now());
        }
    }

    fn goes_on(&self) -> bool {
        self.seen.is_some_and(|seen| seen.elapsed() < BREATH)
    }
}

/// A segment that is written, durable and compared, but does not count yet.
struct Ready {
    listed: Listed,
    segment: Arc<Segment>,
}

/// A segment of groups of the journal, as it lies on this disk, with the idempotency keys that outlive them.
struct Made {
    listed: Listed,
    keys: Vec<OfGroup>,
}

impl Sealer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        blobs: Blobs,
        sealing: Sealing,
        idempotency_seconds: u64,
        next_id: SegmentId,
    ) -> Sealer {
        Sealer {
            shared,
            blobs,
            sealing,
            idempotency_seconds,
            next_id: AtomicU32::new(next_id),
            sealing_now: Mutex::default(),
            merging_now: Mutex::default(),
            has_failed: AtomicBool::new(false),
            nothing_to_seal: AtomicBool::new(true),
            nothing_to_merge: AtomicBool::new(true),
            copies: Mutex::default(),
            copy_is_behind: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        }
    }

    /// Works in the background until it is told to stop.
    pub(crate) fn spawn(self: &Arc<Sealer>) -> std::io::Result<Vec<JoinHandle<()>>> {
        let spawn = |name: &str, work: fn(&Sealer)| {
            let sealer = self.clone();
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(move || work(&sealer))
        };
        Ok(vec![
            spawn("annals-sealer", Sealer::seal_what_is_due)?,
            spawn("annals-merger", Sealer::merge_what_is_due)?,
        ])
    }

    /// Ends both threads, soon.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// The files of segments.
    pub(crate) fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    fn is_stopping(&self) -> bool {
        self.shared.is_stopping(&self.stopping)
    }

    /// Waits, but not for longer than until it is told to stop.
    fn pause(&self, how_long: Duration) {
        self.shared.pause(how_long, &self.stopping);
    }

    fn seal_what_is_due(&self) {
        self.work("sealing", Sealer::seal_due, &self.nothing_to_seal);
    }

    fn merge_what_is_due(&self) {
        self.work("merging", Sealer::merge_due, &self.nothing_to_merge);
    }

    /// Does what is due until it is told to stop. `nothing_due` says whether the last look found nothing.
    fn work(
        &self,
        what: &str,
        due: impl Fn(&Sealer, bool) -> Result<bool, StoreError>,
        nothing_due: &AtomicBool,
    ) {
        let mut burst = Burst::default();
        while !self.is_stopping() {
            burst.note(self.shared.blocks.recent.recorded());
            match due(self, burst.goes_on()) {
                Ok(true) => {}
                Ok(false) => {
                    // What waits for the end of a burst is about to be due.
                    nothing_due.store(!burst.goes_on(), Ordering::SeqCst);
                    self.pause(TICK);
                }
                Err(error) => self.report(what, &error),
            }
        }
    }

    fn report(&self, what: &str, error: &StoreError) {
        if !self.is_stopping() {
            tracing::error!(%error, "{what} failed; nothing is lost, it is tried again later");
            self.pause(PAUSE);
        }
    }

    fn seal_due(&self, is_busy: bool) -> Result<bool, StoreError> {
        if self.shared.full.load(Ordering::SeqCst) {
            return Ok(false);
        }
        let _turn = turn(&self.sealing_now);
        self.catch_up(&mut turn(&self.copies))?;
        let now = self.shared.clock.now().as_micros();
        let due = plan::due(
            &self.shared.blocks.recent.unsealed(),
            now,
            &self.sealing,
            is_busy,
        );
        if due.is_empty() {
            return Ok(false);
        }
        self.nothing_to_seal.store(false, Ordering::SeqCst);
        self.seal(&due, self.unsealed_events() > self.sealing.backlog)?;
        Ok(true)
    }

    fn unsealed_events(&self) -> u64 {
        let unsealed = self.shared.blocks.recent.unsealed();
        unsealed.iter().map(|group| u64::from(group.events)).sum()
    }

    /// How sealing and merging stand.
    pub(crate) fn upkeep(&self) -> Result<Upkeep, StoreError> {
        let segments = self.shared.blocks.with_reader(manifest::list)?;
        Ok(Upkeep {
            unsealed_events: self.unsealed_events(),
            segments: segments.len() as u64,
            segment_bytes: segments
                .iter()
                .map(|listed| listed.file.bytes + listed.index.bytes)
                .sum(),
            is_due: !self.nothing_to_seal.load(Ordering::SeqCst)
                || !self.nothing_to_merge.load(Ordering::SeqCst)
                || self.copy_is_behind(),
        })
    }

    /// Seals everything that is committed now, and merges what is due then.
    pub(crate) fn seal_all(&self) -> Result<(), StoreError> {
        let through = self.shared.committed.load(Ordering::SeqCst);
        loop {
            let _turn = turn(&self.sealing_now);
            let mut unsealed = self.shared.blocks.recent.unsealed().clone();
            unsealed.retain(|unsealed| unsealed.group <= through);
            let next = plan::next(&unsealed, &self.sealing);
            if next.is_empty() {
                break;
            }
            self.seal(&next, true)?;
        }
        while self.merge_due(false)? {}
        Ok(())
    }

    /// Moves these groups of the journal into segments. The files are made side by side, and count one after the other.
    fn seal(&self, segments: &[Vec<Unsealed>], urgent: bool) -> Result<(), StoreError> {
        let listed = self.shared.blocks.with_reader(manifest::list)?;
        let before = listed.last().map(|last| last.level);
        let levels = plan::levels(segments, before, &self.sealing);
        let mut pieces: Vec<_> = segments.iter().zip(levels).collect();
        if self.has_failed.load(Ordering::SeqCst) {
            pieces.truncate(1);
        }
        let make = |(groups, level): &(&Vec<Unsealed>, u32)| self.make(groups, *level);
        let mut made = side_by_side("annals-seal", urgent, &pieces, make).into_iter();
        let result = made.by_ref().try_for_each(|made| self.count(made?));
        // What comes after groups that could not be sealed does not count either.
        made.flatten().for_each(|made| self.delete(made.listed.id));
        self.has_failed.store(result.is_err(), Ordering::SeqCst);
        result
    }

    /// Makes a segment of these groups, which follow on each other.
    fn make(&self, groups: &[Unsealed], level: u32) -> Result<Made, StoreError> {
        let (first, last) = groups
            .first()
            .zip(groups.last())
            .ok_or(StoreError::Stopped)?;
        let span = (first.group, last.group);
        let gathered = Gathered::read(self, span)?;
        let keys = gathered.keys();
        let id = self.next_id.fetch_add(1, Ordering::SeqCst);
        let listed = self.write(id, span, level, |out| gathered.write(self, id, out))?;
        Ok(Made { listed, keys })
    }

    /// Lets a segment count instead of the groups that it was made of.
    fn count(&self, made: Made) -> Result<(), StoreError> {
        let Made { listed, keys } = made;
        let (id, span) = (listed.id, listed.groups);
        let forget_before = self
            .shared
            .uptime()
            .saturating_sub(self.idempotency_seconds);
        let ready = self.publish(listed)?;
        self.shared.tables_wanted.store(span.1, Ordering::SeqCst);
        self.commit(ready, Vec::new(), move |transaction| {
            sealed_keys::keep(transaction, span.1, &keys, forget_before)?;
            transaction
                .prepare_cached("delete from journal where group_id between ? and ?")?
                .execute([span.0, span.1])?;
            Ok(())
        })?;
        tracing::debug!(segment = id, groups = span.1 - span.0 + 1, "sealed");
        Ok(())
    }

    /// Writes a segment and its index, makes both durable, and compares every entry with what was hashed.
    fn write(
        &self,
        id: SegmentId,
        groups: (u32, u32),
        level: u32,
        fill: impl FnOnce(BlobWriter) -> Result<(BlobWriter, Marks), StoreError>,
    ) -> Result<Listed, StoreError> {
        let result = self.write_files(id, groups, level, fill);
        if result.is_err() {
            self.delete(id);
        }
        result
    }

    fn write_files(
        &self,
        id: SegmentId,
        groups: (u32, u32),
        level: u32,
        fill: impl FnOnce(BlobWriter) -> Result<(BlobWriter, Marks), StoreError>,
    ) -> Result<Listed, StoreError> {
        let (file, marks) = self.blobs.put(&file_name(id), fill)?;
        let source = self.blobs.get(&file_name(id))?;
        let flawed = |flaw: Flaw| damaged(id, &flaw);
        let plain = Segment::open(source.clone(), None).map_err(flawed)?;
        let mut cursor = Cursor::new(&plain, true).map_err(flawed)?;
        while cursor.read_back(&marks).map_err(flawed)? {
            self.go_on()?;
        }
        let bytes = cursor.into_index().map_err(flawed)?;
        let (index, ()) = self.blobs.put(&index_name(id), |mut out| {
            use std::io::Write as _;
            let written = out.write_all(&bytes);
            written.map_err(|error| flawed(error.into()))?;
            Ok((out, ()))
        })?;
        Ok(Listed {
            id,
            groups,
            level,
            rows: marks.rows,
            file,
            index,
        })
    }

    /// Brings a segment to where it is read from, and opens it there.
    fn publish(&self, listed: Listed) -> Result<Ready, StoreError> {
        let opened = self.blobs.publish(&listed).and_then(|()| {
            let flawed = |flaw: Flaw| damaged(listed.id, &flaw);
            let index = self.blobs.index_of(&listed)?;
            let index = Index::open(index, listed.file.bytes).map_err(flawed)?;
            let source = self.blobs.file_of(&listed)?;
            Segment::open(source, Some(index)).map_err(flawed)
        });
        match opened {
            Ok(segment) => Ok(Ready {
                listed,
                segment: Arc::new(segment),
            }),
            Err(error) => {
                // Nobody knows how much of it is there.
                self.retire(&mut turn(&self.copies), vec![listed]);
                Err(error)
            }
        }
    }

    /// Lets a segment count from now on, instead of those that it replaces.
    fn commit(
        &self,
        ready: Ready,
        replaced: Vec<Listed>,
        also: impl Fn(&Transaction<'_>) -> Result<(), rusqlite::Error> + Send + Clone + 'static,
    ) -> Result<(), StoreError> {
        let Ready { listed, segment } = ready;
        let ids: Vec<SegmentId> = replaced.iter().map(|old| old.id).collect();
        // The bucket is never behind by more than one change: so two processes that go on from the same state meet at
        // the same version of the manifest, and the second one is found out.
        let mut copies = turn(&self.copies);
        let result = self
            .catch_up(&mut copies)
            .and_then(|()| self.commit_when_ready(&listed, &segment, &ids, &also));
        match &result {
            Ok(()) => {
                self.retire(&mut copies, replaced);
                if let Err(error) = self.copy_manifest(&mut copies) {
                    tracing::error!(%error, "the manifest is not copied; it is tried again later");
                }
            }
            // Whether it was committed is not known, and the next start will tell.
            Err(StoreError::Stopped) => {}
            Err(_) => self.retire(&mut copies, vec![listed]),
        }
        result
    }

    fn commit_when_ready(
        &self,
        listed: &Listed,
        segment: &Arc<Segment>,
        replaced: &[SegmentId],
        also: &(impl Fn(&Transaction<'_>) -> Result<(), rusqlite::Error> + Send + Clone + 'static),
    ) -> Result<(), StoreError> {
        let entries = segment
            .directory()
            .map_err(|flaw| damaged(listed.id, &flaw))?;
        let has_bucket = self.blobs.remote().is_some();
        loop {
            let change = {
                let (listed, replaced, also) = (listed.clone(), replaced.to_vec(), also.clone());
                move |transaction: &Transaction<'_>| {
                    // What a start needs to know of these groups must be in the tables before they go.
                    if !tables_reach(transaction, listed.groups.1)? {
                        return Ok(false);
                    }
                    for old in &replaced {
                        manifest::remove(transaction, *old)?;
                    }
                    manifest::insert(transaction, &listed)?;
                    if has_bucket {
                        copy::count(transaction)?;
                    }
                    also(transaction)?;
                    Ok(true)
                    // COMMIT POINT, in `Writer::write`: the segment counts from here on, and what it
                    // replaces does not.
                }
            };
            let applied = {
                let (listed, replaced) = (listed.clone(), replaced.to_vec());
                let (shared, segment) = (self.shared.clone(), segment.clone());
                let entries = entries.clone();
                move |done: &bool| {
                    if *done {
                        let blocks = &shared.blocks;
                        blocks.add_segment(listed.id, segment);
                        blocks
                            .recent
                            .place(listed.id, &entries, &replaced, listed.groups.1);
                        blocks.drop_segments(&replaced);
                        for old in &replaced {
                            blocks.quarantine.replace(*old, Vec::new());
                        }
                    }
                }
            };
            let change = move |transaction: &Transaction<'_>| {
                let result: Result<bool, rusqlite::Error> = change(transaction);
                result.map_err(ControlError::from)
            };
            let done = submit_change(
                &self.shared,
                Default::default(),
                Vec::new(),
                change,
                applied,
            );
            match done.wait() {
                Ok(true) => return Ok(()),
                Ok(false) => self.go_on()?,
                Err(ControlError::Store(error)) => return Err(error),
                Err(error) => {
                    return Err(StoreError::Damaged {
                        place: "the manifest".to_owned(),
                        what: error.to_string(),
                    });
                }
            }
        }
    }

    /// Deletes the files of a segment that does not count. What remains is deleted at the next start.
    fn delete(&self, id: SegmentId) {
        for name in [file_name(id), index_name(id)] {
            if let Err(error) = self.blobs.delete(&name) {
                tracing::warn!(%error, name, "a file that is of no use cannot be deleted");
            }
        }
    }

    /// Fails if there is no time left.
    fn go_on(&self) -> Result<(), StoreError> {
        match self.is_stopping() {
            true => Err(StoreError::Stopped),
            false => Ok(()),
        }
    }
}

fn turn<T>(lock: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the tables hold sizes, seeds and hashes up to this group.
fn tables_reach(transaction: &Transaction<'_>, group: u32) -> Result<bool, rusqlite::Error> {
    let applied: Option<[u8; 8]> = transaction
        .prepare_cached("select value from meta where name = 'applied_through'")?
        .query_row([], |row| row.get(0))
        .map(Some)
        .or_else(|error| match error {
            rusqlite::Error::QueryReturnedNoRows => Ok(None),
            error => Err(error),
        })?;
    Ok(applied.map_or(0, u64::from_be_bytes) >= u64::from(group))
}
