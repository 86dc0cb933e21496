//! Hashes of a log's tree: those of level 8 and up are in memory, those below are worked out from the
//! entries again, at most 256 at a time.

use std::ops::Range;

use annals_event::{
    DraftRef, Drafts, Place, Recorded, Row, Salt, SaltRun, SaltWalk, Seed, TILE, Timestamp,
    entry_leaves, entry_line, event_salt, event_salts,
};
use annals_merkle::{
    CompactRange, Hash, NodeId, ProofError, RangeProof, consistency_subtrees, cover,
    inclusion_subtrees, prove, range_nodes,
};

use crate::blocks::{Blocks, Look};
use crate::journal::to_usize;
use crate::recent::{damaged, read};
use crate::{Order, Slot, StoreError};

/// The tree of one log, as far as it is committed when it is asked.
pub(crate) struct Tree<'a> {
    blocks: &'a Blocks,
    slot: Slot,
    log: &'a str,
    /// The tile whose leaves were worked out last.
    tile: Option<(u64, Vec<Hash>)>,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(blocks: &'a Blocks, slot: Slot, log: &'a str) -> Tree<'a> {
        Tree {
            blocks,
            slot,
            log,
            tile: None,
        }
    }

    fn size(&self) -> u64 {
        self.blocks
            .recent
            .log(self.slot)
            .map_or(0, |log| read(&log).size)
    }

    /// The root at a size that is committed.
    pub(crate) fn root(&mut self, size: u64) -> Result<Hash, StoreError> {
        let committed = self.size();
        if size > committed {
            return Err(ProofError::Shrunk {
                old: size,
                new: committed,
            }
            .into());
        }
        if let Some(log) = self.blocks.recent.log(self.slot) {
            let log = read(&log);
            if log.size == size {
                return Ok(log.frontier.root());
            }
        }
        let hashes = self.hashes(&cover(0, size))?;
        let range = CompactRange::from_hashes(0, size, hashes);
        let contradiction = |_| damaged(0, self.slot, size, "the tree contradicts itself");
        Ok(range.map_err(contradiction)?.root())
    }

    pub(crate) fn inclusion(&mut self, position: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.require(size)?;
        prove(&inclusion_subtrees(position, size)?, |node| self.node(node))
    }

    pub(crate) fn consistency(&mut self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        self.require(new)?;
        prove(&consistency_subtrees(old, new)?, |node| self.node(node))
    }

    pub(crate) fn range(&mut self, range: Range<u64>, size: u64) -> Result<RangeProof, StoreError> {
        self.require(size)?;
        let (left, right) = range_nodes(range.start, range.end, size)?;
        Ok(RangeProof {
            left: self.hashes(&left)?,
            right: self.hashes(&right)?,
        })
    }

    fn require(&self, size: u64) -> Result<(), StoreError> {
        let committed = self.size();
        if size > committed {
            return Err(ProofError::Shrunk {
                old: size,
                new: committed,
            }
            .into());
        }
        Ok(())
    }

    fn hashes(&mut self, nodes: &[NodeId]) -> Result<Vec<Hash>, StoreError> {
        nodes.iter().map(|node| self.node(*node)).collect()
    }

    /// The hash of a complete node.
    fn node(&mut self, node: NodeId) -> Result<Hash, StoreError> {
        let missing = || damaged(0, self.slot, node.begin(), "a node of the tree is missing");
        if node.level >= 8 {
            let log = self.blocks.recent.log(self.slot).ok_or_else(missing)?;
            return read(&log).node(node.level, node.index).ok_or_else(missing);
        }
        let tile = node.begin() / TILE;
        let begin = to_usize(node.begin() - tile * TILE);
        let end = to_usize(node.end() - tile * TILE);
        let leaves = self.leaves(tile)?;
        let Some(leaves) = leaves.get(begin..end) else {
            return Err(damaged(
                0,
                self.slot,
                node.begin(),
                "a node of the tree is missing",
            ));
        };
        let mut range = CompactRange::new(0);
        range.push_leaves(leaves, &mut |_, _| {});
        Ok(range.root())
    }

    /// The leaf hashes of a tile, as far as it is committed.
    fn leaves(&mut self, tile: u64) -> Result<&[Hash], StoreError> {
        let committed = self.size().min((tile + 1) * TILE);
        let known = |known: &Option<(u64, Vec<Hash>)>| {
            known.as_ref().is_some_and(|(known, leaves)| {
                *known == tile && leaves.len() as u64 == committed - tile * TILE
            })
        };
        if !known(&self.tile) {
            let seeds = [seed(self.blocks, self.slot, tile * TILE)?];
            let mut leaves = Vec::with_capacity(to_usize(TILE));
            let mut left = tile * TILE..committed;
            let look = Look::everything(self.slot);
            let tile_rows = to_usize(TILE);
            while let Some(block) =
                self.blocks
                    .next(self.slot, &left, Order::Asc, &look, tile_rows)?
            {
                leaves.extend(leaves_of(self.log, &block.rows, &seeds));
                left.start = block.to;
            }
            self.tile = Some((tile, leaves));
        }
        Ok(self.tile.as_ref().map_or(&[], |(_, leaves)| leaves))
    }
}

