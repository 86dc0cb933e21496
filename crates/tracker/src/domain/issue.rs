//! Issues: who sees which, and what is done with one that is there. How it comes to be is in [`super::report`].

use annals_client::{Ref, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::member::{Member, Membership, Role};
use super::permission::Deed;
use super::project::Project;
use crate::act::Act;
use crate::events;
use crate::refused::Refused;

/// Something that somebody reported.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) number: u32,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) kind: String,
    pub(crate) status: Status,
    pub(crate) priority: String,
    pub(crate) assignee_id: Option<String>,
    pub(crate) assignee_name: Option<String>,
    pub(crate) reporter_id: Option<String>,
    pub(crate) reporter_role: String,
    pub(crate) reporter_name: String,
    pub(crate) reporter_email: String,
    pub(crate) source: String,
    pub(crate) page_host: String,
    pub(crate) page_path: String,
    pub(crate) sync_state: String,
    pub(crate) sync_attempts: u32,
    pub(crate) external_key: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) comments: u32,
}

/// Where an issue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    InProgress,
    Resolved,
    Closed,
}

/// Issues of one page of a list.
pub(crate) const PAGE: u32 = 50;

impl Status {
    pub(crate) const ALL: [Self; 4] = [Self::Open, Self::InProgress, Self::Resolved, Self::Closed];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::InProgress => "In progress",
            Self::Resolved => "Resolved",
            Self::Closed => "Closed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

const SELECT: &str = "select issue.id, project_id, number, title, description, kind, status, priority, assignee_id, assignee.name,
    reporter_id, reporter_role, reporter_name, reporter_email, source, page_host, page_path, sync_state, sync_attempts, external_key,
    issue.created_at, (select count(*) from comment where issue_id = issue.id and comment.deleted_at is null)
    from issue left join user as assignee on assignee.id = assignee_id where issue.deleted_at is null";

impl Issue {
    /// One that a member may see, by its number in a project.
    pub(crate) fn load(
        db: &Connection,
        member: &Member,
        project: &Project,
        number: u32,
    ) -> Result<Self, Refused> {
        let sql = format!("{SELECT} and project_id = ?1 and number = ?2");
        let found = db
            .prepare_cached(&sql)?
            .query_row(params![project.id, number], Self::read)
            .optional()?;
        found
            .filter(|issue| issue.is_visible_to(member))
            .ok_or_else(Refused::not_found)
    }

    pub(crate) fn by_id(db: &Connection, id: &str) -> Result<Option<Self>, Refused> {
        let sql = format!("{SELECT} and issue.id = ?1");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([id], Self::read)
            .optional()?)
    }

