//! `annals import`: events from a file, in batches.
//!
//! Importing twice is harmless: events keep their ids, and each batch is retried under one
//! idempotency key, so that events without an id are not doubled by a lost answer.

mod batch;
mod lines;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::args::Import;
use crate::client::{Client, encoded};
use crate::exit::{self, Refused};
use crate::output::Output;
use crate::place::Place;
use crate::progress::Progress;

use batch::{Batch, Outcome};
use lines::{Line, Lines};

/// Records the events of the file and says what became of them.
pub(crate) fn run(args: &Import, place: &Place, output: &Output) -> Result<ExitCode> {
    let client = place.client()?;
    let (reader, length) = open(args)?;
    let mut import = Running {
        client,
        known: HashSet::new(),
        rejects: Rejects::new(args),
        done: Counts::default(),
        batches: 0,
    };
    let mut progress = Progress::new("Read", length);
    let mut lines = Lines::new(reader, args.workspace.clone());
    let mut batch = Batch::default();
    while let Some(line) = lines
        .next()
        .with_context(|| format!("cannot read {}", args.file.display()))?
    {
        match line {
            Line::Event(event) => {
                if !batch.has_room_for(&event) {
                    import.send(std::mem::take(&mut batch))?;
                    progress.at(lines.bytes(), "bytes");
                }
                batch.push(event);
            }
            Line::OfTheLog => import.done.skipped += 1,
            Line::Unreadable { number, text, why } => {
                import.reject(number, &text, json!({"message": why}))?
            }
        }
    }
    import.send(batch)?;
    progress.done();
    import.finish(output)
}

fn open(args: &Import) -> Result<(Box<dyn BufRead>, Option<u64>)> {
    if args.file.as_os_str() == "-" {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let file =
        File::open(&args.file).with_context(|| format!("cannot open {}", args.file.display()))?;
    let length = file.metadata().ok().map(|m| m.len());
    Ok((Box::new(BufReader::with_capacity(1 << 18, file)), length))
}

#[derive(Default)]
struct Counts {
    recorded: u64,
    duplicates: u64,
    skipped: u64,
    rejected: u64,
    created: u64,
}

struct Running {
    client: Client,
    /// Workspaces that exist, or whose creation was tried.
    known: HashSet<String>,
    rejects: Rejects,
    done: Counts,
    batches: u64,
}

impl Running {
    fn send(&mut self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        for workspace in batch.workspaces() {
            if !self.known.contains(workspace) {
                self.ensure(workspace)?;
                self.known.insert(workspace.to_owned());
            }
        }
        self.batches += 1;
        for (event, outcome) in batch.send(&self.client, self.batches)? {
            match outcome {
                Outcome::Recorded => self.done.recorded += 1,
                Outcome::Duplicate => self.done.duplicates += 1,
                Outcome::Rejected(problem) => self.reject(event.number, &event.text, problem)?,
            }
        }
        Ok(())
    }

    /// Creates a workspace that does not exist. A key that may not do that leaves it to the server to
    /// refuse the events.
    fn ensure(&mut self, workspace: &str) -> Result<()> {
        let refused = |error: &anyhow::Error| error.downcast_ref::<Refused>().map(|r| r.status);
        match self
            .client
            .get(&format!("/organizations/{}", encoded(workspace)))
        {
            Ok(_) => Ok(()),
            Err(error) if refused(&error) == Some(404) => {
                match self.client.post(
                    "/organizations",
                    &json!({"id": workspace, "name": workspace}),
                ) {
                    Ok(_) => {
                        self.done.created += 1;
                        Ok(())
                    }
                    Err(error) if refused(&error).is_some_and(|s| s != 401) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Err(error) if refused(&error) == Some(403) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn reject(&mut self, number: u64, text: &str, problem: Value) -> Result<()> {
        self.done.rejected += 1;
        self.rejects.write(number, text, problem)
    }

    fn finish(mut self, output: &Output) -> Result<ExitCode> {
        self.rejects.close()?;
        let done = &self.done;
        let rejects = (done.rejected > 0).then_some(&self.rejects.file);
        if output.is_json() {
            output.json(&json!({
                "recorded": done.recorded,
                "duplicates": done.duplicates,
                "skipped": done.skipped,
                "rejected": done.rejected,
                "workspaces_created": done.created,
                "rejects": rejects,
            }))?;
        } else {
            output.line(format_args!(
                "Recorded {}, {} had been recorded before.",
                events(done.recorded),
                done.duplicates
            ))?;
            if done.created > 0 {
                output.line(format_args!(
                    "Created {}.",
                    counted(done.created, "workspace")
                ))?;
            }
            if done.skipped > 0 {
                output.line(format_args!(
                    "Skipped {} about the log itself (audit_log.…).",
                    events(done.skipped)
                ))?;
            }
            if let Some(file) = rejects {
                output.line(format_args!(
                    "Rejected {}; they are in {} with the reason.",
                    events(done.rejected),
                    file.display()
                ))?;
            }
        }
        Ok(ExitCode::from(if done.rejected > 0 { exit::NO } else { 0 }))
    }
}

fn events(n: u64) -> String {
    counted(n, "event")
}

fn counted(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

/// Where rejected lines go; the file is only made when there are any.
struct Rejects {
    file: PathBuf,
    writer: Option<BufWriter<File>>,
}

impl Rejects {
    fn new(args: &Import) -> Rejects {
        let file = args.rejects.clone().unwrap_or_else(|| {
            if args.file.as_os_str() == "-" {
                PathBuf::from("rejected.ndjson")
            } else {
                let mut name = args.file.clone().into_os_string();
                name.push(".rejected.ndjson");
                PathBuf::from(name)
            }
        });
        Rejects { file, writer: None }
    }

    /// The line as it came, with the reason beside it: corrected, it can be imported as it is.
    fn write(&mut self, number: u64, text: &str, problem: Value) -> Result<()> {
        let cannot = |file: &PathBuf| format!("cannot write {}", file.display());
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let file = File::create(&self.file).with_context(|| cannot(&self.file))?;
                self.writer.insert(BufWriter::new(file))
            }
        };
        let mut line = match serde_json::from_str(text) {
            Ok(Value::Object(line)) => line,
            _ => serde_json::Map::from_iter([("text".to_owned(), json!(text))]),
        };
        line.insert(
            "rejected".to_owned(),
            json!({"line": number, "problem": problem}),
        );
        writeln!(writer, "{}", Value::Object(line)).with_context(|| cannot(&self.file))
    }

    fn close(&mut self) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer
                .flush()
                .with_context(|| format!("cannot write {}", self.file.display())),
            None => Ok(()),
        }
    }
}
