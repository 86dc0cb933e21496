//! Annals over HTTP: loading in order, the questions, downloads.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use annals_event::Timestamp;
use annals_testkit::Generated;
use serde::Deserialize;

use super::download::Download;
use super::measure::repeat;
use super::report::{Peer, Report, Value};
use super::sql::workspace;
use super::world::{Answer, Ask, FIELDS, PAGE, Question, Shape, TOP, World};
use crate::annals::{Annals, lines};
use crate::load::{Connection, Run, closed};
use crate::{BATCH, BATCH_CONNECTIONS, Failure, machine};

/// The most that is counted.
const COUNT: usize = 10_000;

impl Annals {
    /// Sends batches over several connections, each workspace over one, so that its events are recorded in the order
    /// in which they happened: then "newest" means the same to everybody.
    ///
    /// The server stands still afterwards, so that it does not use time that is not measured for what it
    /// put off. [`Annals::settle`] and a further load let it go on.
    pub(super) async fn load_in_order(
        &self,
        events: &[Generated],
        world: &World,
    ) -> Result<Run, Failure> {
        let lanes = lanes(world);
        let mut sorted: Vec<Vec<Generated>> = vec![Vec::new(); BATCH_CONNECTIONS];
        for event in events {
            sorted[lanes[event.workspace as usize]].push(event.clone());
        }
        let loads: Vec<_> = sorted
            .iter()
            .map(|lane| {
                let bodies = lane.chunks(BATCH).map(lines);
                self.load("/audit_logs/events/bulk", "application/x-ndjson", bodies)
            })
            .collect();
        self.signal("CONT")?;
        let (before, began) = (machine::processor_time(self.process_id()), Instant::now());
        let mut running = Vec::new();
        for load in loads {
            running.push(tokio::spawn(async move { closed(&load, 1).await }));
        }
        let mut latencies = Vec::new();
        for lane in running {
            latencies.extend(lane.await??.1);
        }
        let elapsed = began.elapsed();
        self.signal("STOP")?;
        latencies.sort_unstable();
        Ok(Run {
            events: events.len(),
            elapsed,
            cpu: machine::processor_time(self.process_id()).saturating_sub(before),
            latencies,
        })
    }

    /// One page of the biggest workspace, however long it takes.
    pub(super) async fn first_answer(&self, world: &World) -> Result<(), Failure> {
        let mut connection = self.connect().await?;
        if let Some((question, _)) = world.questions.first() {
            ask(&mut connection, world, question).await?;
        }
        Ok(())
    }

    pub(super) async fn answer_all(
        &self,
        world: &World,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut connection = self.connect().await?;
        for (question, _) in &world.questions {
            let cpu = || machine::processor_time(self.process_id());
            let asked = async || ask(&mut connection, world, question).await;
            let (answer, value) = repeat(report.repetitions, cpu, asked).await?;
            report.answered(question.name, Peer::Annals, answer, value);
        }
        Ok(())
    }

    pub(super) async fn csv_of_everything(&self, world: &World) -> Result<Value, Failure> {
        let (before, began) = (machine::processor_time(self.process_id()), Instant::now());
        let mut download = Download::open(self.authority(), crate::annals::KEY).await?;
        let mut rows = 0;
        for (number, size) in world.inhabited() {
            let organization = workspace(world, number);
            let path =
                format!("/audit_logs/events.csv?organization_id={organization}&as_of={size}");
            // The header is a line too.
            rows += download.lines(&path).await? - 1;
        }
        let elapsed = began.elapsed();
        if rows != world.profile.events {
            return Err(format!("the CSV files of Annals have {rows} rows").into());
        }
        let cpu = machine::processor_time(self.process_id()).saturating_sub(before);
        Ok(Value::rows(rows, elapsed, cpu))
    }
}

/// A lane for each workspace, so that all lanes have about as many events.
fn lanes(world: &World) -> Vec<usize> {
    let mut loads = [0; BATCH_CONNECTIONS];
    let of = |size: &u64| {
        let lane = (0..loads.len())
            .min_by_key(|lane| loads[*lane])
            .unwrap_or(0);
        loads[lane] += size;
        lane
    };
    world.sizes.iter().map(of).collect()
}

#[derive(Deserialize)]
struct Histogram {
    data: Vec<Day>,
    partial: Option<u64>,
}

#[derive(Deserialize)]
struct Day {
    from: String,
    count: u64,
}

#[derive(Deserialize)]
struct Facets {
    data: Vec<Facet>,
    partial: Option<u64>,
}

#[derive(Deserialize)]
struct Facet {
    field: String,
    values: Vec<FacetValue>,
}

#[derive(Deserialize)]
struct FacetValue {
    value: String,
    count: u64,
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Recorded>,
    count: Option<Count>,
    partial: Option<u64>,
}

#[derive(Deserialize)]
struct Recorded {
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    id: String,
}

#[derive(Deserialize)]
struct Count {
    value: u64,
    relation: String,
}

