//! The part of the check that reads segments.

use std::path::Path;
use std::sync::Arc;

use annals_event::{SeedNodes, TILE};
use rusqlite::Connection;
use sha2::{Digest as _, Sha256};

use super::{CheckProblem, CheckProgress, Checker};
use crate::bucket::{Remote, claim, is_away};
use crate::files::{Blobs, SystemFiles, Written};
use crate::journal::to_usize;
use crate::manifest::{self, Listed, damaged};
use crate::segment::{BadPage, Cursor, Flaw, FlawKind, Index, ReadAt, Segment, Stored};
use crate::start::SEGMENTS;
use crate::{Bucket, Slot, StoreError};

/// How much memory blocks of remote segments take.
const CACHE_BYTES: usize = 64 << 20;

/// How much of a file is hashed at once.
const PIECE_BYTES: usize = 1 << 20;

/// A segment whose files are open, so that nobody can take them away while they are read.
pub(super) struct Opened {
    listed: Listed,
    file: Result<Arc<dyn ReadAt>, StoreError>,
    index: Result<Arc<dyn ReadAt>, StoreError>,
}

/// Opens the files of all segments in the manifest.
pub(super) fn open_all(
    dir: &Path,
    bucket: Option<Arc<dyn Bucket>>,
    connection: &Connection,
) -> Result<Vec<Opened>, StoreError> {
    match &bucket {
        None => claim::refuse_without(connection)?,
        Some(bucket) => claim::refuse_others(connection, &**bucket)?,
    }
    let listed = manifest::list(connection)?;
    if listed.is_empty() {
        return Ok(Vec::new());
    }
    let remote = bucket.map(|bucket| Remote::new(bucket, CACHE_BYTES));
    let blobs = Blobs::open(dir.join(SEGMENTS), Arc::new(SystemFiles))?.with_remote(remote);
    let open = |listed: Listed| {
        let file = match blobs.file_of(&listed) {
            // That is no finding: nobody knows what lies there.
            Err(error @ StoreError::Bucket { .. }) => return Err(error),
            file => file,
        };
        let index = blobs.index_of(&listed);
        Ok(Opened {
            file,
            index,
            listed,
        })
    };
    listed.into_iter().map(open).collect()
}

impl Opened {
    /// Whether a file is gone.
    pub(super) fn is_missing(&self) -> bool {
        self.file.is_err() || self.index.is_err()
    }

    pub(super) fn last_group(&self) -> u64 {
        self.listed.groups.1.into()
    }
}

impl Checker {
    /// Reads all segments, which are in the order of their groups.
    pub(super) fn segments(
        &mut self,
        segments: Vec<Opened>,
        groups: u64,
        connection: &Connection,
        progress: &mut dyn FnMut(CheckProgress),
    ) -> Result<(), StoreError> {
        for opened in segments {
            self.segment(&opened, connection)?;
            self.report.segments += 1;
            let done = opened.last_group();
            self.report.groups = done;
            self.compare_tables(done, connection)?;
            progress(CheckProgress {
                groups_done: done,
                groups,
            });
        }
        Ok(())
    }

    fn segment(&mut self, opened: &Opened, connection: &Connection) -> Result<(), StoreError> {
        let id = opened.listed.id;
        let (file, index) = match (&opened.file, &opened.index) {
            (Ok(file), Ok(index)) => (file, index),
            (file, index) => {
                for error in [file.as_ref().err(), index.as_ref().err()]
                    .into_iter()
                    .flatten()
                {
                    use std::error::Error as _;
                    let cause = error.source().map(ToString::to_string);
                    let cause = cause.unwrap_or_else(|| error.to_string());
                    self.in_segment(id, format!("a file cannot be opened: {cause}"));
                }
                return match file {
                    Ok(file) => self.rows_of(id, file, None, connection),
                    Err(_) => self.pass_over_all(connection),
                };
            }
        };
        for (source, written, name) in [
            (file, &opened.listed.file, opened.listed.file_name()),
            (index, &opened.listed.index, opened.listed.index_name()),
        ] {
            match is_as_written(source, written) {
                Ok(true) => {}
                Ok(false) => self.in_segment(id, format!("{name} is not as it was written")),
                Err(error) if is_away(&error) => return Err(damaged(id, &error.into())),
                Err(error) => self.in_segment(id, format!("{name} cannot be read: {error}")),
            }
        }
        let index = Index::open(index.clone(), file.size()).and_then(|index| {
            index.verify()?;
            Ok(index)
        });
        let index = match index {
            Ok(index) => Some(index),
            Err(flaw) => {
                self.in_segment(id, format!("the index: {}", flaw.0));
                None
            }
        };
        self.rows_of(id, file, index, connection)
    }

