//! What a relay knows of its work, for dashboards and alarms.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use annals_event::Timestamp;

use crate::clock;

/// What waits in an outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) backlog: u64,
    pub(crate) oldest: Option<Timestamp>,
    pub(crate) parked: u64,
}

/// The figures of one relay, always up to date; clones show the same.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Figures>);

#[derive(Debug)]
struct Figures {
    leading: AtomicBool,
    backlog: AtomicU64,
    /// Microseconds since 1970; `i64::MAX` if nothing waits.
    oldest: AtomicI64,
    parked: AtomicU64,
    delivered: AtomicU64,
    duplicates: AtomicU64,
    dropped: AtomicU64,
    held: AtomicU64,
    problem: Mutex<Option<String>>,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            leading: AtomicBool::default(),
            backlog: AtomicU64::default(),
            oldest: AtomicI64::new(i64::MAX),
            parked: AtomicU64::default(),
            delivered: AtomicU64::default(),
            duplicates: AtomicU64::default(),
            dropped: AtomicU64::default(),
            held: AtomicU64::default(),
            problem: Mutex::default(),
        }
    }
}

/// The figures at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MetricsSnapshot {
    /// Whether this process leads; the others stand by.
    pub leading: bool,
    /// Rows that wait. Counted for a twentieth of the time at most, so seldom while they are many.
    pub backlog: u64,
    /// Age of the oldest row that waits, in seconds; 0 if none does. The figure to alarm on.
    pub oldest_seconds: f64,
    /// Rows that Annals refused and that wait for somebody.
    pub parked: u64,
    /// Rows that this process has delivered.
    pub delivered: u64,
    /// How many of them had arrived before, because an answer was lost.
    pub duplicates: u64,
    /// Events of workspaces that do not record.
    pub dropped: u64,
    /// Workspaces that wait by themselves, because they are unknown, busy or not believed.
    pub held: u64,
    /// What is wrong, while it lasts: with everything, else with the first of the workspaces that wait by themselves. Never contains
    /// values of events.
    pub problem: Option<String>,
}

impl Metrics {
    /// The figures now.
    pub fn snapshot(&self) -> MetricsSnapshot {
        let figures = &self.0;
        let oldest = figures.oldest.load(Relaxed);
        let age = clock::now().as_micros().saturating_sub(oldest).max(0);
        MetricsSnapshot {
            leading: figures.leading.load(Relaxed),
            backlog: figures.backlog.load(Relaxed),
            oldest_seconds: std::time::Duration::from_micros(age.unsigned_abs()).as_secs_f64(),
            parked: figures.parked.load(Relaxed),
            delivered: figures.delivered.load(Relaxed),
            duplicates: figures.duplicates.load(Relaxed),
            dropped: figures.dropped.load(Relaxed),
            held: figures.held.load(Relaxed),
            problem: figures
                .problem
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }

    /// The figures in the text format of Prometheus, to be added to your own page of metrics.
    pub fn prometheus(&self) -> String {
        let now = self.snapshot();
        let mut text = String::new();
        let mut line = |name: &str, kind: &str, help: &str, value: f64| {
            let _ = writeln!(
                text,
                "# HELP annals_outbox_{name} {help}\n# TYPE annals_outbox_{name} {kind}\nannals_outbox_{name} {value}"
            );
        };
        #[expect(clippy::cast_precision_loss, reason = "a float is what the format has")]
        for (name, kind, help, value) in [
            (
                "leading",
                "gauge",
                "1 if this process leads.",
                u64::from(now.leading) as f64,
            ),
            ("backlog", "gauge", "Rows that wait.", now.backlog as f64),
            (
                "oldest_seconds",
                "gauge",
                "Age of the oldest row that waits.",
                now.oldest_seconds,
            ),
            (
                "parked",
                "gauge",
                "Rows that Annals refused.",
                now.parked as f64,
            ),
            (
                "held",
                "gauge",
                "Workspaces that wait by themselves.",
                now.held as f64,
            ),
            (
                "delivered_total",
                "counter",
                "Rows delivered.",
                now.delivered as f64,
            ),
            (
                "duplicates_total",
                "counter",
                "Rows that had arrived before.",
                now.duplicates as f64,
            ),
            (
                "dropped_total",
                "counter",
                "Events of workspaces that do not record.",
                now.dropped as f64,
            ),
        ] {
            line(name, kind, help, value);
        }
        text
    }

    pub(crate) fn lead(&self, leading: bool) {
        self.0.leading.store(leading, Relaxed);
    }

    pub(crate) fn waiting(&self, waiting: Waiting) {
        self.0.backlog.store(waiting.backlog, Relaxed);
        self.0.parked.store(waiting.parked, Relaxed);
        let oldest = waiting.oldest.map_or(i64::MAX, Timestamp::as_micros);
        self.0.oldest.store(oldest, Relaxed);
    }

    pub(crate) fn settled(
        &self,
        delivered: u64,
        duplicates: u64,
        dropped: u64,
        parked: u64,
        held: u64,
    ) {
        self.0.delivered.fetch_add(delivered, Relaxed);
        self.0.duplicates.fetch_add(duplicates, Relaxed);
        self.0.dropped.fetch_add(dropped, Relaxed);
        self.0.parked.fetch_add(parked, Relaxed);
        self.0.held.store(held, Relaxed);
    }

    /// Notes a problem, or that there is none any more; `true` if that is news.
    pub(crate) fn problem(&self, problem: Option<String>) -> bool {
        let mut noted = self
            .0
            .problem
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let news = *noted != problem;
        *noted = problem;
        news
    }
}
