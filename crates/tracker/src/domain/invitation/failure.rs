//! Invitations that do not work: refused when somebody invites, or by the mail server afterwards.

use annals_client::Ref;
use annals_client::actions::{
    ProjectUserInvitationFailedReason as ProjectReason,
    WorkspaceUserInvitationFailedReason as Reason,
};

use super::super::email;
use super::super::member::{Member, Membership, Role};
use super::super::project::Project;
use super::super::user::User;
use super::super::workspace::Workspace;
use super::{Invitation, colleague};
use crate::act::Act;
use crate::events;
use crate::refused::{Kind, Refused};

/// Why an invitation was not made. Each of the two events has its own list of reasons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Why {
    pub(crate) workspace: Reason,
    pub(crate) project: ProjectReason,
    pub(crate) stage: &'static str,
}

/// That the mail server refused for good what was sent of an invitation. Whoever invited is the actor; nobody acts at this moment.
pub(crate) fn bounced(act: &Act<'_>, id: &str) -> Result<(), Refused> {
    let Some(invitation) =
        Invitation::by_id(act.db, id)?.filter(|invitation| invitation.state == "pending")
    else {
        return Ok(());
    };
    invitation.close(act, "undeliverable")?;
    let invitee = invitation.invitee(act.db)?;
    let Some(workspace) = Workspace::by_id(act.db, &invitation.workspace_id)? else {
        return Ok(());
    };
    let Some(inviter) = User::by_id(act.db, &invitation.invited_by)? else {
        return Ok(());
    };
    let role =
        Membership::find(act.db, &workspace.id, &inviter.id)?.map(|membership| membership.role);
    let actor = role.map_or_else(|| inviter.actor(), |role| inviter.actor_as(role));
    match invitation
        .project_id
        .as_deref()
        .map(|id| Project::in_workspace(act.db, &workspace.id, id))
        .transpose()?
    {
        Some(project) => act.record(
            &workspace.id,
            events::project::invitation_failed(
                actor,
                &project,
                Some(invitee),
                invitation.role,
                UNDELIVERABLE,
                Some(&invitation.id),
            ),
        ),
        None => act.record(
            &workspace.id,
            events::workspace::invitation_failed(
                actor,
                &workspace,
                Some(invitee),
                invitation.role,
                UNDELIVERABLE,
                Some(&invitation.id),
            ),
        ),
    }
}

/// The refusal, with what is recorded of the attempt. What was typed is recorded only where it is an address.
pub(super) fn failed(
    refused: Refused,
    by: &Member,
    project: Option<&Project>,
    typed: &str,
    role: Role,
    why: Why,
) -> Refused {
    let (by, project) = (by.clone(), project.cloned());
    let address = email::parse(typed);
    refused.recording(move |act| {
        let known = address
            .as_deref()
            .map(|address| colleague(act.db, &by.workspace.id, address))
            .transpose()?
            .flatten();
        let invitee = match known {
            Some(user) => Some(user.target()),
            None => address.map(|address| Ref::new("unregistered").email(address)),
        };
        match &project {
            Some(project) => act.record(
                &by.workspace.id,
                events::project::invitation_failed(by.actor(), project, invitee, role, why, None),
            ),
            None => act.record(
                &by.workspace.id,
                events::workspace::invitation_failed(
                    by.actor(),
                    &by.workspace,
                    invitee,
                    role,
                    why,
                    None,
                ),
            ),
        }
    })
}

const fn why(workspace: Reason, project: ProjectReason, stage: &'static str) -> Why {
    Why {
        workspace,
        project,
        stage,
    }
}

pub(super) const NOT_PERMITTED: Why = why(
    Reason::PermissionDenied,
    ProjectReason::PermissionDenied,
    "authorization",
);
pub(super) const ROLE_NOT_PERMITTED: Why = why(
    Reason::RoleNotPermitted,
    ProjectReason::RoleNotPermitted,
    "authorization",
);
pub(super) const INVALID_EMAIL: Why = why(
    Reason::InvalidEmail,
    ProjectReason::InvalidEmail,
    "validation",
);
pub(super) const ALREADY: Why = why(
    Reason::AlreadyMember,
    ProjectReason::AlreadyProjectMember,
    "validation",
);
pub(super) const GUESTS_FULL: Why = why(
    Reason::GuestLimitReached,
    ProjectReason::GuestLimitReached,
    "validation",
);
pub(super) const SEATS_FULL: Why = why(
    Reason::SeatLimitReached,
    ProjectReason::SeatLimitReached,
    "validation",
);
/// A workspace cannot be archived, so its reason is never used.
pub(super) const PROJECT_ARCHIVED: Why = why(
    Reason::InternalError,
    ProjectReason::ProjectArchived,
    "validation",
);
const UNDELIVERABLE: Why = why(
    Reason::EmailUndeliverable,
    ProjectReason::EmailUndeliverable,
    "delivery",
);
/// Too many invitations by one person.
const TOO_MANY: Why = why(
    Reason::RateLimited,
    ProjectReason::RateLimited,
    "authorization",
);

/// The refusal for somebody who invites too many.
pub(crate) fn too_many(by: &Member, project: Option<&Project>, typed: &str, role: Role) -> Refused {
    failed(
        Refused::new(
            Kind::TooMany,
            "You have invited many people. Go on in an hour.",
        ),
        by,
        project,
        typed,
        role,
        TOO_MANY,
    )
}
