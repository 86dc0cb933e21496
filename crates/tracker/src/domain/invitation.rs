//! Asking somebody in, by e-mail: into the workspace, or as a guest into one project.

mod failure;

use std::time::Duration;

use annals_client::{Ref, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::member::{Member, Membership, Role};
use super::permission::Deed;
use super::project::Project;
use super::user::User;
use super::{email, project_member};
use crate::act::Act;
use crate::clock::later;
use crate::refused::Refused;
use crate::{events, mail, secret};
use failure::{
    ALREADY, GUESTS_FULL, INVALID_EMAIL, NOT_PERMITTED, PROJECT_ARCHIVED, ROLE_NOT_PERMITTED,
    SEATS_FULL, failed,
};
pub(crate) use failure::{Why, bounced, too_many};

/// How long an invitation may be accepted.
pub(crate) const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// An invitation, open or not.
#[derive(Clone, Debug)]
pub(crate) struct Invitation {
    pub(crate) id: String,
    pub(crate) workspace_id: String,
    pub(crate) project_id: Option<String>,
    pub(crate) email: String,
    pub(crate) role: Role,
    pub(crate) invited_by: String,
    pub(crate) state: String,
    pub(crate) expires_at: Timestamp,
}

const COLUMNS: &str = "id, workspace_id, project_id, email, role, invited_by, state, expires_at";

impl Invitation {
    /// By the token of its link.
    pub(crate) fn by_token(db: &Connection, token: &str) -> Result<Option<Self>, Refused> {
        let sql = format!("select {COLUMNS} from invitation where token_hash = ?1");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([secret::hash("invitation", token)], Self::read)
            .optional()?)
    }

    pub(crate) fn by_id(db: &Connection, id: &str) -> Result<Option<Self>, Refused> {
        let sql = format!("select {COLUMNS} from invitation where id = ?1");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([id], Self::read)
            .optional()?)
    }

    /// Those of a workspace that wait, or could not be delivered, newest first.
    pub(crate) fn open_of(db: &Connection, workspace: &str) -> Result<Vec<Self>, Refused> {
        let sql = format!(
            "select {COLUMNS} from invitation where workspace_id = ?1 and state in ('pending', 'undeliverable') order by created_at desc, id desc limit 500"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map([workspace], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn open_for(
        db: &Connection,
        workspace: &str,
        project: Option<&str>,
        email: &str,
    ) -> Result<Option<Self>, Refused> {
        let sql = format!(
            "select {COLUMNS} from invitation where workspace_id = ?1 and project_id is ?2 and email = ?3 and state in ('pending', 'undeliverable')"
        );
        Ok(db
            .prepare_cached(&sql)?
            .query_row(params![workspace, project, email], Self::read)
            .optional()?)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            workspace_id: row.get(1)?,
            project_id: row.get(2)?,
            email: row.get(3)?,
            role: Role::parse(&row.get::<_, String>(4)?).unwrap_or(Role::Guest),
            invited_by: row.get(5)?,
            state: row.get(6)?,
            expires_at: Timestamp::clamped(row.get(7)?),
        })
    }

    /// Whoever is invited, as somebody to whom something is done: by his account if he belongs to the workspace, else by his address
    /// alone. That an address has an account, and whose name is on it, is not told to those who only know the address.
    pub(crate) fn invitee(&self, db: &Connection) -> Result<Ref, Refused> {
        Ok(match colleague(db, &self.workspace_id, &self.email)? {
            Some(user) => user.target(),
            None => Ref::new(&self.id).email(&self.email),
        })
    }

    pub(crate) fn close(&self, act: &Act<'_>, state: &str) -> Result<(), Refused> {
        act.db.execute(
            "update invitation set state = ?2, closed_at = ?3 where id = ?1",
            params![self.id, state, act.now.as_micros()],
        )?;
        Ok(())
    }
}

