//! Inclusion of one leaf, and consistency of two sizes.

use crate::{Hash, NodeId, Subtree, empty_root, node_hash};

/// Why a proof cannot be made, or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The position is not in a tree of this size.
    #[error("position {position} is not in a tree of size {size}")]
    Position {
        /// The position asked for.
        position: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The old tree is larger than the new one.
    #[error("a tree of size {new} cannot contain one of size {old}")]
    Shrunk {
        /// The size of the old tree.
        old: u64,
        /// The size of the new tree.
        new: u64,
    },
    /// The range `[from, to)` runs backwards or beyond the tree.
    #[error("[{from}, {to}) is not a range of a tree of size {size}")]
    Range {
        /// The first position.
        from: u64,
        /// One past the last position.
        to: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A proof for these sizes has another number of hashes.
    #[error("the proof needs {wanted} hashes, {given} are given")]
    Length {
        /// How many hashes such a proof has.
        wanted: usize,
        /// How many there are.
        given: usize,
    },
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root")]
    Root,
}

/// The subtrees whose hashes prove that the leaf at `position` is in the tree of `size` leaves,
/// from the bottom up (RFC 6962 §2.1.1); at most 63.
///
/// # Errors
/// [`ProofError::Position`] if there is no such leaf.
pub fn inclusion_subtrees(position: u64, size: u64) -> Result<Vec<Subtree>, ProofError> {
    if position >= size {
        return Err(ProofError::Position { position, size });
    }
    let mut path = Vec::new();
    let mut tree = Subtree {
        begin: 0,
        end: size,
    };
    while tree.end - tree.begin > 1 {
        let (left, right) = halves(tree);
        let (inside, beside) = if position < left.end {
            (left, right)
        } else {
            (right, left)
        };
        path.push(beside);
        tree = inside;
    }
    path.reverse();
    Ok(path)
}

/// The subtrees whose hashes prove that the tree of `new` leaves begins with the tree of `old`
/// leaves (RFC 6962 §2.1.2); none if `old` is 0 or equal to `new`.
///
/// # Errors
/// [`ProofError::Shrunk`] if `old` is larger than `new`.
pub fn consistency_subtrees(old: u64, new: u64) -> Result<Vec<Subtree>, ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Ok(path);
    }
    let mut tree = Subtree { begin: 0, end: new };
    while tree.end > old {
        let (left, right) = halves(tree);
        let (inside, beside) = if old <= left.end {
            (left, right)
        } else {
            (right, left)
        };
        path.push(beside);
        tree = inside;
    }
    // What is left ends with the old tree. If it *is* the old tree, the verifier knows its hash.
    if tree.begin > 0 {
        path.push(tree);
    }
    path.reverse();
    Ok(path)
}

/// The proof: the hash of each subtree, with `fetch` giving the hash of each perfect node.
///
/// # Errors
/// The first error of `fetch`.
pub fn prove<E: From<ProofError>>(
    subtrees: &[Subtree],
    mut fetch: impl FnMut(NodeId) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    subtrees
        .iter()
        .map(|subtree| {
            let hashes = subtree
                .nodes()
                .into_iter()
                .map(&mut fetch)
                .collect::<Result<Vec<_>, E>>()?;
            Ok(subtree.fold(&hashes)?)
        })
        .collect()
}

/// Checks that `leaf` stands at `position` in the tree of `size` leaves with this `root`.
///
/// Position and size are taken as given: they must come from signed data, or from the entry itself.
///
/// # Errors
/// [`ProofError`] says what is wrong; the length of the proof must be exactly right.
pub fn verify_inclusion(
    leaf: &Hash,
    position: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let path = inclusion_subtrees(position, size)?;
    require_length(path.len(), proof.len())?;
    let folded = path.iter().zip(proof).fold(*leaf, |hash, (beside, given)| {
        if beside.begin > position {
            node_hash(&hash, given)
        } else {
            node_hash(given, &hash)
        }
    });
    require_root(&folded, root)
}

/// Checks that the tree of `new` leaves begins with the tree of `old` leaves.
///
/// # Errors
/// [`ProofError`] says what is wrong; the length of the proof must be exactly right. The tree
/// without leaves is contained in every tree, by an empty proof.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    let path = consistency_subtrees(old, new)?;
    require_length(path.len(), proof.len())?;
    if old == 0 {
        require_root(&empty_root(), old_root)?;
        return if new == 0 {
            require_root(&empty_root(), new_root)
        } else {
            Ok(())
        };
    }
    if old == new {
        return require_root(old_root, new_root);
    }
    let mut steps = path.iter().zip(proof);
    // Where the old tree is itself a node of the new one, the proof starts from its root.
    let starts_with_node = path.first().is_some_and(|first| first.end == old);
    let start = match steps.next() {
        Some((_, given)) if starts_with_node => *given,
        _ => {
            steps = path.iter().zip(proof);
            *old_root
        }
    };
    let (mut old_side, mut new_side) = (start, start);
    for (beside, given) in steps {
        if beside.end <= old {
            old_side = node_hash(given, &old_side);
            new_side = node_hash(given, &new_side);
        } else {
            new_side = node_hash(&new_side, given);
        }
    }
    require_root(&old_side, old_root)?;
    require_root(&new_side, new_root)
}

/// The two children of a node with at least two leaves: the left one has the largest power of two
/// that is smaller than the whole.
fn halves(tree: Subtree) -> (Subtree, Subtree) {
    let middle = tree.begin + (1 << (tree.end - tree.begin - 1).ilog2());
    (
        Subtree {
            begin: tree.begin,
            end: middle,
        },
        Subtree {
            begin: middle,
            end: tree.end,
        },
    )
}

fn require_length(wanted: usize, given: usize) -> Result<(), ProofError> {
    if wanted == given {
        Ok(())
    } else {
        Err(ProofError::Length { wanted, given })
    }
}

fn require_root(folded: &Hash, root: &Hash) -> Result<(), ProofError> {
    if folded == root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}
