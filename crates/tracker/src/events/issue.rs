//! What happens to issues.

use annals_client::actions::{
    IssueCreated, IssueCreatedReporterIdentifiedBy, IssueCreationFailed, IssueCreationFailedReason,
    IssueDeleted, IssueDeletedMode, IssueStatusUpdated, IssueStatusUpdatedOrigin,
};
use annals_client::{Json, NewEvent, Object, Ref};

use crate::domain::forward::Parcel;
use crate::domain::integration::Account;
use crate::domain::issue::{Issue, Status};
use crate::domain::member::Member;
use crate::domain::project::Project;
use crate::domain::report::Reporter;
use crate::oauth::ForwardFailure;

pub(crate) fn created(
    reporter: &Reporter,
    project: &Project,
    issue: &Issue,
    account: Option<&Account>,
) -> NewEvent {
    let identified = match reporter {
        Reporter::Member(_) => IssueCreatedReporterIdentifiedBy::Session,
        Reporter::Visitor { .. } => IssueCreatedReporterIdentifiedBy::Form,
    };
    let mut event = IssueCreated::new(reporter.actor(), issue.target())
        .on_project(project.target())
        .next_status(issue.status.as_str())
        .next_title(&issue.title)
        .issue_number(issue.number)
        .source_of_event(&issue.source)
        .issue_type(&issue.kind)
        .priority(&issue.priority)
        .status(issue.status.as_str())
        .attachment_count(0)
        .form(reporter.form())
        .reporter_identified_by(identified);
    if let Some(assignee) = &issue.assignee_id {
        event = event.assignee_id(assignee);
    }
    if !issue.page_host.is_empty() {
        event = event
            .page_host(&issue.page_host)
            .page_path(&issue.page_path);
    }
    if let Some(account) = account {
        let mut integration = Object::new();
        integration.insert("provider", account.provider.as_str());
        integration.insert("account_id", account.id.as_str());
        event = event.integration(integration);
        event = if account.is_shared() {
            event.on_shared_account(account.target())
        } else {
            event.on_integration_account(account.target())
        };
    }
    NewEvent::from(event).next(
        "assignee_id",
        issue.assignee_id.as_deref().map_or(Json::Null, Json::from),
    )
}

/// An attempt that left no issue. Nothing of what was to be reported is kept.
pub(crate) fn creation_failed(
    reporter: &Reporter,
    project: &Project,
    source: &str,
    reason: IssueCreationFailedReason,
) -> IssueCreationFailed {
    let stage = match reason {
        IssueCreationFailedReason::ValidationFailed
        | IssueCreationFailedReason::PayloadTooLarge => "validation",
        IssueCreationFailedReason::InternalError => "persist",
        _ => "authorization",
    };
    IssueCreationFailed::new(reporter.actor(), project.target(), reason)
        .stage(stage)
        .source_of_event(source)
}

/// The issue is there, but the other tool has not got it.
pub(crate) fn forwarding_failed(
    reporter: &Reporter,
    parcel: &Parcel,
    reason: IssueCreationFailedReason,
    failure: &ForwardFailure,
    attempt: u32,
) -> IssueCreationFailed {
    let event = IssueCreationFailed::new(reporter.actor(), parcel.project.target(), reason)
        .on_issue(parcel.issue.target())
        .stage("integration_sync")
        .source_of_event(&parcel.issue.source)
        .provider(&parcel.account.provider)
        .retryable(!matches!(failure, ForwardFailure::Rejected { .. }))
        .attempt(attempt);
    match failure.status() {
        Some(status) => event.provider_status(status),
        None => event,
    }
}

pub(crate) fn status_updated(
    by: &Member,
    project: &Project,
    issue: &Issue,
    status: Status,
) -> IssueStatusUpdated {
    IssueStatusUpdated::new(by.actor(), issue.target())
        .on_project(project.target())
        .previous_status(issue.status.as_str())
        .next_status(status.as_str())
        .origin(IssueStatusUpdatedOrigin::User)
        .bulk(false)
}

pub(crate) fn deleted(by: &Member, project: &Project, issue: &Issue) -> NewEvent {
    let mut event = IssueDeleted::new(by.actor(), issue.target())
        .on_project(project.target())
        .previous_title(&issue.title)
        .previous_status(issue.status.as_str())
        .own_issue(issue.is_by(by))
        .status_at_deletion(issue.status.as_str())
        .comment_count(issue.comments)
        .attachment_count(0)
        .external_key_retained(issue.external_key.is_some())
        .mode(IssueDeletedMode::Soft);
    if let Some(reporter) = &issue.reporter_id {
        event = event
            .on_user(
                Ref::new(reporter)
                    .named(&issue.reporter_name)
                    .email(&issue.reporter_email),
            )
            .reporter_id(reporter);
    }
    NewEvent::from(event).previous(
        "assignee_id",
        issue.assignee_id.as_deref().map_or(Json::Null, Json::from),
    )
}
