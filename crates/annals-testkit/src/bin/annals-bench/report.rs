//! Medians, ranges and ratios as one table.

use std::fmt::Write as _;

use crate::load::Run;
use crate::{BATCH, BATCH_CONNECTIONS, PEER_CONNECTIONS, Plan, SINGLE_CONNECTIONS, WARM_UP};

/// The runs of one kind of work, the same of both.
pub(crate) struct Comparison {
    name: String,
    pub(crate) postgres: Vec<Run>,
    pub(crate) annals: Vec<Run>,
}

pub(crate) struct Report {
    /// Batches as they come, batches of one workspace each, single events.
    pub(crate) comparisons: [Comparison; 3],
    pub(crate) open_loop: Option<(f64, Run)>,
    pub(crate) settings: String,
    pub(crate) machine: String,
    pub(crate) memory_annals: (u64, u64),
}

impl Default for Report {
    fn default() -> Report {
        let comparison = |name| Comparison {
            name,
            postgres: Vec::new(),
            annals: Vec::new(),
        };
        let batches = |of: &str| format!("batches of {BATCH}{of}, {BATCH_CONNECTIONS} connections");
        Report {
            comparisons: [
                comparison(batches(" from all workspaces")),
                comparison(batches(" of one workspace each")),
                comparison(format!(
                    "single events, {SINGLE_CONNECTIONS} connections (PostgreSQL {PEER_CONNECTIONS})"
                )),
            ],
            open_loop: None,
            settings: String::new(),
            machine: String::new(),
            memory_annals: (0, 0),
        }
    }
}

impl Comparison {
    /// One run of Annals.
    pub(crate) fn line(&self, run: &Run) -> String {
        format!(
            "{}: {:.0} events/s, CPU {:.1} µs an event, {:.2} / {:.2} ms",
            self.name,
            run.rate(),
            run.cpu_micros(),
            millis(run, 0.5),
            millis(run, 0.99),
        )
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

impl Report {
    /// At which rate single events come in the open loop: at three fifths of what was reached.
    pub(crate) fn open_rate(&self) -> f64 {
        median(self.comparisons[2].annals.iter().map(Run::rate)) * 0.6
    }

    /// What the open loop gave, as a sentence.
    pub(crate) fn open_loop(&self) -> String {
        let Some((rate, run)) = &self.open_loop else {
            return String::new();
        };
        format!(
            "Open loop, {rate:.0} single events/s for {:.0} s from {SINGLE_CONNECTIONS} connections: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, worst {:.1} ms.",
            run.elapsed.as_secs_f64(),
            millis(run, 0.5),
            millis(run, 0.9),
            millis(run, 0.99),
            millis(run, 0.999),
            millis(run, 1.0),
        )
    }

    /// Markdown, so that it can stand in the documentation as it is.
    pub(crate) fn table(&self, plan: &Plan) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "| durable ingest | PostgreSQL, events/s | Annals, events/s | ratio | CPU µs an event, PostgreSQL / Annals | latency of a request p50 / p99, PostgreSQL · Annals |\n|---|---|---|---|---|---|"
        );
        for comparison in &self.comparisons {
            row(&mut out, comparison);
        }
        let _ = writeln!(out, "\n{}", self.open_loop());
        let _ = writeln!(
            out,
            "\n{} alternating rounds of {} events in batches and {} single ones, after {} to warm up, each once both had tidied up after the one before; medians (range). Annals' resident memory: {} MB at most.\n\nMachine: {}.\n\nPeer: {}; prepared statements over a Unix socket, one `insert … select unnest(…)` for a batch; primary key, three b-trees and GIN (metadata). Annals: durable, sequenced, hashed into the workspace's tree and its id checked before the answer, over HTTP.",
            plan.rounds,
            plan.batched,
            plan.singles,
            WARM_UP,
            self.memory_annals.1 / 1_000_000,
            self.machine,
            self.settings,
        );
        out
    }
}

fn row(out: &mut String, comparison: &Comparison) {
    let Comparison {
        name,
        postgres,
        annals,
    } = comparison;
    let ratios = annals.iter().zip(postgres);
    let ratio = median(ratios.map(|(ours, theirs)| ours.rate() / theirs.rate()));
    let _ = writeln!(
        out,
        "| {name} | {} | {} | **{ratio:.1} ×** | {:.1} / {:.1} | {} · {} |",
        rates(postgres),
        rates(annals),
        median(postgres.iter().map(Run::cpu_micros)),
        median(annals.iter().map(Run::cpu_micros)),
        latencies(postgres),
        latencies(annals),
    );
}

fn rates(runs: &[Run]) -> String {
    let least = runs.iter().map(Run::rate).fold(f64::INFINITY, f64::min);
    let most = runs.iter().map(Run::rate).fold(0.0, f64::max);
    format!(
        "{:.0} ({least:.0}–{most:.0})",
        median(runs.iter().map(Run::rate))
    )
}

fn latencies(runs: &[Run]) -> String {
    let of = |q| median(runs.iter().map(|run| millis(run, q)));
    format!("{:.2} / {:.2} ms", of(0.5), of(0.99))
}

fn millis(run: &Run, q: f64) -> f64 {
    run.quantile(q).as_secs_f64() * 1e3
}
