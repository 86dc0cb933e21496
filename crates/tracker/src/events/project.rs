//! What happens to projects and to who may see them.

use annals_client::actions::{
    ProjectArchived, ProjectCreated, ProjectCreatedMembersAccess, ProjectDeleted,
    ProjectExportRequested, ProjectExportRequestedDelivery, ProjectGroupUpdated,
    ProjectGroupUpdatedCause, ProjectUnarchived, ProjectUpdated, ProjectUpdatedMembersAccess,
    ProjectUserInvitationFailed, ProjectUserInvited, ProjectUserInvitedAccess,
    ProjectUserInvitedDelivery, ProjectUserRemoved, ProjectWidgetInstalled,
    ProjectWidgetInstalledInstallMethod, ProjectWidgetInstalledVerifiedBy,
};
use annals_client::{Actor, Json, NewEvent, Object, Ref};

use crate::domain::export::Export;
use crate::domain::group::Group;
use crate::domain::integration::Account;
use crate::domain::invitation::{Invitation, Why};
use crate::domain::member::{Member, Role};
use crate::domain::project::{Counts, Project};
use crate::domain::project_member::Added;
use crate::domain::user::User;
use crate::domain::widget::Widget;

pub(crate) fn created(by: &Member, project: &Project, account: Option<&Account>) -> ProjectCreated {
    let access = match project.restricted {
        true => ProjectCreatedMembersAccess::Restricted,
        false => ProjectCreatedMembersAccess::All,
    };
    let mut event = ProjectCreated::new(by.actor(), project.target())
        .next_name(&project.name)
        .next_members_access(access)
        .members_access(access);
    if !project.website_host.is_empty() {
        event = event
            .next_website_host(&project.website_host)
            .website_host(&project.website_host);
    }
    if let Some(group) = &project.group {
        event = event.next_group_id(&group.id).group_id(&group.id);
    }
    let Some(account) = account else { return event };
    let mut integration = Object::new();
    integration.insert("provider", account.provider.as_str());
    integration.insert("account_id", account.id.as_str());
    integration.insert(
        "account_kind",
        if account.is_shared() {
            "shared"
        } else {
            "personal"
        },
    );
    let event = event.integration(integration);
    if account.is_shared() {
        event.on_shared_account(account.target())
    } else {
        event.on_integration_account(account.target())
    }
}

/// What changed of the details; none if nothing did.
pub(crate) fn updated(by: &Member, before: &Project, after: &Project) -> Option<NewEvent> {
    let start: NewEvent = ProjectUpdated::new(by.actor(), after.target()).into();
    let mut event = Changes {
        event: start,
        any: false,
    };
    event.text("name", &before.name, &after.name);
    event.text("website_host", &before.website_host, &after.website_host);
    event.text("description", &before.description, &after.description);
    event.text(
        "members_access",
        access(before).as_str(),
        access(after).as_str(),
    );
    event.optional(
        "integration_account_id",
        before.account_id.as_deref(),
        after.account_id.as_deref(),
    );
    event.optional(
        "default_assignee_id",
        before.default_assignee_id.as_deref(),
        after.default_assignee_id.as_deref(),
    );
    event.any.then_some(event.event)
}

fn access(project: &Project) -> ProjectUpdatedMembersAccess {
    if project.restricted {
        ProjectUpdatedMembersAccess::Restricted
    } else {
        ProjectUpdatedMembersAccess::All
    }
}

/// How the widget is set is one of a project's details too.
pub(crate) fn widget_configured(
    by: &Member,
    project: &Project,
    before: &Widget,
    after: &Widget,
) -> Option<NewEvent> {
    let start: NewEvent = ProjectUpdated::new(by.actor(), project.target()).into();
    let mut event = Changes {
        event: start,
        any: false,
    };
    event.text(
        "widget_visibility",
        before.visibility.as_str(),
        after.visibility.as_str(),
    );
    if before.allowed_hosts != after.allowed_hosts {
        event.any = true;
        event.event = event
            .event
            .previous("form_settings", hosts(&before.allowed_hosts))
            .next("form_settings", hosts(&after.allowed_hosts));
    }
    event.any.then_some(event.event)
}

fn hosts(hosts: &[String]) -> Object {
    let mut settings = Object::new();
    settings.insert(
        "allowed_hosts",
        Json::Array(hosts.iter().map(|host| host.as_str().into()).collect()),
    );
    settings
}

/// An event with only what changed.
struct Changes {
    event: NewEvent,
    any: bool,
}

impl Changes {
    fn text(&mut self, key: &str, before: &str, after: &str) {
        self.json(key, before.into(), after.into());
    }

    /// What may be unset is null then.
    fn optional(&mut self, key: &str, before: Option<&str>, after: Option<&str>) {
        self.json(key, or_null(before), or_null(after));
    }

    fn json(&mut self, key: &str, before: Json, after: Json) {
        if before != after {
            self.any = true;
            self.event = self.event.clone().previous(key, before).next(key, after);
        }
    }
}

fn or_null(text: Option<&str>) -> Json {
    text.map_or(Json::Null, Json::from)
}

pub(crate) fn deleted(by: &Member, project: &Project, counts: Counts) -> NewEvent {
    let event = ProjectDeleted::new(by.actor(), project.target())
        .previous_name(&project.name)
        .previous_archived(project.archived_at.is_some())
        .was_archived(project.archived_at.is_some())
        .issue_count(counts.issues)
        .comment_count(counts.comments)
        .member_count(counts.members)
        .pending_invitation_count(counts.invitations);
    NewEvent::from(event).previous(
        "group_id",
        or_null(project.group.as_ref().map(|group| group.id.as_str())),
    )
}

