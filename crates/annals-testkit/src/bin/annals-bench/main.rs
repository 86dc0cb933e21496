//! Durable ingest of Annals over HTTP against PostgreSQL's, in one run on one machine.
//!
//! ```text
//! cargo build --release -p annals-cli
//! cargo run --release -p annals-testkit --features bench --bin annals-bench
//! ```
//!
//! `annals-bench table` does the same work with all peers and makes the whole table: see `table.rs`.
//!
//! Both take the same seeded events, durably, with ids that must be unique, and have them
//! searchable when they answer. The rounds alternate; medians and ranges are printed, with the
//! settings of both and the machine's own sync rate beside them, because absolute figures of a
//! shared machine say little and ratios say more.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for a terminal"
)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "counts and shares far below the limits"
)]

mod annals;
mod hold;
mod load;
mod machine;
mod postgres;
mod report;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use annals_testkit::{Generated, Generator, Profile};

/// What is run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Path of the `annals` binary.
    pub(crate) binary: PathBuf,
    /// Where both keep their data; on the disk that is to be measured.
    pub(crate) dir: PathBuf,
    /// Alternating rounds; medians are over them.
    pub(crate) rounds: usize,
    /// Events of one round that go in batches of 500.
    pub(crate) batched: usize,
    /// Events of one round that go one by one.
    pub(crate) singles: usize,
    /// Whether Annals is measured without its peer, as one does while changing it.
    pub(crate) alone: bool,
    /// How many events are loaded and held, in place of the rounds.
    pub(crate) hold: Option<u64>,
    /// Where the table is written, beside the terminal.
    pub(crate) output: Option<PathBuf>,
}

/// Events that both record before anything is measured.
const WARM_UP: usize = 50_000;
/// Events in one batch.
pub(crate) const BATCH: usize = 500;
/// Connections that send batches.
pub(crate) const BATCH_CONNECTIONS: usize = 4;
/// Connections that send single events.
pub(crate) const SINGLE_CONNECTIONS: usize = 64;
/// Connections that send PostgreSQL single rows. Each is a process there.
pub(crate) const PEER_CONNECTIONS: usize = 32;

const HELP: &str = "\
Durable ingest of Annals over HTTP against PostgreSQL's, in one run.

Usage: annals-bench [--annals PATH] [--dir DIR] [--rounds N] [--batched N] [--singles N] [--output FILE]
       annals-bench --alone [as above]
       annals-bench --hold N [--annals PATH] [--dir DIR] [--output FILE]
       annals-bench table [--help]    all work, all peers, one table

  --annals PATH   the binary to measure          [target/release/annals]
  --dir DIR       where the data goes            [a new directory below the system's temporary one]
  --rounds N      alternating rounds             [3]
  --batched N     events a round, batches of 500 [250000]
  --singles N     events a round, one by one     [50000]
  --alone         without PostgreSQL: each round at once, as a line
  --hold N        load N events into Annals alone; then memory, restart and reads
  --output FILE   write the table there as well
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).peekable();
    if args.next_if(|arg| arg == "table").is_some() {
        return match table::Options::parse(args) {
            Ok(Some(options)) => finish(table::run(&options)),
            Ok(None) => help(table::HELP),
            Err(problem) => misused(&problem, table::HELP),
        };
    }
    match parse(args) {
        Ok(Some(plan)) => finish(run(&plan)),
        Ok(None) => help(HELP),
        Err(problem) => misused(&problem, HELP),
    }
}

