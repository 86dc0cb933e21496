//! What is left of a tile's seed when the salts of some of its events must be gone.
//!
//! The salts of a tile are the leaves of a tree that grows from one seed. To destroy one of them,
//! the path to it is taken out and the nodes beside the path are kept: every other salt still grows
//! from those, and that one from none, because nobody gets from a node to its parent or sibling.

use super::seed::{Salt, Seed, TILE, child, descend};

/// The level of the leaves, which are the events' salts. The seed itself is level 0.
const LEAF: u8 = 8;

/// The nodes of a tile's tree that are left, in the order of their positions, none above another.
///
/// Whole, that is the seed itself. As secret as the seed: it never leaves the store.
#[derive(Clone, PartialEq, Eq)]
pub struct SeedNodes(Vec<SeedNode>);

/// One node that is left: all salts below it can be derived from it.
#[derive(Clone, PartialEq, Eq)]
pub struct SeedNode {
    /// How deep it stands: 0 is the seed, 8 the salt of one event.
    pub level: u8,
    /// The how-manieth node of its level, from 0: the first `level` of the eight low bits of the
    /// positions below it.
    pub index: u8,
    /// Its 32 secret bytes.
    pub secret: [u8; 32],
}

impl SeedNode {
    /// The first position below this node, within its tile.
    fn begin(&self) -> u64 {
        u64::from(self.index) << (LEAF - self.level)
    }

    /// One past the last position below this node, within its tile.
    fn end(&self) -> u64 {
        self.begin() + (1 << (LEAF - self.level))
    }

    fn children(&self) -> [SeedNode; 2] {
        [0, 1].map(|bit| SeedNode {
            level: self.level + 1,
            index: self.index << 1 | bit,
            secret: child(&self.secret, bit),
        })
    }
}

impl SeedNodes {
    /// Everything: nothing has been destroyed yet.
    pub fn whole(seed: &Seed) -> SeedNodes {
        SeedNodes(vec![SeedNode {
            level: 0,
            index: 0,
            secret: seed.0,
        }])
    }

    /// What is left, in the order of positions.
    pub fn nodes(&self) -> &[SeedNode] {
        &self.0
    }

    /// Destroys the salt of the event at `position`, of which the low eight bits count. All others
    /// of the tile can still be derived. Destroying one twice changes nothing.
    pub fn puncture(&mut self, position: u64) {
        let position = position % TILE;
        while let Some(above) = self.find(position) {
            let node = self.0.remove(above);
            if node.level < LEAF {
                // The node gives way to its two children; the next round takes the one above.
                self.0.splice(above..above, node.children());
            }
        }
    }

    /// The salt of the event at `position`; `None` if it was destroyed.
    pub fn event_salt(&self, position: u64) -> Option<Salt> {
        let node = &self.0[self.find(position % TILE)?];
        Some(descend(node.secret, usize::from(node.level), position))
    }

    /// As bytes: for each node its level, its index and its secret.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 34);
        for node in &self.0 {
            bytes.extend_from_slice(&[node.level, node.index]);
            bytes.extend_from_slice(&node.secret);
        }
        bytes
    }

    /// Reads what [`SeedNodes::encode`] wrote; `None` if these bytes are not that.
    pub fn decode(bytes: &[u8]) -> Option<SeedNodes> {
        let (parts, rest) = bytes.as_chunks::<34>();
        if !rest.is_empty() {
            return None;
        }
        let mut nodes: Vec<SeedNode> = Vec::with_capacity(parts.len());
        for part in parts {
            let ([level, index], secret) = part.split_first_chunk()?;
            let (level, index) = (*level, *index);
            if level > LEAF || u16::from(index) >= 1 << level {
                return None;
            }
            let node = SeedNode {
                level,
                index,
                secret: secret.try_into().ok()?,
            };
            if nodes
                .last()
                .is_some_and(|before| before.end() > node.begin())
            {
                return None;
            }
            nodes.push(node);
        }
        Some(SeedNodes(nodes))
    }

    fn find(&self, position: u64) -> Option<usize> {
        self.0.iter().position(|node| covers(node, position))
    }
}

fn covers(node: &SeedNode, position: u64) -> bool {
    node.begin() <= position && position < node.end()
}

impl std::fmt::Debug for SeedNodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SeedNodes(..)")
    }
}

impl std::fmt::Debug for SeedNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "SeedNode {{ level: {}, index: {}, .. }}",
            self.level, self.index
        )
    }
}
