//! Which leaves a node of the tree covers, and which nodes cover a run of leaves.

use crate::{Hash, ProofError, node_hash};

/// A perfect node: the root of the 2^`level` leaves that start at leaf `index`·2^`level`.
///
/// Once its last leaf is in the log, its hash never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId {
    /// 0 for a leaf, at most 63.
    pub level: u8,
    /// The how-manieth node of its level, from 0.
    pub index: u64,
}

impl NodeId {
    /// The first leaf below this node.
    pub fn begin(self) -> u64 {
        self.index << self.level
    }

    /// One past the last leaf below this node.
    pub fn end(self) -> u64 {
        self.begin() + (1 << self.level)
    }
}

/// The fewest perfect nodes that cover the leaves `[from, to)`, in order; at most 126.
///
/// Empty if `from >= to`. Of `[0, n)` these are the nodes that the root of a tree of size `n` is
/// folded from, which is all that must be kept to go on appending, or to prune everything below `n`.
pub fn cover(from: u64, to: u64) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    let mut begin = from;
    while begin < to {
        let level = begin.trailing_zeros().min((to - begin).ilog2());
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a logarithm of a u64 is at most 63"
        )]
        nodes.push(NodeId {
            level: level as u8,
            index: begin >> level,
        });
        begin += 1 << level;
    }
    nodes
}

/// A node of the tree of one particular size: perfect, or on the right edge and then made of
/// several perfect ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// The first leaf.
    pub begin: u64,
    /// One past the last leaf.
    pub end: u64,
}

impl Subtree {
    /// The perfect nodes whose hashes make this subtree's hash; one unless it lies on the right edge.
    pub fn nodes(self) -> Vec<NodeId> {
        cover(self.begin, self.end)
    }

    /// The subtree's hash, folded from the hashes of [`Subtree::nodes`] in the same order.
    ///
    /// # Errors
    /// [`ProofError::Length`] if there are not exactly as many hashes as nodes, or none.
    pub fn fold(self, hashes: &[Hash]) -> Result<Hash, ProofError> {
        let wanted = self.nodes().len();
        if hashes.len() != wanted {
            return Err(ProofError::Length {
                wanted,
                given: hashes.len(),
            });
        }
        // A subtree of a tree starts on a multiple of a power of two that is at least its width, so
        // its nodes get smaller to the right, and folding from the right is RFC 6962's recursion.
        let mut from_the_right = hashes.iter().rev();
        let last = *from_the_right.next().ok_or(ProofError::Length {
            wanted: 1,
            given: 0,
        })?;
        Ok(from_the_right.fold(last, |right, left| node_hash(left, &right)))
    }
}
