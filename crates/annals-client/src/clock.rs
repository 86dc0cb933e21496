//! The only place that asks what time it is and draws ids.

use std::time::{SystemTime, UNIX_EPOCH};

use annals_event::Timestamp;

/// The time of this machine.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::clamped(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// An id that sorts by the time at which it was made.
pub(crate) fn event_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
