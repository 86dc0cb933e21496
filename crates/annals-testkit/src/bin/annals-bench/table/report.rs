//! What was measured, as one table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::options::Options;
use super::world::{Answer, World};
use crate::load::Run;
use crate::report::median;
use crate::{BATCH, BATCH_CONNECTIONS, Failure, PEER_CONNECTIONS, SINGLE_CONNECTIONS};

pub(super) const BATCHES: &str = "durable ingest, batches of 500: the last million";
pub(super) const SUSTAINED: &str = "all of them, until everything is where it stays";
pub(super) const SINGLES: &str = "durable ingest, single events";
pub(super) const CSV: &str = "CSV of everything, workspace by workspace";
pub(super) const REST: &str = "resident memory after the start";
pub(super) const MEMORY: &str = "resident memory after the reads";
pub(super) const BYTES: &str = "bytes on disk an event";
pub(super) const START: &str = "start after a kill, until the first answer";

/// Who did the work. In the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Peer {
    Annals,
    Postgres,
    Sqlite,
    DuckDb,
    ChDb,
}

impl Peer {
    const ALL: [Peer; 5] = [
        Peer::Annals,
        Peer::Postgres,
        Peer::Sqlite,
        Peer::DuckDb,
        Peer::ChDb,
    ];

    fn name(self) -> &'static str {
        match self {
            Peer::Annals => "Annals",
            Peer::Postgres => "PostgreSQL",
            Peer::Sqlite => "SQLite",
            Peer::DuckDb => "DuckDB",
            Peer::ChDb => "chDB",
        }
    }
}

/// One figure with what belongs to it. CPU is the server's, in microseconds for an event or an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    None,
    Rate { per_second: f64, cpu: Option<f64> },
    Latency { p50: f64, p99: f64, cpu: f64 },
    Bytes(u64),
    BytesAnEvent(f64),
    Seconds(Duration),
}

impl Value {
    pub(super) fn rate(run: &Run) -> Value {
        Value::Rate {
            per_second: run.rate(),
            cpu: Some(run.cpu_micros()),
        }
    }

    /// Rows a second, of a run whose processor time is known too.
    pub(super) fn rows(rows: u64, elapsed: Duration, cpu: Duration) -> Value {
        Value::Rate {
            per_second: rows as f64 / elapsed.as_secs_f64(),
            cpu: Some(cpu.as_secs_f64() * 1e6 / rows.max(1) as f64),
        }
    }

    pub(super) fn latency(mut latencies: Vec<Duration>, cpu: Duration) -> Value {
        latencies.sort_unstable();
        let at = |q: f64| {
            let index = ((latencies.len() as f64 * q) as usize).min(latencies.len() - 1);
            latencies[index].as_secs_f64() * 1e3
        };
        Value::Latency {
            p50: at(0.5),
            p99: at(0.99),
            cpu: cpu.as_secs_f64() * 1e6,
        }
    }

    /// What is compared, and whether more of it is better.
    fn figure(self) -> (f64, bool) {
        match self {
            Value::None => (f64::NAN, true),
            Value::Rate { per_second, .. } => (per_second, true),
            Value::Latency { p50, .. } => (p50, false),
            Value::Bytes(bytes) => (bytes as f64, false),
            Value::BytesAnEvent(bytes) => (bytes, false),
            Value::Seconds(time) => (time.as_secs_f64(), false),
        }
    }

    fn text(self) -> String {
        match self {
            Value::None => "–".to_owned(),
            Value::Rate { per_second, cpu } => match cpu {
                Some(cpu) => format!("{per_second:.0}/s · {cpu:.1} µs"),
                None => format!("{per_second:.0}/s"),
            },
            Value::Latency { p50, p99, cpu } => format!("{p50:.2} / {p99:.2} ms · {cpu:.0} µs"),
            Value::Bytes(bytes) => format!("{} MB", bytes / 1_000_000),
            Value::BytesAnEvent(bytes) => format!("{bytes:.1}"),
            Value::Seconds(time) => format!("{:.2} s", time.as_secs_f64()),
        }
    }
}

/// Everything that was measured so far.
pub(super) struct Report {
    rows: Vec<Row>,
    settings: BTreeMap<Peer, String>,
    /// What lies in the directory of Annals.
    pub(super) annals_directory: String,
    pub(super) machine: String,
    /// How often each question is asked.
    pub(super) repetitions: usize,
}

struct Row {
    name: &'static str,
    values: BTreeMap<Peer, Vec<Value>>,
    answers: Vec<(Peer, Answer)>,
}

impl Report {
    pub(super) fn new(world: &World, repetitions: usize) -> Report {
        let asked = world.questions.iter().map(|(question, _)| question.name);
        let names = [BATCHES, SUSTAINED, SINGLES].into_iter().chain(asked);
        let rows = names
            .chain([CSV, REST, MEMORY, BYTES, START])
            .map(|name| Row {
                name,
                values: BTreeMap::new(),
                answers: Vec::new(),
            });
        Report {
            rows: rows.collect(),
            settings: BTreeMap::new(),
            annals_directory: String::new(),
            machine: String::new(),
            repetitions,
        }
    }

