//! The frame around a page: who is signed in, the workspace, its projects.

use super::visitor::{Person, Seat, Visitor};
use crate::app::App;
use crate::domain::permission::Deed;
use crate::domain::project::Project;
use crate::domain::user::User;
use crate::domain::workspace::Workspace;
use crate::look::{Here, Link, Me, Shell, hue};
use crate::refused::Refused;

/// The frame of somebody who may not be signed in.
pub(super) fn plain(visitor: &Visitor, title: &str) -> Shell {
    Shell {
        title: title.to_owned(),
        csrf: visitor.csrf.clone(),
        flash: visitor.flash.clone(),
        me: visitor.signed_in.as_ref().map(|(_, user)| me(user)),
        here: None,
    }
}

/// The frame of somebody's own pages.
pub(super) fn personal(person: &Person, title: &str) -> Shell {
    plain(&person.visitor, title)
}

/// Where in a workspace a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Projects,
    Members,
    Settings,
    /// In the project with this id.
    Project(&'a str),
}

/// The frame of a page of a workspace.
pub(super) async fn within(
    app: &App,
    seat: &Seat,
    title: &str,
    place: Place<'_>,
) -> Result<Shell, Refused> {
    let member = seat.member.clone();
    let (workspaces, projects) = app
        .read(move |db| {
            Ok((
                Workspace::of_user(db, &member.user.id)?,
                Project::visible_to(db, &member)?,
            ))
        })
        .await?;
    let slug = &seat.member.workspace.slug;
    let link = |label: &str, path: &str, icon, current| Link {
        label: label.to_owned(),
        href: format!("/w/{slug}{path}"),
        icon,
        current,
        ..Link::default()
    };
    let mut links = vec![
        link("Projects", "", "folder", place == Place::Projects),
        link("Members", "/members", "people", place == Place::Members),
    ];
    if seat.member.may(Deed::ManageProjects) {
        links.push(link(
            "Settings",
            "/settings",
            "gear",
            place == Place::Settings,
        ));
    }
    let projects = projects
        .into_iter()
        .filter(|project| project.archived_at.is_none());
    let here = Here {
        name: seat.member.workspace.name.clone(),
        hue: hue(&seat.member.workspace.id),
        role: seat.member.role.title(),
        workspaces: workspaces
            .into_iter()
            .map(|workspace| Link {
                href: format!("/w/{}", workspace.slug),
                hue: hue(&workspace.id),
                current: workspace.id == seat.member.workspace.id,
                label: workspace.name,
                ..Link::default()
            })
            .collect(),
        links,
        projects: projects
            .map(|project| Link {
                href: format!("/w/{slug}/p/{}", project.id),
                hue: hue(&project.id),
                current: place == Place::Project(&project.id),
                count: Some(u64::from(project.open_issues)),
                label: project.name,
                ..Link::default()
            })
            .collect(),
        new_project: seat
            .member
            .may(Deed::ManageProjects)
            .then(|| format!("/w/{slug}/projects/new")),
    };
    Ok(Shell {
        here: Some(here),
        ..plain(&seat.visitor, title)
    })
}

fn me(user: &User) -> Me {
    Me {
        name: user.name.clone(),
        email: user.email.clone(),
        hue: hue(&user.id),
    }
}

/// One of the choices of a list or of radio buttons.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) hint: String,
    pub(super) chosen: bool,
}

impl Choice {
    pub(super) fn new(value: &str, label: &str, chosen: &str) -> Self {
        Self {
            value: value.to_owned(),
            label: label.to_owned(),
            hint: String::new(),
            chosen: value == chosen,
        }
    }

    pub(super) fn hinting(mut self, hint: &str) -> Self {
        hint.clone_into(&mut self.hint);
        self
    }
}
