//! The client against the real server, real SQLite and real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod context;
mod direct;
mod example;
mod harness;
mod kill;
mod outbox;
mod postgres;
mod receipts;
mod relay;
mod typed;
