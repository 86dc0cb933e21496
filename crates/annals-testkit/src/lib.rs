//! What the tests and the benches of Annals stand on: a disk that can lose power, fill up and lie,
//! a seeded generator of believable audit events, a PostgreSQL to run beside, and ports that stay free.
//!
//! Development only. It never imports the server, so that a change of the store does not rebuild
//! the server to run the store's tests.

mod generate;
mod port;
mod postgres;
mod process;
mod vfs;

pub use generate::{ABSENT, COMMON, Generated, Generator, Profile, RARE};
pub use port::HeldPort;
pub use postgres::PostgresCluster;
pub use process::{proc_stat, processor_time};
pub use vfs::{Deed, Failure, FaultVfs, Injection};
