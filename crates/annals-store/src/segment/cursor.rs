//! A segment from beginning to end, with every entry rebuilt and compared with what was hashed.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use annals_event::{Row, Seed, SeedNodes, TILE};
use annals_merkle::Hash;
use sha2::{Digest as _, Sha256};

use super::directory::Entry;
use super::index::IndexWriter;
use super::read::{Note, ReadRow};
use super::tally::RowValues;
use super::text::TextRuns;
use super::{Flaw, PAGE_ROWS, Segment, Stored};
use crate::Slot;
use crate::journal::to_u32;
use crate::tree::{Run, leaves_of_runs};

/// A row whose entry was rebuilt and hashed.
pub(crate) struct Sealed {
    pub(crate) slot: Slot,
    pub(crate) stored: Stored,
    pub(crate) leaf: Hash,
    /// The seed nodes of its tile.
    pub(crate) seed: Arc<[u8]>,
}

/// Reads page after page. What it gives is what was hashed when the segment was written.
pub(crate) struct Cursor<'a> {
    segment: &'a Segment,
    origin: String,
    directory: Vec<Entry>,
    hashes: Vec<Hash>,
    index: Option<(IndexWriter, TextRuns)>,
    page: usize,
    ready: VecDeque<Sealed>,
    /// The tile whose seed was read last.
    seed: Option<(Slot, u64, Arc<[u8]>)>,
    /// Where else the seed of a tile is known from, if the row that has it cannot be read.
    seeds: Option<&'a KnownSeed<'a>>,
}

/// The seed of a tile, by log and number, as something else than the segment has it.
pub(crate) type KnownSeed<'a> = dyn Fn(Slot, u64) -> Option<Seed> + 'a;

/// A page that is not as it was written, and which rows are on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadPage {
    pub(crate) flaw: Flaw,
    /// Its rows in the file.
    pub(crate) rows: Range<u32>,
    /// The logs that have rows on it, with the positions and the rows of each.
    pub(crate) logs: Vec<Share>,
}

/// What a log has on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) slot: Slot,
    pub(crate) positions: Range<u64>,
    pub(crate) rows: Range<u32>,
}

impl<'a> Cursor<'a> {
    /// Starts at the first row. `with_index` makes an index on the way.
    pub(crate) fn new(segment: &'a Segment, with_index: bool) -> Result<Cursor<'a>, Flaw> {
        Ok(Cursor {
            segment,
            origin: segment.origin()?.to_owned(),
            directory: segment.directory()?,
            hashes: segment.page_hashes()?,
            index: with_index.then(|| (IndexWriter::new(segment.bytes()), TextRuns::new())),
            page: 0,
            ready: VecDeque::new(),
            seed: None,
            seeds: None,
        })
    }

    /// Takes seeds from elsewhere where the segment's own cannot be read, so that a damaged page does not make
    /// the one behind it unreadable. With it the cursor may also begin at a later `page`.
    pub(crate) fn with_seeds(mut self, seeds: &'a KnownSeed<'a>, page: usize) -> Cursor<'a> {
        self.seeds = Some(seeds);
        self.page = page;
        self
    }

    /// The log and position of the row that comes next.
    pub(crate) fn peek(&mut self) -> Result<Option<&Sealed>, Flaw> {
        while self.ready.is_empty() {
            match self.next_page() {
                None => return Ok(None),
                Some(Ok(rows)) => self.ready = rows.into(),
                Some(Err(bad)) => return Err(bad.flaw),
            }
        }
        Ok(self.ready.front())
    }

    pub(crate) fn next(&mut self) -> Result<Option<Sealed>, Flaw> {
        self.peek()?;
        Ok(self.ready.pop_front())
    }

    /// The rows of the next page. After one that is bad it goes on with the one behind it.
    pub(crate) fn next_page(&mut self) -> Option<Result<Vec<Sealed>, BadPage>> {
        let page = self.page;
        let expected = *self.hashes.get(page)?;
        self.page += 1;
        let result = self.read_page(page, &expected);
        Some(result.map_err(|flaw| BadPage {
            flaw,
            rows: self.segment.page_of(to_u32(page * PAGE_ROWS)).1,
            logs: self.shares_of(page),
        }))
    }

