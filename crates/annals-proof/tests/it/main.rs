//! Proof files through the door: what is valid verifies, and nothing else does.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests of small logs"
)]

mod damage;
mod drill;
mod golden;
mod log;
mod range;
mod twin;
