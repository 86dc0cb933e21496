//! Projects: where issues belong.

mod details;

use annals_client::{Ref, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::group::Group;
use super::integration;
use super::member::{Member, Role};
use super::permission::Deed;
use super::user::time;
use super::{project_member, widget};
use crate::act::Act;
use crate::clock::seconds_between;
use crate::events;
use crate::refused::Refused;
pub(crate) use details::Details;

/// A project of a workspace.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) id: String,
    pub(crate) workspace_id: String,
    pub(crate) name: String,
    pub(crate) website_host: String,
    pub(crate) description: String,
    pub(crate) group: Option<Group>,
    /// Whether only those who were added may see it, of members too.
    pub(crate) restricted: bool,
    /// The account at another tool to which its issues are forwarded.
    pub(crate) account_id: Option<String>,
    pub(crate) default_assignee_id: Option<String>,
    pub(crate) archived_at: Option<Timestamp>,
    pub(crate) open_issues: u32,
}

const SELECT: &str = "select project.id, project.workspace_id, project.name, website_host, description, group_id, project_group.name,
    members_access = 'restricted', account_id, default_assignee_id, archived_at,
    (select count(*) from issue where project_id = project.id and issue.deleted_at is null and status in ('open', 'in_progress'))
    from project left join project_group on project_group.id = group_id where project.deleted_at is null";

impl Project {
    /// All of a workspace, by name.
    pub(crate) fn of_workspace(db: &Connection, workspace: &str) -> Result<Vec<Self>, Refused> {
        let sql = format!(
            "{SELECT} and project.workspace_id = ?1 order by project.name collate nocase, project.id"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([workspace], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Those that a member may see.
    pub(crate) fn visible_to(db: &Connection, member: &Member) -> Result<Vec<Self>, Refused> {
        let mut all = Self::of_workspace(db, &member.workspace.id)?;
        let added = project_member::of_user(db, &member.user.id)?;
        all.retain(|project| project.is_open_to(member.role) || added.contains(&project.id));
        Ok(all)
    }

    /// One that a member may see.
    ///
    /// # Errors
    /// Not found, for what is not there as for what is not his to see.
    pub(crate) fn load(db: &Connection, member: &Member, id: &str) -> Result<Self, Refused> {
        let project = Self::in_workspace(db, &member.workspace.id, id)?;
        if project_member::has_access(db, &project, &member.user.id, member.role)? {
            Ok(project)
        } else {
            Err(Refused::not_found())
        }
    }

    /// One of a workspace.
    pub(crate) fn in_workspace(
        db: &Connection,
        workspace: &str,
        id: &str,
    ) -> Result<Self, Refused> {
        Self::by_id(db, id)?
            .filter(|project| project.workspace_id == workspace)
            .ok_or_else(Refused::not_found)
    }

    pub(crate) fn by_id(db: &Connection, id: &str) -> Result<Option<Self>, Refused> {
        let sql = format!("{SELECT} and project.id = ?1");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([id], Self::read)
            .optional()?)
    }

    /// The same as it is in this transaction.
    pub(crate) fn again(&self, db: &Connection) -> Result<Self, Refused> {
        Self::in_workspace(db, &self.workspace_id, &self.id)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let group: Option<(String, String)> = row.get::<_, Option<String>>(5)?.zip(row.get(6)?);
        Ok(Self {
            id: row.get(0)?,
            workspace_id: row.get(1)?,
            name: row.get(2)?,
            website_host: row.get(3)?,
            description: row.get(4)?,
            group: group.map(|(id, name)| Group { id, name }),
            restricted: row.get(7)?,
            account_id: row.get(8)?,
            default_assignee_id: row.get(9)?,
            archived_at: time(row.get(10)?),
            open_issues: row.get(11)?,
        })
    }

    pub(crate) fn target(&self) -> Ref {
        Ref::new(&self.id).named(&self.name)
    }

    /// Whether a role alone opens it: guests are always added one by one.
    pub(crate) fn is_open_to(&self, role: Role) -> bool {
        role == Role::Admin || (!self.restricted && role >= Role::Member)
    }

    /// The word of the catalogue for who may see it.
    pub(crate) fn members_access(&self) -> &'static str {
        if self.restricted { "restricted" } else { "all" }
    }

    /// # Errors
    /// A conflict, where it is archived: then it can be read and nothing else.
    pub(crate) fn must_be_active(&self) -> Result<(), Refused> {
        match self.archived_at {
            None => Ok(()),
            Some(_) => Err(Refused::conflict(
                "This project is archived. Unarchive it first.",
            )),
        }
    }
}

/// Sets a project up.
pub(crate) fn create(
    act: &Act<'_>,
    by: &Member,
    details: &Details,
    group: Option<&str>,
) -> Result<Project, Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let details = details.checked(act.db, &by, None)?;
    let group = group
        .map(|group| Group::find(act.db, &by.workspace.id, group))
        .transpose()?;
    check_cap(act, &by)?;

