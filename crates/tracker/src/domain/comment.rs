//! Comments on issues. What they say is in no event; how long it is, is.

use annals_client::Timestamp;
use annals_client::actions::CommentPublishedVisibility;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::issue::Issue;
use super::member::Member;
use super::permission::Deed;
use super::project::Project;
use super::text::{self, BODY_CHARS};
use super::user::time;
use crate::act::Act;
use crate::events;
use crate::refused::Refused;

/// What somebody said on an issue.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) id: String,
    pub(crate) author_id: String,
    pub(crate) author_name: String,
    /// Whether guests do not see it.
    pub(crate) members_only: bool,
    pub(crate) body: String,
    pub(crate) edits: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) edited_at: Option<Timestamp>,
}

const SELECT: &str = "select comment.id, author_id, user.name, visibility = 'members_only', body, edits, comment.created_at, edited_at
    from comment join user on user.id = author_id where comment.deleted_at is null";

impl Comment {
    /// Those of an issue that a member may see, oldest first.
    pub(crate) fn list(
        db: &Connection,
        member: &Member,
        issue: &Issue,
    ) -> Result<Vec<Self>, Refused> {
        let sql = format!(
            "{SELECT} and issue_id = ?1 and (?2 or visibility = 'all') order by comment.created_at, comment.id"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![issue.id, member.may(Deed::CommentForMembers)],
            Self::read,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn load(db: &Connection, member: &Member, issue: &Issue, id: &str) -> Result<Self, Refused> {
        let sql = format!("{SELECT} and issue_id = ?1 and comment.id = ?2");
        let found = db
            .prepare_cached(&sql)?
            .query_row([issue.id.as_str(), id], Self::read)
            .optional()?;
        let visible = |comment: &Self| !comment.members_only || member.may(Deed::CommentForMembers);
        found.filter(visible).ok_or_else(Refused::not_found)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            author_id: row.get(1)?,
            author_name: row.get(2)?,
            members_only: row.get(3)?,
            body: row.get(4)?,
            edits: row.get(5)?,
            created_at: Timestamp::clamped(row.get(6)?),
            edited_at: time(row.get(7)?),
        })
    }

    pub(crate) fn is_by(&self, member: &Member) -> bool {
        self.author_id == member.user.id
    }

    pub(crate) fn length(&self) -> usize {
        self.body.chars().count()
    }

    pub(crate) fn visibility(&self) -> CommentPublishedVisibility {
        if self.members_only {
            CommentPublishedVisibility::MembersOnly
        } else {
            CommentPublishedVisibility::All
        }
    }
}

/// The place of a comment, as the acts find it: its project and issue as they are now.
fn place(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    number: u32,
) -> Result<(Project, Issue), Refused> {
    let project = Project::load(act.db, by, &project.id)?;
    project.must_be_active()?;
    let issue = Issue::load(act.db, by, &project, number)?;
    Ok((project, issue))
}

/// Puts a comment on an issue.
pub(crate) fn publish(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    number: u32,
    body: &str,
    members_only: bool,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let (project, issue) = place(act, &by, project, number)?;
    if members_only {
        by.must(Deed::CommentForMembers)?;
    }
    let comment = Comment {
        id: act.id("cmt"),
        author_id: by.user.id.clone(),
        author_name: by.user.name.clone(),
        members_only,
        body: filled(body)?,
        edits: 0,
        created_at: act.now,
        edited_at: None,
    };
    act.db.execute(
        "insert into comment (id, issue_id, author_id, visibility, body, created_at) values (?1, ?2, ?3, ?4, ?5, ?6)",
        params![comment.id, issue.id, by.user.id, comment.visibility().as_str(), comment.body, act.now.as_micros()],
    )?;
    act.record(
        &by.workspace.id,
        events::comment::published(&by, &project, &issue, &comment),
    )
}

/// Changes what one said, or who sees it.
pub(crate) fn edit(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    at: (u32, &str),
    body: &str,
    members_only: bool,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let (project, issue) = place(act, &by, project, at.0)?;
    let before = Comment::load(act.db, &by, &issue, at.1)?;
    if !before.is_by(&by) {
        return Err(Refused::forbidden(
            "Only whoever wrote a comment changes it.",
        ));
    }
    if members_only {
        by.must(Deed::CommentForMembers)?;
    }
    let after = Comment {
        body: filled(body)?,
        members_only,
        edits: before.edits + 1,
        ..before.clone()
    };
    if (&after.body, after.members_only) == (&before.body, before.members_only) {
        return Ok(());
    }
    act.db.execute(
        "update comment set body = ?2, visibility = ?3, edits = ?4, edited_at = ?5 where id = ?1",
        params![
            after.id,
            after.body,
            after.visibility().as_str(),
            after.edits,
            act.now.as_micros()
        ],
    )?;
    act.record(
        &by.workspace.id,
        events::comment::updated(&by, &project, &issue, (&before, &after), act.now),
    )
}

/// Takes a comment away.
pub(crate) fn delete(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    at: (u32, &str),
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let (project, issue) = place(act, &by, project, at.0)?;
    let comment = Comment::load(act.db, &by, &issue, at.1)?;
    if !comment.is_by(&by) {
        by.must(Deed::DeleteOthersComments)?;
    }
    act.db.execute(
        "update comment set deleted_at = ?2, body = '' where id = ?1",
        params![comment.id, act.now.as_micros()],
    )?;
    act.record(
        &by.workspace.id,
        events::comment::deleted(&by, &project, &issue, &comment),
    )
}

fn filled(body: &str) -> Result<String, Refused> {
    let body = text::body("body", body, BODY_CHARS)?;
    if body.is_empty() {
        Err(Refused::invalid("body", "Write something first."))
    } else {
        Ok(body)
    }
}
