//! One sender: what belongs to its workspaces goes through it, request after request.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::mpsc::Receiver;

use anyhow::Result;
use serde_json::json;

use super::batch::{Batch, Outcome};
use super::tally::{Tally, locked};
use crate::client::{Client, encoded};
use crate::exit::Refused;

pub(super) struct Lane<'a> {
    client: &'a Client,
    tally: &'a Mutex<Tally>,
    number: usize,
    sent: u64,
    /// Workspaces that exist, or whose creation was tried.
    workspaces: HashSet<String>,
    /// Actions that are known, or cannot be made so.
    actions: HashSet<String>,
    may_register: bool,
}

impl<'a> Lane<'a> {
    pub(super) fn new(client: &'a Client, tally: &'a Mutex<Tally>, number: usize) -> Lane<'a> {
        Lane {
            client,
            tally,
            number,
            sent: 0,
            workspaces: HashSet::new(),
            actions: HashSet::new(),
            may_register: true,
        }
    }

    /// Sends what comes until no more does.
    pub(super) fn run(&mut self, batches: Receiver<Batch>) -> Result<()> {
        for batch in batches {
            self.send(batch)?;
        }
        Ok(())
    }

    fn send(&mut self, batch: Batch) -> Result<()> {
        for workspace in batch.workspaces() {
            if !self.workspaces.contains(workspace) {
                self.ensure(workspace)?;
                self.workspaces.insert(workspace.to_owned());
            }
        }
        for action in batch.actions() {
            if self.may_register && !self.actions.contains(action) {
                self.register(action)?;
                self.actions.insert(action.to_owned());
            }
        }
        self.sent += 1;
        let answered = batch.send(self.client, &format!("{}-{}", self.number, self.sent))?;
        let mut tally = locked(self.tally);
        for (event, outcome) in answered {
            match outcome {
                Outcome::Recorded => tally.done.recorded += 1,
                Outcome::Duplicate => tally.done.duplicates += 1,
                Outcome::Rejected(problem) => {
                    tally.reject(&event.file, event.number, event.as_it_stood(), problem)?;
                }
            }
        }
        tally.show();
        Ok(())
    }

    /// Creates a workspace that does not exist. A key that may not do that leaves it to the server to
    /// refuse the events.
    fn ensure(&self, workspace: &str) -> Result<()> {
        match self
            .client
            .get(&format!("/organizations/{}", encoded(workspace)))
        {
            Ok(_) => Ok(()),
            Err(error) if refused(&error) == Some(404) => {
                match self.client.post(
                    "/organizations",
                    &json!({"id": workspace, "name": workspace}),
                ) {
                    Ok(_) => {
                        locked(self.tally).done.created += 1;
                        Ok(())
                    }
                    Err(error) if refused(&error).is_some_and(|s| s != 401) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            Err(error) if refused(&error) == Some(403) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes an action of another vocabulary known, so that an installation takes it that takes known ones
    /// only. A key that may not do that leaves it to the server to refuse the events.
    fn register(&mut self, action: &str) -> Result<()> {
        let path = format!("/audit_logs/actions/{}/schemas", encoded(action));
        let known = self.client.get(&format!("{path}?limit=1"));
        if known.is_ok() {
            return Ok(());
        }
        match self.client.post(&path, &json!({"open": true})) {
            Ok(_) => {
                locked(self.tally).done.actions += 1;
                Ok(())
            }
            Err(error) if refused(&error) == Some(403) => {
                self.may_register = false;
                Ok(())
            }
            Err(error) if refused(&error).is_some_and(|s| s != 401) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn refused(error: &anyhow::Error) -> Option<u16> {
    error.downcast_ref::<Refused>().map(|r| r.status)
}
