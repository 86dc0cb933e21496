//! Reading objects in blocks, of which the ones used last stay in memory.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use quick_cache::Weighter;
use quick_cache::sync::{Cache, GuardResult, PlaceholderGuard};

use super::{Bucket, BucketError, claim};
use crate::journal::to_usize;
use crate::recent::SegmentId;
use crate::segment::ReadAt;

/// How large a block is. A page of a column is some kilobytes, so a block brings its neighbours along; a request
/// takes as long for this much as for a byte.
const BLOCK_BYTES: u64 = 256 << 10;

/// How long a reader waits for a block that another one is fetching.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much memory an entry takes beside its bytes.
const ENTRY_BYTES: u64 = 128;

/// A block of a segment. The number of a segment is never given again.
type Key = (SegmentId, u32);

#[derive(Clone)]
struct BySize;

impl Weighter<Key, Bytes> for BySize {
    fn weight(&self, _: &Key, block: &Bytes) -> u64 {
        block.len() as u64 + ENTRY_BYTES
    }
}

type Guard<'a> = PlaceholderGuard<
    'a,
    Key,
    Bytes,
    BySize,
    quick_cache::DefaultHashBuilder,
    quick_cache::sync::DefaultLifecycle<Key, Bytes>,
>;

/// Blocks of remote segments, up to a number of bytes.
pub(crate) struct BlockCache {
    blocks: Cache<Key, Bytes, BySize>,
    hits: AtomicU64,
    misses: AtomicU64,
    fetched: AtomicU64,
}

/// How well reading from an object store goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BucketReads {
    /// Blocks that were in memory when they were wanted.
    pub hits: u64,
    /// Blocks that had to be fetched.
    pub misses: u64,
    /// Bytes that were fetched.
    pub fetched_bytes: u64,
    /// Bytes that are in memory now; at most [`crate::Options::bucket_cache_bytes`].
    pub cached_bytes: u64,
}

impl BlockCache {
    pub(crate) fn new(bytes_max: usize) -> BlockCache {
        let bytes_max = bytes_max as u64;
        let items = to_usize(bytes_max / BLOCK_BYTES).max(16);
        BlockCache {
            blocks: Cache::with_weighter(items, bytes_max, BySize),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            fetched: AtomicU64::new(0),
        }
    }

    pub(crate) fn reads(&self) -> BucketReads {
        BucketReads {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            fetched_bytes: self.fetched.load(Ordering::Relaxed),
            cached_bytes: self.blocks.weight(),
        }
    }

    /// Lets go of the blocks of a segment that nobody reads any more.
    pub(crate) fn forget(&self, segment: SegmentId) {
        self.blocks.retain(|key, _| key.0 != segment);
    }
}

/// A segment in a bucket.
pub(crate) struct RemoteFile {
    pub(crate) bucket: Arc<dyn Bucket>,
    pub(crate) cache: Arc<BlockCache>,
    pub(crate) segment: SegmentId,
    pub(crate) name: String,
    pub(crate) size: u64,
}

impl RemoteFile {
    fn extent(&self, block: u32) -> Range<u64> {
        let start = u64::from(block) * BLOCK_BYTES;
        start..(start + BLOCK_BYTES).min(self.size)
    }

