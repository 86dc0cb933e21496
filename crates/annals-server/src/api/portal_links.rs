//! Portal links: short-lived links that open the viewer for one workspace.

use annals_store::{Intent, NewLink, PortalUser, Role};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Manager;
use crate::body;
use crate::config::is_web_origin;
use crate::error::{ApiError, ErrorBody};
use crate::fields::{self, Fields};

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(revoke))
}

/// The most addresses in `it_contact_emails`.
const CONTACTS: usize = 20;

/// A portal link.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PortalLink {
    /// Send the person's browser there within five minutes; it opens once.
    link: String,
}

/// The body that makes a portal link.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the body is read member by member"
)]
pub(crate) struct PortalLinkBody {
    /// The workspace.
    organization: String,
    /// `audit_logs` (default) or `log_streams`.
    intent: Option<String>,
    /// Where "back" leads.
    return_url: Option<String>,
    /// Your id of the person, by which `/portal/revoke_link` revokes this link later, as by that of `user`.
    external_user_id: Option<String>,
    /// Accepted as `WorkOS` does, at most 20; nothing is sent to them.
    it_contact_emails: Option<Vec<String>>,
    /// Ours: who will use it, `{"id", "name"?, "email"?}`; without it the link itself is recorded as the actor.
    #[schema(value_type = Option<Object>)]
    user: Option<()>,
    /// Ours: `viewer`, `auditor` (default), `investigator` or `owner`.
    role: Option<String>,
    /// Ours: the page to open, below `/w/{organization}/`.
    path: Option<String>,
    /// Ours: the origin of the page that shows the viewer in a frame.
    embed_origin: Option<String>,
    /// Ours: how many seconds what the link opens lasts at most, 60 to 86400 (default).
    session_seconds: Option<u32>,
}

/// Make a portal link.
#[utoipa::path(
    post,
    path = "/portal/generate_link",
    tag = "portal",
    request_body = PortalLinkBody,
    responses(
        (status = 201, body = PortalLink),
        (status = 404, description = "No such organization.", body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn create(
    State(app): State<App>,
    caller: Manager,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::control(&app, &headers, body).await?;
    let mut fields = fields::read(&body)?;
    let organization_id = fields.required_text("organization");
    fields.texts("it_contact_emails", CONTACTS);
    let new = NewLink {
        intent: word(
            &mut fields,
            "intent",
            "audit_logs or log_streams",
            Intent::parse,
        )
        .unwrap_or(Intent::AuditLogs),
        user: user(&mut fields),
        role: word(
            &mut fields,
            "role",
            "viewer, auditor, investigator or owner",
            Role::parse,
        )
        .unwrap_or_default(),
        path: fields.text("path"),
        embed_origin: fields.text("embed_origin"),
        return_url: fields.text("return_url"),
        external_user_id: fields.text("external_user_id"),
        session_seconds: session_seconds(&mut fields),
        created_by: caller.key.id.clone(),
        organization_id: organization_id.clone(),
    };
    if new
        .embed_origin
        .as_deref()
        .is_some_and(|origin| !is_web_origin(origin))
    {
        fields.fault(
            "embed_origin",
            "bad_pattern",
            "must be an origin such as https://app.example.com",
        );
    }
    if new
        .return_url
        .as_deref()
        .is_some_and(|url| !url.starts_with("https://") && !url.starts_with("http://"))
    {
        fields.fault(
            "return_url",
            "bad_pattern",
            "must be a link that starts with https:// or http://",
        );
    }
    fields.finish()?;
    let (_, log) = caller.organization(&organization_id)?;
    let (act, recording) = (caller.act(), app.clone());
    let (_, token) = app
        .store
        .create_link(new, move |link| {
            let mut event = act
                .event(&recording, "audit_log.link_created")
                .target("portal_link", &link.id, None)
                .with("role", link.terms.role.as_str())
                .with("intent", link.terms.intent.as_str());
            if let Some(user) = &link.terms.user {
                event = event.target("user", &user.id, user.name.as_deref());
            }
            event.recorded_in(&log)
        })
        .await?;
    let link = format!("{}/portal/launch?token={}", app.base_url, token.expose());
    Ok((StatusCode::CREATED, Json(PortalLink { link })).into_response())
}

/// The body that revokes portal links.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the body is read member by member"
)]
pub(crate) struct RevokeBody {
    /// The workspace.
    organization: String,
    /// Your id of the person: the `external_user_id` that the links were made with, or the `id` of their `user`.
    external_user_id: String,
}

/// Revoke the portal links of a person.
///
/// Every link of the workspace that was made with this `external_user_id`, or for a `user` with this `id`,
/// stops working, and what was opened by one is closed: the next request is refused. That there was none
/// is no error. Call it when somebody may no longer read the log.
#[utoipa::path(
    post,
    path = "/portal/revoke_link",
    tag = "portal",
    request_body = RevokeBody,
    responses(
        (status = 204),
        (status = 404, description = "No such organization.", body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn revoke(
    State(app): State<App>,
    caller: Manager,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let body = body::control(&app, &headers, body).await?;
    let mut fields = fields::read(&body)?;
    let organization_id = fields.required_text("organization");
    let external_user_id = fields.required_text("external_user_id");
    fields.finish()?;
    let (_, log) = caller.organization(&organization_id)?;
    let (act, recording, user) = (caller.act(), app.clone(), external_user_id.clone());
    app.store
        .revoke_links(&organization_id, &external_user_id, move |ended| {
            act.event(&recording, "audit_log.link_revoked")
                .target("user", &user, None)
                .with("ended", u32::try_from(ended).unwrap_or(u32::MAX))
                .recorded_in(&log)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads a member that takes one of some words.
fn word<T>(
    fields: &mut Fields,
    name: &str,
    words: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let text = fields.text(name)?;
    let value = parse(&text);
    if value.is_none() {
        fields.fault(name, "unknown_value", &format!("must be {words}"));
    }
    value
}

/// Reads how long what the link opens is to last; the store says how long it may.
fn session_seconds(fields: &mut Fields) -> Option<u32> {
    let seconds = fields.nullable_integer("session_seconds").flatten()?;
    Some(u32::try_from(seconds).unwrap_or(0))
}

fn user(fields: &mut Fields) -> Option<PortalUser> {
    let mut user = fields.object("user")?;
    let read = PortalUser {
        id: user.required_text("id"),
        name: user.text("name"),
        email: user.text("email"),
    };
    fields.absorb(user);
    Some(read)
}
