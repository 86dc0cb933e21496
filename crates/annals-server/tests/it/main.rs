//! Tests of the server through its real doors: the router in process, or a port.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod bad_input;
mod batch;
mod browser;
mod control;
mod count;
mod damaged;
mod downloads;
mod events;
mod harness;
mod large_bodies;
mod operating;
mod recorded;
mod routes;
mod viewer_chart;
mod viewer_download;
mod viewer_log;
mod viewer_portal;
