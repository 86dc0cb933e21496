//! The part of the check that reads segments.

use std::sync::Arc;

use annals_event::{Seed, SeedNodes, TILE};
use rusqlite::Connection;

use super::{CheckProblem, CheckProgress, Checker};
use crate::manifest::{self, Listed, damaged, is_as_written};
use crate::segment::{BadPage, Cursor, Flaw, FlawKind, Index, ReadAt, Segment, is_away};
use crate::snapshot::Held;
use crate::start::SEGMENTS;
use crate::{Slot, StoreError};

impl Checker {
    /// Reads all segments, which are in the order of their groups.
    pub(super) fn segments(
        &mut self,
        segments: Vec<Held>,
        groups: u64,
        connection: &Connection,
        progress: &mut dyn FnMut(CheckProgress),
    ) -> Result<(), StoreError> {
        for held in segments {
            self.segment(&held, connection)?;
            self.report.segments += 1;
            let done = held.last_group();
            self.report.groups = done;
            self.compare_tables(done, connection)?;
            progress(CheckProgress {
                groups_done: done,
                groups,
            });
        }
        Ok(())
    }

    fn segment(&mut self, held: &Held, connection: &Connection) -> Result<(), StoreError> {
        let id = held.listed.id;
        let (file, index) = match (&held.file, &held.index) {
            (Ok(file), Ok(index)) => (file, index),
            (file, index) => {
                for (result, name) in [
                    (file, held.listed.file_name()),
                    (index, held.listed.index_name()),
                ] {
                    use std::error::Error as _;
                    let Err(error) = result else { continue };
                    let cause = error.source().map(ToString::to_string);
                    let cause = cause.unwrap_or_else(|| error.to_string());
                    self.in_file(id, name, format!("it cannot be opened: {cause}"));
                }
                return match file {
                    Ok(file) => self.rows_of(&held.listed, file, None, connection),
                    Err(_) => self.pass_over_all(connection),
                };
            }
        };
        let mut are_as_written = true;
        for (source, written, name) in [
            (file, &held.listed.file, held.listed.file_name()),
            (index, &held.listed.index, held.listed.index_name()),
        ] {
            match is_as_written(source, written) {
                Ok(true) => {}
                Ok(false) => {
                    are_as_written = false;
                    self.in_file(id, name, "it is not as it was written".to_owned());
                }
                Err(error) if is_away(&error) => return Err(damaged(id, &error.into())),
                Err(error) => {
                    are_as_written = false;
                    self.in_file(id, name, format!("it cannot be read: {error}"));
                }
            }
        }
        if are_as_written && let Some(later) = manifest::later_version(&held.listed, file, index) {
            return Err(later);
        }
        let index = Index::open(index.clone(), file.size()).and_then(|index| {
            index.verify()?;
            Ok(index)
        });
        let index = match index {
            Ok(index) => Some(index),
            Err(flaw) => {
                self.in_file(id, held.listed.index_name(), flaw.0);
                None
            }
        };
        self.rows_of(&held.listed, file, index, connection)
    }

