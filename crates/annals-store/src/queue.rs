//! What waits to be committed.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::submission::{Lane, Submission};

/// The most events, and the most bytes of them, that may wait.
const WAITING_EVENTS: usize = 1 << 16;
const WAITING_BYTES: usize = 64 << 20;

/// How many events and bytes go into one group. A single submission may be larger. Groups that are not
/// large keep everybody at work: while one is formed, the one before goes to the disk and the next is read.
const GROUP_EVENTS: usize = 512;
const GROUP_BYTES: usize = 5 << 16;

/// A group may be so many times as large where the disk is what everybody waits for: then each fsync is
/// shared by more.
const LARGE: usize = 4;

/// Where so many submissions came together last time, as many are likely to come again: the next
/// group waits for them a moment. What a commit costs beside its events is then shared by more; where
/// fewer send at a time, nobody waits for anybody.
const GATHER_FROM: usize = 8;
/// How long it waits at most.
const GATHER: Duration = Duration::from_micros(750);
/// A group of so many events need not wait for more.
const GATHER_EVENTS: usize = 32;

/// Submissions, a lane for each workspace, and one for what is for several. Lanes take turns, so that a
/// busy one delays the others by at most one submission each.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    lanes: HashMap<Lane, Waiters>,
    turns: VecDeque<Lane>,
    /// Submissions that were taken and could not be committed as they were; they go first.
    returned: VecDeque<Submission>,
    events: usize,
    bytes: usize,
    closed: bool,
    /// Counts what the writer has finished, so that the sequencer can wait for it.
    finished: u64,
    /// The sequencer waits for that.
    waits_for_writer: bool,
    /// How many events it takes to wake the sequencer; nothing does while it is at work.
    wakes_at: Option<usize>,
    /// How many submissions the last group had.
    last: usize,
}

#[derive(Default)]
struct Waiters {
    submissions: VecDeque<Submission>,
    events: usize,
    bytes: usize,
}

/// Why a submission is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Busy,
    Closed,
}

/// What the sequencer gets when it asks for work.
pub(crate) enum Work {
    /// A group's worth of submissions.
    Group(Vec<Submission>),
    /// The writer has finished something, and what was deferred may go on.
    Finished,
    /// No more will come.
    Closed,
}

impl Queue {
    pub(crate) fn new() -> Queue {
        Queue {
            waiting: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// Takes a submission into the queue, unless it is full.
    pub(crate) fn push(&self, submission: Submission) -> Result<(), (Refused, Submission)> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err((Refused::Closed, submission));
        }
        let (events, bytes) = (submission.events(), submission.bytes());
        let at = submission.lane();
        if waiting.is_full_for(at, events, bytes) && !submission.internal {
            return Err((Refused::Busy, submission));
        }
        waiting.events += events;
        waiting.bytes += bytes;
        let lane = waiting.lanes.entry(at).or_default();
        let was_empty = lane.submissions.is_empty();
        lane.events += events;
        lane.bytes += bytes;
        lane.submissions.push_back(submission);
        if was_empty {
            waiting.turns.push_back(at);
        }
        // Waking costs more than all of the above.
        let wakes = waiting.wakes_at.is_some_and(|at| waiting.events >= at);
        if wakes {
            waiting.wakes_at = None;
        }
        drop(waiting);
        if wakes {
            self.wake.notify_all();
        }
        Ok(())
    }

    /// Puts back what could not be committed as it was.
    pub(crate) fn give_back(&self, submissions: impl IntoIterator<Item = Submission>) {
        self.lock().returned.extend(submissions);
        self.wake.notify_all();
    }

    /// The writer has finished a group.
    pub(crate) fn finished(&self) {
        let mut waiting = self.lock();
        waiting.finished += 1;
        let waited_for = waiting.waits_for_writer;
        drop(waiting);
        if waited_for {
            self.wake.notify_all();
        }
    }

