//! Groups of the journal on their way into a segment: brought together, sorted, rebuilt, compared with their hash.
//!
//! Each group holds its events by rising log, so all of them are gone through side by side, as in a merge, with one frame of
//! each in memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

use annals_event::{Seed, SeedNodes, TILE};
use annals_merkle::Hash;
use sha2::{Digest as _, Sha256};

use super::Sealer;
use crate::blocks::{Blocks, part_events};
use crate::files::BlobWriter;
use crate::journal::{Header, Malformed, Part, Parts, Piece, open_frame, to_usize};
use crate::manifest::damaged as damaged_segment;
use crate::recent::{SegmentId, damaged, read};
use crate::sealed_keys::OfGroup;
use crate::segment::{Item, Marks, SegmentWriter};
use crate::tree::{Placed, Run, leaves_of_runs};
use crate::{Slot, StoreError};

/// How many events are hashed and written at a time: enough that hashing them together pays.
const EVENTS_AT_ONCE: usize = 4096;

/// How many bytes of frames are opened for them at most, about: large events have frames of their own.
const OPENED_AT_ONCE: usize = 16 << 20;

/// How many bytes of a group's body are read at a time, unless a frame is larger.
const READ_AT_ONCE: usize = 16 << 10;

/// What the events of a group take in memory at most, about: a frame, what is read ahead, and where they lie.
pub(super) const GROUP_BYTES: u64 = 64 << 10;

/// What a group takes besides, about.
pub(super) const OF_EVERY_GROUP: u64 = 2 << 10;

/// Groups that are gone through, on their way into a segment.
pub(super) struct Gathered {
    groups: Vec<Group>,
    /// Which group goes on with which log and position, the lowest first.
    next: BinaryHeap<Reverse<(Slot, u64, usize)>>,
}

struct Group {
    number: u32,
    /// Without parts.
    header: Header,
    parts: Parts,
    /// The part that comes next.
    next: Option<Part>,
    /// Bytes of the body that were read ahead, and where they begin.
    stored: (usize, Vec<u8>),
    /// The frame that was opened last.
    open: Option<(u32, Arc<Vec<u8>>)>,
    /// Bytes of all frames that were opened.
    opened: usize,
    /// Hashes the leaf hashes, as they are rebuilt.
    leaves: Sha256,
}

/// A part of a group, with the frame of each of its pieces.
struct Taken {
    group: usize,
    part: Part,
    frames: Vec<Arc<Vec<u8>>>,
}

/// Events of one log that follow on each other, and which of the events at hand they are.
struct OfLog {
    slot: Slot,
    log: String,
    events: Range<usize>,
    seeds: Vec<Seed>,
}

impl OfLog {
    fn run<'a>(&'a self, events: &'a [Placed<'a>]) -> Run<'a> {
        Run {
            log: &self.log,
            events: &events[self.events.clone()],
            seeds: &self.seeds,
        }
    }
}

impl Group {
    fn read(blocks: &Blocks, number: u32) -> Result<Group, StoreError> {
        let found = blocks.stored_header(number)?;
        let stored = found.ok_or_else(|| damaged(number, 0, 0, "the group is missing"))?;
        let malformed = |what: Malformed| damaged(number, 0, 0, what.0);
        let mut header = Header::decode_without_trees(&stored).map_err(malformed)?;
        header.parts = Vec::new();
        let mut parts = Parts::of(&stored).map_err(malformed)?;
        let next = parts.next().map_err(malformed)?;
        Ok(Group {
            number,
            header,
            parts,
            next,
            stored: (0, Vec::new()),
            open: None,
            opened: 0,
            leaves: Sha256::new(),
        })
    }

    /// The part that comes next, with its frames.
    fn take(&mut self, blocks: &Blocks, index: usize) -> Result<Option<Taken>, StoreError> {
        let Some(part) = self.next.take() else {
            return Ok(None);
        };
        let frames = part.pieces.iter();
        let frames = frames
            .map(|piece| self.frame(blocks, &part, piece))
            .collect::<Result<_, _>>()?;
        let malformed = |what: Malformed| damaged(self.number, part.slot, part.end(), what.0);
        self.next = self.parts.next().map_err(malformed)?;
        if self.next.is_none() {
            (self.stored, self.open) = Default::default();
        }
        Ok(Some(Taken {
            group: index,
            part,
            frames,
        }))
    }

