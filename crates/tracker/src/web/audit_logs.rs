//! Settings → Audit Logs: Annals' own page, in a frame.
//!
//! The page asks Annals for a link each time it is shown: for this person, to the page that `open` names, in a frame of this origin.
//! What a link opens is a session at Annals, which ends with the right to read (`domain/viewer.rs`), and soon anyway.
//! Whether the workspace may read its log is Annals' to say; where it may not, the frame shows how to get it.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use serde::Deserialize;

use annals_client::{ClientError, PortalLink};

use super::answer::{Answer, page};
use super::csrf;
use super::frame::{Place, within};
use super::router::policy;
use super::settings::nav;
use super::visitor::Seat;
use crate::app::App;
use crate::domain::permission::Deed;
use crate::domain::viewer;
use crate::look::{Link, Shell};
use crate::refused::Refused;

/// How long Annals' page goes on by itself. It is told when somebody may read no more; this holds where it cannot be told.
const VIEWER_SECONDS: u32 = 30 * 60;

#[derive(Template)]
#[template(path = "settings_audit_logs.html")]
struct AuditLogsPage {
    shell: Shell,
    nav: Vec<Link>,
    /// Empty where Annals cannot be reached.
    link: String,
    /// Whether Annals has not heard of the workspace yet.
    soon: bool,
    again: String,
}

/// The page of Annals that is to be opened.
#[derive(Deserialize)]
pub(super) struct Open {
    open: Option<String>,
}

pub(super) async fn show(State(app): State<App>, seat: Seat, Query(query): Query<Open>) -> Answer {
    // For everybody else there is no such page.
    if !seat.member.may(Deed::ReadAuditLog) {
        return Err(Refused::not_found());
    }
    let (user, workspace) = (&seat.member.user, &seat.member.workspace);
    let origin = csrf::origin(&app.settings.public_url);
    let mut wanted = PortalLink::new(&workspace.id)
        .user(&user.id, &user.name, &user.email)
        .role("owner")
        .embed_origin(&origin)
        .session_seconds(VIEWER_SECONDS)
        .return_url(
            app.settings
                .link(&format!("/w/{}/settings", workspace.slug)),
        );
    if let Some(path) = query
        .open
        .as_deref()
        .filter(|path| path.starts_with(&format!("/w/{}/", workspace.id)))
    {
        wanted = wanted.path(path);
    }
    let (link, soon) = match app.annals.portal_link_for(&wanted).await {
        Ok(link) => (link, false),
        Err(ClientError::UnknownWorkspace) => (String::new(), true),
        Err(error) => {
            tracing::warn!(%error, "cannot open the audit log");
            (String::new(), false)
        }
    };
    // Whoever has lost the right while Annals was asked gets no link: it may have been told before it made this one.
    let (member, now) = (seat.member.clone(), app.clock.now());
    let (session, _) = seat
        .visitor
        .signed_in
        .clone()
        .ok_or_else(Refused::not_found)?;
    app.read(move |db| viewer::check(db, &member, &session, now))
        .await?;
    let annals = csrf::origin(&link);
    let shown = AuditLogsPage {
        shell: within(&app, &seat, "Audit Logs", Place::Settings).await?,
        nav: nav(&seat.member, "/audit-logs"),
        link,
        soon,
        again: format!("/w/{}/settings/audit-logs", workspace.slug),
    };
    let mut response = page(&shown)?;
    if let Ok(policy) = HeaderValue::try_from(policy(&app, &format!("; frame-src {annals}"))) {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}
