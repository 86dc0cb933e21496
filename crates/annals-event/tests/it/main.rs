//! Tests of the crate through its door.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod catalogue;
mod csv;
mod draft;
mod entry;
mod event;
mod fuzz;
mod golden;
mod json;
mod query;
mod schema;
mod sentence;
mod steps;
mod strategy;
mod time;