/// Asks until the answer is whole, as a client does whose search ran out of time.
async fn ask(
    connection: &mut Connection,
    world: &World,
    question: &Question,
) -> Result<(Answer, Duration), Failure> {
    let path = path(world, question);
    let mut answer = Answer::default();
    let (mut took, mut after) = (Duration::ZERO, String::new());
    loop {
        let began = Instant::now();
        let (status, body) = connection.get(&format!("{path}{after}")).await?;
        took += began.elapsed();
        if status != 200 {
            return Err(format!("{path}: {status}: {}", String::from_utf8_lossy(body)).into());
        }
        if question.ask.shape() == Shape::Counts {
            return Ok((counts(question, body)?, took));
        }
        let page: Page = serde_json::from_slice(body)?;
        answer
            .ids
            .extend(page.data.into_iter().map(|row| row.event.id));
        if let (Ask::Count(..), Some(count)) = (&question.ask, page.count) {
            if count.relation == "more_than" {
                return Err(format!("{path}: more than {COUNT}").into());
            }
            *answer.count.get_or_insert(0) += count.value;
            answer.ids.clear();
        }
        match page.partial {
            Some(position) if answer.ids.len() < PAGE => after = format!("&after={position}"),
            _ => break,
        }
    }
    answer.ids.truncate(PAGE);
    Ok((answer, took))
}

/// What was counted, in one answer.
fn counts(question: &Question, body: &[u8]) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    let partial = if question.ask.is_by_day() {
        let histogram: Histogram = serde_json::from_slice(body)?;
        for day in histogram.data {
            let from = Timestamp::parse(&day.from)?.as_micros().to_string();
            answer.counts.insert((String::new(), from), day.count);
        }
        histogram.partial
    } else {
        let facets: Facets = serde_json::from_slice(body)?;
        for facet in facets.data {
            for value in facet.values {
                let known = (facet.field.clone(), value.value);
                answer.counts.insert(known, value.count);
            }
        }
        facets.partial
    };
    match partial {
        None => Ok(answer),
        Some(_) => Err(format!("{}: not all was counted", question.name).into()),
    }
}

/// As of the end of the loading: what reading records comes after that.
fn path(world: &World, question: &Question) -> String {
    let organization = workspace(world, question.workspace);
    let size = world.sizes[question.workspace as usize];
    let within = |from: &i64, to: &i64| {
        let (from, to) = (Timestamp::clamped(*from), Timestamp::clamped(*to));
        format!("&from={from}&to={to}")
    };
    let common = format!("organization_id={organization}&as_of={size}");
    let (limit, rest) = match &question.ask {
        Ask::Days(from, to) => {
            let within = within(from, to);
            return format!("/audit_logs/events/histogram?{common}&step=day&tz=UTC{within}");
        }
        Ask::Facets(from, to) => {
            let (fields, within) = (FIELDS.join(","), within(from, to));
            return format!("/audit_logs/events/facets?{common}&fields={fields}&top={TOP}{within}");
        }
        Ask::Newest => (PAGE, String::new()),
        Ask::Actor(id) => (PAGE, format!("&q=actor.id:{id}")),
        Ask::Target(id) => (PAGE, format!("&q=target.id:{id}")),
        Ask::Actions(prefix, from, to) => {
            (PAGE, format!("&q=action:{prefix}*{}", within(from, to)))
        }
        Ask::Text(word) => (PAGE, format!("&q={word}")),
        Ask::Count(action, from, to) => (
            1,
            format!("&count={COUNT}&q=action:{action}{}", within(from, to)),
        ),
    };
    format!("/audit_logs/events?{common}&limit={limit}{rest}")
}

/// What lies in a directory, by what it is.
#[derive(PartialEq, Eq)]
pub(super) struct Directory(BTreeMap<String, u64>);

/// How long a directory has to stay the same to be at rest: space is given back after two quiet seconds.
const REST: Duration = Duration::from_secs(3);

/// What lies in a directory once it has come to rest, or after a minute.
pub(super) async fn directory_at_rest(path: &Path) -> Result<Directory, Failure> {
    let mut before = directory(path)?;
    for _ in 0..20 {
        tokio::time::sleep(REST).await;
        let now = directory(path)?;
        if now == before {
            break;
        }
        before = now;
    }
    Ok(before)
}

fn directory(path: &Path) -> Result<Directory, Failure> {
    let mut found = Directory(BTreeMap::new());
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let bytes = bytes_below(&entry.path())?;
        found.0.insert(name, bytes);
    }
    Ok(found)
}

fn bytes_below(path: &Path) -> Result<u64, Failure> {
    let about = fs::symlink_metadata(path)?;
    if !about.is_dir() {
        return Ok(about.len());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        bytes += bytes_below(&entry?.path())?;
    }
    Ok(bytes)
}

impl Directory {
    pub(super) fn an_event(&self, events: u64) -> Value {
        let bytes: u64 = self.0.values().sum();
        Value::BytesAnEvent(bytes as f64 / events as f64)
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<(&String, &u64)> = self.0.iter().collect();
        parts.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
        for (n, (name, bytes)) in parts.into_iter().enumerate() {
            let comma = if n == 0 { "" } else { ", " };
            write!(f, "{comma}`{name}` {:.1} MB", *bytes as f64 / 1e6)?;
        }
        Ok(())
    }
}
