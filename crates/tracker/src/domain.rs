//! What can be done: a file for each noun, a function for each act.
//!
//! An act reads the same everywhere: is it allowed → the change → its event → its mails. It runs in one transaction, which
//! [`crate::app::App::act`] commits; a refusal says what is recorded of the attempt after the rollback.

pub(crate) mod account;
pub(crate) mod comment;
pub(crate) mod connection;
pub(crate) mod domain_join;
pub(crate) mod email;
pub(crate) mod email_change;
pub(crate) mod export;
pub(crate) mod forward;
pub(crate) mod group;
pub(crate) mod integration;
pub(crate) mod invitation;
pub(crate) mod issue;
pub(crate) mod join;
pub(crate) mod login;
pub(crate) mod login_code;
pub(crate) mod member;
pub(crate) mod permission;
pub(crate) mod project;
pub(crate) mod project_member;
pub(crate) mod recovery;
pub(crate) mod report;
pub(crate) mod session;
pub(crate) mod signup;
pub(crate) mod text;
pub(crate) mod user;
pub(crate) mod viewer;
pub(crate) mod widget;
pub(crate) mod workspace;
