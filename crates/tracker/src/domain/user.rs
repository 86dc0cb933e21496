//! People.

use annals_client::{Actor, Ref, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::member::Role;
use crate::refused::Refused;

/// Somebody with an account.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) email_verified_at: Option<Timestamp>,
    pub(crate) name: String,
    pub(crate) job_role: String,
    pub(crate) password_hash: Option<String>,
    pub(crate) failed_logins: u32,
    pub(crate) locked_until: Option<Timestamp>,
    pub(crate) disabled: bool,
}

const COLUMNS: &str = "id, email, email_verified_at, name, job_role, password_hash, failed_logins, locked_until, disabled_at";

impl User {
    pub(crate) fn by_id(db: &Connection, id: &str) -> Result<Option<Self>, Refused> {
        Self::find(db, "id", id)
    }

    /// By an address in the form that [`super::email::parse`] gives.
    pub(crate) fn by_email(db: &Connection, email: &str) -> Result<Option<Self>, Refused> {
        Self::find(db, "email", email)
    }

    fn find(db: &Connection, by: &str, value: &str) -> Result<Option<Self>, Refused> {
        let sql = format!("select {COLUMNS} from user where {by} = ?1 and deleted_at is null");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([value], Self::read)
            .optional()?)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            email: row.get(1)?,
            email_verified_at: time(row.get(2)?),
            name: row.get(3)?,
            job_role: row.get(4)?,
            password_hash: row.get(5)?,
            failed_logins: row.get(6)?,
            locked_until: time(row.get(7)?),
            disabled: row.get::<_, Option<i64>>(8)?.is_some(),
        })
    }

    /// This person as the one who acts, without a role: for acts outside a workspace.
    pub(crate) fn actor(&self) -> Actor {
        Actor::new("user", &self.id)
            .named(&self.name)
            .with_email(&self.email)
    }

    /// This person as the one who acts in a workspace, with the role that he has there now.
    pub(crate) fn actor_as(&self, role: Role) -> Actor {
        self.actor().with_role(role.as_str())
    }

    /// This person as the one to whom something is done.
    pub(crate) fn target(&self) -> Ref {
        Ref::new(&self.id).named(&self.name).email(&self.email)
    }
}

/// Somebody who has not signed in. The address is a claim; whoever it belongs to is a target at most, never the actor.
pub(crate) fn unauthenticated(claimed: Option<&str>) -> Actor {
    let actor = Actor::new("unauthenticated", "anonymous");
    match claimed {
        Some(email) => actor.with_email(email),
        None => actor,
    }
}

/// The program itself.
pub(crate) fn system() -> Actor {
    Actor::new("system", "tracker").named("Tracker")
}

/// A time of the database.
pub(crate) fn time(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(Timestamp::clamped)
}