    /// These blocks, which come in rising order. Neighbours that are missing are fetched by one request, all
    /// requests run at once, and each block is fetched by one thread however many want it.
    fn blocks(&self, wanted: &[u32]) -> io::Result<Vec<Bytes>> {
        let began = Instant::now();
        let mut found: Vec<Option<Bytes>> = Vec::with_capacity(wanted.len());
        let mut ours: Vec<(usize, Guard<'_>)> = Vec::new();
        // All threads take blocks in rising order, so none waits for another in a circle.
        for (n, block) in wanted.iter().enumerate() {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let key = (self.segment, *block);
            match self.cache.blocks.get_value_or_guard(&key, Some(left)) {
                GuardResult::Value(bytes) => found.push(Some(bytes)),
                GuardResult::Guard(guard) => {
                    found.push(None);
                    ours.push((n, guard));
                }
                GuardResult::Timeout => {
                    let what = "another reader has been waiting for the same block for too long";
                    return Err(BucketError::Away(what.to_owned()).into());
                }
            }
        }
        let missing = ours.len() as u64;
        let hits = wanted.len() as u64 - missing;
        self.cache.hits.fetch_add(hits, Ordering::Relaxed);
        self.cache.misses.fetch_add(missing, Ordering::Relaxed);
        let missing: Vec<u32> = ours.iter().map(|(n, _)| wanted[*n]).collect();
        let runs = runs(&missing);
        let ranges: Vec<Range<u64>> = runs
            .iter()
            .map(|run| self.extent(*run.start()).start..self.extent(*run.end()).end)
            .collect();
        if !ranges.is_empty() {
            let pieces = self.bucket.read(&self.name, &ranges);
            let pieces = pieces.map_err(|error| claim::unless_all_is_gone(&*self.bucket, error))?;
            let mut ours = ours.into_iter();
            for (range, piece) in ranges.iter().zip(pieces) {
                if piece.len() as u64 != range.end - range.start {
                    let what = "it answered with another number of bytes than was asked for";
                    return Err(BucketError::Failed(what.to_owned()).into());
                }
                self.cache
                    .fetched
                    .fetch_add(piece.len() as u64, Ordering::Relaxed);
                let count = piece.len().div_ceil(to_usize(BLOCK_BYTES));
                for (at, (n, guard)) in ours.by_ref().take(count).enumerate() {
                    let begin = at * to_usize(BLOCK_BYTES);
                    let end = (begin + to_usize(BLOCK_BYTES)).min(piece.len());
                    // A copy, so that a block that stays does not hold what came with it.
                    let block = match count {
                        1 => piece.clone(),
                        _ => Bytes::copy_from_slice(&piece[begin..end]),
                    };
                    // It is no error if the cache is too small for it.
                    let _ = guard.insert(block.clone());
                    found[n] = Some(block);
                }
            }
        }
        let found: Option<Vec<Bytes>> = found.into_iter().collect();
        found.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// Neighbours together.
fn runs(blocks: &[u32]) -> Vec<std::ops::RangeInclusive<u32>> {
    let mut runs: Vec<std::ops::RangeInclusive<u32>> = Vec::new();
    for block in blocks {
        match runs.last_mut() {
            Some(run) if *run.end() + 1 == *block => *run = *run.start()..=*block,
            _ => runs.push(*block..=*block),
        }
    }
    runs
}

/// The blocks that a range touches; none for an empty one.
fn touched(range: &Range<u64>) -> Range<u32> {
    let block = |at: u64| u32::try_from(at / BLOCK_BYTES).unwrap_or(u32::MAX);
    match range.is_empty() {
        true => 0..0,
        false => block(range.start)..block(range.end - 1).saturating_add(1),
    }
}

impl ReadAt for RemoteFile {
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.checked_add(length as u64);
        let Some(end) = end.filter(|end| *end <= self.size) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let wanted: Vec<u32> = touched(&(offset..end)).collect();
        let Some(first) = wanted.first() else {
            return Ok(Bytes::new());
        };
        let skip = to_usize(offset - self.extent(*first).start);
        let blocks = self.blocks(&wanted)?;
        if let [block] = blocks.as_slice() {
            return Ok(block.slice(skip..skip + length));
        }
        let mut bytes = BytesMut::with_capacity(length);
        for block in &blocks {
            let begin = if bytes.is_empty() { skip } else { 0 };
            let take = (block.len() - begin).min(length - bytes.len());
            bytes.extend_from_slice(&block[begin..begin + take]);
        }
        Ok(bytes.freeze())
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn expect(&self, ranges: &[Range<u64>]) -> io::Result<()> {
        let within = |range: &&Range<u64>| range.end <= self.size;
        let mut wanted: Vec<u32> = ranges.iter().filter(within).flat_map(touched).collect();
        wanted.sort_unstable();
        wanted.dedup();
        self.blocks(&wanted).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_blocks_and_neighbours_one_request() {
        assert_eq!(touched(&(0..1)), 0..1);
        assert_eq!(touched(&(5..5)), 0..0);
        assert_eq!(touched(&(BLOCK_BYTES - 1..BLOCK_BYTES + 1)), 0..2);
        assert_eq!(touched(&(BLOCK_BYTES..2 * BLOCK_BYTES)), 1..2);
        assert_eq!(runs(&[]), []);
        assert_eq!(runs(&[1, 2, 3, 7, 9, 10]), [1..=3, 7..=7, 9..=10]);
    }
}
