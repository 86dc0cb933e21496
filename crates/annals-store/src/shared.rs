//! What the threads of a store have in common.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use annals_merkle::{Checkpoint, SigningKey};

use crate::append::ReceiptInner;
use crate::blocks::Blocks;
use crate::queue::Queue;
use crate::recent::read;
use crate::submission::{Answer, Batch, Reply, Submission};
use crate::{Clock, Receipt, Slot};

/// How often work in the background looks whether it is to end.
const LOOK_EVERY: Duration = Duration::from_millis(200);

pub(crate) struct Shared {
    pub(crate) origin: String,
    pub(crate) signing_key: Arc<SigningKey>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) blocks: Blocks,
    pub(crate) queue: Queue,
    /// The last group that is committed and applied; 0 before the first.
    pub(crate) committed: AtomicU32,
    /// The group up to which somebody needs the tables to be up to date.
    pub(crate) tables_wanted: AtomicU32,
    /// Counts the groups that could not be committed.
    pub(crate) epoch: AtomicU64,
    /// The disk is full; only our own events are recorded.
    pub(crate) full: AtomicBool,
    pub(crate) stopped: AtomicBool,
    pub(crate) on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
    pub(crate) started: Instant,
    /// How long the installation had been running before this start, in seconds.
    pub(crate) uptime_before: u64,
}

impl Shared {
    /// How long the installation has been running in all, in seconds.
    pub(crate) fn uptime(&self) -> u64 {
        self.uptime_before + self.started.elapsed().as_secs()
    }

    pub(crate) fn has_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Whether work in the background is to end: it was told so, or the store has stopped.
    pub(crate) fn is_stopping(&self, told: &AtomicBool) -> bool {
        told.load(Ordering::SeqCst) || self.has_stopped()
    }

    /// Waits, but not for longer than until work in the background is to end.
    pub(crate) fn pause(&self, how_long: Duration, told: &AtomicBool) {
        let mut left = how_long;
        while !left.is_zero() && !self.is_stopping(told) {
            let step = left.min(LOOK_EVERY);
            thread::sleep(step);
            left -= step;
        }
    }

    /// Stops for good: what is on the disk is not known any more.
    pub(crate) fn fatal(&self, reason: &str) {
        if self.stopped.swap(true, Ordering::SeqCst) {
            return;
        }
        tracing::error!(
            reason,
            "the store has stopped; only a restart can tell what is on the disk"
        );
        self.queue.close();
        (self.on_fatal)(reason);
    }

    /// Answers a submission whose events are committed.
    pub(crate) fn answer(&self, submission: Submission) {
        self.answer_all(vec![submission]);
    }

    /// Answers submissions whose events are committed; those of one log share a receipt.
    pub(crate) fn answer_all(&self, submissions: Vec<Submission>) {
        let mut of_logs: HashMap<Slot, Option<Receipt>> = HashMap::new();
        for submission in submissions {
            match submission.reply {
                Reply::Change(change) => change.committed(),
                Reply::Append(sender) => {
                    let mut receipt = |batch: &Batch| {
                        if !batch.receipt {
                            return None;
                        }
                        let receipt = of_logs.entry(batch.slot);
                        receipt
                            .or_insert_with(|| self.receipt(batch.slot, &batch.log))
                            .clone()
                    };
                    let batches = submission.batches;
                    let receipts = match batches.iter().any(|batch| batch.receipt) {
                        true => batches.iter().map(&mut receipt).collect(),
                        false => Vec::new(),
                    };
                    let _ = sender.send(Ok(Answer {
                        drafts: submission.drafts,
                        batches,
                        receipts,
                    }));
                }
            }
        }
    }

    /// The receipt of a log as it is now.
    pub(crate) fn receipt(&self, slot: Slot, name: &str) -> Option<Receipt> {
        let log = self.blocks.recent.log(slot)?;
        let log = read(&log);
        let checkpoint = Checkpoint::new(name, log.size, log.frontier.root()).ok()?;
        let key = self.signing_key.clone();
        Some(Receipt(Arc::new(ReceiptInner {
            checkpoint,
            key,
            note: OnceLock::new(),
        })))
    }
}
