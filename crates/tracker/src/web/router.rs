//! Which path is whose, and what every answer has.

use std::net::SocketAddr;
use std::time::Duration;

use annals_client::ContextLayer;
use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use super::visitor::visit;
use super::{
    account, audit_logs, clock_door, comments, csrf, exports, home, integrations, issues, join,
    login, members, projects, recovery, settings, signup, widget,
};
use crate::app::App;
use crate::look;
use crate::refused::Refused;

/// Bytes of a form.
const FORM_MAX: usize = 256 * 1024;
/// How long a request may take before it is given up. Providers have their own, shorter limits.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// Everything that the tracker answers. `more` are pages beside it, such as the mailbox.
pub(crate) fn router(app: &App, more: Router) -> Router {
    let pages = Router::new()
        .merge(outside())
        .merge(inside())
        .merge(in_workspace())
        .merge(in_project())
        .fallback(async || Refused::not_found())
        .layer(DefaultBodyLimit::max(FORM_MAX))
        .layer(from_fn_with_state(app.clone(), visit))
        .layer(context(app, "web"));
    let mut open = Router::new()
        .route(
            "/widget/{key}",
            get(widget::settings).options(widget::preflight),
        )
        .route(
            "/widget/{key}/ping",
            post(widget::ping).options(widget::preflight),
        )
        .route(
            "/widget/{key}/issues",
            post(widget::report).options(widget::preflight),
        )
        .layer(context(app, "widget"))
        .route("/healthz", get(async || "ok\n"));
    if app.config.clock_door {
        open = open.route("/clock", post(clock_door::set));
    }
    pages
        .merge(open)
        .merge(look::routes())
        .layer(from_fn_with_state(app.clone(), guard))
        .with_state(app.clone())
        .merge(more.layer(from_fn_with_state(app.clone(), guard)))
}

/// For everybody.
fn outside() -> Router<App> {
    Router::new()
        .route("/login", get(login::show_login).post(login::log_in))
        .route(
            "/login/code",
            get(login::show_code).post(login::request_code),
        )
        .route("/login/code/enter", post(login::enter_code))
        .route("/signup", get(signup::show_signup).post(signup::sign_up))
        .route(
            "/verify/{token}",
            get(signup::show_verify).post(signup::verify),
        )
        .route(
            "/confirm-email/{token}",
            get(signup::show_confirm_email).post(signup::confirm_email),
        )
        .route("/recover", get(recovery::show).post(recovery::request))
        .route(
            "/recover/{token}",
            get(recovery::show_reset).post(recovery::reset),
        )
        .route("/join/{token}", get(join::show).post(join::accept))
        .route("/join/{token}/new", post(join::accept_anew))
}

/// For everybody who is signed in.
fn inside() -> Router<App> {
    Router::new()
        .route("/", get(home::show))
        .route("/logout", post(login::log_out))
        .route("/verify-again", post(signup::send_again))
        .route(
            "/verify-domain/{token}",
            get(signup::show_verify_domain).post(signup::verify_domain),
        )
        .route("/workspaces/new", get(home::show_new).post(home::create))
        .route("/workspaces/{slug}/join", post(join::by_domain))
        .route("/account", get(account::show))
        .route("/account/profile", post(account::update))
        .route("/account/email", post(account::change_email))
        .route("/account/password", post(account::change_password))
        .route("/account/sessions/{id}/end", post(account::end_session))
        .route("/account/delete", post(account::delete))
        .route(
            "/account/integrations/{provider}/connect",
            post(integrations::connect_personal),
        )
        .route(
            "/account/integrations/{provider}/delete",
            post(integrations::delete_personal),
        )
        .route("/oauth/callback", get(integrations::callback))
}