    /// The index, once all pages were read.
    pub(crate) fn into_index(self) -> Result<Vec<u8>, Flaw> {
        let sums = self.segment.sums()?;
        Ok(self
            .index
            .map_or_else(Vec::new, |(index, _)| index.finish(&sums)))
    }

    fn read_page(&mut self, page: usize, expected: &Hash) -> Result<Vec<Sealed>, Flaw> {
        let (_, rows) = self.segment.page_of(to_u32(page * PAGE_ROWS));
        let (mut occurred, mut ids) = ((i64::MAX, i64::MIN), (u64::MAX, 0));
        let mut keys = Vec::new();
        let index = &mut self.index;
        let is_wanted = index.is_some();
        let mut note =
            |slot: Slot, stored: &Stored, of_row: &[u64], counted: Option<RowValues<'_>>| {
                let Some((index, texts)) = index.as_mut() else {
                    return;
                };
                index.count(slot, counted);
                let at = match stored {
                    Stored::Redacted(redacted) => redacted.recorded_at.as_micros(),
                    Stored::Event(row) => {
                        texts.add(row);
                        let id = row.skeleton().id.as_str();
                        match super::uuid_millis(id) {
                            Some(millis) => ids = (ids.0.min(millis), ids.1.max(millis)),
                            // The key of the id is the first of them.
                            None => of_row
                                .first()
                                .into_iter()
                                .for_each(|id| index.id(slot, *id)),
                        }
                        row.skeleton().occurred_at.as_micros()
                    }
                };
                occurred = (occurred.0.min(at), occurred.1.max(at));
                keys.extend_from_slice(of_row);
            };
        let read = self.segment.read_all(
            rows.clone(),
            is_wanted.then_some(&mut note as &mut Note<'_>),
        )?;
        if let Some((index, texts)) = index {
            index.page(occurred, ids, &mut keys, texts.take());
        }
        self.check_places(rows.start, &read)?;
        let sealed = self.seal(read)?;
        let mut hash = Sha256::new();
        sealed.iter().for_each(|row| hash.update(row.leaf));
        match Hash::from(hash.finalize()) == *expected {
            true => Ok(sealed),
            false => Err(Flaw::new("the entries are not those that were hashed")),
        }
    }

    /// Compares logs and positions with the directory.
    fn check_places(&self, first_row: u32, rows: &[ReadRow]) -> Result<(), Flaw> {
        let mut entries = self
            .directory
            .iter()
            .skip_while(|entry| entry.row_end() <= first_row)
            .peekable();
        for (row, read) in (first_row..).zip(rows) {
            while entries.next_if(|entry| entry.row_end() <= row).is_some() {}
            let fits = entries.peek().is_some_and(|entry| {
                read.slot == entry.slot
                    && read.stored.position() == entry.first + u64::from(row - entry.row)
            });
            if !fits {
                return Err(Flaw::new("a row is not where the directory says"));
            }
        }
        Ok(())
    }

