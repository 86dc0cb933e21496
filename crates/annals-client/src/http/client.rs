//! Sending directly: for services without a database of their own, and for what need not commit with a change.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use annals_event::Event;

use super::ClientError;
use super::answer::Outcome;
use super::batcher::{Batcher, Batching};
use super::send::{Bulk, BulkAnswer, receipts_of};
use super::transport::Transport;
use crate::backoff::Backoff;
use crate::clock;
use crate::context::RequestContext;
use crate::event::NewEvent;
use crate::organization::{Organization, PortalLink, revocation};
use crate::receipt::{Kept, Receipt};

/// A client of one Annals, with one pool of connections. Clones share it.
///
/// An event that was acknowledged is on stable storage, has its position and is hashed. Every event has an id before it is sent, so
/// that trying again never records it twice.
#[derive(Clone, Debug)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    transport: Transport,
    tries: u32,
    backoff: Backoff,
    receipts: bool,
    kept: Mutex<HashMap<String, Kept>>,
}

/// How a [`Client`] is made.
#[derive(Clone)]
pub struct ClientBuilder {
    address: String,
    key: String,
    timeout: Duration,
    tries: u32,
    backoff: Backoff,
    receipts: bool,
}

/// What Annals acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Id of the event.
    pub id: String,
    /// Its position in the workspace's log.
    pub position: u64,
    /// Whether it had been recorded before.
    pub duplicate: bool,
    /// The receipt, checked, where the client keeps them.
    pub receipt: Option<Receipt>,
}

impl std::fmt::Debug for ClientBuilder {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// How long one try may take; ten seconds unless said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often something is sent at most; 5 unless said.
    #[must_use]
    pub fn tries(mut self, tries: u32) -> Self {
        self.tries = tries.max(1);
        self
    }

    /// How long to wait between tries; from 200 milliseconds to a minute unless said. What Annals asks for in `Retry-After` is obeyed.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Asks for receipts, checks them, and refuses a log that does not continue the one that was acknowledged before. Where others write
    /// to the same log, the key needs the scope `read` too.
    #[must_use]
    pub fn receipts(mut self, receipts: bool) -> Self {
        self.receipts = receipts;
        self
    }

    /// The client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ClientError::Address`] or [`ClientError::Key`] where they cannot be used.
    pub fn build(self) -> Result<Client, ClientError> {
        Ok(Client {
            shared: Arc::new(Shared {
                transport: Transport::new(&self.address, &self.key, self.timeout)?,
                tries: self.tries,
                backoff: self.backoff,
                receipts: self.receipts,
                kept: Mutex::default(),
            }),
        })
    }
}

impl Client {
    /// A client of the Annals at `address`, such as `http://127.0.0.1:4600`, with a key that may write.
    ///
    /// # Errors
    /// [`ClientError::Address`] or [`ClientError::Key`] where they cannot be used.
    pub fn new(address: &str, key: &str) -> Result<Self, ClientError> {
        Self::builder(address, key).build()
    }

    /// The same with settings.
    pub fn builder(address: &str, key: &str) -> ClientBuilder {
        ClientBuilder {
            address: address.to_owned(),
            key: key.to_owned(),
            timeout: Duration::from_secs(10),
            tries: 5,
            backoff: Backoff::default(),
            receipts: false,
        }
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
        let event = complete(event.into())?;
        let mut results = self.send_all(vec![(workspace.to_owned(), event)]).await;
        results.pop().unwrap_or(Err(ClientError::Closed))
    }

    /// Records events of any workspaces, up to 1,000 in one request, and gives a result for each, in order.
    pub async fn record_all<W: Into<String>, E: Into<NewEvent>>(
        &self,
        events: impl IntoIterator<Item = (W, E)>,
    ) -> Vec<Result<Acknowledged, ClientError>> {
        let mut results = Vec::new();
        let mut good = Vec::new();
        for (place, (workspace, event)) in events.into_iter().enumerate() {
            match complete(event.into()) {
                Ok(event) => {
                    good.push((workspace.into(), event));
                    results.push(None);
                }
                Err(error) => results.push(Some((place, Err(error)))),
            }
        }
        let mut sent = self.send_all(good).await.into_iter();
        let fill = |result: Option<(usize, Result<_, _>)>| match result {
            Some((_, result)) => result,
            None => sent.next().unwrap_or(Err(ClientError::Closed)),
        };
        results.into_iter().map(fill).collect()
    }

    /// Collects events that are recorded at the same time into common requests.
    pub fn batcher(&self, batching: Batching) -> Batcher {
        Batcher::start(self.clone(), batching)
    }

