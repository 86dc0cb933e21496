//! The thread that gives events their positions.
//!
//! It takes everything that waits, forms a group of it (positions, seeds, entries, hashes, frames),
//! and hands the group to the writer, which has the group before it in its fsync meanwhile. So at any
//! time one group is being committed and one is being formed. Where the logs will end is planned on
//! the assumption that the group in flight commits; if it does not, the plan is dropped and what was
//! formed on it is formed again.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;

use annals_merkle::CompactRange;

use crate::AppendError;
use crate::index::ByFingerprint;
use crate::journal::Compressor;
use crate::queue::Work;
use crate::recent::read;
use crate::shared::Shared;
use crate::submission::{Batch, Submission};
use crate::writer::Job;

mod form;

pub(crate) use form::Formed;

/// After how many fingerprints the older half of [`Window`] is forgotten.
const WINDOW: usize = 1 << 17;

/// Where a log ends, or will end once the group in flight has committed.
#[derive(Clone)]
struct Tip {
    size: u64,
    recorded_at: i64,
    frontier: CompactRange,
    /// The seed of the tile that `size` lies in, unless a tile begins there.
    seed: [u8; 32],
}

/// The ids and idempotency keys of recent groups: between the moment when a batch was checked for
/// duplicates and now, others may have been recorded, or may be in flight.
#[derive(Default)]
struct Window {
    now: ByFingerprint<u32>,
    before: ByFingerprint<u32>,
    /// Every print that was seen in this group or later is here.
    complete_from: u32,
    next_complete_from: u32,
}

impl Window {
    fn insert(&mut self, print: u64, group: u32) {
        if self.now.len() >= WINDOW {
            self.before = std::mem::take(&mut self.now);
            self.complete_from = self.next_complete_from;
            // Of this group some prints may be in the older half.
            self.next_complete_from = group + 1;
        }
        self.now.insert(print, group);
    }

    /// Whether something with this print came after group `checked`.
    fn is_newer(&self, print: u64, checked: u32) -> bool {
        let newer =
            |seen: &ByFingerprint<u32>| seen.get(&print).is_some_and(|group| *group > checked);
        newer(&self.now) || newer(&self.before)
    }

    fn reset(&mut self, from: u32) {
        *self = Window {
            complete_from: from,
            next_complete_from: from,
            ..Window::default()
        };
    }
}

pub(crate) struct Sequencer {
    shared: Arc<Shared>,
    writer: SyncSender<Job>,
    /// The ends of the logs that grew in the last group; of the others the committed state is right.
    tips: HashMap<crate::Slot, Tip>,
    window: Window,
    next_group: u32,
    epoch: u64,
    deferred: Vec<Submission>,
    compressor: Compressor,
}

impl Sequencer {
    pub(crate) fn new(shared: Arc<Shared>, writer: SyncSender<Job>) -> io::Result<Sequencer> {
        let committed = shared.committed.load(Ordering::SeqCst);
        let mut window = Window::default();
        window.reset(committed + 1);
        Ok(Sequencer {
            shared,
            writer,
            tips: HashMap::new(),
            window,
            next_group: committed + 1,
            epoch: 0,
            deferred: Vec::new(),
            compressor: Compressor::new()?,
        })
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let mut finished = 0;
        loop {
            let after = (!self.deferred.is_empty()).then_some(finished);
            let (work, now) = self.shared.queue.take(after);
            finished = now;
            let mut group = std::mem::take(&mut self.deferred);
            match work {
                Work::Group(taken) => group.extend(taken),
                Work::Finished => {}
                Work::Closed => return,
            }
            self.notice_failure();
            let ready = self.admit(group);
            if !self.hand_over(ready) {
                return;
            }
        }
    }

    /// Drops the plan if the writer could not commit what it was built on.
    fn notice_failure(&mut self) {
        let epoch = self.shared.epoch.load(Ordering::SeqCst);
        if epoch != self.epoch {
            self.epoch = epoch;
            self.tips.clear();
            let committed = self.shared.committed.load(Ordering::SeqCst);
            self.next_group = committed + 1;
            self.window.reset(committed + 1);
        }
    }

