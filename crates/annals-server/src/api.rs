//! The HTTP API, a file for each kind of thing.
//!
//! Every handler reads the same way: decode the request, make one call through the store's door,
//! encode the answer. `router()` of each file names its routes; `router.rs` puts them together.

pub(crate) mod actions;
pub(crate) mod catalogue;
pub(crate) mod checkpoint;
pub(crate) mod docs;
pub(crate) mod downloads;
pub(crate) mod entitlement;
pub(crate) mod events;
pub(crate) mod exports;
pub(crate) mod health;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod organizations;
pub(crate) mod portal_links;
pub(crate) mod retention;
pub(crate) mod tail;

/// A time as it stands on the wire of control data: milliseconds, as `WorkOS` prints them.
pub(crate) fn time(time: annals_event::Timestamp) -> String {
    let text = time.to_string();
    match text.len().checked_sub(4).and_then(|end| text.get(..end)) {
        Some(short) => format!("{short}Z"),
        None => text,
    }
}