    /// The frame of a piece. Frames are asked for in their order.
    fn frame(
        &mut self,
        blocks: &Blocks,
        part: &Part,
        piece: &Piece,
    ) -> Result<Arc<Vec<u8>>, StoreError> {
        if let Some((number, frame)) = &self.open
            && *number == piece.frame
        {
            return Ok(frame.clone());
        }
        let malformed = |what| damaged(self.number, part.slot, part.first, what);
        let lies = self.header.frame_range(piece.frame);
        let lies = lies.ok_or_else(|| malformed("there is no such frame"))?;
        let known = self.stored.0..self.stored.0 + self.stored.1.len();
        if lies.start < known.start || lies.end > known.end {
            let after = (piece.frame..).map_while(|frame| self.header.frame_range(frame));
            let ends = after.map(|range| range.end);
            let end = ends
                .take_while(|end| end - lies.start <= READ_AT_ONCE)
                .last()
                .unwrap_or(lies.end);
            self.stored = (
                lies.start,
                blocks.stored_body(self.number, lies.start..end)?,
            );
        }
        let begin = self.stored.0;
        let stored = self.stored.1.get(lies.start - begin..lies.end - begin);
        let size = self.header.frames.get(to_usize(piece.frame));
        let (Some(stored), Some(size)) = (stored, size) else {
            return Err(malformed("the body is shorter than its frames"));
        };
        let frame = open_frame(stored, *size).map_err(|what| malformed(what.0))?;
        self.opened += frame.len();
        let frame = Arc::new(frame);
        self.open = Some((piece.frame, frame.clone()));
        Ok(frame)
    }
}

impl Gathered {
    /// Begins with the groups `span.0..=span.1`.
    pub(super) fn read(sealer: &Sealer, span: (u32, u32)) -> Result<Gathered, StoreError> {
        let mut groups = Vec::new();
        for number in span.0..=span.1 {
            sealer.go_on()?;
            groups.push(Group::read(&sealer.shared.blocks, number)?);
        }
        let mut gathered = Gathered {
            next: BinaryHeap::with_capacity(groups.len()),
            groups,
        };
        (0..gathered.groups.len()).for_each(|group| gathered.queue(group));
        Ok(gathered)
    }

    fn queue(&mut self, group: usize) {
        if let Some(part) = &self.groups[group].next {
            self.next.push(Reverse((part.slot, part.first, group)));
        }
    }

    /// The parts that come next, by log and position; none at the end.
    fn take(&mut self, sealer: &Sealer) -> Result<Vec<Taken>, StoreError> {
        let (mut events, mut opened, mut taken) = (0, 0, Vec::new());
        while events < EVENTS_AT_ONCE
            && opened < OPENED_AT_ONCE
            && let Some(Reverse((_, _, group))) = self.next.pop()
        {
            let before = self.groups[group].opened;
            let part = self.groups[group].take(&sealer.shared.blocks, group)?;
            opened += self.groups[group].opened - before;
            events += part.as_ref().map_or(0, |taken| to_usize(taken.part.count));
            taken.extend(part);
            self.queue(group);
        }
        Ok(taken)
    }

    /// The idempotency keys of the groups, where they have any.
    pub(super) fn keys(&self) -> Vec<OfGroup> {
        self.groups
            .iter()
            .filter(|group| !group.header.keys.is_empty())
            .map(|group| OfGroup {
                group: group.number,
                uptime: group.header.uptime,
                keys: group.header.keys.clone(),
            })
            .collect()
    }

