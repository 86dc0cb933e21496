//! What is recorded, a file for each noun: the one place where an act becomes an event of the catalogue.
//!
//! They are plain functions from what an act knows to a typed event of `annals_client::actions`. Everything in an event is a snapshot:
//! ids with the names of that moment. No secret, no code, no link, and no text that somebody wrote for others is ever part of one.

pub(crate) mod comment;
pub(crate) mod integration;
pub(crate) mod issue;
pub(crate) mod project;
pub(crate) mod user;
pub(crate) mod workspace;
