//! A batch on its way through the queue, and how what was recorded before is taken out of it.

use std::collections::{HashMap, HashSet};
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use annals_event::{Drafts, Timestamp};
use rusqlite::Transaction;
use tokio::sync::oneshot;

use crate::append::{Appended, Item};
use crate::blocks::Blocks;
use crate::recent::key_print;
use crate::segment::uuid_millis;
use crate::{AppendError, Idempotency, Receipt, Slot, StoreError};

/// Batches that commit together, and whom to tell.
pub(crate) struct Submission {
    /// The events of all batches.
    pub(crate) drafts: Drafts,
    /// At most one for each log. A change of control data may have none.
    pub(crate) batches: Vec<Batch>,
    /// Whether these are events of our own, which go on a full disk from the reserve.
    pub(crate) internal: bool,
    pub(crate) reply: Reply,
    /// How often the disk was found full for it.
    pub(crate) attempts: u32,
}

/// Who waits for a submission.
pub(crate) enum Reply {
    Append(oneshot::Sender<Result<Answer, AppendError>>),
    Change(Box<dyn Change>),
}

/// What became of an append, before it is told: whoever waits works the rest out, the writer has no time.
pub(crate) struct Answer {
    pub(crate) drafts: Drafts,
    pub(crate) batches: Vec<Batch>,
    /// One for each batch, or none at all where nobody asked.
    pub(crate) receipts: Vec<Option<Receipt>>,
}

/// The turn of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// It is for one log.
    Log(Slot),
    /// It is for several logs. All of these take turns as one.
    Several,
}

/// A change of control data, and whom to tell of it.
pub(crate) trait Change: Send {
    /// Makes the change. Unless it is done it must be rolled back, and then it may run again.
    fn run(&mut self, transaction: &Transaction<'_>) -> Ran;
    /// It has committed: brings memory up to date and tells whoever waits.
    fn committed(self: Box<Self>);
    /// It has not committed.
    fn failed(self: Box<Self>, error: StoreError);
}

/// What running a [`Change`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// It is made, and can be committed.
    Done,
    /// It failed for a reason of its own, and whoever waits knows.
    Refused,
    /// There was no space for it.
    Full,
}

/// Events for one log.
pub(crate) struct Batch {
    pub(crate) slot: Slot,
    pub(crate) log: Arc<str>,
    pub(crate) recorded_by: Arc<str>,
    pub(crate) receipt: bool,
    pub(crate) key: Option<Key>,
    /// The events that are new, as far as is known.
    pub(crate) fresh: Vec<Fresh>,
    /// What becomes of each event of the request, in order. Empty while all are fresh.
    plan: Vec<Planned>,
    /// Why none of it is recorded.
    failed: Option<AppendError>,
    /// Duplicates were looked for up to this group.
    pub(crate) checked: u32,
    /// Where the sequencer put the first of `fresh`, and when.
    pub(crate) first: u64,
    pub(crate) recorded_at: i64,
}

/// An event that is to be recorded.
pub(crate) struct Fresh {
    /// Which of the submission's drafts it is.
    pub(crate) draft: usize,
    pub(crate) print: u64,
    /// The time in its id, in milliseconds since the epoch, if that is a UUID of version 7.
    pub(crate) time: Option<u64>,
    /// Whether the producer gave the id, so that it may have come before.
    pub(crate) given_id: bool,
}

/// An idempotency key, as the journal has it.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    pub(crate) key: [u8; 16],
    pub(crate) body: [u8; 16],
    pub(crate) print: u64,
}

enum Planned {
    /// The event is `fresh[n]`.
    Fresh(usize),
    /// The event is the same as `fresh[n]`, which stands before it in the request.
    Same(usize),
    Known(Item),
}

impl Submission {
    pub(crate) fn events(&self) -> usize {
        self.batches.iter().map(|batch| batch.fresh.len()).sum()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.drafts.size()
    }

    /// Where it queues.
    pub(crate) fn lane(&self) -> Lane {
        match self.batches.as_slice() {
            [] => Lane::Log(0),
            [batch] => Lane::Log(batch.slot),
            _ => Lane::Several,
        }
    }

    /// Whether it commits in a group of its own.
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self.reply, Reply::Change(_))
    }

    /// Whether it goes on when the disk is full.
    pub(crate) fn may_be_retried(&self, attempts: u32) -> bool {
        self.internal && self.attempts < attempts
    }

    /// Tells whoever waits that nothing was recorded.
    pub(crate) fn fail(self, error: AppendError) {
        match self.reply {
            Reply::Append(sender) => {
                let _ = sender.send(Err(error));
            }
            Reply::Change(change) => change.failed(match error {
                AppendError::DiskFull | AppendError::Busy => StoreError::DiskFull,
                _ => StoreError::Stopped,
            }),
        }
    }
}

impl Answer {
    /// What became of each batch.
    pub(crate) fn all(self) -> Vec<Result<Appended, AppendError>> {
        self.each().collect()
    }

