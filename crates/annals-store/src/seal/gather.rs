//! Groups of the journal on their way into a segment: brought together, sorted, rebuilt, compared with their hash.

use std::ops::Range;

use annals_event::{Row, Seed, SeedNodes, TILE};
use annals_merkle::Hash;
use sha2::{Digest as _, Sha256};

use super::Sealer;
use crate::blocks::{frame_of_body, part_rows};
use crate::files::BlobWriter;
use crate::journal::{Header, to_usize};
use crate::manifest::damaged as damaged_segment;
use crate::recent::{SegmentId, damaged, read};
use crate::sealed_keys::OfGroup;
use crate::segment::{SegmentWriter, Stored};
use crate::tree::{Run, leaves_of_runs};
use crate::{Slot, StoreError};

/// How many rows are hashed and written at a time: enough that hashing them together pays.
const ROWS_AT_ONCE: usize = 4096;

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
    /// The hashes of the entries of each part, once they were rebuilt.
    leaves: Vec<Vec<Hash>>,
}

/// A part of a group.
#[derive(Clone, Copy)]
struct PartOf {
    slot: Slot,
    first: u64,
    group: usize,
    part: usize,
}

/// Rows of one log that follow on each other, and which of the rows at hand they are.
struct OfLog {
    slot: Slot,
    log: String,
    rows: Range<usize>,
    seeds: Vec<Seed>,
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
            leaves: vec![Vec::new(); header.parts.len()],
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

    /// Writes the rows as a segment, and says how many there are. Every entry is rebuilt, and compared with
    /// what was committed before this returns.
    pub(super) fn write(
        &mut self,
        sealer: &Sealer,
        id: SegmentId,
        out: BlobWriter,
    ) -> Result<(BlobWriter, u32), StoreError> {
        let flawed = |flaw| damaged_segment(id, &flaw);
        let mut writer = SegmentWriter::new(out, &sealer.shared.origin).map_err(flawed)?;
        let mut parts = std::mem::take(&mut self.parts).into_iter().peekable();
        while parts.peek().is_some() {
            sealer.go_on()?;
            let (mut rows, mut taken) = (Vec::new(), Vec::new());
            while rows.len() < ROWS_AT_ONCE
                && let Some(part) = parts.next()
            {
                rows.extend(self.rows(part)?);
                taken.push((part, rows.len()));
            }
            self.write_rows(sealer, &mut writer, id, rows, &taken)?;
        }
        self.compare()?;
        let rows = writer.rows();
        Ok((writer.finish().map_err(flawed)?, rows))
    }

    fn rows(&self, of: PartOf) -> Result<Vec<Row>, StoreError> {
        let group = &self.groups[of.group];
        part_rows(&group.header, &group.header.parts[of.part], &group.frames)
            .map_err(|(position, what)| damaged(group.number, of.slot, position, &what))
    }

    /// Hashes and writes rows of some parts; each comes with the end of its rows.
    fn write_rows(
        &mut self,
        sealer: &Sealer,
        writer: &mut SegmentWriter<BlobWriter>,
        id: SegmentId,
        rows: Vec<Row>,
        parts: &[(PartOf, usize)],
    ) -> Result<(), StoreError> {
        let mut logs: Vec<OfLog> = Vec::new();
        let mut begin = 0;
        for (part, end) in parts {
            match logs.last_mut().filter(|last| last.slot == part.slot) {
                Some(last) => last.rows.end = *end,
                None => logs.push(OfLog {
                    slot: part.slot,
                    log: format!("{}/w/{}", sealer.shared.origin, part.slot),
                    rows: begin..*end,
                    seeds: Vec::new(),
                }),
            }
            begin = *end;
        }
        for of_log in &mut logs {
            let positions = rows[of_log.rows.clone()].iter().map(|row| row.position);
            let (first, last) = (positions.clone().next(), positions.last());
            if let (Some(first), Some(last)) = (first, last) {
                of_log.seeds = seeds(sealer, of_log.slot, first, last + 1)?;
            }
        }
        let runs: Vec<Run<'_>> = logs
            .iter()
            .map(|of_log| Run {
                log: &of_log.log,
                rows: &rows[of_log.rows.clone()],
                seeds: &of_log.seeds,
            })
            .collect();
        let leaves = leaves_of_runs(&runs);
        let mut begin = 0;
        for (part, end) in parts {
            let of_part = leaves.get(begin..*end).unwrap_or_default();
            self.groups[part.group].leaves[part.part] = of_part.to_vec();
            begin = *end;
        }
        let mut rows = rows.into_iter().zip(&leaves);
        for of_log in &logs {
            let mut tile = (u64::MAX, Vec::new());
            let mut seeds = of_log.seeds.iter();
            for (row, leaf) in rows.by_ref().take(of_log.rows.len()) {
                if tile.0 != row.position / TILE {
                    let nodes = seeds.next().map(|seed| SeedNodes::whole(seed).encode());
                    tile = (row.position / TILE, nodes.unwrap_or_default());
                }
                writer
                    .push(of_log.slot, &Stored::Event(row), leaf, &tile.1)
                    .map_err(|flaw| damaged_segment(id, &flaw))?;
            }
        }
        Ok(())
    }

    /// Whether the entries are those that were committed.
    fn compare(&self) -> Result<(), StoreError> {
        for group in &self.groups {
            let mut hash = Sha256::new();
            group
                .leaves
                .iter()
                .flatten()
                .for_each(|leaf| hash.update(leaf));
            if Hash::from(hash.finalize()) != group.header.group_hash {
                let what = "the entries are not those that were committed";
                return Err(damaged(group.number, 0, 0, what));
            }
        }
        Ok(())
    }
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
