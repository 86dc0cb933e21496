//! The one clock of the application: every time that is stored, shown or compared comes from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use annals_client::Timestamp;

/// The value at which the clock follows the machine's.
const FOLLOWS: i64 = i64::MIN;

/// A clock that follows the machine's until it is set, which only the clock door does. Clones are the same clock.
#[derive(Clone, Debug)]
pub(crate) struct Clock(Arc<AtomicI64>);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicI64::new(FOLLOWS)))
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::clamped(match self.0.load(Ordering::SeqCst) {
            FOLLOWS => machine(),
            set => set,
        })
    }

    /// Stands still at `time` until it is set again or let go.
    pub(crate) fn set(&self, time: Timestamp) {
        self.0.store(time.as_micros(), Ordering::SeqCst);
    }

    /// Follows the machine's clock again.
    pub(crate) fn follow(&self) {
        self.0.store(FOLLOWS, Ordering::SeqCst);
    }
}

fn machine() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
}

/// `time` and so much later.
pub(crate) fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::clamped(time.as_micros().saturating_add(by))
}

/// Whole seconds from `earlier` to `now`; none if the clock went back.
pub(crate) fn seconds_between(earlier: Timestamp, now: Timestamp) -> i64 {
    (now.as_micros().saturating_sub(earlier.as_micros()) / 1_000_000).max(0)
}

/// As people read it: `23 Nov 2026, 14:05 UTC`.
pub(crate) fn in_words(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or_default();
    time.strftime("%-d %b %Y, %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::{Clock, in_words, later, seconds_between};
    use annals_client::Timestamp;
    use std::time::Duration;

    #[test]
    fn a_clock_stands_where_it_was_set_and_goes_on_when_let_go() {
        let clock = Clock::new();
        let time = Timestamp::parse("2026-11-23T14:05:59Z").unwrap();
        clock.set(time);
        assert_eq!(clock.clone().now(), time);
        assert_eq!(in_words(time), "23 Nov 2026, 14:05 UTC");
        assert_eq!(
            seconds_between(time, later(time, Duration::from_secs(7))),
            7
        );
        assert_eq!(
            seconds_between(later(time, Duration::from_secs(7)), time),
            0
        );
        clock.follow();
        assert_ne!(clock.now(), time);
    }
}
