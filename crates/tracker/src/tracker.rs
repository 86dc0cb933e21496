//! The door: settings in, a router or a running listener out.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use annals_client::{Client, ClientError, OutboxError, Relay, RelayError, RelayOptions};
use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::config::{Config, ConfigError, MailSettings};
use crate::db::Database;
use crate::mail::{Mailbox, Mailer, Smtp, SmtpProblem, mailbox_routes};
use crate::{loops, web};

/// How long Annals may take to make a link for a page that somebody waits for.
const LINK_MAX: Duration = Duration::from_secs(5);
/// How often the outbox is looked at where somebody waits for it with the clock in his hand.
const SOON: Duration = Duration::from_millis(2);
/// How long requests that run may go on when the tracker is to stop.
const STOPPING_MAX: Duration = Duration::from_secs(9);

/// A tracker whose database is open.
pub struct Tracker {
    app: App,
    router: Router,
    mailer: Arc<Mailer>,
    relay: Relay,
}

/// Why a tracker could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting cannot be meant.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database cannot be opened.
    #[error("cannot open the database")]
    Database(#[from] OutboxError),
    /// The mailbox cannot be opened.
    #[error("cannot open the mailbox")]
    Mailbox(#[from] rusqlite::Error),
    /// The mail server's settings cannot be meant.
    #[error(transparent)]
    Smtp(#[from] SmtpProblem),
    /// The address or the key of Annals cannot be meant.
    #[error(transparent)]
    Annals(#[from] ClientError),
    /// The outbox cannot be read.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// Nothing could be served.
    #[error("cannot serve")]
    Serve(#[from] std::io::Error),
}

impl std::fmt::Debug for Tracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracker")
            .field("config", &self.app.config)
            .finish_non_exhaustive()
    }
}

impl Tracker {
    /// Opens the database, and makes it if it is not there. Nothing is sent anywhere yet.
    ///
    /// # Errors
    /// [`OpenError`] says what to change.
    pub async fn open(config: Config) -> Result<Self, OpenError> {
        config.check()?;
        let (mailer, more) = match &config.mail {
            MailSettings::Smtp(settings) => {
                (Mailer::Smtp(Arc::new(Smtp::new(settings)?)), Router::new())
            }
            MailSettings::Mailbox(path) => {
                let mailbox = Arc::new(Mailbox::open(path)?);
                (Mailer::Mailbox(mailbox.clone()), mailbox_routes(mailbox))
            }
        };
        let database = Database::open(&config.database)?;
        let (url, key) = (&config.annals.url, &config.annals.key);
        let links = Client::builder(url, key)
            .timeout(LINK_MAX)
            .tries(1)
            .build()?;
        let relay = Relay::sqlite(
            &config.database,
            Client::new(url, key)?,
            RelayOptions {
                poll: if config.clock_door {
                    SOON
                } else {
                    RelayOptions::default().poll
                },
                ..RelayOptions::default()
            },
        )
        .await?;
        let app = App::new(config, database, links);
        let router = web::router(&app, more);
        Ok(Self {
            app,
            router,
            mailer: Arc::new(mailer),
            relay,
        })
    }

    /// The router, to serve it among others. Requests need their peer as `ConnectInfo<SocketAddr>`.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// How the delivery of events goes, for a page of metrics.
    pub fn metrics(&self) -> annals_client::Metrics {
        self.relay.metrics()
    }

    /// Serves until `stop` resolves: requests, mails, events. Then takes no more connections, and comes back when requests that run have
    /// ended, after nine seconds at most. Events that are not delivered stay in the database and are delivered at the next start.
    ///
    /// # Errors
    /// [`OpenError::Serve`] where nothing can be served, [`OpenError::Config`] where the clock door would be open to other machines.
    pub async fn run(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), OpenError> {
        if self.app.config.clock_door && !listener.local_addr()?.ip().is_loopback() {
            return Err(ConfigError::ClockDoor.into());
        }
        let (stopping, stopped) = watch::channel(());
        let beside = tokio::spawn(loops::run(
            self.app,
            self.mailer,
            self.relay,
            stopped.clone(),
        ));
        let mut told = stopped;
        let service = self
            .router
            .into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
            let _ = told.changed().await;
        });
        let mut serving = tokio::spawn(async move { serving.await });
        tokio::select! {
            served = &mut serving => served.map_err(std::io::Error::other)??,
            () = stop => {
                stopping.send_replace(());
                // Idle connections are closed at once; what is under way may end.
                if tokio::time::timeout(STOPPING_MAX, &mut serving).await.is_err() {
                    serving.abort();
                }
            }
        }
        drop(stopping);
        beside.await.map_err(std::io::Error::other)?;
        Ok(())
    }
}
