//! Workspaces: what customers have.

use annals_client::Ref;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::member::{Member, Role};
use super::permission::Deed;
use super::text;
use super::user::User;
use crate::act::Act;
use crate::events;
use crate::refused::Refused;

/// A customer's team, with everything that is theirs.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    pub(crate) id: String,
    /// Its name in addresses.
    pub(crate) slug: String,
    pub(crate) name: String,
    pub(crate) owner_id: String,
    pub(crate) plan: String,
    pub(crate) password_allowed: bool,
    pub(crate) login_code_allowed: bool,
    pub(crate) seat_limit: u32,
    pub(crate) guest_limit: u32,
    pub(crate) project_limit: u32,
}

/// Workspaces of which one person may be the owner.
const OWNED_MAX: u32 = 20;
const COLUMNS: &str = "id, slug, name, owner_id, plan, password_allowed, login_code_allowed, seat_limit, guest_limit, project_limit";

impl Workspace {
    pub(crate) fn by_slug(db: &Connection, slug: &str) -> Result<Option<Self>, Refused> {
        Self::find(db, "slug", slug)
    }

    pub(crate) fn by_id(db: &Connection, id: &str) -> Result<Option<Self>, Refused> {
        Self::find(db, "id", id)
    }

    fn find(db: &Connection, by: &str, value: &str) -> Result<Option<Self>, Refused> {
        let sql = format!("select {COLUMNS} from workspace where {by} = ?1 and deleted_at is null");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([value], Self::read)
            .optional()?)
    }

    /// Those that a person belongs to, by name.
    pub(crate) fn of_user(db: &Connection, user: &str) -> Result<Vec<Self>, Refused> {
        let sql = format!(
            "select {COLUMNS} from workspace where deleted_at is null
             and id in (select workspace_id from membership where user_id = ?1 and ended_at is null) order by name collate nocase, id"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([user], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            slug: row.get(1)?,
            name: row.get(2)?,
            owner_id: row.get(3)?,
            plan: row.get(4)?,
            password_allowed: row.get(5)?,
            login_code_allowed: row.get(6)?,
            seat_limit: row.get(7)?,
            guest_limit: row.get(8)?,
            project_limit: row.get(9)?,
        })
    }

    pub(crate) fn target(&self) -> Ref {
        Ref::new(&self.id).named(&self.name)
    }

    /// Members and guests, without those whose membership has ended.
    pub(crate) fn head_count(&self, db: &Connection) -> Result<HeadCount, Refused> {
        let sql =
            "select count(*) filter (where role <> 'guest'), count(*) filter (where role = 'guest')
                   from membership where workspace_id = ?1 and ended_at is null";
        let read = |row: &Row<'_>| {
            Ok(HeadCount {
                members: row.get(0)?,
                guests: row.get(1)?,
            })
        };
        Ok(db.prepare_cached(sql)?.query_row([&self.id], read)?)
    }

    /// Whether one more may have this role; `now` is the one that he has already.
    ///
    /// # Errors
    /// A conflict, where all seats of that kind are taken.
    pub(crate) fn check_room(
        &self,
        db: &Connection,
        role: Role,
        now: Option<Role>,
    ) -> Result<(), Refused> {
        let count = self.head_count(db)?;
        let is_guest = role == Role::Guest;
        if now.is_some_and(|now| (now == Role::Guest) == is_guest) {
            return Ok(());
        }
        if is_guest && count.guests >= self.guest_limit {
            return Err(Refused::conflict(format!(
                "This workspace has as many guests as its plan allows: {}.",
                self.guest_limit
            )));
        }
        if !is_guest && count.members >= self.seat_limit {
            return Err(Refused::conflict(format!(
                "All {} seats of this workspace are taken.",
                self.seat_limit
            )));
        }
        Ok(())
    }

    /// Makes another admin the owner where `leaving` is: a workspace always has one.
    pub(crate) fn hand_over(&self, db: &Connection, leaving: &str) -> Result<(), Refused> {
        let sql = "update workspace set owner_id = (
                       select user_id from membership where workspace_id = ?1 and user_id <> ?2 and role = 'admin' and ended_at is null
                       order by joined_at limit 1)
                   where id = ?1 and owner_id = ?2";
        db.prepare_cached(sql)?
            .execute([self.id.as_str(), leaving])?;
        Ok(())
    }
}

/// How many belong to a workspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadCount {
    pub(crate) members: u32,
    pub(crate) guests: u32,
}

