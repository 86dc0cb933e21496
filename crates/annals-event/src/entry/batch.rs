//! The leaves of many events at once. The hashes are those of one by one; computed side by side they cost a fraction.

use annals_hash::Batch;

use super::seed::{Salt, Seed, TILE};
use super::{Commitment, Place, write_line};
use crate::record::{DraftRef, SectionRef};

/// Events whose hashes are computed together: enough to fill the lanes, few enough to stay in the cache.
const CHUNK: usize = 128;

/// Consecutive positions of one tile, whose salts are wanted.
#[derive(Clone, Copy, Debug)]
pub struct SaltRun<'a> {
    /// The seed of the tile.
    pub seed: &'a Seed,
    /// The first position.
    pub first: u64,
    /// How many positions; what would lie beyond the tile is left out.
    pub count: u64,
}

/// An event at its place, with its salt: all that its entry is made of.
#[derive(Clone, Copy, Debug)]
pub struct Recorded<'a> {
    /// Where it stands.
    pub place: Place<'a>,
    /// The event.
    pub draft: DraftRef<'a>,
    /// The event's salt.
    pub salt: Salt,
}

/// The salts of all runs, in their order, as [`super::event_salt`] gives them one by one.
pub fn event_salts(runs: &[SaltRun<'_>]) -> Vec<Salt> {
    const LEVELS: u32 = TILE.ilog2();
    let low = |run: &SaltRun<'_>| run.first % TILE;
    let end = |run: &SaltRun<'_>| low(run).saturating_add(run.count).min(TILE);
    let runs: Vec<(u64, u64, &Seed)> = runs
        .iter()
        .filter(|run| run.count > 0)
        .map(|run| (low(run), end(run) - 1, run.seed))
        .collect();
    let mut nodes: Vec<Salt> = runs.iter().map(|(_, _, seed)| seed.0).collect();
    let mut batch = Batch::new();
    for level in 1..=LEVELS {
        let mut parents = &nodes[..];
        for (first, last, _) in &runs {
            let (first, last) = (first >> (LEVELS - level), last >> (LEVELS - level));
            for node in first..=last {
                if node > first && node % 2 == 0 {
                    parents = &parents[1..];
                }
                batch.push(&[b"annals/seed/v1\n", &parents[0], &[u8::from(node % 2 == 1)]]);
            }
            parents = &parents[1..];
        }
        nodes = batch.hash();
    }
    nodes
}

/// The leaves of the log: `SHA-256(0x00 ‖ entry)` of each event in order, with the entry as [`super::write_entry`] writes it.
pub fn entry_leaves(events: &[Recorded<'_>]) -> Vec<[u8; 32]> {
    LeafMaker::new().leaves(events)
}

/// Makes leaves as [`entry_leaves`] does, for one group after another: it keeps its memory.
#[derive(Debug, Default)]
pub struct LeafMaker {
    batch: Batch,
    salts: Vec<Salt>,
    commitments: Vec<Commitment>,
}

impl LeafMaker {
    /// One without memory yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The leaves of these events, in order.
    pub fn leaves(&mut self, events: &[Recorded<'_>]) -> Vec<[u8; 32]> {
        let Self {
            batch,
            salts,
            commitments,
        } = self;
        let mut leaves = Vec::with_capacity(events.len());
        // The sections of a chunk's events, one event after the other: each is looked for once.
        let mut sections: Vec<(u8, SectionRef<'_>)> = Vec::with_capacity(8 * CHUNK);
        for events in events.chunks(CHUNK) {
            sections.clear();
            for event in events {
                for (k, section) in (0u8..).zip(event.draft.section_refs()) {
                    if let SectionRef::Value(_) = section {
                        batch.push(&[b"annals/salt/v1\n", &event.salt, &[k]]);
                    }
                    sections.push((k, section));
                }
            }
            salts.clear();
            batch.hash_into(salts);
            let mut salt = salts.iter();
            for (k, section) in &sections {
                // There are as many salts as values.
                if let SectionRef::Value(text) = section
                    && let Some(salt) = salt.next()
                {
                    batch.push(&[b"annals/section/v1\n", salt, &[*k], text]);
                }
            }
            commitments.clear();
            batch.hash_into(commitments);
            let (mut sections, mut computed) = (sections.iter(), commitments.iter());
            for event in events {
                let draft = &event.draft;
                let of_event = sections.by_ref().take(draft.section_refs().len());
                let commitments = of_event.map(|(_, section)| match section {
                    SectionRef::Empty => None,
                    SectionRef::Value(_) => computed.next().copied(),
                    SectionRef::Withheld(stored) => Some(**stored),
                });
                batch.message(|entry| {
                    entry.push(0);
                    let targets = draft.target_heads();
                    write_line(entry, &event.place, &draft.head, targets, commitments);
                });
            }
            batch.hash_into(&mut leaves);
        }
        leaves
    }
}
