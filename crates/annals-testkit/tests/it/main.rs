//! The rules of the repository, and the testkit's own honesty.

mod repository;
mod vfs;
