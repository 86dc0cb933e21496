//! The start page of somebody signed in: his workspaces.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;

use super::answer::{Answer, Problem, again, page, to, to_with};
use super::form::Filled;
use super::frame::personal;
use super::visitor::Person;
use crate::app::App;
use crate::domain::domain_join::DomainJoin;
use crate::domain::workspace::{self, Workspace};
use crate::limits::Limited;
use crate::look::Shell;
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    shell: Shell,
    name: String,
    verified: bool,
    email: String,
    workspaces: Vec<Workspace>,
    joinable: Vec<Workspace>,
}

#[derive(Template)]
#[template(path = "workspace_new.html")]
struct NewPage<'a> {
    shell: Shell,
    name: &'a str,
    problem: &'a Problem,
}

#[derive(Deserialize)]
pub(super) struct NewForm {
    name: String,
}

pub(super) async fn show(State(app): State<App>, person: Person) -> Answer {
    let user = person.user.clone();
    let (workspaces, joinable) = app
        .read(move |db| {
            Ok((
                Workspace::of_user(db, &user.id)?,
                DomainJoin::open_to(db, &user)?,
            ))
        })
        .await?;
    // Whoever has one place to be is there.
    if let ([only], []) = (&workspaces[..], &joinable[..])
        && person.visitor.flash.is_none()
        && person.user.email_verified_at.is_some()
    {
        return Ok(to(&format!("/w/{}", only.slug)));
    }
    page(&HomePage {
        shell: personal(&person, "Workspaces"),
        verified: person.user.email_verified_at.is_some(),
        name: person.user.name,
        email: person.user.email,
        workspaces,
        joinable,
    })
}

pub(super) async fn show_new(person: Person) -> Answer {
    page(&NewPage {
        shell: personal(&person, "New workspace"),
        name: "",
        problem: &Problem::none(),
    })
}

pub(super) async fn create(
    State(app): State<App>,
    person: Person,
    Filled(form): Filled<NewForm>,
) -> Answer {
    match create_as(&app, &person, form.name.clone()).await {
        Ok(workspace) => Ok(to_with(
            &format!("/w/{}", workspace.slug),
            "Your workspace is ready.",
        )),
        Err(refused) => {
            let problem = Problem::from(refused);
            let mut shell = personal(&person, "New workspace");
            problem.above(&mut shell, &["name"]);
            again(
                &problem,
                &NewPage {
                    shell,
                    name: &form.name,
                    problem: &problem,
                },
            )
        }
    }
}

async fn create_as(app: &App, person: &Person, name: String) -> Result<Workspace, Refused> {
    app.limiter
        .count(Limited::Workspaces, &person.user.id, app.clock.now())?;
    person
        .act(app, move |act, user| workspace::create(act, user, &name))
        .await
}
