//! Who belongs to which workspace, and as what.

use annals_client::{Actor, Ref};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::permission::Deed;
use super::user::User;
use super::viewer;
use super::workspace::Workspace;
use crate::act::Act;
use crate::events;
use crate::refused::Refused;

/// What somebody may do in a workspace; each may do what the ones before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Role {
    Guest,
    Member,
    Manager,
    Admin,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Guest, Self::Member, Self::Manager, Self::Admin];

    /// The word that is stored and recorded.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Member => "member",
            Self::Manager => "manager",
            Self::Admin => "admin",
        }
    }

    /// As people read it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Guest => "Guest",
            Self::Member => "Member",
            Self::Manager => "Manager",
            Self::Admin => "Admin",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// The role that a form names.
    pub(crate) fn required(text: &str) -> Result<Self, Refused> {
        Self::parse(text)
            .ok_or_else(|| Refused::invalid("role", "Choose guest, member, manager or admin."))
    }

    fn column(row: &Row<'_>, index: usize) -> rusqlite::Result<Self> {
        // The table allows no other word.
        Ok(Self::parse(&row.get::<_, String>(index)?).unwrap_or(Self::Guest))
    }
}

/// That somebody belongs to a workspace.
#[derive(Clone, Debug)]
pub(crate) struct Membership {
    pub(crate) id: String,
    pub(crate) workspace_id: String,
    pub(crate) role: Role,
}

