//! The members of a workspace, and who is invited.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, again, to_with};
use super::form::{Filled, Pressed};
use super::frame::{Choice, Place, within};
use super::visitor::Seat;
use crate::app::App;
use crate::clock::in_words;
use crate::domain::invitation::{self, Invitation};
use crate::domain::member::{self, Role};
use crate::domain::permission::Deed;
use crate::domain::project::Project;
use crate::limits::Limited;
use crate::look::{Shell, hue};
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "members.html")]
struct MembersPage<'a> {
    shell: Shell,
    workspace: &'a str,
    slug: &'a str,
    members: Vec<MemberLine>,
    invitations: Vec<InvitationLine>,
    seats: String,
    may_invite: bool,
    email: &'a str,
    roles: Vec<Choice>,
    problem: &'a Problem,
}

struct MemberLine {
    id: String,
    name: String,
    below: String,
    hue: &'static str,
    role: &'static str,
    joined: String,
    /// The roles that it may be given; empty where nothing may be changed.
    roles: Vec<Choice>,
    removable: bool,
    oneself: bool,
}

pub(super) struct InvitationLine {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) role: &'static str,
    pub(super) project: Option<String>,
    pub(super) tone: &'static str,
    pub(super) state: String,
    pub(super) revocable: bool,
}

#[derive(Deserialize)]
pub(super) struct InviteForm {
    email: String,
    role: String,
}

#[derive(Deserialize)]
pub(super) struct RoleForm {
    role: String,
}

pub(super) async fn show(State(app): State<App>, seat: Seat) -> Answer {
    with(&app, &seat, "", "member", Problem::none()).await
}

async fn with(app: &App, seat: &Seat, email: &str, role: &str, problem: Problem) -> Answer {
    let now = app.clock.now();
    let (listed, count, invitations) = seat
        .read(app, move |db, me| {
            let listed = member::list(db, &me.workspace.id)?;
            let count = me.workspace.head_count(db)?;
            let mut invitations = Vec::new();
            if me.may(Deed::Invite) {
                let projects = Project::visible_to(db, me)?;
                for invitation in Invitation::open_of(db, &me.workspace.id)? {
                    let project = match &invitation.project_id {
                        None => None,
                        Some(id) => match projects.iter().find(|project| project.id == *id) {
                            Some(project) => Some(project.name.clone()),
                            // Into a project that is hidden from this member.
                            None => continue,
                        },
                    };
                    invitations.push(line(&invitation, project, me, now));
                }
            }
            Ok((listed, count, invitations))
        })
        .await?;
    let by = &seat.member;
    let mut shell = within(app, seat, "Members", Place::Members).await?;
    problem.above(&mut shell, &["email", "role"]);
    let workspace = &by.workspace;
    let inside = by.may(Deed::SeeAddresses);
    let seats = if inside {
        format!(
            "{} of {} seats, {} of {} guests",
            count.members, workspace.seat_limit, count.guests, workspace.guest_limit
        )
    } else {
        String::new()
    };
    let members = listed.into_iter().map(|listed| {
        let oneself = listed.id == by.user.id;
        let manageable = by.may(Deed::ManageUsers) && listed.role <= by.role;
        let roles = Role::ALL.into_iter().filter(|role| *role <= by.role);
        let roles =
            roles.map(|role| Choice::new(role.as_str(), role.title(), listed.role.as_str()));
        MemberLine {
            hue: hue(&listed.id),
            role: listed.role.title(),
            roles: if manageable {
                roles.collect()
            } else {
                Vec::new()
            },
            removable: manageable && !oneself,
            oneself,
            below: match (inside || oneself, listed.job_role.is_empty()) {
                (true, true) => listed.email,
                (true, false) => format!("{} · {}", listed.email, listed.job_role),
                (false, _) => listed.job_role,
            },
            joined: in_words(listed.joined_at),
            name: listed.name,
            id: listed.id,
        }
    });
    let page = MembersPage {
        shell,
        workspace: &workspace.name,
        slug: &workspace.slug,
        members: members.collect(),
        invitations,
        seats,
        may_invite: by.may(Deed::Invite),
        email,
        roles: Role::ALL
            .into_iter()
            .map(|offered| Choice::new(offered.as_str(), offered.title(), role))
            .collect(),
        problem: &problem,
    };
    again(&problem, &page)
}

