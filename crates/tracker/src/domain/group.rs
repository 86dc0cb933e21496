//! Groups: what projects are filed under.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use annals_client::Ref;
use annals_client::actions::ProjectGroupUpdatedCause as Cause;

use super::member::Member;
use super::permission::Deed;
use super::project::Project;
use super::text;
use crate::act::Act;
use crate::events;
use crate::refused::Refused;

/// A name under which projects are filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Groups of one workspace.
const GROUPS_MAX: usize = 100;

impl Group {
    pub(crate) fn list(db: &Connection, workspace: &str) -> Result<Vec<Self>, Refused> {
        let sql = "select id, name from project_group where workspace_id = ?1 and deleted_at is null order by name collate nocase";
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map([workspace], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn find(db: &Connection, workspace: &str, id: &str) -> Result<Self, Refused> {
        let sql = "select id, name from project_group where workspace_id = ?1 and id = ?2 and deleted_at is null";
        let found = db
            .prepare_cached(sql)?
            .query_row([workspace, id], Self::read)
            .optional()?;
        found.ok_or_else(Refused::not_found)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
        })
    }

    pub(crate) fn target(&self) -> Ref {
        Ref::new(&self.id).named(&self.name)
    }
}

/// Makes a group. (Groups have no event of their own; what is filed under them has.)
pub(crate) fn create(act: &Act<'_>, by: &Member, name: &str) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let name = text::name("name", name)?;
    let groups = Group::list(act.db, &by.workspace.id)?;
    if groups.iter().any(|group| group.name == name) {
        return Err(Refused::invalid(
            "name",
            "There is a group of this name already.",
        ));
    }
    if groups.len() >= GROUPS_MAX {
        return Err(Refused::conflict(
            "This workspace has as many groups as it may.",
        ));
    }
    act.db.execute(
        "insert into project_group (id, workspace_id, name, created_at) values (?1, ?2, ?3, ?4)",
        params![act.id("grp"), by.workspace.id, name, act.now.as_micros()],
    )?;
    Ok(())
}

/// Files a project under a group, or under none.
pub(crate) fn assign(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    group: Option<&str>,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let project = project.again(act.db)?;
    let next = group
        .map(|group| Group::find(act.db, &by.workspace.id, group))
        .transpose()?;
    let previous = project.group.clone();
    if previous == next {
        return Ok(());
    }
    act.db.execute(
        "update project set group_id = ?2 where id = ?1",
        params![project.id, next.as_ref().map(|group| &group.id)],
    )?;
    let event = events::project::group_updated(
        &by,
        &project,
        previous.as_ref(),
        next.as_ref(),
        Cause::UserAction,
    );
    act.record(&by.workspace.id, event)
}

/// Deletes a group: each project in it is filed under none, and says so.
pub(crate) fn delete(act: &Act<'_>, by: &Member, id: &str) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let group = Group::find(act.db, &by.workspace.id, id)?;
    let act_id = act.id("act");
    for project in Project::of_workspace(act.db, &by.workspace.id)?
        .iter()
        .filter(|project| project.group.as_ref() == Some(&group))
    {
        let event =
            events::project::group_updated(&by, project, Some(&group), None, Cause::GroupDeleted);
        act.record(&by.workspace.id, event.correlation_id(&act_id))?;
    }
    act.db.execute(
        "update project set group_id = null where group_id = ?1",
        [id],
    )?;
    act.db.execute(
        "update project_group set deleted_at = ?2 where id = ?1",
        params![id, act.now.as_micros()],
    )?;
    Ok(())
}
