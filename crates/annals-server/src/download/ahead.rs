//! Reading on while rows are being written.
//!
//! Putting rows together costs about as much as writing them out. A large file does both at once, on two threads.

use std::sync::mpsc::sync_channel;
use std::thread;

/// Items that are handed over at once, so that handing over costs nothing beside them.
const BATCH: usize = 256;
/// Batches that wait. With the one being filled and the one being taken it bounds what is in memory.
const WAITING: usize = 1;

/// Gives `take` what `items` gives, in the same order, read on a thread of its own. Where `take` leaves early, the reading ends.
pub(super) fn ahead<T: Send, R>(
    mut items: impl Iterator<Item = T> + Send,
    take: impl FnOnce(&mut dyn Iterator<Item = T>) -> R,
) -> R {
    // Small files are read at once; a thread would cost more than it brings.
    let first: Vec<T> = items.by_ref().take(BATCH).collect();
    if first.len() < BATCH {
        return take(&mut first.into_iter());
    }
    thread::scope(|scope| {
        let (sender, batches) = sync_channel::<Vec<T>>(WAITING);
        scope.spawn(move || {
            loop {
                let batch: Vec<T> = items.by_ref().take(BATCH).collect();
                if batch.is_empty() || sender.send(batch).is_err() {
                    return;
                }
            }
        });
        take(&mut first.into_iter().chain(batches.into_iter().flatten()))
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    #[test]
    fn everything_comes_in_order() {
        for count in [0, 1, BATCH - 1, BATCH, BATCH + 1, 10 * BATCH + 7] {
            let taken = ahead(0..count, |items| items.collect::<Vec<_>>());
            assert!(taken.into_iter().eq(0..count), "{count}");
        }
    }

    #[test]
    fn who_leaves_early_ends_the_reading_and_never_much_is_read_ahead() {
        let read = AtomicUsize::new(0);
        let items = (0..usize::MAX).inspect(|_| {
            read.fetch_add(1, Relaxed);
        });
        let taken = Cell::new(0);
        ahead(items, |items| {
            for _ in items.take(20 * BATCH) {
                taken.set(taken.get() + 1);
                assert!(read.load(Relaxed) <= taken.get() + (WAITING + 3) * BATCH);
            }
        });
        assert_eq!(taken.get(), 20 * BATCH);
    }
}
