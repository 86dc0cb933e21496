//! Holding many events, a full journal of them: memory, restart, and the reads that people do most.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use annals_testkit::{Generated, Generator, Profile};

use crate::annals::Annals;
use crate::load::Connection;
use crate::{Failure, Plan, Work, machine};

/// Events that are generated and sent at a time, so that the generator's memory stays small.
const SLICE: usize = 100_000;
/// One event in so many is sent by itself, as a product that does not batch would.
const SINGLES: usize = 10;
/// Repetitions of each read.
const READS: usize = 100;

pub(crate) async fn run(plan: &Plan, events: u64) -> Result<String, Failure> {
    let profile = Profile::year(events);
    let organizations: Vec<String> = Generator::organizations(&profile).collect();
    let data = plan.dir.join("annals");
    let annals = Annals::start(&plan.binary, &data).await?;
    annals.create(&organizations).await?;

    let mut generator = Generator::new(profile);
    let started = Instant::now();
    let mut sent = 0;
    loop {
        let slice: Vec<Generated> = generator.by_ref().take(SLICE).collect();
        if slice.is_empty() {
            break;
        }
        let (singles, batched) = slice.split_at(slice.len() / SINGLES);
        annals.run(Work::Singles(singles)).await?;
        annals.run(Work::Batches(batched)).await?;
        sent += slice.len();
        eprintln!("{sent} of {events} events …");
    }
    let loaded_in = started.elapsed();
    let (loaded, loaded_most) = annals.resident_bytes();
    let disk = directory_bytes(&data)?;
    drop(annals);

    let started = Instant::now();
    let annals = Annals::start(&plan.binary, &data).await?;
    let restarted_in = started.elapsed();
    let mut connection = annals.connect().await?;
    let mut out = format!(
        "| {events} events, {} workspaces | |\n|---|---|\n",
        organizations.len()
    );
    let _ = writeln!(
        out,
        "| loaded over HTTP, one in {SINGLES} by itself | {:.0} s |",
        loaded_in.as_secs_f64()
    );
    let _ = writeln!(
        out,
        "| resident memory after loading / at most | {} / {} MB |",
        mb(loaded),
        mb(loaded_most)
    );
    let _ = writeln!(
        out,
        "| disk | {} MB, {} bytes an event |",
        mb(disk),
        disk / events
    );
    let _ = writeln!(
        out,
        "| start after a kill, until it listens | {:.2} s |",
        restarted_in.as_secs_f64()
    );
    let middle = &organizations[organizations.len() / 2];
    for (what, path) in [
        (
            "newest 50, biggest workspace",
            format!("{}&limit=50", search(&organizations[0])),
        ),
        (
            "newest 50, median workspace",
            format!("{}&limit=50", search(middle)),
        ),
        (
            "newest 50, smallest workspace",
            format!(
                "{}&limit=50",
                search(&organizations[organizations.len() - 1])
            ),
        ),
        (
            "failed logins, median workspace",
            format!("{}&limit=50&q=action:user.login_failed", search(middle)),
        ),
    ] {
        let times = times(&mut connection, &path).await?;
        let (median, p99) = (times[READS / 2], times[READS * 99 / 100]);
        let _ = writeln!(
            out,
            "| {what}, p50 / p99 | {} / {} ms |",
            ms(median),
            ms(p99)
        );
    }
    let path = format!("{}&limit=50&q=zanzibar", search(&organizations[0]));
    let started = Instant::now();
    expect(&mut connection, &path).await?;
    let _ = writeln!(
        out,
        "| a rare word in the biggest workspace, once | {} ms |",
        ms(started.elapsed())
    );
    let (now, most) = annals.resident_bytes();
    let _ = writeln!(
        out,
        "| resident memory after restart and reads / at most | {} / {} MB |",
        mb(now),
        mb(most)
    );
    let _ = writeln!(out, "\nMachine: {}.", machine::describe(&plan.dir)?);
    drop(annals);
    std::fs::remove_dir_all(&plan.dir)?;
    Ok(out)
}

fn search(organization: &str) -> String {
    format!("/audit_logs/events?organization_id={organization}")
}

async fn times(connection: &mut Connection, path: &str) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::new();
    for _ in 0..READS {
        let started = Instant::now();
        expect(connection, path).await?;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    Ok(times)
}

async fn expect(connection: &mut Connection, path: &str) -> Result<(), Failure> {
    let (status, answer) = connection.get(path).await?;
    if (200..300).contains(&status) {
        Ok(())
    } else {
        Err(format!("{path}: {status}: {}", String::from_utf8_lossy(answer)).into())
    }
}

fn directory_bytes(dir: &std::path::Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            directory_bytes(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}

fn mb(bytes: u64) -> u64 {
    bytes / 1_000_000
}

fn ms(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1e3)
}