/// Who has an address in a workspace.
fn colleague(db: &Connection, workspace: &str, email: &str) -> Result<Option<User>, Refused> {
    let Some(user) = User::by_email(db, email)? else {
        return Ok(None);
    };
    let membership = Membership::find(db, workspace, &user.id)?;
    Ok(membership.map(|_| user))
}

/// Invites somebody: into `project` as a guest, or into the workspace with `role`. Who has an open invitation gets it again.
pub(crate) fn invite(
    act: &Act<'_>,
    by: &Member,
    project: Option<&Project>,
    typed: &str,
    role: Role,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let project = project
        .map(|project| Project::load(act.db, &by, &project.id))
        .transpose()?;
    let refuse = |refused, why| Err(failed(refused, &by, project.as_ref(), typed, role, why));
    if !by.may(Deed::Invite) {
        return refuse(
            Refused::forbidden("Guests do not invite others."),
            NOT_PERMITTED,
        );
    }
    if !by.may(Deed::inviting(role)) {
        return refuse(
            Refused::forbidden("Nobody invites others to a higher role than his own."),
            ROLE_NOT_PERMITTED,
        );
    }
    let Some(address) = email::parse(typed) else {
        return refuse(
            Refused::invalid("email", "Enter an e-mail address, such as bob@example.com."),
            INVALID_EMAIL,
        );
    };
    if project
        .as_ref()
        .is_some_and(|project| project.archived_at.is_some())
    {
        return refuse(
            Refused::conflict("This project is archived."),
            PROJECT_ARCHIVED,
        );
    }

    let known = User::by_email(act.db, &address)?;
    let membership = match &known {
        Some(user) => Membership::find(act.db, &by.workspace.id, &user.id)?,
        None => None,
    };
    if let (Some(user), Some(membership)) = (&known, &membership) {
        let Some(project) = &project else {
            return refuse(
                Refused::conflict(format!("{} is in this workspace already.", user.name)),
                ALREADY,
            );
        };
        if project_member::has_access(act.db, project, &user.id, membership.role)? {
            return refuse(
                Refused::conflict(format!("{} is in this project already.", user.name)),
                ALREADY,
            );
        }
        return project_member::add(act, &by, project, user, membership.role);
    }

    let open = Invitation::open_for(
        act.db,
        &by.workspace.id,
        project.as_ref().map(|project| project.id.as_str()),
        &address,
    )?;
    // Whoever may not invite to a role does not change an invitation to it either.
    if open
        .as_ref()
        .is_some_and(|open| !by.may(Deed::inviting(open.role)))
    {
        return refuse(
            Refused::forbidden(
                "This address is invited already, to a higher role than you may invite to.",
            ),
            ROLE_NOT_PERMITTED,
        );
    }
    let resend = open.is_some();
    // An open invitation holds a place of its own kind.
    let has_place = open
        .as_ref()
        .is_some_and(|open| (open.role == Role::Guest) == (role == Role::Guest));
    if !has_place && let Err((refused, why)) = room(act, &by, role)? {
        return refuse(refused, why);
    }
    let (token, expires_at) = (secret::token(), later(act.now, LIFETIME));
    let invitation = Invitation {
        id: open.map_or_else(|| act.id("inv"), |open| open.id),
        workspace_id: by.workspace.id.clone(),
        project_id: project.as_ref().map(|project| project.id.clone()),
        email: address,
        role,
        invited_by: by.user.id.clone(),
        state: "pending".to_owned(),
        expires_at,
    };
    act.db.execute(
        "insert into invitation (id, workspace_id, project_id, email, role, token_hash, invited_by, state, created_at, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'pending', ?8, ?9)
         on conflict (id) do update set role = ?5, token_hash = ?6, invited_by = ?7, state = 'pending', expires_at = ?9",
        params![
            invitation.id,
            invitation.workspace_id,
            invitation.project_id,
            invitation.email,
            role.as_str(),
            secret::hash("invitation", &token),
            invitation.invited_by,
            act.now.as_micros(),
            expires_at.as_micros()
        ],
    )?;
    let link = act.settings.link(&format!("/join/{token}"));
    let invitee = invitation.invitee(act.db)?;
    match &project {
        Some(project) => {
            let mail = mail::project_invitation(
                &invitation.email,
                &by.user.name,
                &by.workspace.name,
                &project.name,
                &link,
            );
            act.mail(&mail, Some(&invitation.id))?;
            act.record(
                &by.workspace.id,
                events::project::user_invited(&by, project, invitee, &invitation, resend),
            )
        }
        None => {
            let mail = mail::workspace_invitation(
                &invitation.email,
                &by.user.name,
                &by.workspace.name,
                role.title(),
                &link,
            );
            act.mail(&mail, Some(&invitation.id))?;
            act.record(
                &by.workspace.id,
                events::workspace::user_invited(&by, invitee, &invitation, resend),
            )
        }
    }
}

