//! The index beside a segment: which pages may hold a value, and checksums of all that is read of the file.
//!
//! It follows from the segment and can be made again from it. Nobody believes it without its checksums.

use std::sync::Arc;

use super::filter::{OF_IDS, OF_PAGE, Probe};
use super::tally::{RowValues, TallyWriter};
use super::{Flaw, ReadAt};
use crate::Slot;
use crate::journal::{Input, put_number, put_signed, to_u32, to_usize};

const MAGIC: &[u8; 16] = b"annals-index/v1\n";
/// The version in it.
const VERSION: &str = "1";
const SUM_BYTES: usize = 4;

/// What is known of one page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// The earliest and the latest `occurred_at`.
    pub(crate) occurred: (i64, i64),
    /// The earliest and the latest time in its ids that are UUIDs of version 7, in milliseconds since the
    /// epoch. The first is the larger one if there are none.
    pub(crate) ids: (u64, u64),
    /// Where its filters lie: over its keys, and over its texts.
    filter: (u64, u32),
    texts: (u64, u32),
}

/// An index that was opened.
#[derive(Clone)]
pub(crate) struct Index {
    source: Arc<dyn ReadAt>,
    pages: Vec<Page>,
    /// The filter over the ids of a log, by slot.
    ids: Vec<IdFilter>,
    /// What is known by number of the logs that have at least a page of rows, by slot.
    tallies: Vec<Tally>,
    sums: Arc<Sums>,
}

/// Where the tally of a log lies: its times and its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tally {
    slot: Slot,
    times: (u64, u32),
    values: (u64, u32),
}

/// Where the filter over the ids of a log lies. It is made of blocks, of which a look-up reads one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct IdFilter {
    slot: Slot,
    offset: u64,
    blocks: u32,
    /// Bytes of a block, without its checksum.
    block: u32,
}

/// How many bytes a block has at most.
const BLOCK_BYTES: usize = 4096 - SUM_BYTES;

/// The block that a key belongs to. The bits above those that choose places in it decide.
fn block_of(key: u64, blocks: u32) -> u32 {
    let spread = key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    to_u32((spread * u64::from(blocks)) >> 32)
}

/// Checksums of pieces of the segment's file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// By rising offset.
    pieces: Vec<(u64, u32)>,
    /// Of everything from the end of the last page on: where that is, and its checksum.
    tail: (u64, u32),
}

/// CRC-32, against rot.
pub(crate) fn sum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// The bytes without the checksum that follows them, if it fits.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (content, known) = bytes.split_last_chunk()?;
    (sum(content) == u32::from_le_bytes(*known)).then_some(content)
}

fn push_checked(out: &mut Vec<u8>, content: &[u8]) {
    out.extend_from_slice(content);
    out.extend_from_slice(&sum(content).to_le_bytes());
}

impl Sums {
    pub(crate) fn push(&mut self, offset: u64, bytes: &[u8]) {
        self.pieces.push((offset, sum(bytes)));
    }

    pub(crate) fn set_tail(&mut self, offset: u64, bytes: &[u8]) {
        self.tail = (offset, sum(bytes));
    }

    /// Whether the piece that begins at `offset` is as it was written. A piece without a checksum is taken
    /// for damaged.
    pub(crate) fn fits(&self, offset: u64, bytes: &[u8]) -> bool {
        self.pieces
            .binary_search_by_key(&offset, |(offset, _)| *offset)
            .is_ok_and(|at| self.pieces[at].1 == sum(bytes))
    }

    pub(crate) fn tail(&self) -> (u64, u32) {
        self.tail
    }
}

/// Makes an index, page by page.
pub(crate) struct IndexWriter {
    segment_bytes: u64,
    pages: Vec<Page>,
    filters: Vec<Vec<u8>>,
    texts: Vec<Vec<u8>>,
    ids: Vec<(Slot, Vec<u64>)>,
    tallies: TallyWriter,
}

impl IndexWriter {
    pub(crate) fn new(segment_bytes: u64) -> IndexWriter {
        IndexWriter {
            segment_bytes,
            pages: Vec::new(),
            filters: Vec::new(),
            texts: Vec::new(),
            ids: Vec::new(),
            tallies: TallyWriter::default(),
        }
    }

    /// Takes what is counted of a row of a page, before the page itself.
    pub(crate) fn count(&mut self, slot: Slot, row: Option<RowValues<'_>>) {
        self.tallies.row(slot, row);
    }

    /// Takes a page with the hashes of its keys and the filter over its texts.
    pub(crate) fn page(
        &mut self,
        occurred: (i64, i64),
        ids: (u64, u64),
        keys: &mut Vec<u64>,
        texts: Vec<u8>,
    ) {
        keys.sort_unstable();
        keys.dedup();
        self.pages.push(Page {
            occurred,
            ids,
            filter: (0, 0),
            texts: (0, 0),
        });
        self.filters.push(OF_PAGE.build(keys));
        self.texts.push(texts);
        self.tallies.end_page();
        keys.clear();
    }