fn help(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

fn misused(problem: &str, help: &str) -> ExitCode {
    eprintln!("annals-bench: {problem}\n\n{help}");
    ExitCode::from(2)
}

fn finish(work: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("annals-bench: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(work) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("annals-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Plan>, String> {
    let mut plan = Plan {
        binary: PathBuf::from("target/release/annals"),
        dir: std::env::temp_dir().join(format!("annals-bench-{}", std::process::id())),
        rounds: 3,
        batched: 250_000,
        singles: 50_000,
        alone: false,
        hold: None,
        output: None,
    };
    while let Some(name) = args.next() {
        if name == "--help" || name == "-h" {
            return Ok(None);
        }
        if name == "--alone" {
            plan.alone = true;
            continue;
        }
        let value = args.next().ok_or(format!("{name} needs a value"))?;
        let number = || {
            value
                .parse::<usize>()
                .map_err(|_| format!("{name}: not a number: {value}"))
        };
        match name.as_str() {
            "--annals" => plan.binary = value.into(),
            "--dir" => plan.dir = value.into(),
            "--rounds" => plan.rounds = number()?.max(1),
            "--batched" => plan.batched = number()?.max(BATCH),
            "--singles" => plan.singles = number()?.max(SINGLE_CONNECTIONS),
            "--hold" => plan.hold = Some(number()?.max(BATCH) as u64),
            "--output" => plan.output = Some(value.into()),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    Ok(Some(plan))
}

/// An error of whatever kind; a bench only has to print it.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn run(plan: &Plan) -> Result<(), Failure> {
    std::fs::create_dir_all(&plan.dir)?;
    if let Some(events) = plan.hold {
        return publish(plan, &hold::run(plan, events).await?);
    }
    let total = WARM_UP + (plan.batched + plan.singles) * plan.rounds;
    eprintln!("generating {total} events …");
    let profile = Profile::year(total as u64);
    let events: Vec<Generated> = Generator::new(profile).collect();
    let organizations: Vec<String> = Generator::organizations(&profile).collect();

    eprintln!("starting Annals …");
    let annals = annals::Annals::start(&plan.binary, &plan.dir.join("annals")).await?;
    annals.create(&organizations).await?;
    let mut report = report::Report::default();
    let per_round = plan.batched + plan.singles;
    let (warm_up, events) = events.split_at(WARM_UP);
    annals.run(Work::Batches(warm_up)).await?;
    let rounds = events
        .chunks(per_round)
        .map(|slice| Round::new(slice, plan));
    if plan.alone {
        for round in rounds {
            for (comparison, work) in report.comparisons.iter_mut().zip(round.works()) {
                annals.settle().await?;
                let run = annals.run(work).await?;
                println!("{}", comparison.line(&run));
                comparison.annals.push(run);
            }
        }
        annals.settle().await?;
        report.open_loop = annals.open_loop(&profile, report.open_rate()).await?;
        println!("{}", report.open_loop());
        drop(annals);
        return Ok(std::fs::remove_dir_all(&plan.dir)?);
    }
    eprintln!("starting PostgreSQL …");
    let postgres = postgres::Postgres::start(&plan.dir.join("postgres")).await?;
    postgres.run(Work::Batches(warm_up)).await?;
    for (round, slice) in rounds.enumerate() {
        eprintln!("round {} of {} …", round + 1, plan.rounds);
        for (comparison, work) in report.comparisons.iter_mut().zip(slice.works()) {
            // Alternate, so that a drift of the machine meets both.
            let annals_first = round % 2 == 1;
            for first in [true, false] {
                // What one has left to do is not to slow the other down.
                annals.settle().await?;
                postgres.tidy_up().await?;
                if first == annals_first {
                    comparison.annals.push(annals.run(work).await?);
                } else {
                    comparison.postgres.push(postgres.run(work).await?);
                }
            }
        }
    }
    eprintln!("open loop …");
    annals.settle().await?;
    postgres.tidy_up().await?;
    report.open_loop = annals.open_loop(&profile, report.open_rate()).await?;
    report.settings = postgres.settings().await?;
    report.memory_annals = annals.resident_bytes();
    report.machine = machine::describe(&plan.dir)?;
    drop(annals);
    drop(postgres);
    std::fs::remove_dir_all(&plan.dir)?;

    publish(plan, &report.table(plan))
}

/// The events of one round.
struct Round<'a> {
    mixed: &'a [Generated],
    sorted: Vec<Generated>,
    singles: &'a [Generated],
}

impl<'a> Round<'a> {
    fn new(events: &'a [Generated], plan: &Plan) -> Round<'a> {
        let (batched, singles) = events.split_at(plan.batched);
        let (mixed, rest) = batched.split_at(batched.len() / 2);
        Round {
            mixed,
            sorted: by_workspace(rest),
            singles,
        }
    }

    /// In the order of the report's comparisons.
    fn works(&self) -> [Work<'_>; 3] {
        [
            Work::Batches(self.mixed),
            Work::Batches(&self.sorted),
            Work::Singles(self.singles),
        ]
    }
}

/// What both do in one run.
#[derive(Clone, Copy)]
pub(crate) enum Work<'a> {
    /// In the order given, [`BATCH`] at a time.
    Batches(&'a [Generated]),
    /// Each by itself.
    Singles(&'a [Generated]),
}

/// The same events in batches that are of one workspace each, as a product sends them that keeps
/// an outbox for each of its customers. What does not fill a batch is left out.
fn by_workspace(events: &[Generated]) -> Vec<Generated> {
    let mut of_each: BTreeMap<u32, Vec<&Generated>> = BTreeMap::new();
    for event in events {
        of_each.entry(event.workspace).or_default().push(event);
    }
    of_each
        .values()
        .flat_map(|of_one| of_one.chunks_exact(BATCH).flatten())
        .map(|event| (*event).clone())
        .collect()
}

fn publish(plan: &Plan, table: &str) -> Result<(), Failure> {
    println!("{table}");
    if let Some(path) = &plan.output {
        std::fs::write(path, table)?;
    }
    Ok(())
}
