//! Events that are recorded at the same time share a request.

use std::time::Duration;

use annals_event::Event;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::client::complete;
use super::{Acknowledged, Client, ClientError};
use crate::event::NewEvent;

/// When a request is sent: as soon as one of the bounds is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// Events of one request, at most 1,000.
    pub events: usize,
    /// How long the first of them waits for company.
    pub wait: Duration,
}

impl Default for Batching {
    /// 500 events or 10 milliseconds.
    fn default() -> Self {
        Self {
            events: 500,
            wait: Duration::from_millis(10),
        }
    }
}

/// Takes events from many tasks and sends them together. Clones share it; when the last is dropped, what it holds is sent and its task
/// ends. Events of one workspace keep the order in which they were given.
#[derive(Clone, Debug)]
pub struct Batcher {
    events: mpsc::Sender<Waiting>,
}

struct Waiting {
    workspace: String,
    event: Event,
    answer: oneshot::Sender<Result<Acknowledged, ClientError>>,
}

impl Batcher {
    pub(super) fn start(client: Client, batching: Batching) -> Self {
        let most = batching.events.clamp(1, annals_event::limits::BATCH_EVENTS);
        // Whoever records more than is sent waits.
        let (events, mut queue) = mpsc::channel::<Waiting>(most * 2);
        tokio::spawn(async move {
            while let Some(first) = queue.recv().await {
                let mut batch = vec![first];
                let until = Instant::now() + batching.wait;
                while batch.len() < most {
                    match timeout_at(until, queue.recv()).await {
                        Ok(Some(next)) => batch.push(next),
                        Ok(None) | Err(_) => break,
                    }
                }
                let (events, answers): (Vec<_>, Vec<_>) = batch
                    .into_iter()
                    .map(|one| ((one.workspace, one.event), one.answer))
                    .unzip();
                for (answer, result) in answers.into_iter().zip(client.send_all(events).await) {
                    // Whoever does not wait any more does not need the answer.
                    let _ = answer.send(result);
                }
            }
        });
        Self { events }
    }

    /// Records one event, and comes back when it is durable.
    ///
    /// # Errors
    /// [`ClientError`] says what to do.
    pub async fn record(
        &self,
        workspace: &str,
        event: impl Into<NewEvent>,
    ) -> Result<Acknowledged, ClientError> {
        let (answer, result) = oneshot::channel();
        let waiting = Waiting {
            workspace: workspace.to_owned(),
            event: complete(event.into())?,
            answer,
        };
        self.events
            .send(waiting)
            .await
            .map_err(|_| ClientError::Closed)?;
        result.await.unwrap_or(Err(ClientError::Closed))
    }
}
