//! Scrubbing: segments are read again, slowly and for ever, so that rot is found while a backup still has what
//! it took.
//!
//! A round reads every segment once: each page's entries are rebuilt and compared with what was hashed. What
//! rots is put into quarantine: nothing is read from it and nothing is made of it, until it is as it was
//! written again. Where only the file's frame or its index is damaged, the segment is written anew.

mod examine;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use annals_event::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use crate::control::ControlError;
use crate::manifest::{self, Listed};
use crate::recent::SegmentId;
use crate::seal::Sealer;
use crate::shared::Shared;
use crate::store::submit_change;
use crate::{Scrubbing, StoreError};

/// How often it is looked whether something is to be read.
const TICK: Duration = Duration::from_millis(200);

/// How long nothing is tried after a failure.
const PAUSE: Duration = Duration::from_secs(30);

/// How often it is written down how far a round is, at least.
const KEEP: Duration = Duration::from_secs(60);

/// What reads segments again.
pub(crate) struct Scrubber {
    shared: Arc<Shared>,
    sealer: Arc<Sealer>,
    scrubbing: Scrubbing,
    /// Held by whoever reads.
    progress: Mutex<Progress>,
    finished_at: Mutex<Option<Timestamp>>,
    bytes: Arc<AtomicU64>,
    pages: AtomicU64,
    rows: AtomicU64,
    stopping: Arc<AtomicBool>,
    started: Instant,
}

/// What scrubbing has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scrubbed {
    /// When the last full round ended; `None` if there was none yet.
    pub finished_at: Option<Timestamp>,
    /// How many bytes were read since the start.
    pub bytes: u64,
    /// How many pages were compared since the start.
    pub pages: u64,
    /// How many entries were rebuilt since the start.
    pub rows: u64,
}

/// How far scrubbing is, as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    finished_at: Option<Timestamp>,
    /// When the round began that is going on.
    began_at: Option<Timestamp>,
    /// The last commit group of the round, 0 if none is going on; and the last one that it has read.
    until: u32,
    through: u32,
    /// Where it is in the segment behind that.
    segment: SegmentId,
    page: usize,
}

impl Progress {
    /// How far it was when that was last written down.
    pub(crate) fn load(connection: &Connection) -> Result<Progress, StoreError> {
        let read = connection
            .prepare_cached(
                "select finished_at, began_at, until_group, through_group, segment_id, page from scrub",
            )?
            .query_row([], |row| {
                let time = |time: Option<i64>| time.map(Timestamp::clamped);
                Ok(Progress {
                    finished_at: time(row.get(0)?),
                    began_at: time(row.get(1)?),
                    until: row.get(2)?,
                    through: row.get(3)?,
                    segment: row.get(4)?,
                    page: row.get(5)?,
                })
            })
            .optional()?;
        Ok(read.unwrap_or_default())
    }

    fn store(&self, transaction: &Transaction<'_>) -> Result<(), rusqlite::Error> {
        transaction
            .prepare_cached(
                "insert into scrub (id, finished_at, began_at, until_group, through_group, segment_id, page)
                 values (0, ?, ?, ?, ?, ?, ?)
                 on conflict (id) do update set finished_at = excluded.finished_at,
                   began_at = excluded.began_at, until_group = excluded.until_group,
                   through_group = excluded.through_group, segment_id = excluded.segment_id,
                   page = excluded.page",
            )?
            .execute(params![
                self.finished_at.map(Timestamp::as_micros),
                self.began_at.map(Timestamp::as_micros),
                self.until,
                self.through,
                self.segment,
                self.page,
            ])?;
        Ok(())
    }
}

/// How quickly it reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// With the pauses that were asked for.
    Slow,
    /// As quickly as it can: somebody waits.
    Full,
}

impl Scrubber {
    pub(crate) fn new(
        shared: Arc<Shared>,
        sealer: Arc<Sealer>,
        scrubbing: Scrubbing,
        progress: Progress,
    ) -> Scrubber {
        Scrubber {
            shared,
            sealer,
            scrubbing,
            finished_at: Mutex::new(progress.finished_at),
            progress: Mutex::new(progress),
            bytes: Arc::default(),
            pages: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            stopping: Arc::default(),
            started: Instant::now(),
        }
    }

    /// Works in the background until it is told to stop.
    pub(crate) fn spawn(self: &Arc<Scrubber>) -> std::io::Result<JoinHandle<()>> {
        let scrubber = self.clone();
        thread::Builder::new()
            .name("annals-scrubber".to_owned())
            .spawn(move || scrubber.work())
    }

