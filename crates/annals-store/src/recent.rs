//! What is known in memory of every log, and the one function by which it grows.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use annals_merkle::{CompactRange, Hash, node_hash};
use sha2::{Digest as _, Sha256};

use crate::fingerprint::{fingerprint, word};
use crate::index::{BySlot, Expiring, Index};
use crate::journal::{Growth, Header, KeyUse, Part, seeds_at, tiles_at, to_u32};
use crate::segment::Entry;
use crate::{Slot, StoreError};

/// Every log of the installation, and where ids and idempotency keys were seen.
pub(crate) struct Recent {
    logs: RwLock<BySlot<Arc<RwLock<LogState>>>>,
    ids: RwLock<Index>,
    keys: RwLock<Expiring>,
    salt: [u8; 16],
    /// The group up to which everything lies in segments.
    sealed_through: AtomicU32,
    /// The groups that are in the journal, in order.
    unsealed: Mutex<VecDeque<Unsealed>>,
    /// How many events were recorded since the start.
    recorded: AtomicU64,
}

/// The number of a segment, which is never given again.
pub(crate) type SegmentId = u32;

/// How large a group of the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsealed {
    pub(crate) group: u32,
    pub(crate) events: u32,
    /// Bytes of its events before compression.
    pub(crate) bytes: u32,
    /// When it was formed, in microseconds since the epoch.
    pub(crate) recorded_at: i64,
}

/// One log, as far as it is committed.
pub(crate) struct LogState {
    pub(crate) size: u64,
    /// When the newest entry was recorded, in microseconds since the epoch.
    pub(crate) recorded_at: i64,
    /// The tree's right edge.
    pub(crate) frontier: CompactRange,
    /// The seed of each tile that has begun.
    pub(crate) seeds: Vec<[u8; 32]>,
    /// The complete nodes of level 8, of level 9, and so on.
    levels: Vec<Vec<Hash>>,
    /// Which segments hold the log's older entries, by rising position.
    pub(crate) extents: Vec<Extent>,
    /// Which groups of the journal hold the newer ones.
    pub(crate) spans: Vec<Span>,
    /// No UUID of version 7 among the log's ids has a later time than this, in milliseconds since the epoch.
    /// At its maximum where that is not known.
    newest_id: u64,
    /// The first tile that the tables do not have in its present form.
    pub(crate) tiles_written: u64,
}

/// A group's share of a log. The next span begins where this one ends. There may be as many as events,
/// so it is kept to 24 bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) first: u64,
    /// The earliest `occurred_at` in it, in microseconds since the epoch.
    pub(crate) earliest: i64,
    /// How much later the latest one is at most, in seconds; at its maximum, any time.
    latest_after: u32,
    pub(crate) group: u32,
}

/// A segment's share of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) segment: SegmentId,
    pub(crate) entry: Entry,
}

/// How a log's tree grew: worked out once, where the group is formed.
pub(crate) struct Grown {
    /// The right edge of the tree afterwards.
    pub(crate) frontier: CompactRange,
    /// The hashes of level 8 that are complete now and were not before.
    pub(crate) tiles: Vec<Hash>,
    /// The latest time in the new ids that are UUIDs of version 7, as in [`LogState`].
    pub(crate) newest_id: u64,
}

impl Grown {
    /// Works it out from what the journal says, which does not tell the times of ids.
    fn of(part: &Part, before: &CompactRange) -> Result<Grown, &'static str> {
        match &part.growth {
            Growth::Leaves(leaves) => {
                let (mut frontier, mut tiles) = (before.clone(), Vec::new());
                frontier.push_leaves(leaves, &mut |node, hash| {
                    if node.level == 8 {
                        tiles.push(hash);
                    }
                });
                Ok(Grown {
                    frontier,
                    tiles,
                    newest_id: u64::MAX,
                })
            }
            Growth::Frontier { hashes, tiles } => Ok(Grown {
                frontier: CompactRange::from_hashes(0, part.end(), hashes.clone())
                    .map_err(|_| "a frontier has the wrong length")?,
                tiles: tiles.clone(),
                newest_id: u64::MAX,
            }),
        }
    }
}

impl Span {
    fn new(group: u32, part: &Part) -> Span {
        let (earliest, latest) = part.occurred;
        let seconds = latest.abs_diff(earliest).div_ceil(1_000_000);
        let latest_after = u32::try_from(seconds).unwrap_or(u32::MAX);
        Span {
            first: part.first,
            earliest,
            latest_after,
            group,
        }
    }

