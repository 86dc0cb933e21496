//! The loop of the relay. What it decides is in `plan.rs`.

use std::collections::HashMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use annals_event::{Actor, Timestamp};

use super::deliver::{Known, judge, said, send};
use super::passed::Passed;
use super::plan::{Answer, Limits, Planner, Settlement, Step};
use super::store::{Store, StoreError};
use super::troubles::Troubles;
use super::{Metrics, Waiting};
use crate::backoff::Backoff;
use crate::clock;
use crate::event::NewEvent;
use crate::http::Client;
use crate::outbox::{Gap, Item};

/// Makes a connection to PostgreSQL.
#[cfg(feature = "postgres")]
pub(crate) type Connect = Box<
    dyn Fn() -> std::pin::Pin<
            Box<dyn Future<Output = Result<tokio_postgres::Client, StoreError>> + Send>,
        > + Send,
>;

/// How a relay works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayOptions {
    /// How often an empty outbox is looked at; a quarter of a second unless said.
    pub poll: Duration,
    /// How long a relay that does not answer keeps the lead; 15 seconds unless said.
    pub lease: Duration,
    /// How long to wait after a failure; from 200 milliseconds to a minute unless said.
    pub backoff: Backoff,
    /// Events of one request; 1,000, the most that Annals takes, unless said.
    pub batch: usize,
    /// Requests that may be under way at once, each of other workspaces; 4 unless said.
    pub requests: usize,
    /// After how many answers that a workspace is unknown its rows are parked; 20 unless said, which takes about a quarter of an hour.
    pub patience: u32,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            poll: Duration::from_millis(250),
            lease: Duration::from_secs(15),
            backoff: Backoff::default(),
            batch: annals_event::limits::BATCH_EVENTS,
            requests: 4,
            patience: 20,
        }
    }
}

