//! Files of lines, an event in each.

use std::borrow::Cow;
use std::io::{self, BufRead, Read as _};
use std::sync::Arc;

use annals_event::limits;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::event::{Event, Item, id_of_line};
use super::source::Source;

/// A longer line is not kept in memory, and not in the reject file either.
const LINE_MAX: u64 = 16 << 20;

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

/// Whether there is an id, if only `null`, which the server refuses.
#[derive(Deserialize)]
struct Id {
    #[serde(default, rename = "id", deserialize_with = "given")]
    is_given: bool,
}

fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Gives every line that is not empty to `take`. With a workspace, lines are bare events of it or name
/// another that is not heeded; else each names its own.
pub(super) fn read(
    source: Source,
    file: &Arc<str>,
    workspace: Option<&str>,
    take: &mut dyn FnMut(Item) -> Result<()>,
) -> Result<()> {
    let mut lines = Lines::new(source);
    while let Some((number, line)) = lines
        .next()
        .with_context(|| format!("cannot read {file}"))?
    {
        take(match line {
            Ok(text) => item(file, number, &text, workspace),
            Err(why) => Item::Unreadable {
                number,
                text: String::new(),
                why,
            },
        })?;
    }
    Ok(())
}

fn item(file: &Arc<str>, number: u64, text: &str, workspace: Option<&str>) -> Item {
    let unreadable = |why: String| Item::Unreadable {
        number,
        text: text.to_owned(),
        why,
    };
    let envelope = serde_json::from_str::<Envelope<'_>>(text);
    let (workspace, event) = match (workspace, envelope) {
        // What was exported may be imported into another workspace.
        (Some(workspace), Ok(envelope)) => (workspace.to_owned(), envelope.event.get()),
        (Some(workspace), Err(_)) => match serde_json::from_str::<&RawValue>(text) {
            Ok(event) => (workspace.to_owned(), event.get()),
            Err(error) => return unreadable(format!("not JSON: {error}")),
        },
        (None, Ok(envelope)) => (envelope.organization_id.into_owned(), envelope.event.get()),
        (None, Err(error)) => {
            let why = format!("not a line {{\"organization_id\", \"event\"}}: {error}");
            return unreadable(why);
        }
    };
    if let Some(why) = too_large(event) {
        return unreadable(why);
    }
    if serde_json::from_str::<Action<'_>>(event).is_ok_and(|a| a.action.starts_with("audit_log.")) {
        return Item::OfTheLog;
    }
    let event = with_id(number, event);
    Item::Event(Event::new(Arc::clone(file), number, workspace, &event))
}

/// Why an event is not even sent: a request that it does not fit into would take others with it.
pub(super) fn too_large(event: &str) -> Option<String> {
    (event.len() > limits::EVENT_BYTES).then(|| {
        format!(
            "the event has {} bytes, the limit is {}",
            event.len(),
            limits::EVENT_BYTES
        )
    })
}

/// The event with an id: its own, or one made of its line.
fn with_id(number: u64, event: &str) -> Cow<'_, str> {
    let Ok(Id { is_given: false }) = serde_json::from_str(event) else {
        return Cow::Borrowed(event);
    };
    let Some(members) = event.trim().strip_prefix('{') else {
        return Cow::Borrowed(event);
    };
    let id = id_of_line(number, event);
    let comma = if members.trim() == "}" { "" } else { "," };
    Cow::Owned(format!("{{\"id\":\"{id}\"{comma}{members}"))
}

/// Reads lines with bounded memory.
pub(super) struct Lines<R> {
    reader: R,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Lines<R> {
        Lines { reader, number: 0 }
    }

    /// The next line that is not empty with its number from 1, or why it is none; nothing at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Result<String, String>)>> {
        loop {
            let mut bytes = Vec::new();
            let read = (&mut self.reader)
                .take(LINE_MAX)
                .read_until(b'\n', &mut bytes)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if bytes.last() != Some(&b'\n') && u64::try_from(read).unwrap_or(0) == LINE_MAX {
                self.skip_rest()?;
                let why = format!("the line is longer than {LINE_MAX} bytes");
                return Ok(Some((self.number, Err(why))));
            }
            let text = String::from_utf8_lossy(&bytes);
            // A byte order mark before the first line is no part of it.
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                return Ok(Some((self.number, Ok(text.to_owned()))));
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
            if over {
                return Ok(());
            }
        }
    }
}
