//! The audit log page: what an admin sees, filters, opens and downloads.
//!
//! Pages are made on the server and are complete without scripts; a handler reads the address, makes
//! one call through the store's door and fills a page struct. The search language, the rows and the
//! files are the same as the API's.

use annals_store::Intent;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use crate::app::App;
use crate::error::ApiError;
use crate::portal::{self, Guest, Visitor};

mod address;
mod agent;
mod assets;
mod chart;
mod download;
mod event;
mod filters;
mod json;
mod locked;
mod log;
pub(crate) mod message;
mod pages;
mod proof;
mod row;
mod seen;
mod table;
mod visible;
mod zone;

pub(crate) use address::encode;

use pages::{Me, Shell};

/// The routes of the pages, their files and the portal: method, path and handler.
fn table() -> [(&'static str, &'static str, MethodRouter<App>); 14] {
    [
        ("GET", "/", get(start)),
        ("GET", "/assets/{name}", get(assets::serve)),
        ("GET", "/portal/launch", get(portal::launch)),
        ("GET", "/portal/continue", get(portal::resume)),
        ("POST", "/portal/sign-out", post(portal::sign_out)),
        ("GET", "/w/{organization}/audit-logs", get(log::page)),
        (
            "GET",
            "/w/{organization}/audit-logs/filter",
            get(log::filter),
        ),
        (
            "GET",
            "/w/{organization}/audit-logs/event/{id}",
            get(log::event),
        ),
        (
            "GET",
            "/w/{organization}/audit-logs/download.csv",
            get(download::csv),
        ),
        (
            "GET",
            "/w/{organization}/audit-logs/download.ndjson",
            get(download::ndjson),
        ),
        (
            "GET",
            "/w/{organization}/audit-logs/download.parquet",
            get(download::parquet),
        ),
        (
            "GET",
            "/w/{organization}/audit-logs/download.proof",
            get(download::proof),
        ),
        (
            "GET",
            "/w/{organization}/audit-logs/example.csv",
            get(locked::example),
        ),
        ("GET", "/w/{organization}/audit-logs/streams", get(streams)),
    ]
}

/// The routes of the pages as a router.
pub(crate) fn routes() -> Router<App> {
    table()
        .into_iter()
        .fold(Router::new(), |router, (_, path, handler)| {
            router.route(path, handler)
        })
}

/// The start page, for browsers. Programs are told that there is nothing here, as anywhere else.
async fn start(State(app): State<App>, guest: Guest, headers: HeaderMap) -> Response {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|types| types.contains("text/html")) {
        let mut response = message::start(&app, &guest).into_response();
        response
            .headers_mut()
            .insert(VARY, HeaderValue::from_static("accept"));
        response
    } else {
        ApiError::NoRoute.into_response()
    }
}

/// Where links for log streams lead.
async fn streams(
    State(app): State<App>,
    guest: Guest,
    Path(organization): Path<String>,
) -> Response {
    let entered = portal::enter_for_any(&app, &guest, &organization).await;
    let stop = entered.map_or_else(std::convert::identity, |visitor| {
        let opens_log = visitor.grant.intent == Intent::AuditLogs;
        let home = opens_log.then(|| format!("/w/{organization}/audit-logs"));
        message::streams(&app, &guest, home)
    });
    stop.into_response()
}

/// Methods and paths of these routes, for counters and for the test that asks each who may use it.
pub(crate) fn paths() -> impl Iterator<Item = (&'static str, &'static str)> {
    table().into_iter().map(|(method, path, _)| (method, path))
}

/// An answer that ends a request early: a page that says why, or where to go instead.
#[derive(Debug)]
pub(crate) struct Stop(Box<Response>);

impl From<Response> for Stop {
    fn from(response: Response) -> Stop {
        Stop(Box::new(response))
    }
}

impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        *self.0
    }
}

/// Ends a request with the page for an error.
fn failing<'a>(app: &'a App, guest: &'a Guest) -> impl Fn(ApiError) -> Stop + 'a {
    move |error| message::failed(app, guest, error)
}

