//! SQLite in this process: one connection, WAL, every commit synced, the same indexes.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use annals_testkit::{Generated, Generator};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::report::{BATCHES, BYTES, CSV, Peer, Report, SINGLES, Value};
use super::sql::{Dialect, statement, workspace};
use super::world::{Answer, Shape, World};
use super::{measure, singles, slices};
use crate::load::Run;
use crate::{BATCH, Failure, machine};

const SETTINGS: &str =
    "pragma journal_mode = wal; pragma synchronous = full; pragma cache_size = -262144;";
const TABLE: &str = "
create table audit_event (
  id text primary key, workspace_id text not null, occurred_at integer not null,
  action text not null, actor_id text not null, actor_name text, actor_email text,
  targets text not null, context text not null, metadata text not null);
create index by_time on audit_event (workspace_id, occurred_at desc);
create index by_actor on audit_event (workspace_id, actor_id, occurred_at desc);
create index by_action on audit_event (workspace_id, action, occurred_at desc);";
const INSERT: &str = "insert into audit_event values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
/// Each takes a sync of its own.
const SINGLES_MOST: usize = 5_000;

pub(super) async fn run(dir: &Path, world: &World, report: &mut Report) -> Result<(), Failure> {
    std::fs::create_dir_all(dir)?;
    let file = dir.join("events.db");
    let mut database = Connection::open(&file)?;
    database.execute_batch(SETTINGS)?;
    database.execute_batch(TABLE)?;
    let mut loading = measure::Loading::default();
    for slice in slices(&mut Generator::new(world.profile)) {
        loading.add(insert(&mut database, &slice, BATCH)?);
    }
    report.add(BATCHES, Peer::Sqlite, loading.value());
    database.execute_batch("pragma wal_checkpoint(truncate); analyze;")?;
    let bytes = std::fs::metadata(&file)?.len();
    let an_event = bytes as f64 / world.profile.events as f64;
    report.add(BYTES, Peer::Sqlite, Value::BytesAnEvent(an_event));

    for (question, _) in &world.questions {
        let sql = statement(world, question, Dialect::Sqlite);
        let mut prepared = database.prepare(&sql)?;
        let shape = question.ask.shape();
        let mut ask = || -> Result<(Answer, Duration), Failure> {
            let began = Instant::now();
            let mut answer = Answer::default();
            match shape {
                Shape::Count => answer.count = Some(prepared.query_row([], |row| row.get(0))?),
                Shape::Events => {
                    let columns = prepared.column_count();
                    let mut rows = prepared.query([])?;
                    while let Some(row) = rows.next()? {
                        answer.ids.push(row.get(0)?);
                        for column in 1..columns {
                            std::hint::black_box(row.get_ref(column)?);
                        }
                    }
                }
                Shape::Counts => {
                    let mut rows = prepared.query([])?;
                    while let Some(row) = rows.next()? {
                        let value = match row.get_ref(1)? {
                            ValueRef::Integer(day) => day.to_string(),
                            text => text.as_str()?.to_owned(),
                        };
                        answer.counts.insert((row.get(0)?, value), row.get(2)?);
                    }
                }
            }
            Ok((answer, began.elapsed()))
        };
        let (answer, value) = measure::repeat(report.repetitions, own_cpu, async || ask()).await?;
        report.answered(question.name, Peer::Sqlite, answer, value);
    }
    report.add(CSV, Peer::Sqlite, csv_of_everything(&database, world)?);
    let further: Vec<Generated> = Generator::new(singles(&world.profile))
        .take(SINGLES_MOST)
        .collect();
    report.add(
        SINGLES,
        Peer::Sqlite,
        Value::rate(&insert(&mut database, &further, 1)?),
    );
    let version = rusqlite::version();
    let settings = SETTINGS.replace("pragma ", "").replace(';', ",");
    report.settings(
        Peer::Sqlite,
        format!(
            "SQLite {version} in the process of the client, {} primary key and three b-trees",
            settings.trim()
        ),
    );
    Ok(())
}

fn own_cpu() -> Duration {
    machine::processor_time(std::process::id())
}

fn insert(database: &mut Connection, events: &[Generated], batch: usize) -> Result<Run, Failure> {
    let (before, began) = (own_cpu(), Instant::now());
    let mut latencies = Vec::new();
    for batch in events.chunks(batch) {
        let sent = Instant::now();
        let transaction = database.transaction()?;
        {
            let mut insert = transaction.prepare_cached(INSERT)?;
            for event in batch {
                insert.execute(params![
                    event.id,
                    event.organization_id(),
                    event.occurred_at,
                    event.action,
                    event.actor_id,
                    event.actor_name,
                    event.actor_email,
                    event.targets,
                    event.context,
                    event.metadata,
                ])?;
            }
        }
        transaction.commit()?;
        latencies.push(sent.elapsed());
    }
    let elapsed = began.elapsed();
    latencies.sort_unstable();
    Ok(Run {
        events: events.len(),
        elapsed,
        cpu: own_cpu().saturating_sub(before),
        latencies,
    })
}

fn csv_of_everything(database: &Connection, world: &World) -> Result<Value, Failure> {
    let (before, began) = (own_cpu(), Instant::now());
    let mut prepared = database
        .prepare("select * from audit_event where workspace_id = ? order by occurred_at desc")?;
    let (mut rows, mut out) = (0, Vec::new());
    for (number, _) in world.inhabited() {
        let columns = prepared.column_count();
        let mut found = prepared.query([workspace(world, number)])?;
        while let Some(row) = found.next()? {
            for column in 0..columns {
                cell(&mut out, row.get_ref(column)?)?;
            }
            out.push(b'\n');
            rows += 1;
            if out.len() > 1 << 16 {
                out.clear();
            }
        }
    }
    if rows != world.profile.events {
        return Err(format!("the CSV of SQLite has {rows} rows").into());
    }
    Ok(Value::rows(
        rows,
        began.elapsed(),
        own_cpu().saturating_sub(before),
    ))
}

fn cell(out: &mut Vec<u8>, value: ValueRef<'_>) -> Result<(), Failure> {
    match value {
        ValueRef::Text(text) => {
            out.push(b'"');
            for byte in text {
                if *byte == b'"' {
                    out.push(b'"');
                }
                out.push(*byte);
            }
            out.extend_from_slice(b"\",");
        }
        ValueRef::Integer(number) => write!(out, "{number},")?,
        _ => out.push(b','),
    }
    Ok(())
}