    /// Creates a workspace, if it is not there.
    ///
    /// # Errors
    /// [`ClientError`] says what to do. The key needs `manage` for all organizations.
    pub async fn ensure_organization(&self, id: &str, name: &str) -> Result<(), ClientError> {
        self.ensure(&Organization::new(id, name)).await
    }

    /// As [`Client::ensure_organization`], with what else Annals is to know of the workspace.
    ///
    /// # Errors
    /// As [`Client::ensure_organization`].
    pub async fn ensure(&self, organization: &Organization) -> Result<(), ClientError> {
        let body = organization.to_body();
        let mut tries = 0;
        loop {
            match self.shared.transport.ensure(body.clone()).await {
                Err(error) => self.wait_or_give_up(&mut tries, error).await?,
                Ok(()) => return Ok(()),
            }
        }
    }

    /// A link that opens the audit log page of a workspace, once and within a few minutes. Give it only to who may read everything.
    ///
    /// # Errors
    /// [`ClientError`] says what to do. The key needs `manage`.
    pub async fn portal_link(&self, workspace: &str) -> Result<String, ClientError> {
        self.portal_link_for(&PortalLink::new(workspace)).await
    }

    /// The same for a person, for a page within, or for a frame of your own page.
    ///
    /// # Errors
    /// As [`Client::portal_link`].
    pub async fn portal_link_for(&self, link: &PortalLink) -> Result<String, ClientError> {
        let body = link.to_body();
        let mut tries = 0;
        loop {
            match self.shared.transport.link(body.clone()).await {
                Err(error) => self.wait_or_give_up(&mut tries, error).await?,
                Ok(link) => return Ok(link),
            }
        }
    }

    /// Takes back what was given to a person: links of the workspace that were made for [`PortalLink::user`] with this id open nothing
    /// any more, and pages that they have opened are refused at the next request. Call it when somebody may no longer read the log. It
    /// can be called again, and that there was nothing is no error.
    ///
    /// # Errors
    /// As [`Client::portal_link`].
    pub async fn close_portal_of(&self, workspace: &str, user: &str) -> Result<(), ClientError> {
        let body = revocation(workspace, user);
        let mut tries = 0;
        loop {
            match self.shared.transport.revoke(body.clone()).await {
                Err(error) => self.wait_or_give_up(&mut tries, error).await?,
                Ok(()) => return Ok(()),
            }
        }
    }

    /// The newest checkpoint that this client has seen of a workspace's log, to be stored beyond the life of the process.
    pub fn kept(&self, workspace: &str) -> Option<Kept> {
        self.known().get(workspace).cloned()
    }

    /// Starts from a checkpoint that was stored.
    pub fn keep(&self, workspace: &str, kept: Kept) {
        self.known().insert(workspace.to_owned(), kept);
    }

    #[cfg(relay)]
    pub(crate) fn transport(&self) -> &Transport {
        &self.shared.transport
    }

    #[cfg(relay)]
    pub(crate) fn wants_receipts(&self) -> bool {
        self.shared.receipts
    }

