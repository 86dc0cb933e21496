//! The binary from outside: what a person or a script sees of it.

mod demo;
mod files;
mod harness;
mod help;
mod kill;
mod roundtrip;
mod start;
