//! What the relay sends next, and what becomes of each row once it is answered.
//!
//! This file is pure: rows, answers and times go in, steps and settlements come out. The loop that moves them is `relay.rs`.
//!
//! Rows of one workspace go out in their order, and none overtakes another: while an answer says "later", the workspace is *held* with
//! all its rows, and while an organization is not ensured, its events stay behind it. A row that Annals will never take is *parked*,
//! alone. What concerns everybody (no network, a wrong key, a busy server) *pauses* the relay.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use annals_event::Timestamp;

use crate::backoff::Backoff;
use crate::outbox::{ItemKind, Queued};

/// Bounds of what the planner sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Events of one request.
    pub(crate) events: usize,
    /// Bytes of one request.
    pub(crate) bytes: usize,
    /// After how many answers that its workspace is unknown a row is parked.
    pub(crate) patience: u32,
    /// Requests that may be under way at once, at least 1. Each workspace has its lane, so that its rows keep their order.
    pub(crate) lanes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            events: annals_event::limits::BATCH_EVENTS,
            // The server takes 10 MiB; what a request holds is in memory here and there.
            bytes: 4 << 20,
            patience: 20,
            lanes: 1,
        }
    }
}

/// What is sent next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// One organization.
    Organization(Queued),
    /// Events in one request.
    Events(Vec<Queued>),
}

impl Step {
    /// The workspaces whose rows it holds.
    pub(crate) fn workspaces(&self) -> HashSet<&str> {
        let rows: &[Queued] = match self {
            Self::Organization(row) => std::slice::from_ref(row),
            Self::Events(rows) => rows,
        };
        rows.iter().map(|row| row.workspace.as_str()).collect()
    }
}

/// What a request was answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A verdict for each row, in the order of the step.
    Each(Vec<Verdict>),
    /// Nothing was recorded, and the same may be sent again, not before what the server asked for.
    Later(Option<Duration>),
    /// The key may not do this. Somebody has to act.
    Denied,
    /// The request as a whole is refused and always will be, with the reason.
    Refused(String),
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is recorded now.
    Recorded,
    /// It had been recorded before.
    Duplicate,
    /// It will never be recorded, with the reason.
    Refused(String),
    /// Its workspace is not known.
    UnknownWorkspace,
    /// Its workspace does not record.
    Disabled,
    /// Not now; nothing of its workspace was recorded.
    Later(Option<Duration>),
    /// It is recorded in a log that does not continue the one that we know.
    Distrusted,
}

/// What the outbox is told after some steps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settlement {
    /// Recorded rows.
    pub(crate) delivered: Vec<i64>,
    /// How many of them had been recorded before.
    pub(crate) duplicates: u64,
    /// Rows that are put aside, and why.
    pub(crate) parked: Vec<(i64, String)>,
    /// Rows of workspaces that do not record.
    pub(crate) dropped: Vec<i64>,
    /// The newest checkpoint by workspace.
    pub(crate) checkpoints: Vec<(String, String)>,
}

impl Settlement {
    /// Every row that leaves the outbox.
    pub(crate) fn gone(&self) -> Vec<i64> {
        let parked = self.parked.iter().map(|(seq, _)| seq);
        let mut gone: Vec<i64> = self
            .delivered
            .iter()
            .chain(&self.dropped)
            .chain(parked)
            .copied()
            .collect();
        gone.sort_unstable();
        gone
    }

    /// The same as runs of neighbours, first and last.
    #[cfg(any(test, feature = "sqlite"))]
    pub(crate) fn runs(&self) -> Vec<(i64, i64)> {
        let mut runs: Vec<(i64, i64)> = Vec::new();
        for seq in self.gone() {
            match runs.last_mut() {
                Some((_, last)) if last.checked_add(1) == Some(seq) => *last = seq,
                _ => runs.push((seq, seq)),
            }
        }
        runs
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.delivered.is_empty()
            && self.dropped.is_empty()
            && self.parked.is_empty()
            && self.checkpoints.is_empty()
    }
}