    /// Those of a project that a member may see, newest first: `status` or all, below `before` where that is given.
    pub(crate) fn list(
        db: &Connection,
        member: &Member,
        project: &Project,
        filter: Filter<'_>,
    ) -> Result<Vec<Self>, Refused> {
        let sql = format!(
            "{SELECT} and project_id = ?1 and (?2 or reporter_role <> 'member' or reporter_id = ?3)
             and (?4 = '' or instr(',' || ?4 || ',', ',' || status || ',') > 0) and (?5 = 0 or number < ?5)
             and (?6 = '' or instr(lower(title), lower(?6)) > 0)
             order by number desc limit ?7"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![
                project.id,
                member.may(Deed::SeeMembersIssues),
                member.user.id,
                filter.statuses,
                filter.before,
                filter.text,
                filter.limit
            ],
            Self::read,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many of each status a member may see, in the order of [`Status::ALL`].
    pub(crate) fn counts(
        db: &Connection,
        member: &Member,
        project: &Project,
    ) -> Result<[u64; 4], Refused> {
        let mut statement = db.prepare_cached(
            "select status, count(*) from issue where project_id = ?1 and deleted_at is null
             and (?2 or reporter_role <> 'member' or reporter_id = ?3) group by status",
        )?;
        let may = member.may(Deed::SeeMembersIssues);
        let mut rows = statement.query(params![project.id, may, member.user.id])?;
        let mut counts = [0; 4];
        while let Some(row) = rows.next()? {
            let status: String = row.get(0)?;
            if let Some(place) = Status::ALL
                .iter()
                .position(|known| known.as_str() == status)
            {
                counts[place] = row.get(1)?;
            }
        }
        Ok(counts)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            number: row.get(2)?,
            title: row.get(3)?,
            description: row.get(4)?,
            kind: row.get(5)?,
            // The table allows no other word.
            status: Status::parse(&row.get::<_, String>(6)?).unwrap_or(Status::Open),
            priority: row.get(7)?,
            assignee_id: row.get(8)?,
            assignee_name: row.get(9)?,
            reporter_id: row.get(10)?,
            reporter_role: row.get(11)?,
            reporter_name: row.get(12)?,
            reporter_email: row.get(13)?,
            source: row.get(14)?,
            page_host: row.get(15)?,
            page_path: row.get(16)?,
            sync_state: row.get(17)?,
            sync_attempts: row.get(18)?,
            external_key: row.get(19)?,
            created_at: Timestamp::clamped(row.get(20)?),
            comments: row.get(21)?,
        })
    }

    pub(crate) fn target(&self) -> Ref {
        Ref::new(&self.id).named(format!("#{} {}", self.number, self.title))
    }

    fn is_visible_to(&self, member: &Member) -> bool {
        member.may(Deed::SeeMembersIssues) || self.reporter_role != "member" || self.is_by(member)
    }

    pub(crate) fn is_by(&self, member: &Member) -> bool {
        self.reporter_id.as_deref() == Some(&member.user.id)
    }
}

/// Which issues of a project.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    /// Words of [`Status`] with commas between; empty for all.
    pub(crate) statuses: &'a str,
    /// Numbers below this one; 0 for all.
    pub(crate) before: u32,
    /// What stands in the title; empty for all.
    pub(crate) text: &'a str,
    pub(crate) limit: u32,
}

/// Moves an issue to another status.
pub(crate) fn set_status(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    number: u32,
    status: &str,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ChangeStatus)?;
    let project = Project::load(act.db, &by, &project.id)?;
    project.must_be_active()?;
    let issue = Issue::load(act.db, &by, &project, number)?;
    let status = Status::parse(status)
        .ok_or_else(|| Refused::invalid("status", "Choose one of the list."))?;
    if status == issue.status {
        return Ok(());
    }
    act.db.execute(
        "update issue set status = ?2, updated_at = ?3 where id = ?1",
        params![issue.id, status.as_str(), act.now.as_micros()],
    )?;
    act.record(
        &by.workspace.id,
        events::issue::status_updated(&by, &project, &issue, status),
    )
}

/// Gives an issue to somebody, or to nobody. (The catalogue has no event for it.)
pub(crate) fn assign(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    number: u32,
    assignee: &str,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ChangeStatus)?;
    let project = Project::load(act.db, &by, &project.id)?;
    project.must_be_active()?;
    let issue = Issue::load(act.db, &by, &project, number)?;
    let assignee = (!assignee.is_empty()).then_some(assignee);
    if let Some(assignee) = assignee
        && Membership::find(act.db, &by.workspace.id, assignee)?
            .is_none_or(|membership| membership.role == Role::Guest)
    {
        return Err(Refused::invalid(
            "assignee_id",
            "Choose a member of this workspace.",
        ));
    }
    act.db.execute(
        "update issue set assignee_id = ?2, updated_at = ?3 where id = ?1",
        params![issue.id, assignee, act.now.as_micros()],
    )?;
    Ok(())
}

/// Takes an issue away, with its comments.
pub(crate) fn delete(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    number: u32,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let project = Project::load(act.db, &by, &project.id)?;
    project.must_be_active()?;
    let issue = Issue::load(act.db, &by, &project, number)?;
    if !issue.is_by(&by) {
        by.must(Deed::DeleteOthersIssues)?;
    }
    act.db.execute(
        "update issue set deleted_at = ?2, sync_state = 'none' where id = ?1",
        params![issue.id, act.now.as_micros()],
    )?;
    act.record(
        &by.workspace.id,
        events::issue::deleted(&by, &project, &issue),
    )
}
