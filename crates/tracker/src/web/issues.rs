//! Issues: the list of a project, reporting one, one of them.

mod list;
mod new;
mod one;

pub(super) use list::list;
pub(super) use new::{create, show_new};
pub(super) use one::{assign, delete, finish, forward_again, set_status, show, with};

use axum::extract::Path;

use super::visitor::Desk;

/// The path of an issue's parts.
pub(super) type IssuePath = Path<(String, String, u32)>;

pub(super) fn issue_path(desk: &Desk, number: u32) -> String {
    desk.path(&format!("/i/{number}"))
}
