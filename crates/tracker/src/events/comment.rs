//! What happens to comments: who sees them and how long they are, never what they say.

use annals_client::Timestamp;
use annals_client::actions::{
    CommentDeleted, CommentDeletedVisibility, CommentPublished, CommentPublishedOrigin,
    CommentUpdated, CommentUpdatedVisibility,
};

use crate::clock::seconds_between;
use crate::domain::comment::Comment;
use crate::domain::issue::Issue;
use crate::domain::member::Member;
use crate::domain::project::Project;

pub(crate) fn published(
    by: &Member,
    project: &Project,
    issue: &Issue,
    comment: &Comment,
) -> CommentPublished {
    CommentPublished::new(by.actor(), comment.id.as_str())
        .on_issue(issue.target())
        .on_project(project.target())
        .visibility(comment.visibility())
        .body_length(comment.length())
        .attachment_count(0)
        .origin(CommentPublishedOrigin::User)
}

/// `change`: before and after.
pub(crate) fn updated(
    by: &Member,
    project: &Project,
    issue: &Issue,
    change: (&Comment, &Comment),
    now: Timestamp,
) -> CommentUpdated {
    let (before, after) = change;
    let mut event = CommentUpdated::new(by.actor(), after.id.as_str())
        .on_issue(issue.target())
        .on_project(project.target())
        .edit_number(after.edits)
        .age_seconds(seconds_between(before.created_at, now));
    if before.length() != after.length() {
        event = event
            .previous_body_length(before.length())
            .next_body_length(after.length());
    }
    if before.members_only != after.members_only {
        event = event
            .previous_visibility(visibility(before))
            .next_visibility(visibility(after));
    }
    event
}

fn visibility(comment: &Comment) -> CommentUpdatedVisibility {
    if comment.members_only {
        CommentUpdatedVisibility::MembersOnly
    } else {
        CommentUpdatedVisibility::All
    }
}

pub(crate) fn deleted(
    by: &Member,
    project: &Project,
    issue: &Issue,
    comment: &Comment,
) -> CommentDeleted {
    let visibility = if comment.members_only {
        CommentDeletedVisibility::MembersOnly
    } else {
        CommentDeletedVisibility::All
    };
    CommentDeleted::new(by.actor(), comment.id.as_str())
        .on_issue(issue.target())
        .on_project(project.target())
        .previous_body_length(comment.length())
        .previous_visibility(visibility)
        .own_comment(comment.is_by(by))
        .author_id(&comment.author_id)
        .visibility(visibility)
        .body_length(comment.length())
}
