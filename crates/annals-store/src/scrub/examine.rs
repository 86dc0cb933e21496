//! One segment, read again from beginning to end.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use annals_event::Seed;
use bytes::Bytes;
use rusqlite::OptionalExtension as _;

use super::{Pace, Scrubber, TICK};
use crate::files::Written;
use crate::journal::to_usize;
use crate::manifest::{self, Listed, damaged, is_as_written};
use crate::quarantine::{self, Quarantined};
use crate::recent::read;
use crate::segment::{BadPage, Cursor, Flaw, FlawKind, Index, ReadAt, Segment, Share, is_away};
use crate::{Slot, StoreError};

/// What a Parquet file begins with. No checksum covers it, because nothing of ours reads it.
const MAGIC: &[u8] = b"PAR1";

/// What is wrong with a segment.
enum Found {
    /// Nothing.
    Sound,
    /// These pages; the others are as they were written.
    Pages(Vec<BadPage>),
    /// Only what every page can do without: it can be written anew.
    Frame(Flaw),
    /// So much that nothing in it can be believed.
    Whole(Flaw),
}

/// How a segment is read: with pauses, and counted.
struct Reading {
    bytes: Arc<AtomicU64>,
    bytes_per_second: Option<u64>,
    stopping: Arc<AtomicBool>,
}

/// A file that is read so.
struct Watched {
    source: Arc<dyn ReadAt>,
    reading: Arc<Reading>,
}

impl Reading {
    /// Waits as long as reading so many bytes should have taken, unless it is to stop.
    fn rest(&self, bytes: u64) {
        let Some(per_second) = self.bytes_per_second else {
            return;
        };
        let micros = bytes.saturating_mul(1_000_000) / per_second.max(1);
        let mut left = Duration::from_micros(micros);
        while !left.is_zero() && !self.stopping.load(Ordering::SeqCst) {
            let step = left.min(TICK);
            thread::sleep(step);
            left -= step;
        }
    }
}

impl ReadAt for Watched {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let read = self.source.read_at(offset, length)?;
        let bytes = read.len() as u64;
        self.reading.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.reading.rest(bytes);
        Ok(read)
    }

    fn expect(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        self.source.expect(ranges)
    }

    fn size(&self) -> u64 {
        self.source.size()
    }
}

impl Scrubber {
    /// Reads a segment from a page on, and acts on what is wrong with it. `reached` is told each page that is done.
    pub(super) fn examine(
        &self,
        listed: &Listed,
        from: usize,
        pace: Pace,
        reached: &mut dyn FnMut(usize),
    ) -> Result<(), StoreError> {
        let found = self.look(listed, from, pace, reached)?;
        // It may have been merged away meanwhile, and its files with it.
        if !self.listed()?.contains(listed) {
            return Ok(());
        }
        let blocks = &self.shared.blocks;
        let before = pages_before(listed, from);
        let known = blocks.quarantine.of_segment(listed.id);
        match found {
            Found::Sound => {
                let rest = known.into_iter().filter(|known| known.rows.end <= before);
                self.quarantine(listed, rest.collect(), true)
            }
            Found::Pages(pages) => {
                let rest = known.into_iter().filter(|known| known.rows.end <= before);
                let found = pages.iter().flat_map(|bad| {
                    bad.logs
                        .iter()
                        .map(|share| self.stretch(listed, share, &bad.flaw))
                });
                self.quarantine(listed, rest.chain(found).collect(), true)
            }
            Found::Frame(flaw) => {
                tracing::warn!(
                    segment = listed.id,
                    what = flaw.0,
                    "a segment is written anew"
                );
                self.sealer.renew(listed)
            }
            Found::Whole(flaw) => {
                // From an open one it can be written anew, if every entry in it still is what was hashed.
                if blocks.segment(listed.id).is_some() {
                    match self.sealer.renew(listed) {
                        Err(StoreError::Damaged { .. }) => {}
                        Err(error) => return Err(error),
                        Ok(()) => {
                            let what = flaw.0;
                            tracing::warn!(segment = listed.id, what, "a segment was written anew");
                            return Ok(());
                        }
                    }
                }
                let shares = match blocks.segment(listed.id) {
                    Some(segment) => shares_of(&segment),
                    None => return Ok(()),
                };
                let found = shares
                    .iter()
                    .map(|share| self.stretch(listed, share, &flaw));
                self.quarantine(listed, found.collect(), false)
            }
        }
    }

