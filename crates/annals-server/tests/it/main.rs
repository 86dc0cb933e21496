//! Tests of the server through its real doors: the router in process, or a port.

mod batch;
mod events;
mod harness;
