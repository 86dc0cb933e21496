//! A compact range: all that must be remembered of a run of leaves to hash what comes after.

use annals_hash::Batch;

use crate::{Hash, NodeId, cover, empty_root, node_hash};

/// The hashes of the fewest perfect nodes that cover the leaves `[begin, end)`.
///
/// At most 126 hashes, whatever the length of the run. Ranges that touch can be joined; a range
/// that begins at 0 has a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactRange {
    begin: u64,
    end: u64,
    hashes: Vec<Hash>,
}

/// Why bytes or hashes are not a compact range, or two ranges cannot be joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompactRangeError {
    /// `end` lies before `begin`.
    #[error("a range cannot end before it begins")]
    Backwards,
    /// The number of hashes is not the number of nodes that cover the range.
    #[error("the range needs {wanted} hashes, {given} are given")]
    Length {
        /// How many nodes cover the range.
        wanted: usize,
        /// How many hashes there are.
        given: usize,
    },
    /// The range that is to be joined does not begin where this one ends.
    #[error("the range to join begins at {begin}, not at {end}")]
    Gap {
        /// Where this range ends.
        end: u64,
        /// Where the other one begins.
        begin: u64,
    },
    /// The bytes are no encoded range.
    #[error("these bytes are not an encoded range")]
    Encoding,
}

/// Appends leaves to many ranges at once, and shows `completed` every inner node that this completes,
/// with the number of its range.
///
/// The nodes of one level do not depend on each other, so a level of all ranges is hashed side by
/// side. They are shown level by level from the bottom; those of one range and level from the left.
pub fn grow_all(
    ranges: &mut [(&mut CompactRange, &[Hash])],
    completed: &mut impl FnMut(usize, NodeId, Hash),
) {
    let mut hashes: Vec<Hash> = Vec::new();
    let mut runs: Vec<Run> = Vec::with_capacity(ranges.len());
    for (range, (compact, leaves)) in ranges.iter_mut().enumerate() {
        hashes.extend_from_slice(leaves);
        runs.push(Run {
            range,
            first: compact.end,
            count: leaves.len(),
            left_over: Vec::new(),
        });
        compact.end += leaves.len() as u64;
    }
    let mut batch = Batch::new();
    let mut level = 0u8;
    while !runs.is_empty() {
        let mut rest = hashes.as_slice();
        runs.retain_mut(|run| {
            let (nodes, behind) = rest.split_at(run.count);
            rest = behind;
            run.pair(ranges[run.range].0, level, nodes, &mut batch)
        });
        level += 1;
        hashes.clear();
        batch.hash_into(&mut hashes);
        let mut shown = hashes.iter();
        for run in &runs {
            for (index, hash) in (run.first..).zip(shown.by_ref().take(run.count)) {
                completed(run.range, NodeId { level, index }, *hash);
            }
        }
    }
}

/// What is new of a range on one level: `count` nodes from the one with the index `first` on.
struct Run {
    range: usize,
    first: u64,
    count: usize,
    /// The node that has no sibling yet, of each level below that has one, from the bottom.
    left_over: Vec<Hash>,
}

impl Run {
    /// Goes one level up: gives the nodes in pairs to `batch`. `false` if that makes no node, and the
    /// range is as it is to be.
    fn pair(
        &mut self,
        range: &mut CompactRange,
        level: u8,
        nodes: &[Hash],
        batch: &mut Batch,
    ) -> bool {
        let before = batch.len();
        let mut nodes = nodes;
        if let ([first, others @ ..], 1) = (nodes, self.first % 2) {
            nodes = others;
            // Its sibling to the left is the last hash that is kept, because a range is covered by the
            // fewest nodes; unless the range begins between the two.
            let inside = (self.first - 1) << level >= range.begin;
            match range.hashes.pop_if(|_| inside) {
                Some(sibling) => {
                    batch.push(&[&[0x01], &sibling, first]);
                    self.first -= 1;
                }
                None => {
                    range.hashes.push(*first);
                    self.first += 1;
                }
            }
        }
        let pairs = nodes.chunks_exact(2);
        self.left_over.extend(pairs.remainder());
        for pair in pairs {
            batch.push(&[&[0x01], &pair[0], &pair[1]]);
        }
        self.first /= 2;
        self.count = batch.len() - before;
        if self.count == 0 {
            range.hashes.extend(self.left_over.drain(..).rev());
        }
        self.count > 0
    }
}

impl CompactRange {
    /// The empty range at `begin`.
    pub fn new(begin: u64) -> CompactRange {
        CompactRange {
            begin,
            end: begin,
            hashes: Vec::new(),
        }
    }