    /// A time that no event in it is later than.
    pub(crate) fn latest(&self) -> i64 {
        match self.latest_after {
            u32::MAX => i64::MAX,
            seconds => self.earliest.saturating_add(i64::from(seconds) * 1_000_000),
        }
    }
}

impl Default for LogState {
    fn default() -> LogState {
        LogState {
            size: 0,
            recorded_at: i64::MIN,
            frontier: CompactRange::new(0),
            seeds: Vec::new(),
            levels: Vec::new(),
            extents: Vec::new(),
            spans: Vec::new(),
            newest_id: 0,
            tiles_written: 0,
        }
    }
}

impl LogState {
    /// A log as the tables have it, before its spans are known.
    pub(crate) fn restore(
        size: u64,
        recorded_at: i64,
        frontier: CompactRange,
        tiles: Vec<([u8; 32], Option<Hash>)>,
    ) -> Result<LogState, &'static str> {
        if frontier.begin() != 0
            || frontier.end() != size
            || tiles.len() as u64 != seeds_at(size)
            || tiles.iter().filter(|(_, hash)| hash.is_some()).count() as u64 != tiles_at(size)
        {
            return Err("the tables of the log contradict each other");
        }
        let mut log = LogState {
            size,
            recorded_at,
            frontier,
            ..LogState::default()
        };
        for (seed, hash) in tiles {
            log.seeds.push(seed);
            if let Some(hash) = hash {
                log.push_tile(hash);
            }
        }
        log.tiles_written = tiles_at(size);
        Ok(log)
    }

    /// A complete node of level 8 or above.
    pub(crate) fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let level = self.levels.get(usize::from(level.checked_sub(8)?))?;
        level.get(usize::try_from(index).ok()?).copied()
    }

    /// The hash of a complete tile.
    pub(crate) fn tile(&self, tile: u64) -> Option<Hash> {
        self.node(8, tile)
    }

    fn push_tile(&mut self, hash: Hash) {
        let mut hash = hash;
        let mut level = 0;
        loop {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(hash);
            let [.., left, right] = nodes.as_slice() else {
                return;
            };
            if nodes.len() % 2 == 1 {
                return;
            }
            hash = node_hash(left, right);
            level += 1;
        }
    }

    /// The segment's share that holds `position`.
    pub(crate) fn extent_of(&self, position: u64) -> Option<Extent> {
        let at = self
            .extents
            .partition_point(|extent| extent.entry.first <= position)
            .checked_sub(1)?;
        Some(self.extents[at]).filter(|extent| position < extent.entry.end())
    }

    /// The index in `spans` of the one that holds `position`.
    pub(crate) fn span_of(&self, position: u64) -> Option<usize> {
        self.spans
            .partition_point(|span| span.first <= position)
            .checked_sub(1)
    }

    /// Where the span with this index ends.
    pub(crate) fn span_end(&self, index: usize) -> u64 {
        self.spans
            .get(index + 1)
            .map_or(self.size, |next| next.first)
    }

    /// Takes one more entry in, by its hash.
    pub(crate) fn push_leaf(&mut self, leaf: Hash, recorded_at: i64) {
        let mut tile = None;
        self.frontier.push_leaf(leaf, &mut |node, hash| {
            if node.level == 8 {
                tile = Some(hash);
            }
        });
        if let Some(hash) = tile {
            self.push_tile(hash);
        }
        self.size += 1;
        self.recorded_at = recorded_at;
    }

    pub(crate) fn grow(&mut self, part: &Part, grown: Option<Grown>) -> Result<(), &'static str> {
        if part.first != self.size {
            return Err("a group does not begin where its log ends");
        }
        if part.recorded_at < self.recorded_at {
            return Err("time runs backwards");
        }
        let grown = match grown {
            Some(grown) => grown,
            None => Grown::of(part, &self.frontier)?,
        };
        if grown.frontier.end() != part.end() {
            return Err("a tree does not end where its log does");
        }
        self.frontier = grown.frontier;
        self.newest_id = self.newest_id.max(grown.newest_id);
        grown
            .tiles
            .into_iter()
            .for_each(|hash| self.push_tile(hash));
        self.seeds.extend_from_slice(&part.seeds);
        self.size = part.end();
        self.recorded_at = part.recorded_at;
        Ok(())
    }
}

