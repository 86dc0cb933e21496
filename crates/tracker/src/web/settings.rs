//! The settings of a workspace: general, domains, groups.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, again, to, to_with};
use super::form::{Filled, Pressed, ticked};
use super::frame::{Choice, Place, within};
use super::visitor::Seat;
use crate::app::App;
use crate::domain::domain_join::{self, DomainJoin};
use crate::domain::email;
use crate::domain::group::{self, Group};
use crate::domain::member::{Member, Role};
use crate::domain::permission::Deed;
use crate::domain::workspace::{self, Workspace};
use crate::limits::Limited;
use crate::look::{Link, Shell};
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "settings_general.html")]
struct GeneralPage<'a> {
    shell: Shell,
    slug: &'a str,
    nav: Vec<Link>,
    workspace: &'a Workspace,
    name: &'a str,
    password_allowed: bool,
    login_code_allowed: bool,
    problem: &'a Problem,
}

#[derive(Template)]
#[template(path = "settings_domains.html")]
struct DomainsPage<'a> {
    shell: Shell,
    slug: &'a str,
    nav: Vec<Link>,
    domains: Vec<DomainJoin>,
    email: &'a str,
    roles: Vec<Choice>,
    problem: &'a Problem,
}

#[derive(Template)]
#[template(path = "settings_groups.html")]
struct GroupsPage<'a> {
    shell: Shell,
    slug: &'a str,
    nav: Vec<Link>,
    groups: Vec<Group>,
    name: &'a str,
    problem: &'a Problem,
}

