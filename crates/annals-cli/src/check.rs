//! `annals check`: everything on the disk, read again and hashed again.

use std::process::ExitCode;

use annals_store::CheckProblem;
use anyhow::{Context as _, Result};
use serde_json::json;

use crate::args::Check;
use crate::exit;
use crate::object_store;
use crate::output::Output;
use crate::place::Place;
use crate::progress::Progress;

/// Checks the data directory, beside a running server too.
pub(crate) fn run(args: &Check, place: &Place, output: &Output) -> Result<ExitCode> {
    let data = place.data_there()?;
    let mut progress: Option<Progress> = None;
    let bucket = object_store::of(&data, &args.segments)?;
    let report = annals_store::check_with(&data, bucket, &mut |at| {
        let progress = progress.get_or_insert_with(|| Progress::new("Checked", Some(at.groups)));
        progress.at(at.groups_done, "groups");
    })
    .with_context(|| format!("cannot read {}", data.display()))?;
    drop(progress);
    let is_sound = report.problems.is_empty();
    if output.is_json() {
        let problems: Vec<_> = report
            .problems
            .iter()
            .map(|p| {
                json!({
                    "group": p.group,
                    "segment": p.segment,
                    "file": p.file,
                    "rows": p.rows.as_ref().map(|rows| [rows.start, rows.end]),
                    "log": p.log,
                    "position": p.position,
                    "end": p.end,
                    "what": p.what,
                })
            })
            .collect();
        output.json(&json!({
            "ok": is_sound,
            "groups": report.groups,
            "segments": report.segments,
            "logs": report.logs,
            "entries": report.entries,
            "problems": problems,
            "quarantined": report.quarantined.len(),
        }))?;
    } else {
        let read = format!(
            "{} entries in {} logs, {} commit groups, {} segments",
            report.entries, report.logs, report.groups, report.segments
        );
        if is_sound {
            output.line(format_args!(
                "{}  {read}: everything is as it was committed",
                output.good("OK")
            ))?;
        } else {
            output.line(format_args!("{}  {read}", output.bad("DAMAGED")))?;
            for problem in &report.problems {
                output.line(line(problem))?;
            }
            output
                .remark("Do not delete anything. Copy the directory before you try to repair it.");
        }
    }
    if !report.quarantined.is_empty() && !output.is_json() {
        output.remark(format_args!(
            "{} stretches are in quarantine: `annals quarantine` lists them.",
            report.quarantined.len()
        ));
    }
    Ok(ExitCode::from(if is_sound { 0 } else { exit::NO }))
}

/// A problem, for a person: where, and what.
pub(crate) fn line(problem: &CheckProblem) -> String {
    let mut place = match (&problem.file, problem.segment) {
        (Some(file), _) => file.clone(),
        (None, Some(segment)) => format!("segment {segment}"),
        (None, None) => format!("group {}", problem.group),
    };
    if let Some(rows) = &problem.rows {
        place.push_str(&format!(
            ", rows {} to {}",
            rows.start,
            rows.end.saturating_sub(1)
        ));
    }
    if let Some(log) = &problem.log {
        place.push_str(&format!(", log {log}"));
    }
    match (problem.position, problem.end) {
        (Some(first), Some(end)) => {
            place.push_str(&format!(", positions {first} to {}", end.saturating_sub(1)));
        }
        (Some(first), None) => place.push_str(&format!(", position {first}")),
        _ => {}
    }
    format!("{place}: {}", problem.what)
}
