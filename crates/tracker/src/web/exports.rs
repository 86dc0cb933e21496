//! Exports of a project's issues.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::IntoResponse as _;
use serde::Deserialize;

use super::answer::{Answer, Problem, again, to};
use super::form::{Filled, ticked};
use super::frame::{Choice, Place, within};
use super::visitor::Desk;
use crate::app::App;
use crate::clock::in_words;
use crate::domain::export::{self, Export};
use crate::domain::issue::Status;
use crate::domain::permission::Deed;
use crate::domain::project::Project;
use crate::look::Shell;

#[derive(Template)]
#[template(path = "exports.html")]
struct ExportsPage<'a> {
    shell: Shell,
    slug: &'a str,
    project: &'a Project,
    statuses: Vec<Choice>,
    exports: Vec<Line>,
}

struct Line {
    href: String,
    what: String,
    by: String,
    when: String,
    until: String,
}

#[derive(Deserialize)]
pub(super) struct ExportForm {
    #[serde(default)]
    status: String,
    include_comments: Option<String>,
}

pub(super) async fn show(State(app): State<App>, desk: Desk) -> Answer {
    with(&app, &desk, Problem::none()).await
}

async fn with(app: &App, desk: &Desk, problem: Problem) -> Answer {
    desk.seat.member.must(Deed::ExportIssues)?;
    let now = app.clock.now();
    let exports = desk
        .read(app, move |db, _, project| Export::list(db, project, now))
        .await?;
    let mut shell = within(
        app,
        &desk.seat,
        &format!("Exports of {}", desk.project.name),
        Place::Project(&desk.project.id),
    )
    .await?;
    problem.above(&mut shell, &[]);
    let base = desk.path("/exports");
    let mut statuses = vec![Choice::new("", "All", "")];
    statuses.extend(
        Status::ALL
            .into_iter()
            .map(|status| Choice::new(status.as_str(), status.title(), "")),
    );
    let exports = exports.into_iter().map(|export| {
        let which = Status::parse(&export.status_filter).map_or("All issues", Status::title);
        let comments = if export.include_comments {
            " with comments"
        } else {
            ""
        };
        Line {
            href: format!("{base}/{}", export.id),
            what: format!("{which}{comments}"),
            by: export.requested_by,
            when: in_words(export.created_at),
            until: in_words(export.expires_at),
        }
    });
    let page = ExportsPage {
        shell,
        slug: &desk.seat.member.workspace.slug,
        project: &desk.project,
        statuses,
        exports: exports.collect(),
    };
    again(&problem, &page)
}

pub(super) async fn request(
    State(app): State<App>,
    desk: Desk,
    Filled(form): Filled<ExportForm>,
) -> Answer {
    let comments = ticked(form.include_comments.as_ref());
    match desk
        .act(&app, move |act, by, project| {
            export::request(act, by, project, &form.status, comments)
        })
        .await
    {
        Ok(id) => Ok(to(&desk.path(&format!("/exports/{id}")))),
        Err(refused) => with(&app, &desk, refused.into()).await,
    }
}

/// The file. It is made when it is fetched, so that it holds what there is then.
pub(super) async fn download(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, id)): Path<(String, String, String)>,
) -> Answer {
    let now = app.clock.now();
    let file = desk
        .read(&app, move |db, by, project| {
            by.must(Deed::ExportIssues)?;
            let export = Export::load(db, project, &id, now)?;
            export::csv(db, by, project, &export)
        })
        .await?;
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"issues.csv\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, file).into_response())
}
