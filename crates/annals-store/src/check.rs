//! Reading everything again: whether what is stored is what was hashed.
//!
//! The headers of the groups are a chain of their own, each under its checksum; they say how every
//! tree grew. Beside it the entries are rebuilt from the bodies and hashed, and compared with what the
//! header says. So damage in a body is pinned to its log, and everything after it is still checked.
//!
//! What is sealed has no headers any more: there the trees grow by the entries themselves, page by page
//! compared with what was hashed, and in the end everything is compared with the tables.

mod segments;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use annals_event::{Seed, TILE};
use annals_merkle::{CompactRange, Hash};
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};

use crate::blocks::{frame_of_body, part_events};
use crate::database::{self, meta};
use crate::journal::{Growth, Header, Part, seeds_at, to_usize};
use crate::quarantine::{self, Quarantined};
use crate::recent::{LogState, Recent};
use crate::snapshot::{Held, at_one_moment};
use crate::tree::{Placed, Run, leaves_of_runs};
use crate::{Bucket, Slot, StoreError};

/// How many problems are named; the rest is only known to exist.
const PROBLEMS_MAX: usize = 100;

/// What a check has found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// How many commit groups were read, in the journal or in segments.
    pub groups: u64,
    /// How many segments were read.
    pub segments: u64,
    /// How many logs have entries.
    pub logs: u64,
    /// How many entries were rebuilt and hashed.
    pub entries: u64,
    /// What is wrong, in the order of the groups; at most 100.
    pub problems: Vec<CheckProblem>,
    /// What was found before, so that nothing is read from it any more.
    pub quarantined: Vec<Quarantined>,
}

/// Something that is not as it was committed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckProblem {
    /// The commit group; 0 where it concerns a segment or a table.
    pub group: u64,
    /// The segment, if it concerns one.
    pub segment: Option<u32>,
    /// The file that is damaged, within the directory.
    pub file: Option<String>,
    /// The rows of a segment that cannot be read any more.
    pub rows: Option<Range<u32>>,
    /// The name of the log, if it concerns one.
    pub log: Option<String>,
    /// The first position that it concerns, if that is known.
    pub position: Option<u64>,
    /// One past the last position, if that is known.
    pub end: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckProgress {
    /// How many commit groups were checked.
    pub groups_done: u64,
    /// How many there are.
    pub groups: u64,
}

/// Reads the whole store in `dir` again, rebuilds every entry, and compares every hash.
///
/// It may run beside the process that has the store open, and checks what was committed when it
/// began. `progress` is called after each group.
///
/// # Errors
/// [`StoreError::Database`] if the database cannot be read at all, [`StoreError::Newer`] and
/// [`StoreError::NewerFormat`] if a later version wrote what is there. Damage is not an error: it stands in the report.
pub fn check(
    dir: &Path,
    progress: &mut dyn FnMut(CheckProgress),
) -> Result<CheckReport, StoreError> {
    check_with(dir, None, progress)
}

/// The same, of a directory whose segments lie in an object store.
///
/// # Errors
/// Those of [`check`], and [`StoreError::Bucket`] if the store does not answer or is not the right one.
pub fn check_with(
    dir: &Path,
    bucket: Option<Arc<dyn Bucket>>,
    progress: &mut dyn FnMut(CheckProgress),
) -> Result<CheckReport, StoreError> {
    let report = at_one_moment(dir, bucket.as_ref(), |connection, segments| {
        check_snapshot(connection, segments, progress)
    });
    match report {
        // Without a manifest nobody knows what there is to read.
        Err(StoreError::Damaged { what, .. }) => Ok(CheckReport {
            problems: vec![CheckProblem {
                file: Some(database::FILE.to_owned()),
                what,
                ..CheckProblem::default()
            }],
            ..CheckReport::default()
        }),
        report => report,
    }
}