    fn look(
        &self,
        listed: &Listed,
        from: usize,
        pace: Pace,
        reached: &mut dyn FnMut(usize),
    ) -> Result<Found, StoreError> {
        let reading = Arc::new(Reading {
            bytes: self.bytes.clone(),
            bytes_per_second: (pace == Pace::Slow).then_some(self.scrubbing.bytes_per_second),
            stopping: self.stopping.clone(),
        });
        let watched = |source: Result<Arc<dyn ReadAt>, StoreError>| match source {
            Ok(source) => {
                let reading = reading.clone();
                Ok(Ok(Arc::new(Watched { source, reading }) as Arc<dyn ReadAt>))
            }
            Err(StoreError::Damaged { what, .. }) => Ok(Err(Flaw::new(what))),
            Err(StoreError::File { path, source }) if !is_away(&source) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Ok(Err(Flaw::new(format!("{name}: {source}"))))
            }
            Err(error) => Err(error),
        };
        // What could not be read because nobody answers says nothing about what is stored.
        let judged = |flaw: Flaw| match flaw.1 {
            FlawKind::Damaged => Ok(flaw),
            FlawKind::Away => Err(damaged(listed.id, &flaw)),
        };
        let is_sound =
            |source: &Arc<dyn ReadAt>, written: &Written| match is_as_written(source, written) {
                Err(error) => judged(error.into()).map(|_| false),
                Ok(is_sound) => Ok(is_sound),
            };
        let blobs = self.sealer.blobs();
        let file = match watched(blobs.file_afresh(listed))? {
            Ok(file) if file.size() == listed.file.bytes => file,
            Ok(_) => return Ok(Found::Whole(Flaw::new("the file has another length"))),
            Err(flaw) => return Ok(Found::Whole(flaw)),
        };
        let index = match watched(blobs.index_of(listed))? {
            Ok(source) => match is_sound(&source, &listed.index)? {
                true => Index::open(source, file.size()),
                false => Err(Flaw::new("the index is not as it was written")),
            },
            Err(flaw) => Err(flaw),
        };
        let (index, mut frame) = match index {
            Ok(index) => (Some(index), None),
            // The file alone says whether it is what was written.
            Err(flaw) => match judged(flaw)? {
                flaw if is_sound(&file, &listed.file)? => (None, Some(flaw)),
                flaw => return Ok(Found::Whole(flaw)),
            },
        };
        let segment = match Segment::open(file.clone(), index.clone()) {
            Ok(segment) => segment,
            Err(flaw) => return Ok(Found::Whole(judged(flaw)?)),
        };
        let seeds = |slot: Slot, tile: u64| -> Option<Seed> {
            let log = self.shared.blocks.recent.log(slot)?;
            let seed = read(&log).seeds.get(to_usize(tile)).copied();
            seed.map(Seed)
        };
        // From where it lies, and not from the blocks that were read before.
        let once_more = |page| {
            let file = watched(blobs.file_afresh(listed)).ok()?.ok()?;
            let segment = Segment::open(file, index.clone()).ok()?;
            let cursor = Cursor::new(&segment, false).ok()?;
            cursor.with_seeds(&seeds, page).next_page()
        };
        let mut page = from;
        let mut bad_pages = Vec::new();
        let mut pages = match Cursor::new(&segment, false) {
            Ok(cursor) => cursor.with_seeds(&seeds, page),
            Err(flaw) => return Ok(Found::Whole(judged(flaw)?)),
        };
        while let Some(result) = pages.next_page() {
            if self.is_stopping() {
                return Err(StoreError::Stopped);
            }
            // Once more before something is called damaged.
            let result = match result {
                Err(bad) => once_more(page).unwrap_or(Err(bad)),
                result => result,
            };
            match result {
                Ok(page) => {
                    self.rows
                        .fetch_add(page.rows.len() as u64, Ordering::Relaxed);
                }
                Err(bad) => {
                    judged(bad.flaw.clone())?;
                    bad_pages.push(bad);
                }
            }
            self.pages.fetch_add(1, Ordering::Relaxed);
            page += 1;
            // What is damaged is written down at the end; whoever does not come that far begins there again.
            if bad_pages.is_empty() {
                reached(page);
            }
            // Somebody waits for what is in doubt, and this takes its time.
            while pace == Pace::Slow && self.suspect()? {}
        }
        let begins = file.read_at(0, MAGIC.len()).map_err(Flaw::from);
        if begins.or_else(|flaw| judged(flaw).map(|_| Bytes::new()))? != MAGIC {
            frame = frame.or_else(|| Some(Flaw::new("the file does not begin as it should")));
        }
        Ok(match (bad_pages, frame) {
            (bad, _) if !bad.is_empty() => Found::Pages(bad),
            (_, Some(flaw)) => Found::Frame(flaw),
            _ => Found::Sound,
        })
    }

    fn stretch(&self, listed: &Listed, share: &Share, flaw: &Flaw) -> Quarantined {
        Quarantined {
            segment: listed.id,
            slot: share.slot,
            positions: share.positions.clone(),
            rows: share.rows.clone(),
            since: self.shared.clock.now(),
            reason: flaw.0.clone(),
        }
    }

    /// Makes this what is known of a segment. `opens` says that the file can be opened; if it is another one than
    /// the one that is open, because it was put back, it is the one that is read from then on.
    fn quarantine(
        &self,
        listed: &Listed,
        mut found: Vec<Quarantined>,
        opens: bool,
    ) -> Result<(), StoreError> {
        let blocks = &self.shared.blocks;
        let known = blocks.quarantine.of_segment(listed.id);
        // In the order of the table.
        found.sort_by_key(|stretch| (stretch.slot, stretch.positions.start));
        for stretch in &mut found {
            let same = |known: &&Quarantined| {
                known.slot == stretch.slot && known.positions == stretch.positions
            };
            match known.iter().find(same) {
                Some(known) => stretch.since = known.since,
                None => tracing::error!(
                    segment = stretch.segment,
                    log = stretch.slot,
                    first = stretch.positions.start,
                    last = stretch.positions.end - 1,
                    what = stretch.reason,
                    "a stretch of a segment is damaged; nothing is read from it any more"
                ),
            }
        }
        let is_open = blocks.segment(listed.id).is_some();
        if found == known && is_open {
            return Ok(());
        }
        let again = match opens && (!is_open || found.len() < known.len()) {
            true => {
                // Of the damaged one.
                self.sealer.blobs().forget(listed.id);
                let segment = manifest::open(self.sealer.blobs(), listed)?.segment;
                let entries = segment
                    .directory()
                    .map_err(|flaw| manifest::damaged(listed.id, &flaw))?;
                tracing::info!(segment = listed.id, "a segment is as it was written again");
                Some((Arc::new(segment), entries))
            }
            false => None,
        };
        let (id, through, to_store) = (listed.id, listed.groups.1, found.clone());
        let shared = self.shared.clone();
        let change = move |transaction: &rusqlite::Transaction<'_>| {
            let still_counts: Option<u32> = transaction
                .prepare_cached("select 1 from segment where segment_id = ?")?
                .query_row([id], |row| row.get(0))
                .optional()?;
            if still_counts.is_some() {
                quarantine::store(transaction, id, &to_store)?;
            }
            Ok(still_counts.is_some())
        };
        let apply = move |counts: &bool| {
            if !counts {
                return;
            }
            let blocks = &shared.blocks;
            if let Some((segment, entries)) = again {
                blocks.add_segment(id, segment);
                blocks.recent.place(id, &entries, &[id], through);
            }
            blocks.quarantine.replace(id, found);
        };
        self.change(change, apply).map(|_| ())
    }
}

/// The first row of a page.
fn pages_before(listed: &Listed, page: usize) -> u32 {
    let rows = page.saturating_mul(crate::segment::PAGE_ROWS);
    u32::try_from(rows).unwrap_or(u32::MAX).min(listed.rows)
}

/// Everything that a segment holds.
fn shares_of(segment: &Segment) -> Vec<Share> {
    let entries = segment.directory().unwrap_or_default();
    let share = |entry: &crate::segment::Entry| Share {
        slot: entry.slot,
        positions: entry.first..entry.end(),
        rows: entry.row..entry.row_end(),
    };
    entries.iter().map(share).collect()
}