    /// Ends the thread, soon.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn scrubbed(&self) -> Scrubbed {
        let finished_at = self.finished_at.lock();
        Scrubbed {
            finished_at: *finished_at.unwrap_or_else(PoisonError::into_inner),
            bytes: self.bytes.load(Ordering::Relaxed),
            pages: self.pages.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
        }
    }

    /// Reads everything that is sealed now, without pauses.
    pub(crate) fn round(&self) -> Result<(), StoreError> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        while self.suspect()? {}
        self.begin(&mut progress);
        while self.go_on(&mut progress, Pace::Full)? {}
        Ok(())
    }

    fn is_stopping(&self) -> bool {
        self.shared.is_stopping(&self.stopping)
    }

    /// Waits, but not for longer than until it is told to stop.
    fn pause(&self, how_long: Duration) {
        self.shared.pause(how_long, &self.stopping);
    }

    fn work(&self) {
        while !self.is_stopping() {
            let turn = {
                let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
                self.turn(&mut progress)
            };
            match turn {
                Ok(true) => {}
                Ok(false) => self.pause(TICK),
                Err(StoreError::Stopped) => {}
                Err(error) => {
                    tracing::error!(%error, "segments cannot be read again; it is tried later");
                    self.pause(PAUSE);
                }
            }
        }
    }

    /// Reads one segment, if there is one to read.
    fn turn(&self, progress: &mut Progress) -> Result<bool, StoreError> {
        if self.suspect()? {
            return Ok(true);
        }
        if self.started.elapsed() < self.scrubbing.after_start {
            return Ok(false);
        }
        if progress.until > 0 {
            return self.go_on(progress, Pace::Slow);
        }
        let every = i64::try_from(self.scrubbing.every.as_micros()).unwrap_or(i64::MAX);
        let is_due = progress.began_at.is_none_or(|began_at| {
            began_at.as_micros().saturating_add(every) <= self.shared.clock.now().as_micros()
        });
        if is_due {
            // Nothing is sealed yet: then there is no round.
            self.begin(progress);
        }
        Ok(progress.until > 0)
    }

    /// Looks at a segment that somebody stumbled over.
    fn suspect(&self) -> Result<bool, StoreError> {
        let quarantine = &self.shared.blocks.quarantine;
        let Some(id) = quarantine.suspects().first().copied() else {
            return Ok(false);
        };
        if let Some(listed) = self.listed()?.into_iter().find(|listed| listed.id == id) {
            // What made somebody stumble may be there, and nowhere else.
            self.sealer.blobs().forget(id);
            self.examine(&listed, 0, Pace::Full, &mut |_| {})?;
        }
        quarantine.suspects().remove(&id);
        Ok(true)
    }

    fn begin(&self, progress: &mut Progress) {
        let until = self.shared.blocks.recent.sealed_through();
        *progress = Progress {
            finished_at: progress.finished_at,
            began_at: (until > 0).then(|| self.shared.clock.now()),
            until,
            ..Progress::default()
        };
    }

    /// Reads the next segment of a round, and ends the round behind the last one. Whether there was one.
    fn go_on(&self, progress: &mut Progress, pace: Pace) -> Result<bool, StoreError> {
        let next = self
            .listed()?
            .into_iter()
            .find(|listed| listed.groups.1 > progress.through && listed.groups.0 <= progress.until);
        let Some(listed) = next else {
            progress.until = 0;
            progress.finished_at = Some(self.shared.clock.now());
            let mut finished_at = self
                .finished_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *finished_at = progress.finished_at;
            drop(finished_at);
            self.keep(progress)?;
            let damaged = self.shared.blocks.quarantine.all().len();
            tracing::info!(damaged, "every segment was read again");
            return Ok(false);
        };
        // After a merge the pages are others.
        let page = match listed.id == progress.segment {
            true => progress.page,
            false => 0,
        };
        progress.segment = listed.id;
        let mut kept = Instant::now();
        self.examine(&listed, page, pace, &mut |page| {
            progress.page = page;
            if kept.elapsed() >= KEEP {
                kept = Instant::now();
                // If it cannot be written down, a restart reads a little more.
                let _ = self.keep(progress);
            }
        })?;
        progress.through = listed.groups.1;
        progress.page = 0;
        self.keep(progress)?;
        Ok(true)
    }

    fn listed(&self) -> Result<Vec<Listed>, StoreError> {
        self.shared.blocks.with_reader(manifest::list)
    }

    /// Writes down how far it is.
    fn keep(&self, progress: &Progress) -> Result<(), StoreError> {
        let progress = progress.clone();
        self.change(move |transaction| progress.store(transaction), |()| {})
    }

    /// Changes what is written down, and then what memory knows of it.
    fn change<T: Send + 'static>(
        &self,
        change: impl FnMut(&Transaction<'_>) -> Result<T, rusqlite::Error> + Send + 'static,
        applied: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut change = change;
        let change =
            move |transaction: &Transaction<'_>| change(transaction).map_err(ControlError::from);
        let done = submit_change(
            &self.shared,
            Default::default(),
            Vec::new(),
            change,
            applied,
        );
        done.wait().map_err(|error| match error {
            ControlError::Store(error) => error,
            error => StoreError::Damaged {
                place: "the tables of the scrubber".to_owned(),
                what: error.to_string(),
            },
        })
    }
}