    /// Rebuilds every entry of a segment and grows the trees by them.
    fn rows_of(
        &mut self,
        id: u32,
        file: &Arc<dyn ReadAt>,
        index: Option<Index>,
        connection: &Connection,
    ) -> Result<(), StoreError> {
        // With a footer that is not as it was, pages may still be what they were.
        let opened = Segment::open(file.clone(), index).or_else(|flaw| {
            self.in_segment(id, flaw.0);
            Segment::open(file.clone(), None)
        });
        let segment = match opened {
            Ok(segment) => segment,
            Err(flaw @ Flaw(_, FlawKind::Away)) => return Err(damaged(id, &flaw)),
            Err(Flaw(what, _)) => {
                self.in_segment(id, what);
                return self.pass_over_all(connection);
            }
        };
        let directory = segment.directory().unwrap_or_default();
        if segment.origin().is_ok_and(|origin| origin != self.origin) {
            self.in_segment(id, "it belongs to another installation".to_owned());
        }
        let mut cursor = match Cursor::new(&segment, false) {
            Ok(cursor) => cursor,
            Err(Flaw(what, _)) => {
                self.in_segment(id, what);
                return self.pass_over_all(connection);
            }
        };
        while let Some(page) = cursor.next_page() {
            match page {
                Ok(rows) => {
                    for row in rows {
                        let recorded_at = match &row.stored {
                            Stored::Event(event) => event.recorded_at,
                            Stored::Redacted(redacted) => redacted.recorded_at,
                        };
                        self.report.entries += 1;
                        let place = (row.slot, row.stored.position());
                        let seed = SeedNodes::decode(&row.seed);
                        let seed = seed.as_ref().and_then(|nodes| nodes.nodes().first());
                        let seed = seed.map(|node| node.secret);
                        self.grow(id, place, recorded_at.as_micros(), row.leaf, seed);
                    }
                }
                Err(BadPage { flaw, .. }) if flaw.1 == FlawKind::Away => {
                    return Err(damaged(id, &flaw));
                }
                Err(BadPage { flaw, logs }) => {
                    for (slot, position) in logs {
                        let log = Some(format!("{}/w/{slot}", self.origin));
                        self.problem(CheckProblem {
                            group: 0,
                            segment: Some(id),
                            log,
                            position: Some(position),
                            what: flaw.0.clone(),
                        });
                        self.adrift.insert(slot);
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
            let log = Some(format!("{}/w/{slot}", self.origin));
            self.problem(CheckProblem {
                group: 0,
                segment: Some(segment),
                log,
                position: Some(position),
                what: what.to_owned(),
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
            group: 0,
            segment: Some(segment),
            log: None,
            position: None,
            what,
        });
    }
}

/// Whether a file has the bytes that were written.
fn is_as_written(source: &Arc<dyn ReadAt>, written: &Written) -> std::io::Result<bool> {
    if source.size() != written.bytes {
        return Ok(false);
    }
    let mut hash = Sha256::new();
    let mut offset = 0;
    while offset < written.bytes {
        let length = to_usize(written.bytes - offset).min(PIECE_BYTES);
        hash.update(source.read_at(offset, length)?);
        offset += length as u64;
    }
    Ok(hash.finalize()[..] == written.sha256)
}
