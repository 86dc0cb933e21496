//! The widget: a script on a customer's site, through which visitors report issues.

use annals_client::actions::{
    ProjectWidgetInstalledVerifiedBy as VerifiedBy,
    ProjectWidgetInstalledVisibility as EventVisibility,
};
use annals_client::{Actor, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::member::Member;
use super::permission::Deed;
use super::project::Project;
use super::text;
use super::user::{system, time};
use crate::act::Act;
use crate::refused::{Kind, Refused};
use crate::{events, secret};

/// A project's widget.
#[derive(Clone, Debug)]
pub(crate) struct Widget {
    pub(crate) id: String,
    pub(crate) project_id: String,
    /// Stands in the customer's pages: everybody knows it, it opens nothing.
    pub(crate) public_key: String,
    pub(crate) visibility: Visibility,
    /// Hosts of the pages that may use it.
    pub(crate) allowed_hosts: Vec<String>,
    pub(crate) install_state: String,
    pub(crate) configured_by: Option<String>,
    pub(crate) last_ping_at: Option<Timestamp>,
}

/// Who may report through it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    Everyone,
    MembersAndGuests,
    Hidden,
}

/// Hosts of one widget.
const HOSTS_MAX: usize = 20;

impl Visibility {
    pub(crate) const ALL: [Self; 3] = [Self::Everyone, Self::MembersAndGuests, Self::Hidden];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::MembersAndGuests => "members_and_guests",
            Self::Hidden => "hidden",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Everyone => "Everyone",
            Self::MembersAndGuests => "Members and guests",
            Self::Hidden => "Nobody",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|visibility| visibility.as_str() == text)
    }

    pub(crate) fn of_event(self) -> EventVisibility {
        match self {
            Self::Everyone => EventVisibility::Everyone,
            Self::MembersAndGuests => EventVisibility::MembersAndGuests,
            Self::Hidden => EventVisibility::Hidden,
        }
    }
}

const SELECT: &str = "select id, project_id, public_key, visibility, allowed_hosts, install_state, configured_by, last_ping_at from widget";

impl Widget {
    pub(crate) fn of_project(db: &Connection, project: &str) -> Result<Self, Refused> {
        Self::find(db, "project_id", project)?.ok_or_else(Refused::not_found)
    }

    pub(crate) fn by_key(db: &Connection, key: &str) -> Result<Option<Self>, Refused> {
        Self::find(db, "public_key", key)
    }

    fn find(db: &Connection, by: &str, value: &str) -> Result<Option<Self>, Refused> {
        let sql = format!("{SELECT} where {by} = ?1");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([value], Self::read)
            .optional()?)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let hosts: String = row.get(4)?;
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            public_key: row.get(2)?,
            // The table allows no other word.
            visibility: Visibility::parse(&row.get::<_, String>(3)?).unwrap_or(Visibility::Hidden),
            allowed_hosts: hosts.lines().map(str::to_owned).collect(),
            install_state: row.get(5)?,
            configured_by: row.get(6)?,
            last_ping_at: time(row.get(7)?),
        })
    }

    pub(crate) fn is_installed(&self) -> bool {
        self.install_state == "installed"
    }

    /// Whether a page of this origin may use it.
    pub(crate) fn allows(&self, host: &str) -> bool {
        self.allowed_hosts.iter().any(|allowed| allowed == host)
    }
}

/// Makes the widget that each project has, not installed anywhere.
pub(crate) fn make(act: &Act<'_>, project: &str) -> Result<(), Refused> {
    act.db.execute(
        "insert into widget (id, project_id, public_key, visibility, install_state) values (?1, ?2, ?3, 'everyone', 'not_installed')",
        [act.id("wdg"), project.to_owned(), secret::token()],
    )?;
    Ok(())
}

/// Says on which hosts the widget may be, and who may use it.
pub(crate) fn configure(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    visibility: &str,
    hosts: &str,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let project = project.again(act.db)?;
    project.must_be_active()?;
    let before = Widget::of_project(act.db, &project.id)?;
    let visibility = Visibility::parse(visibility)
        .ok_or_else(|| Refused::invalid("visibility", "Choose who may use the widget."))?;
    let mut allowed = hosts
        .split([',', ' ', '\r', '\n'])
        .filter(|host| !host.trim().is_empty())
        .map(|host| text::host("allowed_hosts", host))
        .collect::<Result<Vec<_>, _>>()?;
    allowed.sort();
    allowed.dedup();
    if allowed.len() > HOSTS_MAX {
        return Err(Refused::invalid(
            "allowed_hosts",
            format!("At most {HOSTS_MAX} hosts."),
        ));
    }
    let install_state = match before.install_state.as_str() {
        "installed" if !allowed.is_empty() => "installed",
        _ if allowed.is_empty() => "not_installed",
        _ => "pending_verification",
    };
    act.db.execute(
        "update widget set visibility = ?2, allowed_hosts = ?3, install_state = ?4, configured_by = ?5 where id = ?1",
        [before.id.as_str(), visibility.as_str(), &allowed.join("\n"), install_state, &by.user.id],
    )?;
    let after = Widget {
        visibility,
        allowed_hosts: allowed,
        ..before.clone()
    };
    match events::project::widget_configured(&by, &project, &before, &after) {
        Some(event) => act.record(&by.workspace.id, event),
        None => Ok(()),
    }
}

/// Confirms by hand that the widget is in place.
pub(crate) fn confirm(act: &Act<'_>, by: &Member, project: &Project) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ManageProjects)?;
    let project = project.again(act.db)?;
    project.must_be_active()?;
    let widget = Widget::of_project(act.db, &project.id)?;
    let Some(host) = widget.allowed_hosts.first().cloned() else {
        return Err(Refused::invalid(
            "allowed_hosts",
            "Say first on which host the widget is.",
        ));
    };
    if widget.is_installed() {
        return Ok(());
    }
    install(
        act,
        by.actor(),
        &project,
        &widget,
        &host,
        VerifiedBy::Manual,
    )
}

/// That a page has loaded the widget. The first load from an allowed host proves that it is in place.
pub(crate) fn ping(act: &Act<'_>, key: &str, host: &str) -> Result<(), Refused> {
    let widget = Widget::by_key(act.db, key)?.ok_or_else(Refused::not_found)?;
    let project = Project::by_id(act.db, &widget.project_id)?.ok_or_else(Refused::not_found)?;
    if !widget.allows(host) || project.archived_at.is_some() {
        return Err(Refused::new(
            Kind::Forbidden,
            "This page may not use the widget.",
        ));
    }
    act.db.execute(
        "update widget set last_ping_at = ?2 where id = ?1",
        params![widget.id, act.now.as_micros()],
    )?;
    if widget.install_state != "pending_verification" {
        return Ok(());
    }
    install(act, system(), &project, &widget, host, VerifiedBy::Ping)
}

fn install(
    act: &Act<'_>,
    actor: Actor,
    project: &Project,
    widget: &Widget,
    host: &str,
    by: VerifiedBy,
) -> Result<(), Refused> {
    act.db.execute(
        "update widget set install_state = 'installed', installed_at = ?2 where id = ?1",
        params![widget.id, act.now.as_micros()],
    )?;
    act.record(
        &project.workspace_id,
        events::project::widget_installed(actor, project, widget, host, by),
    )
}
