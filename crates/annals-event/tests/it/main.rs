//! Tests of the crate through its door.

mod catalogue;
mod draft;
mod entry;
mod event;
mod fuzz;
mod golden;
mod json;
mod strategy;
mod time;
