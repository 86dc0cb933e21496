//! What a store is opened with.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use annals_event::Timestamp;

use crate::{Bucket, Files, SystemFiles};

/// Where the time comes from. The store asks nothing else for it.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The time of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
            Err(_) => 0,
        };
        Timestamp::clamped(micros)
    }
}

/// A time that stands still until it is moved: for tests, and for the demo, whose month of events
/// is recorded within seconds.
#[derive(Debug)]
pub struct SteppedClock(AtomicI64);

impl SteppedClock {
    /// A clock that stands at `start`.
    pub fn new(start: Timestamp) -> SteppedClock {
        SteppedClock(AtomicI64::new(start.as_micros()))
    }

    /// Moves the clock; backwards too, as real clocks sometimes do.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::clamped(self.0.load(Ordering::SeqCst))
    }
}

/// Whether a commit waits for the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Every commit is synced before it is acknowledged.
    #[default]
    Full,
    /// Nothing is synced. It exists only to show that the power-cut test can fail.
    Off,
}

/// When events move from the journal into segments, and segments into larger ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealing {
    /// How many events are enough for a segment; where more wait it holds up to `fan` times as many. Default 65,536.
    pub rows: u64,
    /// How many events may wait in the journal while others are being recorded without a pause of a second. Default
    /// 1,048,576.
    pub backlog: u64,
    /// How long an event waits for others at most. Default 10 minutes.
    pub age: Duration,
    /// How many neighbouring segments become one. Default 8.
    pub fan: usize,
}

impl Default for Sealing {
    fn default() -> Sealing {
        Sealing {
            rows: 64 << 10,
            backlog: 1 << 20,
            age: Duration::from_secs(10 * 60),
            fan: 8,
        }
    }
}

/// How segments are read again in the background, to find what has rotted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scrubbing {
    /// How many bytes are read in a second at most, at least 1. Default 1 MiB, which is 600 GB in seven days.
    pub bytes_per_second: u64,
    /// How long after the beginning of a round the next one begins; at once if the round took longer.
    /// Default seven days.
    pub every: Duration,
    /// How long a start is left in peace before a round begins or goes on. Default one minute.
    pub after_start: Duration,
}

impl Default for Scrubbing {
    fn default() -> Scrubbing {
        Scrubbing {
            bytes_per_second: 1 << 20,
            every: Duration::from_secs(7 * 24 * 3600),
            after_start: Duration::from_secs(60),
        }
    }
}

/// How a store is opened. `Options::default()` is what an installation runs with.
#[derive(Clone)]
pub struct Options {
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// How many bytes of what was read from the journal and from segments are kept in memory. Default 64 MiB.
    pub cache_bytes: usize,
    /// The name of the SQLite VFS to use, if not the usual one: how faults are injected.
    pub vfs: Option<String>,
    /// The installation's origin, which begins the name of every log. Only used when the directory
    /// is new; without it a random one under `annals.invalid` is made.
    pub origin: Option<String>,
    /// Whether commits wait for the disk.
    pub durability: Durability,
    /// The most bytes that the database file may take, if it is limited. A full one answers as a full
    /// disk does.
    pub max_bytes: Option<u64>,
    /// How many bytes are set aside so that reading is still recorded on a full disk. Default 8 MiB.
    pub reserve_bytes: u64,
    /// How long an idempotency key is remembered at least, in seconds of uptime. Default one day.
    pub idempotency_seconds: u64,
    /// When events move into segments; never in the background if absent.
    pub sealing: Option<Sealing>,
    /// How segments are read again in the background; never if absent.
    pub scrubbing: Option<Scrubbing>,
    /// How files of segments are written: how faults are injected.
    pub files: Arc<dyn Files>,
    /// The object store that segments go into, instead of the directory. An installation stays with one; what is
    /// on the disk moves there at the next start.
    pub bucket: Option<Arc<dyn Bucket>>,
    /// How many bytes of remote segments are kept in memory. Default 128 MiB.
    pub bucket_cache_bytes: usize,
    /// What to do when the disk fails: it is called once, with the reason, after which the store
    /// accepts nothing more. Default: the process ends with exit code 70, because after a failed
    /// sync nobody knows what is on the disk, and only a restart reads it again.
    pub on_fatal: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            clock: Arc::new(SystemClock),
            cache_bytes: 64 << 20,
            vfs: None,
            origin: None,
            durability: Durability::Full,
            max_bytes: None,
            reserve_bytes: 8 << 20,
            idempotency_seconds: 24 * 3600,
            sealing: Some(Sealing::default()),
            scrubbing: Some(Scrubbing::default()),
            files: Arc::new(SystemFiles),
            bucket: None,
            bucket_cache_bytes: 128 << 20,
            on_fatal: Arc::new(|_| std::process::exit(70)),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("cache_bytes", &self.cache_bytes)
            .field("vfs", &self.vfs)
            .field("origin", &self.origin)
            .field("durability", &self.durability)
            .field("max_bytes", &self.max_bytes)
            .field("reserve_bytes", &self.reserve_bytes)
            .field("idempotency_seconds", &self.idempotency_seconds)
            .field("sealing", &self.sealing)
            .field("bucket", &self.bucket.as_ref().map(|bucket| bucket.place()))
            .field("bucket_cache_bytes", &self.bucket_cache_bytes)
            .field("scrubbing", &self.scrubbing)
            .finish_non_exhaustive()
    }
}