/// For the members of a workspace.
fn in_workspace() -> Router<App> {
    let routes = Router::new()
        .route("/", get(projects::show))
        .route(
            "/projects/new",
            get(projects::show_new).post(projects::create),
        )
        .route("/members", get(members::show))
        .route("/members/invite", post(members::invite))
        .route("/members/leave", post(members::leave))
        .route("/members/{user}/role", post(members::set_role))
        .route("/members/{user}/remove", post(members::remove))
        .route("/invitations/{id}/resend", post(members::resend))
        .route("/invitations/{id}/revoke", post(members::revoke))
        .route("/settings", get(settings::show).post(settings::update))
        .route("/settings/delete", post(settings::delete))
        .route(
            "/settings/domains",
            get(settings::show_domains).post(settings::add_domain),
        )
        .route(
            "/settings/domains/{id}/remove",
            post(settings::remove_domain),
        )
        .route(
            "/settings/groups",
            get(settings::show_groups).post(settings::add_group),
        )
        .route("/settings/groups/{id}/delete", post(settings::delete_group))
        .route("/settings/integrations", get(integrations::show))
        .route(
            "/settings/integrations/{id}/connect",
            post(integrations::connect_shared),
        )
        .route(
            "/settings/integrations/{id}/delete",
            post(integrations::delete_shared),
        )
        .route("/settings/audit-logs", get(audit_logs::show));
    Router::new().nest("/w/{workspace}", routes)
}

/// For those who may see a project.
fn in_project() -> Router<App> {
    let routes = Router::new()
        .route("/", get(issues::list))
        .route("/new", get(issues::show_new).post(issues::create))
        .route("/i/{number}", get(issues::show))
        .route("/i/{number}/status", post(issues::set_status))
        .route("/i/{number}/assign", post(issues::assign))
        .route("/i/{number}/forward", post(issues::forward_again))
        .route("/i/{number}/delete", post(issues::delete))
        .route("/i/{number}/comments", post(comments::publish))
        .route(
            "/i/{number}/comments/{id}/edit",
            get(comments::show_edit).post(comments::edit),
        )
        .route("/i/{number}/comments/{id}/delete", post(comments::delete))
        .route("/people", get(projects::show_people))
        .route("/people/invite", post(projects::invite))
        .route("/people/{user}/remove", post(projects::remove))
        .route("/exports", get(exports::show).post(exports::request))
        .route("/exports/{id}", get(exports::download))
        .route(
            "/settings",
            get(projects::show_settings).post(projects::update),
        )
        .route("/settings/group", post(projects::assign_group))
        .route("/settings/widget", post(projects::configure_widget))
        .route("/settings/widget/confirm", post(projects::confirm_widget))
        .route("/settings/archive", post(projects::archive))
        .route("/settings/unarchive", post(projects::unarchive))
        .route("/settings/delete", post(projects::delete));
    Router::new().nest("/w/{workspace}/p/{project}", routes)
}

/// What makes address, browser and request of each request known to the events that it causes.
fn context(app: &App, source: &str) -> ContextLayer {
    let layer = ContextLayer::new(source)
        .peer(|extensions| Some(extensions.get::<ConnectInfo<SocketAddr>>()?.0.ip()));
    app.config
        .trusted_proxies
        .iter()
        .fold(layer, |layer, network| layer.trust(*network))
}

/// What a page may load and where its forms may lead: nothing but its own files, and the providers that people are sent to.
pub(super) fn policy(app: &App, more: &str) -> String {
    let mut providers: Vec<String> = app
        .config
        .providers
        .iter()
        .map(|provider| csrf::origin(&provider.authorize_url))
        .collect();
    providers.dedup();
    let providers = providers.join(" ");
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self' {providers}; frame-ancestors 'none'; base-uri 'none'{more}"
    )
}

async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = match tokio::time::timeout(REQUEST_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => axum::response::IntoResponse::into_response(Refused::internal(
            "a request took too long",
        )),
    };
    let headers = response.headers_mut();
    if !headers.contains_key(CONTENT_SECURITY_POLICY)
        && let Ok(policy) = HeaderValue::try_from(policy(&app, ""))
    {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Addresses hold tokens: they stay here. (Stricter, and browsers would no longer say where a form comes from.)
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    if app.settings.public_url.starts_with("https://") {
        headers.insert(
            STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    // The one file that pages of others load.
    let resource = if path == "/widget.js" {
        "cross-origin"
    } else {
        "same-origin"
    };
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static(resource),
    );
    response
}
