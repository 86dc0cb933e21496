//! The server's log: lines for people on a terminal, JSON elsewhere, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

/// Starts logging. `ANNALS_LOG` chooses what (`debug`, `annals_store=trace,info`).
pub(crate) fn start(default: &str) {
    let chosen = std::env::var("ANNALS_LOG").ok();
    let filter: Targets = chosen
        .and_then(|text| text.parse().ok())
        .or_else(|| default.parse().ok())
        .unwrap_or_default();
    let log = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(io::stderr);
    // A second start in one process would fail, and there is none.
    let _ = if io::stderr().is_terminal() {
        log.with(lines.with_target(false)).try_init()
    } else {
        log.with(lines.json().flatten_event(true).with_ansi(false))
            .try_init()
    };
}
