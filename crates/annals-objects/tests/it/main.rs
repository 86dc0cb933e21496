//! The bucket over the network, against a server that speaks S3.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod bucket;
mod harness;
mod store;
