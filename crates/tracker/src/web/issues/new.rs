//! Reporting an issue.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::super::answer::{Answer, Problem, again, to_with};
use super::super::form::Filled;
use super::super::frame::{Choice, Place, within};
use super::super::projects::assignees;
use super::super::visitor::Desk;
use super::issue_path;
use crate::app::App;
use crate::domain::member;
use crate::domain::permission::Deed;
use crate::domain::project::Project;
use crate::domain::report::{self, KINDS, PRIORITIES, Report, Reporter};
use crate::look::Shell;
use crate::loops;

#[derive(Template)]
#[template(path = "issue_new.html")]
struct NewPage<'a> {
    shell: Shell,
    slug: &'a str,
    project: &'a Project,
    filled: &'a ReportForm,
    kinds: Vec<Choice>,
    priorities: Vec<Choice>,
    assignees: Option<Vec<Choice>>,
    problem: &'a Problem,
}

#[derive(Clone, Deserialize, Default)]
pub(in super::super) struct ReportForm {
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    priority: String,
    #[serde(default)]
    assignee_id: String,
}

pub(in super::super) async fn show_new(State(app): State<App>, desk: Desk) -> Answer {
    new_page(&app, &desk, &ReportForm::default(), Problem::none()).await
}

async fn new_page(app: &App, desk: &Desk, form: &ReportForm, problem: Problem) -> Answer {
    let members = desk
        .read(app, |db, by, _| member::list(db, &by.workspace.id))
        .await?;
    let mut shell = within(
        app,
        &desk.seat,
        "New issue",
        Place::Project(&desk.project.id),
    )
    .await?;
    problem.above(
        &mut shell,
        &["title", "description", "kind", "priority", "assignee_id"],
    );
    let words = |words: &[&str], chosen: &str, usual: &str| {
        let chosen = if chosen.is_empty() { usual } else { chosen };
        words
            .iter()
            .map(|word| Choice::new(word, &capitalized(word), chosen))
            .collect()
    };
    let default = desk.project.default_assignee_id.clone().unwrap_or_default();
    let assignee = if form.assignee_id.is_empty() {
        &default
    } else {
        &form.assignee_id
    };
    let page = NewPage {
        shell,
        slug: &desk.seat.member.workspace.slug,
        project: &desk.project,
        kinds: words(&KINDS, &form.kind, "bug"),
        priorities: words(&PRIORITIES, &form.priority, "normal"),
        assignees: desk
            .seat
            .member
            .may(Deed::ChangeStatus)
            .then(|| assignees(&members, assignee)),
        filled: form,
        problem: &problem,
    };
    again(&problem, &page)
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

pub(in super::super) async fn create(
    State(app): State<App>,
    desk: Desk,
    Filled(form): Filled<ReportForm>,
) -> Answer {
    let report = Report {
        title: form.title.clone(),
        description: form.description.clone(),
        kind: form.kind.clone(),
        priority: form.priority.clone(),
        assignee_id: Some(form.assignee_id.clone()),
        ..Report::default()
    };
    let reporter = Reporter::Member(Box::new(desk.seat.member.clone()));
    let made = desk
        .act(&app, move |act, by, project| {
            let reporter = Reporter::Member(Box::new(by.clone()));
            report::create(act, &reporter, project, "web", &report)
        })
        .await;
    match made {
        Ok(issue) => {
            loops::forward::soon(&app, &issue, reporter, &desk.seat.visitor.context);
            Ok(to_with(
                &issue_path(&desk, issue.number),
                "The issue is reported.",
            ))
        }
        Err(refused) => new_page(&app, &desk, &form, refused.into()).await,
    }
}
