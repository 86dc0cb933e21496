//! Record files of AWS CloudTrail: `{"Records":[…]}` as they lie in a bucket, or a record in each line.
//!
//! What becomes of a record is in [`record`]; nothing of it is lost, as `docs/cloudtrail.md` shows.

mod record;
mod stream;
mod targets;

use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::event::{Event, Item};
use super::lines::{Lines, too_large};
use super::source::Source;
use record::{NotOne, Record};

/// Whether a file that begins so is one of CloudTrail's.
pub(super) fn is_one(begins: &[u8]) -> bool {
    let text = String::from_utf8_lossy(begins);
    let Some(members) = first_object(&text) else {
        return false;
    };
    if members.starts_with("\"Records\"") {
        return true;
    }
    let line = members.lines().next().unwrap_or_default();
    let has = |name: &str| line.contains(&format!("\"{name}\""));
    let is_digest = has("digestStartTime") && has("logFiles");
    let is_record = has("eventSource") && has("eventName");
    (is_record || is_digest) && !has("organization_id")
}

/// What stands behind the first brace.
fn first_object(text: &str) -> Option<&str> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    Some(text.strip_prefix('{')?.trim_start())
}

/// Gives every record to `take` as an event. Without a workspace, each account is one: `aws-` and the id of
/// the account that received the record.
pub(super) fn read(
    mut source: Source,
    file: &Arc<str>,
    workspace: Option<&str>,
    take: &mut dyn FnMut(Item) -> Result<()>,
) -> Result<()> {
    let cannot = || format!("cannot read {file}");
    let begins = source.begins().with_context(cannot)?;
    if has_one_line(begins) {
        let mut lines = Lines::new(source);
        while let Some((number, line)) = lines.next().with_context(cannot)? {
            take(match line {
                Ok(text) => item(file, number, &text, workspace),
                Err(why) => Item::Unreadable {
                    number,
                    text: String::new(),
                    why,
                },
            })?;
        }
        return Ok(());
    }
    let mut number = 0;
    let found = stream::records(source, file, &mut |text| {
        number += 1;
        take(item(file, number, text, workspace))
    })?;
    if found { Ok(()) } else { take(Item::NoRecords) }
}

/// Whether a record ends where the line does; else the file is one object.
fn has_one_line(begins: &[u8]) -> bool {
    let text = String::from_utf8_lossy(begins);
    let Some(members) = first_object(&text) else {
        return true;
    };
    if members.starts_with("\"Records\"") {
        return false;
    }
    let line = members.lines().next().unwrap_or_default();
    line.trim_end().ends_with('}')
}

fn item(file: &Arc<str>, number: u64, text: &str, workspace: Option<&str>) -> Item {
    let unreadable = |why: String| Item::Unreadable {
        number,
        text: text.to_owned(),
        why,
    };
    let record = match Record::read(text) {
        Ok(record) => record,
        Err(NotOne::Digest) => return Item::NoRecords,
        Err(NotOne::Wrong(why)) => return unreadable(why),
    };
    let workspace = match (workspace, record.account()) {
        (Some(workspace), _) => workspace.to_owned(),
        (None, Some(account)) => format!("aws-{account}"),
        (None, None) => {
            return unreadable(
                "the record names no recipientAccountId; say --workspace".to_owned(),
            );
        }
    };
    let (action, event) = record.event();
    // The record itself may be below the limit and the event above it, by the names that are added.
    if let Some(why) = too_large(&event) {
        return unreadable(why);
    }
    let mut event = Event::new(Arc::clone(file), number, workspace, &event);
    event.action = Some(action);
    event.original = Some(text.into());
    Item::Event(event)
}