    /// The submissions that can be sequenced now. Those that may repeat something in flight are
    /// deferred until it is known what became of that.
    fn admit(&mut self, group: Vec<Submission>) -> Vec<Submission> {
        let mut ready = Vec::with_capacity(group.len());
        // What one submission adds, the next of the same group must not add again.
        let group_id = self.next_group;
        for submission in group {
            // A change of control data has fresh events only, and stands alone.
            if submission.is_alone() {
                if ready.is_empty() {
                    ready.push(submission);
                } else {
                    self.deferred.push(submission);
                }
                continue;
            }
            if ready.first().is_some_and(Submission::is_alone) {
                self.deferred.push(submission);
                continue;
            }
            match self.recheck(submission) {
                Some(submission) if self.repeats_something(&submission) => {
                    self.deferred.push(submission);
                }
                Some(submission) => {
                    for batch in &submission.batches {
                        for fresh in batch.fresh.iter().filter(|fresh| fresh.given_id) {
                            self.window.insert(fresh.print, group_id);
                        }
                        if let Some(key) = &batch.key {
                            self.window.insert(key.print, group_id);
                        }
                    }
                    ready.push(submission);
                }
                None => {}
            }
        }
        ready
    }

    /// Looks for duplicates again where the last look may be out of date. `None` if that settled all.
    fn recheck(&self, mut submission: Submission) -> Option<Submission> {
        let mut rechecked = false;
        for batch in &mut submission.batches {
            let out_of_date = batch.checked + 1 < self.window.complete_from;
            if out_of_date || self.was_seen_since(batch) {
                let committed = self.shared.committed.load(Ordering::SeqCst);
                batch.check_or_fail(&submission.drafts, &self.shared.blocks, committed);
                rechecked = true;
            }
        }
        if rechecked && submission.events() == 0 {
            self.shared.answer(submission);
            return None;
        }
        Some(submission)
    }

    fn repeats_something(&self, submission: &Submission) -> bool {
        let mut batches = submission.batches.iter();
        batches.any(|batch| self.was_seen_since(batch))
    }

    /// Whether something of the batch was recorded, or is on its way, since it was last checked.
    fn was_seen_since(&self, batch: &Batch) -> bool {
        let newer = |print| self.window.is_newer(print, batch.checked);
        let mut given = batch.fresh.iter().filter(|fresh| fresh.given_id);
        batch.key.is_some_and(|key| newer(key.print)) || given.any(|fresh| newer(fresh.print))
    }

    /// Forms a group and gives it to the writer. `false` if the writer is gone.
    fn hand_over(&mut self, submissions: Vec<Submission>) -> bool {
        if submissions.is_empty() {
            return true;
        }
        if self.shared.has_stopped() {
            submissions
                .into_iter()
                .for_each(|submission| submission.fail(AppendError::Stopped));
            return true;
        }
        let formed = match self.form(submissions) {
            Ok(formed) => formed,
            Err((error, submissions)) => {
                self.shared
                    .fatal(&format!("a group cannot be formed: {error}"));
                submissions
                    .into_iter()
                    .for_each(|submission| submission.fail(AppendError::Stopped));
                return true;
            }
        };
        // Blocks until the writer is done with the group before.
        self.writer.send(Job::Commit(Box::new(formed))).is_ok()
    }

    /// Where a log ends, as planned or as committed.
    fn tip(&self, slot: crate::Slot) -> Tip {
        if let Some(tip) = self.tips.get(&slot) {
            return tip.clone();
        }
        match self.shared.blocks.recent.log(slot) {
            Some(log) => {
                let log = read(&log);
                Tip {
                    size: log.size,
                    recorded_at: log.recorded_at,
                    frontier: log.frontier.clone(),
                    seed: log.seeds.last().copied().unwrap_or_default(),
                }
            }
            None => Tip {
                size: 0,
                recorded_at: i64::MIN,
                frontier: CompactRange::new(0),
                seed: [0; 32],
            },
        }
    }
}