    /// Takes an id that has no time in it, by its hash; logs come by rising slot.
    pub(crate) fn id(&mut self, slot: Slot, hash: u64) {
        match self.ids.last_mut() {
            Some((last, hashes)) if *last == slot => hashes.push(hash),
            _ => self.ids.push((slot, vec![hash])),
        }
    }

    /// The index as bytes.
    pub(crate) fn finish(mut self, sums: &Sums) -> Vec<u8> {
        let ids: Vec<(Slot, Vec<Vec<u8>>)> = self
            .ids
            .drain(..)
            .map(|(slot, hashes)| (slot, id_blocks(&hashes)))
            .collect();
        let mut head = Vec::new();
        put_number(&mut head, self.segment_bytes);
        put_number(&mut head, self.pages.len() as u64);
        let filters = self.filters.iter().zip(&self.texts);
        for (page, (filter, texts)) in self.pages.iter().zip(filters) {
            put_signed(&mut head, page.occurred.0);
            put_number(&mut head, page.occurred.1.abs_diff(page.occurred.0));
            // None is written as the pair (1, 0).
            let (from, to) = match page.ids.0 <= page.ids.1 {
                true => page.ids,
                false => (1, 0),
            };
            put_number(&mut head, from);
            put_number(&mut head, to);
            put_number(&mut head, filter.len() as u64);
            put_number(&mut head, texts.len() as u64);
        }
        put_number(&mut head, ids.len() as u64);
        for (slot, blocks) in &ids {
            put_number(&mut head, u64::from(*slot));
            put_number(&mut head, blocks.len() as u64);
            put_number(&mut head, blocks.first().map_or(0, Vec::len) as u64);
        }
        put_number(&mut head, sums.tail.0);
        head.extend_from_slice(&sums.tail.1.to_le_bytes());
        put_number(&mut head, sums.pieces.len() as u64);
        let mut before = 0;
        for (offset, sum) in &sums.pieces {
            put_number(&mut head, offset - before);
            head.extend_from_slice(&sum.to_le_bytes());
            before = *offset;
        }
        let tallies = self.tallies.finish();
        put_number(&mut head, tallies.len() as u64);
        for (slot, tally) in &tallies {
            put_number(&mut head, u64::from(*slot));
            put_number(&mut head, tally.times.len() as u64);
            put_number(&mut head, tally.values.len() as u64);
        }
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&to_u32(head.len()).to_le_bytes());
        push_checked(&mut out, &head);
        let id_blocks = ids.iter().flat_map(|(_, blocks)| blocks);
        for filter in self.filters.iter().chain(id_blocks).chain(&self.texts) {
            push_checked(&mut out, filter);
        }
        for (_, tally) in &tallies {
            push_checked(&mut out, &tally.times);
            push_checked(&mut out, &tally.values);
        }
        out
    }
}

impl Index {
    /// Opens the index of a segment of so many bytes.
    pub(crate) fn open(source: Arc<dyn ReadAt>, segment_bytes: u64) -> Result<Index, Flaw> {
        let start = source.read_at(0, 20)?;
        let (magic, length) = start
            .split_at_checked(16)
            .ok_or_else(|| Flaw::new("the index is too short"))?;
        if magic != MAGIC {
            return Err(Flaw::new("the index is of another version"));
        }
        let length = length.try_into().map_or(0, u32::from_le_bytes) as usize;
        let bytes = source.read_at(20, length + SUM_BYTES)?;
        let head =
            checked(&bytes).ok_or_else(|| Flaw::new("the index's checksum does not match"))?;
        let mut input = Input::new(head);
        if input.number()? != segment_bytes {
            return Err(Flaw::new("the index belongs to another segment"));
        }
        let mut at = (20 + length + SUM_BYTES) as u64;
        let mut pages = Vec::new();
        for _ in 0..input.count(6)? {
            let earliest = input.signed()?;
            let latest = earliest.saturating_add_unsigned(input.number()?);
            let ids = (input.number()?, input.number()?);
            let (length, texts) = (input.small()?, input.small()?);
            pages.push(Page {
                occurred: (earliest, latest),
                ids,
                filter: (at, length),
                texts: (0, texts),
            });
            at += u64::from(length) + SUM_BYTES as u64;
        }
        let mut ids = Vec::new();
        for _ in 0..input.count(3)? {
            let (slot, blocks, block) = (input.small()?, input.small()?, input.small()?);
            let all = u64::from(blocks) * (u64::from(block) + SUM_BYTES as u64);
            ids.push(IdFilter {
                slot,
                offset: at,
                blocks,
                block,
            });
            at += all;
        }
        for page in &mut pages {
            page.texts.0 = at;
            at += u64::from(page.texts.1) + SUM_BYTES as u64;
        }
        let mut sums = Sums {
            pieces: Vec::new(),
            tail: (input.number()?, u32::from_le_bytes(input.array()?)),
        };
        let mut offset = 0u64;
        for _ in 0..input.count(5)? {
            offset = offset.saturating_add(input.number()?);
            sums.pieces
                .push((offset, u32::from_le_bytes(input.array()?)));
        }
        let mut tallies = Vec::new();
        for _ in 0..input.count(3)? {
            let slot = input.small()?;
            let mut place = || -> Result<(u64, u32), Flaw> {
                let place = (at, input.small()?);
                at += u64::from(place.1) + SUM_BYTES as u64;
                Ok(place)
            };
            let (times, values) = (place()?, place()?);
            tallies.push(Tally {
                slot,
                times,
                values,
            });
        }
        Ok(Index {
            source,
            pages,
            ids,
            tallies,
            sums: Arc::new(sums),
        })
    }

