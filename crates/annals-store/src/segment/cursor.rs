//! A segment from beginning to end, with every entry rebuilt and compared with what was hashed.

use std::ops::Range;
use std::sync::Arc;

use annals_event::{Seed, SeedNodes, TILE, Timestamp};
use annals_merkle::Hash;
use sha2::{Digest as _, Sha256};

use super::decoded::Decoded;
use super::directory::Entry;
use super::index::IndexWriter;
use super::mark::{Marker, Marks};
use super::text::TextRuns;
use super::{Flaw, Item, PAGE_ROWS, Segment};
use crate::Slot;
use crate::journal::to_u32;
use crate::tree::{Placed, Run, leaves_of_runs};

/// A row whose entry was rebuilt and hashed.
pub(crate) struct Sealed {
    pub(crate) slot: Slot,
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) leaf: Hash,
    /// The seed nodes of its tile.
    pub(crate) seed: Arc<[u8]>,
}

/// A page whose entries are those that were hashed.
pub(crate) struct SealedPage {
    pub(crate) rows: Vec<Sealed>,
    pub(super) decoded: Decoded,
}

/// Reads page after page. What it gives is what was hashed when the segment was written.
pub(crate) struct Cursor<'a> {
    segment: &'a Segment,
    origin: String,
    directory: Vec<Entry>,
    hashes: Vec<Hash>,
    index: Option<(IndexWriter, TextRuns)>,
    page: usize,
    /// The page that rows are taken from, and which of them is next.
    ready: Option<(SealedPage, usize)>,
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
            ready: None,
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

    /// The log of the row that comes next.
    pub(crate) fn slot(&mut self) -> Result<Option<Slot>, Flaw> {
        loop {
            if let Some((page, next)) = &self.ready
                && let Some(row) = page.rows.get(*next)
            {
                return Ok(Some(row.slot));
            }
            match self.next_page() {
                None => return Ok(None),
                Some(Ok(page)) => self.ready = Some((page, 0)),
                Some(Err(bad)) => return Err(bad.flaw),
            }
        }
    }

    /// Takes the next rows if they are of this log, as many as there are on one page: the page, and which.
    pub(crate) fn run(&mut self, slot: Slot) -> Result<Option<(&SealedPage, Range<usize>)>, Flaw> {
        if self.slot()? != Some(slot) {
            return Ok(None);
        }
        Ok(self.ready.as_mut().map(|(page, next)| {
            let from = *next;
            let rows = page.rows[from..].iter();
            *next += rows.take_while(|row| row.slot == slot).count();
            (&*page, from..*next)
        }))
    }

    /// The next page. After one that is bad it goes on with the one behind it.
    pub(crate) fn next_page(&mut self) -> Option<Result<SealedPage, BadPage>> {
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

    /// Reads the next page and compares it with what it was written from, which spares hashing its entries. Whether there was one.
    pub(crate) fn read_back(&mut self, marks: &Marks) -> Result<bool, Flaw> {
        let page = self.page;
        if page == self.hashes.len() {
            return match marks.of_pages.len() == page && marks.rows == self.segment.rows() {
                true => Ok(false),
                false => Err(Flaw::new("it does not have the rows that were written")),
            };
        }
        self.page += 1;
        let decoded = self.decode(page)?;
        let mut marker = Marker::default();
        for (n, row) in (0..).map_while(|n| Some((n, decoded.marked(n)?))) {
            marker.row(&row, decoded.seed(n));
        }
        match marks.of_pages.get(page) == Some(&marker.end_page()) {
            true => Ok(true),
            false => Err(Flaw::new("what is read is not what was written")),
        }
    }

    /// The index, once all pages were read.
    pub(crate) fn into_index(self) -> Result<Vec<u8>, Flaw> {
        let sums = self.segment.sums()?;
        Ok(self
            .index
            .map_or_else(Vec::new, |(index, _)| index.finish(&sums)))
    }

    fn read_page(&mut self, page: usize, expected: &Hash) -> Result<SealedPage, Flaw> {
        let decoded = self.decode(page)?;
        let sealed = self.seal(decoded)?;
        let mut hash = Sha256::new();
        sealed.rows.iter().for_each(|row| hash.update(row.leaf));
        match Hash::from(hash.finalize()) == *expected {
            true => Ok(sealed),
            false => Err(Flaw::new("the entries are not those that were hashed")),
        }
    }

    fn decode(&mut self, page: usize) -> Result<Decoded, Flaw> {
        let decoded = self.segment.decode_page(page)?;
        self.check_places(to_u32(page * PAGE_ROWS), &decoded)?;
        if let Some((index, texts)) = &mut self.index {
            decoded.note(index, texts)?;
        }
        Ok(decoded)
    }

    /// Compares logs and positions with the directory.
    fn check_places(&self, first_row: u32, decoded: &Decoded) -> Result<(), Flaw> {
        let first = self
            .directory
            .partition_point(|entry| entry.row_end() <= first_row);
        let mut entries = self.directory[first..].iter().peekable();
        let all = (0..).map_while(|n| decoded.marked(n));
        for (row, found) in (first_row..).zip(all) {
            while entries.next_if(|entry| entry.row_end() <= row).is_some() {}
            let fits = entries.peek().is_some_and(|entry| {
                found.slot == entry.slot
                    && found.position == entry.first + u64::from(row - entry.row)
            });
            if !fits {
                return Err(Flaw::new("a row is not where the directory says"));
            }
        }
        Ok(())
    }

    /// Hashes the entries of a page, those of all logs at once.
    fn seal(&mut self, decoded: Decoded) -> Result<SealedPage, Flaw> {
        let (mut rows, mut is_event) = (Vec::with_capacity(decoded.len()), Vec::new());
        let mut events: Vec<Placed<'_>> = Vec::with_capacity(decoded.len());
        let mut runs: Vec<RunOfLog> = Vec::new();
        for (n, (slot, item)) in decoded.items().enumerate() {
            let seed = self.seed_of(slot, item.position(), decoded.seed(n))?;
            let mut row = Sealed {
                slot,
                position: item.position(),
                recorded_at: item.recorded_at(),
                leaf: Hash::default(),
                seed,
            };
            match item {
                Item::Redacted(redacted) => row.leaf = redacted.leaf,
                Item::Event(event) => {
                    let follows = |run: &&mut RunOfLog| {
                        run.slot == slot && run.end_position == event.position
                    };
                    let run = match runs.last_mut().filter(follows) {
                        Some(run) => run,
                        None => {
                            let log = format!("{}/w/{slot}", self.origin);
                            let at = events.len();
                            runs.push(RunOfLog {
                                slot,
                                log,
                                events: at..at,
                                end_position: event.position,
                                tile: None,
                                seeds: Vec::new(),
                            });
                            // Just pushed.
                            let Some(run) = runs.last_mut() else { continue };
                            run
                        }
                    };
                    let tile = event.position / TILE;
                    if run.tile != Some(tile) {
                        run.tile = Some(tile);
                        run.seeds.push(whole_seed(&row.seed)?);
                    }
                    run.end_position += 1;
                    run.events.end += 1;
                    events.push(event);
                }
            }
            is_event.push(matches!(item, Item::Event(_)));
            rows.push(row);
        }
        let hashed: Vec<Run<'_>> = runs
            .iter()
            .map(|run| Run {
                log: &run.log,
                events: &events[run.events.clone()],
                seeds: &run.seeds,
            })
            .collect();
        let leaves = leaves_of_runs(&hashed);
        if leaves.len() != events.len() {
            return Err(Flaw::new("an entry cannot be rebuilt"));
        }
        let of_events = rows
            .iter_mut()
            .zip(is_event)
            .filter(|(_, is_event)| *is_event);
        for ((row, _), leaf) in of_events.zip(leaves) {
            row.leaf = leaf;
        }
        Ok(SealedPage { rows, decoded })
    }

    /// The seed nodes of a row's tile: its own, or those of the row before.
    fn seed_of(
        &mut self,
        slot: Slot,
        position: u64,
        own: Option<&[u8]>,
    ) -> Result<Arc<[u8]>, Flaw> {
        let tile = (slot, position / TILE);
        let known = match own {
            Some(bytes) => bytes.into(),
            None => match &self.seed {
                Some((slot, number, bytes)) if (*slot, *number) == tile => return Ok(bytes.clone()),
                _ => {
                    let known = self.seeds.and_then(|seeds| seeds(tile.0, tile.1));
                    let known = known.ok_or_else(|| Flaw::new("a tile has no seed"))?;
                    SeedNodes::whole(&known).encode().into()
                }
            },
        };
        let known: Arc<[u8]> = known;
        self.seed = Some((tile.0, tile.1, known.clone()));
        Ok(known)
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
    events: Range<usize>,
    end_position: u64,
    /// The tile of the last one; its seed is the last.
    tile: Option<u64>,
    seeds: Vec<Seed>,
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
