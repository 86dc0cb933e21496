//! The store, tested through its door.

mod append;
mod check;
mod control;
mod control_changes;
mod control_keys;
mod control_organizations;
mod control_portal;
mod control_schemas;
mod full_disk;
mod power_cut;
mod proofs;
mod search;
mod world;
mod write_failures;
