//! Forming a group: what is pure work on the way from a batch to a journal row.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use annals_event::{Place, SaltWalk, Seed, TILE, Timestamp, write_entry};
use annals_merkle::{Hash, leaf_hash};
use sha2::{Digest as _, Sha256};

use super::{Sequencer, Tip};
use crate::Slot;
use crate::journal::{Frames, Growth, Header, KeyUse, Part, Piece};
use crate::submission::{Batch, Submission};

/// A group, ready to be committed.
pub(crate) struct Formed {
    /// Its id, if it has events. A change of control data may have none.
    pub(crate) group: Option<u32>,
    pub(crate) header: Header,
    pub(crate) header_bytes: Vec<u8>,
    pub(crate) body: Vec<u8>,
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
            Ok((header, frames)) => {
                let has_events = !header.parts.is_empty();
                let group = has_events.then_some(self.next_group);
                self.next_group += u32::from(has_events);
                Ok(Formed {
                    group,
                    header_bytes: header.encode(),
                    header,
                    body: frames.body,
                    frames: frames.plain,
                    submissions,
                    epoch: self.epoch,
                })
            }
            Err(error) => Err((error, submissions)),
        }
    }

    fn form_from(&mut self, submissions: &mut [Submission]) -> io::Result<(Header, Frames)> {
        let now = self.shared.clock.now().as_micros();
        let mut batches: Vec<&mut Batch> = submissions
            .iter_mut()
            .flat_map(|submission| &mut submission.batches)
            .filter(|batch| !batch.fresh.is_empty())
            .collect();
        // Stable, so that within a log the order is that of arrival.
        batches.sort_by_key(|batch| batch.slot);

        let mut recorders = Recorders::default();
        let mut frames = Frames::new()?;
        let mut parts = Vec::new();
        let mut keys = Vec::new();
        let mut tips: HashMap<Slot, Tip> = HashMap::new();
        let mut group_hash = Sha256::new();
        let mut line = String::with_capacity(1024);
        for of_one_log in batches.chunk_by_mut(|a, b| a.slot == b.slot) {
            let slot = of_one_log[0].slot;
            let mut tip = self.tip(slot);
            let mut part = Growing::new(slot, &tip, now);
            for batch in of_one_log {
                batch.first = tip.size;
                batch.recorded_at = part.recorded_at;
                part.recorded_by(recorders.index(&batch.recorded_by), batch.fresh.len());
                for fresh in &batch.fresh {
                    let salt = part.salt(&mut tip)?;
                    let place = Place {
                        log: &batch.log,
                        position: tip.size,
                        recorded_at: Timestamp::clamped(part.recorded_at),
                        recorded_by: &batch.recorded_by,
                    };
                    line.clear();
                    write_entry(&mut line, &place, &fresh.draft, &salt);
                    let leaf = leaf_hash(line.as_bytes());
                    group_hash.update(leaf);
                    part.push(&mut tip, leaf);
                    part.lies_in(frames.push(&fresh.row)?);
                    part.ids.push(fresh.print);
                    part.occurred(fresh.draft.skeleton.occurred_at.as_micros());
                }
                if let Some(key) = &batch.key {
                    let count = batch.fresh.len() as u32;
                    keys.push(KeyUse { slot, key: key.key, body: key.body, first: batch.first, count });
                }
            }
            parts.push(part.finish(&tip));
            tip.recorded_at = parts.last().map_or(tip.recorded_at, |part| part.recorded_at);
            tips.insert(slot, tip);
        }
        frames.finish_frame()?;
        // The group before this one is committed when this one is handed over, so only this one's
        // ends are ahead of the committed state.
        if !tips.is_empty() {
            self.tips = tips;
        }
        let header = Header {
            recorded_at: now,
            uptime: self.shared.uptime(),
            recorders: recorders.names,
            frames: frames.sizes.clone(),
            parts,
            keys,
            group_hash: group_hash.finalize().into(),
        };
        Ok((header, frames))
    }
}

/// The names that a group's events were recorded by.
#[derive(Default)]
struct Recorders {
    names: Vec<Arc<str>>,
    indexes: HashMap<Arc<str>, u32>,
}

impl Recorders {
    fn index(&mut self, name: &Arc<str>) -> u32 {
        if let Some(index) = self.indexes.get(name) {
            return *index;
        }
        let index = self.names.len() as u32;
        self.names.push(name.clone());
        self.indexes.insert(name.clone(), index);
        index
    }
}

/// A part of a group while events are put into it.
struct Growing {
    slot: Slot,
    first: u64,
    recorded_at: i64,
    earliest: i64,
    latest: i64,
    pieces: Vec<Piece>,
    recorders: Vec<(u32, u32)>,
    seeds: Vec<[u8; 32]>,
    leaves: Vec<Hash>,
    tiles: Vec<Hash>,
    ids: Vec<u64>,
    walk: Option<SaltWalk>,
}

impl Growing {
    fn new(slot: Slot, tip: &Tip, now: i64) -> Growing {
        Growing {
            slot,
            first: tip.size,
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
            walk: None,
        }
    }

    fn recorded_by(&mut self, recorder: u32, count: usize) {
        match self.recorders.last_mut() {
            Some((last, run)) if *last == recorder => *run += count as u32,
            _ => self.recorders.push((recorder, count as u32)),
        }
    }

    /// The salt of the next event; where a tile begins, a new seed.
    fn salt(&mut self, tip: &mut Tip) -> io::Result<[u8; 32]> {
        if tip.size.is_multiple_of(TILE) {
            getrandom::fill(&mut tip.seed)
                .map_err(|error| io::Error::other(format!("no random bytes: {error}")))?;
            self.seeds.push(tip.seed);
            self.walk = None;
        }
        let walk = self.walk.get_or_insert_with(|| SaltWalk::new(&Seed(tip.seed), tip.size));
        walk.next().ok_or_else(|| io::Error::other("a tile has no more salts"))
    }

    fn push(&mut self, tip: &mut Tip, leaf: Hash) {
        self.leaves.push(leaf);
        tip.frontier.push_leaf(leaf, &mut |node, hash| {
            if node.level == 8 {
                self.tiles.push(hash);
            }
        });
        tip.size += 1;
    }

    fn lies_in(&mut self, (frame, offset): (u32, u32)) {
        match self.pieces.last_mut() {
            Some(piece) if piece.frame == frame => piece.count += 1,
            _ => self.pieces.push(Piece { frame, offset, count: 1 }),
        }
    }

    fn occurred(&mut self, at: i64) {
        self.earliest = self.earliest.min(at);
        self.latest = self.latest.max(at);
    }

    fn finish(self, tip: &Tip) -> Part {
        let hashes = tip.frontier.hashes();
        let growth = if self.leaves.len() <= hashes.len() + self.tiles.len() {
            Growth::Leaves(self.leaves)
        } else {
            Growth::Frontier { hashes: hashes.to_vec(), tiles: self.tiles }
        };
        Part {
            slot: self.slot,
            first: self.first,
            count: self.ids.len() as u32,
            recorded_at: self.recorded_at,
            occurred: (self.earliest, self.latest),
            pieces: self.pieces,
            recorders: self.recorders,
            seeds: self.seeds,
            growth,
            ids: self.ids,
        }
    }
}