/// Makes a workspace. Whoever makes it is its admin and owner.
pub(crate) fn create(act: &Act<'_>, user: &User, name: &str) -> Result<Workspace, Refused> {
    let user = User::by_id(act.db, &user.id)?.ok_or_else(Refused::not_found)?;
    if user.email_verified_at.is_none() {
        return Err(Refused::conflict(
            "Confirm your e-mail address first: open the link in the mail that we sent you.",
        ));
    }
    let name = text::name("name", name)?;
    let owned: u32 = act.db.query_row(
        "select count(*) from workspace where owner_id = ?1 and deleted_at is null",
        [&user.id],
        |row| row.get(0),
    )?;
    if owned >= OWNED_MAX {
        return Err(Refused::conflict(
            "You own as many workspaces as one person may.",
        ));
    }

    let workspace = Workspace {
        id: act.id("wsp"),
        slug: free_slug(act.db, &name)?,
        name,
        owner_id: user.id.clone(),
        plan: "team".to_owned(),
        password_allowed: true,
        login_code_allowed: true,
        seat_limit: act.settings.seat_limit,
        guest_limit: act.settings.guest_limit,
        project_limit: act.settings.project_limit,
    };
    act.db.execute(
        "insert into workspace (id, slug, name, owner_id, plan, seat_limit, guest_limit, project_limit, created_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            workspace.id,
            workspace.slug,
            workspace.name,
            user.id,
            workspace.plan,
            workspace.seat_limit,
            workspace.guest_limit,
            workspace.project_limit,
            act.now.as_micros()
        ],
    )?;
    act.db.execute(
        "insert into membership (id, workspace_id, user_id, role, joined_via, joined_at) values (?1, ?2, ?3, 'admin', 'created', ?4)",
        params![act.id("mbr"), workspace.id, user.id, act.now.as_micros()],
    )?;
    // Annals hears of the workspace before it hears of anything in it.
    let organization = annals_client::Organization::new(&workspace.id, &workspace.name)
        .viewer_url(act.settings.viewer_url(&workspace.slug));
    act.outbox.ensure(act.db, &organization)?;
    act.record(&workspace.id, events::workspace::created(&user, &workspace))?;
    Ok(workspace)
}

/// Changes the name, and how people may sign in. (The name has no event in the catalogue; ways to sign in have none either.)
pub(crate) fn update(
    act: &Act<'_>,
    by: &Member,
    name: &str,
    password: bool,
    login_code: bool,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageWorkspace)?;
    let name = text::name("name", name)?;
    if !password && !login_code {
        return Err(Refused::invalid(
            "password_allowed",
            "Allow at least one way to sign in.",
        ));
    }
    act.db.execute(
        "update workspace set name = ?2, password_allowed = ?3, login_code_allowed = ?4 where id = ?1",
        params![by.workspace.id, name, password, login_code],
    )?;
    Ok(())
}

/// Destroys a workspace. Its log stays, and this is the last of its entries.
pub(crate) fn delete(act: &Act<'_>, by: &Member, typed_name: &str) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageWorkspace)?;
    let workspace = &by.workspace;
    if typed_name.trim() != workspace.name {
        return Err(Refused::invalid(
            "name",
            "Type the name of the workspace as it is written above.",
        ));
    }

    let counts = act.db.query_row(
        "select count(distinct project.id), count(issue.id) from project left join issue on issue.project_id = project.id and issue.deleted_at is null
         where workspace_id = ?1 and project.deleted_at is null",
        [&workspace.id],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let deleted = events::workspace::deleted(&by, workspace.head_count(act.db)?, counts);
    let now = act.now.as_micros();
    for sql in [
        "update workspace set deleted_at = ?2, slug = id where id = ?1",
        "update membership set ended_at = ?2, ended_cause = 'workspace_deleted' where workspace_id = ?1 and ended_at is null",
        "update invitation set state = 'revoked', closed_at = ?2 where workspace_id = ?1 and state = 'pending'",
        "update domain_join set state = 'removed', removed_at = ?2 where workspace_id = ?1 and state <> 'removed'",
        "update project set deleted_at = ?2 where workspace_id = ?1 and deleted_at is null",
        "update integration_account set state = 'deleted', token = '', deleted_at = ?2 where workspace_id = ?1 and state <> 'deleted'",
    ] {
        act.db.execute(sql, params![workspace.id, now])?;
    }
    act.record(&workspace.id, deleted)
}

/// A name for addresses that is not taken: `acme`, else `acme-2`, and so on.
fn free_slug(db: &Connection, name: &str) -> Result<String, Refused> {
    let base = slug(name);
    let mut taken = db.prepare_cached("select exists (select 1 from workspace where slug = ?1)")?;
    let mut number = 1_u64;
    loop {
        let slug = if number == 1 {
            base.clone()
        } else {
            format!("{base}-{number}")
        };
        if !taken.query_row([&slug], |row| row.get::<_, bool>(0))? {
            return Ok(slug);
        }
        number += 1;
    }
}

fn slug(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.chars().flat_map(char::to_lowercase) {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
        if slug.len() >= 40 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        "workspace".to_owned()
    } else {
        slug.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::slug;

    #[test]
    fn slugs_are_plain() {
        assert_eq!(slug("Acme, Inc."), "acme-inc");
        assert_eq!(slug("  Ünal & Söhne "), "nal-s-hne");
        assert_eq!(slug("会社"), "workspace");
        assert!(slug(&"x".repeat(99)).len() <= 40);
    }
}
