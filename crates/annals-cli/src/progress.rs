//! A line that says how far long work has come, on standard error, only where a person looks.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(200);

/// Long work that counts up.
pub(crate) struct Progress {
    what: &'static str,
    total: Option<u64>,
    shown: bool,
    started: Instant,
    last: Instant,
}

impl Progress {
    /// Begins; `total` is how far it will go, if that is known.
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Progress {
        let now = Instant::now();
        Progress {
            what,
            total,
            shown: io::stderr().is_terminal(),
            started: now,
            last: now,
        }
    }

    /// So far. Bytes are shown as such where `unit` is `"bytes"`.
    pub(crate) fn at(&mut self, done: u64, unit: &str) {
        if !self.shown || self.last.elapsed() < EVERY {
            return;
        }
        self.last = Instant::now();
        let amount = |n: u64| {
            if unit == "bytes" {
                bytes(n)
            } else {
                format!("{n} {unit}")
            }
        };
        let rate = f64_of(done) / self.started.elapsed().as_secs_f64().max(0.001);
        let text = match self.total {
            Some(total) if total > 0 => {
                let percent = done.min(total) * 100 / total;
                format!("{} {percent} % of {}", self.what, amount(total))
            }
            _ => format!("{} {}", self.what, amount(done)),
        };
        let text = if unit == "bytes" {
            text
        } else {
            format!("{text}, {rate:.0}/s")
        };
        let _ = write!(io::stderr(), "\r\x1b[K{text}");
    }

    /// Takes the line away.
    pub(crate) fn done(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
            self.shown = false;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done();
    }
}

/// `12.3 MB`.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", f64_of(n) / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", f64_of(n) / 1e6),
        _ => format!("{:.1} GB", f64_of(n) / 1e9),
    }
}

fn f64_of(n: u64) -> f64 {
    // Exact below 2^53, and only shown rounded.
    #[expect(clippy::cast_precision_loss, reason = "shown to one digit")]
    let f = n as f64;
    f
}
