//! `annals import`: events from files, many at a time.
//!
//! Importing twice is harmless, so an import that was cut short is begun again: every event has an id, its
//! own or one made of its line, and the server records an id once. What is read goes to one of a few
//! lanes by its workspace; a lane has one request in flight, so that the events of a workspace are
//! recorded in the order in which they were read.

mod batch;
mod cloudtrail;
mod event;
mod lane;
mod lines;
mod rejects;
mod source;
mod tally;

use std::process::ExitCode;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::args::{Import, ImportFormat};
use crate::client::Client;
use crate::exit;
use crate::output::Output;
use crate::place::Place;

use batch::Batch;
use event::{Event, Item};
use lane::Lane;
use source::{Found, Source};
use tally::Tally;

/// Records the events of the files and says what became of them.
pub(crate) fn run(args: &Import, place: &Place, output: &Output) -> Result<ExitCode> {
    let client = place.client()?;
    let found = Found::at(&args.paths)?;
    let tally = Mutex::new(Tally::new(rejects::named(args), found.bytes()));
    let read = send_all(args, &client, &found, &tally);
    let tally = tally
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let so_far = tally.done.recorded + tally.done.duplicates;
    let tally = tally.closed()?;
    read.with_context(|| {
        format!("the import stopped; {so_far} events are recorded, and beginning it again records none of them twice")
    })?;
    finish(&tally, &found, output)
}

/// Reads everything and gives it to the lanes; ends when all of it was answered.
fn send_all(args: &Import, client: &Client, found: &Found, tally: &Mutex<Tally>) -> Result<()> {
    thread::scope(|scope| {
        let mut lanes = Vec::new();
        let mut running = Vec::new();
        for number in 0..usize::from(args.connections) {
            // One batch waits while one is in flight: the memory of a lane is two batches.
            let (sender, batches) = sync_channel(1);
            lanes.push(Filling {
                sender,
                batch: Batch::default(),
            });
            let mut lane = Lane::new(client, tally, number);
            running.push(scope.spawn(move || lane.run(batches)));
        }
        let read = read_all(args, found, tally, &mut lanes);
        drop(lanes);
        let mut ended = Ok(());
        for lane in running {
            let of_lane = lane
                .join()
                .unwrap_or_else(|_| Err(anyhow::anyhow!("a sender ended unexpectedly")));
            ended = ended.and(of_lane);
        }
        // A lane that gave up is why the reading stopped.
        ended.and(read)
    })
}

/// A lane and what is being collected for it.
struct Filling {
    sender: SyncSender<Batch>,
    batch: Batch,
}

impl Filling {
    fn push(&mut self, event: Event) -> Result<()> {
        if !self.batch.has_room_for(&event) {
            self.flush()?;
        }
        self.batch.push(event);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        self.sender.send(batch).context("a sender ended")
    }
}

fn read_all(
    args: &Import,
    found: &Found,
    tally: &Mutex<Tally>,
    lanes: &mut [Filling],
) -> Result<()> {
    let counter = tally::locked(tally).read_counter();
    for path in found.files() {
        let name: Arc<str> = path.display().to_string().into();
        let cannot = || format!("cannot read {name}");
        let mut source = Source::open(path, Arc::clone(&counter)).with_context(cannot)?;
        let is_cloudtrail = match args.format {
            ImportFormat::Auto => cloudtrail::is_one(source.begins().with_context(cannot)?),
            ImportFormat::Cloudtrail => true,
            ImportFormat::Ndjson => false,
        };
        let read = if is_cloudtrail {
            cloudtrail::read
        } else {
            lines::read
        };
        let workspace = args.workspace.as_deref();
        read(source, &name, workspace, &mut |item| match item {
            Item::Event(event) => lanes[event.lane(lanes.len())].push(event),
            other => tally::locked(tally).set_aside(&name, other),
        })?;
    }
    lanes.iter_mut().try_for_each(Filling::flush)
}

fn finish(tally: &Tally, found: &Found, output: &Output) -> Result<ExitCode> {
    let done = &tally.done;
    let rejects = (done.rejected > 0).then(|| tally.rejects_file());
    if output.is_json() {
        output.json(&json!({
            "recorded": done.recorded,
            "duplicates": done.duplicates,
            "skipped": done.skipped,
            "rejected": done.rejected,
            "workspaces_created": done.created,
            "actions_registered": done.actions,
            "files": found.files().len(),
            "files_without_records": done.empty_files,
            "files_of_other_kinds": found.others(),
            "seconds": tally.elapsed().as_secs_f64(),
            "rejects": rejects,
        }))?;
    } else {
        for line in summary(tally, found) {
            output.line(format_args!("{line}"))?;
        }
        if let Some(file) = rejects {
            output.line(format_args!(
                "Rejected {}; they are in {} with the reason.",
                counted(done.rejected, "event"),
                file.display()
            ))?;
        }
    }
    Ok(ExitCode::from(if done.rejected > 0 { exit::NO } else { 0 }))
}

fn summary(tally: &Tally, found: &Found) -> Vec<String> {
    let done = &tally.done;
    let seconds = tally.elapsed().as_secs_f64();
    let answered = done.recorded + done.duplicates;
    let mut lines = vec![format!(
        "Recorded {}, {} had been recorded before; {seconds:.1} s, {} a second.",
        counted(done.recorded, "event"),
        done.duplicates,
        tally::per_second(answered, seconds),
    )];
    let mut also = |n: u64, text: String| {
        if n > 0 {
            lines.push(text);
        }
    };
    also(
        done.created,
        format!("Created {}.", counted(done.created, "workspace")),
    );
    also(
        done.actions,
        format!("Made {} known.", counted(done.actions, "action")),
    );
    also(
        done.skipped,
        format!(
            "Skipped {} about the log itself (audit_log.…).",
            counted(done.skipped, "event")
        ),
    );
    also(
        done.empty_files,
        format!(
            "{} had no records (digests, for example).",
            counted(done.empty_files, "file")
        ),
    );
    also(
        found.others(),
        format!(
            "Left out {} of other kinds (not .json, .ndjson, .jsonl, or these with .gz or .zst).",
            counted(found.others(), "file")
        ),
    );
    lines
}

fn counted(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}
