//! The HTTP side of Annals: the API, the viewer and the portal links that open it.
//!
//! [`Config`] is what `operator.toml` says, [`Server`] serves a store by it. Handlers know who calls and
//! what the wire looks like; what an event is belongs to `annals-event`, where it is kept to
//! `annals-store`.

mod api;
mod app;
mod audit;
mod auth;
mod body;
mod config;
mod download;
mod error;
mod fields;
mod ids;
mod ingest;
mod limit;
mod metrics;
mod params;
mod places;
mod portal;
mod request;
mod room;
mod router;
mod serve;
mod server;
mod viewer;
mod wanted;

pub use config::{
    Config, ConfigError, EntitlementSetting, KeyLimit, Limits, Network, Operator, Scrub, Segments,
    UnknownOrganization,
};
pub use server::{Server, page_routes};
