//! The store, tested through its door.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on stops, and its numbers are small"
)]

mod append;
mod backup;
mod bucket;
mod check;
mod control;
mod control_changes;
mod control_keys;
mod control_organizations;
mod control_portal;
mod control_schemas;
mod full_disk;
mod kill;
mod memory_bucket;
mod power_cut;
mod proofs;
mod scrub;
mod search;
mod segments;
mod tally;
mod unreadable;
mod versions;
mod world;
mod write_failures;
