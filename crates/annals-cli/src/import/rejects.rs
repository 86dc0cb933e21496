//! Where what cannot be recorded goes; the file is only made when there is some.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::args::Import;

pub(super) struct Rejects {
    file: PathBuf,
    writer: Option<BufWriter<File>>,
}

/// The file that was asked for, or one beside what is imported.
pub(super) fn named(args: &Import) -> Rejects {
    let file = args
        .rejects
        .clone()
        .unwrap_or_else(|| match args.paths.as_slice() {
            [only] if only.as_os_str() != "-" => {
                // Without a slash at the end, so that it lies beside a directory and not in it.
                let mut name = only.components().as_path().as_os_str().to_owned();
                name.push(".rejected.ndjson");
                PathBuf::from(name)
            }
            _ => PathBuf::from("rejected.ndjson"),
        });
    Rejects { file, writer: None }
}

impl Rejects {
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The text as it stood, byte for byte, with the reason as one more member: corrected, it can be imported
    /// as it is.
    pub(super) fn write(&mut self, text: &str, reason: &Value) -> Result<()> {
        let cannot = |file: &PathBuf| format!("cannot write {}", file.display());
        let writer = match &mut self.writer {
            Some(writer) => writer,
            None => {
                let file = File::create(&self.file).with_context(|| cannot(&self.file))?;
                self.writer.insert(BufWriter::new(file))
            }
        };
        writeln!(writer, "{}", with_reason(text, reason)).with_context(|| cannot(&self.file))
    }

    pub(super) fn close(&mut self) -> Result<()> {
        match &mut self.writer {
            Some(writer) => writer
                .flush()
                .with_context(|| format!("cannot write {}", self.file.display())),
            None => Ok(()),
        }
    }
}

fn with_reason(text: &str, reason: &Value) -> String {
    let text = text.trim();
    let is_object = text.starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok();
    if !is_object {
        let text = Value::from(text);
        return format!("{{\"text\":{text},\"rejected\":{reason}}}");
    }
    let members = text[1..text.len() - 1].trim();
    let comma = if members.is_empty() { "" } else { "," };
    // Line ends stand only between tokens of JSON.
    let members = members.replace(['\n', '\r'], " ");
    format!("{{{members}{comma}\"rejected\":{reason}}}")
}
