#![doc = include_str!("../README.md")]
//!
//! # Features
//!
//! | feature | |
//! |---|---|
//! | `http` (default) | [`Client`] and [`Relay`], on tokio |
//! | `tls` (default) | `https://` addresses, with the certificates that the machine trusts |
//! | `sqlite` (default) | [`SqliteOutbox`], on rusqlite |
//! | `postgres` | `PostgresOutbox`, on tokio-postgres; other drivers through [`Insertion`] |
//! | `sqlx` | the same on transactions of sqlx |
//! | `tower` | `ContextLayer`, for axum and everything else that speaks tower |
//!
//! Without features the events, their builder, the rows of the outbox and the check of receipts are there, without tokio.

pub mod actions;
mod backoff;
mod clock;
mod context;
mod event;
#[cfg(feature = "http")]
mod http;
mod organization;
mod outbox;
mod receipt;
#[cfg(relay)]
mod relay;

pub use annals_event::{
    Actor, Context, Event, EventError, Json, Number, Object, OnBehalfOf, Problem, Timestamp,
};
pub use backoff::Backoff;
#[cfg(feature = "tower")]
pub use context::{ContextFuture, ContextLayer, ContextService};
pub use context::{Network, NetworkError, RequestContext, client_address, request_id, trace_id};
pub use event::{Integer, NewEvent, Ref};
#[cfg(feature = "http")]
pub use http::{Acknowledged, Batcher, Batching, Client, ClientBuilder, ClientError};
pub use organization::{Organization, PortalLink};
#[cfg(feature = "sqlite")]
pub use outbox::SqliteOutbox;
pub use outbox::{
    Bound, Insertion, ItemKind, OutboxError, POSTGRES_MIGRATIONS, Parked, Queued, Recorded,
    SQLITE_MIGRATIONS, WhenFull,
};
#[cfg(feature = "postgres")]
pub use outbox::{PostgresConnection, PostgresOutbox};
pub use receipt::{Kept, Receipt, ReceiptError};
#[cfg(relay)]
pub use relay::{Metrics, MetricsSnapshot, Relay, RelayError, RelayOptions};

/// Bytes of a workspace's id.
const WORKSPACE_BYTES: usize = 64;