    /// The version of the format that an index has and the one that this program knows, if they differ.
    pub(crate) fn later_version(source: &Arc<dyn ReadAt>) -> Option<(String, &'static str)> {
        let version = |magic: &[u8]| {
            let text = str::from_utf8(magic).ok()?;
            let version = text.strip_prefix("annals-index/v")?;
            Some(version.trim_end().to_owned())
        };
        let found = version(&source.read_at(0, MAGIC.len()).ok()?)?;
        (found != VERSION).then_some((found, VERSION))
    }

    pub(crate) fn sums(&self) -> &Arc<Sums> {
        &self.sums
    }

    pub(crate) fn pages(&self) -> &[Page] {
        &self.pages
    }

    /// Whether a page may hold what is wanted.
    pub(crate) fn may_hold(&self, page: usize, probe: &Probe) -> bool {
        let Some(page) = self.pages.get(page) else {
            return true;
        };
        let read = |(offset, length)| self.piece(offset, length);
        probe.may_be_in(page.ids, || read(page.filter), || read(page.texts))
    }

    /// Whether the log may have an event with this id, which has no time in it, by its hash.
    pub(crate) fn may_hold_id(&self, slot: Slot, hash: u64) -> bool {
        let Ok(at) = self.ids.binary_search_by_key(&slot, |known| known.slot) else {
            return false;
        };
        let known = &self.ids[at];
        self.block(known, block_of(hash, known.blocks))
            .is_none_or(|block| OF_IDS.may_hold(&block, hash))
    }

    fn tally(&self, slot: Slot) -> Option<&Tally> {
        let at = self.tallies.binary_search_by_key(&slot, |tally| tally.slot);
        at.ok().map(|at| &self.tallies[at])
    }

    /// Whether there is a tally of a log.
    pub(crate) fn has_tally(&self, slot: Slot) -> bool {
        self.tally(slot).is_some()
    }

    /// When the events of a log occurred; `None` if that is not known, or cannot be read.
    pub(crate) fn times(&self, slot: Slot) -> Option<Vec<u8>> {
        let (offset, length) = self.tally(slot)?.times;
        self.piece(offset, length)
    }

    /// Which values the events of a log have; `None` if that is not known, or cannot be read.
    pub(crate) fn values(&self, slot: Slot) -> Option<Vec<u8>> {
        let (offset, length) = self.tally(slot)?.values;
        self.piece(offset, length)
    }

    fn block(&self, known: &IdFilter, n: u32) -> Option<Vec<u8>> {
        let stride = u64::from(known.block) + SUM_BYTES as u64;
        self.piece(known.offset + u64::from(n) * stride, known.block)
    }

    /// A piece of the index, such as a filter; `None` if it cannot be read, so that everything may be in it.
    fn piece(&self, offset: u64, length: u32) -> Option<Vec<u8>> {
        let bytes = self
            .source
            .read_at(offset, to_usize(length) + SUM_BYTES)
            .ok()?;
        checked(&bytes).map(<[u8]>::to_vec)
    }

    /// Reads all filters and tallies and compares their checksums.
    pub(crate) fn verify(&self) -> Result<(), Flaw> {
        let pages = self.pages.iter().flat_map(|page| {
            let filters = [page.filter, page.texts];
            filters.map(|(offset, length)| self.piece(offset, length))
        });
        let blocks = self
            .ids
            .iter()
            .flat_map(|known| (0..known.blocks).map(|n| self.block(known, n)));
        let tallies = self.tallies.iter().flat_map(|tally| {
            let places = [tally.times, tally.values].into_iter();
            places.map(|(offset, length)| self.piece(offset, length))
        });
        match pages
            .chain(blocks)
            .chain(tallies)
            .all(|piece| piece.is_some())
        {
            true => Ok(()),
            false => Err(Flaw::new(
                "the checksum of a filter or a tally does not match",
            )),
        }
    }
}

/// The filter over ids, block by block. All blocks have the same size.
fn id_blocks(hashes: &[u64]) -> Vec<Vec<u8>> {
    let count = OF_IDS.bytes(hashes.len()).div_ceil(BLOCK_BYTES).max(1);
    let mut of_block = vec![Vec::new(); count];
    for hash in hashes {
        of_block[to_usize(block_of(*hash, to_u32(count)))].push(*hash);
    }
    let bytes = OF_IDS.bytes(hashes.len()).div_ceil(count);
    of_block
        .iter()
        .map(|hashes| OF_IDS.fill(hashes, bytes))
        .collect()
}
