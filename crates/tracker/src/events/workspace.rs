//! What happens in a workspace and to its members.

use annals_client::actions::{
    WorkspaceCreated, WorkspaceDeleted, WorkspaceDomainJoinAdded, WorkspaceDomainJoinRemoved,
    WorkspaceDomainJoinRemovedReason, WorkspaceUserInvitationFailed, WorkspaceUserInvited,
    WorkspaceUserInvitedDelivery, WorkspaceUserJoinFailed, WorkspaceUserJoinFailedMethod,
    WorkspaceUserJoinFailedReason, WorkspaceUserJoined, WorkspaceUserJoinedMethod,
    WorkspaceUserLeft, WorkspaceUserLeftCause, WorkspaceUserRemoved, WorkspaceUserRoleUpdated,
    WorkspaceUserRoleUpdatedPrivilegeChange,
};
use annals_client::{Actor, NewEvent, Ref};

use crate::domain::domain_join::DomainJoin;
use crate::domain::invitation::{Invitation, Why};
use crate::domain::member::{Member, Role};
use crate::domain::user::User;
use crate::domain::workspace::{HeadCount, Workspace};

pub(crate) fn created(user: &User, workspace: &Workspace) -> WorkspaceCreated {
    WorkspaceCreated::new(user.actor_as(Role::Admin), workspace.target())
        .next_name(&workspace.name)
        .plan(&workspace.plan)
        .creator_role(Role::Admin.as_str())
        .signup(false)
}

/// `counts`: projects and issues.
pub(crate) fn deleted(by: &Member, people: HeadCount, counts: (u32, u32)) -> WorkspaceDeleted {
    WorkspaceDeleted::new(by.actor(), by.workspace.target())
        .previous_name(&by.workspace.name)
        .previous_plan(&by.workspace.plan)
        .plan(&by.workspace.plan)
        .member_count(people.members)
        .guest_count(people.guests)
        .project_count(counts.0)
        .issue_count(counts.1)
}

pub(crate) fn domain_join_added(by: &Member, join: &DomainJoin) -> WorkspaceDomainJoinAdded {
    WorkspaceDomainJoinAdded::new(by.actor(), join.target())
        .next_domain(&join.domain)
        .next_default_role(join.default_role.as_str())
        .domain(&join.domain)
        .default_role(join.default_role.as_str())
        .verified_by_email(&join.verification_email)
        .verification_method("email_link")
        .source("email_link")
}

pub(crate) fn domain_join_removed(
    by: &Member,
    join: &DomainJoin,
    joined: u32,
) -> WorkspaceDomainJoinRemoved {
    WorkspaceDomainJoinRemoved::new(by.actor(), join.target())
        .previous_domain(&join.domain)
        .previous_default_role(join.default_role.as_str())
        .domain(&join.domain)
        .default_role(join.default_role.as_str())
        .reason(WorkspaceDomainJoinRemovedReason::UserAction)
        .members_joined_through_it(joined)
}

/// What all ways in have; the caller adds the way.
pub(crate) fn joined(user: &User, workspace: &Workspace, role: Role) -> WorkspaceUserJoined {
    WorkspaceUserJoined::new(user.actor_as(role), user.target())
        .on_workspace(workspace.target())
        .next_role(role.as_str())
        .role(role.as_str())
}

pub(crate) fn join_failed(
    actor: Actor,
    workspace: &Workspace,
    method: WorkspaceUserJoinedMethod,
    reason: WorkspaceUserJoinFailedReason,
) -> WorkspaceUserJoinFailed {
    WorkspaceUserJoinFailed::new(actor, workspace.target(), reason)
        .stage("authorization")
        .method(match method {
            WorkspaceUserJoinedMethod::ProjectInvitation => {
                WorkspaceUserJoinFailedMethod::ProjectInvitation
            }
            WorkspaceUserJoinedMethod::DomainJoin => WorkspaceUserJoinFailedMethod::DomainJoin,
            _ => WorkspaceUserJoinFailedMethod::Invitation,
        })
}

pub(crate) fn user_left(member: &Member, projects: usize) -> WorkspaceUserLeft {
    left(member, projects, WorkspaceUserLeftCause::Oneself)
}

/// That somebody left because his account is gone.
pub(crate) fn user_gone(member: &Member, projects: usize) -> WorkspaceUserLeft {
    left(member, projects, WorkspaceUserLeftCause::AccountDeleted)
}

fn left(member: &Member, projects: usize, cause: WorkspaceUserLeftCause) -> WorkspaceUserLeft {
    WorkspaceUserLeft::new(member.actor(), member.target())
        .on_workspace(member.workspace.target())
        .previous_role(member.role.as_str())
        .role(member.role.as_str())
        .cause(cause)
        .project_count(projects)
}

pub(crate) fn user_invited(
    by: &Member,
    invitee: Ref,
    invitation: &Invitation,
    resend: bool,
) -> WorkspaceUserInvited {
    WorkspaceUserInvited::new(by.actor(), invitee)
        .on_invitation(invitation.id.as_str())
        .on_workspace(by.workspace.target())
        .invitation_id(&invitation.id)
        .role(invitation.role.as_str())
        .delivery(WorkspaceUserInvitedDelivery::Email)
        .expires_at(invitation.expires_at.to_string())
        .resend(resend)
}

pub(crate) fn invitation_failed(
    actor: Actor,
    workspace: &Workspace,
    invitee: Option<Ref>,
    role: Role,
    why: Why,
    invitation: Option<&str>,
) -> NewEvent {
    let mut event = WorkspaceUserInvitationFailed::new(actor, workspace.target(), why.workspace)
        .stage(why.stage)
        .role(role.as_str());
    if let Some(invitee) = invitee {
        event = event.on_user(invitee);
    }
    match invitation {
        // It came back long after somebody clicked.
        Some(id) => event
            .on_invitation(id)
            .invitation_id(id)
            .source("system")
            .into(),
        None => event.into(),
    }
}

/// An invitation that is taken back: somebody is removed who has not come yet.
pub(crate) fn invitation_revoked(
    by: &Member,
    invitee: Ref,
    invitation: &Invitation,
) -> WorkspaceUserRemoved {
    WorkspaceUserRemoved::new(by.actor(), invitee)
        .on_workspace(by.workspace.target())
        .previous_role(invitation.role.as_str())
        .was_pending(true)
}

pub(crate) fn role_updated(
    by: &Member,
    member: &Member,
    role: Role,
    handed_over: bool,
) -> WorkspaceUserRoleUpdated {
    let change = if role > member.role {
        WorkspaceUserRoleUpdatedPrivilegeChange::Escalation
    } else {
        WorkspaceUserRoleUpdatedPrivilegeChange::Reduction
    };
    WorkspaceUserRoleUpdated::new(by.actor(), member.target())
        .on_workspace(by.workspace.target())
        .previous_role(member.role.as_str())
        .next_role(role.as_str())
        .privilege_change(change)
        .seat_type_change((member.role == Role::Guest) != (role == Role::Guest))
        .is_owner_transfer(handed_over)
}

pub(crate) fn user_removed(
    by: &Member,
    member: &Member,
    projects: Vec<String>,
    unassigned: usize,
    owner: Option<&User>,
) -> WorkspaceUserRemoved {
    let event = WorkspaceUserRemoved::new(by.actor(), member.target())
        .on_workspace(by.workspace.target())
        .previous_role(member.role.as_str())
        .project_ids_lost(projects)
        .issues_unassigned(unassigned)
        .was_pending(false);
    match owner {
        Some(owner) => event.owner_transferred_to(&owner.id),
        None => event,
    }
}
