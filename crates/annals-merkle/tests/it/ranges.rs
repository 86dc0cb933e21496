//! Compact ranges: whatever is cut, joined, stored or pruned, the root is the naive tree's.

use annals_merkle::{
    CompactRange, CompactRangeError, NodeId, ProofError, RangeProof, Subtree, cover, grow_all,
    inclusion_subtrees, prove, range_nodes, verify_inclusion, verify_range,
};
use proptest::prelude::*;

use crate::naive::Naive;

const SIZE_MAX: usize = 600;

fn range(naive: &Naive, begin: usize, end: usize) -> CompactRange {
    let mut range = CompactRange::new(begin as u64);
    for leaf in &naive.leaves[begin..end] {
        range.push_leaf(*leaf, &mut |_, _| {});
    }
    range
}

fn proof(naive: &Naive, from: usize, to: usize, size: usize) -> RangeProof {
    let (left, right) = range_nodes(from as u64, to as u64, size as u64).unwrap();
    let hashes = |nodes: Vec<NodeId>| nodes.into_iter().map(|id| naive.node(id)).collect();
    RangeProof {
        left: hashes(left),
        right: hashes(right),
    }
}

fn three_cuts() -> impl Strategy<Value = (usize, usize, usize)> {
    [0..=SIZE_MAX, 0..=SIZE_MAX, 0..=SIZE_MAX].prop_map(|mut cuts| {
        cuts.sort_unstable();
        (cuts[0], cuts[1], cuts[2])
    })
}

thread_local! {
    static NAIVE: Naive = Naive::counting(SIZE_MAX);
}

proptest! {
    #[test]
    fn a_range_holds_exactly_the_nodes_that_cover_it((a, b, _) in three_cuts()) {
        NAIVE.with(|naive| {
            let range = range(naive, a, b);
            for (id, hash) in range.nodes() {
                assert_eq!(hash, naive.node(id));
            }
            assert_eq!(range.hashes().len(), cover(a as u64, b as u64).len());
            let hashes = range.hashes().to_vec();
            assert_eq!(CompactRange::from_hashes(a as u64, b as u64, hashes), Ok(range.clone()));
            assert_eq!(CompactRange::decode(&range.encode()), Ok(range));
        });
    }

    #[test]
    fn joined_ranges_are_one((a, b, c) in three_cuts()) {
        NAIVE.with(|naive| {
            let mut joined = range(naive, a, b);
            let check = &mut |id: NodeId, hash| assert_eq!(hash, naive.node(id));
            joined.append(&range(naive, b, c), check).unwrap();
            assert_eq!(joined, range(naive, a, c));
        });
    }

    #[test]
    fn a_range_is_proved_and_nothing_else_is((a, b, n) in three_cuts(), at in any::<prop::sample::Index>()) {
        NAIVE.with(|naive| {
            let (proof, root) = (proof(naive, a, b, n), naive.root(n));
            let leaves = range(naive, a, b);
            verify_range(&leaves, n as u64, &proof, &root).unwrap();

            // Moved by one, one leaf short, one leaf changed, two leaves swapped.
            if b < SIZE_MAX {
                let moved = range(naive, a + 1, b + 1);
                assert!(verify_range(&moved, n as u64, &proof, &root).is_err());
            }
            if a < b {
                let short = range(naive, a, b - 1);
                assert!(verify_range(&short, n as u64, &proof, &root).is_err());
                let mut leaves = naive.leaves[a..b].to_vec();
                let at = at.index(leaves.len());
                let changed = |leaves: &[_]| {
                    let mut range = CompactRange::new(a as u64);
                    leaves.iter().for_each(|leaf| range.push_leaf(*leaf, &mut |_, _| {}));
                    verify_range(&range, n as u64, &proof, &root)
                };
                if at > 0 {
                    leaves.swap(at - 1, at);
                    assert_eq!(changed(&leaves), Err(ProofError::Root));
                    leaves.swap(at - 1, at);
                }
                leaves[at][at % 32] ^= 1;
                assert_eq!(changed(&leaves), Err(ProofError::Root));
            }
            // Every hash of the proof counts, and their number does.
            for side in 0..2 {
                let count = if side == 0 { proof.left.len() } else { proof.right.len() };
                let edit = |change: &dyn Fn(&mut Vec<_>)| {
                    let mut bad = proof.clone();
                    change(if side == 0 { &mut bad.left } else { &mut bad.right });
                    verify_range(&leaves, n as u64, &bad, &root).is_err()
                };
                for i in 0..count {
                    assert!(edit(&|hashes| hashes[i][i % 32] ^= 0x80));
                    assert!(edit(&|hashes| hashes.truncate(i)));
                }
                assert!(edit(&|hashes| hashes.push([0; 32])));
            }
            // The size is no part of what is proved, but the root is.
            let mut other = root;
            other[n % 32] ^= 1;
            assert_eq!(verify_range(&leaves, n as u64, &proof, &other), Err(ProofError::Root));
        });
    }

    /// After pruning to `a`, only the nodes that cover [0, a) are left of what stood there: enough
    /// for every later root, range and inclusion.
    #[test]
    fn a_pruned_log_still_proves((a, b, n) in three_cuts()) {
        NAIVE.with(|naive| {
            let kept = cover(0, a as u64);
            let fetch = |id: NodeId| {
                let below = (id.end() as usize) <= a;
                assert!(!below || kept.contains(&id), "{id:?} was pruned");
                Ok::<_, ProofError>(naive.node(id))
            };
            let mut tree = CompactRange::from_hashes(
                0, a as u64, kept.iter().map(|id| naive.node(*id)).collect()).unwrap();
            tree.append(&range(naive, a, n), &mut |_, _| {}).unwrap();
            assert_eq!(tree.root(), naive.root(n));
            // A path of a leaf at or after `a` may need a node below `a` that is larger than those
            // kept; it is always made of kept ones.
            if b < n {
                let mut path = Vec::new();
                for subtree in inclusion_subtrees(b as u64, n as u64).unwrap() {
                    let hash = if subtree.end <= a as u64 {
                        let inside = |id: &&NodeId| subtree.begin <= id.begin() && id.end() <= subtree.end;
                        let parts: Vec<_> = kept.iter().filter(inside).map(|id| naive.node(*id)).collect();
                        subtree.fold(&parts).unwrap()
                    } else {
                        prove(&[subtree], fetch).unwrap()[0]
                    };
                    path.push(hash);
                }
                verify_inclusion(&naive.leaves[b], b as u64, n as u64, &path, &naive.root(n)).unwrap();
            }
        });
    }

    #[test]
    fn a_cover_is_in_order_without_gap_and_as_short_as_can_be(a: u64, b: u64) {
        let (a, b) = (a.min(b), a.max(b));
        let nodes = cover(a, b);
        assert!(nodes.len() <= 126);
        let mut at = a;
        for id in &nodes {
            assert_eq!(id.begin(), at);
            at = id.end();
        }
        assert_eq!(at, b);
        // No two neighbours are siblings.
        assert!(nodes.windows(2).all(|pair| {
            pair[0].level != pair[1].level || pair[0].index % 2 == 1
        }));
        assert_eq!(Subtree { begin: a, end: b }.nodes(), nodes);
    }
}