    /// Writes the events as a segment. Every entry is rebuilt, and compared with what was committed before
    /// this returns.
    pub(super) fn write(
        mut self,
        sealer: &Sealer,
        id: SegmentId,
        out: BlobWriter,
    ) -> Result<(BlobWriter, Marks), StoreError> {
        let flawed = |flaw| damaged_segment(id, &flaw);
        let mut writer = SegmentWriter::new(out, &sealer.shared.origin).map_err(flawed)?;
        loop {
            sealer.go_on()?;
            let taken = self.take(sealer)?;
            if taken.is_empty() {
                break;
            }
            let events = self.events(&taken)?;
            let logs = of_logs(sealer, &events, &taken)?;
            let leaves =
                leaves_of_runs(&logs.iter().map(|log| log.run(&events)).collect::<Vec<_>>());
            let mut rest = events.iter().zip(&leaves);
            for log in &logs {
                let mut seeds = log.seeds.iter();
                let mut tile = (u64::MAX, Vec::new());
                for (event, leaf) in rest.by_ref().take(log.events.len()) {
                    if tile.0 != event.position / TILE {
                        let nodes = seeds.next().map(|seed| SeedNodes::whole(seed).encode());
                        tile = (event.position / TILE, nodes.unwrap_or_default());
                    }
                    let item = Item::Event(*event);
                    writer
                        .push(log.slot, &item, leaf, &tile.1)
                        .map_err(flawed)?;
                }
            }
            drop(events);
            self.hash(&taken, &leaves);
        }
        self.compare()?;
        writer.finish().map_err(flawed)
    }

    fn events<'a>(&'a self, taken: &'a [Taken]) -> Result<Vec<Placed<'a>>, StoreError> {
        let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
        for Taken {
            group,
            part,
            frames,
        } in taken
        {
            let group = &self.groups[*group];
            let frames = frames.iter().map(|frame| Ok(frame.as_slice()));
            let found = part_events(&group.header, part, frames);
            let found = found
                .map_err(|(position, what)| damaged(group.number, part.slot, position, &what))?;
            events.extend(found);
        }
        Ok(events)
    }

    /// Takes the hashes of the entries of these parts.
    fn hash(&mut self, taken: &[Taken], leaves: &[Hash]) {
        let mut leaves = leaves.iter();
        for taken in taken {
            let of_group = &mut self.groups[taken.group].leaves;
            let of_part = leaves.by_ref().take(to_usize(taken.part.count));
            of_part.for_each(|leaf| of_group.update(leaf));
        }
    }

    /// Whether the entries are those that were committed.
    fn compare(self) -> Result<(), StoreError> {
        for group in self.groups {
            if Hash::from(group.leaves.finalize()) != group.header.group_hash {
                let what = "the entries are not those that were committed";
                return Err(damaged(group.number, 0, 0, what));
            }
        }
        Ok(())
    }
}

/// The logs that the events of these parts belong to.
fn of_logs(
    sealer: &Sealer,
    events: &[Placed<'_>],
    taken: &[Taken],
) -> Result<Vec<OfLog>, StoreError> {
    let mut logs: Vec<OfLog> = Vec::new();
    let mut begin = 0;
    for Taken { part, .. } in taken {
        let end = begin + to_usize(part.count);
        match logs.last_mut().filter(|last| last.slot == part.slot) {
            Some(last) => last.events.end = end,
            None => logs.push(OfLog {
                slot: part.slot,
                log: format!("{}/w/{}", sealer.shared.origin, part.slot),
                events: begin..end,
                seeds: Vec::new(),
            }),
        }
        begin = end;
    }
    for of_log in &mut logs {
        let of_this = &events[of_log.events.clone()];
        if let (Some(first), Some(last)) = (of_this.first(), of_this.last()) {
            of_log.seeds = seeds(sealer, of_log.slot, first.position, last.position + 1)?;
        }
    }
    Ok(logs)
}

/// The seeds of the tiles that positions lie in.
fn seeds(sealer: &Sealer, slot: Slot, first: u64, end: u64) -> Result<Vec<Seed>, StoreError> {
    let missing = || damaged(0, slot, first, "a seed is missing");
    let log = sealer.shared.blocks.recent.log(slot).ok_or_else(missing)?;
    let log = read(&log);
    let tiles = to_usize(first / TILE)..to_usize(end.div_ceil(TILE));
    let seeds = log.seeds.get(tiles).ok_or_else(missing)?;
    Ok(seeds.iter().copied().map(Seed).collect())
}
