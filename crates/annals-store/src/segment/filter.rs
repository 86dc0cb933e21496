//! Saying quickly where a value is not: Bloom filters over the keys of rows.

use annals_event::{Filter, KeyClass, fold_key};

use super::text::TextProbe;
use super::uuid::uuid_millis;
use crate::Slot;
use crate::fingerprint::fingerprint;

/// A hash of one key of one log. The hash function is part of the format.
pub(crate) fn key_hash(slot: Slot, class: KeyClass, key: &[u8]) -> u64 {
    let mut short = [0; 160];
    let mut long = Vec::new();
    let text = match short.get_mut(..5 + key.len()) {
        Some(text) => text,
        None => {
            long.resize(5 + key.len(), 0);
            &mut long
        }
    };
    text[..4].copy_from_slice(&slot.to_le_bytes());
    text[4] = class as u8;
    text[5..].copy_from_slice(key);
    fingerprint(b"annals/filter/v1", text)
}

/// The hash of a text as a key: with its case folded.
pub(super) fn key_hash_of(slot: Slot, class: KeyClass, text: &str) -> u64 {
    let mut folded = [0; 128];
    match folded.get_mut(..text.len()) {
        // Of ASCII, which most texts are, folding is this simple.
        Some(folded) if text.is_ascii() => {
            folded.copy_from_slice(text.as_bytes());
            folded.make_ascii_lowercase();
            key_hash(slot, class, folded)
        }
        _ => key_hash(slot, class, fold_key(text).as_bytes()),
    }
}

/// How many bits a filter has for each key, and how many of them a key sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    bits: usize,
    hashes: u64,
}

/// One key in 120 that is not there looks as if it were: good enough to step over pages.
pub(crate) const OF_PAGE: Shape = Shape {
    bits: 10,
    hashes: 7,
};

/// One in 14,000: a new event must not make us look for its id in old segments.
pub(crate) const OF_IDS: Shape = Shape {
    bits: 20,
    hashes: 14,
};

impl Shape {
    /// The filter over these keys; empty if there are none.
    pub(crate) fn build(self, keys: &[u64]) -> Vec<u8> {
        self.fill(keys, self.bytes(keys.len()))
    }

    /// How many bytes a filter over so many keys has.
    pub(crate) fn bytes(self, keys: usize) -> usize {
        (keys * self.bits).div_ceil(8)
    }

    /// A filter of so many bytes over these keys.
    pub(crate) fn fill(self, keys: &[u64], bytes: usize) -> Vec<u8> {
        let mut filter = vec![0; bytes];
        for key in keys {
            for bit in self.places(*key, bytes) {
                filter[bit / 8] |= 1 << (bit % 8);
            }
        }
        filter
    }

    /// Whether the key may be among those that the filter was built over.
    pub(crate) fn may_hold(self, filter: &[u8], key: u64) -> bool {
        !filter.is_empty()
            && self
                .places(key, filter.len())
                .all(|bit| filter[bit / 8] & 1 << (bit % 8) != 0)
    }

    fn places(self, key: u64, bytes: usize) -> impl Iterator<Item = usize> {
        let (first, step) = (key & 0xffff_ffff, key >> 32 | 1);
        let bits = 8 * bytes as u64;
        (0..self.hashes).map(move |n| {
            crate::journal::to_usize(first.wrapping_add(n.wrapping_mul(step)) % bits.max(1))
        })
    }
}

/// What a search asks of the filters of a log's pages: of each list, one key has to be there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    lists: Vec<Vec<Wanted>>,
    /// The same keys as they are, for looking at rows.
    keys: Vec<Vec<(KeyClass, Vec<u8>)>>,
    texts: TextProbe,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Key(u64),
    /// An id that has its time in it.
    Id(u64),
}

