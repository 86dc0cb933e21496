//! The proof file: a contiguous range of a log that anybody can check, offline, without trusting us.
//!
//! The format is specified in `docs/formats/proof-v1.md`. [`ProofWriter`] streams one,
//! [`verify`] checks one, [`withhold`] takes values out of one without breaking it. Memory is
//! constant, however long the range. This crate knows entries and trees, and neither storage nor
//! HTTP.

mod disclosure;
mod entry;
mod failure;
mod header;
mod lines;
mod report;
mod scan;
mod trailer;
mod verify;
mod withhold;
mod write;

pub use disclosure::Disclosure;
pub use failure::{Failure, Flaw};
pub use lines::LINE_BYTES_MAX;
pub use report::{Report, Signer};
pub use verify::verify;
pub use withhold::{Withhold, WithholdError, withhold};
pub use write::{ProofWriter, WriteError};
