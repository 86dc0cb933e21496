//! The thread that gives events their positions.
//!
//! It takes everything that waits, forms a group of it (positions, seeds, entries, hashes, frames),
//! and hands the group to the writer, which has the group before it in its fsync meanwhile. So at any
//! time one group is being committed and one is being formed. Where the logs will end is planned on
//! the assumption that the group in flight commits; if it does not, the plan is dropped and what was
//! formed on it is formed again.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};

use annals_event::LeafMaker;
use annals_merkle::CompactRange;

use crate::AppendError;
use crate::index::{BySlot, Fingerprints};
use crate::journal::Compressor;
use crate::queue::Work;
use crate::recent::read;
use crate::shared::Shared;
use crate::submission::{Batch, Submission};
use crate::writer::Job;

mod form;

pub(crate) use form::Formed;

/// How many groups [`Window`] goes back, and how many fingerprints it holds at most beside the newest group's.
const WINDOW_GROUPS: usize = 64;
const WINDOW_PRINTS: usize = 1 << 17;

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
    /// By group, because few groups come between: what is asked for is looked up in little memory.
    groups: VecDeque<(u32, Fingerprints)>,
    prints: usize,
    /// Every print that was seen in this group or later is here.
    complete_from: u32,
}

impl Window {
    fn insert(&mut self, print: u64, group: u32) {
        if self.groups.back().is_none_or(|(last, _)| *last != group) {
            let mut set = Fingerprints::default();
            while self.groups.len() >= WINDOW_GROUPS || self.prints > WINDOW_PRINTS {
                let Some((oldest, prints)) = self.groups.pop_front() else {
                    break;
                };
                self.prints -= prints.len();
                self.complete_from = oldest + 1;
                set = prints;
            }
            set.clear();
            self.groups.push_back((group, set));
        }
        if let Some((_, prints)) = self.groups.back_mut() {
            self.prints += usize::from(prints.insert(print));
        }
    }

    /// Whether something with this print came after group `checked`.
    fn is_newer(&self, print: u64, checked: u32) -> bool {
        self.groups
            .iter()
            .rev()
            .take_while(|(group, _)| *group > checked)
            .any(|(_, prints)| prints.contains(&print))
    }

    fn reset(&mut self, from: u32) {
        *self = Window {
            complete_from: from,
            ..Window::default()
        };
    }
}

pub(crate) struct Sequencer {
    shared: Arc<Shared>,
    writer: SyncSender<Job>,
    /// The ends of the logs that grew in the last group; of the others the committed state is right.
    tips: BySlot<Tip>,
    window: Window,
    next_group: u32,
    epoch: u64,
    deferred: Vec<Submission>,
    /// The last group had to wait for the writer.
    writer_is_behind: bool,
    compressor: Compressor,
    leaf_maker: LeafMaker,
}

impl Sequencer {
    pub(crate) fn new(shared: Arc<Shared>, writer: SyncSender<Job>) -> io::Result<Sequencer> {
        let committed = shared.committed.load(Ordering::SeqCst);
        let mut window = Window::default();
        window.reset(committed + 1);
        Ok(Sequencer {
            shared,
            writer,
            tips: BySlot::default(),
            window,
            next_group: committed + 1,
            epoch: 0,
            deferred: Vec::new(),
            writer_is_behind: false,
            compressor: Compressor::new()?,
            leaf_maker: LeafMaker::new(),
        })
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let mut finished = 0;
        loop {
            let after = (!self.deferred.is_empty()).then_some(finished);
            let (work, now) = self.shared.queue.take(after, self.writer_is_behind);
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
                Some((submission, true)) => self.deferred.push(submission),
                Some((submission, false)) => {
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

    /// Looks for duplicates again where the last look may be out of date, and says whether the submission may
    /// still repeat something that is in flight. `None` if that settled all.
    fn recheck(&self, mut submission: Submission) -> Option<(Submission, bool)> {
        let (mut rechecked, mut repeats) = (false, false);
        for batch in &mut submission.batches {
            let out_of_date = batch.checked + 1 < self.window.complete_from;
            if out_of_date || self.was_seen_since(batch) {
                let committed = self.shared.committed.load(Ordering::SeqCst);
                batch.check_or_fail(&submission.drafts, &self.shared.blocks, committed);
                rechecked = true;
                repeats |= self.was_seen_since(batch);
            }
        }
        if rechecked && submission.events() == 0 {
            self.shared.answer(submission);
            return None;
        }
        Some((submission, repeats))
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
        match self.writer.try_send(Job::Commit(Box::new(formed))) {
            Ok(()) => {
                self.writer_is_behind = false;
                true
            }
            // Blocks until the writer is done with the group before.
            Err(TrySendError::Full(job)) => {
                self.writer_is_behind = true;
                self.writer.send(job).is_ok()
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_knows_what_came_after_a_group_and_from_where_on_it_knows_all() {
        let mut window = Window::default();
        window.reset(1);
        let groups = 3 * u32::try_from(WINDOW_GROUPS).unwrap();
        for group in 1..=groups {
            window.insert(u64::from(group), group);
            window.insert(7, group);
            assert!(window.is_newer(7, group - 1) && !window.is_newer(7, group));
        }
        assert!(window.complete_from > 1 && window.complete_from < groups - 8);
        for group in window.complete_from..=groups {
            assert!(window.is_newer(group.into(), group - 1));
            assert!(!window.is_newer(group.into(), group));
        }
        assert_eq!(window.prints, 2 * window.groups.len());
        window.reset(groups + 1);
        assert!(!window.is_newer(7, 0));
    }

    #[test]
    fn the_window_is_bounded_by_what_it_holds() {
        let mut window = Window::default();
        let of_each = 10_000;
        for group in 1..40u64 {
            let prints = group * of_each..(group + 1) * of_each;
            prints.for_each(|print| window.insert(print, u32::try_from(group).unwrap()));
        }
        assert!(window.prints <= WINDOW_PRINTS + 10_000);
        assert!(window.complete_from < 30, "{}", window.complete_from);
    }
}
