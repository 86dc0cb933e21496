//! What the widget asks, from pages of customers and from anybody else: the world may call these.
//!
//! No cookie is looked at and no page of ours is shown to it, so every origin may call; whether a page may *use* the widget is decided
//! here, by the origin that the browser names. Bodies are small, attempts are limited, and floods of failures become one event.

use annals_client::RequestContext;
use annals_client::actions::IssueCreationFailedReason as Reason;
use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE, ORIGIN,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::status;
use crate::app::App;
use crate::clock::seconds_between;
use crate::domain::project::Project;
use crate::domain::report::{self, Report, Reporter, creation_failed};
use crate::domain::widget::{self, Visibility, Widget};
use crate::domain::{email, text};
use crate::limits::{Limited, source};
use crate::loops;
use crate::refused::{Kind, Refused};

/// Bytes of a report.
const BODY_MAX: usize = 64 * 1024;
/// How often the last load of a widget is noted.
const PING_SECONDS: i64 = 300;

/// A report as the widget sends it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Sent {
    title: String,
    description: String,
    name: String,
    email: String,
    page_path: String,
}

/// The host of the page that asks, as its browser says. Pages cannot choose it; programs can, and gain what any visitor has.
fn host(headers: &HeaderMap) -> String {
    let origin = headers
        .get(ORIGIN)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    origin
        .split_once("://")
        .map_or_else(String::new, |(_, host)| host.to_ascii_lowercase())
}

fn find(db: &Connection, key: &str) -> Result<(Widget, Project), Refused> {
    let unknown = || Refused::new(Kind::NotFound, "There is no such widget.");
    let widget = Widget::by_key(db, key)?.ok_or_else(unknown)?;
    let project = Project::by_id(db, &widget.project_id)?.ok_or_else(unknown)?;
    Ok((widget, project))
}

/// Before a browser sends what a page has made.
pub(super) async fn preflight() -> Response {
    open(StatusCode::NO_CONTENT.into_response())
}

/// What the widget has to know.
pub(super) async fn settings(
    State(app): State<App>,
    headers: HeaderMap,
    Path(key): Path<String>,
) -> Response {
    let host = host(&headers);
    let found = app.read(move |db| {
        let (widget, project) = find(db, &key)?;
        if !widget.allows(&host) {
            return Err(Refused::new(
                Kind::Forbidden,
                "This page may not use the widget. Add its host to the widget's settings.",
            ));
        }
        if project.archived_at.is_some() {
            return Err(Refused::conflict("This project is archived."));
        }
        Ok(json!({ "project": project.name, "visibility": widget.visibility.as_str() }))
    });
    told(StatusCode::OK, found.await)
}

/// That a page has loaded the widget: the first time it proves that the widget is in place.
pub(super) async fn ping(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    Path(key): Path<String>,
) -> Response {
    let (host, now) = (host(&headers), app.clock.now());
    let done = async {
        let looked_up = key.clone();
        let (widget, _) = app.read(move |db| find(db, &looked_up)).await?;
        // Every visitor pings; what would change nothing writes nothing.
        let fresh = widget
            .last_ping_at
            .is_some_and(|last| last <= now && seconds_between(last, now) < PING_SECONDS);
        if widget.install_state == "pending_verification" || (widget.allows(&host) && !fresh) {
            app.limiter
                .count(Limited::WidgetOfProject, &widget.id, now)?;
            app.act(&context, move |act| widget::ping(act, &key, &host))
                .await?;
        }
        Ok(Value::Null)
    };
    told(StatusCode::NO_CONTENT, done.await)
}

/// Takes a report.
pub(super) async fn report(
    State(app): State<App>,
    Extension(context): Extension<RequestContext>,
    headers: HeaderMap,
    Path(key): Path<String>,
    body: Body,
) -> Response {
    let made = take(&app, &context, host(&headers), key, body).await;
    told(StatusCode::CREATED, made)
}

