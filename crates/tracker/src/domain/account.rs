//! One's own account: profile and deletion.

use rusqlite::params;

use super::member::{Member, Membership};
use super::session;
use super::text::{self, NAME_CHARS};
use super::user::User;
use super::workspace::Workspace;
use crate::act::Act;
use crate::events;
use crate::refused::Refused;

/// Changes name and job role.
pub(crate) fn update(
    act: &Act<'_>,
    user: &User,
    name: &str,
    job_role: &str,
) -> Result<(), Refused> {
    let before = User::by_id(act.db, &user.id)?.ok_or_else(Refused::not_found)?;
    let name = text::name("name", name)?;
    let job_role = text::optional_line("job_role", job_role, NAME_CHARS)?;
    let after = User {
        name,
        job_role,
        ..before.clone()
    };
    if (&after.name, &after.job_role) == (&before.name, &before.job_role) {
        return Ok(());
    }

    act.db.execute(
        "update user set name = ?2, job_role = ?3 where id = ?1",
        [&after.id, &after.name, &after.job_role],
    )?;
    act.record_account(&before, |membership| {
        Some(events::user::updated(&before, &after, membership.role))
    })
}

/// Voids what was sent by mail to change or open this account and was not used yet. Whoever asked for it may be the reason that the
/// password or the address changes now, and what went to an address that is no longer his opens nothing.
pub(crate) fn void_links(act: &Act<'_>, user: &str) -> Result<(), Refused> {
    for sql in [
        "update password_reset set superseded_at = ?2 where user_id = ?1 and used_at is null and superseded_at is null",
        "update login_code set superseded_at = ?2 where user_id = ?1 and used_at is null and superseded_at is null",
        "update email_verification set superseded_at = ?2
         where user_id = ?1 and purpose = 'email_change' and used_at is null and superseded_at is null",
    ] {
        act.db.execute(sql, params![user, act.now.as_micros()])?;
    }
    Ok(())
}

/// Deletes one's account: the address is free again, and what the person wrote stays without his name.
pub(crate) fn delete(act: &Act<'_>, user: &User, is_right: bool) -> Result<(), Refused> {
    if !is_right {
        return Err(Refused::invalid("password", "This is not your password."));
    }
    let user = User::by_id(act.db, &user.id)?.ok_or_else(Refused::not_found)?;
    let memberships = Membership::active_of(act.db, &user.id)?;
    let mut members = Vec::with_capacity(memberships.len());
    for membership in &memberships {
        let workspace =
            Workspace::by_id(act.db, &membership.workspace_id)?.ok_or_else(Refused::not_found)?;
        let member = Member {
            user: user.clone(),
            workspace,
            membership_id: membership.id.clone(),
            role: membership.role,
        };
        if member.is_last_admin(act.db)? {
            return Err(Refused::conflict(format!(
                "You are the only admin of {}. Make somebody else one, or delete that workspace, first.",
                member.workspace.name
            )));
        }
        members.push(member);
    }

    let accounts = act.db.execute(
        "update integration_account set state = 'deleted', token = '', deleted_at = ?2 where user_id = ?1 and state <> 'deleted'",
        params![user.id, act.now.as_micros()],
    )?;
    // Who is told is decided before memberships end.
    act.record_account(&user, |membership| {
        Some(events::user::deleted(&user, membership.role, accounts))
    })?;
    for member in &members {
        member.workspace.hand_over(act.db, &user.id)?;
        let (projects, _) = member.let_go(act, "account_deleted")?;
        act.record(
            &member.workspace.id,
            events::workspace::user_gone(member, projects.len()),
        )?;
    }
    session::end_all(act, &user.id, None)?;
    let (id, now) = (&user.id, act.now.as_micros());
    act.db.execute(
        "update user set email = null, name = 'Deleted account', job_role = '', password_hash = null, deleted_at = ?2 where id = ?1",
        params![id, now],
    )?;
    for sql in [
        "update project set account_id = null where account_id in (select id from integration_account where user_id = ?1)",
        "delete from login_code where user_id = ?1",
        "delete from password_reset where user_id = ?1",
        "delete from email_verification where user_id = ?1",
        "update session set address = '', user_agent = '' where user_id = ?1",
        "update issue set reporter_name = 'Deleted account', reporter_email = '' where reporter_id = ?1",
    ] {
        act.db.execute(sql, [id])?;
    }
    Ok(())
}
