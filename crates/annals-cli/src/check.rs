//! `annals check`: everything on the disk, read again and hashed again.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::args::Check;
use crate::exit;
use crate::object_store;
use crate::output::Output;
use crate::place::Place;
use crate::progress::Progress;

/// Checks the data directory, beside a running server too.
pub(crate) fn run(args: &Check, place: &Place, output: &Output) -> Result<ExitCode> {
    let data = place.data()?;
    if !data.join("annals.db").exists() {
        bail!(
            "there is no data of Annals in {}; name the directory with --data",
            data.display()
        );
    }
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
            .map(
                |p| json!({"group": p.group, "segment": p.segment, "log": p.log, "position": p.position, "what": p.what}),
            )
            .collect();
        output.json(&json!({
            "ok": is_sound,
            "groups": report.groups,
            "segments": report.segments,
            "logs": report.logs,
            "entries": report.entries,
            "problems": problems,
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
                let log = problem.log.as_deref().unwrap_or("-");
                let position = problem.position.map_or("-".to_owned(), |p| p.to_string());
                let place = match problem.segment {
                    Some(segment) => format!("segment {segment}"),
                    None => format!("group {}", problem.group),
                };
                output.line(format_args!(
                    "{place}, log {log}, position {position}: {}",
                    problem.what
                ))?;
            }
            output
                .remark("Do not delete anything. Copy the directory before you try to repair it.");
        }
    }
    Ok(ExitCode::from(if is_sound { 0 } else { exit::NO }))
}
