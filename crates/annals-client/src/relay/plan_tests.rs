//! The planner against a server that does anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use annals_event::Timestamp;
use proptest::prelude::*;

use super::{Answer, Limits, Planner, Settlement, Step, Verdict};
use crate::backoff::Backoff;
use crate::outbox::{ItemKind, Queued};

fn row(seq: i64, kind: ItemKind, workspace: u8, bytes: usize) -> Queued {
    Queued {
        seq,
        kind,
        workspace: format!("w{workspace}"),
        event_id: seq.to_string(),
        recorded_at: Timestamp::clamped(seq),
        body: "x".repeat(bytes),
    }
}

/// What the server does with the next request.
#[derive(Clone, Debug)]
enum Mood {
    Takes,
    /// Answers, but this workspace is busy or unknown this time.
    Busy(u8),
    Unknown(u8),
    /// Took it, and the answer was lost.
    Lost,
    Later,
    Denied,
    /// Refuses a request that has more rows than this as a whole.
    TooLarge(usize),
    /// The relay is killed between the answer and the settlement.
    Killed,
}

fn mood() -> impl Strategy<Value = Mood> {
    prop_oneof![
        4 => Just(Mood::Takes),
        2 => (0..3u8).prop_map(Mood::Busy),
        1 => (0..3u8).prop_map(Mood::Unknown),
        1 => Just(Mood::Lost),
        1 => Just(Mood::Later),
        1 => Just(Mood::Denied),
        1 => (0..4usize).prop_map(Mood::TooLarge),
        1 => Just(Mood::Killed),
    ]
}

/// A server that keeps what it is given, once, and refuses every row whose number is in `poison`.
#[derive(Default)]
struct Server {
    known: BTreeSet<String>,
    logs: BTreeMap<String, Vec<i64>>,
    poison: BTreeSet<i64>,
}

impl Server {
    fn take(&mut self, row: &Queued) -> Verdict {
        if row.kind == ItemKind::Organization {
            let new = self.known.insert(row.workspace.clone());
            return if new {
                Verdict::Recorded
            } else {
                Verdict::Duplicate
            };
        }
        if !self.known.contains(&row.workspace) {
            return Verdict::UnknownWorkspace;
        }
        if self.poison.contains(&row.seq) {
            return Verdict::Refused("bad".to_owned());
        }
        let log = self.logs.entry(row.workspace.clone()).or_default();
        if log.contains(&row.seq) {
            return Verdict::Duplicate;
        }
        log.push(row.seq);
        Verdict::Recorded
    }

    fn answer(&mut self, rows: &[Queued], mood: &Mood) -> Answer {
        let is = |row: &Queued, workspace: u8| row.workspace == format!("w{workspace}");
        match mood {
            Mood::Later => Answer::Later(Some(Duration::from_secs(3))),
            Mood::Denied => Answer::Denied,
            Mood::TooLarge(most) if rows.len() > *most => Answer::Refused("large".to_owned()),
            // A single row that is refused whole is poison; here it is refused for its size alone only in company.
            Mood::Lost => {
                rows.iter().for_each(|row| {
                    self.take(row);
                });
                Answer::Later(None)
            }
            mood => Answer::Each(
                rows.iter()
                    .map(|row| match mood {
                        Mood::Busy(workspace) if is(row, *workspace) => Verdict::Later(None),
                        Mood::Unknown(workspace) if is(row, *workspace) => {
                            Verdict::UnknownWorkspace
                        }
                        _ => self.take(row),
                    })
                    .collect(),
            ),
        }
    }
}

fn rows_of(step: &Step) -> Vec<Queued> {
    match step {
        Step::Organization(row) => vec![row.clone()],
        Step::Events(rows) => rows.clone(),
    }
}

fn apply(outbox: &mut BTreeMap<i64, Queued>, parked: &mut BTreeSet<i64>, settlement: &Settlement) {
    parked.extend(settlement.parked.iter().map(|(seq, _)| *seq));
    for (first, last) in settlement.runs() {
        for seq in first..=last {
            assert!(outbox.remove(&seq).is_some(), "{seq} leaves once");
        }
    }
}

