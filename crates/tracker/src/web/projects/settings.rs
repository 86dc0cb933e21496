//! The settings of a project.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::super::answer::{Answer, Problem, again, to_with};
use super::super::form::{Filled, Pressed};
use super::super::frame::{Choice, Place, within};
use super::super::visitor::Desk;
use super::{ProjectForm, accounts, assignees};
use crate::app::App;
use crate::clock::in_words;
use crate::domain::group::{self, Group};
use crate::domain::permission::Deed;
use crate::domain::project::{self, Project};
use crate::domain::widget::{self, Visibility, Widget};
use crate::domain::{integration, member};
use crate::look::Shell;
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "project_settings.html")]
struct SettingsPage<'a> {
    shell: Shell,
    slug: &'a str,
    project: &'a Project,
    filled: &'a ProjectForm,
    groups: Vec<Choice>,
    accounts: Vec<Choice>,
    assignees: Vec<Choice>,
    widget: Widget,
    visibilities: Vec<Choice>,
    hosts: String,
    last_ping: String,
    snippet: String,
    problem: &'a Problem,
}

#[derive(Deserialize)]
pub(in super::super) struct GroupForm {
    group_id: String,
}

#[derive(Clone, Deserialize)]
pub(in super::super) struct WidgetForm {
    visibility: String,
    #[serde(default)]
    allowed_hosts: String,
}

#[derive(Deserialize)]
pub(in super::super) struct DeleteForm {
    name: String,
}

pub(in super::super) async fn show(State(app): State<App>, desk: Desk) -> Answer {
    with(&app, &desk, None, None, Problem::none()).await
}

async fn with(
    app: &App,
    desk: &Desk,
    form: Option<&ProjectForm>,
    widget_form: Option<&WidgetForm>,
    problem: Problem,
) -> Answer {
    desk.seat.member.must(Deed::ManageProjects)?;
    let (groups, usable, members, widget) = desk
        .read(app, |db, by, project| {
            let workspace = &by.workspace.id;
            let usable = integration::usable_by(db, by)?;
            Ok((
                Group::list(db, workspace)?,
                usable,
                member::list(db, workspace)?,
                Widget::of_project(db, &project.id)?,
            ))
        })
        .await?;
    let project = &desk.project;
    let stored = ProjectForm {
        name: project.name.clone(),
        website_host: project.website_host.clone(),
        description: project.description.clone(),
        members_access: project.members_access().to_owned(),
        account_id: project.account_id.clone().unwrap_or_default(),
        default_assignee_id: project.default_assignee_id.clone().unwrap_or_default(),
        group_id: project
            .group
            .as_ref()
            .map(|group| group.id.clone())
            .unwrap_or_default(),
    };
    let form = form.unwrap_or(&stored);
    let mut shell = within(
        app,
        &desk.seat,
        &format!("Settings of {}", project.name),
        Place::Project(&project.id),
    )
    .await?;
    problem.above(
        &mut shell,
        &[
            "name",
            "website_host",
            "description",
            "account_id",
            "default_assignee_id",
            "allowed_hosts",
            "visibility",
        ],
    );
    let mut choices = vec![Choice::new("", "None", &stored.group_id)];
    choices.extend(
        groups
            .iter()
            .map(|group| Choice::new(&group.id, &group.name, &stored.group_id)),
    );
    let visibility = widget_form.map_or(widget.visibility.as_str(), |form| &form.visibility);
    let hint = |visibility| match visibility {
        Visibility::Everyone => "Visitors of the site need no account.",
        Visibility::MembersAndGuests => {
            "They report here, in the tracker. The widget takes nothing from visitors."
        }
        Visibility::Hidden => "The widget does not show.",
    };
    let page = SettingsPage {
        shell,
        slug: &desk.seat.member.workspace.slug,
        project,
        filled: form,
        groups: choices,
        accounts: accounts(&usable, &form.account_id),
        assignees: assignees(&members, &form.default_assignee_id),
        visibilities: Visibility::ALL
            .into_iter()
            .map(|known| {
                Choice::new(known.as_str(), known.title(), visibility).hinting(hint(known))
            })
            .collect(),
        hosts: widget_form.map_or_else(
            || widget.allowed_hosts.join("\n"),
            |form| form.allowed_hosts.clone(),
        ),
        last_ping: widget.last_ping_at.map(in_words).unwrap_or_default(),
        snippet: format!(
            r#"<script src="{}" data-project="{}" async></script>"#,
            app.settings.link("/widget.js"),
            widget.public_key
        ),
        widget,
        problem: &problem,
    };
    again(&problem, &page)
}

pub(in super::super) async fn update(
    State(app): State<App>,
    desk: Desk,
    Filled(form): Filled<ProjectForm>,
) -> Answer {
    let details = form.details();
    match desk
        .act(&app, move |act, by, project| {
            project::update(act, by, project, &details)
        })
        .await
    {
        Ok(()) => Ok(to_with(&desk.path("/settings"), "The project is saved.")),
        Err(refused) => with(&app, &desk, Some(&form), None, refused.into()).await,
    }
}

pub(in super::super) async fn assign_group(
    State(app): State<App>,
    desk: Desk,
    Filled(form): Filled<GroupForm>,
) -> Answer {
    let group = (!form.group_id.is_empty()).then_some(form.group_id);
    let done = desk
        .act(&app, move |act, by, project| {
            group::assign(act, by, project, group.as_deref())
        })
        .await;
    finish(&app, &desk, done, "The project is filed.").await
}

pub(in super::super) async fn configure_widget(
    State(app): State<App>,
    desk: Desk,
    Filled(form): Filled<WidgetForm>,
) -> Answer {
    let filled = form.clone();
    let done = desk
        .act(&app, move |act, by, project| {
            widget::configure(act, by, project, &filled.visibility, &filled.allowed_hosts)
        })
        .await;
    match done {
        Ok(()) => Ok(to_with(&desk.path("/settings"), "The widget is saved.")),
        Err(refused) => with(&app, &desk, None, Some(&form), refused.into()).await,
    }
}

pub(in super::super) async fn confirm_widget(
    State(app): State<App>,
    desk: Desk,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let done = desk.act(&app, widget::confirm).await;
    finish(&app, &desk, done, "The widget is installed.").await
}

pub(in super::super) async fn archive(
    State(app): State<App>,
    desk: Desk,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let done = desk.act(&app, project::archive).await;
    finish(&app, &desk, done, "The project is archived.").await
}

pub(in super::super) async fn unarchive(
    State(app): State<App>,
    desk: Desk,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let done = desk.act(&app, project::unarchive).await;
    finish(&app, &desk, done, "The project is active again.").await
}

pub(in super::super) async fn delete(
    State(app): State<App>,
    desk: Desk,
    Filled(form): Filled<DeleteForm>,
) -> Answer {
    match desk
        .act(&app, move |act, by, project| {
            project::delete(act, by, project, &form.name)
        })
        .await
    {
        Ok(()) => Ok(to_with(
            &desk.seat.path(""),
            &format!("{} is deleted.", desk.project.name),
        )),
        Err(mut refused) => {
            // It is not the name in the form above that is wrong.
            refused.field = None;
            with(&app, &desk, None, None, refused.into()).await
        }
    }
}

async fn finish(app: &App, desk: &Desk, done: Result<(), Refused>, said: &str) -> Answer {
    match done {
        Ok(()) => Ok(to_with(&desk.path("/settings"), said)),
        Err(refused) => with(app, desk, None, None, refused.into()).await,
    }
}
