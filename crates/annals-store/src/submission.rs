//! A batch on its way through the queue, and how what was recorded before is taken out of it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use annals_event::{Draft, Timestamp};
use rusqlite::Transaction;
use tokio::sync::oneshot;

use crate::append::{Appended, Item};
use crate::blocks::{Blocks, part_of};
use crate::pending::Make;
use crate::recent::key_print;
use crate::{AppendError, Idempotency, Receipt, Slot, StoreError};

/// Batches that commit together, and whom to tell.
pub(crate) struct Submission {
    /// One for each log, by rising slot. Only a change of control data may have none, or several.
    pub(crate) batches: Vec<Batch>,
    /// Whether these are events of our own, which go on a full disk from the reserve.
    pub(crate) internal: bool,
    pub(crate) reply: Reply,
    /// How often the disk was found full for it.
    pub(crate) attempts: u32,
}

/// Who waits for a submission.
pub(crate) enum Reply {
    Append(oneshot::Sender<Result<Make<Appended>, AppendError>>),
    Change(Box<dyn Change>),
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
    /// The events as the journal has them, one after the other.
    rows: Vec<u8>,
    /// What becomes of each event of the request, in order.
    plan: Vec<Planned>,
    /// Duplicates were looked for up to this group.
    pub(crate) checked: u32,
    /// Where the sequencer put the first of `fresh`, and when.
    pub(crate) first: u64,
    pub(crate) recorded_at: i64,
}

/// An event that is to be recorded.
pub(crate) struct Fresh {
    pub(crate) draft: Draft,
    /// Where it stands in [`Batch::rows`].
    row: Range<usize>,
    pub(crate) print: u64,
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
        self.batches.iter().map(|batch| batch.rows.len()).sum()
    }

    /// The log by which it queues.
    pub(crate) fn slot(&self) -> Slot {
        self.batches.first().map_or(0, |batch| batch.slot)
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

impl Batch {
    pub(crate) fn new(
        blocks: &Blocks,
        slot: Slot,
        log: Arc<str>,
        drafts: Vec<Draft>,
        recorded_by: &str,
        idempotency: Option<Idempotency>,
        receipt: bool,
    ) -> Batch {
        let key = idempotency.map(|idempotency| {
            let key = blocks.recent.salted(&idempotency.key_hash);
            let body = blocks.recent.salted(&idempotency.body_hash);
            Key {
                key,
                body,
                print: key_print(slot, &key),
            }
        });
        let plan = (0..drafts.len()).map(Planned::Fresh).collect();
        let mut rows = Vec::with_capacity(512 * drafts.len());
        let fresh = drafts
            .into_iter()
            .map(|draft| {
                let begin = rows.len();
                draft.encode(&mut rows);
                let print = blocks.recent.id_print(slot, &draft.skeleton.id);
                Fresh {
                    draft,
                    row: begin..rows.len(),
                    print,
                }
            })
            .collect();
        Batch {
            slot,
            log,
            recorded_by: Arc::from(recorded_by),
            receipt,
            key,
            fresh,
            rows,
            plan,
            checked: 0,
            first: 0,
            recorded_at: 0,
        }
    }

    /// A fresh event as the journal has it.
    pub(crate) fn row(&self, fresh: &Fresh) -> &[u8] {
        &self.rows[fresh.row.clone()]
    }

    /// Takes out what comes twice within the batch itself.
    pub(crate) fn fold_repeats(&mut self) {
        if self
            .fresh
            .iter()
            .filter(|fresh| fresh.draft.given_id)
            .count()
            < 2
        {
            return;
        }
        let mut seen: HashMap<&str, usize> = HashMap::new();
        let mut repeats: Vec<(usize, usize)> = Vec::new();
        for (n, fresh) in self.fresh.iter().enumerate() {
            if let Some(first) = seen.get(fresh.draft.skeleton.id.as_str()) {
                repeats.push((n, *first));
            } else {
                seen.insert(&fresh.draft.skeleton.id, n);
            }
        }
        let fates = repeats
            .into_iter()
            .map(|(n, first)| {
                let (again, before) = (&self.fresh[n].draft, &self.fresh[first].draft);
                let fate = if again.same_event(before) {
                    Planned::Same(first)
                } else {
                    Planned::Known(Item::Conflict {
                        id: again.skeleton.id.clone(),
                    })
                };
                (n, fate)
            })
            .collect();
        self.settle(fates);
    }

    /// Takes out what the log holds already, as of the committed group `checked`. May read.
    pub(crate) fn check(&mut self, blocks: &Blocks, checked: u32) -> Result<(), AppendError> {
        let unreadable = |error: StoreError| AppendError::Unreadable(error.to_string());
        let replayed = self.replayed(blocks)?;
        let mut fates: HashMap<usize, Planned> = HashMap::new();
        let mut taken: HashSet<u64> = HashSet::new();
        for (n, fresh) in self.fresh.iter().enumerate() {
            if !fresh.draft.given_id {
                continue;
            }
            let id = &fresh.draft.skeleton.id;
            let Some(row) = blocks
                .row_by_id(self.slot, fresh.print, id)
                .map_err(unreadable)?
            else {
                continue;
            };
            let id = id.clone();
            let item = if fresh.draft.same_event(&row.draft) {
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
            let header = blocks
                .header(group)
                .map_err(|error| AppendError::Unreadable(error.to_string()))?;
            let used = header
                .keys
                .iter()
                .find(|used| used.slot == self.slot && used.key == key.key);
            match used {
                Some(used) if used.body != key.body => {
                    return Err(AppendError::IdempotencyMismatch);
                }
                Some(used) if part_of(&header, self.slot).is_some() => {
                    return Ok(Some(used.first..used.first + u64::from(used.count)));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Takes the events with a fate out of `fresh`. What was the same as one of them shares its fate.
    fn settle(&mut self, mut fates: HashMap<usize, Planned>) {
        if fates.is_empty() {
            return;
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
    pub(crate) fn answer(self, receipt: Option<Receipt>) -> Appended {
        let recorded_at = Timestamp::clamped(self.recorded_at);
        let mut ids: Vec<String> = self
            .fresh
            .into_iter()
            .map(|fresh| fresh.draft.skeleton.id)
            .collect();
        let first = self.first;
        // Repeats come after what they repeat, and need its id as well.
        let same: HashMap<usize, String> = self
            .plan
            .iter()
            .filter_map(|planned| match planned {
                Planned::Same(n) => Some((*n, ids[*n].clone())),
                _ => None,
            })
            .collect();
        let items = self
            .plan
            .into_iter()
            .map(|planned| match planned {
                Planned::Known(item) => item,
                Planned::Fresh(n) => {
                    let id = std::mem::take(&mut ids[n]);
                    Item::Recorded {
                        position: first + n as u64,
                        id,
                        recorded_at,
                    }
                }
                Planned::Same(n) => {
                    let id = same.get(&n).cloned().unwrap_or_default();
                    Item::Duplicate {
                        position: first + n as u64,
                        id,
                        recorded_at,
                    }
                }
            })
            .collect();
        Appended { items, receipt }
    }
}
