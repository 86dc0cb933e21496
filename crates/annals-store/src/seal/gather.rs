//! Groups of the journal on their way into a segment: brought together, compared with their hash, sorted.

use annals_event::{Seed, SeedNodes, TILE};
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
use crate::tree::leaves_of;
use crate::{Slot, StoreError};

/// Groups that were read and are what was committed.
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

/// A part of a group with the hashes of its entries.
struct PartOf {
    slot: Slot,
    first: u64,
    group: usize,
    part: usize,
    leaves: Vec<Hash>,
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
        let shared = &sealer.shared;
        let found = shared.blocks.group(number)?;
        let (header, body) = found.ok_or_else(|| damaged(number, 0, 0, "the group is missing"))?;
        let header =
            Header::decode(&header).map_err(|malformed| damaged(number, 0, 0, malformed.0))?;
        let frames = (0..header.frames.len())
            .map(|frame| frame_of_body(&body, &header.frames, frame))
            .collect();
        let group = Group {
            number,
            header,
            frames,
        };
        let mut hash = Sha256::new();
        for (n, part) in group.header.parts.iter().enumerate() {
            let rows = part_rows(&group.header, part, &group.frames)
                .map_err(|(position, what)| damaged(number, part.slot, position, &what))?;
            let name = format!("{}/w/{}", shared.origin, part.slot);
            let leaves = leaves_of(
                &name,
                &rows,
                &seeds(sealer, part.slot, part.first, part.end())?,
            );
            leaves.iter().for_each(|leaf| hash.update(leaf));
            self.parts.push(PartOf {
                slot: part.slot,
                first: part.first,
                group: self.groups.len(),
                part: n,
                leaves,
            });
        }
        if Hash::from(hash.finalize()) != group.header.group_hash {
            let what = "the entries are not those that were committed";
            return Err(damaged(number, 0, 0, what));
        }
        self.groups.push(group);
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

    /// Writes the rows as a segment, and says how many there are.
    pub(super) fn write(
        &self,
        sealer: &Sealer,
        id: SegmentId,
        out: BlobWriter,
    ) -> Result<(BlobWriter, u32), StoreError> {
        let flawed = |flaw| damaged_segment(id, &flaw);
        let mut writer = SegmentWriter::new(out, &sealer.shared.origin).map_err(flawed)?;
        let mut nodes: (Slot, u64, Vec<u8>) = (0, u64::MAX, Vec::new());
        for of_log in &self.parts {
            sealer.go_on()?;
            let group = &self.groups[of_log.group];
            let part = &group.header.parts[of_log.part];
            let rows = part_rows(&group.header, part, &group.frames)
                .map_err(|(position, what)| damaged(group.number, part.slot, position, &what))?;
            for (row, leaf) in rows.into_iter().zip(&of_log.leaves) {
                let tile = row.position / TILE;
                if (nodes.0, nodes.1) != (part.slot, tile) {
                    let seed = seeds(sealer, part.slot, row.position, row.position + 1)?;
                    let seed = seed.first().map(SeedNodes::whole);
                    nodes = (
                        part.slot,
                        tile,
                        seed.as_ref().map(SeedNodes::encode).unwrap_or_default(),
                    );
                }
                writer
                    .push(part.slot, &Stored::Event(row), leaf, &nodes.2)
                    .map_err(flawed)?;
            }
        }
        let rows = writer.rows();
        Ok((writer.finish().map_err(flawed)?, rows))
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
