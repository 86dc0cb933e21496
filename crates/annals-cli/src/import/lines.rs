//! The lines of the file to import.

use std::borrow::Cow;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde_json::value::RawValue;

/// A line that is longer holds no event that could be recorded.
const LINE_MAX: u64 = 1 << 20;

/// An event and where it came from.
pub(super) struct Event {
    /// The line, from 1.
    pub(super) number: u64,
    /// `{"organization_id", "event"}`, on one line.
    pub(super) text: String,
    /// The workspace.
    pub(super) workspace: String,
}

/// What a line turned out to be.
pub(super) enum Line {
    Event(Event),
    /// An event about the log itself, which belongs to the log that it was in.
    OfTheLog,
    Unreadable {
        number: u64,
        text: String,
        why: String,
    },
}

/// Reads lines with bounded memory.
pub(super) struct Lines<R> {
    reader: R,
    workspace: Option<String>,
    number: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    organization_id: Cow<'a, str>,
    #[serde(borrow)]
    event: &'a RawValue,
}

#[derive(Deserialize)]
struct Action<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
}

impl<R: BufRead> Lines<R> {
    /// With a workspace, lines are bare events of it; else each names its own.
    pub(super) fn new(reader: R, workspace: Option<String>) -> Lines<R> {
        Lines {
            reader,
            workspace,
            number: 0,
            bytes: 0,
        }
    }

    /// How much was read.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line that is not empty; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let mut bytes = Vec::new();
            let read = io::Read::take(&mut self.reader, LINE_MAX).read_until(b'\n', &mut bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            self.bytes += u64::try_from(read).unwrap_or(0);
            if bytes.last() != Some(&b'\n') && u64::try_from(read).unwrap_or(0) == LINE_MAX {
                self.skip_rest()?;
                let why = format!("the line is longer than {LINE_MAX} bytes");
                return Ok(Some(Line::Unreadable {
                    number: self.number,
                    text: String::new(),
                    why,
                }));
            }
            let text = String::from_utf8_lossy(&bytes);
            // A byte order mark before the first line is no part of it.
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                return Ok(Some(self.read(text)));
            }
        }
    }

    fn skip_rest(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.reader.fill_buf()?;
            let end = buffer.iter().position(|b| *b == b'\n');
            let used = end.map_or(buffer.len(), |n| n + 1);
            let over = end.is_some() || buffer.is_empty();
            self.reader.consume(used);
            self.bytes += u64::try_from(used).unwrap_or(0);
            if over {
                return Ok(());
            }
        }
    }

    fn read(&self, text: &str) -> Line {
        let number = self.number;
        let unreadable = |why: String| Line::Unreadable {
            number,
            text: text.to_owned(),
            why,
        };
        let (workspace, event) = match &self.workspace {
            // What was exported may be imported into another workspace.
            Some(workspace) => match serde_json::from_str::<Envelope<'_>>(text) {
                Ok(envelope) => (workspace.clone(), envelope.event.get().to_owned()),
                Err(_) => match serde_json::from_str::<&RawValue>(text) {
                    Ok(event) => (workspace.clone(), event.get().to_owned()),
                    Err(error) => return unreadable(format!("not JSON: {error}")),
                },
            },
            None => match serde_json::from_str::<Envelope<'_>>(text) {
                Ok(envelope) => (
                    envelope.organization_id.into_owned(),
                    envelope.event.get().to_owned(),
                ),
                Err(error) => {
                    return unreadable(format!(
                        "not a line {{\"organization_id\", \"event\"}}: {error}"
                    ));
                }
            },
        };
        if serde_json::from_str::<Action<'_>>(&event)
            .is_ok_and(|a| a.action.starts_with("audit_log."))
        {
            return Line::OfTheLog;
        }
        let name = serde_json::Value::from(workspace.as_str());
        let text = format!("{{\"organization_id\":{name},\"event\":{event}}}");
        Line::Event(Event {
            number,
            text,
            workspace,
        })
    }
}
