//! Comments on an issue.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, again, to_with};
use super::form::{Filled, Pressed, ticked};
use super::frame::{Place, within};
use super::issues::{IssuePath, finish, issue_path, with};
use super::visitor::Desk;
use crate::app::App;
use crate::domain::comment::{self, Comment};
use crate::domain::issue::Issue;
use crate::domain::permission::Deed;
use crate::look::Shell;
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "comment_edit.html")]
struct EditPage<'a> {
    shell: Shell,
    back: String,
    action: String,
    body: &'a str,
    members_only: bool,
    may_comment_quietly: bool,
    problem: &'a Problem,
}

#[derive(Deserialize)]
pub(super) struct CommentForm {
    body: String,
    members_only: Option<String>,
}

/// The path of a comment.
type CommentPath = Path<(String, String, u32, String)>;

pub(super) async fn publish(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
    Filled(form): Filled<CommentForm>,
) -> Answer {
    let (body, quiet) = (form.body.clone(), ticked(form.members_only.as_ref()));
    match desk
        .act(&app, move |act, by, project| {
            comment::publish(act, by, project, number, &body, quiet)
        })
        .await
    {
        Ok(()) => Ok(to_with(
            &issue_path(&desk, number),
            "Your comment is published.",
        )),
        Err(refused) => with(&app, &desk, number, &form.body, refused.into()).await,
    }
}

pub(super) async fn show_edit(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number, id)): CommentPath,
) -> Answer {
    let looked_up = id.clone();
    let comment = desk
        .read(&app, move |db, by, project| {
            let issue = Issue::load(db, by, project, number)?;
            let mine = Comment::list(db, by, &issue)?
                .into_iter()
                .find(|comment| comment.id == looked_up && comment.is_by(by));
            mine.ok_or_else(Refused::not_found)
        })
        .await?;
    edit_page(
        &app,
        &desk,
        number,
        &id,
        &comment.body,
        comment.members_only,
        Problem::none(),
    )
    .await
}

async fn edit_page(
    app: &App,
    desk: &Desk,
    number: u32,
    id: &str,
    body: &str,
    members_only: bool,
    problem: Problem,
) -> Answer {
    let mut shell = within(
        app,
        &desk.seat,
        "Edit a comment",
        Place::Project(&desk.project.id),
    )
    .await?;
    problem.above(&mut shell, &["body"]);
    let back = issue_path(desk, number);
    let page = EditPage {
        shell,
        action: format!("{back}/comments/{id}/edit"),
        back,
        body,
        members_only,
        may_comment_quietly: desk.seat.member.may(Deed::CommentForMembers),
        problem: &problem,
    };
    again(&problem, &page)
}

pub(super) async fn edit(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number, id)): CommentPath,
    Filled(form): Filled<CommentForm>,
) -> Answer {
    let (body, quiet, at) = (
        form.body.clone(),
        ticked(form.members_only.as_ref()),
        id.clone(),
    );
    match desk
        .act(&app, move |act, by, project| {
            comment::edit(act, by, project, (number, &at), &body, quiet)
        })
        .await
    {
        Ok(()) => Ok(to_with(
            &issue_path(&desk, number),
            "Your comment is changed.",
        )),
        Err(refused) => {
            edit_page(&app, &desk, number, &id, &form.body, quiet, refused.into()).await
        }
    }
}

pub(super) async fn delete(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number, id)): CommentPath,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let done = desk
        .act(&app, move |act, by, project| {
            comment::delete(act, by, project, (number, &id))
        })
        .await;
    finish(&app, &desk, number, done, "The comment is deleted.").await
}