#[derive(Debug)]
struct Hold {
    until: Timestamp,
    failures: u32,
}

/// The relay's memory. It may be lost at any time: everything that counts is in the outbox.
#[derive(Debug)]
pub(crate) struct Planner {
    limits: Limits,
    backoff: Backoff,
    /// What is to be sent, by lane.
    window: Vec<VecDeque<Queued>>,
    held: HashMap<String, Hold>,
    pause: Option<Hold>,
    /// Events of the next request; fewer than the limit while requests are refused whole or not answered in time.
    batch: usize,
    settled: Settlement,
}

impl Planner {
    pub(crate) fn new(limits: Limits, backoff: Backoff) -> Self {
        Self {
            limits,
            backoff,
            window: (0..limits.lanes.max(1)).map(|_| VecDeque::new()).collect(),
            held: HashMap::new(),
            pause: None,
            batch: limits.events,
            settled: Settlement::default(),
        }
    }

    /// How long nothing at all is sent.
    pub(crate) fn paused(&self, now: Timestamp) -> Option<Duration> {
        let left = self.pause.as_ref()?.until.as_micros() - now.as_micros();
        u64::try_from(left)
            .ok()
            .filter(|left| *left > 0)
            .map(Duration::from_micros)
    }

    /// Workspaces of which nothing is sent now.
    pub(crate) fn held(&self, now: Timestamp) -> Vec<String> {
        let held = self.held.iter().filter(|(_, hold)| hold.until > now);
        held.map(|(workspace, _)| workspace.clone()).collect()
    }

    /// The oldest rows that wait, in order, without those of held workspaces.
    pub(crate) fn take(&mut self, rows: Vec<Queued>) {
        self.window.iter_mut().for_each(VecDeque::clear);
        for row in rows {
            let lane = self.lane(&row.workspace);
            self.window[lane].push_back(row);
        }
    }

    fn lane(&self, workspace: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        workspace.hash(&mut hasher);
        let lanes = self.window.len() as u64;
        usize::try_from(hasher.finish() % lanes).unwrap_or(0)
    }

    /// What is sent next in a lane, before which the lane's last step must be answered; `None` when the lane is done, or nothing may be
    /// sent now.
    pub(crate) fn next(&mut self, now: Timestamp, lane: usize) -> Option<Step> {
        if self.paused(now).is_some() {
            self.window.iter_mut().for_each(VecDeque::clear);
            return None;
        }
        let held = &self.held;
        let window = self.window.get_mut(lane)?;
        window.retain(|row| {
            held.get(&row.workspace)
                .is_none_or(|hold| hold.until <= now)
        });
        // Also before events that were recorded earlier: they would wait for the workspace, and it, behind them, for them.
        let organization = |row: &Queued| row.kind == ItemKind::Organization;
        if let Some(place) = window.iter().position(organization) {
            return window.remove(place).map(Step::Organization);
        }
        if window.is_empty() {
            return None;
        }
        let mut batch = Vec::with_capacity(self.batch.min(window.len()));
        let (mut bytes, mut full) = (0, false);
        let mut rest = VecDeque::new();
        for row in window.drain(..) {
            full |= batch.len() == self.batch
                || (!batch.is_empty() && bytes + row.body.len() > self.limits.bytes);
            if full {
                rest.push_back(row);
                continue;
            }
            bytes += row.body.len();
            batch.push(row);
        }
        *window = rest;
        Some(Step::Events(batch))
    }