    /// What became of the only batch.
    pub(crate) fn only(self) -> Result<Appended, AppendError> {
        self.each().next().unwrap_or(Err(AppendError::Stopped))
    }

    fn each(self) -> impl Iterator<Item = Result<Appended, AppendError>> {
        let Answer {
            drafts,
            batches,
            receipts,
        } = self;
        let receipts = receipts.into_iter().chain(iter::repeat(None));
        batches
            .into_iter()
            .zip(receipts)
            .map(move |(batch, receipt)| batch.answer(&drafts, receipt))
    }
}

impl Batch {
    /// A batch of these drafts of a submission.
    pub(crate) fn new(
        blocks: &Blocks,
        slot: Slot,
        log: Arc<str>,
        drafts: &Drafts,
        which: impl IntoIterator<Item = usize>,
        recorded_by: Arc<str>,
    ) -> Batch {
        let fresh = which
            .into_iter()
            .filter_map(|draft| {
                let id = drafts.id(draft)?;
                Some(Fresh {
                    draft,
                    print: blocks.recent.id_print(slot, id),
                    time: uuid_millis(id),
                    given_id: drafts.given_id(draft),
                })
            })
            .collect();
        Batch {
            slot,
            log,
            recorded_by,
            receipt: false,
            key: None,
            fresh,
            plan: Vec::new(),
            failed: None,
            checked: 0,
            first: 0,
            recorded_at: 0,
        }
    }

    /// Makes a repeated request answer as the first one did.
    pub(crate) fn repeatable(&mut self, blocks: &Blocks, idempotency: &Idempotency) {
        let key = blocks.recent.salted(&idempotency.key_hash);
        let body = blocks.recent.salted(&idempotency.body_hash);
        self.key = Some(Key {
            key,
            body,
            print: key_print(self.slot, &key),
        });
    }

    /// Takes out what comes twice within the batch itself.
    pub(crate) fn fold_repeats(&mut self, drafts: &Drafts) {
        if self.fresh.len() < 2 {
            return;
        }
        let mut given: Vec<(u64, usize)> = self
            .fresh
            .iter()
            .enumerate()
            .filter(|(_, fresh)| fresh.given_id)
            .map(|(n, fresh)| (fresh.print, n))
            .collect();
        given.sort_unstable();
        let twice = |pair: &[(u64, usize)]| pair[0].0 == pair[1].0;
        if !given.windows(2).any(twice) {
            return;
        }
        let mut fates: HashMap<usize, Planned> = HashMap::new();
        for alike in given.chunk_by(|a, b| a.0 == b.0) {
            for (n, (_, again)) in alike.iter().enumerate() {
                let id = |n: usize| drafts.id(self.fresh[n].draft).unwrap_or_default();
                let first = alike[..n]
                    .iter()
                    .find(|(_, before)| !fates.contains_key(before) && id(*before) == id(*again));
                let Some((_, first)) = first else { continue };
                let fate = if self.is_same(drafts, *again, *first) {
                    Planned::Same(*first)
                } else {
                    Planned::Known(Item::Conflict {
                        id: id(*again).to_owned(),
                    })
                };
                fates.insert(*again, fate);
            }
        }
        self.settle(fates);
    }

    fn is_same(&self, drafts: &Drafts, one: usize, other: usize) -> bool {
        let draft = |n: usize| drafts.get(self.fresh[n].draft)?.to_draft().ok();
        draft(one)
            .zip(draft(other))
            .is_some_and(|(one, other)| one.same_event(&other))
    }

    /// As [`Batch::check`]; a batch that cannot be recorded is marked, and has nothing fresh any more.
    pub(crate) fn check_or_fail(&mut self, drafts: &Drafts, blocks: &Blocks, checked: u32) {
        if let Err(error) = self.check(drafts, blocks, checked) {
            self.fresh.clear();
            self.key = None;
            self.failed = Some(error);
        }
    }

