//! The outbox as the relay sees it, whatever the database.

use std::time::Duration;

use annals_event::Timestamp;

use super::{Settlement, Waiting};
#[cfg(feature = "sqlite")]
use crate::clock;
use crate::outbox::{Gap, Item, Queued};

/// How the relay reaches the database, and its connection while there is one. After an error the connection is made anew.
pub(crate) enum Store {
    #[cfg(feature = "sqlite")]
    Sqlite {
        path: std::path::PathBuf,
        open: Option<crate::outbox::SqliteStore>,
    },
    #[cfg(feature = "postgres")]
    Postgres {
        connect: super::run::Connect,
        open: Option<crate::outbox::PostgresStore>,
    },
}

/// Why the outbox cannot be read or written now.
pub(crate) type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// Defines a method that both databases have. That of SQLite blocks and therefore runs on a thread of its own.
macro_rules! both {
    ($($(#[$doc:meta])* fn $name:ident(&mut self $(, $argument:ident: $kind:ty)*) -> $result:ty
        = |$sqlite:ident| $of_sqlite:expr, |$postgres:ident| $of_postgres:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) async fn $name(&mut self $(, $argument: $kind)*) -> Result<$result, StoreError> {
            match self {
                #[cfg(feature = "sqlite")]
                Store::Sqlite { path, open } => {
                    let (path, before) = (path.clone(), open.take());
                    let work = move || -> rusqlite::Result<_> {
                        let mut $sqlite = match before {
                            Some(store) => store,
                            None => crate::outbox::SqliteStore::open(&path)?,
                        };
                        let result = $of_sqlite?;
                        Ok(($sqlite, result))
                    };
                    let (store, result) = tokio::task::spawn_blocking(work).await??;
                    *open = Some(store);
                    Ok(result)
                }
                #[cfg(feature = "postgres")]
                Store::Postgres { connect, open } => {
                    let mut $postgres = match open.take() {
                        Some(store) => store,
                        None => crate::outbox::PostgresStore::new(connect().await?),
                    };
                    let result = $of_postgres.await?;
                    *open = Some($postgres);
                    Ok(result)
                }
            }
        }
    )*};
}

impl Store {
    both! {
        /// Takes or keeps the lead; `false` if another relay has it.
        fn lead(&mut self, holder: String, lease: Duration) -> bool
            = |store| store.lead(&holder, clock::now(), lease), |store| store.lead(&holder, lease);
        /// Gives the lead away.
        fn resign(&mut self, holder: String) -> ()
            = |store| store.resign(&holder), |store| store.resign(&holder);
        /// The oldest rows of workspaces that are not held, in order: organizations, then events from a number on. With
        /// them the number below which there are no other events.
        fn fetch(&mut self, held: Vec<String>, from: i64, limit: usize) -> (Vec<Queued>, i64)
            = |store| store.fetch(&held, from, limit), |store| store.fetch(&held, from, limit);
        /// Takes rows out and puts rows aside, at once.
        fn settle(&mut self, now: Timestamp, settlement: Settlement) -> ()
            = |store| store.settle(now, &settlement), |store| store.settle(now, &settlement);
        /// The checkpoint that was kept of a workspace's log.
        fn kept(&mut self, workspace: String) -> Option<String>
            = |store| store.kept(&workspace), |store| store.kept(&workspace);
        /// Gaps that have not been told.
        fn gaps(&mut self) -> Vec<Gap> = |store| store.gaps(), |store| store.gaps();
        /// Writes the event that tells of a gap.
        fn tell_gap(&mut self, gap: Gap, event: Item) -> ()
            = |store| store.tell_gap(&gap, &event), |store| store.tell_gap(&gap, &event);
        /// What waits.
        fn waiting(&mut self) -> Waiting = |store| store.waiting(), |store| store.waiting();
    }
}
