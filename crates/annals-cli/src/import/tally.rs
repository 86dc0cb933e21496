//! What became of everything so far, and how it is shown.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::event::Item;
use super::rejects::Rejects;
use crate::progress::Bar;

/// A sender that panics ends the import; until then the others count on.
pub(super) fn locked(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) recorded: u64,
    pub(super) duplicates: u64,
    pub(super) skipped: u64,
    pub(super) rejected: u64,
    pub(super) created: u64,
    pub(super) actions: u64,
    pub(super) empty_files: u64,
}

pub(super) struct Tally {
    pub(super) done: Counts,
    rejects: Rejects,
    bar: Bar,
    started: Instant,
    took: Option<Duration>,
    /// Bytes read, of all files.
    read: Arc<AtomicU64>,
}

impl Tally {
    /// `bytes` is how much there is to read, where that is known.
    pub(super) fn new(rejects: Rejects, bytes: Option<u64>) -> Tally {
        Tally {
            done: Counts::default(),
            rejects,
            bar: Bar::new(bytes, "events"),
            started: Instant::now(),
            took: None,
            read: Arc::default(),
        }
    }

    pub(super) fn reject(
        &mut self,
        file: &str,
        number: u64,
        text: &str,
        problem: Value,
    ) -> Result<()> {
        self.done.rejected += 1;
        let reason = json!({"file": file, "line": number, "problem": problem});
        self.rejects.write(text, &reason)
    }

    /// Counts what is not sent.
    pub(super) fn set_aside(&mut self, file: &str, item: Item) -> Result<()> {
        match item {
            Item::OfTheLog => self.done.skipped += 1,
            Item::NoRecords => self.done.empty_files += 1,
            Item::Unreadable { number, text, why } => {
                return self.reject(file, number, &text, json!({"message": why}));
            }
            Item::Event(_) => {}
        }
        Ok(())
    }

    /// Where readers count what they read.
    pub(super) fn read_counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    pub(super) fn show(&mut self) {
        let done = &self.done;
        let answered = done.recorded + done.duplicates + done.rejected;
        self.bar.at(self.read.load(Ordering::Relaxed), answered);
    }

    pub(super) fn closed(mut self) -> Result<Tally> {
        self.took = Some(self.started.elapsed());
        self.bar.done();
        self.rejects.close()?;
        Ok(self)
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.took.unwrap_or_else(|| self.started.elapsed())
    }

    pub(super) fn rejects_file(&self) -> &Path {
        self.rejects.file()
    }
}

/// Whole events a second.
pub(super) fn per_second(events: u64, seconds: f64) -> u64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate for people; events and time are not negative"
    )]
    let rate = (events as f64 / seconds.max(0.001)) as u64;
    rate
}