    /// Takes in the answer to a step. `chance` is between 0 and 1.
    pub(crate) fn answered(&mut self, step: Step, answer: Answer, now: Timestamp, chance: f64) {
        let rows = match step {
            Step::Organization(row) => vec![row],
            Step::Events(rows) => rows,
        };
        let verdicts = match answer {
            Answer::Each(verdicts) if verdicts.len() == rows.len() => verdicts,
            Answer::Each(_) | Answer::Denied => return self.pause(None, now, chance),
            Answer::Later(asked) => {
                // It may have been too much for the time that a request has; the same again would be so for ever.
                self.batch = (rows.len() / 2).max(1);
                return self.pause(asked, now, chance);
            }
            // One of them is at fault; smaller requests find it.
            Answer::Refused(_) if rows.len() > 1 => {
                self.batch = rows.len() / 2;
                for row in rows.into_iter().rev() {
                    let lane = self.lane(&row.workspace);
                    self.window[lane].push_front(row);
                }
                return;
            }
            Answer::Refused(reason) => vec![Verdict::Refused(reason)],
        };
        // What another lane was told meanwhile still holds.
        if self.paused(now).is_none() {
            self.pause = None;
        }
        // Slowly, so that most requests stay below a size that was too much.
        self.batch = (self.batch + self.batch / 4 + 1).min(self.limits.events);
        for (row, verdict) in rows.into_iter().zip(verdicts) {
            self.settle(&row, verdict, now, chance);
        }
    }

    fn settle(&mut self, row: &Queued, verdict: Verdict, now: Timestamp, chance: f64) {
        // Once a row waits, so do those behind it, even if they were answered otherwise: they are sent again, which does no harm.
        if self
            .held
            .get(&row.workspace)
            .is_some_and(|hold| hold.until > now)
            && !matches!(
                verdict,
                Verdict::Recorded | Verdict::Duplicate | Verdict::Refused(_)
            )
        {
            return;
        }
        match verdict {
            Verdict::Recorded | Verdict::Duplicate => {
                self.held.remove(&row.workspace);
                self.settled.duplicates += u64::from(verdict == Verdict::Duplicate);
                self.settled.delivered.push(row.seq);
            }
            Verdict::Refused(reason) => self.settled.parked.push((row.seq, reason)),
            Verdict::Disabled => self.settled.dropped.push(row.seq),
            Verdict::UnknownWorkspace => {
                let failures = self
                    .held
                    .get(&row.workspace)
                    .map_or(0, |hold| hold.failures);
                if failures >= self.limits.patience {
                    let reason = "entity_not_found: Annals does not know the workspace".to_owned();
                    self.settled.parked.push((row.seq, reason));
                } else {
                    self.hold(&row.workspace, None, now, chance);
                }
            }
            Verdict::Later(asked) => self.hold(&row.workspace, asked, now, chance),
            Verdict::Distrusted => self.hold(&row.workspace, None, now, chance),
        }
    }

    /// Keeps the newest checkpoint of a workspace's log.
    pub(crate) fn keep(&mut self, workspace: &str, kept: String) {
        self.settled.checkpoints.push((workspace.to_owned(), kept));
    }

    /// What the outbox is to be told, once.
    pub(crate) fn settlement(&mut self) -> Settlement {
        std::mem::take(&mut self.settled)
    }

    fn hold(&mut self, workspace: &str, asked: Option<Duration>, now: Timestamp, chance: f64) {
        let failures = self.held.get(workspace).map_or(0, |hold| hold.failures) + 1;
        let until = later(now, self.backoff.wait(failures, chance, asked));
        self.held
            .insert(workspace.to_owned(), Hold { until, failures });
    }

    fn pause(&mut self, asked: Option<Duration>, now: Timestamp, chance: f64) {
        // Lanes that fail together are one failure.
        if self.paused(now) >= asked.or(Some(Duration::from_micros(1))) {
            return;
        }
        let failures = self.pause.as_ref().map_or(0, |pause| pause.failures) + 1;
        let until = later(now, self.backoff.wait(failures, chance, asked));
        self.pause = Some(Hold { until, failures });
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX);
    // At least one tick, so that "until" lies ahead.
    Timestamp::clamped(now.as_micros().saturating_add(wait.max(1)))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