async fn take(
    app: &App,
    context: &RequestContext,
    host: String,
    key: String,
    body: Body,
) -> Result<Value, Refused> {
    let now = app.clock.now();
    let address = context.context().location.clone().unwrap_or_default();
    let found = app.read(move |db| find(db, &key)).await;
    let (widget, project) = match found {
        Err(unknown) if unknown.kind == Kind::NotFound => {
            return Err(unheard(app, context, &address, unknown).await);
        }
        found => found?,
    };
    let limited = app.limiter.count(
        Limited::WidgetFromAddress,
        &format!("{}/{}", widget.id, source(&address)),
        now,
    );
    let limited =
        limited.and_then(|()| app.limiter.count(Limited::WidgetOfProject, &widget.id, now));
    let read = if limited.is_ok() {
        Some(to_bytes(body, BODY_MAX).await)
    } else {
        None
    };
    let issue_context = context.clone();
    let issue = app
        .act(context, move |act| {
            let nobody = Reporter::Visitor {
                name: String::new(),
                email: String::new(),
            };
            let refuse = |refused, reason| {
                Err(creation_failed(
                    refused, &nobody, &project, "widget", reason,
                ))
            };
            let Some(read) = read else {
                return refuse(Refused::too_many(), Reason::RateLimited);
            };
            if project.archived_at.is_some() {
                return refuse(
                    Refused::conflict("Reports are not taken here any more."),
                    Reason::ProjectArchived,
                );
            }
            if !widget.allows(&host) {
                return refuse(
                    Refused::forbidden("Reports are not taken from this page."),
                    Reason::WidgetDomainNotAllowed,
                );
            }
            if !widget.is_installed() {
                return refuse(
                    Refused::conflict("The widget is not set up yet."),
                    Reason::WidgetNotInstalled,
                );
            }
            if widget.visibility != Visibility::Everyone {
                return refuse(
                    Refused::forbidden("Reports are taken from members and guests alone."),
                    Reason::VisibilityDenied,
                );
            }
            let Ok(bytes) = read else {
                return refuse(
                    Refused::new(Kind::Invalid, "That is too much text. Please shorten it."),
                    Reason::PayloadTooLarge,
                );
            };
            let (reporter, report) = match understood(&bytes, host) {
                Ok(understood) => understood,
                Err(refused) => return refuse(refused, Reason::ValidationFailed),
            };
            let issue = report::create(act, &reporter, &project, "widget", &report)?;
            Ok((issue, reporter))
        })
        .await;
    let (issue, reporter) = issue?;
    loops::forward::soon(app, &issue, reporter, &issue_context);
    Ok(json!({ "number": issue.number }))
}

/// The refusal of a report to a widget that nobody has: there is no workspace to tell, only whoever operates this.
async fn unheard(app: &App, context: &RequestContext, address: &str, unknown: Refused) -> Refused {
    let limit = app.limiter.count(
        Limited::GuessesFromAddress,
        &source(address),
        app.clock.now(),
    );
    if let Err(limited) = limit {
        return limited;
    }
    let told = app.act(context, |act| {
        act.record_platform("issue.creation_failed", None, Some("unknown_widget"))
    });
    told.await.err().unwrap_or(unknown)
}

/// A report and who says to make it.
fn understood(bytes: &[u8], host: String) -> Result<(Reporter, Report), Refused> {
    let unreadable = |_| {
        Refused::new(
            Kind::Invalid,
            "The report cannot be read: it has to be a JSON object with a title.",
        )
    };
    let sent: Sent = serde_json::from_slice(bytes).map_err(unreadable)?;
    let name = text::optional_line("name", &sent.name, text::NAME_CHARS)?;
    let address = if sent.email.trim().is_empty() {
        String::new()
    } else {
        email::required("email", &sent.email)?
    };
    // Queries and fragments carry what is nobody's business.
    let path = sent.page_path.split(['?', '#']).next().unwrap_or_default();
    let report = Report {
        title: sent.title,
        description: sent.description,
        page_host: host,
        page_path: path.chars().take(1_000).collect(),
        ..Report::default()
    };
    Ok((
        Reporter::Visitor {
            name,
            email: address,
        },
        report,
    ))
}

fn told(good: StatusCode, done: Result<Value, Refused>) -> Response {
    let (status, body) = match done {
        Ok(Value::Null) => return open(good.into_response()),
        Ok(body) => (good, body),
        Err(refused) => (
            status(refused.kind),
            json!({ "message": refused.message, "field": refused.field }),
        ),
    };
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    open((status, headers, body.to_string()).into_response())
}

/// Lets pages of every origin read the answer.
fn open(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "content-type"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, axum::http::HeaderValue::from_static(value));
    }
    response
}
