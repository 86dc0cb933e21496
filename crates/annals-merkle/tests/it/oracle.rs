//! All sizes from 0 to 300: roots and proofs are those of the naive tree, hold, and break when touched.

use annals_merkle::{
    CompactRange, Hash, NodeId, ProofError, consistency_subtrees, inclusion_subtrees, prove,
    verify_consistency, verify_inclusion,
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use sha2::Sha256;

use crate::naive::Naive;

const SIZE_MAX: usize = 300;

fn fetch(naive: &Naive) -> impl FnMut(NodeId) -> Result<Hash, ProofError> + '_ {
    |id| Ok(naive.node(id))
}

/// Every way in which one proof is damaged: a bit of each hash, one hash more, less, or in another place.
fn damaged(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for i in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[i][i % 32] ^= 1 << (i % 8);
        all.push(flipped);
        let mut shorter = proof.to_vec();
        shorter.remove(i);
        all.push(shorter);
        let mut longer = proof.to_vec();
        longer.insert(i, proof[i]);
        all.push(longer);
        if i > 0 {
            let mut swapped = proof.to_vec();
            swapped.swap(i - 1, i);
            all.push(swapped);
        }
    }
    let mut longer = proof.to_vec();
    longer.push([7; 32]);
    all.push(longer);
    all
}

#[test]
fn roots_of_all_sizes() {
    let naive = Naive::counting(SIZE_MAX);
    let mut tree = CompactRange::new(0);
    for size in 0..=SIZE_MAX {
        assert_eq!(tree.root(), naive.root(size), "size {size}");
        assert_eq!(tree.end(), size as u64);
        if let Some(&leaf) = naive.leaves.get(size) {
            tree.push_leaf(leaf, &mut |id, hash| {
                assert_eq!(hash, naive.node(id), "{id:?}")
            });
        }
    }
}

#[test]
fn each_inner_node_is_shown_once_and_when_it_is_complete() {
    let naive = Naive::counting(256);
    let mut shown = Vec::new();
    let mut tree = CompactRange::new(0);
    for &leaf in &naive.leaves {
        tree.push_leaf(leaf, &mut |id, _| shown.push(id));
        assert!(shown.last().is_none_or(|id| id.end() <= tree.end()));
    }
    assert_eq!(shown.len(), 255);
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 255);
}

#[test]
fn inclusion_of_every_leaf_in_every_size() {
    let naive = Naive::counting(SIZE_MAX);
    for size in 1..=SIZE_MAX {
        let root = naive.root(size);
        for position in 0..size {
            let needed = inclusion_subtrees(position as u64, size as u64).unwrap();
            let proof = prove(&needed, fetch(&naive)).unwrap();
            assert_eq!(proof, naive.path(position, 0, size), "{position} of {size}");
            let leaf = &naive.leaves[position];
            verify_inclusion(leaf, position as u64, size as u64, &proof, &root).unwrap();
        }
    }
}

#[test]
fn a_damaged_inclusion_proof_does_not_hold() {
    let naive = Naive::counting(64);
    for size in 1..=40usize {
        let root = naive.root(size);
        for position in 0..size {
            let (p, n) = (position as u64, size as u64);
            let leaf = &naive.leaves[position];
            let proof = naive.path(position, 0, size);
            for bad in damaged(&proof) {
                assert!(
                    verify_inclusion(leaf, p, n, &bad, &root).is_err(),
                    "{position} {size}"
                );
            }
            for other in 0..size {
                let holds = verify_inclusion(leaf, other as u64, n, &proof, &root).is_ok();
                assert_eq!(holds, other == position);
                let holds = verify_inclusion(&naive.leaves[other], p, n, &proof, &root).is_ok();
                assert_eq!(holds, other == position);
            }
            assert!(verify_inclusion(leaf, p, n, &proof, &naive.root(size + 1)).is_err());
            assert!(verify_inclusion(leaf, n, n, &proof, &root).is_err());
        }
    }
}

#[test]
fn consistency_of_every_pair_of_sizes() {
    let naive = Naive::counting(SIZE_MAX);
    for new in 0..=SIZE_MAX {
        for old in 0..=new {
            let needed = consistency_subtrees(old as u64, new as u64).unwrap();
            let proof = prove(&needed, fetch(&naive)).unwrap();
            if old > 0 {
                assert_eq!(proof, naive.subproof(old, 0, new, true), "{old} to {new}");
            } else {
                assert!(proof.is_empty());
            }
            let (old_root, new_root) = (naive.root(old), naive.root(new));
            verify_consistency(old as u64, &old_root, new as u64, &new_root, &proof).unwrap();
        }
    }
}

#[test]
fn a_damaged_consistency_proof_does_not_hold() {
    let naive = Naive::counting(64);
    for new in 1..=40usize {
        for old in 0..=new {
            let (m, n) = (old as u64, new as u64);
            let (old_root, new_root) = (naive.root(old), naive.root(new));
            let proof: Vec<Hash> =
                prove(&consistency_subtrees(m, n).unwrap(), fetch(&naive)).unwrap();
            for bad in damaged(&proof) {
                assert!(
                    verify_consistency(m, &old_root, n, &new_root, &bad).is_err(),
                    "{m} {n}"
                );
            }
            let (no_old, no_new) = (naive.root(old + 1), naive.root(new + 1));
            assert!(verify_consistency(m, &no_old, n, &new_root, &proof).is_err());
            // The empty log is contained in every log: only there the new root is not looked at.
            let holds = verify_consistency(m, &old_root, n, &no_new, &proof).is_ok();
            assert_eq!(holds, old == 0);
            assert!(verify_consistency(n + 1, &new_root, n, &new_root, &[]).is_err());
        }
    }
}

#[test]
fn proofs_are_those_of_another_authors_tree() {
    let naive = Naive::counting(130);
    let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
    for size in 1..=130usize {
        theirs.push((size - 1).to_string().into_bytes());
        assert_eq!(theirs.root().as_bytes().as_slice(), naive.root(size));
        for position in 0..size {
            let needed = inclusion_subtrees(position as u64, size as u64).unwrap();
            let ours: Vec<Hash> = prove(&needed, fetch(&naive)).unwrap();
            assert_eq!(
                theirs.prove_inclusion(position).as_bytes(),
                ours.as_flattened()
            );
            if position > 0 {
                let needed = consistency_subtrees(position as u64, size as u64).unwrap();
                let ours: Vec<Hash> = prove(&needed, fetch(&naive)).unwrap();
                let added = size - position;
                assert_eq!(
                    theirs.prove_consistency(added).as_bytes(),
                    ours.as_flattened()
                );
            }
        }
    }
}