    /// Accepts nothing more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    /// Waits for work. With `after`, the writer's finishing anything beyond that count is work too. `large` says
    /// that a group should share its fsync with many.
    pub(crate) fn take(&self, after: Option<u64>, large: bool) -> (Work, u64) {
        let mut waiting = self.lock();
        waiting.waits_for_writer = after.is_some();
        let mut until = None;
        loop {
            let finished = waiting.finished;
            if waiting.expects_more(after) {
                let until = *until.get_or_insert_with(|| Instant::now() + GATHER);
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    waiting.wakes_at = Some(GATHER_EVENTS);
                    let woken = self.wake.wait_timeout(waiting, left);
                    waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
                    waiting.wakes_at = None;
                    continue;
                }
            }
            let group = waiting.next_group(if large { LARGE } else { 1 });
            if !group.is_empty() {
                waiting.last = group.len();
                return (Work::Group(group), finished);
            }
            if after.is_some_and(|after| finished > after) {
                return (Work::Finished, finished);
            }
            if waiting.closed && after.is_none() {
                return (Work::Closed, finished);
            }
            waiting.wakes_at = Some(0);
            waiting = self
                .wake
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
            waiting.wakes_at = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Whether what is here should wait for what is likely to come.
    fn expects_more(&self, after: Option<u64>) -> bool {
        self.last >= GATHER_FROM
            && (1..GATHER_EVENTS).contains(&self.events)
            && self.returned.is_empty()
            && after.is_none()
            && !self.closed
    }

    fn is_full_for(&self, at: Lane, events: usize, bytes: usize) -> bool {
        let full =
            |events, bytes, share| events > WAITING_EVENTS / share || bytes > WAITING_BYTES / share;
        if self.events == 0 {
            return false;
        }
        let pressed = full(self.events, self.bytes, 2);
        let lane = self.lanes.get(&at);
        let (lane_events, lane_bytes) = lane.map_or((0, 0), |lane| (lane.events, lane.bytes));
        // Once half of the queue is taken, nobody may hold more than an eighth of it.
        full(self.events + events, self.bytes + bytes, 1)
            || (pressed && lane_events > 0 && full(lane_events + events, lane_bytes + bytes, 8))
    }

    /// What goes into the next group, which may be so many times as large as others.
    fn next_group(&mut self, times: usize) -> Vec<Submission> {
        let mut group: Vec<Submission> = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        let has_room = |group: &Vec<Submission>, events: usize, bytes: usize, next: &Submission| {
            // A change of control data commits alone: if it fails, it takes nobody with it.
            group.is_empty()
                || (!next.is_alone()
                    && !group[0].is_alone()
                    && events + next.events() <= times * GROUP_EVENTS
                    && bytes + next.bytes() <= times * GROUP_BYTES)
        };
        while let Some(next) = self.returned.front() {
            if !has_room(&group, events, bytes, next) {
                return group;
            }
            events += next.events();
            bytes += next.bytes();
            group.extend(self.returned.pop_front());
        }
        while let Some(at) = self.turns.pop_front() {
            let Some(lane) = self.lanes.get_mut(&at) else {
                continue;
            };
            let fits = lane
                .submissions
                .front()
                .is_some_and(|next| has_room(&group, events, bytes, next));
            if !fits {
                self.turns.push_front(at);
                break;
            }
            let Some(next) = lane.submissions.pop_front() else {
                continue;
            };
            let (next_events, next_bytes) = (next.events(), next.bytes());
            events += next_events;
            bytes += next_bytes;
            self.events -= next_events;
            self.bytes -= next_bytes;
            lane.events -= next_events;
            lane.bytes -= next_bytes;
            if lane.submissions.is_empty() {
                self.lanes.remove(&at);
            } else {
                self.turns.push_back(at);
            }
            group.push(next);
        }
        group
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use annals_event::{Draft, Drafts, Event, Rules, Timestamp};
    use tokio::sync::oneshot;

    use super::*;
    use crate::Slot;
    use crate::blocks::Blocks;
    use crate::database::{Location, Readers};
    use crate::recent::Recent;
    use crate::submission::{Batch, Reply};

    fn submission(slot: Slot, events: usize, internal: bool) -> Submission {
        let json = br#"{"action":"a","occurred_at":"2026-01-01T00:00:00Z","actor":{"id":"x","type":"user"},"targets":[],"context":{}}"#;
        let event = Event::from_json(json).unwrap();
        let draft = Draft::new(event, &Rules::open(), Timestamp::MAX, || "id".to_owned()).unwrap();
        let readers = Readers::new(Location::new(Path::new("nowhere"), None));
        let blocks = Blocks::new(Recent::new([0; 16], 0), readers, 0);
        let (log, by) = (Arc::from("log"), Arc::from("key"));
        let drafts: Drafts = std::iter::repeat_n(&draft, events).collect();
        let batch = Batch::new(&blocks, slot, log, &drafts, 0..events, by);
        let reply = Reply::Append(oneshot::channel().0);
        Submission {
            drafts,
            batches: vec![batch],
            internal,
            reply,
            attempts: 0,
        }
    }

    fn slots(queue: &Queue) -> Vec<Slot> {
        match queue.take(None, false).0 {
            Work::Group(group) => group
                .iter()
                .map(|submission| match submission.lane() {
                    Lane::Log(slot) => slot,
                    Lane::Several => Slot::MAX,
                })
                .collect(),
            Work::Finished | Work::Closed => Vec::new(),
        }
    }

    #[test]
    fn logs_take_turns() {
        let queue = Queue::new();
        for slot in [1, 1, 1, 2, 3, 3] {
            assert!(queue.push(submission(slot, 1, false)).is_ok());
        }
        assert_eq!(slots(&queue), [1, 2, 3, 1, 3, 1]);
        queue.close();
        assert!(slots(&queue).is_empty());
        assert!(matches!(
            queue.push(submission(1, 1, false)),
            Err((Refused::Closed, _))
        ));
    }

    #[test]
    fn what_is_for_several_logs_takes_turns_as_one() {
        let queue = Queue::new();
        let several = || {
            let mut submission = submission(5, 1, false);
            submission
                .batches
                .extend(self::submission(6, 1, false).batches);
            submission
        };
        for submission in [
            several(),
            several(),
            submission(1, 1, false),
            submission(5, 1, false),
        ] {
            assert!(queue.push(submission).is_ok());
        }
        assert_eq!(slots(&queue), [Slot::MAX, 1, 5, Slot::MAX]);
    }

    #[test]
    fn a_group_has_a_size_and_what_is_left_comes_next() {
        let queue = Queue::new();
        for _ in 0..3 {
            assert!(queue.push(submission(1, GROUP_EVENTS / 2, false)).is_ok());
        }
        assert!(queue.push(submission(2, GROUP_EVENTS * 2, false)).is_ok());
        assert_eq!(slots(&queue), [1]);
        assert_eq!(slots(&queue), [2], "a large one goes alone");
        assert_eq!(slots(&queue), [1, 1]);
    }

    #[test]
    fn a_group_is_larger_where_the_disk_is_slow() {
        let queue = Queue::new();
        for _ in 0..20 {
            assert!(queue.push(submission(1, GROUP_EVENTS / 2, false)).is_ok());
        }
        let taken = |large| match queue.take(None, large).0 {
            Work::Group(group) => group.len(),
            Work::Finished | Work::Closed => 0,
        };
        assert_eq!([taken(false), taken(true), taken(false)], [2, 2 * LARGE, 2]);
    }

    #[test]
    fn a_busy_log_cannot_take_the_whole_queue() {
        let queue = Queue::new();
        let mut taken = 0;
        while queue.push(submission(1, 1000, false)).is_ok() {
            taken += 1000;
        }
        assert!(
            (WAITING_EVENTS / 3..WAITING_EVENTS * 3 / 4).contains(&taken),
            "{taken}"
        );
        // Another one still has room, and our own events always do.
        assert!(queue.push(submission(2, 1000, false)).is_ok());
        assert!(queue.push(submission(1, 1000, true)).is_ok());
        while matches!(queue.take(None, false).0, Work::Group(_)) && queue.lock().events > 0 {}
        let waiting = queue.lock();
        assert_eq!((waiting.events, waiting.bytes), (0, 0));
        drop(waiting);
        assert!(queue.push(submission(1, 1000, false)).is_ok());
    }

    #[test]
    fn where_many_send_at_once_a_group_waits_for_as_many() {
        let queue = Arc::new(Queue::new());
        let push = |queue: &Queue, slot| assert!(queue.push(submission(slot, 1, false)).is_ok());
        (1..=8).for_each(|slot| push(&queue, slot));
        assert_eq!(slots(&queue).len(), 8);
        push(&queue, 1);
        let late = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || {
                (2..70).for_each(|slot| assert!(queue.push(submission(slot, 1, false)).is_ok()));
            })
        };
        let first = slots(&queue).len();
        late.join().unwrap();
        let mut taken = first;
        while taken < 69 {
            taken += slots(&queue).len();
        }
        // Whatever the threads do, nothing is lost and nobody waits for ever.
        assert_eq!(taken, 69);
        // One that comes alone waits for the others in vain, once.
        push(&queue, 1);
        assert_eq!(slots(&queue), [1]);
        push(&queue, 1);
        assert_eq!(slots(&queue), [1]);
    }

    #[test]
    fn what_was_given_back_goes_first() {
        let queue = Queue::new();
        assert!(queue.push(submission(1, 1, false)).is_ok());
        queue.give_back([submission(7, 1, false)]);
        assert_eq!(slots(&queue), [7, 1]);
    }
}
