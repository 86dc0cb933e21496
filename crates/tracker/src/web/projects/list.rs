//! The projects of a workspace, and making one.

use askama::Template;
use axum::extract::State;

use super::super::answer::{Answer, Problem, again, page, to_with};
use super::super::form::Filled;
use super::super::frame::{Choice, Place, within};
use super::super::visitor::Seat;
use super::{ProjectForm, accounts, assignees};
use crate::app::App;
use crate::domain::group::Group;
use crate::domain::permission::Deed;
use crate::domain::project::{self, Project};
use crate::domain::{integration, member};
use crate::look::{Shell, hue};

#[derive(Template)]
#[template(path = "projects.html")]
struct ProjectsPage<'a> {
    shell: Shell,
    workspace: &'a str,
    slug: &'a str,
    /// Projects by group; those without one come last, under no name.
    groups: Vec<(String, Vec<Card>)>,
    archived: Vec<Card>,
    may_manage: bool,
}

struct Card {
    href: String,
    name: String,
    host: String,
    hue: &'static str,
    open: u32,
    restricted: bool,
}

#[derive(Template)]
#[template(path = "project_new.html")]
struct NewPage<'a> {
    shell: Shell,
    slug: &'a str,
    filled: &'a ProjectForm,
    groups: Vec<Choice>,
    accounts: Vec<Choice>,
    assignees: Vec<Choice>,
    problem: &'a Problem,
}

pub(in super::super) async fn show(State(app): State<App>, seat: Seat) -> Answer {
    let projects = seat.read(&app, Project::visible_to).await?;
    let slug = &seat.member.workspace.slug;
    let (mut groups, mut archived): (Vec<(String, Vec<Card>)>, Vec<Card>) =
        (Vec::new(), Vec::new());
    for project in projects {
        let card = Card {
            href: format!("/w/{slug}/p/{}", project.id),
            hue: hue(&project.id),
            open: project.open_issues,
            restricted: project.restricted,
            host: project.website_host,
            name: project.name,
        };
        let group = project.group.map(|group| group.name).unwrap_or_default();
        match groups.iter_mut().find(|(name, _)| *name == group) {
            _ if project.archived_at.is_some() => archived.push(card),
            Some((_, cards)) => cards.push(card),
            None => groups.push((group, vec![card])),
        }
    }
    groups.sort_by_key(|(name, _)| (name.is_empty(), name.to_lowercase()));
    page(&ProjectsPage {
        shell: within(&app, &seat, "Projects", Place::Projects).await?,
        workspace: &seat.member.workspace.name,
        slug,
        groups,
        archived,
        may_manage: seat.member.may(Deed::ManageProjects),
    })
}

pub(in super::super) async fn show_new(State(app): State<App>, seat: Seat) -> Answer {
    seat.member.must(Deed::ManageProjects)?;
    new_page(&app, &seat, &ProjectForm::default(), Problem::none()).await
}

async fn new_page(app: &App, seat: &Seat, form: &ProjectForm, problem: Problem) -> Answer {
    let (groups, usable, members) = seat
        .read(app, |db, by| {
            Ok((
                Group::list(db, &by.workspace.id)?,
                integration::usable_by(db, by)?,
                member::list(db, &by.workspace.id)?,
            ))
        })
        .await?;
    let mut shell = within(app, seat, "New project", Place::Projects).await?;
    problem.above(
        &mut shell,
        &[
            "name",
            "website_host",
            "description",
            "group_id",
            "account_id",
            "default_assignee_id",
        ],
    );
    let mut choices = vec![Choice::new("", "None", &form.group_id)];
    choices.extend(
        groups
            .iter()
            .map(|group| Choice::new(&group.id, &group.name, &form.group_id)),
    );
    let page = NewPage {
        shell,
        slug: &seat.member.workspace.slug,
        filled: form,
        groups: choices,
        accounts: accounts(&usable, &form.account_id),
        assignees: assignees(&members, &form.default_assignee_id),
        problem: &problem,
    };
    again(&problem, &page)
}

pub(in super::super) async fn create(
    State(app): State<App>,
    seat: Seat,
    Filled(form): Filled<ProjectForm>,
) -> Answer {
    let details = form.details();
    let group = (!form.group_id.is_empty()).then(|| form.group_id.clone());
    match seat
        .act(&app, move |act, by| {
            project::create(act, by, &details, group.as_deref())
        })
        .await
    {
        Ok(project) => Ok(to_with(
            &seat.path(&format!("/p/{}", project.id)),
            "The project is ready for its first issue.",
        )),
        Err(refused) => new_page(&app, &seat, &form, refused.into()).await,
    }
}
