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
    /// nodes in the same order. What lies inside the run is hashed level by level, side by side.
    pub fn push_leaves(&mut self, leaves: &[Hash], completed: &mut impl FnMut(NodeId, Hash)) {
        let run = cover(self.end, self.end + leaves.len() as u64);
        // Of every level the index of the first node inside the run, and the hashes from there on.
        let mut levels = vec![(self.end, leaves.to_vec())];
        let mut level = 0u8;
        let mut shown = Vec::with_capacity(leaves.len());
        let mut batch = Batch::new();
        while let Some((first, hashes)) = levels.last() {
            // A right child at the start has its sibling outside.
            let skip = first % 2;
            for pair in hashes
                .get(usize::from(skip == 1)..)
                .unwrap_or_default()
                .chunks_exact(2)
            {
                batch.push(&[&[0x01], &pair[0], &pair[1]]);
            }
            if batch.is_empty() {
                break;
            }
            let (first, hashes) = ((first + skip) / 2, batch.hash());
            level += 1;
            let ids = (first..).map(|index| NodeId { level, index });
            shown.extend(ids.zip(hashes.iter().copied()));
            levels.push((first, hashes));
        }
        for id in run {
            let (first, hashes) = &levels[usize::from(id.level)];
            let place = usize::try_from(id.index - first);
            let Some(hash) = place.ok().and_then(|place| hashes.get(place).copied()) else {
                break;
            };
            self.push(id, hash, &mut |id, hash| shown.push((id, hash)));
        }
        shown.sort_unstable_by_key(|(id, _)| (id.end(), id.level));
        shown.into_iter().for_each(|(id, hash)| completed(id, hash));
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