impl Recent {
    pub(crate) fn new(salt: [u8; 16], idempotency_seconds: u64) -> Recent {
        Recent {
            logs: RwLock::default(),
            ids: RwLock::default(),
            keys: RwLock::new(Expiring::new(idempotency_seconds)),
            salt,
            sealed_through: AtomicU32::new(0),
            unsealed: Mutex::default(),
            recorded: AtomicU64::new(0),
        }
    }

    /// The group up to which everything lies in segments; what comes after it is in the journal.
    pub(crate) fn sealed_through(&self) -> u32 {
        self.sealed_through.load(Ordering::SeqCst)
    }

    /// How many events were recorded since the start.
    pub(crate) fn recorded(&self) -> u64 {
        self.recorded.load(Ordering::Relaxed)
    }

    /// The groups of the journal that can be sealed, oldest first.
    pub(crate) fn unsealed(&self) -> MutexGuard<'_, VecDeque<Unsealed>> {
        self.unsealed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a segment into account that holds everything up to the group `through`, instead of the
    /// segments `replaced` or of groups of the journal. The start and a live seal or merge do it alike.
    pub(crate) fn place(
        &self,
        segment: SegmentId,
        entries: &[Entry],
        replaced: &[SegmentId],
        through: u32,
    ) {
        for entry in entries {
            let log = self.log(entry.slot);
            let log =
                log.unwrap_or_else(|| write(&self.logs).entry(entry.slot).or_default().clone());
            let mut log = write(&log);
            log.extents
                .retain(|extent| !replaced.contains(&extent.segment));
            let at = log
                .extents
                .partition_point(|extent| extent.entry.first < entry.first);
            let extent = Extent {
                segment,
                entry: *entry,
            };
            log.extents.insert(at, extent);
            let sealed = log.spans.partition_point(|span| span.group <= through);
            log.spans.drain(..sealed);
            if log.spans.is_empty() {
                // Now it is known, whatever it was before.
                let newest = log.extents.iter().map(|extent| extent.entry.newest_id);
                log.newest_id = newest.max().unwrap_or(0);
            } else {
                log.newest_id = log.newest_id.max(entry.newest_id);
            }
        }
        if through > self.sealed_through() {
            // In this order: whoever misses a group waits for the number.
            write(&self.ids).forget_through(through);
            self.unsealed().retain(|unsealed| unsealed.group > through);
            self.sealed_through.store(through, Ordering::SeqCst);
        }
    }

    /// Takes the idempotency keys of a group into account that is sealed.
    pub(crate) fn restore_keys(&self, group: u32, uptime: u64, used: &[KeyUse]) {
        let mut keys = write(&self.keys);
        for used in used {
            keys.insert(key_print(used.slot, &used.key), group, uptime);
        }
    }

    /// The log in a slot, if it has an entry.
    pub(crate) fn log(&self, slot: Slot) -> Option<Arc<RwLock<LogState>>> {
        read(&self.logs).get(&slot).cloned()
    }

    /// Every log that has an entry.
    pub(crate) fn all(&self) -> Vec<(Slot, Arc<RwLock<LogState>>)> {
        let logs = read(&self.logs);
        logs.iter()
            .map(|(slot, log)| (*slot, log.clone()))
            .collect()
    }

    /// Takes over a log as the tables have it.
    pub(crate) fn restore(&self, slot: Slot, log: LogState) {
        write(&self.logs).insert(slot, Arc::new(RwLock::new(log)));
    }

