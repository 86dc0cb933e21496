//! RFC 6962 §2.1 word for word: recursive, and with every hash at hand.

use std::cell::RefCell;
use std::collections::HashMap;

use annals_merkle::{Hash, NodeId, empty_root, leaf_hash, node_hash};

/// All leaves of a log, and the hashes of all runs of leaves that were ever asked for.
pub(crate) struct Naive {
    pub(crate) leaves: Vec<Hash>,
    known: RefCell<HashMap<(usize, usize), Hash>>,
}

impl Naive {
    /// A log whose entries are the numbers from 0.
    pub(crate) fn counting(size: usize) -> Naive {
        let leaves = (0..size)
            .map(|n| leaf_hash(n.to_string().as_bytes()))
            .collect();
        Naive::of(leaves)
    }

    pub(crate) fn of(leaves: Vec<Hash>) -> Naive {
        Naive {
            leaves,
            known: RefCell::default(),
        }
    }

    /// MTH(D[begin:end]).
    pub(crate) fn tree(&self, begin: usize, end: usize) -> Hash {
        match end - begin {
            0 => empty_root(),
            1 => self.leaves[begin],
            n => {
                let known = self.known.borrow().get(&(begin, end)).copied();
                known.unwrap_or_else(|| {
                    let k = largest_power_below(n);
                    let left = self.tree(begin, begin + k);
                    let hash = node_hash(&left, &self.tree(begin + k, end));
                    self.known.borrow_mut().insert((begin, end), hash);
                    hash
                })
            }
        }
    }

    pub(crate) fn root(&self, size: usize) -> Hash {
        self.tree(0, size)
    }

    pub(crate) fn node(&self, id: NodeId) -> Hash {
        self.tree(id.begin() as usize, id.end() as usize)
    }

    /// PATH(m, D[begin:end]).
    pub(crate) fn path(&self, m: usize, begin: usize, end: usize) -> Vec<Hash> {
        let n = end - begin;
        if n == 1 {
            return Vec::new();
        }
        let k = largest_power_below(n);
        let (mut path, last) = if m < k {
            (self.path(m, begin, begin + k), self.tree(begin + k, end))
        } else {
            (
                self.path(m - k, begin + k, end),
                self.tree(begin, begin + k),
            )
        };
        path.push(last);
        path
    }

    /// SUBPROOF(m, D[begin:end], whole).
    pub(crate) fn subproof(&self, m: usize, begin: usize, end: usize, whole: bool) -> Vec<Hash> {
        let n = end - begin;
        if m == n {
            return if whole {
                Vec::new()
            } else {
                vec![self.tree(begin, end)]
            };
        }
        let k = largest_power_below(n);
        let (mut proof, last) = if m <= k {
            (
                self.subproof(m, begin, begin + k, whole),
                self.tree(begin + k, end),
            )
        } else {
            (
                self.subproof(m - k, begin + k, end, false),
                self.tree(begin, begin + k),
            )
        };
        proof.push(last);
        proof
    }
}

fn largest_power_below(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}
