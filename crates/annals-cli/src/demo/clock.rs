//! The clock of the demo: it stands where the story is, and runs once the story is told.

use std::sync::atomic::{AtomicI64, Ordering};

use annals_event::Timestamp;
use annals_store::{Clock, SystemClock};

/// The value at which the clock follows the machine's.
const RUNNING: i64 = i64::MIN;

/// A clock that is moved by hand until it is let go.
pub(crate) struct DemoClock(AtomicI64);

impl DemoClock {
    /// A clock that stands still.
    pub(crate) fn standing_at(time: Timestamp) -> DemoClock {
        DemoClock(AtomicI64::new(time.as_micros()))
    }

    /// A clock that runs.
    pub(crate) fn of_the_machine() -> DemoClock {
        DemoClock(AtomicI64::new(RUNNING))
    }

    /// Moves it.
    pub(crate) fn set(&self, time: Timestamp) {
        self.0.store(time.as_micros(), Ordering::SeqCst);
    }

    /// Lets it go, for good.
    pub(crate) fn follow_the_machine(&self) {
        self.0.store(RUNNING, Ordering::SeqCst);
    }
}

impl Clock for DemoClock {
    fn now(&self) -> Timestamp {
        match self.0.load(Ordering::SeqCst) {
            RUNNING => SystemClock.now(),
            micros => Timestamp::clamped(micros),
        }
    }
}
