//! Accounts at other tools: a workspace's (shared) and a person's own. How one is connected is in [`super::connection`].

use annals_client::{Ref, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::member::{Member, Membership};
use super::permission::Deed;
use super::project::Project;
use super::user::{User, time};
use crate::act::Act;
use crate::events;
use crate::refused::Refused;

/// An account at another tool.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// Whose it is: a workspace's, or a person's.
    pub(crate) workspace_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) provider: String,
    pub(crate) external_id: String,
    pub(crate) external_name: String,
    pub(crate) external_site: String,
    pub(crate) scopes: String,
    pub(crate) token: String,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) state: String,
    pub(crate) connected_at: Timestamp,
}

const SELECT: &str = "select id, workspace_id, user_id, provider, external_id, external_name, external_site, scopes, token,
    token_expires_at, state, connected_at from integration_account where state <> 'deleted'";

impl Account {
    pub(crate) fn by_id(db: &Connection, id: &str) -> Result<Option<Self>, Refused> {
        let sql = format!("{SELECT} and id = ?1");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([id], Self::read)
            .optional()?)
    }

    pub(crate) fn of_workspace(db: &Connection, workspace: &str) -> Result<Vec<Self>, Refused> {
        Self::list(db, "workspace_id", workspace)
    }

    pub(crate) fn of_user(db: &Connection, user: &str) -> Result<Vec<Self>, Refused> {
        Self::list(db, "user_id", user)
    }

    fn list(db: &Connection, of: &str, id: &str) -> Result<Vec<Self>, Refused> {
        let sql = format!("{SELECT} and {of} = ?1 order by provider, external_name");
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([id], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            workspace_id: row.get(1)?,
            user_id: row.get(2)?,
            provider: row.get(3)?,
            external_id: row.get(4)?,
            external_name: row.get(5)?,
            external_site: row.get(6)?,
            scopes: row.get(7)?,
            token: row.get(8)?,
            expires_at: time(row.get(9)?),
            state: row.get(10)?,
            connected_at: Timestamp::clamped(row.get(11)?),
        })
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.workspace_id.is_some()
    }

    pub(crate) fn target(&self) -> Ref {
        Ref::new(&self.id).named(&self.external_name)
    }

    pub(crate) fn scopes(&self) -> Vec<String> {
        self.scopes.split_whitespace().map(str::to_owned).collect()
    }

    /// Projects that forward to it: all of them, or those of one workspace.
    pub(crate) fn projects(
        &self,
        db: &Connection,
        workspace: Option<&str>,
    ) -> Result<Vec<String>, Refused> {
        let sql = "select id from project where account_id = ?1 and deleted_at is null and (?2 is null or workspace_id = ?2) order by id";
        let mut statement = db.prepare_cached(sql)?;
        let rows = statement.query_map(params![self.id, workspace], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// The accounts to which somebody may let a project forward: the shared ones, and his own.
pub(crate) fn usable_by(db: &Connection, member: &Member) -> Result<Vec<Account>, Refused> {
    let mut accounts = Account::of_workspace(db, &member.workspace.id)?;
    accounts.extend(Account::of_user(db, &member.user.id)?);
    Ok(accounts)
}

/// Unlinks a workspace's account, whose token was given back (`revoked`) before; its projects forward nowhere from then on.
pub(crate) fn delete_shared(
    act: &Act<'_>,
    by: &Member,
    id: &str,
    revoked: bool,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ConnectSharedAccounts)?;
    let account = Account::by_id(act.db, id)?
        .filter(|account| account.workspace_id.as_deref() == Some(&by.workspace.id));
    let account = account.ok_or_else(Refused::not_found)?;
    let projects = account.projects(act.db, None)?;
    forget(act, &account)?;
    act.record(
        &by.workspace.id,
        events::integration::shared_deleted(&by, &account, projects, revoked),
    )
}

/// Unlinks one's own account.
pub(crate) fn delete_personal(
    act: &Act<'_>,
    user: &User,
    id: &str,
    revoked: bool,
) -> Result<(), Refused> {
    let account =
        Account::by_id(act.db, id)?.filter(|account| account.user_id.as_deref() == Some(&user.id));
    let account = account.ok_or_else(Refused::not_found)?;
    // Each workspace hears of its own projects alone.
    let mut projects = Vec::new();
    for membership in Membership::active_of(act.db, &user.id)? {
        projects.push((
            membership.workspace_id.clone(),
            account.projects(act.db, Some(&membership.workspace_id))?,
        ));
    }
    forget(act, &account)?;
    act.record_account(user, |membership| {
        let theirs = projects
            .iter()
            .find(|(workspace, _)| *workspace == membership.workspace_id);
        let theirs = theirs
            .map(|(_, projects)| projects.clone())
            .unwrap_or_default();
        events::integration::personal_deleted(user, membership.role, &account, theirs, revoked)
    })
}

fn forget(act: &Act<'_>, account: &Account) -> Result<(), Refused> {
    act.db.execute(
        "update project set account_id = null where account_id = ?1",
        [&account.id],
    )?;
    act.db.execute(
        "update integration_account set state = 'deleted', token = '', deleted_at = ?2 where id = ?1",
        params![account.id, act.now.as_micros()],
    )?;
    Ok(())
}

/// The project of an issue and the account to which it goes.
pub(crate) fn destination(
    db: &Connection,
    project: &str,
) -> Result<Option<(Project, Account)>, Refused> {
    let Some(project) = Project::by_id(db, project)? else {
        return Ok(None);
    };
    let account = project
        .account_id
        .as_deref()
        .map(|id| Account::by_id(db, id))
        .transpose()?
        .flatten();
    Ok(account.map(|account| (project, account)))
}
