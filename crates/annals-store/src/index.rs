//! Where an id was seen: fingerprints of everything that must not be recorded twice.
//!
//! A fingerprint is 64 bits of a salted hash, so a hit is a hint that the journal confirms, and a
//! miss is certain. An entry takes 12 bytes: new ones in a hash map, older ones in sorted runs that
//! are merged as they become alike in size, so that a look-up asks few of them.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::Slot;
use crate::journal::to_usize;

/// When the map is turned into a run.
const MAP_MAX: usize = 1 << 16;

/// Runs of this length are not merged any more: merging must not hold up commits.
const RUN_MAX: usize = 1 << 21;

/// Fingerprints are hashes already.
#[derive(Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// A map by fingerprint.
pub(crate) type ByFingerprint<V> = HashMap<u64, V, BuildHasherDefault<AsIs>>;

/// Fingerprints.
pub(crate) type Fingerprints = HashSet<u64, BuildHasherDefault<AsIs>>;

/// Slots are numbers in a row that nobody outside chooses: enough to spread them.
#[derive(Default)]
pub(crate) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }
    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

/// A map by slot.
pub(crate) type BySlot<V> = HashMap<Slot, V, BuildHasherDefault<Spread>>;

/// In which groups a fingerprint was seen.
#[derive(Default)]
pub(crate) struct Index {
    fresh: ByFingerprint<u32>,
    /// Entries whose fingerprint was in `fresh` already, with another group.
    again: Vec<(u64, u32)>,
    runs: Vec<Run>,
}

/// Entries sorted by fingerprint.
struct Run {
    prints: Vec<u64>,
    groups: Vec<u32>,
}

impl Index {
    /// Notes that `print` was seen in `group`.
    pub(crate) fn insert(&mut self, print: u64, group: u32) {
        if let Some(previous) = self.fresh.insert(print, group)
            && previous != group
        {
            self.again.push((print, previous));
        }
        if self.fresh.len() + self.again.len() >= MAP_MAX {
            self.settle();
        }
    }

    /// Calls `found` with every group in which `print` was seen, in no order.
    pub(crate) fn groups(&self, print: u64, found: &mut Vec<u32>) {
        found.extend(self.fresh.get(&print));
        if !self.again.is_empty() {
            found.extend(
                self.again
                    .iter()
                    .filter(|(p, _)| *p == print)
                    .map(|(_, group)| *group),
            );
        }
        for run in &self.runs {
            let mut at = run.first_at_least(print);
            while run.prints.get(at) == Some(&print) {
                found.push(run.groups[at]);
                at += 1;
            }
        }
    }

    /// Forgets what was seen in groups up to this one.
    pub(crate) fn forget_through(&mut self, group: u32) {
        self.fresh.retain(|_, seen| *seen > group);
        self.again.retain(|(_, seen)| *seen > group);
        for run in &mut self.runs {
            let kept = run.prints.iter().zip(&run.groups);
            let kept = kept.filter(|(_, seen)| **seen > group);
            (run.prints, run.groups) = kept.map(|(print, seen)| (*print, *seen)).unzip();
        }
        self.runs.retain(|run| !run.prints.is_empty());
    }

    /// Makes a run of the map, and merges runs that are alike.
    fn settle(&mut self) {
        let mut entries: Vec<(u64, u32)> = self.fresh.drain().chain(self.again.drain(..)).collect();
        entries.sort_unstable();
        let (prints, groups) = entries.into_iter().unzip();
        let mut run = Run { prints, groups };
        while let Some(last) = self.runs.last()
            && last.prints.len() < 2 * run.prints.len()
            && last.prints.len() + run.prints.len() <= RUN_MAX
            && let Some(last) = self.runs.pop()
        {
            run = Run::merge(&last, &run);
        }
        self.runs.push(run);
    }
}

impl Run {
    fn merge(a: &Run, b: &Run) -> Run {
        let length = a.prints.len() + b.prints.len();
        let mut merged = Run {
            prints: Vec::with_capacity(length),
            groups: Vec::with_capacity(length),
        };
        let (mut i, mut j) = (0, 0);
        while i < a.prints.len() || j < b.prints.len() {
            let from_a = match (a.prints.get(i), b.prints.get(j)) {
                (Some(x), Some(y)) => x <= y,
                (x, _) => x.is_some(),
            };
            let (run, at) = if from_a { (a, &mut i) } else { (b, &mut j) };
            merged.prints.push(run.prints[*at]);
            merged.groups.push(run.groups[*at]);
            *at += 1;
        }
        merged
    }

    /// The index of the first fingerprint that is not less than `print`. Fingerprints are evenly
    /// spread, so the place can be guessed: a look-up touches memory once or twice, not twenty times.
    fn first_at_least(&self, print: u64) -> usize {
        let length = self.prints.len();
        let guess = to_usize((u128::from(print) * length as u128) >> 64);
        // Gallop from the guess to a window that holds the answer.
        let (mut low, mut high) = (guess, guess);
        let mut step = 8;
        while low > 0 && self.prints[low.min(length - 1)] >= print {
            low = low.saturating_sub(step);
            step *= 2;
        }
        step = 8;
        while high < length && self.prints[high] < print {
            high = (high + step).min(length);
            step *= 2;
        }
        low + self.prints[low..high].partition_point(|p| *p < print)
    }
}