#[test]
fn what_is_not_a_range_is_refused() {
    let naive = Naive::counting(10);
    let mut first = range(&naive, 0, 4);
    let gap = first.append(&range(&naive, 5, 6), &mut |_, _| {});
    assert_eq!(gap, Err(CompactRangeError::Gap { end: 4, begin: 5 }));
    assert_eq!(first, range(&naive, 0, 4));
    let backwards = CompactRange::from_hashes(4, 3, Vec::new());
    assert_eq!(backwards, Err(CompactRangeError::Backwards));
    let short = CompactRange::from_hashes(0, 3, vec![[0; 32]]);
    assert_eq!(
        short,
        Err(CompactRangeError::Length {
            wanted: 2,
            given: 1
        })
    );
    let bytes = first.encode();
    assert_eq!(
        CompactRange::decode(&bytes[..bytes.len() - 1]),
        Err(CompactRangeError::Encoding)
    );
    let longer = [bytes, vec![0; 32]].concat();
    assert!(CompactRange::decode(&longer).is_err());
    assert_eq!(
        range_nodes(3, 2, 5),
        Err(ProofError::Range {
            from: 3,
            to: 2,
            size: 5
        })
    );
    assert_eq!(
        range_nodes(3, 6, 5),
        Err(ProofError::Range {
            from: 3,
            to: 6,
            size: 5
        })
    );
}

proptest! {
    /// Many leaves at once, to many ranges at once, are the same leaves one after the other.
    #[test]
    fn leaves_at_once_are_leaves_one_by_one(
        begins in proptest::collection::vec(0u64..70, 0..5),
        turns in proptest::collection::vec(proptest::collection::vec(0usize..300, 5), 0..6),
    ) {
        let mut at_once: Vec<_> = begins.iter().copied().map(CompactRange::new).collect();
        let mut one_by_one = at_once.clone();
        let (mut shown, mut expected) = (Vec::new(), Vec::new());
        let naive = Naive::counting(300);
        for turn in turns {
            let runs = turn.iter().map(|count| &naive.leaves[..*count]);
            let mut growing: Vec<_> = at_once.iter_mut().zip(runs.clone()).collect();
            grow_all(&mut growing, &mut |range, id, hash| shown.push((range, id, hash)));
            for (n, (range, leaves)) in one_by_one.iter_mut().zip(runs).enumerate() {
                for leaf in leaves {
                    range.push_leaf(*leaf, &mut |id, hash| expected.push((n, id, hash)));
                }
            }
            prop_assert_eq!(&at_once, &one_by_one);
        }
        let by_place = |(range, id, _): &(usize, NodeId, _)| (*range, id.level, id.index);
        shown.sort_by_key(by_place);
        expected.sort_by_key(by_place);
        prop_assert_eq!(shown, expected);
    }
}
