//! The table of the CSV file as a Parquet file, for people who analyse it.
//!
//! The columns and what stands in them are those of annals-event ([`annals_event::TABLE`]); here they get their types. This is not the
//! format in which the store keeps events: it holds no hash, no salt and no seed, only what a CSV file tells, and may be given away.
//!
//! This crate is pure: rows in, bytes out, in memory that does not grow with the file. It is described for readers in `docs/parquet.md`.

mod column;
mod schema;
mod write;

pub use write::{About, GROUP_ROWS, GROUP_TEXT_BYTES, TableWriter, WriteError};
