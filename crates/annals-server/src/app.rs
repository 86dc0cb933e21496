//! What every handler shares.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use annals_event::{Catalogue, Timestamp};
use annals_store::{Log, Organization, Store, StoreError, Unreadable};
use axum::body::Bytes;
use tokio::sync::Semaphore;

use crate::audit::Reads;
use crate::config::Config;
use crate::error::ApiError;
use crate::limit::Buckets;
use crate::metrics::{Gauge, Metrics};
use crate::places::Places;
use crate::room::Room;

/// The state of a running server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

/// See [`App`].
pub(crate) struct Inner {
    /// Where everything is kept.
    pub(crate) store: Store,
    /// The settings.
    pub(crate) config: Config,
    /// Where browsers reach this server, without a trailing slash.
    pub(crate) base_url: String,
    /// Counters.
    pub(crate) metrics: Metrics,
    /// Which reads by keys were recorded lately.
    pub(crate) reads: Reads,
    /// Limits of single keys.
    pub(crate) buckets: Buckets,
    /// Places for downloads; each holds a thread while it runs.
    pub(crate) downloads: Places,
    /// Places for live tails.
    pub(crate) tails: Places,
    /// Set when the server stops, for what would go on for long.
    pub(crate) stopping: AtomicBool,
    /// Room for the bodies of batches.
    pub(crate) bodies: Room,
    /// Places for searches, for the same reason.
    pub(crate) searches: Semaphore,
    /// The description of the API, as JSON text.
    pub(crate) openapi: Bytes,
    /// The same as a page.
    pub(crate) docs: Bytes,
}

