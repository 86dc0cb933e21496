//! A line that says how far long work has come, on standard error: one that changes where a person
//! looks; elsewhere none, or a new one now and then.

mod bar;

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

pub(crate) use bar::Bar;

/// How often the line changes.
const EVERY: Duration = Duration::from_millis(200);
/// How often there is a new one.
const EVERY_LINE: Duration = Duration::from_secs(5);

/// How it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// In one line that changes.
    Changing,
    /// In line after line.
    Lines,
    No,
}

/// Long work that counts up.
pub(crate) struct Progress {
    what: &'static str,
    total: Option<u64>,
    shown: Shown,
    started: Instant,
    /// When it was shown last; nothing if not yet.
    last: Option<Instant>,
}

impl Progress {
    /// Begins; `total` is how far it will go, if that is known. Shown on a terminal only.
    pub(crate) fn new(what: &'static str, total: Option<u64>) -> Progress {
        let is_terminal = io::stderr().is_terminal();
        Progress {
            what,
            total,
            shown: if is_terminal {
                Shown::Changing
            } else {
                Shown::No
            },
            started: Instant::now(),
            last: None,
        }
    }

    /// The same for what is waited for in any case: in a container's log there is a line every few
    /// seconds.
    pub(crate) fn in_lines_too(mut self) -> Progress {
        if self.shown == Shown::No {
            self.shown = Shown::Lines;
        }
        self
    }

    /// So far. Bytes are shown as such where `unit` is `"bytes"`.
    pub(crate) fn at(&mut self, done: u64, unit: &str) {
        let every = match self.shown {
            Shown::Changing => EVERY,
            Shown::Lines => EVERY_LINE,
            Shown::No => return,
        };
        if self.last.is_some_and(|last| last.elapsed() < every) {
            return;
        }
        self.last = Some(Instant::now());
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
        let _ = match self.shown {
            Shown::Lines => writeln!(io::stderr(), "{text}"),
            _ => write!(io::stderr(), "\r\x1b[K{text}"),
        };
    }

    /// Takes the line away.
    pub(crate) fn done(&mut self) {
        if self.shown == Shown::Changing {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
        self.shown = Shown::No;
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