    let id = act.id("prj");
    act.db.execute(
        "insert into project (id, workspace_id, name, website_host, description, group_id, members_access, account_id, default_assignee_id, created_by, created_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            id,
            by.workspace.id,
            details.name,
            details.website_host,
            details.description,
            group.map(|group| group.id),
            if details.restricted { "restricted" } else { "all" },
            details.account_id,
            details.default_assignee_id,
            by.user.id,
            act.now.as_micros()
        ],
    )?;
    widget::make(act, &id)?;
    let project = Project::in_workspace(act.db, &by.workspace.id, &id)?;
    if project.restricted && !project.is_open_to(by.role) {
        project_member::insert(act, &project.id, &by.user.id, &by.user.id)?;
    }
    let account = project
        .account_id
        .as_deref()
        .map(|id| integration::Account::by_id(act.db, id))
        .transpose()?
        .flatten();
    act.record(
        &by.workspace.id,
        events::project::created(&by, &project, account.as_ref()),
    )?;
    Ok(project)
}

/// Edits the details. What stays as it was is no part of the event, and if all does there is none.
pub(crate) fn update(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    details: &Details,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let before = project.again(act.db)?;
    before.must_be_active()?;
    let details = details.checked(act.db, &by, Some(&before.details()))?;
    let after = before.with(&details);
    let Some(event) = events::project::updated(&by, &before, &after) else {
        return Ok(());
    };
    act.db.execute(
        "update project set name = ?2, website_host = ?3, description = ?4, members_access = ?5, account_id = ?6, default_assignee_id = ?7 where id = ?1",
        params![
            after.id,
            after.name,
            after.website_host,
            after.description,
            after.members_access(),
            after.account_id,
            after.default_assignee_id
        ],
    )?;
    act.record(&by.workspace.id, event)
}

/// Puts a project away: it can be read, and nothing else.
pub(crate) fn archive(act: &Act<'_>, by: &Member, project: &Project) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let project = project.again(act.db)?;
    if project.archived_at.is_some() {
        return Ok(());
    }
    act.db.execute(
        "update project set archived_at = ?2 where id = ?1",
        params![project.id, act.now.as_micros()],
    )?;
    act.record(&by.workspace.id, events::project::archived(&by, &project))
}

/// Brings it back, if the workspace may have one more.
pub(crate) fn unarchive(act: &Act<'_>, by: &Member, project: &Project) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let project = project.again(act.db)?;
    let Some(since) = project.archived_at else {
        return Ok(());
    };
    check_cap(act, &by)?;
    act.db.execute(
        "update project set archived_at = null where id = ?1",
        [&project.id],
    )?;
    act.record(
        &by.workspace.id,
        events::project::unarchived(&by, &project, seconds_between(since, act.now)),
    )
}

/// Destroys a project with everything in it.
pub(crate) fn delete(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    typed_name: &str,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let project = project.again(act.db)?;
    if typed_name.trim() != project.name {
        return Err(Refused::invalid(
            "name",
            "Type the name of the project as it is written above.",
        ));
    }
    let counts = act.db.query_row(
        "select (select count(*) from issue where project_id = ?1 and deleted_at is null),
                (select count(*) from comment join issue on issue.id = issue_id
                 where project_id = ?1 and issue.deleted_at is null and comment.deleted_at is null),
                (select count(*) from project_member where project_id = ?1),
                (select count(*) from invitation where project_id = ?1 and state = 'pending')",
        [&project.id],
        |row| {
            Ok(Counts {
                issues: row.get(0)?,
                comments: row.get(1)?,
                members: row.get(2)?,
                invitations: row.get(3)?,
            })
        },
    )?;
    let now = act.now.as_micros();
    act.db.execute(
        "update project set deleted_at = ?2 where id = ?1",
        params![project.id, now],
    )?;
    act.db.execute(
        "update invitation set state = 'revoked', closed_at = ?2 where project_id = ?1 and state = 'pending'",
        params![project.id, now],
    )?;
    act.db.execute(
        "delete from project_member where project_id = ?1",
        [&project.id],
    )?;
    act.record(
        &by.workspace.id,
        events::project::deleted(&by, &project, counts),
    )
}

/// What goes with a project.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) issues: u32,
    pub(crate) comments: u32,
    pub(crate) members: u32,
    pub(crate) invitations: u32,
}

fn check_cap(act: &Act<'_>, by: &Member) -> Result<(), Refused> {
    let sql = "select count(*) from project where workspace_id = ?1 and deleted_at is null and archived_at is null";
    let active: u32 = act
        .db
        .query_row(sql, [&by.workspace.id], |row| row.get(0))?;
    if active >= by.workspace.project_limit {
        let limit = by.workspace.project_limit;
        return Err(Refused::conflict(format!(
            "This workspace may have {limit} active projects. Archive one first."
        )));
    }
    Ok(())
}