pub(crate) fn archived(by: &Member, project: &Project) -> ProjectArchived {
    ProjectArchived::new(by.actor(), project.target())
        .previous_archived(false)
        .next_archived(true)
        .open_issue_count(project.open_issues)
}

pub(crate) fn unarchived(by: &Member, project: &Project, seconds: i64) -> ProjectUnarchived {
    ProjectUnarchived::new(by.actor(), project.target())
        .previous_archived(true)
        .next_archived(false)
        .open_issue_count(project.open_issues)
        .archived_for_seconds(seconds)
}

pub(crate) fn group_updated(
    by: &Member,
    project: &Project,
    before: Option<&Group>,
    after: Option<&Group>,
    cause: ProjectGroupUpdatedCause,
) -> NewEvent {
    let mut event = ProjectGroupUpdated::new(by.actor(), project.target()).cause(cause);
    for group in [before, after].into_iter().flatten() {
        event = event.on_group(group.target());
    }
    let (id, name) = (
        |group: Option<&Group>| or_null(group.map(|group| group.id.as_str())),
        |group: Option<&Group>| or_null(group.map(|group| group.name.as_str())),
    );
    NewEvent::from(event)
        .previous("group_id", id(before))
        .previous("group_name", name(before))
        .next("group_id", id(after))
        .next("group_name", name(after))
}

pub(crate) fn widget_installed(
    actor: Actor,
    project: &Project,
    widget: &Widget,
    host: &str,
    by: ProjectWidgetInstalledVerifiedBy,
) -> ProjectWidgetInstalled {
    let event = ProjectWidgetInstalled::new(actor, (widget.id.as_str(), project.name.as_str()))
        .on_project(project.target())
        .next_install_state("installed")
        .next_visibility(widget.visibility.of_event())
        .install_method(ProjectWidgetInstalledInstallMethod::Snippet)
        .host(host)
        .visibility(widget.visibility.of_event())
        .verified_by(by);
    match &widget.configured_by {
        Some(user) => event.configured_by(user),
        None => event,
    }
}

pub(crate) fn user_invited(
    by: &Member,
    project: &Project,
    invitee: Ref,
    invitation: &Invitation,
    resend: bool,
) -> ProjectUserInvited {
    ProjectUserInvited::new(by.actor(), invitee)
        .on_project(project.target())
        .on_invitation(invitation.id.as_str())
        .invitation_id(&invitation.id)
        .role(invitation.role.as_str())
        .delivery(ProjectUserInvitedDelivery::Email)
        .expires_at(invitation.expires_at.to_string())
        .already_workspace_member(false)
        .access(ProjectUserInvitedAccess::Pending)
        .resend(resend)
}

/// Somebody of the workspace is asked in by being added.
pub(crate) fn user_added(
    by: &Member,
    project: &Project,
    user: &User,
    role: Role,
) -> ProjectUserInvited {
    ProjectUserInvited::new(by.actor(), user.target())
        .on_project(project.target())
        .role(role.as_str())
        .delivery(ProjectUserInvitedDelivery::Email)
        .already_workspace_member(true)
        .access(ProjectUserInvitedAccess::Immediate)
        .resend(false)
}

pub(crate) fn invitation_failed(
    actor: Actor,
    project: &Project,
    invitee: Option<Ref>,
    role: Role,
    why: Why,
    invitation: Option<&str>,
) -> NewEvent {
    let mut event = ProjectUserInvitationFailed::new(actor, project.target(), why.project)
        .stage(why.stage)
        .role(role.as_str());
    if let Some(invitee) = invitee {
        event = event.on_user(invitee);
    }
    match invitation {
        // It came back long after somebody clicked.
        Some(id) => event.on_invitation(id).source("system").into(),
        None => event.into(),
    }
}

/// An invitation that is taken back: somebody is removed who has not come yet.
pub(crate) fn invitation_revoked(by: &Member, project: &Project, invitee: Ref) -> NewEvent {
    let event = ProjectUserRemoved::new(by.actor(), invitee)
        .on_project(project.target())
        .previous_access("pending")
        .was_pending(true);
    NewEvent::from(event).next("access", Json::Null)
}

pub(crate) fn user_removed(
    by: &Member,
    project: &Project,
    added: &Added,
    remaining: u32,
) -> NewEvent {
    let user = Ref::new(&added.user_id)
        .named(&added.name)
        .email(&added.email);
    let event = ProjectUserRemoved::new(by.actor(), user)
        .on_project(project.target())
        .previous_access("granted")
        .role_in_project(added.role.as_str())
        .was_pending(false)
        .remaining_projects(remaining)
        .of_oneself(added.user_id == by.user.id);
    NewEvent::from(event).next("access", Json::Null)
}

pub(crate) fn export_requested(
    by: &Member,
    project: &Project,
    export: &Export,
    issues: u32,
) -> ProjectExportRequested {
    let mut filters = Object::new();
    if !export.status_filter.is_empty() {
        filters.insert("status", export.status_filter.as_str());
    }
    ProjectExportRequested::new(by.actor(), project.target())
        .on_export(export.id.as_str())
        .export_id(&export.id)
        .format("csv")
        .filters(filters)
        .include_archived(true)
        .include_comments(export.include_comments)
        .issue_count_estimate(issues)
        .delivery(ProjectExportRequestedDelivery::Download)
}