/// An [`Index`] whose entries are forgotten after a time, whole stretches together.
pub(crate) struct Expiring {
    /// The index of each stretch of uptime, oldest first.
    stretches: Vec<(u64, Index)>,
    /// How long a stretch is, and how long an entry is kept, in seconds.
    stretch: u64,
    seconds: u64,
}

impl Expiring {
    /// Entries are kept for at least `seconds` of uptime.
    pub(crate) fn new(seconds: u64) -> Expiring {
        Expiring {
            stretches: Vec::new(),
            stretch: (seconds / 24).max(1),
            seconds,
        }
    }

    /// Notes that `print` was used in `group` at `uptime` seconds.
    pub(crate) fn insert(&mut self, print: u64, group: u32, uptime: u64) {
        let stretch = uptime / self.stretch;
        match self.stretches.last_mut() {
            Some((last, index)) if *last >= stretch => index.insert(print, group),
            _ => {
                let mut index = Index::default();
                index.insert(print, group);
                self.stretches.push((stretch, index));
            }
        }
    }

    /// As [`Index::groups`].
    pub(crate) fn groups(&self, print: u64, found: &mut Vec<u32>) {
        self.stretches
            .iter()
            .rev()
            .for_each(|(_, index)| index.groups(print, found));
    }

    /// Forgets the stretches that ended more than the set time before `uptime`.
    pub(crate) fn expire(&mut self, uptime: u64) {
        let (stretch, seconds) = (self.stretch, self.seconds);
        self.stretches
            .retain(|(nth, _)| (nth + 1) * stretch + seconds > uptime);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::to_u32;

    /// Spread like a hash, and the same every time.
    fn print(n: u64) -> u64 {
        (n + 1)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(17)
            .wrapping_mul(0xd6e8_feb8_6659_fd93)
    }

    fn groups(index: &Index, print: u64) -> Vec<u32> {
        let mut found = Vec::new();
        index.groups(print, &mut found);
        found.sort_unstable();
        found
    }

    #[test]
    fn everything_that_was_inserted_is_found_and_nothing_else() {
        let mut index = Index::default();
        let count = 5 * MAP_MAX as u64 / 2;
        for n in 0..count {
            index.insert(print(n), to_u32(n / 100));
        }
        assert!(!index.runs.is_empty() && !index.fresh.is_empty());
        for n in (0..count).step_by(7) {
            assert_eq!(groups(&index, print(n)), [to_u32(n / 100)]);
            assert!(groups(&index, print(n) ^ 1).is_empty());
        }
        assert!(groups(&index, 0).is_empty());
        assert!(groups(&index, u64::MAX).is_empty());
    }

    #[test]
    fn one_fingerprint_may_be_in_many_groups() {
        let mut index = Index::default();
        for round in 0..3u32 {
            index.insert(7, round);
            index.insert(u64::MAX, round);
            for n in 0..MAP_MAX as u64 {
                index.insert(print(n + 1_000_000 * u64::from(round)), 99);
            }
            index.insert(7, 10 + round);
        }
        assert_eq!(groups(&index, 7), [0, 1, 2, 10, 11, 12]);
        assert_eq!(groups(&index, u64::MAX), [0, 1, 2]);
    }

    #[test]
    fn merged_runs_stay_few() {
        let mut index = Index::default();
        for n in 0..20 * MAP_MAX as u64 {
            index.insert(print(n), 1);
        }
        assert!(index.runs.len() <= 6, "{} runs", index.runs.len());
    }

    #[test]
    fn what_is_sealed_is_forgotten_and_nothing_else() {
        let mut index = Index::default();
        let count = 3 * MAP_MAX as u64;
        (0..count).for_each(|n| index.insert(print(n), to_u32(n / 100)));
        index.insert(print(7), to_u32(count / 100));
        index.forget_through(to_u32(count / 200));
        for n in (0..count).step_by(11) {
            let known = groups(&index, print(n));
            let expected: &[u32] = if n / 100 > count / 200 {
                &[to_u32(n / 100)]
            } else {
                &[]
            };
            assert_eq!(known, expected, "{n}");
        }
        assert_eq!(groups(&index, print(7)), [to_u32(count / 100)]);
    }

    #[test]
    fn keys_are_forgotten_when_their_time_is_over_and_not_before() {
        let day = 24 * 3600;
        let mut keys = Expiring::new(day);
        let known = |keys: &Expiring, print| {
            let mut found = Vec::new();
            keys.groups(print, &mut found);
            !found.is_empty()
        };
        keys.insert(1, 1, 10);
        keys.insert(2, 2, 5 * 3600);
        keys.expire(day + 10);
        assert!(known(&keys, 1) && known(&keys, 2));
        keys.expire(day + 3600);
        assert!(!known(&keys, 1) && known(&keys, 2));
        keys.insert(3, 3, day + 6 * 3600);
        keys.expire(day + 6 * 3600);
        assert!(!known(&keys, 2) && known(&keys, 3));
    }
}
