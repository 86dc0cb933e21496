//! The requests, each tried once. Who repeats them is the client or the relay.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;

use super::ClientError;
use super::answer::{self, Outcome, Shown};
use super::transport::{Reply, Transport};
use crate::clock;
use crate::receipt::{Kept, Receipt, ReceiptError, hashes};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// Events in one request, line by line.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    body: String,
    events: usize,
}

impl Bulk {
    #[cfg(relay)]
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self {
            body: String::with_capacity(bytes),
            events: 0,
        }
    }

    /// Adds an event.
    pub(crate) fn push(&mut self, workspace: &str, event: &str) {
        let workspace = annals_event::Json::from(workspace);
        let _ = writeln!(
            self.body,
            r#"{{"organization_id":{workspace},"event":{event}}}"#
        );
        self.events += 1;
    }
}

/// What a bulk request was answered.
#[derive(Debug)]
pub(crate) struct BulkAnswer {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) shown: Vec<Shown>,
}

impl Transport {
    pub(crate) async fn bulk(&self, bulk: Bulk, receipts: bool) -> Result<BulkAnswer, ClientError> {
        let path = if receipts {
            "/audit_logs/events/bulk?receipt=1"
        } else {
            "/audit_logs/events/bulk"
        };
        let reply = self
            .send(Method::POST, path, NDJSON, Bytes::from(bulk.body))
            .await?;
        // 400 with results says that every single event was refused.
        let answered = reply.is_success() || (reply.status == 400 && answer::is_batch(&reply.body));
        if !answered {
            return Err(refused(&reply));
        }
        let read = answer::batch(&reply.body, bulk.events);
        let (outcomes, shown) = read.ok_or(ClientError::Answer {
            status: reply.status,
        })?;
        Ok(BulkAnswer { outcomes, shown })
    }

    pub(crate) async fn ensure(&self, body: String) -> Result<(), ClientError> {
        self.done("/organizations", body).await
    }

    pub(crate) async fn revoke(&self, body: String) -> Result<(), ClientError> {
        self.done("/portal/revoke_link", body).await
    }

    /// Posts what has no answer but that it is done.
    async fn done(&self, path: &str, body: String) -> Result<(), ClientError> {
        let reply = self
            .send(Method::POST, path, JSON, Bytes::from(body))
            .await?;
        if reply.is_success() {
            Ok(())
        } else {
            Err(refused(&reply))
        }
    }

    pub(crate) async fn link(&self, body: String) -> Result<String, ClientError> {
        #[derive(Deserialize)]
        struct Link {
            link: String,
        }
        let path = "/portal/generate_link";
        let reply = self
            .send(Method::POST, path, JSON, Bytes::from(body))
            .await?;
        if !reply.is_success() {
            return Err(refused(&reply));
        }
        let read = serde_json::from_slice::<Link>(&reply.body);
        let link = read.map_err(|_| ClientError::Answer {
            status: reply.status,
        })?;
        Ok(link.link)
    }

    /// The hashes that prove that the log of size `to` continues that of size `from`.
    pub(crate) async fn consistency(
        &self,
        workspace: &str,
        from: u64,
        to: u64,
    ) -> Result<Vec<annals_merkle::Hash>, ClientError> {
        #[derive(Deserialize)]
        struct Proof {
            consistency: Vec<String>,
        }
        let path =
            format!("/audit_logs/checkpoint?organization_id={workspace}&from={from}&size={to}");
        let reply = self.send(Method::GET, &path, JSON, Bytes::new()).await?;
        // A log that is smaller than it was has lost what was acknowledged.
        if reply.status == 400 {
            return Err(ReceiptError::Forked {
                kept: from,
                shown: to,
            }
            .into());
        }
        if !reply.is_success() {
            return Err(refused(&reply));
        }
        let proof: Proof = serde_json::from_slice(&reply.body).map_err(|_| ReceiptError::Form)?;
        Ok(hashes(&proof.consistency)?)
    }

    /// Checks a shown checkpoint and the receipts that lead to it, and gives what is to be kept from now on.
    pub(crate) async fn believe(
        &self,
        kept: Option<&Kept>,
        shown: &Shown,
        receipts: &[&Receipt],
    ) -> Result<Kept, ClientError> {
        let Some(kept) = kept else {
            let first = Kept::first(&shown.verifier_key, &shown.note)?;
            receipts
                .iter()
                .try_for_each(|receipt| first.check(receipt))?;
            return Ok(first);
        };
        let new = kept.open(&shown.note)?;
        receipts.iter().try_for_each(|receipt| new.check(receipt))?;
        let (from, to) = (kept.checkpoint().size(), new.checkpoint().size());
        if to < from {
            // Answers may come in another order than they were made.
            let proof = self.consistency(&shown.workspace, to, from).await?;
            new.continued_by(kept, &proof)?;
            return Ok(kept.clone());
        }
        let by_path = receipts
            .iter()
            .find_map(|receipt| kept.continued_by_path(&new, receipt));
        match by_path {
            Some(proved) => proved?,
            None if to == from => kept.continued_by(&new, &[])?,
            None => {
                let proof = self.consistency(&shown.workspace, from, to).await?;
                kept.continued_by(&new, &proof)?;
            }
        }
        Ok(new)
    }
}

/// The receipts of a bulk answer by workspace.
pub(crate) fn receipts_of<'a, 'b>(
    workspaces: impl Iterator<Item = &'a str>,
    outcomes: &'b [Outcome],
) -> HashMap<&'a str, Vec<&'b Receipt>> {
    let mut receipts: HashMap<&str, Vec<&Receipt>> = HashMap::new();
    for (workspace, outcome) in workspaces.zip(outcomes) {
        if let Outcome::Recorded {
            receipt: Some(receipt),
            ..
        } = outcome
        {
            receipts.entry(workspace).or_default().push(receipt);
        }
    }
    receipts
}

fn refused(reply: &Reply) -> ClientError {
    answer::refusal(
        reply.status,
        reply.retry_after.as_deref(),
        clock::now(),
        &reply.body,
    )
}
