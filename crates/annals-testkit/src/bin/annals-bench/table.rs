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

use std::time::Instant;

use annals_testkit::{Generated, Generator, Profile};

use crate::annals::Annals;
use crate::postgres::Postgres;
use crate::{Failure, Work, machine};

pub(crate) use options::{HELP, Options};
use report::{Peer, Report, Value};
use world::World;

/// Events that are generated and sent at a time, so that the generator's memory stays small.
const SLICE: usize = 50_000;
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
    let mut batches = measure::Loading::default();
    for slice in slices(&mut generator) {
        batches.add(annals.load_in_order(&slice, world).await?);
        eprintln!("Annals: {} events …", batches.events());
    }
    report.add(report::BATCHES, Peer::Annals, batches.value());
    let loading = batches.elapsed();
    let cpu = || machine::processor_time(annals.process_id());
    let (began, before) = (Instant::now(), cpu());
    annals.settle().await?;
    let settling = began.elapsed();
    batches.also(settling, cpu().saturating_sub(before));
    eprintln!("Annals: loaded in {loading:.1?}, sealed and merged in {settling:.1?} more");
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
    let mut batches = measure::Loading::default();
    for slice in slices(&mut generator) {
        batches.add(postgres.run(Work::Batches(&slice)).await?);
        eprintln!("PostgreSQL: {} events …", batches.events());
    }
    report.add(report::BATCHES, Peer::Postgres, batches.value());
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