    /// Takes a committed group into account. The writer calls it after each commit and the start
    /// calls it for each group in the journal, so that both end with the same state.
    ///
    /// `in_tables` says that the tables hold sizes, seeds and hashes up to this group already, so
    /// that only the directory of groups is missing. `grown` has, for each part, how its tree grew, where
    /// that is known.
    pub(crate) fn apply(
        &self,
        group: u32,
        header: &Header,
        grown: Vec<Grown>,
        in_tables: bool,
    ) -> Result<(), StoreError> {
        let mut grown = grown.into_iter();
        for part in &header.parts {
            let grown = grown.next();
            let log = match self.log(part.slot) {
                Some(log) => log,
                None => write(&self.logs).entry(part.slot).or_default().clone(),
            };
            let mut log = write(&log);
            if !in_tables {
                log.grow(part, grown)
                    .map_err(|what| damaged(group, part.slot, part.first, what))?;
            } else if part.end() > log.size {
                let what = "the tables are behind the journal";
                return Err(damaged(group, part.slot, part.first, what));
            } else {
                log.newest_id = u64::MAX;
            }
            log.spans.push(Span::new(group, part));
        }
        let mut ids = write(&self.ids);
        for id in header.parts.iter().flat_map(|part| &part.ids) {
            ids.insert(*id, group);
        }
        drop(ids);
        if !header.keys.is_empty() {
            let mut keys = write(&self.keys);
            for used in &header.keys {
                keys.insert(key_print(used.slot, &used.key), group, header.uptime);
            }
            keys.expire(header.uptime);
        }
        let events: u64 = header.parts.iter().map(|part| u64::from(part.count)).sum();
        let bytes: u64 = header
            .frames
            .iter()
            .map(|frame| u64::from(frame.plain))
            .sum();
        self.recorded.fetch_add(events, Ordering::Relaxed);
        self.unsealed().push_back(Unsealed {
            group,
            events: to_u32(events),
            bytes: to_u32(bytes),
            recorded_at: header.recorded_at,
        });
        Ok(())
    }

    /// The time, in milliseconds since the epoch, from which on no UUID of version 7 is an id in the log: one
    /// of a later time is new, without looking for it. `None` if the log has no entry at all.
    pub(crate) fn newest_id(&self, slot: Slot) -> Option<u64> {
        self.log(slot).map(|log| read(&log).newest_id)
    }

    /// The groups in which an id with this fingerprint was recorded, or an id that looks the same.
    pub(crate) fn groups_of_id(&self, print: u64) -> Vec<u32> {
        let mut found = Vec::new();
        read(&self.ids).groups(print, &mut found);
        found
    }

    /// The groups in which an idempotency key with this fingerprint was used.
    pub(crate) fn groups_of_key(&self, print: u64) -> Vec<u32> {
        let mut found = Vec::new();
        read(&self.keys).groups(print, &mut found);
        found
    }

    /// The fingerprint of an event's id in one log.
    pub(crate) fn id_print(&self, slot: Slot, id: &str) -> u64 {
        fingerprint(&self.salt, id.as_bytes()) ^ u64::from(slot).wrapping_mul(GOLDEN)
    }

    /// A salted hash of an idempotency key or of a body.
    pub(crate) fn salted(&self, hash: &[u8; 32]) -> [u8; 16] {
        let mut salted = Sha256::new();
        salted.update(self.salt);
        salted.update(hash);
        let salted = salted.finalize();
        let mut half = [0; 16];
        half.copy_from_slice(&salted[..16]);
        half
    }
}

/// The fingerprint of a salted idempotency key in one log.
pub(crate) fn key_print(slot: Slot, key: &[u8; 16]) -> u64 {
    word(key) ^ u64::from(slot).wrapping_mul(GOLDEN)
}

/// Spreads slots over all bits, so that the same id has another fingerprint in each log.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The error for contradictions in stored data.
pub(crate) fn damaged(group: u32, slot: Slot, position: u64, what: &str) -> StoreError {
    StoreError::Damaged {
        place: format!("group {group}, log {slot}, position {position}"),
        what: what.to_owned(),
    }
}

/// A panic elsewhere never leaves these half written in a way that matters more than going on.
pub(crate) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// As [`read`].
pub(crate) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use annals_event::TILE;
    use annals_merkle::cover;

    use super::*;

    #[test]
    fn the_levels_are_those_of_the_tree() {
        let mut log = LogState::default();
        let mut range = CompactRange::new(0);
        let mut wanted = HashMap::new();
        for n in 0..(TILE * 13 + 7) {
            let leaf = annals_merkle::leaf_hash(&n.to_le_bytes());
            let mut tiles = Vec::new();
            range.push_leaf(leaf, &mut |node, hash| {
                wanted.insert(node, hash);
                if node.level == 8 {
                    tiles.push(hash);
                }
            });
            tiles.into_iter().for_each(|hash| log.push_tile(hash));
        }
        for node in cover(0, TILE * 13) {
            assert_eq!(log.node(node.level, node.index), wanted.get(&node).copied());
        }
    }
}
