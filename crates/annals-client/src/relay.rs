//! The relay: moves what waits in the outbox to Annals.

#[cfg(feature = "http")]
mod deliver;
mod metrics;
mod plan;
#[cfg(feature = "http")]
mod store;

pub(crate) use metrics::Waiting;
pub use metrics::{Metrics, MetricsSnapshot};
pub(crate) use plan::Settlement;

#[cfg(feature = "http")]
pub use run::{Relay, RelayError, RelayOptions};

#[cfg(feature = "http")]
mod run;