/// Live tails at once.
const TAILS: usize = 256;
/// Live tails of one workspace at once.
const TAILS_EACH: usize = 20;
/// Searches that scan at once; further ones wait.
const SEARCHES: usize = 16;

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl App {
    /// Puts the parts together.
    pub(crate) fn new(
        store: Store,
        config: Config,
        routes: Vec<String>,
        openapi: Bytes,
        docs: Bytes,
    ) -> Self {
        Self(Arc::new(Inner {
            base_url: config.base_url(),
            metrics: Metrics::new(routes),
            reads: Reads::default(),
            buckets: Buckets::new(&config.limits.keys),
            downloads: Places::new(config.limits.downloads, config.limits.downloads.div_ceil(2)),
            tails: Places::new(TAILS, TAILS_EACH),
            stopping: AtomicBool::new(false),
            bodies: Room::default(),
            searches: Semaphore::new(SEARCHES),
            store,
            config,
            openapi,
            docs,
        }))
    }

    /// The time, by the store's clock: the demo and the tests step it.
    pub(crate) fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// The table of known actions.
    pub(crate) fn catalogue(&self) -> &'static Catalogue {
        Catalogue::builtin()
    }

    /// An organization that exists, and its log.
    pub(crate) fn organization(&self, id: &str) -> Result<(Arc<Organization>, Log), ApiError> {
        let organization = self
            .store
            .organization(id)
            .ok_or_else(|| ApiError::organization(id))?;
        let log = self
            .store
            .log(id)
            .ok_or_else(|| ApiError::organization(id))?;
        Ok((organization, log))
    }

    /// Runs something that reads from the disk on a thread of its own.
    pub(crate) async fn reading<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, ApiError> {
        // The semaphore is never closed.
        let _place = self.searches.acquire().await.map_err(ApiError::internal)?;
        let result = tokio::task::spawn_blocking(read)
            .await
            .map_err(ApiError::internal)?;
        result.map_err(ApiError::from)
    }

    /// Tells the operator that a search met events which cannot be read.
    pub(crate) fn noticed(&self, unreadable: &[Unreadable]) {
        if unreadable.is_empty() {
            return;
        }
        self.metrics.unreadable.fetch_add(1, Relaxed);
        for part in unreadable {
            tracing::error!(%part, "events cannot be read; `annals check` tells more");
        }
    }

    /// Numbers that are read off when they are asked for.
    pub(crate) fn gauges(&self) -> Vec<Gauge> {
        let (scrubbed, quarantined) = (self.store.scrubbed(), self.store.quarantined());
        let finished = scrubbed
            .finished_at
            .map_or(0, |at| at.as_micros() / 1_000_000);
        let positions = quarantined
            .iter()
            .map(|stretch| stretch.positions.end - stretch.positions.start);
        let mut gauges = vec![
            Gauge {
                name: "annals_quarantined_stretches",
                help: "Stretches of segments that are damaged, so that nothing is read from them.",
                value: quarantined.len() as u64,
            },
            Gauge {
                name: "annals_quarantined_positions",
                help: "Positions of logs in these stretches.",
                value: positions.sum(),
            },
            Gauge {
                name: "annals_scrub_finished_timestamp_seconds",
                help: "When every segment had been read again last; 0 if that was never.",
                value: u64::try_from(finished).unwrap_or(0),
            },
            Gauge {
                name: "annals_scrubbed_bytes",
                help: "Bytes of segments read again since the start.",
                value: scrubbed.bytes,
            },
            Gauge {
                name: "annals_scrubbed_pages",
                help: "Pages of segments compared since the start.",
                value: scrubbed.pages,
            },
            Gauge {
                name: "annals_scrubbed_rows",
                help: "Entries rebuilt from segments since the start.",
                value: scrubbed.rows,
            },
            Gauge {
                name: "annals_installation_log_size",
                help: "Entries of the installation's own log.",
                value: self.store.installation_log().size(),
            },
            Gauge {
                name: "annals_disk_full",
                help: "Whether the disk is full, so that only reading is possible.",
                value: self.store.is_full().into(),
            },
            Gauge {
                name: "annals_unsealed_seconds",
                help: "How long the oldest event has been waiting to be sealed.",
                value: self
                    .store
                    .unsealed_for()
                    .map_or(0, |waited| waited.as_secs()),
            },
        ];
        // Without them where the manifest cannot be read: the others are wanted then all the more.
        if let Ok(upkeep) = self.store.upkeep() {
            gauges.extend([
                Gauge {
                    name: "annals_unsealed_events",
                    help: "Events in the journal that are in no segment yet.",
                    value: upkeep.unsealed_events,
                },
                Gauge {
                    name: "annals_segments",
                    help: "Segments.",
                    value: upkeep.segments,
                },
                Gauge {
                    name: "annals_segment_bytes",
                    help: "Bytes of the segments and their indexes.",
                    value: upkeep.segment_bytes,
                },
                Gauge {
                    name: "annals_upkeep_due",
                    help: "Whether something is being sealed, merged or copied, or is about to be.",
                    value: upkeep.is_due.into(),
                },
            ]);
        }
        if let Some(reads) = self.store.bucket_reads() {
            let gauge = |name, help, value| Gauge { name, help, value };
            gauges.extend([
                gauge(
                    "annals_segment_cache_hits_total",
                    "Blocks of segments in the object store that were in memory when they were wanted.",
                    reads.hits,
                ),
                gauge(
                    "annals_segment_cache_misses_total",
                    "Blocks of segments that had to be fetched from the object store.",
                    reads.misses,
                ),
                gauge(
                    "annals_segment_fetched_bytes_total",
                    "Bytes of segments that were fetched from the object store.",
                    reads.fetched_bytes,
                ),
                gauge(
                    "annals_segment_cache_bytes",
                    "Bytes of segments in the object store that are in memory.",
                    reads.cached_bytes,
                ),
                gauge(
                    "annals_manifest_copy_behind",
                    "Whether segments were sealed that a rebuild from the object store would not know of.",
                    self.store.bucket_copy_is_behind().into(),
                ),
            ]);
        }
        gauges
    }

    /// How long one search may scan.
    pub(crate) fn search_deadline(&self) -> Instant {
        Instant::now() + self.search_time()
    }

    /// How long a page counts for its chart and its menus, which it can do without.
    pub(crate) fn count_deadline(&self) -> Instant {
        Instant::now() + self.search_time() / 30
    }

    fn search_time(&self) -> Duration {
        let limits = &self.config.limits;
        limits.search_deadline().min(Duration::from_secs(60))
    }
}