    fn row(&mut self, name: &str) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| row.name == name)
    }

    pub(super) fn add(&mut self, name: &str, peer: Peer, value: Value) {
        if let Some(row) = self.row(name) {
            row.values.entry(peer).or_default().push(value);
        }
    }

    pub(super) fn answered(&mut self, name: &str, peer: Peer, answer: Answer, value: Value) {
        self.add(name, peer, value);
        if let Some(row) = self.row(name) {
            row.answers.push((peer, answer));
        }
    }

    /// What the peer is and how it is set.
    pub(super) fn settings(&mut self, peer: Peer, text: String) {
        self.settings.insert(peer, text);
    }

    /// Every answer of every peer has to be the one that the generated events give.
    pub(super) fn check_agreement(&self, world: &World) -> Result<(), Failure> {
        for (question, expected) in &world.questions {
            let row = self.rows.iter().find(|row| row.name == question.name);
            for (peer, answer) in row.into_iter().flat_map(|row| &row.answers) {
                if answer != expected {
                    return Err(format!(
                        "{}: {} answered with {} ids, count {:?}, {} counts; expected {} ids, count {:?}, {} counts{}",
                        question.name,
                        peer.name(),
                        answer.ids.len(),
                        answer.count,
                        answer.counts.len(),
                        expected.ids.len(),
                        expected.count,
                        expected.counts.len(),
                        difference(answer, expected),
                    )
                    .into());
                }
            }
        }
        Ok(())
    }

    /// Markdown, so that it can stand in the documentation as it is.
    pub(super) fn table(&self, options: &Options) -> String {
        let there: Vec<Peer> = Peer::ALL
            .into_iter()
            .filter(|peer| self.rows.iter().any(|row| row.values.contains_key(peer)))
            .collect();
        let mut out = String::new();
        if cfg!(debug_assertions) {
            out.push_str("**Not optimised: these figures say nothing.**\n\n");
        }
        let _ = write!(out, "| {} events |", options.events);
        for peer in &there {
            let _ = write!(out, " {} |", peer.name());
            if *peer == Peer::Annals {
                out.push_str(" beside PostgreSQL |");
            }
        }
        let _ = writeln!(out, "\n|---|{}", "---|".repeat(there.len() + 1));
        for row in &self.rows {
            let _ = write!(out, "| {} |", row.name);
            for peer in &there {
                let _ = write!(out, " {} |", row.cell(*peer));
                if *peer == Peer::Annals {
                    let _ = write!(out, " {} |", row.ratio());
                }
            }
            out.push('\n');
        }
        let answers: usize = self.rows.iter().map(|row| row.answers.len()).sum();
        let _ = write!(
            out,
            "\nRates and latencies are medians of {} rounds of Annals and {} of PostgreSQL, one of the others; latencies p50 / p99 of one client, warm, then \
             CPU µs an event or an answer, of the server without its client (SQLite, DuckDB and chDB run inside theirs). A ratio above 1 is in favour of Annals. \
             Batches of {BATCH} over {BATCH_CONNECTIONS} connections, of Annals by HTTP, of PostgreSQL over its Unix socket; single events over {SINGLE_CONNECTIONS} and {PEER_CONNECTIONS}, recorded when all others are; the others have \
             one connection, and DuckDB and chDB write their CSV in one statement. All {answers} answers, ids and counts, were the same, and those that the generated events give.\n",
            options.rounds, options.postgres_rounds,
        );
        let _ = write!(out, "\nMachine: {}.\n", self.machine);
        let _ = write!(out, "\nIn Annals' directory: {}.\n", self.annals_directory);
        for settings in self.settings.values() {
            let _ = write!(out, "\n{settings}.\n");
        }
        out
    }
}

impl Row {
    /// The value with the median figure.
    fn median(&self, peer: Peer) -> Option<Value> {
        let mut values = self.values.get(&peer)?.clone();
        values.sort_by(|a, b| a.figure().0.total_cmp(&b.figure().0));
        values.get(values.len() / 2).copied()
    }

    /// The median, with the range of a rate that was measured more than once.
    fn cell(&self, peer: Peer) -> String {
        let median = self.median(peer).unwrap_or(Value::None);
        let rates = self.values.get(&peer).into_iter().flatten();
        let rates: Vec<f64> = rates.map(|value| value.figure().0).collect();
        match median {
            Value::Rate { .. } if rates.len() > 1 => {
                let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
                let most = rates.iter().copied().fold(0.0, f64::max);
                format!("{} ({least:.0}–{most:.0})", median.text())
            }
            _ => median.text(),
        }
    }

    /// How many times better than PostgreSQL, by the medians over the rounds.
    fn ratio(&self) -> String {
        let figures = |peer| {
            let values = self.values.get(&peer)?;
            Some(median(values.iter().map(|value| value.figure().0)))
        };
        let (Some(ours), Some(theirs)) = (figures(Peer::Annals), figures(Peer::Postgres)) else {
            return "–".to_owned();
        };
        let is_more_better = self
            .median(Peer::Annals)
            .is_some_and(|value| value.figure().1);
        let ratio = if is_more_better {
            ours / theirs
        } else {
            theirs / ours
        };
        format!("**{ratio:.2} ×**")
    }
}

fn difference(answer: &Answer, expected: &Answer) -> String {
    let counts = answer.counts.iter().zip(&expected.counts);
    if let Some((ours, theirs)) = counts.into_iter().find(|(a, b)| a != b) {
        return format!("; {ours:?}, not {theirs:?}");
    }
    let at = (0..).zip(answer.ids.iter().zip(&expected.ids));
    at.into_iter()
        .find(|(_, (a, b))| a != b)
        .map_or_else(String::new, |(n, (a, b))| {
            format!("; id {n} is {a}, not {b}")
        })
}
