//! Groups of the journal on their way into a segment: brought together, sorted, rebuilt, compared with their hash.

use std::ops::Range;

use annals_event::{Seed, SeedNodes, TILE};
use annals_merkle::Hash;
use sha2::{Digest as _, Sha256};

use super::Sealer;
use crate::blocks::{frame_of_body, part_events};
use crate::files::BlobWriter;
use crate::journal::{Header, to_usize};
use crate::manifest::damaged as damaged_segment;
use crate::recent::{SegmentId, damaged, read};
use crate::sealed_keys::OfGroup;
use crate::segment::{Item, Marks, SegmentWriter};
use crate::tree::{Placed, Run, leaves_of_runs};
use crate::{Slot, StoreError};

/// How many events are hashed and written at a time: enough that hashing them together pays.
const EVENTS_AT_ONCE: usize = 4096;

/// Groups that were read, on their way into a segment.
pub(super) struct Gathered {
    groups: Vec<Group>,
    /// By log and position.
    parts: Vec<PartOf>,
}

struct Group {
    number: u32,
    header: Header,
    frames: Vec<Result<Vec<u8>, &'static str>>,
}

/// A part of a group.
#[derive(Clone, Copy)]
struct PartOf {
    slot: Slot,
    first: u64,
    group: usize,
    part: usize,
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

impl Gathered {
    /// Reads the groups `span.0..=span.1`.
    pub(super) fn read(sealer: &Sealer, span: (u32, u32)) -> Result<Gathered, StoreError> {
        let mut gathered = Gathered {
            groups: Vec::new(),
            parts: Vec::new(),
        };
        for number in span.0..=span.1 {
            sealer.go_on()?;
            gathered.take(sealer, number)?;
        }
        gathered.parts.sort_by_key(|part| (part.slot, part.first));
        Ok(gathered)
    }

    fn take(&mut self, sealer: &Sealer, number: u32) -> Result<(), StoreError> {
        let found = sealer.shared.blocks.group(number)?;
        let (header, body) = found.ok_or_else(|| damaged(number, 0, 0, "the group is missing"))?;
        let header =
            Header::decode(&header).map_err(|malformed| damaged(number, 0, 0, malformed.0))?;
        let frames = (0..header.frames.len())
            .map(|frame| frame_of_body(&body, &header.frames, frame))
            .collect();
        let group = self.groups.len();
        for (n, part) in header.parts.iter().enumerate() {
            self.parts.push(PartOf {
                slot: part.slot,
                first: part.first,
                group,
                part: n,
            });
        }
        self.groups.push(Group {
            number,
            header,
            frames,
        });
        Ok(())
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
        &self,
        sealer: &Sealer,
        id: SegmentId,
        out: BlobWriter,
    ) -> Result<(BlobWriter, Marks), StoreError> {
        let flawed = |flaw| damaged_segment(id, &flaw);
        let mut writer = SegmentWriter::new(out, &sealer.shared.origin).map_err(flawed)?;
        let mut leaves = Leaves::of(&self.groups);
        let mut parts = self.parts.iter().peekable();
        while parts.peek().is_some() {
            sealer.go_on()?;
            let (mut events, mut taken) = (Vec::new(), Vec::new());
            while events.len() < EVENTS_AT_ONCE
                && let Some(part) = parts.next()
            {
                events.extend(self.events(part)?);
                taken.push((part, events.len()));
            }
            let logs = of_logs(sealer, &events, &taken)?;
            let hashed =
                leaves_of_runs(&logs.iter().map(|log| log.run(&events)).collect::<Vec<_>>());
            leaves.take(&hashed, &taken);
            let mut rest = events.iter().zip(&hashed);
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
        }
        leaves.compare(&self.groups)?;
        writer.finish().map_err(flawed)
    }

    fn events(&self, of: &PartOf) -> Result<Vec<Placed<'_>>, StoreError> {
        let group = &self.groups[of.group];
        part_events(&group.header, &group.header.parts[of.part], &group.frames)
            .map_err(|(position, what)| damaged(group.number, of.slot, position, &what))
    }
}

/// The hashes of the entries of each part of each group, as they are rebuilt.
struct Leaves(Vec<Vec<Vec<Hash>>>);

impl Leaves {
    fn of(groups: &[Group]) -> Leaves {
        let parts = |group: &Group| vec![Vec::new(); group.header.parts.len()];
        Leaves(groups.iter().map(parts).collect())
    }

    /// Takes the hashes of events of parts; each part comes with the end of its events.
    fn take(&mut self, hashed: &[Hash], parts: &[(&PartOf, usize)]) {
        let mut begin = 0;
        for (part, end) in parts {
            let of_part = hashed.get(begin..*end).unwrap_or_default();
            self.0[part.group][part.part] = of_part.to_vec();
            begin = *end;
        }
    }

    /// Whether the entries are those that were committed.
    fn compare(&self, groups: &[Group]) -> Result<(), StoreError> {
        for (group, leaves) in groups.iter().zip(&self.0) {
            let mut hash = Sha256::new();
            leaves.iter().flatten().for_each(|leaf| hash.update(leaf));
            if Hash::from(hash.finalize()) != group.header.group_hash {
                let what = "the entries are not those that were committed";
                return Err(damaged(group.number, 0, 0, what));
            }
        }
        Ok(())
    }
}

/// The logs that events belong to which come part after part; each part comes with the end of its events.
fn of_logs(
    sealer: &Sealer,
    events: &[Placed<'_>],
    parts: &[(&PartOf, usize)],
) -> Result<Vec<OfLog>, StoreError> {
    let mut logs: Vec<OfLog> = Vec::new();
    let mut begin = 0;
    for (part, end) in parts {
        match logs.last_mut().filter(|last| last.slot == part.slot) {
            Some(last) => last.events.end = *end,
            None => logs.push(OfLog {
                slot: part.slot,
                log: format!("{}/w/{}", sealer.shared.origin, part.slot),
                events: begin..*end,
                seeds: Vec::new(),
            }),
        }
        begin = *end;
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
