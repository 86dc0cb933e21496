//! One batch of events on its way to the server.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::event::Event;
use crate::client::Client;
use crate::exit::Refused;

/// The server takes a thousand events and megabytes, and is fastest with some hundred kilobytes.
const EVENTS_MAX: usize = 500;
const BYTES_MAX: usize = 1 << 20;
/// How often a batch is sent before giving up; the waits between add up to about a minute.
const TRIES: u32 = 8;

/// What became of an event.
pub(super) enum Outcome {
    Recorded,
    Duplicate,
    /// Why not, as the server says it.
    Rejected(Value),
}

/// Events that are sent together.
#[derive(Default)]
pub(super) struct Batch {
    events: Vec<Event>,
    bytes: usize,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn has_room_for(&self, event: &Event) -> bool {
        self.events.len() < EVENTS_MAX
            && (self.events.is_empty() || self.bytes + event.size() < BYTES_MAX)
    }

    pub(super) fn push(&mut self, event: Event) {
        self.bytes += event.size() + 1;
        self.events.push(event);
    }

    /// The workspaces that occur.
    pub(super) fn workspaces(&self) -> BTreeSet<&str> {
        self.events.iter().map(|e| e.workspace.as_str()).collect()
    }

    /// The actions that are to be made known.
    pub(super) fn actions(&self) -> BTreeSet<&str> {
        self.events
            .iter()
            .filter_map(|event| event.action.as_deref())
            .collect()
    }

    /// Sends the batch, again and again while the server is busy or away.
    pub(super) fn send(self, client: &Client, number: &str) -> Result<Vec<(Event, Outcome)>> {
        let mut body = String::with_capacity(self.bytes);
        for event in &self.events {
            body.push_str(&event.text);
            body.push('\n');
        }
        let moment = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let key = format!("import-{}-{moment}-{number}", std::process::id());
        let mut wait = Duration::from_millis(250);
        let mut tries = 1;
        let answer = loop {
            match client.post_lines("/audit_logs/events/bulk", &key, &body) {
                Ok(answer) => break answer,
                Err(error) if tries < TRIES && may_pass(&error) => {
                    sleep(wait);
                    wait = (wait * 2).min(Duration::from_secs(15));
                    tries += 1;
                }
                Err(error) => return Err(error).context("a batch could not be sent"),
            }
        };
        let results = answer["results"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        if results.len() != self.events.len() {
            anyhow::bail!(
                "the server answered for {} of {} events; is it Annals?",
                results.len(),
                self.events.len()
            );
        }
        Ok(self
            .events
            .into_iter()
            .zip(results.iter().map(outcome))
            .collect())
    }
}

/// Whether it is worth trying again: the server is busy, full or away.
fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Refused>() {
        Some(refused) => matches!(refused.status, 408 | 429 | 500 | 502 | 503 | 504),
        None => true,
    }
}

fn outcome(result: &Value) -> Outcome {
    match result["status"].as_str() {
        Some("recorded") => Outcome::Recorded,
        Some("duplicate") => Outcome::Duplicate,
        _ => {
            let mut problem = result.clone();
            if let Some(problem) = problem.as_object_mut() {
                problem.remove("status");
            }
            Outcome::Rejected(problem)
        }
    }
}