    /// Takes out what the log holds already, as of the committed group `checked`. May read.
    fn check(&mut self, drafts: &Drafts, blocks: &Blocks, checked: u32) -> Result<(), AppendError> {
        let unreadable = AppendError::unreadable;
        let replayed = self.replayed(blocks)?;
        let mut fates: HashMap<usize, Planned> = HashMap::new();
        let mut taken: HashSet<u64> = HashSet::new();
        let newest = blocks.recent.newest_id(self.slot);
        for (n, fresh) in self.fresh.iter().enumerate() {
            // Nearly every id is new by its time, or by being the first of its log.
            let (true, Some(newest)) = (fresh.given_id, newest) else {
                continue;
            };
            if fresh.time.is_some_and(|time| time > newest) {
                continue;
            }
            let id = drafts.id(fresh.draft).unwrap_or_default();
            let Some(row) = blocks
                .row_by_id(self.slot, fresh.print, id)
                .map_err(unreadable)?
            else {
                continue;
            };
            let id = id.to_owned();
            let is_same = drafts
                .get(fresh.draft)
                .and_then(|draft| draft.to_draft().ok())
                .is_some_and(|draft| draft.same_event(&row.draft));
            let item = if is_same {
                taken.insert(row.position);
                Item::Duplicate {
                    position: row.position,
                    id,
                    recorded_at: row.recorded_at,
                }
            } else {
                Item::Conflict { id }
            };
            fates.insert(n, Planned::Known(item));
        }
        if let Some(positions) = replayed {
            // The request was answered before. Its events without ids of their own have other ids now
            // than then; they are what the request recorded, in order.
            let mut left = positions.filter(|position| !taken.contains(position));
            for n in 0..self.fresh.len() {
                if fates.contains_key(&n) {
                    continue;
                }
                let Some(position) = left.next() else { break };
                let Some(row) = blocks.row(self.slot, position).map_err(unreadable)? else {
                    break;
                };
                let (id, recorded_at) = (row.draft.skeleton.id, row.recorded_at);
                fates.insert(
                    n,
                    Planned::Known(Item::Duplicate {
                        position,
                        id,
                        recorded_at,
                    }),
                );
            }
        }
        self.settle(fates);
        self.checked = checked;
        Ok(())
    }

    /// The positions that the first request with this idempotency key took, if there was one.
    fn replayed(&self, blocks: &Blocks) -> Result<Option<Range<u64>>, AppendError> {
        let Some(key) = &self.key else {
            return Ok(None);
        };
        for group in blocks.recent.groups_of_key(key.print) {
            let keys = blocks.keys_of(group).map_err(AppendError::unreadable)?;
            let used = keys
                .iter()
                .find(|used| used.slot == self.slot && used.key == key.key);
            match used {
                Some(used) if used.body != key.body => {
                    return Err(AppendError::IdempotencyMismatch);
                }
                Some(used) => {
                    return Ok(Some(used.first..used.first + u64::from(used.count)));
                }
                None => {}
            }
        }
        Ok(None)
    }

    /// Takes the events with a fate out of `fresh`. What was the same as one of them shares its fate.
    fn settle(&mut self, mut fates: HashMap<usize, Planned>) {
        if fates.is_empty() {
            return;
        }
        if self.plan.is_empty() {
            self.plan = (0..self.fresh.len()).map(Planned::Fresh).collect();
        }
        let mut renumbered = Vec::with_capacity(self.fresh.len());
        let mut kept = 0;
        for n in 0..self.fresh.len() {
            renumbered.push(kept);
            kept += usize::from(!fates.contains_key(&n));
        }
        for planned in &mut self.plan {
            match planned {
                Planned::Known(_) => {}
                Planned::Fresh(n) => match fates.get(n) {
                    Some(Planned::Known(item)) => *planned = Planned::Known(item.clone()),
                    Some(Planned::Same(first)) => *planned = Planned::Same(renumbered[*first]),
                    Some(Planned::Fresh(_)) | None => *planned = Planned::Fresh(renumbered[*n]),
                },
                Planned::Same(n) => match fates.get(n) {
                    Some(Planned::Known(Item::Recorded {
                        position,
                        id,
                        recorded_at,
                    })) => {
                        let (position, id, recorded_at) = (*position, id.clone(), *recorded_at);
                        *planned = Planned::Known(Item::Duplicate {
                            position,
                            id,
                            recorded_at,
                        });
                    }
                    Some(Planned::Known(item)) => *planned = Planned::Known(item.clone()),
                    Some(_) | None => *planned = Planned::Same(renumbered[*n]),
                },
            }
        }
        let mut n = 0;
        self.fresh.retain(|_| {
            n += 1;
            fates.remove(&(n - 1)).is_none()
        });
    }

    /// What became of the events, once `fresh` is recorded from `first` on.
    fn answer(self, drafts: &Drafts, receipt: Option<Receipt>) -> Result<Appended, AppendError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let recorded_at = Timestamp::clamped(self.recorded_at);
        let place = |n: usize| {
            let id = drafts.id(self.fresh[n].draft).unwrap_or_default();
            (self.first + n as u64, id.to_owned())
        };
        let recorded = |n: usize| {
            let (position, id) = place(n);
            Item::Recorded {
                position,
                id,
                recorded_at,
            }
        };
        let items = if self.plan.is_empty() {
            (0..self.fresh.len()).map(recorded).collect()
        } else {
            self.plan
                .into_iter()
                .map(|planned| match planned {
                    Planned::Known(item) => item,
                    Planned::Fresh(n) => recorded(n),
                    Planned::Same(n) => {
                        let (position, id) = place(n);
                        Item::Duplicate {
                            position,
                            id,
                            recorded_at,
                        }
                    }
                })
                .collect()
        };
        Ok(Appended { items, receipt })
    }
}
