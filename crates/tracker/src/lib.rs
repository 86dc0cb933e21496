//! An issue tracker, small but real, whose every change is audited in [Annals](annals_client): the application from which to copy how
//! Annals is used.
//!
//! [`Config`] is what it is started with, [`Tracker`] opens its database and serves it. What can be done is in `domain/`, what is
//! recorded of it in `events/`, what people see in `web/` and `templates/`; `docs/tracker.md` goes through the patterns.

mod act;
mod app;
mod clock;
mod collapse;
mod config;
mod db;
mod domain;
mod events;
mod limits;
mod look;
mod loops;
mod mail;
mod oauth;
mod password;
pub mod provider;
mod refused;
mod secret;
mod tracker;
mod web;

pub use annals_client::Network;
pub use config::{Annals, Config, ConfigError, Limits, MailSettings};
pub use mail::{Encryption, SmtpProblem, SmtpSettings};
pub use oauth::{Provider, ProviderProblem, TIMEOUT};
pub use tracker::{OpenError, Tracker};
