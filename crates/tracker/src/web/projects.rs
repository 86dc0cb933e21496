//! Projects: the list, making one, its settings, its people.

mod list;
mod people;
mod settings;

pub(super) use list::{create, show, show_new};
pub(super) use people::{invite, remove, show as show_people};
pub(super) use settings::{
    archive, assign_group, configure_widget, confirm_widget, delete, show as show_settings,
    unarchive, update,
};

use super::frame::Choice;
use crate::domain::integration::Account;
use crate::domain::member::Listed;
use crate::domain::project::Details;
use serde::Deserialize;

/// What a form says of a project.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct ProjectForm {
    #[serde(default)]
    name: String,
    #[serde(default)]
    website_host: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    members_access: String,
    #[serde(default)]
    account_id: String,
    #[serde(default)]
    default_assignee_id: String,
    #[serde(default)]
    group_id: String,
}

impl ProjectForm {
    fn details(&self) -> Details {
        let chosen = |chosen: &String| (!chosen.is_empty()).then(|| chosen.clone());
        Details {
            name: self.name.clone(),
            website_host: self.website_host.clone(),
            description: self.description.clone(),
            restricted: self.members_access == "restricted",
            account_id: chosen(&self.account_id),
            default_assignee_id: chosen(&self.default_assignee_id),
        }
    }

    fn access(&self) -> Vec<Choice> {
        let chosen = if self.members_access == "restricted" {
            "restricted"
        } else {
            "all"
        };
        vec![
            Choice::new("all", "All members", chosen).hinting("Guests are invited one by one."),
            Choice::new("restricted", "Only people who are added", chosen).hinting("And admins."),
        ]
    }
}

/// The members to whom issues may be given.
pub(super) fn assignees(members: &[Listed], chosen: &str) -> Vec<Choice> {
    let mut choices = vec![Choice::new("", "Nobody", chosen)];
    let members = members
        .iter()
        .filter(|member| member.role > crate::domain::member::Role::Guest);
    choices.extend(members.map(|member| Choice::new(&member.id, &member.name, chosen)));
    choices
}

fn accounts(accounts: &[Account], chosen: &str) -> Vec<Choice> {
    let mut choices = vec![Choice::new("", "Nowhere", chosen)];
    for account in accounts {
        let kind = if account.is_shared() {
            "shared"
        } else {
            "yours"
        };
        choices.push(Choice::new(
            &account.id,
            &format!("{} ({}, {kind})", account.external_name, account.provider),
            chosen,
        ));
    }
    // A colleague's own account stays chosen, and cannot be chosen anew.
    if !chosen.is_empty() && !choices.iter().any(|choice| choice.chosen) {
        choices.push(Choice::new(chosen, "A colleague’s account", chosen));
    }
    choices
}
