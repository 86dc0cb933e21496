//! DuckDB and chDB, where this Python has them: a script of ours asks them, each in a process of its own.

use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use annals_testkit::{Generated, Generator};
use serde::Deserialize;
use serde_json::json;

use super::report::{BATCHES, BYTES, CSV, MEMORY, Peer, Report, SINGLES, Value};
use super::sql::{Dialect, statement};
use super::world::{Answer, Shape, World};
use crate::{BATCH, Failure};

const SCRIPT: &str = include_str!("peers.py");

/// What the script prints at its end.
#[derive(Deserialize)]
struct Printed {
    settings: String,
    batches: Rate,
    singles: Rate,
    bytes: u64,
    memory: u64,
    csv: Rate,
    answers: Vec<Answered>,
}

#[derive(Deserialize)]
struct Rate {
    rows: u64,
    seconds: f64,
    cpu: f64,
}

#[derive(Deserialize)]
struct Answered {
    ids: Vec<String>,
    count: Option<u64>,
    counts: Vec<(String, String, u64)>,
    latencies: Vec<f64>,
    cpu: f64,
}

pub(super) fn run(
    python: &Path,
    dir: &Path,
    world: &World,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut prepared = None;
    for (peer, module) in [(Peer::DuckDb, "duckdb"), (Peer::ChDb, "chdb")] {
        if !has(python, module) {
            eprintln!(
                "{module} is not there ({} cannot import it)",
                python.display()
            );
            continue;
        }
        let (script, plan) = match &prepared {
            Some(prepared) => prepared,
            None => prepared.insert(prepare(dir, world, report)?),
        };
        eprintln!("{module} …");
        let output = Command::new(python)
            .arg(script)
            .arg(module)
            .arg(plan)
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            return Err(format!("{module}: {}", output.status).into());
        }
        let printed: Printed =
            serde_json::from_slice(&output.stdout).map_err(|error| format!("{module}: {error}"))?;
        take(printed, peer, world, report)?;
    }
    Ok(())
}

fn has(python: &Path, module: &str) -> bool {
    let status = Command::new(python)
        .args(["-c", &format!("import {module}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Writes the rows, the script and what it is to do.
fn prepare(
    dir: &Path,
    world: &World,
    report: &Report,
) -> Result<(std::path::PathBuf, std::path::PathBuf), Failure> {
    std::fs::create_dir_all(dir)?;
    let rows = dir.join("rows.ndjson");
    let mut out = BufWriter::new(std::fs::File::create(&rows)?);
    for event in Generator::new(world.profile) {
        serde_json::to_writer(&mut out, &row(&event))?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    let statements: Vec<_> = world
        .questions
        .iter()
        .map(|(question, _)| {
            json!({
                "sql": statement(world, question, Dialect::Columns),
                "shape": match question.ask.shape() {
                    Shape::Events => "events",
                    Shape::Count => "count",
                    Shape::Counts => "counts",
                },
            })
        })
        .collect();
    let plan = json!({
        "dir": dir, "rows": rows, "events": world.profile.events, "batch": BATCH,
        "statements": statements, "repetitions": report.repetitions,
    });
    let (script, file) = (dir.join("peers.py"), dir.join("plan.json"));
    std::fs::write(&script, SCRIPT)?;
    std::fs::write(&file, plan.to_string())?;
    Ok((script, file))
}

fn row(event: &Generated) -> serde_json::Value {
    json!({
        "id": event.id, "workspace_id": event.organization_id(), "occurred_at": event.occurred_at,
        "action": event.action, "actor_id": event.actor_id, "actor_name": event.actor_name,
        "actor_email": event.actor_email, "targets": event.targets, "context": event.context,
        "metadata": event.metadata,
    })
}

fn take(printed: Printed, peer: Peer, world: &World, report: &mut Report) -> Result<(), Failure> {
    let rate = |rate: &Rate| {
        let time = Duration::from_secs_f64;
        Value::rows(rate.rows, time(rate.seconds), time(rate.cpu))
    };
    report.add(BATCHES, peer, rate(&printed.batches));
    report.add(SINGLES, peer, rate(&printed.singles));
    let an_event = printed.bytes as f64 / world.profile.events as f64;
    report.add(BYTES, peer, Value::BytesAnEvent(an_event));
    report.add(MEMORY, peer, Value::Bytes(printed.memory));
    if printed.csv.rows != world.profile.events || printed.answers.len() != world.questions.len() {
        return Err(format!("{peer:?} has {} rows of CSV", printed.csv.rows).into());
    }
    report.add(CSV, peer, rate(&printed.csv));
    for ((question, _), answered) in world.questions.iter().zip(printed.answers) {
        let latencies = answered.latencies.iter().copied();
        let value = Value::latency(
            latencies.map(Duration::from_secs_f64).collect(),
            Duration::from_secs_f64(answered.cpu),
        );
        let answer = Answer {
            ids: answered.ids,
            count: answered.count,
            counts: answered
                .counts
                .into_iter()
                .map(|(field, value, count)| ((field, value), count))
                .collect(),
        };
        report.answered(question.name, peer, answer, value);
    }
    report.settings(peer, printed.settings);
    Ok(())
}