/// An open invitation as it is listed.
pub(super) fn line(
    invitation: &Invitation,
    project: Option<String>,
    by: &crate::domain::member::Member,
    now: annals_client::Timestamp,
) -> InvitationLine {
    let (tone, state) = if invitation.state == "undeliverable" {
        ("bad", "Could not be delivered".to_owned())
    } else if invitation.expires_at <= now {
        ("warn", "Expired".to_owned())
    } else {
        (
            "plain",
            format!("Until {}", in_words(invitation.expires_at)),
        )
    };
    InvitationLine {
        id: invitation.id.clone(),
        email: invitation.email.clone(),
        role: invitation.role.title(),
        project,
        tone,
        state,
        revocable: invitation.invited_by == by.user.id || by.may(Deed::ManageUsers),
    }
}

pub(super) async fn invite(
    State(app): State<App>,
    seat: Seat,
    Filled(form): Filled<InviteForm>,
) -> Answer {
    match invite_as(&app, &seat, &form).await {
        Ok(()) => Ok(to_with(
            &seat.path("/members"),
            &format!("{} is invited.", form.email.trim()),
        )),
        Err(refused) => with(&app, &seat, &form.email, &form.role, refused.into()).await,
    }
}

async fn invite_as(app: &App, seat: &Seat, form: &InviteForm) -> Result<(), Refused> {
    let role = Role::required(&form.role)?;
    let typed = form.email.clone();
    let allowed = app
        .limiter
        .count(Limited::Invitations, &seat.member.user.id, app.clock.now())
        .is_ok();
    seat.act(app, move |act, by| {
        if !allowed {
            return Err(invitation::too_many(by, None, &typed, role));
        }
        invitation::invite(act, by, None, &typed, role)
    })
    .await
}

pub(super) async fn resend(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    app.limiter
        .count(Limited::Invitations, &seat.member.user.id, app.clock.now())?;
    let done = seat
        .act(&app, move |act, by| invitation::resend(act, by, &id))
        .await;
    finish(&app, &seat, done, "The invitation is sent again.").await
}

pub(super) async fn revoke(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let done = seat
        .act(&app, move |act, by| invitation::revoke(act, by, &id))
        .await;
    finish(&app, &seat, done, "The invitation is taken back.").await
}

pub(super) async fn set_role(
    State(app): State<App>,
    seat: Seat,
    Path((_, user)): Path<(String, String)>,
    Filled(form): Filled<RoleForm>,
) -> Answer {
    let done = seat
        .act(&app, move |act, by| {
            member::set_role(act, by, &user, Role::required(&form.role)?)
        })
        .await;
    finish(&app, &seat, done, "The role is changed.").await
}

pub(super) async fn remove(
    State(app): State<App>,
    seat: Seat,
    Path((_, user)): Path<(String, String)>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let done = seat
        .act(&app, move |act, by| member::remove(act, by, &user))
        .await;
    finish(&app, &seat, done, "Removed from the workspace.").await
}

pub(super) async fn leave(
    State(app): State<App>,
    seat: Seat,
    Filled(_): Filled<Pressed>,
) -> Answer {
    match seat.act(&app, member::leave).await {
        Ok(()) => Ok(to_with(
            "/",
            &format!("You have left {}.", seat.member.workspace.name),
        )),
        Err(refused) => with(&app, &seat, "", "member", refused.into()).await,
    }
}

async fn finish(app: &App, seat: &Seat, done: Result<(), Refused>, said: &str) -> Answer {
    match done {
        Ok(()) => Ok(to_with(&seat.path("/members"), said)),
        Err(refused) => with(app, seat, "", "member", refused.into()).await,
    }
}
