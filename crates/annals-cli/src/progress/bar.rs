//! A bar with rate and remaining time, for work whose length is known in one unit and counted in another.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use super::{EVERY, EVERY_LINE, f64_of};

/// Characters of the bar itself.
const WIDTH: u64 = 24;

/// A bar on a terminal, and elsewhere a plain line every few seconds.
pub(crate) struct Bar {
    total: Option<u64>,
    unit: &'static str,
    is_terminal: bool,
    started: Instant,
    shown: Instant,
}

impl Bar {
    /// `total` is how far it will go; `unit` is what is counted beside that.
    pub(crate) fn new(total: Option<u64>, unit: &'static str) -> Bar {
        Bar {
            total: total.filter(|total| *total > 0),
            unit,
            is_terminal: io::stderr().is_terminal(),
            started: Instant::now(),
            shown: Instant::now(),
        }
    }

    /// So far: of the length, and of what is counted.
    pub(crate) fn at(&mut self, length: u64, count: u64) {
        let every = if self.is_terminal { EVERY } else { EVERY_LINE };
        if self.shown.elapsed() < every {
            return;
        }
        self.shown = Instant::now();
        let text = line(
            self.total,
            length,
            count,
            self.unit,
            self.started.elapsed(),
            self.is_terminal,
        );
        let _ = if self.is_terminal {
            write!(io::stderr(), "\r\x1b[K{text}")
        } else {
            writeln!(io::stderr(), "{text}")
        };
    }

    /// Takes the bar away.
    pub(crate) fn done(&mut self) {
        if self.is_terminal {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(
    total: Option<u64>,
    length: u64,
    count: u64,
    unit: &str,
    elapsed: Duration,
    with_bar: bool,
) -> String {
    let seconds = elapsed.as_secs_f64().max(0.001);
    let counted = format!("{count} {unit}, {:.0}/s", f64_of(count) / seconds);
    let Some(total) = total else { return counted };
    let length = length.min(total);
    let percent = length * 100 / total;
    let left = match length {
        0 => String::new(),
        _ => format!(
            ", {} left",
            clock(seconds * f64_of(total - length) / f64_of(length))
        ),
    };
    if !with_bar {
        return format!("{percent} %, {counted}{left}");
    }
    let full = length * WIDTH / total;
    let bar: String = (0..WIDTH)
        .map(|n| if n < full { '#' } else { '-' })
        .collect();
    format!("[{bar}] {percent:>3} %, {counted}{left}")
}

/// `1:02:03` or `2:03`.
fn clock(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds)
        .unwrap_or_default()
        .as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_how_far_how_fast_and_how_long() {
        let minute = Duration::from_secs(60);
        let text = line(Some(400), 100, 6_000, "events", minute, true);
        assert_eq!(
            text,
            "[######------------------]  25 %, 6000 events, 100/s, 3:00 left"
        );
        let plain = line(Some(400), 100, 6_000, "events", minute, false);
        assert_eq!(plain, "25 %, 6000 events, 100/s, 3:00 left");
        let endless = line(None, 100, 6_000, "events", minute, true);
        assert_eq!(endless, "6000 events, 100/s");
        // A file that grew while it was read is never beyond its end.
        assert!(line(Some(4), 9, 1, "events", minute, false).starts_with("100 %"));
        assert_eq!(clock(7_384.0), "2:03:04");
    }
}
