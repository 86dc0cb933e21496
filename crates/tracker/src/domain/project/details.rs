//! What can be edited of a project by the form of its details.

use rusqlite::Connection;

use super::super::integration;
use super::super::member::{Member, Membership, Role};
use super::super::text::{self, BODY_CHARS};
use super::Project;
use crate::refused::Refused;

/// What a form says of a project.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    pub(crate) name: String,
    pub(crate) website_host: String,
    pub(crate) description: String,
    pub(crate) restricted: bool,
    pub(crate) account_id: Option<String>,
    pub(crate) default_assignee_id: Option<String>,
}

impl Project {
    pub(super) fn details(&self) -> Details {
        Details {
            name: self.name.clone(),
            website_host: self.website_host.clone(),
            description: self.description.clone(),
            restricted: self.restricted,
            account_id: self.account_id.clone(),
            default_assignee_id: self.default_assignee_id.clone(),
        }
    }

    /// The same with other details.
    pub(super) fn with(&self, details: &Details) -> Self {
        let details = details.clone();
        Self {
            name: details.name,
            website_host: details.website_host,
            description: details.description,
            restricted: details.restricted,
            account_id: details.account_id,
            default_assignee_id: details.default_assignee_id,
            ..self.clone()
        }
    }
}

impl Details {
    /// What the form says, if all of it can be meant; `before` may stay as it is whatever it is.
    pub(super) fn checked(
        &self,
        db: &Connection,
        by: &Member,
        before: Option<&Details>,
    ) -> Result<Self, Refused> {
        let chosen = |chosen: &Option<String>| chosen.clone().filter(|chosen| !chosen.is_empty());
        let (account_id, default_assignee_id) =
            (chosen(&self.account_id), chosen(&self.default_assignee_id));
        let stays = |is: fn(&Details) -> &Option<String>, value: &Option<String>| {
            before.is_some_and(|before| is(before) == value)
        };
        if let Some(account) = account_id
            .as_deref()
            .filter(|_| !stays(|details| &details.account_id, &account_id))
        {
            let usable = integration::usable_by(db, by)?;
            if !usable.iter().any(|usable| usable.id == account) {
                return Err(Refused::invalid(
                    "account_id",
                    "This account is not connected.",
                ));
            }
        }
        if let Some(assignee) = default_assignee_id
            .as_deref()
            .filter(|_| !stays(|details| &details.default_assignee_id, &default_assignee_id))
            && Membership::find(db, &by.workspace.id, assignee)?
                .is_none_or(|membership| membership.role == Role::Guest)
        {
            return Err(Refused::invalid(
                "default_assignee_id",
                "Choose a member of this workspace.",
            ));
        }
        Ok(Self {
            name: text::name("name", &self.name)?,
            website_host: text::host("website_host", &self.website_host)?,
            description: text::body("description", &self.description, BODY_CHARS)?,
            restricted: self.restricted,
            account_id,
            default_assignee_id,
        })
    }
}
