//! Ids that are made here: of requests and of events without one.

use std::cell::RefCell;

use annals_event::Timestamp;
use axum::http::HeaderValue;

/// Random bytes are drawn from the system a page at a time: one call for each event would cost
/// more than hashing it.
struct Pool {
    bytes: [u8; 4096],
    left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; 4096], left: 0 }) };
}

/// `N` random bytes. If the system has none, which does not happen on a running machine, the time
/// in nanoseconds takes their place: these ids must differ, they keep no secret.
fn random<const N: usize>() -> [u8; N] {
    POOL.with_borrow_mut(|pool| {
        if pool.left < N {
            pool.left = pool.bytes.len();
            if getrandom::fill(&mut pool.bytes).is_err() {
                let nanos = std::time::SystemTime::now()
                    .duration_since(std::time::UNIX_EPOCH)
                    .map_or(0, |d| d.as_nanos());
                for (n, chunk) in pool.bytes.chunks_mut(16).enumerate() {
                    let value = nanos
                        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                        .wrapping_add(n as u128);
                    chunk.copy_from_slice(&value.to_le_bytes());
                }
            }
        }
        let mut out = [0; N];
        let end = pool.left;
        pool.left -= N;
        out.copy_from_slice(&pool.bytes[end - N..end]);
        out
    })
}

/// A new id for an event whose producer gave none: a UUID of version 7.
pub(crate) fn event_id(now: Timestamp) -> String {
    let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &random::<10>()).into_uuid();
    id.to_string()
}

/// A new id for a request, for the header and the log.
pub(crate) fn request_id() -> HeaderValue {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut text = *b"req_00000000000000000000";
    for (place, byte) in text[4..].iter_mut().zip(random::<20>()) {
        *place = DIGITS[usize::from(byte & 31)];
    }
    // Letters and digits are a header value.
    HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static("req_0"))
}
