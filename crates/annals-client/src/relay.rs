//! The relay: moves what waits in the outbox to Annals.

mod deliver;
mod metrics;
mod passed;
mod plan;
mod run;
mod store;
mod troubles;

pub(crate) use metrics::Waiting;
pub use metrics::{Metrics, MetricsSnapshot};
pub(crate) use plan::Settlement;
pub use run::{Relay, RelayError, RelayOptions};
