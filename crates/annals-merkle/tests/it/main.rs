//! The tree against the published vectors, a naive tree and another author's; every mutation fails.

#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "tests of small trees"
)]

mod fuzz;
mod naive;
mod notes;
mod oracle;
mod ranges;
mod vectors;
