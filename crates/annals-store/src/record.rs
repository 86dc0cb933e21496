//! Recording: the way from a request into the queue.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use crate::queue::Refused;
use crate::submission::{Answer, Batch, Reply, Submission};
use crate::{Append, AppendError, Appended, Pending, Share, Store};

/// The most events of one append.
const EVENTS: usize = 10_000;

type Receiver = oneshot::Receiver<Result<Answer, AppendError>>;

impl Store {
    /// Records events, each in the log whose share it is in; a log has at most one share. What became of each share comes when its
    /// events are on stable storage and visible to readers. All that is recorded commits together.
    ///
    /// An event whose id is in its log already is not recorded again: [`Item::Duplicate`] if it is the
    /// same event, [`Item::Conflict`] if it is another one. May read from the disk before it returns,
    /// if an id or a key was seen before.
    ///
    /// [`Item::Duplicate`]: crate::Item::Duplicate
    /// [`Item::Conflict`]: crate::Item::Conflict
    pub fn append(
        &self,
        append: Append,
        shares: Vec<Share>,
    ) -> Pending<Vec<Result<Appended, AppendError>>, AppendError> {
        self.record(append, shares, |answer| Ok(answer.all()))
    }

    /// As [`Store::append`]; `tell` makes what is told of the answer.
    pub(crate) fn record<T>(
        &self,
        append: Append,
        shares: Vec<Share>,
        tell: fn(Answer) -> Result<T, AppendError>,
    ) -> Pending<T, AppendError> {
        let stopped = || AppendError::Stopped;
        match self.submit(append, shares) {
            Ok(receiver) => Pending::answering(receiver, tell, stopped),
            Err(error) => Pending::ready(Err(error), stopped),
        }
    }

    fn submit(&self, append: Append, shares: Vec<Share>) -> Result<Receiver, AppendError> {
        let shared = self.shared();
        let events: usize = shares.iter().map(|share| share.events.len()).sum();
        if !(1..=EVENTS).contains(&events) {
            return Err(AppendError::Size { limit: EVENTS });
        }
        if shared.has_stopped() {
            return Err(AppendError::Stopped);
        }
        if shared.full.load(Ordering::SeqCst) && !append.internal {
            return Err(AppendError::DiskFull);
        }
        let Append {
            drafts,
            recorded_by,
            idempotency,
            internal,
            receipt,
        } = append;
        let blocks = &shared.blocks;
        let recorded_by: Arc<str> = Arc::from(recorded_by);
        // Read before looking, so that what commits meanwhile is looked for again by the sequencer.
        let committed = shared.committed.load(Ordering::SeqCst);
        let batches: Vec<Batch> = shares
            .into_iter()
            .map(|Share { log, events }| {
                let by = recorded_by.clone();
                let mut batch = Batch::new(blocks, log.slot, log.name, &drafts, events, by);
                batch.receipt = receipt;
                if let Some(idempotency) = &idempotency {
                    batch.repeatable(blocks, idempotency);
                }
                batch.check_or_fail(&drafts, blocks, committed);
                batch.fold_repeats(&drafts);
                batch
            })
            .collect();
        let (sender, receiver) = oneshot::channel();
        let submission = Submission {
            drafts,
            batches,
            internal,
            reply: Reply::Append(sender),
            attempts: 0,
        };
        if submission.events() == 0 {
            shared.answer(submission);
            return Ok(receiver);
        }
        match shared.queue.push(submission) {
            Ok(()) => Ok(receiver),
            Err((Refused::Busy, _)) => Err(AppendError::Busy),
            Err((Refused::Closed, _)) => Err(AppendError::Stopped),
        }
    }
}
