//! Forming a group: what is pure work on the way from a batch to a journal row.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use annals_event::{
    Drafts, LeafMaker, Place, Recorded, SaltRun, Seed, TILE, Timestamp, event_salts,
};
use annals_merkle::{Hash, grow_all};
use sha2::{Digest as _, Sha256};

use super::{Sequencer, Tip};
use crate::Slot;
use crate::journal::{Framed, Frames, Growth, Header, KeyUse, Part, Piece, seeds_at, to_u32};
use crate::recent::Grown;
use crate::submission::{Batch, Submission};

/// A group, ready to be committed.
pub(crate) struct Formed {
    /// Its id, if it has events. A change of control data may have none.
    pub(crate) group: Option<u32>,
    pub(crate) header: Header,
    pub(crate) header_bytes: Vec<u8>,
    pub(crate) body: Vec<u8>,
    /// How the tree of each of the header's parts grew.
    pub(crate) grown: Vec<Grown>,
    /// The frames before compression, for the cache.
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) submissions: Vec<Submission>,
    /// The plan that it was formed on.
    pub(crate) epoch: u64,
}

impl Sequencer {
    /// Forms the next group of `submissions`, and plans where the logs end after it.
    pub(super) fn form(
        &mut self,
        mut submissions: Vec<Submission>,
    ) -> Result<Formed, (io::Error, Vec<Submission>)> {
        match self.form_from(&mut submissions) {
            Ok((header, grown, frames)) => {
                let has_events = !header.parts.is_empty();
                let group = has_events.then_some(self.next_group);
                self.next_group += u32::from(has_events);
                Ok(Formed {
                    group,
                    header_bytes: header.encode(),
                    header,
                    grown,
                    body: frames.body,
                    frames: frames.plain,
                    submissions,
                    epoch: self.epoch,
                })
            }
            Err(error) => Err((error, submissions)),
        }
    }

    fn form_from(
        &mut self,
        submissions: &mut [Submission],
    ) -> io::Result<(Header, Vec<Grown>, Framed)> {
        let now = self.shared.clock.now().as_micros();
        let mut batches: Vec<(&Drafts, &mut Batch)> = submissions
            .iter_mut()
            .flat_map(
                |Submission {
                     drafts, batches, ..
                 }| { batches.iter_mut().map(|batch| (&*drafts, batch)) },
            )
            .filter(|(_, batch)| !batch.fresh.is_empty())
            .collect();
        // Stable, so that within a log the order is that of arrival.
        batches.sort_by_key(|(_, batch)| batch.slot);

        let mut recorders = Recorders::default();
        let mut growing = Vec::new();
        let mut keys = Vec::new();
        for of_one_log in batches.chunk_by_mut(|a, b| a.1.slot == b.1.slot) {
            let slot = of_one_log[0].1.slot;
            let mut log = Growing::new(slot, self.tip(slot), now);
            for (_, batch) in of_one_log {
                (batch.first, batch.recorded_at) = (log.end(), log.recorded_at);
                let count = to_u32(batch.fresh.len());
                log.recorded_by(recorders.index(&batch.recorded_by), count);
                log.count += count;
                let times = batch.fresh.iter().filter_map(|fresh| fresh.time);
                log.newest_id = log.newest_id.max(times.max().unwrap_or(0));
                if let Some(key) = &batch.key {
                    keys.push(KeyUse {
                        slot,
                        key: key.key,
                        body: key.body,
                        first: batch.first,
                        count,
                    });
                }
            }
            log.draw_seeds()?;
            growing.push(log);
        }
        let leaves = leaves(&mut self.leaf_maker, &mut growing, &batches);

        let mut frames = Frames::new(&mut self.compressor);
        let mut group_hash = Sha256::new();
        leaves.iter().for_each(|leaf| group_hash.update(leaf));
        grow(&mut growing, &leaves);
        let mut fresh = batches
            .iter()
            .flat_map(|(drafts, batch)| batch.fresh.iter().map(|fresh| (*drafts, fresh)));
        for log in &mut growing {
            for (drafts, fresh) in fresh.by_ref().take(log.count as usize) {
                log.lies_in(frames.push(drafts.bytes(fresh.draft))?);
                log.ids.push(fresh.print);
            }
        }
        let frames = frames.finish()?;
        // The group before this one is committed when this one is handed over, so only this one's
        // ends are ahead of the committed state.
        if !growing.is_empty() {
            self.tips = growing
                .iter()
                .map(|log| (log.slot, log.tip.clone()))
                .collect();
        }
        let (parts, grown) = growing.into_iter().map(Growing::finish).unzip();
        let header = Header {
            recorded_at: now,
            uptime: self.shared.uptime(),
            recorders: recorders.names,
            frames: frames.sizes.clone(),
            parts,
            keys,
            group_hash: group_hash.finalize().into(),
        };
        Ok((header, grown, frames))
    }
}

