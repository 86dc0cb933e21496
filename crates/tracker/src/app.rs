//! What requests and loops share, and how an act is run.

use std::sync::Arc;

use annals_client::{Client, RequestContext, SqliteOutbox, Timestamp};
use rusqlite::Connection;
use tokio::sync::{Notify, Semaphore};
use tokio::task::spawn_blocking;

use crate::act::{Act, Settings};
use crate::clock::Clock;
use crate::collapse::{Collapse, Collapsed};
use crate::config::Config;
use crate::db::Database;
use crate::limits::Limiter;
use crate::password::Passwords;
use crate::refused::{Aftermath, Kind, Refused};

/// Everything that requests and loops share. Clones are the same.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

/// See [`App`], which is how it is reached.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) passwords: Passwords,
    pub(crate) limiter: Limiter,
    pub(crate) collapse: Collapse,
    pub(crate) annals: Client,
    /// Rung when there may be mails to send.
    pub(crate) mails: Notify,
    /// Rung when there may be pages of the audit log to close.
    pub(crate) viewers: Notify,
    /// How many requests to providers run at once.
    pub(crate) calls: Arc<Semaphore>,
    database: Database,
    outbox: SqliteOutbox,
}

/// Requests to providers that run at once.
const CALLS: usize = 8;

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub(crate) fn new(config: Config, database: Database, annals: Client) -> Self {
        let settings = Settings {
            public_url: config.public_url.trim_end_matches('/').to_owned(),
            seat_limit: config.limits.seats,
            guest_limit: config.limits.guests,
            project_limit: config.limits.projects,
        };
        Self(Arc::new(Shared {
            limiter: Limiter::new(config.limits.attempts),
            collapse: Collapse::default(),
            settings,
            config,
            clock: Clock::new(),
            passwords: Passwords::new(),
            annals,
            mails: Notify::new(),
            viewers: Notify::new(),
            calls: Arc::new(Semaphore::new(CALLS)),
            database,
            outbox: SqliteOutbox::default(),
        }))
    }

    /// Runs an act: its change, its events and its mails commit together. If it is refused, all of it is rolled back, and then what the
    /// refusal wants recorded is, in a transaction of its own.
    ///
    /// `context` says where the request came from, which the act's events take over.
    pub(crate) async fn act<T: Send + 'static>(
        &self,
        context: &RequestContext,
        work: impl FnOnce(&Act<'_>) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        self.act_at(self.clock.now(), context, work).await
    }

    /// The same for something that was asked for at `now` and is done only later.
    pub(crate) async fn act_at<T: Send + 'static>(
        &self,
        now: Timestamp,
        context: &RequestContext,
        work: impl FnOnce(&Act<'_>) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let (app, context) = (self.clone(), context.clone());
        let done = spawn_blocking(move || context.scope(|| app.act_here(now, work))).await;
        done.map_err(Refused::internal)?
    }

    fn act_here<T>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&Act<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let done = self.transaction(now, work);
        self.mails.notify_one();
        self.viewers.notify_one();
        done.map_err(|refused| self.after(now, refused))
    }

    /// Records what a refusal wants recorded, in a transaction of its own: what was refused is rolled back already.
    fn after(&self, now: Timestamp, mut refused: Refused) -> Refused {
        let recorded = match refused.aftermath.take() {
            None => Ok(()),
            Some(Aftermath::Record(record)) => self.transaction(now, record),
            Some(Aftermath::Collapse {
                same,
                workspaces,
                event,
            }) => {
                let context = RequestContext::current().unwrap_or_default();
                if self
                    .collapse
                    .is_first(same, &workspaces, &event, &context, now)
                {
                    self.transaction(now, |act| act.record_in_all(&workspaces, *event))
                } else {
                    Ok(())
                }
            }
        };
        if let Err(unrecorded) = recorded {
            // The act stays refused all the same. Whoever operates this has to know that the log lacks an attempt.
            tracing::error!(error = ?unrecorded, "cannot record a refused attempt");
            refused.kind = Kind::Internal;
        }
        refused
    }

    /// Records an event that stands for a flood.
    pub(crate) async fn record_collapsed(&self, collapsed: Collapsed) -> Result<(), Refused> {
        let Collapsed {
            workspaces,
            event,
            context,
            at,
        } = collapsed;
        self.act_at(at, &context, move |act| {
            act.record_in_all(&workspaces, event)
        })
        .await
    }

    fn transaction<T>(
        &self,
        now: Timestamp,
        work: impl FnOnce(&Act<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        self.database.write(|db| {
            work(&Act {
                db,
                now,
                settings: &self.settings,
                outbox: &self.outbox,
            })
        })
    }

    /// Reads from one state of the database. Nothing that is recorded of an attempt comes of it.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let app = self.clone();
        spawn_blocking(move || app.database.read(work))
            .await
            .map_err(Refused::internal)?
    }

    /// Reads for somebody who attempts something by looking at it: a refusal is recorded as that of an act is.
    pub(crate) async fn attempt<T: Send + 'static>(
        &self,
        context: &RequestContext,
        work: impl FnOnce(&Connection, Timestamp) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        self.attempt_at(self.clock.now(), context, work).await
    }

    /// The same for what was attempted at `now` and is looked at only later.
    pub(crate) async fn attempt_at<T: Send + 'static>(
        &self,
        now: Timestamp,
        context: &RequestContext,
        work: impl FnOnce(&Connection, Timestamp) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let (app, context) = (self.clone(), context.clone());
        let done = spawn_blocking(move || {
            context.scope(|| {
                app.database
                    .read(|db| work(db, now))
                    .map_err(|refused| app.after(now, refused))
            })
        });
        done.await.map_err(Refused::internal)?
    }
}