/// The salts of events, cheaply if they are asked for in order.
#[derive(Default)]
pub(crate) struct Salts {
    walk: Option<(u64, SaltWalk)>,
}

impl Salts {
    /// The salt of the event at a committed position.
    pub(crate) fn of(
        &mut self,
        blocks: &Blocks,
        slot: Slot,
        position: u64,
    ) -> Result<Salt, StoreError> {
        if let Some((next, walk)) = &mut self.walk
            && *next == position
            && let Some(salt) = walk.next()
        {
            *next += 1;
            return Ok(salt);
        }
        let seed = seed(blocks, slot, position)?;
        let mut walk = SaltWalk::new(&seed, position);
        let salt = walk.next().unwrap_or_else(|| event_salt(&seed, position));
        self.walk = Some((position + 1, walk));
        Ok(salt)
    }
}

fn seed(blocks: &Blocks, slot: Slot, position: u64) -> Result<Seed, StoreError> {
    let seed = blocks
        .recent
        .log(slot)
        .and_then(|log| read(&log).seeds.get(to_usize(position / TILE)).copied());
    seed.map(Seed)
        .ok_or_else(|| damaged(0, slot, position, "the seed is missing"))
}

/// An event at its place in a log, where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placed<'a> {
    pub(crate) position: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) recorded_by: &'a str,
    pub(crate) draft: DraftRef<'a>,
}

/// Events at contiguous positions of one log, with the seeds of the tiles that they lie in.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) log: &'a str,
    pub(crate) events: &'a [Placed<'a>],
    pub(crate) seeds: &'a [Seed],
}

impl Run<'_> {
    /// Its positions tile by tile, as far as there are seeds.
    fn salts(&self) -> impl Iterator<Item = SaltRun<'_>> {
        let first = self.events.first().map_or(0, |event| event.position);
        let end = first + self.events.len() as u64;
        let tiles = (first / TILE..end.div_ceil(TILE)).zip(self.seeds);
        tiles.map(move |(tile, seed)| {
            let first = first.max(tile * TILE);
            SaltRun {
                seed,
                first,
                count: end.min((tile + 1) * TILE).saturating_sub(first),
            }
        })
    }
}

/// The leaf hashes of rows at contiguous positions, with the seeds of the tiles that they lie in.
pub(crate) fn leaves_of(log: &str, rows: &[Row], seeds: &[Seed]) -> Vec<Hash> {
    let drafts: Drafts = rows.iter().map(|row| &row.draft).collect();
    let events: Vec<Placed<'_>> = rows
        .iter()
        .enumerate()
        .filter_map(|(n, row)| {
            Some(Placed {
                position: row.position,
                recorded_at: row.recorded_at,
                recorded_by: &row.recorded_by,
                draft: drafts.get(n)?,
            })
        })
        .collect();
    let events = &events;
    leaves_of_runs(&[Run { log, events, seeds }])
}

/// The leaf hashes of all runs, in their order; none where a seed is missing. Many short runs at once cost
/// far less than one by one.
pub(crate) fn leaves_of_runs<'a>(runs: &'a [Run<'a>]) -> Vec<Hash> {
    let salt_runs: Vec<SaltRun<'_>> = runs.iter().flat_map(Run::salts).collect();
    let salts = event_salts(&salt_runs);
    let events = || {
        let of_run = |run: &'a Run<'a>| run.events.iter().map(move |event| (run.log, event));
        runs.iter().flat_map(of_run)
    };
    if salts.len() != events().count() {
        return Vec::new();
    }
    let recorded: Vec<Recorded<'_>> = events()
        .zip(salts)
        .map(|((log, event), salt)| Recorded {
            place: Place {
                log,
                position: event.position,
                recorded_at: event.recorded_at,
                recorded_by: event.recorded_by,
            },
            draft: event.draft,
            salt,
        })
        .collect();
    entry_leaves(&recorded)
}

/// The exact entry of a row.
pub(crate) fn entry(
    blocks: &Blocks,
    slot: Slot,
    log: &str,
    row: &Row,
) -> Result<String, StoreError> {
    let seed = seed(blocks, slot, row.position)?;
    Ok(entry_line(log, row, &event_salt(&seed, row.position)))
}
