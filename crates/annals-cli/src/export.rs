//! `annals export`: the log as a file. The file appears under its name when it is complete.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::args::{Compress, Export, Format, Order};
use crate::client::with_query;
use crate::output::Output;
use crate::place::Place;
use crate::progress::{Progress, bytes};

/// Saves the file.
pub(crate) fn run(args: &Export, place: &Place, output: &Output) -> Result<ExitCode> {
    let path = path(args)?;
    let to_stdout = args.output.as_os_str() == "-";
    if to_stdout && is_binary(args) && io::stdout().is_terminal() {
        bail!(
            "this file is not text, and would not be readable on a terminal; name a file with --output, or write to a pipe"
        );
    }
    let client = place.client()?;
    let (length, mut reader) = client.download(&path)?;
    let mut progress = Progress::new("Saved", length);
    if to_stdout {
        copy(&mut reader, &mut io::stdout().lock(), &mut progress)?;
        return Ok(ExitCode::SUCCESS);
    }
    let written = save(&mut reader, &args.output, &mut progress)?;
    progress.done();
    if output.is_json() {
        output.json(
            &json!({"file": args.output, "format": args.format.as_str(), "bytes": written}),
        )?;
    } else {
        output.line(format_args!(
            "Saved {} ({})",
            args.output.display(),
            bytes(written)
        ))?;
        if args.format == Format::Proof {
            output.remark(format_args!(
                "Anybody can check it, offline:  {} verify {}",
                crate::output::program(),
                args.output.display()
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn path(args: &Export) -> Result<String> {
    let workspace = Some(args.selection.workspace.as_str());
    let positions = [args.from_position, args.to_position].map(|p| p.map(|n| n.to_string()));
    if args.format == Format::Proof {
        if args
            .compress
            .is_some_and(|compress| compress != Compress::None)
        {
            bail!("a proof file is not packed, so that everybody can read it; pack it afterwards");
        }
        if args.query.is_some() || args.selection.from.is_some() || args.selection.to.is_some() {
            bail!(
                "a proof file is a range of positions (--from-position, --to-position): that nothing is left out can be proved of a range, not of a search"
            );
        }
        return Ok(with_query(
            "/audit_logs/events.proof",
            &[
                ("organization_id", workspace),
                ("from", positions[0].as_deref()),
                ("to", positions[1].as_deref()),
            ],
        ));
    }
    if positions.iter().any(Option::is_some) {
        bail!(
            "--from-position and --to-position are for proof files; use --query 'position:100..200'"
        );
    }
    if args.format == Format::Parquet && compress(args) != Compress::None {
        bail!(
            "a Parquet file is packed in itself: leave out --compress, and call the file .parquet"
        );
    }
    let query = crate::query::selected(args.query.as_deref(), &args.selection)?;
    // The table of the page is newest first; what is imported is recorded in the order of its lines.
    let order = args.order.unwrap_or(match args.format {
        Format::Ndjson => Order::Asc,
        Format::Csv | Format::Parquet | Format::Proof => Order::Desc,
    });
    Ok(with_query(
        &format!("/audit_logs/events.{}", args.format.as_str()),
        &[
            ("organization_id", workspace),
            ("q", query.as_deref()),
            ("order", Some(order.as_str())),
            (
                "compress",
                Some(compress(args).as_str()).filter(|word| *word != "none"),
            ),
            (
                "bom",
                Some("1").filter(|_| args.bom && args.format == Format::Csv),
            ),
        ],
    ))
}

fn is_binary(args: &Export) -> bool {
    args.format == Format::Parquet || compress(args) != Compress::None
}

/// What was asked for, else what the name promises.
fn compress(args: &Export) -> Compress {
    args.compress
        .unwrap_or_else(|| match args.output.extension().and_then(|e| e.to_str()) {
            Some("gz") => Compress::Gzip,
            Some("zst" | "zstd") => Compress::Zstd,
            _ => Compress::None,
        })
}

/// Writes a file beside `target`, syncs it and gives it its name; what is cut short leaves nothing.
fn save(reader: &mut impl Read, target: &Path, progress: &mut Progress) -> Result<u64> {
    let part = beside(target)?;
    let mut whole = || -> Result<u64> {
        let mut file =
            File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        let written = copy(reader, &mut file, progress)?;
        file.sync_all()
            .with_context(|| format!("cannot write {}", part.display()))?;
        fs::rename(&part, target).with_context(|| format!("cannot write {}", target.display()))?;
        Ok(written)
    };
    let saved = whole();
    if saved.is_err() {
        let _ = fs::remove_file(&part);
    }
    saved
}

/// A name in the same directory that nobody else uses.
fn beside(target: &Path) -> Result<PathBuf> {
    let name = target
        .file_name()
        .context("--output must name a file, or be `-`")?;
    let mut part = std::ffi::OsString::from(".");
    part.push(name);
    part.push(format!(".part-{}", std::process::id()));
    Ok(target.with_file_name(part))
}

fn copy(reader: &mut impl Read, writer: &mut impl Write, progress: &mut Progress) -> Result<u64> {
    let mut buffer = vec![0; 1 << 16];
    let mut written = 0;
    loop {
        let read = match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(error).context("the server cut the download short; nothing was saved");
            }
        };
        writer.write_all(&buffer[..read])?;
        written += u64::try_from(read).unwrap_or(0);
        progress.at(written, "bytes");
    }
    writer.flush()?;
    Ok(written)
}
