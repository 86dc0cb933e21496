//! The pages: decode, one act or one reading, a page or a redirect.

mod account;
mod answer;
mod audit_logs;
mod clock_door;
mod comments;
mod cookies;
mod csrf;
mod exports;
mod form;
mod frame;
mod home;
mod integrations;
mod issues;
mod join;
mod login;
mod members;
mod projects;
mod recovery;
mod router;
mod settings;
mod signup;
mod visitor;
mod widget;

pub(crate) use router::router;
