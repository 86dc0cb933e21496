//! `annals backup` and `annals restore`: copies of an installation, beside the server.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use annals_server::Config;
use annals_store::{BackupOptions, CopyProgress};
use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::args::{Backup, Restore};
use crate::directory::operator_toml;
use crate::exit;
use crate::object_store;
use crate::output::Output;
use crate::place::Place;
use crate::progress::{Progress, bytes};

/// Copies the data directory, beside a running server too.
pub(crate) fn run(args: &Backup, place: &Place, output: &Output) -> Result<ExitCode> {
    let data = place.data_there()?;
    let options = BackupOptions {
        settings: settings_to_keep(&data)?,
        keys: args.keys.clone(),
        verify: args.verify,
    };
    let mut progress = None;
    let bucket = object_store::of(&data, &args.segments)?;
    let report = annals_store::backup(&data, bucket.as_ref(), &args.folder, &options, &mut |at| {
        show(&mut progress, "Copied", at);
    });
    drop(progress);
    let report = report.context("there is no new backup")?;
    let is_whole = report.damaged.is_empty();
    if output.is_json() {
        output.json(&json!({
            "ok": is_whole,
            "group": report.group,
            "segments": report.segments,
            "bytes": report.bytes,
            "copied": report.copied,
            "damaged": report.damaged,
        }))?;
    } else {
        let folder = args.folder.display();
        output.line(format_args!(
            "{}  {folder} holds everything up to commit group {}: {}, of which {} were copied now",
            if is_whole {
                output.good("OK")
            } else {
                output.bad("DAMAGED")
            },
            report.group,
            bytes(report.bytes),
            bytes(report.copied),
        ))?;
        for path in &report.damaged {
            output.line(format_args!(
                "{path} is damaged in the installation, and so in the backup"
            ))?;
        }
        if args.keys.is_none() {
            output.remark(
                "The signing key is not in it: keep keys/signing.key elsewhere (--keys FILE copies it).",
            );
        }
    }
    Ok(ExitCode::from(if is_whole { 0 } else { exit::NO }))
}

/// Makes a data directory of a backup.
pub(crate) fn restore(args: &Restore, place: &Place, output: &Output) -> Result<ExitCode> {
    let data = place.data()?;
    let mut progress = None;
    let restored = annals_store::restore(
        &args.folder,
        &data,
        args.keys.as_deref(),
        args.accept_damage,
        &mut |at| show(&mut progress, "Restored", at),
    );
    drop(progress);
    let restored = restored.context("nothing was restored")?;
    let (report, damaged) = (&restored.report, &restored.damaged);
    let is_whole = damaged.is_empty() && report.problems.is_empty();
    if output.is_json() {
        output.json(&json!({
            "ok": is_whole,
            "data": data,
            "origin": restored.origin,
            "made_at": restored.made_at,
            "logs": report.logs,
            "entries": report.entries,
            "segments": report.segments,
            "has_key": restored.has_key,
            "damaged": damaged,
            "problems": report.problems.len(),
        }))?;
    } else {
        output.line(format_args!(
            "{}  {}: {} entries in {} logs, as of {}",
            if is_whole {
                output.good("OK")
            } else {
                output.bad("DAMAGED")
            },
            data.display(),
            report.entries,
            report.logs,
            restored.made_at,
        ))?;
        for what in damaged {
            output.line(what)?;
        }
        for problem in &report.problems {
            output.line(crate::check::line(problem))?;
        }
        if !restored.has_key {
            output.remark(format_args!(
                "The signing key is not in place: put it at {} (0600) before the server is started.",
                data.join("keys/signing.key").display()
            ));
        }
        output.remark("It must not run beside the installation that it is a copy of.");
    }
    Ok(ExitCode::from(if is_whole { 0 } else { exit::NO }))
}

fn show(progress: &mut Option<Progress>, what: &'static str, at: CopyProgress) {
    let progress =
        progress.get_or_insert_with(|| Progress::new(what, Some(at.total)).in_lines_too());
    progress.at(at.done, "bytes");
}

/// The settings, as they were written, without the section that holds the key of this machine's commands, and without the
/// one that names the object store: it belongs to the original, and what is restored lies on the disk.
fn settings_to_keep(data: &Path) -> Result<Option<String>> {
    let file = operator_toml(data);
    if !file.exists() {
        return Ok(None);
    }
    let text =
        fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut kept = String::with_capacity(text.len());
    let mut is_left_out = false;
    for line in text.lines() {
        let line_begins = |section: &str| line.trim_start().starts_with(section);
        if line_begins("[") {
            is_left_out = line_begins("[operator]") || line_begins("[segments]");
        }
        if !is_left_out {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    // However it was written: no key goes into a backup.
    let config = Config::parse(&kept).with_context(|| format!("{}", file.display()))?;
    if config.operator.is_some() {
        bail!(
            "{} has its key outside of a section [operator], where it cannot be left out; write it as the first start does",
            file.display()
        );
    }
    Ok(Some(kept))
}
