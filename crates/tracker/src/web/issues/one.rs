//! One issue: what it says, and what is done with it.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::super::answer::{Answer, Problem, again, to_with};
use super::super::form::{Filled, Pressed};
use super::super::frame::{Choice, Place, within};
use super::super::projects::assignees;
use super::super::visitor::Desk;
use super::{IssuePath, issue_path};
use crate::app::App;
use crate::clock::in_words;
use crate::domain::comment::Comment;
use crate::domain::issue::{self, Issue, Status};
use crate::domain::permission::Deed;
use crate::domain::project::Project;
use crate::domain::report::Reporter;
use crate::domain::{forward, integration, member};
use crate::look::{Shell, hue};
use crate::loops;
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "issue.html")]
struct IssuePage<'a> {
    shell: Shell,
    slug: &'a str,
    project: &'a Project,
    issue: &'a Issue,
    created: String,
    reporter_hue: &'static str,
    reporter_email: &'a str,
    /// Whether this member is shown where a report came from and whose it is: guests are not, except of their own.
    sees_whence: bool,
    comments: Vec<CommentLine>,
    statuses: Vec<Choice>,
    assignees: Vec<Choice>,
    assignee_hue: &'static str,
    may_change: bool,
    may_comment_quietly: bool,
    may_delete: bool,
    open: bool,
    provider: String,
    draft: &'a str,
    problem: &'a Problem,
}

struct CommentLine {
    id: String,
    author: String,
    hue: &'static str,
    body: String,
    when: String,
    edited: bool,
    members_only: bool,
    mine: bool,
    deletable: bool,
}

#[derive(Deserialize)]
pub(in super::super) struct StatusForm {
    status: String,
}

#[derive(Deserialize)]
pub(in super::super) struct AssignForm {
    assignee_id: String,
}

pub(in super::super) async fn show(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
) -> Answer {
    with(&app, &desk, number, "", Problem::none()).await
}

/// The page of an issue, with a comment that is not published yet.
pub(in super::super) async fn with(
    app: &App,
    desk: &Desk,
    number: u32,
    draft: &str,
    problem: Problem,
) -> Answer {
    let (issue, comments, members, destination) = desk
        .read(app, move |db, by, project| {
            let issue = Issue::load(db, by, project, number)?;
            let comments = Comment::list(db, by, &issue)?;
            let destination = integration::destination(db, &project.id)?;
            Ok((
                issue,
                comments,
                member::list(db, &by.workspace.id)?,
                destination,
            ))
        })
        .await?;
    let Desk { seat, project } = desk;
    let (by, open) = (&seat.member, project.archived_at.is_none());
    let title = format!("#{number} {}", issue.title);
    let mut shell = within(app, seat, &title, Place::Project(&project.id)).await?;
    problem.above(&mut shell, &["body"]);
    let sees_whence = by.may(Deed::SeeMembersIssues) || issue.is_by(by);
    let comments = comments.into_iter().map(|comment| CommentLine {
        mine: comment.is_by(by),
        deletable: comment.is_by(by) || by.may(Deed::DeleteOthersComments),
        hue: hue(&comment.author_id),
        when: in_words(comment.created_at),
        edited: comment.edited_at.is_some(),
        id: comment.id,
        author: comment.author_name,
        body: comment.body,
        members_only: comment.members_only,
    });
    let page = IssuePage {
        shell,
        slug: &by.workspace.slug,
        project,
        created: in_words(issue.created_at),
        reporter_hue: hue(issue.reporter_id.as_deref().unwrap_or("")),
        reporter_email: if sees_whence {
            &issue.reporter_email
        } else {
            ""
        },
        sees_whence,
        comments: comments.collect(),
        statuses: Status::ALL
            .into_iter()
            .map(|known| Choice::new(known.as_str(), known.title(), issue.status.as_str()))
            .collect(),
        assignees: assignees(&members, issue.assignee_id.as_deref().unwrap_or("")),
        assignee_hue: hue(issue.assignee_id.as_deref().unwrap_or("")),
        may_change: by.may(Deed::ChangeStatus) && open,
        may_comment_quietly: by.may(Deed::CommentForMembers),
        may_delete: (issue.is_by(by) || by.may(Deed::DeleteOthersIssues)) && open,
        open,
        provider: destination
            .map(|(_, account)| account.provider)
            .unwrap_or_default(),
        issue: &issue,
        draft,
        problem: &problem,
    };
    again(&problem, &page)
}

pub(in super::super) async fn set_status(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
    Filled(form): Filled<StatusForm>,
) -> Answer {
    let title = Status::parse(&form.status).map_or("", Status::title);
    let done = desk
        .act(&app, move |act, by, project| {
            issue::set_status(act, by, project, number, &form.status)
        })
        .await;
    let said = format!("The issue is {}.", title.to_lowercase());
    finish(&app, &desk, number, done, &said).await
}

pub(in super::super) async fn assign(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
    Filled(form): Filled<AssignForm>,
) -> Answer {
    let done = desk
        .act(&app, move |act, by, project| {
            issue::assign(act, by, project, number, &form.assignee_id)
        })
        .await;
    finish(&app, &desk, number, done, "The issue is assigned.").await
}

pub(in super::super) async fn forward_again(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let done = desk
        .act(&app, move |act, by, project| {
            forward::again(act, by, project, number)
        })
        .await;
    let Desk { seat, .. } = &desk;
    let done = done.map(|issue| {
        let asking = Reporter::Member(Box::new(seat.member.clone()));
        loops::forward::soon(&app, &issue, asking, &seat.visitor.context);
    });
    let said = "The issue is on its way. Reload this page to see how it went.";
    finish(&app, &desk, number, done, said).await
}

pub(in super::super) async fn delete(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let done = desk
        .act(&app, move |act, by, project| {
            issue::delete(act, by, project, number)
        })
        .await;
    match done {
        Ok(()) => Ok(to_with(
            &desk.path(""),
            &format!("Issue #{number} is deleted."),
        )),
        Err(refused) => with(&app, &desk, number, "", refused.into()).await,
    }
}

pub(in super::super) async fn finish(
    app: &App,
    desk: &Desk,
    number: u32,
    done: Result<(), Refused>,
    said: &str,
) -> Answer {
    match done {
        Ok(()) => Ok(to_with(&issue_path(desk, number), said)),
        Err(refused) => with(app, desk, number, "", refused.into()).await,
    }
}
