//! Who was added to a project: all its guests, and the members of a restricted one.

use std::collections::HashSet;

use rusqlite::{Connection, params};

use super::member::{Member, Role};
use super::permission::Deed;
use super::project::Project;
use super::user::User;
use crate::act::Act;
use crate::refused::Refused;
use crate::{events, mail};

/// Somebody who was added.
#[derive(Clone, Debug)]
pub(crate) struct Added {
    pub(crate) user_id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) role: Role,
    pub(crate) added_by: String,
}

/// The projects to which somebody was added.
pub(crate) fn of_user(db: &Connection, user: &str) -> Result<HashSet<String>, Refused> {
    let mut statement =
        db.prepare_cached("select project_id from project_member where user_id = ?1")?;
    let rows = statement.query_map([user], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Everybody who was added to a project and is in its workspace, by name.
pub(crate) fn list(db: &Connection, project: &Project) -> Result<Vec<Added>, Refused> {
    let mut statement = db.prepare_cached(
        "select user.id, user.name, user.email, membership.role, added_by from project_member
         join user on user.id = project_member.user_id
         join membership on membership.user_id = user.id and membership.workspace_id = ?2 and ended_at is null
         where project_id = ?1 order by user.name collate nocase, user.id",
    )?;
    let rows = statement.query_map([&project.id, &project.workspace_id], |row| {
        Ok(Added {
            user_id: row.get(0)?,
            name: row.get(1)?,
            email: row.get(2)?,
            role: Role::parse(&row.get::<_, String>(3)?).unwrap_or(Role::Guest),
            added_by: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether somebody with this role may see a project.
pub(crate) fn has_access(
    db: &Connection,
    project: &Project,
    user: &str,
    role: Role,
) -> Result<bool, Refused> {
    Ok(project.is_open_to(role) || is_added(db, &project.id, user)?)
}

fn is_added(db: &Connection, project: &str, user: &str) -> Result<bool, Refused> {
    let sql = "select exists (select 1 from project_member where project_id = ?1 and user_id = ?2)";
    Ok(db
        .prepare_cached(sql)?
        .query_row([project, user], |row| row.get(0))?)
}

/// Writes that somebody may see a project.
pub(crate) fn insert(act: &Act<'_>, project: &str, user: &str, by: &str) -> Result<(), Refused> {
    act.db.execute(
        "insert into project_member (project_id, user_id, added_by, added_at) values (?1, ?2, ?3, ?4) on conflict do nothing",
        params![project, user, by, act.now.as_micros()],
    )?;
    Ok(())
}

/// Adds somebody who is in the workspace already: an invitation that needs no answer.
pub(crate) fn add(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    user: &User,
    role: Role,
) -> Result<(), Refused> {
    insert(act, &project.id, &user.id, &by.user.id)?;
    let link = act
        .settings
        .link(&format!("/w/{}/p/{}", by.workspace.slug, project.id));
    act.mail(
        &mail::project_invitation(
            &user.email,
            &by.user.name,
            &by.workspace.name,
            &project.name,
            &link,
        ),
        None,
    )?;
    act.record(
        &by.workspace.id,
        events::project::user_added(by, project, user, role),
    )
}

/// Takes somebody off a project. Oneself too: there is no other way to go.
pub(crate) fn remove(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    user: &str,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let project = project.again(act.db)?;
    let added = list(act.db, &project)?
        .into_iter()
        .find(|added| added.user_id == user)
        .ok_or_else(Refused::not_found)?;
    let oneself = added.user_id == by.user.id;
    if !oneself && added.added_by != by.user.id && !by.may(Deed::ManageProjects) {
        return Err(Refused::forbidden(
            "Only managers, and whoever invited, take somebody off a project.",
        ));
    }
    act.db.execute(
        "delete from project_member where project_id = ?1 and user_id = ?2",
        [&project.id, user],
    )?;
    let remaining: u32 = act.db.query_row(
        "select count(*) from project_member join project on project.id = project_id
         where user_id = ?1 and workspace_id = ?2 and project.deleted_at is null",
        [user, by.workspace.id.as_str()],
        |row| row.get(0),
    )?;
    act.record(
        &by.workspace.id,
        events::project::user_removed(&by, &project, &added, remaining),
    )
}
