//! The rules of the repository, and the testkit's own honesty.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod generate;
mod port;
mod repository;
mod vfs;