proptest! {
    /// Whatever the server does and whenever the relay dies: in the end every event is in its log once and in order, or parked because
    /// it is poison; and no request is larger than it may be.
    #[test]
    fn everything_arrives_once_and_in_order(
        items in prop::collection::vec((0..3u8, prop::bool::weighted(0.15), 1..400usize), 1..60),
        poison in prop::collection::btree_set(1..60i64, 0..4),
        moods in prop::collection::vec(mood(), 0..60),
        window in 1..40usize,
        lanes in 1..4usize,
    ) {
        let mut outbox = BTreeMap::new();
        let mut first = BTreeSet::new();
        let mut seq = 0;
        for (workspace, again, bytes) in items {
            // Each workspace is ensured before its first event, and sometimes again.
            if first.insert(workspace) || again {
                seq += 1;
                outbox.insert(seq, row(seq, ItemKind::Organization, workspace, 10));
            }
            seq += 1;
            outbox.insert(seq, row(seq, ItemKind::Event, workspace, bytes));
        }
        let sent = outbox.clone();
        let limits = Limits { events: 7, bytes: 1_000, patience: 1_000, lanes };
        let mut planner = Planner::new(limits, Backoff::default());
        let mut server = Server { poison: poison.clone(), ..Server::default() };
        let mut parked = BTreeSet::new();
        let mut moods = moods.into_iter();
        let mut now = 0;
        for turn in 0.. {
            prop_assert!(turn < 10_000, "it comes to an end");
            if outbox.is_empty() {
                break;
            }
            // An hour later nothing is held any more.
            now += 3_600_000_000;
            let at = Timestamp::clamped(now);
            let held = planner.held(at);
            let rows = outbox.values().filter(|row| !held.contains(&row.workspace));
            planner.take(rows.take(window).cloned().collect());
            let mut killed = false;
            while !killed {
                // All lanes are under way at once.
                let steps: Vec<Step> = (0..lanes).filter_map(|lane| planner.next(at, lane)).collect();
                if steps.is_empty() {
                    break;
                }
                for step in steps {
                    let rows = rows_of(&step);
                    prop_assert!(!rows.is_empty() && rows.len() <= limits.events);
                    let bytes: usize = rows.iter().map(|row| row.body.len()).sum();
                    prop_assert!(rows.len() == 1 || bytes <= limits.bytes);
                    let mood = moods.next().unwrap_or(Mood::Takes);
                    // A request of one row is never too large.
                    let mood = match mood {
                        Mood::TooLarge(_) if rows.len() == 1 => Mood::Takes,
                        mood => mood,
                    };
                    killed |= matches!(mood, Mood::Killed);
                    let answer = server.answer(&rows, &mood);
                    planner.answered(step, answer, at, 0.5);
                }
            }
            if killed {
                planner = Planner::new(limits, Backoff::default());
                continue;
            }
            apply(&mut outbox, &mut parked, &planner.settlement());
        }
        let events = |seq: &i64| sent.get(seq).is_some_and(|row| row.kind == ItemKind::Event);
        let wanted: BTreeSet<i64> = poison.iter().copied().filter(events).collect();
        prop_assert_eq!(parked, wanted, "poison, and only that, is parked");
        for (workspace, log) in &server.logs {
            let in_order: Vec<i64> = sent
                .values()
                .filter(|row| row.kind == ItemKind::Event && row.workspace == *workspace)
                .map(|row| row.seq)
                .filter(|seq| !poison.contains(seq))
                .collect();
            prop_assert_eq!(log, &in_order);
        }
        let recorded: usize = server.logs.values().map(Vec::len).sum();
        let events = sent.values().filter(|row| row.kind == ItemKind::Event).count();
        prop_assert_eq!(recorded + planner_parked(&sent, &poison), events);
    }
}

fn planner_parked(sent: &BTreeMap<i64, Queued>, poison: &BTreeSet<i64>) -> usize {
    let is_event = |seq: &&i64| {
        sent.get(*seq)
            .is_some_and(|row| row.kind == ItemKind::Event)
    };
    poison.iter().filter(is_event).count()
}

#[test]
fn a_workspace_is_ensured_before_events_that_were_recorded_earlier() {
    let mut planner = Planner::new(Limits::default(), Backoff::default());
    let now = Timestamp::clamped(0);
    planner.take(vec![
        row(1, ItemKind::Event, 0, 1),
        row(2, ItemKind::Organization, 0, 1),
    ]);
    let first = planner.next(now, 0).unwrap();
    assert!(matches!(&first, Step::Organization(row) if row.seq == 2));
    planner.answered(first, Answer::Each(vec![Verdict::Recorded]), now, 0.0);
    let second = planner.next(now, 0).unwrap();
    assert!(matches!(&second, Step::Events(rows) if rows.len() == 1));
}

