//! `annals verify`: a proof file, offline.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;

use annals_merkle::VerifyingKey;
use annals_proof::{Failure, Report, Signer};
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::args::Verify;
use crate::exit;
use crate::output::Output;

/// Checks the file and says what it shows.
pub(crate) fn run(args: &Verify, output: &Output) -> Result<ExitCode> {
    let key = match &args.vkey {
        Some(text) => Some(
            text.trim()
                .parse::<VerifyingKey>()
                .context("--key is not the text of a key, as `annals workspace show` prints it")?,
        ),
        None => None,
    };
    let reader: Box<dyn BufRead> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&args.file)
            .with_context(|| format!("cannot open {}", args.file.display()))?;
        Box::new(BufReader::with_capacity(1 << 18, file))
    };
    match annals_proof::verify(reader, key.as_ref()) {
        Ok(report) => valid(&report, output),
        Err(Failure::Io(error)) => {
            Err(error).with_context(|| format!("cannot read {}", args.file.display()))
        }
        Err(failure) => refused(&failure, output),
    }
}

fn valid(report: &Report, output: &Output) -> Result<ExitCode> {
    let checked = report.signer == Signer::Checked;
    if output.is_json() {
        output.json(&json!({
            "valid": true,
            "signer": if checked { "checked" } else { "not_checked" },
            "log": report.log,
            "from": report.from,
            "to": report.to,
            "entries": report.entries,
            "redacted": report.redacted,
            "entries_blanked": report.entries_blanked,
            "sections_shown": report.sections_shown,
            "sections_blanked": report.sections_blanked,
            "recorded_from": report.recorded.map(|(from, _)| from.to_string()),
            "recorded_to": report.recorded.map(|(_, to)| to.to_string()),
            "size": report.size,
            "root": STANDARD.encode(report.root),
            "vkey": report.vkey,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if checked {
        output.line(format_args!(
            "{}  signed by the key that you gave",
            output.good("VALID")
        ))?;
    } else {
        output.line(format_args!(
            "{}  consistent, signer not checked (give the log's key with --key)",
            output.good("VALID")
        ))?;
    }
    output.line(format_args!("log        {}", report.log))?;
    let range = if report.to > report.from {
        format!(
            "{} to {}, all of them and no others",
            report.from,
            report.to - 1
        )
    } else {
        "none".to_owned()
    };
    output.line(format_args!("positions  {range}"))?;
    output.line(format_args!("entries    {}", entries(report)))?;
    output.line(format_args!("sections   {}", sections(report)))?;
    if let Some((from, to)) = report.recorded {
        output.line(format_args!("recorded   {from} to {to}"))?;
    }
    output.line(format_args!(
        "checkpoint size {}, root {}",
        report.size,
        STANDARD.encode(report.root)
    ))?;
    output.line(format_args!("key        {}", report.vkey))?;
    Ok(ExitCode::SUCCESS)
}

fn entries(report: &Report) -> String {
    match report.redacted {
        0 => format!("{} shown", report.entries),
        n => format!(
            "{} shown, {n} redacted (only their hashes are in the file)",
            report.entries
        ),
    }
}

fn sections(report: &Report) -> String {
    match report.sections_blanked {
        0 => format!("{} shown, none withheld", report.sections_shown),
        n => format!(
            "{} shown, {n} erased or withheld in {} entries",
            report.sections_shown, report.entries_blanked
        ),
    }
}

fn refused(failure: &Failure, output: &Output) -> Result<ExitCode> {
    let (word, code, line, position) = match failure {
        Failure::Incomplete { line, position } => ("INCOMPLETE", exit::INCOMPLETE, line, position),
        Failure::Invalid { line, position, .. } => ("NOT VALID", exit::NO, line, position),
        Failure::Io(_) => return Ok(ExitCode::from(exit::COULD_NOT_RUN)),
    };
    if output.is_json() {
        output.json(&json!({
            "valid": false,
            "incomplete": code == exit::INCOMPLETE,
            "line": line,
            "position": position.map_or(Value::Null, Value::from),
            "why": failure.to_string(),
        }))?;
    } else {
        output.line(format_args!("{}  {failure}", output.bad(word)))?;
        if let Some(position) = position {
            output.line(format_args!("first bad position: {position}"))?;
        }
    }
    Ok(ExitCode::from(code))
}
