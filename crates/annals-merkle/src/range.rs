//! A contiguous range of a log, proved by what stands before it and what stands after it.

use crate::{CompactRange, Hash, NodeId, ProofError, cover};

/// What proves a contiguous range `[from, to)` of a tree: the compact ranges on both sides of it.
///
/// It proves that these leaves, all of them and no others, stand at these positions, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct RangeProof {
    /// The hashes of [`cover`]`(0, from)`.
    pub left: Vec<Hash>,
    /// The hashes of [`cover`]`(to, size)`.
    pub right: Vec<Hash>,
}

/// The nodes whose hashes make the [`RangeProof`] of `[from, to)`: those to the left of it, and
/// those to the right.
///
/// # Errors
/// [`ProofError::Range`] if `from > to` or `to > size`. An empty range is allowed.
pub fn range_nodes(
    from: u64,
    to: u64,
    size: u64,
) -> Result<(Vec<NodeId>, Vec<NodeId>), ProofError> {
    if from > to || to > size {
        return Err(ProofError::Range { from, to, size });
    }
    Ok((cover(0, from), cover(to, size)))
}

/// Checks that `leaves`, a compact range of the leaves in question, is that part of the tree of
/// `size` leaves with this `root`. The leaves may be pushed one by one, so memory is constant.
///
/// The size is taken as given, and some sizes have trees of the same shape: it must come from the
/// signed checkpoint that the root comes from.
///
/// # Errors
/// [`ProofError`] says what is wrong; both sides must have exactly the right number of hashes.
pub fn verify_range(
    leaves: &CompactRange,
    size: u64,
    proof: &RangeProof,
    root: &Hash,
) -> Result<(), ProofError> {
    let (from, to) = (leaves.begin(), leaves.end());
    let (left, right) = range_nodes(from, to, size)?;
    let mut tree = side(0, from, &left, &proof.left)?;
    let right = side(to, size, &right, &proof.right)?;
    let out_of_place = |_| ProofError::Range { from, to, size };
    tree.append(leaves, &mut |_, _| {}).map_err(out_of_place)?;
    tree.append(&right, &mut |_, _| {}).map_err(out_of_place)?;
    if tree.root() == *root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

fn side(
    begin: u64,
    end: u64,
    nodes: &[NodeId],
    hashes: &[Hash],
) -> Result<CompactRange, ProofError> {
    CompactRange::from_hashes(begin, end, hashes.to_vec()).map_err(|_| ProofError::Length {
        wanted: nodes.len(),
        given: hashes.len(),
    })
}
