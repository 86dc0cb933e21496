//! The whole table: the same data, the same work and the same answers, of Annals and of what a user would pick
//! instead, in one run.
//!
//! Every peer is durable, has its indexes when it answers, and prints its settings. Annals and PostgreSQL
//! alternate; whatever else is installed runs once beside them. Answers are compared: a peer that answers
//! another way than the generator says ends the run.

mod annals;
mod docs;
mod download;
mod measure;
mod options;
mod postgres;
mod python;
mod report;
mod sql;
mod sqlite;
mod world;

use std::time::{Duration, Instant};

use annals_testkit::{Generated, Generator, Profile};

use crate::annals::Annals;
use crate::postgres::Postgres;
use crate::{Failure, Work, machine};

use measure::Loading;
pub(crate) use options::{HELP, Options};
use report::{Peer, Report, Value};
use world::World;

/// Events that are generated and sent at a time, so that the generator's memory stays small.
const SLICE: usize = 50_000;
/// Events that come last, all at once, into a store that is at rest: so many are taken in before sealing has to keep up with them.
const BURST: u64 = 1_000_000;
/// Share of the events that is recorded one by one, after everything else.
const SINGLES: u64 = 25;

pub(crate) async fn run(options: &Options) -> Result<(), Failure> {
    if !options.binary.exists() {
        let binary = options.binary.display();
        return Err(
            format!("there is no {binary}; cargo build --release -p annals-cli makes it").into(),
        );
    }
    std::fs::create_dir_all(&options.dir)?;
    let profile = Profile::year(options.events);
    eprintln!("looking through {} events …", options.events);
    let world = World::of(profile);
    let mut report = Report::new(&world, options.repetitions);
    for round in 0..options.rounds {
        let also_postgres = round < options.postgres_rounds;
        // Alternate, so that a drift of the machine meets both.
        let postgres_first = round % 2 == 0;
        if also_postgres && postgres_first {
            of_postgres(options, &world, &mut report).await?;
        }
        of_annals(options, &world, &mut report).await?;
        if also_postgres && !postgres_first {
            of_postgres(options, &world, &mut report).await?;
        }
    }
    if options.sqlite {
        eprintln!("SQLite …");
        sqlite::run(&options.dir.join("sqlite"), &world, &mut report).await?;
    }
    if let Some(python) = &options.python {
        python::run(python, &options.dir.join("python"), &world, &mut report)?;
    }
    report.machine = machine::describe(&options.dir)?;
    std::fs::remove_dir_all(&options.dir)?;
    report.check_agreement(&world)?;
    let table = report.table(options);
    println!("{table}");
    if let Some(path) = &options.output {
        std::fs::write(path, &table)?;
    }
    if let Some(path) = &options.write {
        docs::write(path, &table)?;
    }
    Ok(())
}

/// One round of Annals, from an empty directory.
async fn of_annals(options: &Options, world: &World, report: &mut Report) -> Result<(), Failure> {
    let data = options.dir.join("annals");
    let mut annals = Annals::start(&options.binary, &data).await?;
    let organizations: Vec<String> = Generator::organizations(&world.profile).collect();
    annals.create(&organizations).await?;
    let mut generator = Generator::new(world.profile);
    let (mut batches, mut burst) = (Loading::default(), Loading::default());
    let mut settling = Duration::ZERO;
    for slice in slices(&mut generator) {
        if is_burst(world, &batches) && burst.events() == 0 && batches.events() > 0 {
            settling += settle(&annals, &mut batches).await?;
        }
        let run = annals.load_in_order(&slice, world).await?;
        if is_burst(world, &batches) {
            burst.add(run.clone());
        }
        batches.add(run);
        progress("Annals", world, &batches);
    }
    report.add(report::BATCHES, Peer::Annals, burst.value());
    settling += settle(&annals, &mut batches).await?;
    let whole = batches.elapsed();
    eprintln!(
        "Annals: loaded, sealed and merged in {whole:.1?}, {settling:.1?} of it after what was loaded"
    );
    report.add(report::SUSTAINED, Peer::Annals, batches.value());
    let size = annals::directory_at_rest(&data).await?;
    report.add(
        report::BYTES,
        Peer::Annals,
        size.an_event(world.profile.events),
    );
    report.annals_directory = size.to_string();

    drop(annals);
    let began = Instant::now();
    annals = Annals::start(&options.binary, &data).await?;
    annals.first_answer(world).await?;
    report.add(report::START, Peer::Annals, Value::Seconds(began.elapsed()));
    let memory = annals.resident_bytes().0;
    report.add(report::REST, Peer::Annals, Value::Bytes(memory));

    annals.answer_all(world, report).await?;
    let everything = annals.csv_of_everything(world).await?;
    report.add(report::CSV, Peer::Annals, everything);
    let memory = annals.resident_bytes().0;
    report.add(report::MEMORY, Peer::Annals, Value::Bytes(memory));

    let singles: Vec<Generated> = Generator::new(singles(&world.profile)).collect();
    let run = annals.run(Work::Singles(&singles)).await?;
    report.add(report::SINGLES, Peer::Annals, Value::rate(&run));
    drop(annals);
    std::fs::remove_dir_all(&data)?;
    Ok(())
}