    /// The range `[begin, end)` from the hashes of the nodes that [`cover`] names, in that order:
    /// how a range is restored from stored nodes, or taken from a proof.
    ///
    /// # Errors
    /// [`CompactRangeError::Backwards`] and [`CompactRangeError::Length`].
    pub fn from_hashes(
        begin: u64,
        end: u64,
        hashes: Vec<Hash>,
    ) -> Result<CompactRange, CompactRangeError> {
        if end < begin {
            return Err(CompactRangeError::Backwards);
        }
        let wanted = cover(begin, end).len();
        if hashes.len() != wanted {
            return Err(CompactRangeError::Length {
                wanted,
                given: hashes.len(),
            });
        }
        Ok(CompactRange { begin, end, hashes })
    }

    /// The first leaf.
    pub fn begin(&self) -> u64 {
        self.begin
    }

    /// One past the last leaf; the size of the tree if the range begins at 0.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The hashes of the nodes that [`cover`] names, in that order.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// The nodes with their hashes, from the left.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, Hash)> + '_ {
        cover(self.begin, self.end)
            .into_iter()
            .zip(self.hashes.iter().copied())
    }

    /// Appends one leaf, and shows `completed` every inner node (level 1 and up) that it completes,
    /// from the bottom.
    pub fn push_leaf(&mut self, leaf: Hash, completed: &mut impl FnMut(NodeId, Hash)) {
        self.push(
            NodeId {
                level: 0,
                index: self.end,
            },
            leaf,
            completed,
        );
    }

    /// Appends leaves as [`CompactRange::push_leaf`] does one by one, and shows `completed` the same
    /// nodes, level by level; see [`grow_all`].
    pub fn push_leaves(&mut self, leaves: &[Hash], completed: &mut impl FnMut(NodeId, Hash)) {
        grow_all(&mut [(self, leaves)], &mut |_, id, hash| {
            completed(id, hash);
        });
    }

    /// Joins `next`, which must begin where this range ends. `completed` is shown every node that
    /// this completes; the nodes inside of `next` it is not shown.
    ///
    /// # Errors
    /// [`CompactRangeError::Gap`]; this range is then unchanged.
    pub fn append(
        &mut self,
        next: &CompactRange,
        completed: &mut impl FnMut(NodeId, Hash),
    ) -> Result<(), CompactRangeError> {
        if next.begin != self.end {
            return Err(CompactRangeError::Gap {
                end: self.end,
                begin: next.begin,
            });
        }
        for (id, hash) in next.nodes() {
            self.push(id, hash, completed);
        }
        Ok(())
    }

    /// Appends a node that begins where the range ends, and merges it to the left as far as it goes.
    fn push(&mut self, id: NodeId, hash: Hash, completed: &mut impl FnMut(NodeId, Hash)) {
        self.end = id.end();
        let (mut id, mut hash) = (id, hash);
        // A right child whose sibling lies wholly inside the range: the sibling is then the last
        // hash that is kept, because the range is covered by the fewest nodes.
        while id.index % 2 == 1 && (id.index - 1) << id.level >= self.begin {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            id = NodeId {
                level: id.level + 1,
                index: id.index / 2,
            };
            completed(id, hash);
        }
        self.hashes.push(hash);
    }

    /// The hash over the whole range, folded from the right. For a range that begins at 0 this is
    /// the root of the tree of size [`CompactRange::end`]; the empty one has [`empty_root`].
    ///
    /// Of a range that begins elsewhere it is not a node of any tree; join it to what stands before.
    pub fn root(&self) -> Hash {
        let mut from_the_right = self.hashes.iter().rev();
        let Some(&last) = from_the_right.next() else {
            return empty_root();
        };
        from_the_right.fold(last, |right, left| node_hash(left, &right))
    }

    /// The range as bytes: begin and end as big-endian u64, then the hashes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + 32 * self.hashes.len());
        bytes.extend_from_slice(&self.begin.to_be_bytes());
        bytes.extend_from_slice(&self.end.to_be_bytes());
        for hash in &self.hashes {
            bytes.extend_from_slice(hash);
        }
        bytes
    }

    /// Reads what [`CompactRange::encode`] wrote, and nothing else.
    ///
    /// # Errors
    /// [`CompactRangeError::Encoding`], [`CompactRangeError::Backwards`] or
    /// [`CompactRangeError::Length`].
    pub fn decode(bytes: &[u8]) -> Result<CompactRange, CompactRangeError> {
        let (begin, rest) = bytes
            .split_first_chunk()
            .ok_or(CompactRangeError::Encoding)?;
        let (end, rest) = rest
            .split_first_chunk()
            .ok_or(CompactRangeError::Encoding)?;
        let (hashes, left_over) = rest.as_chunks::<32>();
        if !left_over.is_empty() {
            return Err(CompactRangeError::Encoding);
        }
        let (begin, end) = (u64::from_be_bytes(*begin), u64::from_be_bytes(*end));
        CompactRange::from_hashes(begin, end, hashes.to_vec())
    }
}