/// Sends an open invitation again: the same one, with a new link and all its time.
pub(crate) fn resend(act: &Act<'_>, by: &Member, id: &str) -> Result<(), Refused> {
    let invitation = open_in(act, by, id)?;
    let project = invitation
        .project_id
        .as_deref()
        .map(|id| Project::in_workspace(act.db, &by.workspace.id, id))
        .transpose()?;
    invite(
        act,
        by,
        project.as_ref(),
        &invitation.email,
        invitation.role,
    )
}

/// Takes an open invitation back: somebody who has not come yet is removed.
pub(crate) fn revoke(act: &Act<'_>, by: &Member, id: &str) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let invitation = open_in(act, &by, id)?;
    if invitation.invited_by != by.user.id && !by.may(Deed::ManageUsers) {
        return Err(Refused::forbidden(
            "Only managers, and whoever invited, take an invitation back.",
        ));
    }
    if invitation.role > by.role {
        return Err(Refused::forbidden(
            "Only an admin takes an invitation of an admin back.",
        ));
    }
    invitation.close(act, "revoked")?;
    let invitee = invitation.invitee(act.db)?;
    match invitation
        .project_id
        .as_deref()
        .map(|id| Project::load(act.db, &by, id))
        .transpose()?
    {
        Some(project) => act.record(
            &by.workspace.id,
            events::project::invitation_revoked(&by, &project, invitee),
        ),
        None => act.record(
            &by.workspace.id,
            events::workspace::invitation_revoked(&by, invitee, &invitation),
        ),
    }
}

fn open_in(act: &Act<'_>, by: &Member, id: &str) -> Result<Invitation, Refused> {
    Invitation::by_id(act.db, id)?
        .filter(|invitation| invitation.workspace_id == by.workspace.id)
        .filter(|invitation| invitation.state == "pending" || invitation.state == "undeliverable")
        .ok_or_else(Refused::not_found)
}

/// Whether there is a seat for one more, counting those who are invited.
fn room(act: &Act<'_>, by: &Member, role: Role) -> Result<Result<(), (Refused, Why)>, Refused> {
    let workspace = &by.workspace;
    let count = workspace.head_count(act.db)?;
    let (guests, members): (u32, u32) = act.db.query_row(
        "select count(distinct email) filter (where role = 'guest'), count(distinct email) filter (where role <> 'guest')
         from invitation where workspace_id = ?1 and state = 'pending' and expires_at > ?2",
        params![workspace.id, act.now.as_micros()],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(
        if role == Role::Guest && count.guests + guests >= workspace.guest_limit {
            let message = format!(
                "This workspace may have {} guests, with those who are invited.",
                workspace.guest_limit
            );
            Err((Refused::conflict(message), GUESTS_FULL))
        } else if role != Role::Guest && count.members + members >= workspace.seat_limit {
            let message = format!(
                "This workspace has {} seats, and all are taken or promised.",
                workspace.seat_limit
            );
            Err((Refused::conflict(message), SEATS_FULL))
        } else {
            Ok(())
        },
    )
}