fn check_snapshot(
    connection: &Connection,
    segments: Vec<Held>,
    progress: &mut dyn FnMut(CheckProgress),
) -> Result<CheckReport, StoreError> {
    let mut checker = Checker::new(connection)?;
    let sealed = segments.last().map_or(0, Held::last_group);
    let groups: u64 = connection.query_row(
        "select coalesce(max(group_id), ?) from journal",
        [sealed],
        |row| row.get(0),
    )?;
    checker.segments(segments, groups, connection, progress)?;
    let mut read = connection.prepare("select header, body from journal where group_id = ?")?;
    for group in sealed + 1..=groups {
        let stored: Result<Option<(Vec<u8>, Vec<u8>)>, _> = read
            .query_row([group], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional();
        let header = match stored {
            Ok(Some((header, body))) => checker.group(group, &header, &body),
            Ok(None) => Err("the group is missing".to_owned()),
            // A page that SQLite cannot make sense of is damage like any other.
            Err(error) => Err(format!("the group cannot be read: {error}")),
        };
        if let Err(what) = header {
            checker.problem(CheckProblem {
                group,
                what,
                ..CheckProblem::default()
            });
            // Without a header nobody knows where the logs went on.
            break;
        }
        checker.report.groups = group;
        checker.compare_tables(group, connection)?;
        progress(CheckProgress {
            groups_done: group,
            groups,
        });
    }
    checker.database(groups, connection)?;
    checker.report.logs = checker.logs.len() as u64;
    Ok(checker.report)
}

struct Checker {
    origin: String,
    /// Only for its salt.
    prints: Recent,
    logs: HashMap<Slot, LogState>,
    /// The logs of which something could not be read: their trees are not known from there on, but
    /// everything that can be read of them is still compared with its hashes.
    adrift: HashSet<Slot>,
    /// The group as of which the tables were written, and what they say of each log.
    applied: u64,
    tables: HashMap<Slot, (u64, i64, Vec<u8>)>,
    report: CheckReport,
}

impl Checker {
    fn new(connection: &Connection) -> Result<Checker, StoreError> {
        let text = meta(connection, "origin")?.unwrap_or_default();
        let salt = meta(connection, "salt")?.and_then(|salt| salt.try_into().ok());
        let applied = meta(connection, "applied_through")?
            .and_then(|bytes| bytes.try_into().ok())
            .map_or(0, u64::from_be_bytes);
        let mut tables = HashMap::new();
        {
            let mut all =
                connection.prepare("select slot, size, recorded_at, frontier from log_state")?;
            let mut found = all.query([])?;
            while let Some(row) = found.next()? {
                tables.insert(row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?));
            }
        }
        Ok(Checker {
            origin: String::from_utf8_lossy(&text).into_owned(),
            prints: Recent::new(salt.unwrap_or_default(), 0),
            logs: HashMap::new(),
            adrift: HashSet::new(),
            applied,
            tables,
            report: CheckReport::default(),
        })
    }

    fn problem(&mut self, problem: CheckProblem) {
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(problem);
        }
    }

    fn problem_in(&mut self, group: u64, slot: Slot, position: u64, what: impl Into<String>) {
        self.problem(CheckProblem {
            group,
            log: Some(format!("{}/w/{slot}", self.origin)),
            position: Some(position),
            what: what.into(),
            ..CheckProblem::default()
        });
    }

    fn group(&mut self, group: u64, header: &[u8], body: &[u8]) -> Result<(), String> {
        let header = Header::decode(header).map_err(|malformed| malformed.0.to_owned())?;
        let frames: Vec<Result<Vec<u8>, &str>> = (0..)
            .take(header.frames.len())
            .map(|frame| frame_of_body(body, &header, frame))
            .collect();
        if header
            .frames
            .iter()
            .map(|frame| frame.stored as usize)
            .sum::<usize>()
            != body.len()
        {
            self.problem(CheckProblem {
                group,
                what: "the body has another length than its frames".to_owned(),
                ..CheckProblem::default()
            });
        }
        let mut group_hash = Some(Sha256::new());
        for part in &header.parts {
            let is_adrift = self.adrift.contains(&part.slot);
            let before = self.logs.entry(part.slot).or_default();
            let frontier = before.frontier.clone();
            if is_adrift {
                before.size = part.end();
                before.seeds.truncate(to_usize(seeds_at(part.first)));
                before.seeds.extend_from_slice(&part.seeds);
            } else {
                before
                    .grow(part, None)
                    .map_err(|what| format!("log {}: {what}", part.slot))?;
            }
            let of_pieces =
                part.pieces
                    .iter()
                    .map(|piece| match frames.get(to_usize(piece.frame)) {
                        Some(Ok(frame)) => Ok(frame.as_slice()),
                        Some(Err(what)) => Err(*what),
                        None => Err("there is no such frame"),
                    });
            match part_events(&header, part, of_pieces) {
                Ok(events) => {
                    let leaves = self.leaves(group, part, &events);
                    if !is_adrift {
                        self.compare_growth(group, part, frontier, &leaves);
                    }
                    if let Some(hash) = &mut group_hash {
                        leaves.iter().for_each(|leaf| hash.update(leaf));
                    }
                    self.report.entries += leaves.len() as u64;
                }
                Err((position, what)) => {
                    self.problem_in(group, part.slot, position, what);
                    group_hash = None;
                }
            }
        }
        if group_hash.is_some_and(|hash| Hash::from(hash.finalize()) != header.group_hash) {
            self.problem(CheckProblem {
                group,
                what: "the entries are not those that were committed".to_owned(),
                ..CheckProblem::default()
            });
        }
        Ok(())
    }

    /// The leaf hashes of a part, from its events. What the header says of the events is compared.
    fn leaves(&mut self, group: u64, part: &Part, events: &[Placed<'_>]) -> Vec<Hash> {
        let log = format!("{}/w/{}", self.origin, part.slot);
        let seeds: Vec<Seed> = self.logs.get(&part.slot).map_or_else(Vec::new, |log| {
            let from = to_usize(part.first / TILE);
            log.seeds
                .get(from..)
                .unwrap_or_default()
                .iter()
                .copied()
                .map(Seed)
                .collect()
        });
        let (log, seeds) = (&log, &seeds);
        let leaves = leaves_of_runs(&[Run { log, events, seeds }]);
        let (mut earliest, mut latest) = (i64::MAX, i64::MIN);
        for (event, known) in events.iter().zip(&part.ids) {
            let head = event.draft.head();
            let occurred = head.occurred_at.as_micros();
            (earliest, latest) = (earliest.min(occurred), latest.max(occurred));
            let id = std::str::from_utf8(head.id).unwrap_or_default();
            if self.prints.id_print(part.slot, id) != *known {
                let what = "the id is not the one that the header has a fingerprint of";
                self.problem_in(group, part.slot, event.position, what);
            }
        }
        if (earliest, latest) != part.occurred {
            let what = "the times are not those that the header gives";
            self.problem_in(group, part.slot, part.first, what);
        }
        leaves
    }

    /// Compares how the tree grew by the rows with how it grew by the header.
    fn compare_growth(&mut self, group: u64, part: &Part, frontier: CompactRange, leaves: &[Hash]) {
        if let Growth::Leaves(recorded) = &part.growth
            && let Some(n) = recorded.iter().zip(leaves).position(|(a, b)| a != b)
        {
            let position = part.first + n as u64;
            self.problem_in(
                group,
                part.slot,
                position,
                "the entry is not the one that was hashed",
            );
            return;
        }
        let mut frontier = frontier;
        let mut tiles = Vec::new();
        for leaf in leaves {
            frontier.push_leaf(*leaf, &mut |node, hash| {
                if node.level == 8 {
                    tiles.push(hash);
                }
            });
        }
        let log = &self.logs[&part.slot];
        let agrees = log.frontier == frontier
            && (part.first / TILE..)
                .zip(&tiles)
                .all(|(tile, hash)| log.tile(tile) == Some(*hash));
        if !agrees {
            let what = format!(
                "the entries up to {} are not those that were hashed",
                part.end()
            );
            self.problem_in(group, part.slot, part.first, what);
        }
    }

    /// What concerns the database as a whole.
    fn database(&mut self, groups: u64, connection: &Connection) -> Result<(), StoreError> {
        let mut found = Vec::new();
        if self.applied > groups {
            found.push(format!(
                "the tables are of group {}, but there is no group after {groups}",
                self.applied
            ));
        }
        let mut read = connection.prepare("pragma quick_check(10)")?;
        let lines = read.query_map([], |row| row.get::<_, String>(0))?;
        for line in lines {
            match line {
                Ok(line) if line == "ok" => {}
                Ok(line) => found.push(line),
                Err(error) => found.push(format!("it cannot be read: {error}")),
            }
        }
        for what in found {
            self.problem(CheckProblem {
                file: Some(database::FILE.to_owned()),
                what,
                ..CheckProblem::default()
            });
        }
        self.report.quarantined = quarantine::list_if_any(connection)?;
        Ok(())
    }

    /// Compares the tables with the journal at the group as of which they were written.
    fn compare_tables(&mut self, group: u64, connection: &Connection) -> Result<(), StoreError> {
        if group != self.applied {
            return Ok(());
        }
        let tables = std::mem::take(&mut self.tables);
        let slots: BTreeSet<Slot> = tables.keys().chain(self.logs.keys()).copied().collect();
        let mut read_tiles =
            connection.prepare("select tile, seed, hash from tile where slot = ? order by tile")?;
        for slot in slots {
            if self.adrift.contains(&slot) {
                continue;
            }
            let agrees = match (tables.get(&slot), self.logs.get(&slot)) {
                (Some((size, recorded_at, frontier)), Some(log)) => {
                    *size == log.size
                        && *recorded_at == log.recorded_at
                        && *frontier == log.frontier.encode()
                }
                _ => false,
            };
            if !agrees {
                self.problem_in(group, slot, 0, "the tables do not agree with the journal");
                continue;
            }
            let Some(log) = self.logs.get(&slot) else {
                continue;
            };
            let mut wrong = None;
            let mut count = 0;
            let mut found = read_tiles.query([slot])?;
            while let Some(row) = found.next()? {
                let tile: u64 = row.get(0)?;
                let seed: [u8; 32] = row.get(1)?;
                let hash: Option<Hash> = row.get(2)?;
                // A running server may have gone on meanwhile: what is not here yet is not compared.
                let Some(expected) = log.seeds.get(to_usize(tile)) else {
                    break;
                };
                count += 1;
                if *expected != seed || (log.tile(tile).is_some() && log.tile(tile) != hash) {
                    wrong = Some(tile * TILE);
                    break;
                }
            }
            if wrong.is_none() && count != log.seeds.len() {
                wrong = Some(count as u64 * TILE);
            }
            if let Some(position) = wrong {
                self.problem_in(
                    group,
                    slot,
                    position,
                    "a tile does not agree with the journal",
                );
            }
        }
        Ok(())
    }
}