#[derive(Clone, Deserialize)]
pub(super) struct GeneralForm {
    name: String,
    password_allowed: Option<String>,
    login_code_allowed: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct DeleteForm {
    name: String,
}

#[derive(Deserialize)]
pub(super) struct DomainForm {
    email: String,
    role: String,
}

#[derive(Deserialize)]
pub(super) struct GroupForm {
    name: String,
}

/// The navigation of Settings: what this member may see of it. **Audit Logs** is for admins; for others there is no such page.
pub(super) fn nav(member: &Member, current: &str) -> Vec<Link> {
    let slug = &member.workspace.slug;
    let link = |label: &str, path: &str, icon| Link {
        label: label.to_owned(),
        href: format!("/w/{slug}/settings{path}"),
        icon,
        current: current == path,
        ..Link::default()
    };
    let mut links = Vec::new();
    if member.may(Deed::ManageWorkspace) {
        links.push(link("General", "", "gear"));
        links.push(link("Domains", "/domains", "globe"));
    }
    links.push(link("Groups", "/groups", "folder"));
    links.push(link("Integrations", "/integrations", "plug"));
    if member.may(Deed::ReadAuditLog) {
        links.push(link("Audit Logs", "/audit-logs", "shield"));
    }
    links
}

pub(super) async fn show(State(app): State<App>, seat: Seat) -> Answer {
    if !seat.member.may(Deed::ManageWorkspace) {
        seat.member.must(Deed::ManageProjects)?;
        return Ok(to(&seat.path("/settings/groups")));
    }
    general(&app, &seat, None, Problem::none()).await
}

async fn general(app: &App, seat: &Seat, form: Option<&GeneralForm>, problem: Problem) -> Answer {
    seat.member.must(Deed::ManageWorkspace)?;
    let workspace = &seat.member.workspace;
    let mut shell = within(app, seat, "Settings", Place::Settings).await?;
    problem.above(&mut shell, &["name"]);
    let page = GeneralPage {
        shell,
        slug: &workspace.slug,
        nav: nav(&seat.member, ""),
        workspace,
        name: form.map_or(&workspace.name, |form| &form.name),
        password_allowed: form.map_or(workspace.password_allowed, |form| {
            form.password_allowed.is_some()
        }),
        login_code_allowed: form.map_or(workspace.login_code_allowed, |form| {
            form.login_code_allowed.is_some()
        }),
        problem: &problem,
    };
    again(&problem, &page)
}

pub(super) async fn update(
    State(app): State<App>,
    seat: Seat,
    Filled(form): Filled<GeneralForm>,
) -> Answer {
    let filled = form.clone();
    let (password, code) = (
        ticked(form.password_allowed.as_ref()),
        ticked(form.login_code_allowed.as_ref()),
    );
    match seat
        .act(&app, move |act, by| {
            workspace::update(act, by, &filled.name, password, code)
        })
        .await
    {
        Ok(()) => Ok(to_with(&seat.path("/settings"), "The settings are saved.")),
        Err(refused) => general(&app, &seat, Some(&form), refused.into()).await,
    }
}

pub(super) async fn delete(
    State(app): State<App>,
    seat: Seat,
    Filled(form): Filled<DeleteForm>,
) -> Answer {
    match seat
        .act(&app, move |act, by| workspace::delete(act, by, &form.name))
        .await
    {
        Ok(()) => Ok(to_with(
            "/",
            &format!("{} is deleted.", seat.member.workspace.name),
        )),
        Err(mut refused) => {
            // It is not the name in the form above that is wrong.
            refused.field = None;
            general(&app, &seat, None, refused.into()).await
        }
    }
}

pub(super) async fn show_domains(State(app): State<App>, seat: Seat) -> Answer {
    domains(&app, &seat, "", "member", Problem::none()).await
}

async fn domains(app: &App, seat: &Seat, email: &str, role: &str, problem: Problem) -> Answer {
    seat.member.must(Deed::ManageWorkspace)?;
    let domains = seat
        .read(app, |db, by| DomainJoin::of_workspace(db, &by.workspace.id))
        .await?;
    let mut shell = within(app, seat, "Domains", Place::Settings).await?;
    problem.above(&mut shell, &["email", "role"]);
    let page = DomainsPage {
        shell,
        slug: &seat.member.workspace.slug,
        nav: nav(&seat.member, "/domains"),
        domains,
        email,
        roles: [Role::Member, Role::Guest]
            .into_iter()
            .map(|known| Choice::new(known.as_str(), known.title(), role))
            .collect(),
        problem: &problem,
    };
    again(&problem, &page)
}

pub(super) async fn add_domain(
    State(app): State<App>,
    seat: Seat,
    Filled(form): Filled<DomainForm>,
) -> Answer {
    let done = add_domain_as(&app, &seat, &form).await;
    match done {
        Ok(()) => {
            let said = format!(
                "We have sent a link to {}. The domain is added once it is opened.",
                form.email.trim()
            );
            Ok(to_with(&seat.path("/settings/domains"), &said))
        }
        Err(refused) => domains(&app, &seat, &form.email, &form.role, refused.into()).await,
    }
}

async fn add_domain_as(app: &App, seat: &Seat, form: &DomainForm) -> Result<(), Refused> {
    let address = email::required("email", &form.email)?;
    let role = Role::required(&form.role)?;
    // It sends a mail to an address that anybody may type.
    let now = app.clock.now();
    app.limiter
        .count(Limited::Invitations, &seat.member.user.id, now)?;
    app.limiter.count(Limited::MailToAccount, &address, now)?;
    seat.act(app, move |act, by| {
        domain_join::request(act, by, &address, role)
    })
    .await
}

pub(super) async fn remove_domain(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    match seat
        .act(&app, move |act, by| domain_join::remove(act, by, &id))
        .await
    {
        Ok(()) => Ok(to_with(
            &seat.path("/settings/domains"),
            "The domain is removed.",
        )),
        Err(refused) => domains(&app, &seat, "", "member", refused.into()).await,
    }
}

pub(super) async fn show_groups(State(app): State<App>, seat: Seat) -> Answer {
    groups(&app, &seat, "", Problem::none()).await
}

async fn groups(app: &App, seat: &Seat, name: &str, problem: Problem) -> Answer {
    seat.member.must(Deed::ManageProjects)?;
    let groups = seat
        .read(app, |db, by| Group::list(db, &by.workspace.id))
        .await?;
    let mut shell = within(app, seat, "Groups", Place::Settings).await?;
    problem.above(&mut shell, &["name"]);
    let page = GroupsPage {
        shell,
        slug: &seat.member.workspace.slug,
        nav: nav(&seat.member, "/groups"),
        groups,
        name,
        problem: &problem,
    };
    again(&problem, &page)
}

pub(super) async fn add_group(
    State(app): State<App>,
    seat: Seat,
    Filled(form): Filled<GroupForm>,
) -> Answer {
    let name = form.name.clone();
    let done: Result<(), Refused> = seat
        .act(&app, move |act, by| group::create(act, by, &name))
        .await;
    match done {
        Ok(()) => Ok(to_with(
            &seat.path("/settings/groups"),
            "The group is made.",
        )),
        Err(refused) => groups(&app, &seat, &form.name, refused.into()).await,
    }
}

pub(super) async fn delete_group(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    match seat
        .act(&app, move |act, by| group::delete(act, by, &id))
        .await
    {
        Ok(()) => Ok(to_with(
            &seat.path("/settings/groups"),
            "The group is deleted. Its projects are filed under none.",
        )),
        Err(refused) => groups(&app, &seat, "", refused.into()).await,
    }
}