/// The leaf hashes of all events, log by log.
fn leaves(
    maker: &mut LeafMaker,
    growing: &mut [Growing],
    batches: &[(&Drafts, &mut Batch)],
) -> Vec<Hash> {
    let runs: Vec<SaltRun<'_>> = growing.iter().flat_map(Growing::salt_runs).collect();
    let salts = event_salts(&runs);
    let mut recorded: Vec<Recorded<'_>> = Vec::with_capacity(salts.len());
    let mut salts = salts.into_iter();
    for (drafts, batch) in batches {
        let recorded_at = Timestamp::clamped(batch.recorded_at);
        for (position, fresh) in (batch.first..).zip(&batch.fresh) {
            let place = Place {
                log: &batch.log,
                position,
                recorded_at,
                recorded_by: &batch.recorded_by,
            };
            // Each was a draft when the batch was made, and each has its salt.
            if let (Some(draft), Some(salt)) = (drafts.get(fresh.draft), salts.next()) {
                recorded.push(Recorded { place, draft, salt });
            }
        }
    }
    let mut times = recorded.iter().map(|event| event.draft.occurred_at());
    for log in growing {
        for at in times.by_ref().take(log.count as usize) {
            log.occurred(at.as_micros());
        }
    }
    maker.leaves(&recorded)
}

/// Appends the leaves to the trees of all logs.
fn grow(growing: &mut [Growing], leaves: &[Hash]) {
    let mut left = leaves;
    let shares: Vec<&[Hash]> = growing
        .iter()
        .map(|log| {
            let (share, rest) = left.split_at(log.count as usize);
            left = rest;
            share
        })
        .collect();
    let mut tiles = Vec::new();
    let mut trees: Vec<_> = growing
        .iter_mut()
        .map(|log| &mut log.tip.frontier)
        .zip(shares.iter().copied())
        .collect();
    grow_all(&mut trees, &mut |log, node, hash| {
        if node.level == 8 {
            tiles.push((log, hash));
        }
    });
    for (log, hash) in tiles {
        growing[log].tiles.push(hash);
    }
    for (log, share) in growing.iter_mut().zip(shares) {
        log.grew_by(share);
    }
}

/// The names that a group's events were recorded by.
#[derive(Default)]
struct Recorders {
    names: Vec<Arc<str>>,
    indexes: HashMap<Arc<str>, u32>,
    /// The one that was asked for last: nearly always the same again.
    last: Option<(Arc<str>, u32)>,
}

impl Recorders {
    fn index(&mut self, name: &Arc<str>) -> u32 {
        if let Some((last, index)) = &self.last
            && Arc::ptr_eq(last, name)
        {
            return *index;
        }
        let index = *self.indexes.entry(name.clone()).or_insert_with(|| {
            self.names.push(name.clone());
            to_u32(self.names.len() - 1)
        });
        self.last = Some((name.clone(), index));
        index
    }
}

