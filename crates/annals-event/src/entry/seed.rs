//! Salts from one random seed per 256 positions: a binary tree of hashes whose leaves are the events' salts.

use sha2::{Digest, Sha256};

/// Positions that share a seed.
pub const TILE: u64 = 256;

/// Levels of the tree of one tile: 2^8 positions.
const LEVELS: usize = 8;

/// The salt of an event or of a section. Secret as long as what it covers shall not be guessed.
pub type Salt = [u8; 32];

/// The root of a tile's tree: 32 random bytes, one for every [`TILE`] positions of a log. Never leaves the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed(pub [u8; 32]);

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// `SHA-256("annals/seed/v1\n" ‖ node ‖ u8 b)`.
pub(super) fn child(node: &[u8; 32], bit: u8) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"annals/seed/v1\n");
    hash.update(node);
    hash.update([bit]);
    hash.finalize().into()
}

fn bit(position: u64, level: usize) -> u8 {
    u8::from(position >> (LEVELS - 1 - level) & 1 == 1)
}

/// The salt of the event at `position`, from the seed of its tile: the low eight bits of the position lead from the root to the leaf,
/// the highest of them first.
pub fn event_salt(seed: &Seed, position: u64) -> Salt {
    descend(seed.0, 0, position)
}

/// The salt of the event at `position`, from the node of this level above it.
pub(super) fn descend(node: [u8; 32], level: usize, position: u64) -> Salt {
    (level..LEVELS).fold(node, |node, level| child(&node, bit(position, level)))
}

/// `SHA-256("annals/salt/v1\n" ‖ event_salt ‖ u8 k)`: the salt of section `k`.
pub fn section_salt(event_salt: &Salt, k: u8) -> Salt {
    let mut hash = Sha256::new();
    hash.update(b"annals/salt/v1\n");
    hash.update(event_salt);
    hash.update([k]);
    hash.finalize().into()
}

/// The salts of the events of one tile in the order of their positions, about two hashes each.
#[derive(Clone)]
pub struct SaltWalk {
    /// The nodes from the root to the leaf before the last one that was given out.
    path: [[u8; 32]; LEVELS],
    next: u64,
    last: u64,
    /// How many nodes of `path` belong to the way to `next`.
    fresh: usize,
}

impl SaltWalk {
    /// Starts at `position`; the walk ends with the tile.
    pub fn new(seed: &Seed, position: u64) -> Self {
        let last = position | (TILE - 1);
        Self {
            path: [seed.0; LEVELS],
            next: position,
            last,
            fresh: 1,
        }
    }
}

impl std::fmt::Debug for SaltWalk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SaltWalk")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl Iterator for SaltWalk {
    type Item = Salt;

    fn next(&mut self) -> Option<Salt> {
        if self.next > self.last {
            return None;
        }
        let position = self.next;
        for level in self.fresh..LEVELS {
            self.path[level] = child(&self.path[level - 1], bit(position, level - 1));
        }
        let salt = child(&self.path[LEVELS - 1], bit(position, LEVELS - 1));
        // The next position keeps the nodes above its lowest changed bit.
        let changed = (position ^ position.wrapping_add(1)).count_ones() as usize;
        self.fresh = (LEVELS + 1).saturating_sub(changed).max(1);
        // A position of u64::MAX ends the walk as well.
        match position.checked_add(1) {
            Some(next) => self.next = next,
            None => (self.next, self.last) = (1, 0),
        }
        Some(salt)
    }
}
