//! Every limit on what may be recorded, in one place. All are upper bounds and inclusive.

/// Bytes of one event as JSON text, before anything is parsed.
pub const EVENT_BYTES: usize = 64 * 1024;
/// Bytes of one event as recorded: all strings of its skeleton plus the canonical text of its sections.
pub const RECORD_BYTES: usize = 60 * 1024;
/// Nesting of a free value (`metadata`, `previous`, `next`), counting the value itself as one.
pub const VALUE_DEPTH: usize = 8;
/// Nesting of any JSON text that [`crate::Json::parse`] accepts: a free value and what it stands in.
pub const JSON_DEPTH: usize = VALUE_DEPTH + 8;
/// Targets of one event.
pub const TARGETS: usize = 20;
/// Keys of one object inside `metadata`, `previous` or `next`.
pub const OBJECT_KEYS: usize = 100;
/// Bytes of one key of such an object.
pub const KEY_BYTES: usize = 128;
/// Bytes of one text value: a name, an address, a metadata string.
pub const TEXT_BYTES: usize = 8 * 1024;
/// Bytes of an id of an event, an actor or a target.
pub const ID_BYTES: usize = 128;
/// Bytes of an action, a type, a role or a failure reason.
pub const NAME_BYTES: usize = 128;
/// Events of one batch.
pub const BATCH_EVENTS: usize = 1_000;
/// Problems that are told of one event.
pub const PROBLEMS: usize = 20;
/// Bytes of one batch, decoded.
pub const BATCH_BYTES: usize = 5 * 1024 * 1024;
/// How far `occurred_at` may lie ahead of the receiver's clock, in microseconds.
pub const AHEAD_MICROS: i64 = 10 * 60 * 1_000_000;
/// The largest integer that a JSON number carries exactly (2^53 − 1).
pub const SAFE_INTEGER: i64 = 9_007_199_254_740_991;
/// Characters of a query.
pub const QUERY_CHARS: usize = 2_000;
/// Terms of a query.
pub const QUERY_TERMS: usize = 50;