/// A part of a group in the making.
struct Growing {
    slot: Slot,
    first: u64,
    count: u32,
    recorded_at: i64,
    earliest: i64,
    latest: i64,
    pieces: Vec<Piece>,
    recorders: Vec<(u32, u32)>,
    /// The seeds of the tiles that the part lies in; the first may have begun before it.
    seeds: Vec<Seed>,
    leaves: Vec<Hash>,
    tiles: Vec<Hash>,
    ids: Vec<u64>,
    /// The latest time in an id.
    newest_id: u64,
    tip: Tip,
}

impl Growing {
    fn new(slot: Slot, tip: Tip, now: i64) -> Growing {
        Growing {
            slot,
            first: tip.size,
            count: 0,
            // Clocks are set back; a log's time never goes back.
            recorded_at: now.max(tip.recorded_at),
            earliest: i64::MAX,
            latest: i64::MIN,
            pieces: Vec::new(),
            recorders: Vec::new(),
            seeds: Vec::new(),
            leaves: Vec::new(),
            tiles: Vec::new(),
            ids: Vec::new(),
            newest_id: 0,
            tip,
        }
    }

    /// One past the last position so far.
    fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    fn recorded_by(&mut self, recorder: u32, count: u32) {
        match self.recorders.last_mut() {
            Some((last, run)) if *last == recorder => *run += count,
            _ => self.recorders.push((recorder, count)),
        }
    }

    /// Makes ready the seeds of all tiles of the part: the one that has begun, and new ones.
    fn draw_seeds(&mut self) -> io::Result<()> {
        if !self.first.is_multiple_of(TILE) {
            self.seeds.push(Seed(self.tip.seed));
        }
        for _ in seeds_at(self.first)..seeds_at(self.end()) {
            let mut seed = Seed([0; 32]);
            getrandom::fill(&mut seed.0)
                .map_err(|error| io::Error::other(format!("no random bytes: {error}")))?;
            self.seeds.push(seed);
        }
        Ok(())
    }

    /// Which salts the part needs: a run of positions from each tile.
    fn salt_runs(&self) -> impl Iterator<Item = SaltRun<'_>> {
        (self.first / TILE..).zip(&self.seeds).map(|(tile, seed)| {
            let first = self.first.max(tile * TILE);
            SaltRun {
                seed,
                first,
                count: self.end().min((tile + 1) * TILE) - first,
            }
        })
    }

    /// The leaves are in the tree.
    fn grew_by(&mut self, leaves: &[Hash]) {
        self.tip.size += leaves.len() as u64;
        self.tip.recorded_at = self.recorded_at;
        self.tip.seed = self.seeds.last().map_or(self.tip.seed, |seed| seed.0);
        if leaves.len() <= self.tip.frontier.hashes().len() + self.tiles.len() {
            self.leaves = leaves.to_vec();
        }
    }

    fn lies_in(&mut self, (frame, offset): (u32, u32)) {
        match self.pieces.last_mut() {
            Some(piece) if piece.frame == frame => piece.count += 1,
            _ => self.pieces.push(Piece {
                frame,
                offset,
                count: 1,
            }),
        }
    }

    fn occurred(&mut self, at: i64) {
        self.earliest = self.earliest.min(at);
        self.latest = self.latest.max(at);
    }

    /// What the journal is to say of the part, and what readers are to know of the tree once it has committed.
    fn finish(self) -> (Part, Grown) {
        let growth = if self.leaves.is_empty() {
            Growth::Frontier {
                hashes: self.tip.frontier.hashes().to_vec(),
                tiles: self.tiles.clone(),
            }
        } else {
            Growth::Leaves(self.leaves)
        };
        let began_before = usize::from(!self.first.is_multiple_of(TILE));
        let part = Part {
            slot: self.slot,
            first: self.first,
            count: self.count,
            recorded_at: self.recorded_at,
            occurred: (self.earliest, self.latest),
            pieces: self.pieces,
            recorders: self.recorders,
            seeds: self
                .seeds
                .into_iter()
                .skip(began_before)
                .map(|seed| seed.0)
                .collect(),
            growth,
            ids: self.ids,
        };
        let grown = Grown {
            frontier: self.tip.frontier,
            tiles: self.tiles,
            newest_id: self.newest_id,
        };
        (part, grown)
    }
}