impl Membership {
    /// All of a person that have not ended.
    pub(crate) fn active_of(db: &Connection, user: &str) -> Result<Vec<Self>, Refused> {
        let mut statement = db.prepare_cached(
            "select id, workspace_id, role from membership where user_id = ?1 and ended_at is null order by joined_at, id",
        )?;
        let rows = statement.query_map([user], |row| {
            Ok(Self {
                id: row.get(0)?,
                workspace_id: row.get(1)?,
                role: Role::column(row, 2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// That of one person in one workspace.
    pub(crate) fn find(
        db: &Connection,
        workspace: &str,
        user: &str,
    ) -> Result<Option<Self>, Refused> {
        let sql = "select id, workspace_id, role from membership where workspace_id = ?1 and user_id = ?2 and ended_at is null";
        let read = |row: &Row<'_>| {
            Ok(Self {
                id: row.get(0)?,
                workspace_id: row.get(1)?,
                role: Role::column(row, 2)?,
            })
        };
        Ok(db
            .prepare_cached(sql)?
            .query_row([workspace, user], read)
            .optional()?)
    }

    /// Ends it. The row stays: it is the history.
    pub(crate) fn end(&self, act: &Act<'_>, cause: &str) -> Result<(), Refused> {
        act.db
            .prepare_cached("update membership set ended_at = ?2, ended_cause = ?3 where id = ?1")?
            .execute(params![self.id, act.now.as_micros(), cause])?;
        Ok(())
    }
}

/// Somebody in a workspace: who acts there.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) user: User,
    pub(crate) workspace: Workspace,
    pub(crate) membership_id: String,
    pub(crate) role: Role,
}

impl Member {
    /// Of a workspace by its slug.
    ///
    /// # Errors
    /// Not found, for a workspace that is not there as for one that this person does not belong to.
    pub(crate) fn load(db: &Connection, slug: &str, user: &str) -> Result<Self, Refused> {
        let workspace = Workspace::by_slug(db, slug)?.ok_or_else(Refused::not_found)?;
        Self::find(db, workspace, user)?.ok_or_else(Refused::not_found)
    }

    /// Of a workspace that is at hand.
    pub(crate) fn find(
        db: &Connection,
        workspace: Workspace,
        user: &str,
    ) -> Result<Option<Self>, Refused> {
        let membership = Membership::find(db, &workspace.id, user)?;
        let user = User::by_id(db, user)?;
        Ok(membership.zip(user).map(|(membership, user)| Self {
            user,
            workspace,
            membership_id: membership.id,
            role: membership.role,
        }))
    }

    /// The same person as things stand in this transaction. Between the page and the click roles change and memberships end.
    pub(crate) fn again(&self, db: &Connection) -> Result<Self, Refused> {
        Self::load(db, &self.workspace.slug, &self.user.id)
    }

    /// Another one of the same workspace.
    pub(crate) fn colleague(&self, db: &Connection, user: &str) -> Result<Self, Refused> {
        Self::find(db, self.workspace.clone(), user)?.ok_or_else(Refused::not_found)
    }

    pub(crate) fn may(&self, deed: Deed) -> bool {
        deed.allowed_to(self.role)
    }

    /// # Errors
    /// Forbidden, where the role does not allow it.
    pub(crate) fn must(&self, deed: Deed) -> Result<(), Refused> {
        if self.may(deed) {
            return Ok(());
        }
        Err(Refused::forbidden(
            "Your role in this workspace does not allow this. Ask an admin.",
        ))
    }

    pub(crate) fn actor(&self) -> Actor {
        self.user.actor_as(self.role)
    }

    pub(crate) fn target(&self) -> Ref {
        self.user.target()
    }

    /// Whether this is the only admin.
    pub(crate) fn is_last_admin(&self, db: &Connection) -> Result<bool, Refused> {
        let sql = "select count(*) from membership where workspace_id = ?1 and role = 'admin' and ended_at is null";
        let admins: i64 = db
            .prepare_cached(sql)?
            .query_row([&self.workspace.id], |row| row.get(0))?;
        Ok(self.role == Role::Admin && admins <= 1)
    }

    /// Takes everything in the workspace back from this person. Gives the projects and how many issues lost their assignee.
    pub(crate) fn let_go(
        &self,
        act: &Act<'_>,
        cause: &str,
    ) -> Result<(Vec<String>, usize), Refused> {
        let ours = "select id from project where workspace_id = ?1";
        let sql = format!(
            "select project_id from project_member where user_id = ?2 and project_id in ({ours}) order by 1"
        );
        let mut statement = act.db.prepare_cached(&sql)?;
        let projects = statement
            .query_map([&self.workspace.id, &self.user.id], |row| row.get(0))?
            .collect::<Result<Vec<String>, _>>()?;
        let sql =
            format!("delete from project_member where user_id = ?2 and project_id in ({ours})");
        act.db.execute(&sql, [&self.workspace.id, &self.user.id])?;
        let sql = format!(
            "update issue set assignee_id = null where assignee_id = ?2 and deleted_at is null and project_id in ({ours})"
        );
        let unassigned = act.db.execute(&sql, [&self.workspace.id, &self.user.id])?;
        let sql = format!(
            "update project set default_assignee_id = null where default_assignee_id = ?2 and id in ({ours})"
        );
        act.db.execute(&sql, [&self.workspace.id, &self.user.id])?;
        if self.may(Deed::ReadAuditLog) {
            viewer::close(act, &self.workspace.id, &self.user.id)?;
        }
        self.membership().end(act, cause)?;
        Ok((projects, unassigned))
    }

    fn membership(&self) -> Membership {
        Membership {
            id: self.membership_id.clone(),
            workspace_id: self.workspace.id.clone(),
            role: self.role,
        }
    }
}

/// Everybody in a workspace, by name.
pub(crate) fn list(db: &Connection, workspace: &str) -> Result<Vec<Listed>, Refused> {
    let mut statement = db.prepare_cached(
        "select user.id, user.name, user.email, user.job_role, membership.role, membership.joined_at
         from membership join user on user.id = membership.user_id
         where workspace_id = ?1 and ended_at is null order by user.name collate nocase, user.id",
    )?;
    let rows = statement.query_map([workspace], |row| {
        Ok(Listed {
            id: row.get(0)?,
            name: row.get(1)?,
            email: row.get(2)?,
            job_role: row.get(3)?,
            role: Role::column(row, 4)?,
            joined_at: annals_client::Timestamp::clamped(row.get(5)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A line of the list of members.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) job_role: String,
    pub(crate) role: Role,
    pub(crate) joined_at: annals_client::Timestamp,
}

/// Changes what somebody may do.
pub(crate) fn set_role(act: &Act<'_>, by: &Member, user: &str, role: Role) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let member = by.colleague(act.db, user)?;
    by.must(Deed::ManageUsers)?;
    if member.user.id == by.user.id && role > by.role {
        return Err(Refused::forbidden("Nobody gives himself a higher role."));
    }
    if by.role != Role::Admin && (member.role > Role::Manager || role > Role::Manager) {
        return Err(Refused::forbidden(
            "Only an admin makes admins and changes their role.",
        ));
    }
    if role == member.role {
        return Ok(());
    }
    if member.is_last_admin(act.db)? {
        return Err(Refused::conflict(
            "A workspace needs an admin. Make somebody else one first.",
        ));
    }
    member
        .workspace
        .check_room(act.db, role, Some(member.role))?;

    act.db
        .prepare_cached("update membership set role = ?2 where id = ?1")?
        .execute([&member.membership_id, role.as_str()])?;
    if member.may(Deed::ReadAuditLog) && !Deed::ReadAuditLog.allowed_to(role) {
        viewer::close(act, &member.workspace.id, &member.user.id)?;
    }
    // The owner is an admin.
    let handed_over = role < Role::Admin && member.workspace.owner_id == member.user.id;
    if handed_over {
        member.workspace.hand_over(act.db, &member.user.id)?;
    }
    act.record(
        &by.workspace.id,
        events::workspace::role_updated(&by, &member, role, handed_over),
    )
}

/// Takes somebody's membership away.
pub(crate) fn remove(act: &Act<'_>, by: &Member, user: &str) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let member = by.colleague(act.db, user)?;
    by.must(Deed::ManageUsers)?;
    if member.user.id == by.user.id {
        return Err(Refused::conflict("To go yourself, leave the workspace."));
    }
    if member.role > by.role {
        return Err(Refused::forbidden("Only an admin removes admins."));
    }

    let owner = (by.workspace.owner_id == member.user.id).then_some(&by.user);
    if let Some(owner) = owner {
        act.db.execute(
            "update workspace set owner_id = ?2 where id = ?1",
            [&by.workspace.id, &owner.id],
        )?;
    }
    let (projects, unassigned) = member.let_go(act, "removed")?;
    act.record(
        &by.workspace.id,
        events::workspace::user_removed(&by, &member, projects, unassigned, owner),
    )
}

/// Goes of one's own accord.
pub(crate) fn leave(act: &Act<'_>, member: &Member) -> Result<(), Refused> {
    let member = member.again(act.db)?;
    if member.is_last_admin(act.db)? {
        return Err(Refused::conflict(
            "A workspace needs an admin. Make somebody else one first, or delete the workspace.",
        ));
    }

    member.workspace.hand_over(act.db, &member.user.id)?;
    let (projects, _) = member.let_go(act, "left")?;
    act.record(
        &member.workspace.id,
        events::workspace::user_left(&member, projects.len()),
    )
}
