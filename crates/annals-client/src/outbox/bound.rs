//! How much an outbox may hold, and how it knows without counting each time.

#[cfg(database)]
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

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
/// recordings as there was room, not for each.
#[cfg(database)]
#[derive(Debug)]
pub(crate) struct Estimate {
    /// The number that the next row would have if the table had been full when it was counted.
    full_at: AtomicI64,
}

#[cfg(database)]
impl Estimate {
    /// Not counted yet.
    pub(crate) fn new() -> Self {
        Self {
            full_at: AtomicI64::new(i64::MIN),
        }
    }

    /// Whether the row with this number surely fits.
    pub(crate) fn fits(&self, seq: i64) -> bool {
        seq < self.full_at.load(Relaxed)
    }

    /// Takes in that `waiting` rows were there, that of `seq` among them, and says whether they are within `bound`.
    pub(crate) fn counted(&self, seq: i64, waiting: u64, bound: u64) -> bool {
        let room = i64::try_from(bound.saturating_sub(waiting)).unwrap_or(i64::MAX);
        // Of a row too many, its own number does not fit either: it may be given again after a rollback.
        let next = seq.saturating_add(i64::from(waiting <= bound));
        self.full_at.store(next.saturating_add(room), Relaxed);
        waiting <= bound
    }
}

#[cfg(all(test, database))]
mod tests {
    use super::Estimate;

    #[test]
    fn rows_are_counted_once_for_as_many_as_there_is_room() {
        let estimate = Estimate::new();
        assert!(!estimate.fits(1), "not counted yet");
        assert!(estimate.counted(5, 3, 10));
        assert!((6..=12).all(|seq| estimate.fits(seq)));
        assert!(!estimate.fits(13), "the eleventh");
        assert!(!estimate.counted(13, 11, 10));
        assert!(!estimate.fits(13) && !estimate.fits(14));
        assert!(estimate.counted(14, 1, 10), "delivered meanwhile");
        assert!(estimate.fits(23) && !estimate.fits(24));
    }
}
