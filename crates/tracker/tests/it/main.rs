//! The tracker through its own doors, with the real Annals behind it.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod accounts;
mod attacks;
mod audit_logs;
mod failures;
mod harness;
mod offline;
mod safety;
mod scenario;
mod widget;
