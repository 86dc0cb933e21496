//! Who may see a project.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::super::answer::{Answer, Problem, again, to_with};
use super::super::form::{Filled, Pressed};
use super::super::frame::{Place, within};
use super::super::members::{InvitationLine, line};
use super::super::visitor::Desk;
use crate::app::App;
use crate::domain::invitation::{self, Invitation};
use crate::domain::member::Role;
use crate::domain::permission::Deed;
use crate::domain::project::Project;
use crate::domain::project_member;
use crate::limits::Limited;
use crate::look::{Shell, hue};
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "project_people.html")]
struct PeoplePage<'a> {
    shell: Shell,
    slug: &'a str,
    project: &'a Project,
    people: Vec<PersonLine>,
    invitations: Vec<InvitationLine>,
    may_invite: bool,
    email: &'a str,
    problem: &'a Problem,
}

struct PersonLine {
    id: String,
    name: String,
    email: String,
    hue: &'static str,
    role: &'static str,
    removable: bool,
}

#[derive(Deserialize)]
pub(in super::super) struct InviteForm {
    email: String,
}

pub(in super::super) async fn show(State(app): State<App>, desk: Desk) -> Answer {
    with(&app, &desk, "", Problem::none()).await
}

async fn with(app: &App, desk: &Desk, email: &str, problem: Problem) -> Answer {
    let now = app.clock.now();
    let (added, invitations) = desk
        .read(app, move |db, by, project| {
            let mut invitations = Vec::new();
            if by.may(Deed::Invite) {
                let open = Invitation::open_of(db, &by.workspace.id)?.into_iter();
                let ours =
                    open.filter(|invitation| invitation.project_id.as_deref() == Some(&project.id));
                invitations.extend(ours.map(|invitation| line(&invitation, None, by, now)));
            }
            Ok((project_member::list(db, project)?, invitations))
        })
        .await?;
    let by = &desk.seat.member;
    let mut shell = within(
        app,
        &desk.seat,
        &format!("People of {}", desk.project.name),
        Place::Project(&desk.project.id),
    )
    .await?;
    problem.above(&mut shell, &["email"]);
    let people = added.into_iter().map(|added| PersonLine {
        removable: added.user_id == by.user.id
            || added.added_by == by.user.id
            || by.may(Deed::ManageProjects),
        email: if by.may(Deed::SeeAddresses) || added.user_id == by.user.id {
            added.email
        } else {
            String::new()
        },
        hue: hue(&added.user_id),
        id: added.user_id,
        name: added.name,
        role: added.role.title(),
    });
    let page = PeoplePage {
        shell,
        slug: &by.workspace.slug,
        project: &desk.project,
        people: people.collect(),
        invitations,
        may_invite: by.may(Deed::Invite) && desk.project.archived_at.is_none(),
        email,
        problem: &problem,
    };
    again(&problem, &page)
}

pub(in super::super) async fn invite(
    State(app): State<App>,
    desk: Desk,
    Filled(form): Filled<InviteForm>,
) -> Answer {
    let typed = form.email.clone();
    let allowed = app
        .limiter
        .count(
            Limited::Invitations,
            &desk.seat.member.user.id,
            app.clock.now(),
        )
        .is_ok();
    let done = desk
        .act(&app, move |act, by, project| {
            if !allowed {
                return Err(invitation::too_many(by, Some(project), &typed, Role::Guest));
            }
            invitation::invite(act, by, Some(project), &typed, Role::Guest)
        })
        .await;
    match done {
        Ok(()) => Ok(to_with(
            &desk.path("/people"),
            &format!("{} is invited.", form.email.trim()),
        )),
        Err(refused) => with(&app, &desk, &form.email, refused.into()).await,
    }
}

pub(in super::super) async fn remove(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, user)): Path<(String, String, String)>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let by = &desk.seat.member;
    let oneself = user == by.user.id && !desk.project.is_open_to(by.role);
    let done: Result<(), Refused> = desk
        .act(&app, move |act, by, project| {
            project_member::remove(act, by, project, &user)
        })
        .await;
    match done {
        // Whoever has gone sees the project no more.
        Ok(()) if oneself => Ok(to_with(&desk.seat.path(""), "You are off the project.")),
        Ok(()) => Ok(to_with(&desk.path("/people"), "Taken off the project.")),
        Err(refused) => with(&app, &desk, "", refused.into()).await,
    }
}