impl Probe {
    /// What rows of the log must have to match.
    pub(crate) fn new(slot: Slot, filter: &Filter) -> Probe {
        let wanted = |(class, key): &(KeyClass, Vec<u8>)| {
            let millis = match class {
                KeyClass::Id => std::str::from_utf8(key).ok().and_then(uuid_millis),
                _ => None,
            };
            match millis {
                Some(millis) => Wanted::Id(millis),
                None => Wanted::Key(key_hash(slot, *class, key)),
            }
        };
        let keys = filter.keys();
        Probe {
            lists: keys
                .iter()
                .map(|keys| keys.iter().map(wanted).collect())
                .collect(),
            keys,
            texts: TextProbe::new(filter),
        }
    }

    /// The rows with this id.
    pub(crate) fn of_id(slot: Slot, id: &str) -> Probe {
        let wanted = match uuid_millis(id) {
            Some(millis) => Wanted::Id(millis),
            None => {
                let key = annals_event::fold_key(id);
                Wanted::Key(key_hash(slot, KeyClass::Id, key.as_bytes()))
            }
        };
        Probe {
            lists: vec![vec![wanted]],
            ..Probe::default()
        }
    }

    /// Whether a row may match of which `has` says whether it has a key.
    pub(crate) fn keys_may_match<'a>(
        &'a self,
        mut has: impl FnMut(KeyClass, &'a [u8]) -> bool,
    ) -> bool {
        let one =
            |list: &'a Vec<(KeyClass, Vec<u8>)>| list.iter().any(|(class, key)| has(*class, key));
        self.keys.iter().all(one)
    }

    /// Whether a row may match of which `holds` says whether one of its texts holds a piece.
    pub(crate) fn texts_may_match<'a>(&'a self, holds: impl FnMut(&'a str) -> bool) -> bool {
        self.texts.may_match(holds)
    }

    /// Whether a page may hold what is wanted, by the times in its ids and its filters over keys and texts,
    /// which are read only if that is needed.
    pub(crate) fn may_be_in(
        &self,
        ids: (u64, u64),
        keys: impl FnOnce() -> Option<Vec<u8>>,
        texts: impl FnOnce() -> Option<Vec<u8>>,
    ) -> bool {
        self.keys_may_be_in(ids, keys)
            && (self.texts.is_empty() || texts().is_none_or(|filter| self.texts.may_be_in(&filter)))
    }

    fn keys_may_be_in(&self, ids: (u64, u64), filter: impl FnOnce() -> Option<Vec<u8>>) -> bool {
        let in_time = |millis: u64| ids.0 <= millis && millis <= ids.1;
        let by_id = |wanted: &Wanted| match wanted {
            Wanted::Key(_) => true,
            Wanted::Id(millis) => in_time(*millis),
        };
        if !self.lists.iter().all(|list| list.iter().any(by_id)) {
            return false;
        }
        let needs_filter = |wanted: &Wanted| matches!(wanted, Wanted::Key(_));
        if !self.lists.iter().flatten().any(needs_filter) {
            return true;
        }
        let Some(filter) = filter() else { return true };
        let holds = |wanted: &Wanted| match wanted {
            Wanted::Key(key) => OF_PAGE.may_hold(&filter, *key),
            Wanted::Id(millis) => in_time(*millis),
        };
        self.lists.iter().all(|list| list.iter().any(holds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_filter_is_found_and_little_else_is() {
        for (shape, most) in [(OF_PAGE, 200), (OF_IDS, 5)] {
            let keys: Vec<u64> = (0..3_000u64)
                .map(|n| key_hash(1, KeyClass::Actor, &n.to_le_bytes()))
                .collect();
            let filter = shape.build(&keys);
            assert!(keys.iter().all(|key| shape.may_hold(&filter, *key)));
            let wrongly = (0..10_000u64)
                .map(|n| key_hash(2, KeyClass::Actor, &n.to_le_bytes()))
                .filter(|key| shape.may_hold(&filter, *key))
                .count();
            assert!(wrongly <= most, "{wrongly} of 10,000");
            assert!(!shape.may_hold(&[], 7));
        }
    }
}