/// One round of PostgreSQL, from a new cluster.
async fn of_postgres(options: &Options, world: &World, report: &mut Report) -> Result<(), Failure> {
    let data = options.dir.join("postgres");
    let mut postgres = Postgres::start(&data).await?;
    let mut generator = Generator::new(world.profile);
    let (mut batches, mut burst) = (Loading::default(), Loading::default());
    for slice in slices(&mut generator) {
        let run = postgres.run(Work::Batches(&slice)).await?;
        if is_burst(world, &batches) {
            burst.add(run.clone());
        }
        batches.add(run);
        progress("PostgreSQL", world, &batches);
    }
    report.add(report::BATCHES, Peer::Postgres, burst.value());
    report.add(report::SUSTAINED, Peer::Postgres, batches.value());
    postgres.crash()?;
    let began = Instant::now();
    postgres.start_again().await?;
    postgres.first_answer(world).await?;
    report.add(
        report::START,
        Peer::Postgres,
        Value::Seconds(began.elapsed()),
    );
    let memory = machine::proportional_bytes_of_family(postgres.process_id());
    report.add(report::REST, Peer::Postgres, Value::Bytes(memory));
    let bytes = postgres.settle().await?;
    let events = world.profile.events;
    report.add(
        report::BYTES,
        Peer::Postgres,
        Value::BytesAnEvent(bytes as f64 / events as f64),
    );

    postgres.answer_all(world, report).await?;
    let everything = postgres.csv_of_everything(world).await?;
    report.add(report::CSV, Peer::Postgres, everything);
    let memory = machine::proportional_bytes_of_family(postgres.process_id());
    report.add(report::MEMORY, Peer::Postgres, Value::Bytes(memory));

    let singles: Vec<Generated> = Generator::new(singles(&world.profile)).collect();
    let run = postgres.run(Work::Singles(&singles)).await?;
    report.add(report::SINGLES, Peer::Postgres, Value::rate(&run));
    let settings = postgres.settings().await?;
    let table = "prepared statements; primary key, three b-trees and GIN (metadata); vacuumed and analysed after loading; its bytes are those of table and indexes";
    report.settings(Peer::Postgres, format!("{settings}; {table}"));
    drop(postgres);
    std::fs::remove_dir_all(&data)?;
    Ok(())
}

/// Whether what comes next belongs to the burst at the end.
fn is_burst(world: &World, loaded: &Loading) -> bool {
    loaded.events() as u64 + BURST >= world.profile.events
}

/// Waits until nothing is left to be sealed or merged, which is work of what was loaded; says how long that took.
async fn settle(annals: &Annals, loaded: &mut Loading) -> Result<Duration, Failure> {
    let cpu = || machine::processor_time(annals.process_id());
    let (began, before) = (Instant::now(), cpu());
    annals.settle().await?;
    let took = began.elapsed();
    loaded.also(took, cpu().saturating_sub(before));
    Ok(took)
}

/// Says from time to time how much is loaded.
fn progress(who: &str, world: &World, loaded: &Loading) {
    let events = loaded.events() as u64;
    if (events / SLICE as u64).is_multiple_of(10) || events == world.profile.events {
        eprintln!("{who}: {events} events …");
    }
}

fn slices(generator: &mut Generator) -> impl Iterator<Item = Vec<Generated>> {
    std::iter::from_fn(move || {
        let slice: Vec<Generated> = generator.by_ref().take(SLICE).collect();
        (!slice.is_empty()).then_some(slice)
    })
}

/// Events of the same workspaces on the day after the year, as they come in while a product runs. Nothing is asked
/// afterwards.
fn singles(profile: &Profile) -> Profile {
    Profile {
        events: (profile.events / SINGLES).min(50_000),
        seed: profile.seed + 1,
        start: profile.start + profile.span,
        span: 86_400 * 1_000_000,
        ..*profile
    }
}
