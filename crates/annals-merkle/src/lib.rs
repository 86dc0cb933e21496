//! The Merkle tree of a log: hashes, compact ranges, proofs, and signed checkpoints.
//!
//! The tree is that of RFC 6962 §2.1 with SHA-256. This crate is pure: bytes, positions and hashes
//! go in, hashes and verdicts come out. It does not know what an entry means, where hashes are
//! stored, or what time it is. Whoever proves something asks in two steps: which subtrees does the
//! proof need ([`inclusion_subtrees`], [`consistency_subtrees`], [`range_nodes`]), then, with those
//! hashes fetched from wherever they live, the proof ([`prove`], [`RangeProof`]).
//!
//! ```
//! use annals_merkle::{CompactRange, leaf_hash, inclusion_subtrees, prove, verify_inclusion};
//! # use std::collections::HashMap;
//! let mut nodes = HashMap::new();
//! let mut tree = CompactRange::new(0);
//! for (position, entry) in ["a", "b", "c"].iter().enumerate() {
//!     let leaf = leaf_hash(entry.as_bytes());
//!     nodes.insert(annals_merkle::NodeId { level: 0, index: position as u64 }, leaf);
//!     tree.push_leaf(leaf, &mut |id, hash| { nodes.insert(id, hash); });
//! }
//! let needed = inclusion_subtrees(1, 3)?;
//! let proof = prove(&needed, |id| Ok::<_, annals_merkle::ProofError>(nodes[&id]))?;
//! verify_inclusion(&leaf_hash(b"b"), 1, 3, &proof, &tree.root())?;
//! # Ok::<(), annals_merkle::ProofError>(())
//! ```

mod checkpoint;
mod compact;
mod hash;
mod key;
mod node;
mod note;
mod proof;
mod range;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use compact::{CompactRange, CompactRangeError, grow_all};
pub use hash::{Hash, empty_root, leaf_hash, node_hash};
pub use key::{KeyError, SigningKey, VerifyingKey};
pub use node::{NodeId, Subtree, cover};
pub use note::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, Note, NoteError, NoteSignature};
pub use proof::{
    ProofError, consistency_subtrees, inclusion_subtrees, prove, verify_consistency,
    verify_inclusion,
};
pub use range::{RangeProof, range_nodes, verify_range};