    /// Rebuilds every entry of a segment and grows the trees by them.
    fn rows_of(
        &mut self,
        listed: &Listed,
        file: &Arc<dyn ReadAt>,
        index: Option<Index>,
        connection: &Connection,
    ) -> Result<(), StoreError> {
        let id = listed.id;
        // With a footer that is not as it was, pages may still be what they were.
        let opened = Segment::open(file.clone(), index.clone()).or_else(|flaw| {
            self.in_segment(id, flaw.0);
            Segment::open_doubtful(file.clone(), index)
        });
        let segment = match opened {
            Ok(segment) => segment,
            Err(flaw @ Flaw(_, FlawKind::Away)) => return Err(damaged(id, &flaw)),
            Err(Flaw(what, _)) => {
                self.in_segment(id, what);
                return self.pass_over_all(connection);
            }
        };
        if segment.rows() != listed.rows {
            self.in_segment(
                id,
                "it has another number of rows than the manifest says".to_owned(),
            );
        }
        let directory = segment.directory().unwrap_or_default();
        if segment.origin().is_ok_and(|origin| origin != self.origin) {
            self.in_segment(id, "it belongs to another installation".to_owned());
        }
        let seeds = |slot: Slot, tile: u64| -> Option<Seed> {
            let mut read = connection
                .prepare_cached("select seed from tile where slot = ? and tile = ?")
                .ok()?;
            let seed = read.query_row([u64::from(slot), tile], |row| row.get(0));
            seed.ok().map(Seed)
        };
        let mut cursor = match Cursor::new(&segment, false) {
            // A damaged page takes no seed away from the one behind it.
            Ok(cursor) => cursor.with_seeds(&seeds, 0),
            Err(Flaw(what, _)) => {
                self.in_segment(id, what);
                return self.pass_over_all(connection);
            }
        };
        while let Some(page) = cursor.next_page() {
            match page {
                Ok(page) => {
                    for row in page.rows {
                        self.report.entries += 1;
                        let place = (row.slot, row.position);
                        let seed = SeedNodes::decode(&row.seed);
                        let seed = seed.as_ref().and_then(|nodes| nodes.nodes().first());
                        let seed = seed.map(|node| node.secret);
                        self.grow(id, place, row.recorded_at.as_micros(), row.leaf, seed);
                    }
                }
                Err(BadPage { flaw, .. }) if flaw.1 == FlawKind::Away => {
                    return Err(damaged(id, &flaw));
                }
                Err(BadPage { flaw, logs, .. }) => {
                    for share in logs {
                        self.problem(CheckProblem {
                            segment: Some(id),
                            file: Some(path(&listed.file_name())),
                            rows: Some(share.rows),
                            log: Some(format!("{}/w/{}", self.origin, share.slot)),
                            position: Some(share.positions.start),
                            end: Some(share.positions.end),
                            what: flaw.0.clone(),
                            ..CheckProblem::default()
                        });
                        self.adrift.insert(share.slot);
                    }
                }
            }
        }
        // What of a log could not be read is passed over; from there on its tree is not known.
        for entry in directory {
            if self.adrift.contains(&entry.slot) {
                self.pass_over(entry.slot, entry.end(), connection)?;
            }
        }
        Ok(())
    }

    /// Takes an entry of a segment into its log's tree.
    fn grow(
        &mut self,
        segment: u32,
        (slot, position): (Slot, u64),
        recorded_at: i64,
        leaf: annals_merkle::Hash,
        seed: Option<[u8; 32]>,
    ) {
        if self.adrift.contains(&slot) {
            return;
        }
        let log = self.logs.entry(slot).or_default();
        let wrong = if log.size != position {
            Some("the log has a gap before this position")
        } else if recorded_at < log.recorded_at {
            Some("time runs backwards")
        } else {
            None
        };
        if let Some(what) = wrong {
            self.problem(CheckProblem {
                segment: Some(segment),
                log: Some(format!("{}/w/{slot}", self.origin)),
                position: Some(position),
                what: what.to_owned(),
                ..CheckProblem::default()
            });
            self.adrift.insert(slot);
            return;
        }
        if position % TILE == 0 {
            log.seeds.push(seed.unwrap_or_default());
        }
        log.push_leaf(leaf, recorded_at);
    }

    /// Goes on behind what could not be read, with the seeds that the tables have.
    fn pass_over(
        &mut self,
        slot: Slot,
        end: u64,
        connection: &Connection,
    ) -> Result<(), StoreError> {
        let mut read = connection
            .prepare_cached("select seed from tile where slot = ? and tile < ? order by tile")?;
        let tiles = crate::journal::seeds_at(end);
        let seeds = read
            .query_map([u64::from(slot), tiles], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let log = self.logs.entry(slot).or_default();
        log.size = end;
        log.seeds = seeds;
        Ok(())
    }

    /// Nobody knows which logs a segment held that cannot be opened.
    fn pass_over_all(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let known: Vec<(Slot, u64)> = self
            .tables
            .iter()
            .map(|(slot, (size, ..))| (*slot, *size))
            .collect();
        for (slot, size) in known {
            self.adrift.insert(slot);
            self.pass_over(slot, size, connection)?;
        }
        Ok(())
    }

    fn in_segment(&mut self, segment: u32, what: String) {
        self.problem(CheckProblem {
            segment: Some(segment),
            what,
            ..CheckProblem::default()
        });
    }

    fn in_file(&mut self, segment: u32, file: String, what: String) {
        self.problem(CheckProblem {
            segment: Some(segment),
            file: Some(path(&file)),
            what,
            ..CheckProblem::default()
        });
    }
}

/// Where a file of a segment lies within the directory.
fn path(name: &str) -> String {
    format!("{SEGMENTS}/{name}")
}