    /// Keeps a checkpoint unless another task has kept a newer one meanwhile.
    fn advance(&self, kept: Kept, workspace: &str) {
        let mut known = self.known();
        let newer = |known: &Kept| known.checkpoint().size() > kept.checkpoint().size();
        if !known.get(workspace).is_some_and(newer) {
            known.insert(workspace.to_owned(), kept);
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.shared
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn send_all(
        &self,
        events: Vec<(String, Event)>,
    ) -> Vec<Result<Acknowledged, ClientError>> {
        let mut results = Vec::with_capacity(events.len());
        let texts: Vec<(String, String)> = events
            .into_iter()
            .map(|(workspace, event)| (workspace, event.to_json().to_canonical()))
            .collect();
        for chunk in chunks(&texts) {
            results.extend(self.send_chunk(chunk).await);
        }
        results
    }

    /// Sends until each event has its result. What was answered "later" is sent again, the rest is not.
    async fn send_chunk(
        &self,
        events: &[(String, String)],
    ) -> Vec<Result<Acknowledged, ClientError>> {
        let mut results: Vec<Option<Result<Acknowledged, ClientError>>> =
            events.iter().map(|_| None).collect();
        let mut tries = 0;
        loop {
            let open: Vec<usize> = (0..events.len())
                .filter(|place| match &results[*place] {
                    None => true,
                    Some(Err(error)) => error.is_temporary(),
                    Some(Ok(_)) => false,
                })
                .collect();
            if open.is_empty() {
                break;
            }
            let mut bulk = Bulk::default();
            for place in &open {
                bulk.push(&events[*place].0, &events[*place].1);
            }
            let answer = self.shared.transport.bulk(bulk, self.shared.receipts).await;
            let error = match answer {
                Ok(answer) => {
                    let workspaces: Vec<&str> =
                        open.iter().map(|place| events[*place].0.as_str()).collect();
                    let outcomes = self.checked(&workspaces, answer).await;
                    let mut temporary = None;
                    for (place, outcome) in open.iter().zip(outcomes) {
                        if let Err(error) = &outcome
                            && error.is_temporary()
                        {
                            temporary = Some(error.retry_after());
                        }
                        results[*place] = Some(outcome);
                    }
                    match temporary {
                        None => break,
                        Some(retry_after) => ClientError::Busy {
                            status: 503,
                            code: "busy".to_owned(),
                            retry_after,
                        },
                    }
                }
                Err(error) => error,
            };
            if let Err(error) = self.wait_or_give_up(&mut tries, error).await {
                let error = Arc::new(error);
                for place in open {
                    results[place].get_or_insert_with(|| Err(copy(&error)));
                }
                break;
            }
        }
        results
            .into_iter()
            .map(|result| result.unwrap_or(Err(ClientError::Closed)))
            .collect()
    }

    /// The outcomes of a request as results; where receipts are kept, those of a log that is not believed are errors.
    async fn checked(
        &self,
        workspaces: &[&str],
        answer: BulkAnswer,
    ) -> Vec<Result<Acknowledged, ClientError>> {
        let mut distrusted = HashMap::new();
        let receipts = receipts_of(workspaces.iter().copied(), &answer.outcomes);
        for shown in &answer.shown {
            let kept = self.kept(&shown.workspace);
            let receipts = receipts
                .get(shown.workspace.as_str())
                .map_or(&[][..], Vec::as_slice);
            match self
                .shared
                .transport
                .believe(kept.as_ref(), shown, receipts)
                .await
            {
                Ok(kept) => self.advance(kept, &shown.workspace),
                Err(error) => {
                    distrusted.insert(shown.workspace.clone(), Arc::new(error));
                }
            }
        }
        let result = |(workspace, outcome): (&&str, Outcome)| match outcome {
            Outcome::Rejected(error) => Err(error),
            Outcome::Recorded {
                id,
                position,
                duplicate,
                receipt,
            } => match distrusted.get(*workspace) {
                Some(error) => Err(copy(error)),
                None => Ok(Acknowledged {
                    id,
                    position,
                    duplicate,
                    receipt,
                }),
            },
        };
        workspaces.iter().zip(answer.outcomes).map(result).collect()
    }

    async fn wait_or_give_up(
        &self,
        tries: &mut u32,
        error: ClientError,
    ) -> Result<(), ClientError> {
        *tries += 1;
        if !error.is_temporary() || *tries >= self.shared.tries {
            return Err(error);
        }
        let wait = self
            .shared
            .backoff
            .wait(*tries, fastrand::f64(), error.retry_after());
        tokio::time::sleep(wait).await;
        Ok(())
    }
}

pub(crate) fn complete(event: NewEvent) -> Result<Event, ClientError> {
    let now = clock::now();
    Ok(RequestContext::with_current(|context| {
        event.complete(now, context, clock::event_id)
    })?)
}

/// Pieces that fit into a request each.
fn chunks(events: &[(String, String)]) -> Vec<&[(String, String)]> {
    const BYTES: usize = 4 << 20;
    let mut chunks = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, (_, text)) in events.iter().enumerate() {
        let full = at - start == annals_event::limits::BATCH_EVENTS || bytes + text.len() > BYTES;
        if full && at > start {
            chunks.push(&events[start..at]);
            (start, bytes) = (at, 0);
        }
        bytes += text.len();
    }
    if start < events.len() {
        chunks.push(&events[start..]);
    }
    chunks
}

/// The error of a request for each of its events.
fn copy(error: &Arc<ClientError>) -> ClientError {
    match error.as_ref() {
        ClientError::Busy {
            status,
            code,
            retry_after,
        } => ClientError::Busy {
            status: *status,
            code: code.clone(),
            retry_after: *retry_after,
        },
        ClientError::Denied { status, code } => ClientError::Denied {
            status: *status,
            code: code.clone(),
        },
        ClientError::Refused { status, message } => ClientError::Refused {
            status: *status,
            message: message.clone(),
        },
        ClientError::Answer { status } => ClientError::Answer { status: *status },
        ClientError::Receipt(error) => ClientError::Receipt(error.clone()),
        ClientError::UnknownWorkspace => ClientError::UnknownWorkspace,
        ClientError::Disabled => ClientError::Disabled,
        _ => ClientError::Unreachable(Box::new(Arc::clone(error))),
    }
}
