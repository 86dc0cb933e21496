//! The Parquet file: the rows of the CSV file, with types, in bounded memory.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in what it calls too"
)]

mod file;
mod memory;
mod world;