#[test]
fn a_workspace_that_stays_unknown_is_parked_row_by_row() {
    let limits = Limits {
        patience: 3,
        ..Limits::default()
    };
    let mut planner = Planner::new(limits, Backoff::default());
    let mut now = 0;
    for attempt in 0..4 {
        planner.take(vec![
            row(1, ItemKind::Event, 0, 1),
            row(2, ItemKind::Event, 1, 1),
        ]);
        let step = planner.next(Timestamp::clamped(now), 0).unwrap();
        let answer = Answer::Each(vec![Verdict::UnknownWorkspace, Verdict::Recorded]);
        planner.answered(step, answer, Timestamp::clamped(now), 1.0);
        let settlement = planner.settlement();
        assert_eq!(settlement.delivered, [2], "the other workspace goes on");
        assert_eq!(settlement.parked.len(), usize::from(attempt == 3));
        now += 3_600_000_000;
    }
}

#[test]
fn what_concerns_everybody_pauses_everything_longer_and_longer() {
    let mut planner = Planner::new(Limits::default(), Backoff::default());
    let mut waits = Vec::new();
    let mut now = 0;
    for answer in [
        Answer::Later(None),
        Answer::Denied,
        Answer::Each(Vec::new()),
    ] {
        planner.take(vec![row(1, ItemKind::Event, 0, 1)]);
        let at = Timestamp::clamped(now);
        let step = planner.next(at, 0).unwrap();
        planner.answered(step, answer, at, 1.0);
        assert!(planner.next(at, 0).is_none());
        waits.push(planner.paused(at).unwrap());
        now += 3_600_000_000;
    }
    assert_eq!(waits, [200, 400, 800].map(Duration::from_millis));
    assert!(planner.settlement().is_empty());
    planner.take(vec![row(1, ItemKind::Event, 0, 1)]);
    let at = Timestamp::clamped(now);
    let step = planner.next(at, 0).unwrap();
    planner.answered(step, Answer::Later(Some(Duration::from_secs(100))), at, 0.0);
    assert_eq!(
        planner.paused(at),
        Some(Duration::from_secs(100)),
        "as the server asked"
    );
}

#[test]
fn a_workspace_that_does_not_record_is_dropped_and_counted() {
    let mut planner = Planner::new(Limits::default(), Backoff::default());
    let now = Timestamp::clamped(0);
    planner.take(vec![
        row(4, ItemKind::Event, 0, 1),
        row(6, ItemKind::Event, 0, 1),
    ]);
    let step = planner.next(now, 0).unwrap();
    planner.answered(
        step,
        Answer::Each(vec![Verdict::Disabled, Verdict::Disabled]),
        now,
        0.0,
    );
    let settlement = planner.settlement();
    assert_eq!(
        (settlement.dropped.as_slice(), settlement.runs().len()),
        ([4, 6].as_slice(), 2)
    );
}

#[test]
fn what_is_not_answered_in_time_is_sent_in_smaller_requests() {
    let mut planner = Planner::new(Limits::default(), Backoff::default());
    let mut at = Timestamp::clamped(0);
    let rows: Vec<Queued> = (1..=100).map(|n| row(n, ItemKind::Event, 1, 9)).collect();
    let mut sizes = Vec::new();
    // The server manages ten of them in the time that a request has.
    while planner.settled.delivered.len() < 100 {
        at = Timestamp::clamped(at.as_micros() + 3_600_000_000);
        let delivered = planner.settled.delivered.len();
        planner.take(rows[delivered..].to_vec());
        while let Some(step) = planner.next(at, 0) {
            let Step::Events(sent) = &step else {
                unreachable!()
            };
            let sent = sent.len();
            sizes.push(sent);
            let answer = if sent > 10 {
                Answer::Later(None)
            } else {
                Answer::Each(vec![Verdict::Recorded; sent])
            };
            planner.answered(step, answer, at, 0.0);
        }
        assert!(sizes.len() < 100, "{sizes:?}");
    }
    assert_eq!(sizes[..9], [100, 50, 25, 12, 6, 8, 11, 5, 7]);
}
