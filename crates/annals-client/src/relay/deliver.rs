//! One step of the plan: the request, and what its answer means for each row.

use std::collections::{HashMap, HashSet};

use super::plan::{Answer, Step, Verdict};
use super::store::{Store, StoreError};
use crate::http::{Bulk, BulkAnswer, Client, ClientError, Outcome, receipts_of};
use crate::receipt::Kept;

/// What a step brought.
pub(super) struct Delivered {
    pub(super) answer: Answer,
    /// What is wrong with the request as a whole, and somebody should know of. Without values of events.
    pub(super) problem: Option<String>,
    /// The same by workspace.
    pub(super) troubles: HashMap<String, String>,
    /// Checkpoints that are to be kept, by workspace.
    pub(super) checkpoints: Vec<(String, String)>,
}

impl Delivered {
    fn of(answer: Answer) -> Self {
        Self {
            answer,
            problem: None,
            troubles: HashMap::new(),
            checkpoints: Vec::new(),
        }
    }

    /// What an error of the whole request means.
    fn failed(error: &ClientError) -> Self {
        let answer = match error {
            ClientError::Denied { .. } | ClientError::Answer { .. } => Answer::Denied,
            ClientError::Refused { message, .. } => Answer::Refused(message.clone()),
            error => Answer::Later(error.retry_after()),
        };
        Self {
            problem: Some(said(error)),
            ..Self::of(answer)
        }
    }
}

/// What the answer to an organization means.
fn ensured(workspace: &str, result: Result<(), ClientError>) -> Delivered {
    match result {
        Ok(()) => Delivered::of(Answer::Each(vec![Verdict::Recorded])),
        // A key that may write but not manage holds up new workspaces, not everybody.
        Err(error @ ClientError::Denied { status: 403, .. }) => {
            let trouble = format!("organizations cannot be ensured: {}", said(&error));
            Delivered {
                troubles: HashMap::from([(workspace.to_owned(), trouble)]),
                ..Delivered::of(Answer::Each(vec![Verdict::Later(None)]))
            }
        }
        Err(error) => Delivered::failed(&error),
    }
}

/// An error with its causes, which name no values.
pub(super) fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        // Some say their cause themselves.
        let cause_said = cause.to_string();
        if !text.ends_with(&cause_said) {
            text += &format!(": {cause_said}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
#[test]
fn what_an_error_says_of_its_cause_is_said_once() {
    let error = ClientError::Receipt(crate::ReceiptError::Form);
    assert_eq!(
        said(&error),
        "the receipt is not believed: the receipt cannot be read"
    );
}

/// Checkpoints that were read from the outbox in this life of the relay.
pub(super) type Known = HashMap<String, Kept>;

/// A request's answer before it is judged.
pub(super) enum Sent {
    Organization(Result<(), ClientError>),
    Events(Result<BulkAnswer, ClientError>),
}

/// Makes the request of a step.
pub(super) async fn send(client: &Client, step: &Step) -> Sent {
    match step {
        Step::Organization(row) => {
            Sent::Organization(client.transport().ensure(row.body.clone()).await)
        }
        Step::Events(rows) => {
            let bytes = rows.iter().map(|row| row.body.len() + 96).sum();
            let mut bulk = Bulk::with_capacity(bytes);
            for row in rows {
                bulk.push(&row.workspace, &row.body);
            }
            Sent::Events(client.transport().bulk(bulk, client.wants_receipts()).await)
        }
    }
}

/// What an answer means for the rows of its step, once its receipts are checked.
pub(super) async fn judge(
    client: &Client,
    store: &mut Store,
    known: &mut Known,
    step: &Step,
    sent: Sent,
) -> Result<Delivered, StoreError> {
    let (rows, answer) = match (step, sent) {
        (Step::Events(rows), Sent::Events(Ok(answer))) => (rows, answer),
        (Step::Organization(row), Sent::Organization(result)) => {
            return Ok(ensured(&row.workspace, result));
        }
        (_, Sent::Events(Err(error))) => return Ok(Delivered::failed(&error)),
        // Neither is the answer to its step.
        (Step::Organization(_), Sent::Events(Ok(_))) | (Step::Events(_), Sent::Organization(_)) => {
            return Ok(Delivered::of(Answer::Later(None)));
        }
    };
    let mut troubles = HashMap::new();
    let mut checkpoints = Vec::new();
    let mut distrusted = HashSet::new();
    let workspaces = rows.iter().map(|row| row.workspace.as_str());
    let receipts = receipts_of(workspaces, &answer.outcomes);
    for shown in &answer.shown {
        let workspace = shown.workspace.as_str();
        if !known.contains_key(workspace)
            && let Some(text) = store.kept(workspace.to_owned()).await?
        {
            known.insert(workspace.to_owned(), Kept::from_text(&text)?);
        }
        let receipts = receipts.get(workspace).map_or(&[][..], Vec::as_slice);
        match client
            .transport()
            .believe(known.get(workspace), shown, receipts)
            .await
        {
            Ok(kept) => {
                checkpoints.push((workspace.to_owned(), kept.to_text()));
                known.insert(workspace.to_owned(), kept);
            }
            Err(error) => {
                let trouble = format!("{workspace}: {}", said(&error));
                troubles.insert(workspace.to_owned(), trouble);
                distrusted.insert(workspace);
            }
        }
    }
    let verdict = |(row, outcome): (&crate::outbox::Queued, Outcome)| match outcome {
        _ if distrusted.contains(row.workspace.as_str()) => Verdict::Distrusted,
        Outcome::Recorded {
            duplicate: true, ..
        } => Verdict::Duplicate,
        Outcome::Recorded { .. } => Verdict::Recorded,
        Outcome::Rejected(ClientError::UnknownWorkspace) => {
            let workspace = &row.workspace;
            if !troubles.contains_key(workspace) {
                let trouble = format!(
                    "{workspace} is not known to Annals: ensure it (`ensure_organization`)"
                );
                troubles.insert(workspace.clone(), trouble);
            }
            Verdict::UnknownWorkspace
        }
        Outcome::Rejected(ClientError::Disabled) => Verdict::Disabled,
        Outcome::Rejected(error) if error.is_temporary() => Verdict::Later(error.retry_after()),
        Outcome::Rejected(error @ (ClientError::Denied { .. } | ClientError::Receipt(_))) => {
            troubles.insert(row.workspace.clone(), said(&error));
            Verdict::Later(None)
        }
        Outcome::Rejected(error) => Verdict::Refused(said(&error)),
    };
    let verdicts = rows.iter().zip(answer.outcomes).map(verdict).collect();
    Ok(Delivered {
        answer: Answer::Each(verdicts),
        problem: None,
        troubles,
        checkpoints,
    })
}
