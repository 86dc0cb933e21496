//! Becoming a member: by an invitation, or by the domain of one's address.

use annals_client::actions::{
    WorkspaceUserJoinFailedReason as Reason, WorkspaceUserJoinedMethod as Method,
};
use rusqlite::{Connection, params};

use super::domain_join::DomainJoin;
use super::invitation::Invitation;
use super::member::{Membership, Role};
use super::session::{self, Begun, Device, Method as LoginMethod};
use super::text;
use super::user::{User, unauthenticated};
use super::workspace::Workspace;
use super::{project_member, signup};
use crate::act::Act;
use crate::refused::{Kind, Refused};
use crate::{collapse, events};

use annals_client::Timestamp;

/// An invitation that is still good, and what it leads to.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) invitation: Invitation,
    pub(crate) workspace: Workspace,
}

/// How somebody comes in.
enum Way<'a> {
    Invitation(&'a Invitation),
    Domain(&'a DomainJoin),
}

/// What a link leads to, for `user` or somebody who has not signed in.
pub(crate) fn open(
    db: &Connection,
    token: &str,
    user: Option<&User>,
    now: Timestamp,
) -> Result<Open, Refused> {
    let gone = || {
        Refused::new(
            Kind::NotFound,
            "There is no such invitation. Check the link, or ask for a new one.",
        )
        // It names no workspace that could be told.
        .recording(|act| {
            let action = "workspace.user_join_failed";
            act.record_platform(action, None, Some("unknown_invitation"))
        })
    };
    let invitation = Invitation::by_token(db, token)?.ok_or_else(gone)?;
    let workspace = Workspace::by_id(db, &invitation.workspace_id)?.ok_or_else(gone)?;
    let dead = match invitation.state.as_str() {
        "pending" | "undeliverable" if invitation.expires_at > now => None,
        "pending" | "undeliverable" => Some((
            Reason::InvitationExpired,
            "This invitation is too old. Ask for a new one.",
        )),
        "accepted" => Some((
            Reason::InvitationAlreadyUsed,
            "This invitation was used already.",
        )),
        _ => Some((Reason::InvitationRevoked, "This invitation was taken back.")),
    };
    let dead = dead.or_else(|| {
        let other = user.is_some_and(|user| user.email != invitation.email);
        other.then_some((
            Reason::InvitationEmailMismatch,
            "This invitation is for another address than the one that you are signed in with.",
        ))
    });
    if let Some((reason, message)) = dead {
        return Err(failed(
            Refused::conflict(message),
            &workspace,
            user,
            &Way::Invitation(&invitation),
            reason,
        ));
    }
    Ok(Open {
        invitation,
        workspace,
    })
}

/// Joins with the account that one has. The link came by mail, so it proves the address too.
pub(crate) fn accept(act: &Act<'_>, token: &str, user: &User) -> Result<Workspace, Refused> {
    let user = User::by_id(act.db, &user.id)?.ok_or_else(Refused::not_found)?;
    let open = open(act.db, token, Some(&user), act.now)?;
    // Whoever has come in another way meanwhile still gets the project that he was invited to. It was told when he was.
    if let Some(project) = &open.invitation.project_id
        && Membership::find(act.db, &open.workspace.id, &user.id)?.is_some()
    {
        open.invitation.close(act, "accepted")?;
        project_member::insert(act, project, &user.id, &open.invitation.invited_by)?;
        return Ok(open.workspace);
    }
    admit(
        act,
        &open.workspace,
        &user,
        &Way::Invitation(&open.invitation),
        false,
    )?;
    signup::prove(act, &user)?;
    Ok(open.workspace)
}

/// Joins with a new account: account, proof of the address, membership and session at once.
pub(crate) fn accept_anew(
    act: &Act<'_>,
    token: &str,
    name: &str,
    password_hash: &str,
    device: &Device,
) -> Result<(Workspace, Begun), Refused> {
    let open = open(act.db, token, None, act.now)?;
    let name = text::name("name", name)?;
    if User::by_email(act.db, &open.invitation.email)?.is_some() {
        return Err(Refused::conflict(
            "This address has an account. Sign in with it to join.",
        ));
    }
    let id = signup::insert(act, &name, &open.invitation.email, password_hash, false)?;
    let user = User::by_id(act.db, &id)?.ok_or_else(Refused::not_found)?;
    // The membership comes first: so the workspace hears of the address and the login too.
    admit(
        act,
        &open.workspace,
        &user,
        &Way::Invitation(&open.invitation),
        true,
    )?;
    signup::prove(act, &user)?;
    let begun = session::begin(act, &user, LoginMethod::Signup, device)?;
    Ok((open.workspace, begun))
}

/// Joins because the workspace lets everybody of one's domain in.
pub(crate) fn by_domain(act: &Act<'_>, slug: &str, user: &User) -> Result<Workspace, Refused> {
    let user = User::by_id(act.db, &user.id)?.ok_or_else(Refused::not_found)?;
    let workspace = Workspace::by_slug(act.db, slug)?.ok_or_else(Refused::not_found)?;
    // A workspace that never let this domain in hears nothing: strangers could fill its log.
    let domain = DomainJoin::newest_for(act.db, &workspace.id, &user.email)?
        .ok_or_else(Refused::not_found)?;
    let way = Way::Domain(&domain);
    let refused = |reason, message| {
        Err(failed(
            Refused::conflict(message),
            &workspace,
            Some(&user),
            &way,
            reason,
        ))
    };
    if domain.state != "active" {
        return refused(
            Reason::DomainNotAllowed,
            "This workspace no longer lets people of your domain join by themselves.",
        );
    }
    if user.email_verified_at.is_none() {
        return refused(
            Reason::EmailNotVerified,
            "Confirm your e-mail address first: open the link in the mail that we sent you.",
        );
    }
    admit(act, &workspace, &user, &way, false)?;
    Ok(workspace)
}

/// Lets somebody in, if there is a seat.
fn admit(
    act: &Act<'_>,
    workspace: &Workspace,
    user: &User,
    way: &Way<'_>,
    new_account: bool,
) -> Result<(), Refused> {
    let (role, via, domain) = match way {
        Way::Invitation(invitation) if invitation.project_id.is_some() => {
            (invitation.role, "project_invitation", None)
        }
        Way::Invitation(invitation) => (invitation.role, "invitation", None),
        Way::Domain(domain) => (domain.default_role, "domain_join", Some(&domain.id)),
    };
    let fail = |refused, reason| {
        Err(failed(
            refused,
            workspace,
            (!new_account).then_some(user),
            way,
            reason,
        ))
    };
    if Membership::find(act.db, &workspace.id, &user.id)?.is_some() {
        return fail(
            Refused::conflict("You are in this workspace already."),
            Reason::AlreadyMember,
        );
    }
    if let Err(full) = workspace.check_room(act.db, role, None) {
        let reason = if role == Role::Guest {
            Reason::GuestLimitReached
        } else {
            Reason::SeatLimitReached
        };
        return fail(full, reason);
    }

    act.db.execute(
        "insert into membership (id, workspace_id, user_id, role, joined_via, domain_join_id, joined_at) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![act.id("mbr"), workspace.id, user.id, role.as_str(), via, domain, act.now.as_micros()],
    )?;
    let mut projects = Vec::new();
    if let Way::Invitation(invitation) = way {
        invitation.close(act, "accepted")?;
        if let Some(project) = &invitation.project_id {
            project_member::insert(act, project, &user.id, &invitation.invited_by)?;
            projects.push(project.clone());
        }
    }
    let seats = workspace.head_count(act.db)?.members;
    let event = events::workspace::joined(user, workspace, role)
        .new_account(new_account)
        .seat_count_after(seats)
        .project_ids(projects);
    let event = match way {
        Way::Invitation(invitation) => event
            .method(way.method())
            .on_invitation(invitation.id.as_str())
            .invitation_id(&invitation.id)
            .invited_by(&invitation.invited_by)
            .source("email_link"),
        Way::Domain(domain) => {
            let event = event
                .method(way.method())
                .on_domain_join((domain.id.as_str(), domain.domain.as_str()))
                .domain_join_id(&domain.id);
            match user.email_verified_at {
                Some(time) => event.email_verified_at(time.to_string()),
                None => event,
            }
        }
    };
    act.record(&workspace.id, event)
}

fn failed(
    refused: Refused,
    workspace: &Workspace,
    user: Option<&User>,
    way: &Way<'_>,
    reason: Reason,
) -> Refused {
    let address = annals_client::RequestContext::current()
        .and_then(|context| context.context().location.clone());
    let network = collapse::network(&address.unwrap_or_default());
    let (actor, who) = match (user, way) {
        (Some(user), _) => (user.actor(), user.id.clone()),
        (None, Way::Invitation(invitation)) => (
            unauthenticated(Some(&invitation.email)),
            invitation.id.clone(),
        ),
        (None, Way::Domain(_)) => (unauthenticated(None), String::new()),
    };
    let event = events::workspace::join_failed(actor, workspace, way.method(), reason);
    let event = match user {
        Some(user) => event.on_user(user.target()),
        None => event,
    };
    let event = match way {
        Way::Invitation(invitation) => event
            .on_invitation(invitation.id.as_str())
            .invitation_id(&invitation.id)
            .source("email_link"),
        Way::Domain(_) => event,
    };
    let same = format!("join/{}/{who}/{}/{network}", workspace.id, reason.as_str());
    // Opening a dead link again and again is one fact.
    refused.recording_once(same, [workspace.id.clone()], event)
}

impl Way<'_> {
    fn method(&self) -> Method {
        match self {
            Self::Invitation(invitation) if invitation.project_id.is_some() => {
                Method::ProjectInvitation
            }
            Self::Invitation(_) => Method::Invitation,
            Self::Domain(_) => Method::DomainJoin,
        }
    }
}