    /// Hashes the entries of a page, those of all logs at once.
    fn seal(&mut self, read: Vec<ReadRow>) -> Result<Vec<Sealed>, Flaw> {
        let mut places = Vec::with_capacity(read.len());
        let mut events: Vec<Row> = Vec::with_capacity(read.len());
        let mut runs: Vec<RunOfLog> = Vec::new();
        for row in read {
            let seed = self.seed_of(&row)?;
            let redacted = match row.stored {
                Stored::Event(event) => {
                    let follows = |run: &&mut RunOfLog| {
                        run.slot == row.slot && run.end_position == event.position
                    };
                    let tile = event.position / TILE;
                    let run = match runs.last_mut().filter(follows) {
                        Some(run) => run,
                        None => {
                            runs.push(RunOfLog::new(row.slot, &self.origin, &event, events.len()));
                            // Just pushed.
                            let Some(run) = runs.last_mut() else { continue };
                            run
                        }
                    };
                    if run.tile != Some(tile) {
                        run.tile = Some(tile);
                        run.seeds.push(whole_seed(&seed)?);
                    }
                    run.end_position += 1;
                    run.rows.end += 1;
                    events.push(event);
                    None
                }
                Stored::Redacted(redacted) => Some(redacted),
            };
            places.push((row.slot, seed, redacted));
        }
        let hashed: Vec<Run<'_>> = runs
            .iter()
            .map(|run| Run {
                log: &run.log,
                rows: &events[run.rows.clone()],
                seeds: &run.seeds,
            })
            .collect();
        let leaves = leaves_of_runs(&hashed);
        if leaves.len() != events.len() {
            return Err(Flaw::new("an entry cannot be rebuilt"));
        }
        let mut events = events.into_iter().zip(leaves);
        let sealed = places.into_iter().map_while(|(slot, seed, redacted)| {
            let (stored, leaf) = match redacted {
                Some(redacted) => (Stored::Redacted(redacted.clone()), redacted.leaf),
                None => {
                    let (event, leaf) = events.next()?;
                    (Stored::Event(event), leaf)
                }
            };
            Some(Sealed {
                slot,
                stored,
                leaf,
                seed,
            })
        });
        Ok(sealed.collect())
    }

    /// The seed nodes of a row's tile: its own, or those of the row before.
    fn seed_of(&mut self, row: &ReadRow) -> Result<Arc<[u8]>, Flaw> {
        let tile = (row.slot, row.stored.position() / TILE);
        if let Some(bytes) = &row.seed {
            self.seed = Some((tile.0, tile.1, bytes.clone()));
            return Ok(bytes.clone());
        }
        match &self.seed {
            Some((slot, number, bytes)) if (*slot, *number) == tile => Ok(bytes.clone()),
            _ => {
                let known = self.seeds.and_then(|seeds| seeds(tile.0, tile.1));
                let known = known.ok_or_else(|| Flaw::new("a tile has no seed"))?;
                let bytes: Arc<[u8]> = SeedNodes::whole(&known).encode().into();
                self.seed = Some((tile.0, tile.1, bytes.clone()));
                Ok(bytes)
            }
        }
    }

    /// The logs that have rows on a page, and which.
    pub(crate) fn shares_of(&self, page: usize) -> Vec<Share> {
        let (_, rows) = self.segment.page_of(to_u32(page * PAGE_ROWS));
        self.directory
            .iter()
            .filter(|entry| entry.row < rows.end && entry.row_end() > rows.start)
            .map(|entry| {
                let rows = entry.row.max(rows.start)..entry.row_end().min(rows.end);
                let position = |row: u32| entry.first + u64::from(row - entry.row);
                Share {
                    slot: entry.slot,
                    positions: position(rows.start)..position(rows.end),
                    rows,
                }
            })
            .collect()
    }
}

/// Events of one log that follow on each other.
struct RunOfLog {
    slot: Slot,
    log: String,
    /// Which of the page's events.
    rows: Range<usize>,
    end_position: u64,
    /// The tile of the last one; its seed is the last.
    tile: Option<u64>,
    seeds: Vec<Seed>,
}

impl RunOfLog {
    fn new(slot: Slot, origin: &str, first: &Row, at: usize) -> RunOfLog {
        RunOfLog {
            slot,
            log: format!("{origin}/w/{slot}"),
            rows: at..at,
            end_position: first.position,
            tile: None,
            seeds: Vec::new(),
        }
    }
}

fn whole_seed(nodes: &[u8]) -> Result<Seed, Flaw> {
    let nodes = SeedNodes::decode(nodes).ok_or_else(|| Flaw::new("a seed is unreadable"))?;
    match nodes.nodes() {
        [root] if root.level == 0 => Ok(Seed(root.secret)),
        _ => Err(Flaw::new(
            "a seed that is not whole is not known to this version",
        )),
    }
}
