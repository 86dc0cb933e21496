//! The binary from outside: what a person or a script sees of it.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod backup;
mod cloudtrail;
mod crowd;
mod demo;
mod files;
mod harness;
mod help;
mod kill;
mod object_store;
mod roundtrip;
mod start;
