//! Token buckets for the keys whose limits the operator has set.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::KeyLimit;
use crate::error::ApiError;

/// The buckets, by key id. Keys that are not named have none and cost a look-up in an empty map.
#[derive(Debug, Default)]
pub(crate) struct Buckets(HashMap<String, Mutex<Bucket>>);

/// One bucket, counted in the time that its content takes to flow in: a request waits until
/// `full_at` lies at most `depth` ahead.
#[derive(Debug)]
struct Bucket {
    full_at: Instant,
    each: Duration,
    depth: Duration,
}

impl Buckets {
    /// Buckets as configured, all full.
    pub(crate) fn new(limits: &BTreeMap<String, KeyLimit>) -> Self {
        let now = Instant::now();
        let bucket = |limit: &KeyLimit| {
            let per_second = limit.per_second.max(1);
            let each = Duration::from_secs(1) / per_second;
            let burst = limit.burst.unwrap_or(per_second.saturating_mul(10)).max(1);
            Mutex::new(Bucket {
                full_at: now,
                each,
                depth: each * burst,
            })
        };
        Self(
            limits
                .iter()
                .map(|(id, limit)| (id.clone(), bucket(limit)))
                .collect(),
        )
    }

    /// Takes `count` from the bucket of a key, if it has one.
    ///
    /// # Errors
    /// [`ApiError::RateLimited`] with the time after which the same would pass; nothing is taken.
    pub(crate) fn take(&self, key_id: &str, count: u32) -> Result<(), ApiError> {
        let Some(bucket) = self.0.get(key_id) else {
            return Ok(());
        };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let from = bucket.full_at.max(now);
        // What exceeds the whole depth could never pass; it is let through when the bucket is full.
        let cost = (bucket.each * count).min(bucket.depth);
        let until = from + cost;
        let ahead = until - now;
        if ahead > bucket.depth {
            return Err(ApiError::RateLimited {
                retry_after: ahead - bucket.depth,
            });
        }
        bucket.full_at = until;
        Ok(())
    }
}
