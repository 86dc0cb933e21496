//! Who opens the pages: portal links, browser sessions and their cookies.
//!
//! The host makes a link for one person and one workspace; opening it gives the browser a session
//! that may see that workspace. A session can hold several. What a session does not hold answers as
//! if it did not exist.

use std::net::IpAddr;
use std::sync::Arc;

use annals_event::{Actor, Context};
use annals_store::{
    ControlError, Entitlement, Grant, Intent, Log, Organization, RedeemRefusal, Redeemed, Role,
    Session,
};
use axum::extract::{FromRequestParts, Query, State};
use axum::http::header::{HOST, LOCATION, ORIGIN, SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::audit::{self, Act};
use crate::auth::client_address;
use crate::error::ApiError;
use crate::request::RequestId;
use crate::viewer::{self, Stop};

mod cookies;

pub(crate) use cookies::Cookies;

/// Whoever sends a request for a page, signed in or not.
#[derive(Clone)]
pub(crate) struct Guest {
    /// What the browser kept for us.
    pub(crate) cookies: Cookies,
    /// Whether the page will stand inside of another one.
    pub(crate) framed: bool,
    /// Whether the browser fetches ahead, for somebody who has not clicked.
    pub(crate) ahead: bool,
    /// Whether the request was caused by a page of another site, as far as the browser says.
    pub(crate) foreign: bool,
    /// The name of the request, to quote.
    pub(crate) request_id: String,
    address: Option<IpAddr>,
    user_agent: Option<String>,
    origin: Option<String>,
    host: String,
    /// Path and query of the request.
    pub(crate) target: String,
}

impl FromRequestParts<App> for Guest {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Self::Rejection> {
        let header = |name: &str| {
            parts
                .headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .unwrap_or_default()
        };
        let purpose = ["sec-purpose", "purpose", "x-purpose", "x-moz"]
            .map(header)
            .join(" ");
        Ok(Guest {
            cookies: Cookies::read(&parts.headers, app.config.is_https()),
            framed: matches!(
                header("sec-fetch-dest"),
                "iframe" | "frame" | "embed" | "object"
            ),
            ahead: purpose.contains("prefetch")
                || purpose.contains("prerender")
                || purpose.contains("preview"),
            foreign: header("sec-fetch-site") == "cross-site",
            request_id: parts
                .extensions
                .get::<RequestId>()
                .map(|id| id.as_str().to_owned())
                .unwrap_or_default(),
            address: client_address(parts, app),
            user_agent: text(&parts.headers, USER_AGENT)
                .map(|agent| agent.chars().take(512).collect()),
            origin: text(&parts.headers, ORIGIN),
            host: text(&parts.headers, HOST).unwrap_or_default(),
            target: parts
                .uri
                .path_and_query()
                .map(|p| p.as_str().to_owned())
                .unwrap_or_default(),
        })
    }
}

fn text(headers: &HeaderMap, name: axum::http::HeaderName) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

/// Somebody whose session may see a workspace.
#[derive(Clone)]
pub(crate) struct Visitor {
    /// The workspace.
    pub(crate) organization: Arc<Organization>,
    /// Its log.
    pub(crate) log: Log,
    /// The session.
    pub(crate) session: Arc<Session>,
    /// What it may do here.
    pub(crate) grant: Arc<Grant>,
    cookie: String,
}

impl Visitor {
    /// Whether this person may take the log away in files.
    pub(crate) fn may_download(&self) -> bool {
        self.grant.role >= Role::Auditor
    }

    /// Whether the workspace may read its log now.
    pub(crate) fn is_entitled(&self) -> bool {
        self.organization.entitlement == Entitlement::Active
    }

    /// Who does something to the log, for the record of it.
    pub(crate) fn act(&self, guest: &Guest) -> Act {
        act(&self.grant, &self.session, guest)
    }

    /// Records that this session reads the log, once. Without the record there is no reading; an
    /// empty log has nothing to read, and its first entry is never ours.
    pub(crate) async fn reads(&self, app: &App, guest: &Guest) -> Result<(), ApiError> {
        if self.grant.viewed_recorded || self.log.size() == 0 {
            return Ok(());
        }
        let own = self.act(guest).event(app, "audit_log.viewed").target(
            "audit_log",
            &self.organization.id,
            None,
        );
        let records = own.recorded_in(&self.log);
        app.store
            .record_viewed(&self.cookie, &self.organization.id, |_, _| records)
            .await?;
        Ok(())
    }
}

fn act(grant: &Grant, session: &Session, guest: &Guest) -> Act {
    let actor = match &grant.user {
        Some(user) => Actor {
            id: user.id.clone(),
            kind: "user".to_owned(),
            name: user.name.clone(),
            email: user.email.clone(),
            role: Some(grant.role.as_str().to_owned()),
            ..Actor::default()
        },
        None => Actor {
            id: grant.link_id.clone(),
            kind: "portal_link".to_owned(),
            role: Some(grant.role.as_str().to_owned()),
            ..Actor::default()
        },
    };
    Act {
        actor,
        context: Context {
            session_id: Some(session.id.clone()),
            ..context(guest)
        },
    }
}

fn context(guest: &Guest) -> Context {
    Context {
        location: guest.address.map(|address| address.to_string()),
        user_agent: guest.user_agent.clone(),
        source: Some("viewer".to_owned()),
        request_id: Some(guest.request_id.clone()),
        ..Context::default()
    }
}

/// Lets somebody into the pages of a workspace's log, or answers with the page that says why not.
pub(crate) async fn enter(app: &App, guest: &Guest, organization: &str) -> Result<Visitor, Stop> {
    let visitor = enter_for_any(app, guest, organization).await?;
    match visitor.grant.intent {
        Intent::AuditLogs => Ok(visitor),
        Intent::LogStreams => Err(viewer::message::streams_only(app, guest)),
    }
}

/// Lets somebody into a workspace's pages, whatever the link was for.
pub(crate) async fn enter_for_any(
    app: &App,
    guest: &Guest,
    organization: &str,
) -> Result<Visitor, Stop> {
    let handoff = handoff_of(&guest.target);
    let cookie = guest.cookies.session.as_deref();
    let session = cookie.and_then(|cookie| Some((cookie, app.store.session(cookie)?)));
    let granted = session.as_ref().and_then(|(cookie, session)| {
        let grant = Arc::clone(session.grant(organization)?);
        Some(((*cookie).to_owned(), Arc::clone(session), grant))
    });
    let Some((cookie, session, grant)) = granted else {
        return Err(match (handoff, session) {
            (Some(token), _) => viewer::message::cookie_refused(app, guest, &token),
            (None, Some((_, session))) => {
                // Somebody who is known looks where they may not.
                if let Some(grant) = session.grants().next() {
                    let home = app.store.installation_log();
                    audit::turned_away(
                        app,
                        &act(grant, &session, guest),
                        &home,
                        &session.id,
                        "wrong_workspace",
                    );
                }
                viewer::message::not_found(app, guest)
            }
            (None, None) => viewer::message::session_ended(app, guest),
        });
    };
    let (Some(organization), Some(log)) = (
        app.store.organization(organization),
        app.store.log(organization),
    ) else {
        return Err(viewer::message::not_found(app, guest));
    };
    if let Some(token) = handoff {
        // The browser kept the cookie, so that the token has done its work: it is spent, and the
        // address that people copy is without it.
        let _ = app.store.redeem_handoff(&token, Some(&cookie)).await;
        return Err(Stop::from(redirect(&without_handoff(&guest.target))));
    }
    Ok(Visitor {
        organization,
        log,
        session,
        grant,
        cookie,
    })
}

/// `GET /portal/launch?token=…`: redeems a link and leads to its page.
pub(crate) async fn launch(
    State(app): State<App>,
    method: Method,
    guest: Guest,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let Some(token) = pairs
        .iter()
        .find(|(name, _)| name == "token")
        .map(|(_, token)| token.as_str())
    else {
        return viewer::message::link_refused(&app, &guest, RedeemRefusal::Unknown).into_response();
    };
    if method != Method::GET || guest.ahead {
        // Somebody looks at the link (a mail scanner, a chat preview, a prefetch): it stays unused.
        return viewer::message::not_yet().into_response();
    }
    let redeemed = app
        .store
        .redeem_link(token, guest.cookies.session.as_deref(), |link, session| {
            let Some(log) = app.store.log(&link.terms.organization_id) else {
                return Vec::new();
            };
            let grant = Grant {
                organization_id: link.terms.organization_id.clone(),
                intent: link.terms.intent,
                role: link.terms.role,
                user: link.terms.user.clone(),
                link_id: link.id.clone(),
                embed_origin: None,
                return_url: None,
                external_user_id: None,
                expires_at: None,
                viewed_recorded: false,
            };
            let own = act(&grant, session, &guest).event(&app, "audit_log.signed_in");
            own.target("audit_log", &link.terms.organization_id, None)
                .recorded_in(&log)
        })
        .await;
    match redeemed {
        Ok(redeemed) => arrive(&app, &guest, &redeemed),
        Err(error) => refused(&app, &guest, error),
    }
}

/// `GET /portal/continue?handoff=…`: what the link of a frame that refused the cookie leads to.
pub(crate) async fn resume(
    State(app): State<App>,
    method: Method,
    guest: Guest,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    if method != Method::GET || guest.ahead {
        return viewer::message::not_yet().into_response();
    }
    let token = pairs
        .iter()
        .find(|(name, _)| name == "handoff")
        .map_or("", |(_, token)| token.as_str());
    match app
        .store
        .redeem_handoff(token, guest.cookies.session.as_deref())
        .await
    {
        Ok(redeemed) => arrive(&app, &guest, &redeemed),
        Err(error) => refused(&app, &guest, error),
    }
}

/// `POST /portal/sign-out`: ends the session.
pub(crate) async fn sign_out(
    State(app): State<App>,
    guest: Guest,
    axum::Form(pairs): axum::Form<Vec<(String, String)>>,
) -> Response {
    let session = guest
        .cookies
        .session
        .as_deref()
        .and_then(|cookie| app.store.session(cookie));
    let Some(session) = session else {
        return viewer::message::signed_out(&app, &guest).into_response();
    };
    let token = pairs
        .iter()
        .find(|(name, _)| name == "csrf")
        .map_or("", |(_, token)| token.as_str());
    if !is_own_form(&app, &guest, &session, token) {
        return viewer::message::foreign_form(&app, &guest).into_response();
    }
    let cookie = guest.cookies.session.as_deref().unwrap_or_default();
    if let Err(error) = app.store.end_session(cookie).await {
        return viewer::message::failed(&app, &guest, error.into()).into_response();
    }
    let mut response = viewer::message::signed_out(&app, &guest).into_response();
    append(&mut response, guest.cookies.clear());
    response
}

/// Whether a form was sent from a page of ours that this session got: its token, and where the
/// browser says that it comes from.
fn is_own_form(app: &App, guest: &Guest, session: &Session, token: &str) -> bool {
    let same_origin = match guest.origin.as_deref() {
        Some(origin) => {
            let authority = origin
                .split_once("://")
                .map_or("", |(_, authority)| authority);
            origin == app.base_url || (!authority.is_empty() && authority == guest.host)
        }
        None => !guest.foreign,
    };
    // Comparing hashes tells by its time nothing about the token.
    same_origin && Sha256::digest(&session.csrf) == Sha256::digest(token)
}

fn arrive(app: &App, guest: &Guest, redeemed: &Redeemed) -> Response {
    let grant = &redeemed.grant;
    let home = match grant.intent {
        Intent::AuditLogs => format!("/w/{}/audit-logs", grant.organization_id),
        Intent::LogStreams => format!("/w/{}/audit-logs/streams", grant.organization_id),
    };
    let path = redeemed.path.as_deref().unwrap_or(&home);
    let target = match &redeemed.handoff {
        Some(token) => {
            let sign = if path.contains('?') { '&' } else { '?' };
            format!("{path}{sign}handoff={}", viewer::encode(token.expose()))
        }
        None => path.to_owned(),
    };
    let mut response = redirect(&target);
    // At top level a browser takes the ordinary cookie; in a frame of another site only one that
    // is kept apart for that site.
    let embedded = guest.framed;
    if let Some(secret) = &redeemed.cookie {
        append(&mut response, guest.cookies.set(secret.expose(), embedded));
    }
    let organization = app.store.organization(&grant.organization_id);
    let back = organization
        .and_then(|o| o.viewer_url.clone())
        .or_else(|| grant.return_url.clone());
    if let Some(back) = back {
        append(
            &mut response,
            guest
                .cookies
                .set_back(&grant.organization_id, &back, embedded),
        );
    }
    response
}

fn refused(app: &App, guest: &Guest, error: ControlError) -> Response {
    match error {
        ControlError::Refused(refusal) => viewer::message::link_refused(app, guest, refusal),
        ControlError::NotFound { .. } => {
            viewer::message::link_refused(app, guest, RedeemRefusal::Unknown)
        }
        error => viewer::message::failed(app, guest, error.into()),
    }
    .into_response()
}

fn append(response: &mut Response, cookie: String) {
    // Cookies are made of letters, digits and what their encoding leaves.
    if let Ok(value) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

/// 303, never kept by anybody.
pub(crate) fn redirect(target: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    match HeaderValue::try_from(target) {
        Ok(value) => {
            response.headers_mut().insert(LOCATION, value);
        }
        // A path that no header can carry was never one of ours.
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    viewer::guard(&mut response, "'none'");
    response
}

fn handoff_of(target: &str) -> Option<String> {
    let uri: Uri = target.parse().ok()?;
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    pairs
        .into_iter()
        .find(|(name, _)| name == "handoff")
        .map(|(_, token)| token)
}

fn without_handoff(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let rest: Vec<&str> = query
        .split('&')
        .filter(|p| !p.is_empty() && !p.starts_with("handoff="))
        .collect();
    if rest.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", rest.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handoff_goes_and_the_rest_stays() {
        assert_eq!(
            without_handoff("/w/o/audit-logs?handoff=abc"),
            "/w/o/audit-logs"
        );
        assert_eq!(
            without_handoff("/w/o/audit-logs?q=a%26b&handoff=abc&tz=UTC"),
            "/w/o/audit-logs?q=a%26b&tz=UTC"
        );
        assert_eq!(
            handoff_of("/w/o/audit-logs?q=a&handoff=a-b_c").as_deref(),
            Some("a-b_c")
        );
        assert_eq!(handoff_of("/w/o/audit-logs?q=handoff"), None);
    }
}
