//! Speaking to Annals over HTTP.

mod answer;
mod batcher;
mod client;
mod error;
mod send;
mod transport;

#[cfg(relay)]
pub(crate) use answer::Outcome;
pub use batcher::{Batcher, Batching};
pub use client::{Acknowledged, Client, ClientBuilder};
pub use error::ClientError;
#[cfg(relay)]
pub(crate) use send::{Bulk, BulkAnswer, receipts_of};