/// Renders a page for a visitor.
fn render(app: &App, visitor: &Visitor, status: StatusCode, page: &impl Template) -> Response {
    let mut response = html(status, page);
    guard(&mut response, &ancestors(app, visitor));
    response
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(error) => {
            // Writing to a string cannot fail, and the templates are compiled in.
            tracing::error!(%error, "cannot render a page");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Who may frame a visitor's pages: the origins of the installation and of the workspace, and the
/// one that the link was made for.
fn ancestors(app: &App, visitor: &Visitor) -> String {
    let of_link = visitor.grant.embed_origin.iter();
    let all = app
        .config
        .frame_origins
        .iter()
        .chain(&visitor.organization.frame_origins)
        .chain(of_link);
    let mut origins: Vec<&str> = all
        .map(|o| o.trim_end_matches('/'))
        .filter(|o| crate::config::is_web_origin(o))
        .collect();
    origins.sort_unstable();
    origins.dedup();
    if origins.is_empty() {
        "'none'".to_owned()
    } else {
        origins.join(" ")
    }
}

/// The headers of every page. Nothing but what this server sends is run, shown or spoken to; nothing
/// is kept; no address is passed on.
pub(crate) fn guard(response: &mut Response, frame_ancestors: &str) {
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors {frame_ancestors}"
    );
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::try_from(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    );
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
}

/// What surrounds a visitor's page.
fn shell(visitor: &Visitor, guest: &Guest, embed: bool, title: &str) -> Shell {
    let organization = &visitor.organization;
    let user = visitor.grant.user.as_ref();
    let name = user.map_or("Portal link", |user| {
        user.name
            .as_deref()
            .or(user.email.as_deref())
            .unwrap_or(&user.id)
    });
    let email = user
        .filter(|user| user.name.is_some())
        .and_then(|user| user.email.as_deref());
    let workspace = visible::short(&organization.name, 60);
    let embed = embed || guest.framed;
    Shell {
        title: format!("{title} – Audit Logs – {workspace}"),
        initial: workspace
            .chars()
            .find(|c| c.is_alphanumeric())
            .map(|c| c.to_uppercase().collect())
            .unwrap_or_default(),
        workspace,
        embed,
        me: Some(Me {
            name: visible::short(name, 60),
            email: email
                .map(|email| visible::short(email, 80))
                .unwrap_or_default(),
            role: visitor.grant.role.as_str(),
            face: row::face(
                if user.is_some() {
                    "user"
                } else {
                    "portal_link"
                },
                name,
                user.map(|u| u.id.as_str()),
            ),
        }),
        csrf: visitor.session.csrf.clone(),
        return_url: visitor
            .grant
            .return_url
            .clone()
            .filter(|url| url.starts_with("https://") || url.starts_with("http://")),
        home: format!("/w/{}/audit-logs", organization.id),
        css: assets::css(),
        js: assets::js(),
        favicon: assets::icon(),
    }
}

/// Lets a visitor in who may read now, and records that they do; or answers with the page that says
/// why not.
async fn reading(
    app: &App,
    guest: &Guest,
    organization: &str,
    status: StatusCode,
) -> Result<Visitor, Stop> {
    let visitor = portal::enter(app, guest, organization).await?;
    if !visitor.is_entitled() {
        return Err(Stop::from(locked::page(app, &visitor, guest, status)));
    }
    visitor
        .reads(app, guest)
        .await
        .map_err(failing(app, guest))?;
    // What comes after sees the log with the record in it.
    Ok(visitor)
}

/// The workspace's page of the host, with a page of ours in it; or our own address.
fn shared_link(app: &App, visitor: &Visitor, path: &str) -> String {
    match &visitor.organization.viewer_url {
        Some(template) if template.contains("{path}") => template.replace("{path}", &encode(path)),
        _ => format!("{}{path}", app.base_url),
    }
}

/// Where a workspace that is not entitled is sent: to the page that the operator names, else to an
/// empty message, so that the button is never a dead link.
fn contact(app: &App, visitor: &Visitor) -> String {
    match &app.config.contact_url {
        Some(url) => url.clone(),
        None => {
            let subject = format!("Audit Logs for {}", visitor.organization.name);
            let body = "We would like to enable Audit Logs on our workspace. Please contact us for a demo.";
            format!("mailto:?subject={}&body={}", encode(&subject), encode(body))
        }
    }
}
