//! Letting everybody with an address of a domain join by himself.

use std::time::Duration;

use annals_client::{Ref, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::email;
use super::member::{Member, Role};
use super::permission::Deed;
use super::user::User;
use super::workspace::Workspace;
use crate::act::Act;
use crate::clock::later;
use crate::refused::{Kind, Refused};
use crate::{events, mail, secret};

/// How long the link that proves a domain may be used.
const LINK_LIFETIME: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// Domains of one workspace.
const DOMAINS_MAX: i64 = 50;

/// A domain whose people may come in, once it is proved.
#[derive(Clone, Debug)]
pub(crate) struct DomainJoin {
    pub(crate) id: String,
    pub(crate) workspace_id: String,
    pub(crate) domain: String,
    pub(crate) default_role: Role,
    pub(crate) state: String,
    pub(crate) verification_email: String,
}

const COLUMNS: &str = "id, workspace_id, domain, default_role, state, verification_email";

impl DomainJoin {
    /// Those of a workspace that are not removed.
    pub(crate) fn of_workspace(db: &Connection, workspace: &str) -> Result<Vec<Self>, Refused> {
        let sql = format!(
            "select {COLUMNS} from domain_join where workspace_id = ?1 and state <> 'removed' order by domain"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([workspace], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What a workspace has, or last had, for the domain of an address.
    pub(crate) fn newest_for(
        db: &Connection,
        workspace: &str,
        address: &str,
    ) -> Result<Option<Self>, Refused> {
        let sql = format!(
            "select {COLUMNS} from domain_join where workspace_id = ?1 and domain = ?2 and verified_at is not null
             order by state = 'active' desc, created_at desc limit 1"
        );
        Ok(db
            .prepare_cached(&sql)?
            .query_row([workspace, email::domain(address)], Self::read)
            .optional()?)
    }

    /// The workspaces that somebody may join by himself and has not.
    pub(crate) fn open_to(db: &Connection, user: &User) -> Result<Vec<Workspace>, Refused> {
        let mut statement = db.prepare_cached(
            "select workspace_id from domain_join where domain = ?1 and state = 'active'
             and workspace_id not in (select workspace_id from membership where user_id = ?2 and ended_at is null)",
        )?;
        let ids = statement
            .query_map([email::domain(&user.email), user.id.as_str()], |row| {
                row.get(0)
            })?
            .collect::<Result<Vec<String>, _>>()?;
        let found = ids
            .iter()
            .map(|id| Workspace::by_id(db, id))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What the link of a mail is to prove.
    pub(crate) fn by_token(db: &Connection, token: &str, now: Timestamp) -> Result<Self, Refused> {
        let sql = format!(
            "select {COLUMNS} from domain_join where token_hash = ?1 and state = 'pending' and expires_at > ?2"
        );
        let hash = secret::hash("domain join", token);
        let found = db
            .prepare_cached(&sql)?
            .query_row(params![hash, now.as_micros()], Self::read)
            .optional()?;
        found.ok_or_else(|| {
            Refused::new(
                Kind::NotFound,
                "This link no longer holds. Add the domain again for a new one.",
            )
        })
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            workspace_id: row.get(1)?,
            domain: row.get(2)?,
            default_role: Role::parse(&row.get::<_, String>(3)?).unwrap_or(Role::Guest),
            state: row.get(4)?,
            verification_email: row.get(5)?,
        })
    }

    pub(crate) fn target(&self) -> Ref {
        Ref::new(&self.id).named(&self.domain)
    }
}

/// Asks for a domain: a link goes to an address on it, and nothing holds before somebody opens it.
pub(crate) fn request(act: &Act<'_>, by: &Member, typed: &str, role: Role) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageWorkspace)?;
    let address = email::required("email", typed)?;
    let domain = email::domain(&address).to_owned();
    if role > Role::Member {
        return Err(Refused::invalid(
            "role",
            "People who come by themselves are guests or members.",
        ));
    }
    if PUBLIC.contains(&domain.as_str()) {
        return Err(Refused::invalid(
            "email",
            format!("Everybody can have an address at {domain}. Use a domain of your own."),
        ));
    }
    let existing = DomainJoin::of_workspace(act.db, &by.workspace.id)?;
    if existing
        .iter()
        .any(|existing| existing.domain == domain && existing.state == "active")
    {
        return Err(Refused::invalid(
            "email",
            format!("People of {domain} may join already."),
        ));
    }
    if i64::try_from(existing.len()).unwrap_or(i64::MAX) >= DOMAINS_MAX {
        return Err(Refused::conflict(
            "This workspace has as many domains as it may.",
        ));
    }

    act.db.execute(
        "delete from domain_join where workspace_id = ?1 and domain = ?2 and state = 'pending'",
        [&by.workspace.id, &domain],
    )?;
    let token = secret::token();
    act.db.execute(
        "insert into domain_join (id, workspace_id, domain, default_role, state, requested_by, verification_email, token_hash, created_at, expires_at)
         values (?1, ?2, ?3, ?4, 'pending', ?5, ?6, ?7, ?8, ?9)",
        params![
            act.id("dom"),
            by.workspace.id,
            domain,
            role.as_str(),
            by.user.id,
            address,
            secret::hash("domain join", &token),
            act.now.as_micros(),
            later(act.now, LINK_LIFETIME).as_micros()
        ],
    )?;
    let link = act.settings.link(&format!("/verify-domain/{token}"));
    act.mail(
        &mail::domain_ownership(&address, &by.user.name, &by.workspace.name, &domain, &link),
        None,
    )
}

/// Proves a domain by the link, as an admin of its workspace.
pub(crate) fn verify(act: &Act<'_>, token: &str, user: &User) -> Result<Workspace, Refused> {
    let join = DomainJoin::by_token(act.db, token, act.now)?;
    let workspace = Workspace::by_id(act.db, &join.workspace_id)?.ok_or_else(Refused::not_found)?;
    let by = Member::load(act.db, &workspace.slug, &user.id).map_err(|_| {
        Refused::forbidden("Sign in as an admin of the workspace that this is for.")
    })?;
    by.must(Deed::ManageWorkspace)?;
    act.db.execute(
        "update domain_join set state = 'active', verified_at = ?2 where id = ?1",
        params![join.id, act.now.as_micros()],
    )?;
    act.record(
        &workspace.id,
        events::workspace::domain_join_added(&by, &join),
    )?;
    Ok(workspace)
}

/// Takes the permission back. Who has joined by it stays; an unproved one just goes.
pub(crate) fn remove(act: &Act<'_>, by: &Member, id: &str) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageWorkspace)?;
    let all = DomainJoin::of_workspace(act.db, &by.workspace.id)?;
    let join = all
        .into_iter()
        .find(|join| join.id == id)
        .ok_or_else(Refused::not_found)?;
    if join.state == "pending" {
        act.db
            .execute("delete from domain_join where id = ?1", [id])?;
        return Ok(());
    }
    let joined: u32 = act.db.query_row(
        "select count(*) from membership where domain_join_id = ?1",
        [id],
        |row| row.get(0),
    )?;
    act.db.execute(
        "update domain_join set state = 'removed', removed_at = ?2 where id = ?1",
        params![id, act.now.as_micros()],
    )?;
    act.record(
        &by.workspace.id,
        events::workspace::domain_join_removed(&by, &join, joined),
    )
}

/// Domains at which anybody gets an address: who may use one proves nothing about a company.
const PUBLIC: [&str; 36] = [
    "126.com",
    "163.com",
    "aol.com",
    "btinternet.com",
    "comcast.net",
    "duck.com",
    "fastmail.com",
    "free.fr",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hey.com",
    "hotmail.com",
    "hotmail.co.uk",
    "icloud.com",
    "live.com",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "orange.fr",
    "outlook.com",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "t-online.de",
    "web.de",
    "yahoo.co.jp",
    "yahoo.com",
    "yandex.ru",
    "zoho.com",
];
