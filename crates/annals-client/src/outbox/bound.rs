//! How much an outbox may hold, and how it knows without counting each time.

#[cfg(database)]
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// What happens to an event that a full outbox cannot hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// Recording fails, and with it the caller's transaction: no change without its event.
    #[default]
    Strict,
    /// The event is dropped and counted, and the change commits. Once there is room, an event `outbox.gap` tells how many events of
    /// that workspace are missing and from when.
    BestEffort,
}

/// How many rows an outbox may hold, and what happens beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound {
    /// Rows that may wait. Transactions in flight at the same moment may exceed it by their own rows.
    pub rows: u64,
    /// What happens to an event beyond.
    pub when_full: WhenFull,
}

impl Default for Bound {
    /// A million rows, strict.
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            when_full: WhenFull::Strict,
        }
    }
}

/// An estimate of how many rows wait, which is never too low for what this process wrote: what was there when it was counted, and
/// every row that was numbered since. Counting again brings in what was delivered meanwhile, so that rows are counted once for as many
/// recordings as there was room, not for each; and of an outbox that is full, so often that it takes a tenth of the time at most.
#[cfg(database)]
#[derive(Debug)]
pub(crate) struct Estimate {
    /// The number that the next row would have if the table had been full when it was counted.
    full_at: AtomicI64,
    /// How many rows were found in a full table, and until when that is believed.
    full: Mutex<Option<(u64, Instant)>>,
}

#[cfg(database)]
impl Estimate {
    /// Not counted yet.
    pub(crate) fn new() -> Self {
        Self {
            full_at: AtomicI64::new(i64::MIN),
            full: Mutex::new(None),
        }
    }

    /// Whether the row with this number surely fits.
    pub(crate) fn fits(&self, seq: i64) -> bool {
        seq < self.full_at.load(Relaxed)
    }

    /// How many rows wait, if it was found a moment ago that no more fit.
    pub(crate) fn full(&self, now: Instant) -> Option<u64> {
        let full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        full.filter(|(_, until)| now < *until)
            .map(|(waiting, _)| waiting)
    }

    /// Takes in that `waiting` rows were there, `new` ones up to `seq` among them, and says whether they are within `bound`. `counted`
    /// is when that was counted and how long it took.
    pub(crate) fn counted(
        &self,
        seq: i64,
        waiting: u64,
        new: u64,
        bound: u64,
        (begun, took): (Instant, Duration),
    ) -> bool {
        let fits = waiting <= bound;
        let room = i64::try_from(bound.saturating_sub(waiting)).unwrap_or(i64::MAX);
        // Of a row too many, its own number does not fit either: it may be given again after a rollback.
        let next = seq.saturating_add(i64::from(fits));
        self.full_at.store(next.saturating_add(room), Relaxed);
        // Where the new rows alone were too many, fewer may fit.
        let full = waiting - new >= bound;
        *self.full.lock().unwrap_or_else(PoisonError::into_inner) =
            full.then(|| (waiting - new, begun + 10 * took));
        fits
    }
}

/// Up to how many rows an outbox of this bound is counted: a fan-out's worth more, so that the number in an error is the true one.
#[cfg(database)]
pub(crate) fn count_limit(bound: u64) -> i64 {
    i64::try_from(bound)
        .unwrap_or(i64::MAX)
        .saturating_add(100_000)
}

#[cfg(all(test, database))]
mod tests {
    use std::time::{Duration, Instant};

    use super::Estimate;

    #[test]
    fn rows_are_counted_once_for_as_many_as_there_is_room() {
        let estimate = Estimate::new();
        let at = (Instant::now(), Duration::ZERO);
        assert!(!estimate.fits(1), "not counted yet");
        assert!(estimate.counted(5, 3, 1, 10, at));
        assert!((6..=12).all(|seq| estimate.fits(seq)));
        assert!(!estimate.fits(13), "the eleventh");
        assert!(!estimate.counted(13, 11, 1, 10, at));
        assert!(!estimate.fits(13) && !estimate.fits(14));
        assert!(estimate.counted(14, 1, 1, 10, at), "delivered meanwhile");
        assert!(estimate.fits(23) && !estimate.fits(24));
    }

    #[test]
    fn a_full_outbox_is_counted_a_tenth_of_the_time_at_most() {
        let estimate = Estimate::new();
        let (begun, took) = (Instant::now(), Duration::from_millis(30));
        assert_eq!(estimate.full(begun), None);
        assert!(!estimate.counted(11, 11, 1, 10, (begun, took)));
        assert_eq!(estimate.full(begun + 9 * took), Some(10));
        assert_eq!(estimate.full(begun + 10 * took), None);
        assert!(!estimate.counted(12, 11, 3, 10, (begun, took)));
        assert_eq!(estimate.full(begun), None, "one row would fit");
    }
}