/// Why a relay could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// The outbox's tables are not there, or the database cannot be reached.
    #[error("the outbox cannot be read; were the migrations run?")]
    Outbox(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Delivers what waits in an outbox, in order for each workspace, at least once; by the events' ids it is in Annals exactly once.
///
/// It may be killed at any point: what was not settled is sent again. Several processes may run one on the same outbox; one leads, the
/// others stand by and take over when its lease ends. It has a connection of its own and never holds a transaction while it waits for
/// the network.
pub struct Relay {
    store: Store,
    client: Client,
    options: RelayOptions,
    planner: Planner,
    lanes: usize,
    metrics: Metrics,
    holder: String,
    known: Known,
    troubles: Troubles,
    begun: Instant,
    led_at: Option<Instant>,
    count_at: Option<Instant>,
    passed: Option<Passed>,
    gaps_at: Option<Instant>,
}

/// Rows that are read at once, for several requests, and settled in one transaction.
const WINDOW_REQUESTS: usize = 8;
/// More requests at once help nobody.
const REQUESTS_MAX: usize = 64;
/// How long what was delivered may wait to be settled while there is more to deliver.
const SETTLE_EVERY: Duration = Duration::from_secs(1);
/// How many times as long as it took to count the rows they are not counted again.
const COUNT_PAUSES: u32 = 20;
/// How often gaps are looked for, and how long nothing may have been dropped before one is told.
const GAPS_EVERY: Duration = Duration::from_secs(1);
const GAP_QUIET_MICROS: i64 = 1_000_000;

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay")
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

/// What a turn found.
enum Turn {
    /// There may be more.
    Busy,
    /// Nothing to do for so long.
    Idle(Duration),
}

impl Relay {
    /// A relay of the outbox in the SQLite database at `path`.
    ///
    /// # Errors
    /// [`RelayError::Outbox`] where the database cannot be opened or has no outbox.
    #[cfg(feature = "sqlite")]
    pub async fn sqlite(
        path: impl Into<std::path::PathBuf>,
        client: Client,
        options: RelayOptions,
    ) -> Result<Self, RelayError> {
        let store = Store::Sqlite {
            path: path.into(),
            open: None,
        };
        Self::new(store, client, options).await
    }

    /// A relay of the outbox in a PostgreSQL database. `connect` is called now and whenever the connection is lost; it also spawns the
    /// connection's task, with whatever TLS the database wants.
    ///
    /// # Errors
    /// [`RelayError::Outbox`] where the database cannot be reached or has no outbox.
    #[cfg(feature = "postgres")]
    pub async fn postgres<C, F, E>(
        connect: C,
        client: Client,
        options: RelayOptions,
    ) -> Result<Self, RelayError>
    where
        C: Fn() -> F + Send + 'static,
        F: Future<Output = Result<tokio_postgres::Client, E>> + Send + 'static,
        E: Into<StoreError>,
    {
        let connect: Connect = Box::new(move || {
            let connecting = connect();
            Box::pin(async { connecting.await.map_err(Into::into) })
        });
        Self::new(
            Store::Postgres {
                connect,
                open: None,
            },
            client,
            options,
        )
        .await
    }

    async fn new(
        mut store: Store,
        client: Client,
        options: RelayOptions,
    ) -> Result<Self, RelayError> {
        let metrics = Metrics::default();
        metrics.waiting(store.waiting().await.map_err(RelayError::Outbox)?);
        let limits = Limits {
            events: options.batch.clamp(1, annals_event::limits::BATCH_EVENTS),
            patience: options.patience,
            lanes: options.requests.clamp(1, REQUESTS_MAX),
            ..Limits::default()
        };
        Ok(Self {
            store,
            client,
            options,
            planner: Planner::new(limits, options.backoff),
            lanes: limits.lanes,
            metrics,
            holder: uuid::Uuid::now_v7().to_string(),
            known: Known::new(),
            troubles: Troubles::default(),
            begun: Instant::now(),
            led_at: None,
            count_at: None,
            passed: None,
            gaps_at: None,
        })
    }

    /// The figures of this relay; take them before it runs.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Runs until `stop` completes; [`std::future::pending`] never does. No error ends it: it waits and tries again, and says in its
    /// metrics and through `tracing` what is wrong.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut stop = pin!(stop);
        let mut failures = 0;
        loop {
            let wait = tokio::select! {
                biased;
                () = &mut stop => break,
                turn = self.turn() => match turn {
                    Ok(Turn::Busy) => {
                        failures = 0;
                        continue;
                    }
                    Ok(Turn::Idle(wait)) => {
                        failures = 0;
                        wait
                    }
                    Err(error) => {
                        failures += 1;
                        // What is in doubt is read again.
                        self.planner.settlement();
                        self.problem(Some(format!("the outbox cannot be used: {}", said(error.as_ref()))));
                        self.options.backoff.wait(failures, fastrand::f64(), None)
                    }
                },
            };
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.resign().await;
    }

    /// Delivers everything that can be delivered now, gives the lead away, and comes back. For tests and for programs that run once in
    /// a while. What another relay leads is left to it, and what cannot be delivered now stays in the outbox; the metrics say so.
    ///
    /// # Errors
    /// [`RelayError::Outbox`] where the database refuses.
    pub async fn drain(&mut self) -> Result<(), RelayError> {
        loop {
            match self.turn().await {
                Ok(Turn::Busy) => {}
                Ok(Turn::Idle(_)) => break,
                Err(error) => return Err(RelayError::Outbox(error)),
            }
        }
        // Who does so again at once, in another process, must not wait for the lease to end.
        self.resign().await;
        // The figures at the end are what the caller looks at.
        self.count_at = None;
        self.count().await.map_err(RelayError::Outbox)
    }

    async fn resign(&mut self) {
        // If this fails, the lease ends by itself.
        let _ = self.store.resign(self.holder.clone()).await;
        self.led_at = None;
        self.metrics.lead(false);
    }

    async fn turn(&mut self) -> Result<Turn, StoreError> {
        if !self.lead().await? {
            // Whoever leads knows what is wrong.
            self.troubles.only(&[]);
            self.problem(None);
            self.count().await?;
            return Ok(Turn::Idle(self.options.poll.max(self.options.lease / 5)));
        }
        self.tell_gaps().await?;
        if let Some(pause) = self.planner.paused(elapsed(self.begun)) {
            self.count().await?;
            return Ok(Turn::Idle(pause.min(self.options.lease / 3)));
        }
        let window = self.options.batch.max(1) * WINDOW_REQUESTS;
        let held = self.planner.held(elapsed(self.begun));
        let from = Passed::from(self.passed.as_ref(), &held, Instant::now());
        let (rows, below) = self.store.fetch(held.clone(), from, window).await?;
        if rows.is_empty() {
            // Whatever still waits is of held workspaces, and nothing else is wrong any more.
            self.troubles.only(&held);
            self.problem(None);
        }
        self.passed = Passed::to(self.passed.take(), from, below, held, Instant::now());
        if rows.is_empty() {
            self.count().await?;
            return Ok(Turn::Idle(self.options.poll));
        }
        self.count().await?;
        self.planner.take(rows);
        let mut problem = None;
        let mut settled_at = Instant::now();
        loop {
            // A window of large events, or with a slow server, may take long; what has arrived by then must not depend on its end.
            if settled_at.elapsed() >= SETTLE_EVERY {
                let settlement = self.planner.settlement();
                self.settle(settlement).await?;
                self.count().await?;
                settled_at = Instant::now();
            }
            let now = elapsed(self.begun);
            let next = |lane| self.planner.next(now, lane);
            let steps: Vec<Step> = (0..self.lanes).filter_map(next).collect();
            if steps.is_empty() || !self.lead().await? {
                break;
            }
            let sending = steps.iter().map(|step| send(&self.client, step));
            let sent = futures_util::future::join_all(sending).await;
            for (step, sent) in steps.into_iter().zip(sent) {
                let delivered =
                    judge(&self.client, &mut self.store, &mut self.known, &step, sent).await?;
                problem = delivered.problem.or(problem);
                if let Answer::Each(_) = delivered.answer {
                    self.heard(&step, delivered.troubles);
                }
                self.planner
                    .answered(step, delivered.answer, elapsed(self.begun), fastrand::f64());
                for (workspace, kept) in delivered.checkpoints {
                    self.planner.keep(&workspace, kept);
                }
            }
        }
        self.problem(problem);
        let settlement = self.planner.settlement();
        self.settle(settlement).await?;
        Ok(Turn::Busy)
    }

    async fn settle(&mut self, settlement: Settlement) -> Result<(), StoreError> {
        let length = |list: usize| u64::try_from(list).unwrap_or(u64::MAX);
        let held = self.planner.held(elapsed(self.begun)).len();
        let (delivered, duplicates) = (settlement.delivered.len(), settlement.duplicates);
        let (dropped, parked) = (settlement.dropped.len(), settlement.parked.len());
        for (seq, reason) in &settlement.parked {
            tracing::warn!(
                outbox.seq = seq,
                reason,
                "Annals refuses a row, which is parked"
            );
        }
        if !settlement.is_empty() {
            self.store.settle(clock::now(), settlement).await?;
        }
        self.metrics.settled(
            length(delivered),
            duplicates,
            length(dropped),
            length(parked),
            length(held),
        );
        Ok(())
    }

    /// Keeps the lead, asking the database at a third of the lease.
    async fn lead(&mut self) -> Result<bool, StoreError> {
        if self
            .led_at
            .is_some_and(|at| at.elapsed() < self.options.lease / 3)
        {
            return Ok(true);
        }
        let asked = Instant::now();
        let leads = self
            .store
            .lead(self.holder.clone(), self.options.lease)
            .await?;
        if leads && self.led_at.is_none() {
            tracing::info!(relay.holder = self.holder, "this relay leads");
            // Another may have led meanwhile and kept newer checkpoints.
            self.known.clear();
        }
        self.led_at = leads.then_some(asked);
        self.metrics.lead(leads);
        Ok(leads)
    }

    async fn count(&mut self) -> Result<(), StoreError> {
        if self.count_at.is_none_or(|at| at <= Instant::now()) {
            let begun = Instant::now();
            let waiting: Waiting = self.store.waiting().await?;
            self.metrics.waiting(waiting);
            self.count_at = Some(Instant::now() + COUNT_PAUSES * begun.elapsed());
        }
        Ok(())
    }

    /// Puts an event into the outbox for each gap in which nothing is dropped any more.
    async fn tell_gaps(&mut self) -> Result<(), StoreError> {
        if self.gaps_at.is_some_and(|at| at.elapsed() < GAPS_EVERY) {
            return Ok(());
        }
        self.gaps_at = Some(Instant::now());
        for gap in self.store.gaps().await? {
            let quiet = clock::now().as_micros() - gap.last_at.as_micros();
            // What lies ahead was noted by a clock that has been set back since.
            if (0..GAP_QUIET_MICROS).contains(&quiet) {
                continue;
            }
            let event = gap_event(&gap);
            for item in Item::events([gap.workspace.clone()], event)? {
                self.store.tell_gap(gap.clone(), item).await?;
            }
        }
        Ok(())
    }

    /// Notes what an answer says of each workspace of its step.
    fn heard(&mut self, step: &Step, mut troubles: HashMap<String, String>) {
        for workspace in step.workspaces() {
            let trouble = troubles.remove(workspace);
            let problem = trouble.clone();
            if self.troubles.answered(workspace, trouble) {
                tracing::warn!(problem, "a workspace is not delivered as it should");
            }
        }
    }

    /// Notes what concerns everybody; without it, what concerns single workspaces is what the metrics say.
    fn problem(&self, problem: Option<String>) {
        if let Some(problem) = &problem {
            tracing::warn!(problem, "the outbox is not delivered as it should");
        }
        self.metrics
            .problem(problem.or_else(|| self.troubles.said()));
    }
}

/// The planner's time: waits must not depend on a clock that somebody sets.
fn elapsed(begun: Instant) -> Timestamp {
    Timestamp::clamped(i64::try_from(begun.elapsed().as_micros()).unwrap_or(i64::MAX))
}

fn gap_event(gap: &Gap) -> NewEvent {
    NewEvent::new(
        "outbox.gap",
        Actor::new("system", "annals-client").named("the application"),
    )
    .target("outbox", "outbox")
    .metadata("dropped", crate::event::Integer::from(gap.dropped))
    .metadata("from", gap.first_at.to_string())
    .metadata("to", gap.last_at.to_string())
}
