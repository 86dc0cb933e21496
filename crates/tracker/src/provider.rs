//! Taskyard: a small task tool that speaks real OAuth 2, for the demo and the tests, on an origin of its own. It can be told to
//! misbehave: on its page `/control`, or by posting to it.
//!
//! Beside it runs the web site of a customer, on another origin, in whose pages the tracker's widget stands.

mod api;
mod authorize;
mod control;
mod site;
mod token;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use axum::response::{Html, IntoResponse as _, Response};
use tokio::net::TcpListener;

use control::Control;

use crate::mail::escape;

/// As whom the tracker is registered, and where the tracker is.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The client's id.
    pub client_id: String,
    /// The client's secret; tokens are signed with it too.
    pub client_secret: String,
    /// The one address to which people are sent back.
    pub redirect_uri: String,
    /// Where the tracker is, for the customer's web site.
    pub tracker_url: String,
}

/// What it knows. All but the tokens, which are signed, is forgotten at its end.
#[derive(Clone)]
struct Yard(Arc<Shared>);

struct Shared {
    settings: ProviderSettings,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    control: Control,
    /// Codes that wait to be exchanged, once.
    codes: HashMap<String, authorize::Grant>,
    /// Tokens that were given back.
    revoked: Vec<String>,
    /// What was forwarded, by the key of its request.
    tasks: Vec<api::Task>,
}

impl Yard {
    fn settings(&self) -> &ProviderSettings {
        &self.0.settings
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves Taskyard on the first listener and the customer's web site on the second, until it is dropped.
///
/// # Errors
/// Where a listener fails.
pub async fn serve(
    provider: TcpListener,
    site: TcpListener,
    settings: ProviderSettings,
) -> io::Result<()> {
    let site_routes = site::routes(&settings.tracker_url);
    let yard = Yard(Arc::new(Shared {
        settings,
        state: Mutex::default(),
    }));
    let routes: Router = Router::new()
        .merge(authorize::routes())
        .merge(token::routes())
        .merge(api::routes())
        .merge(control::routes())
        .with_state(yard);
    let provider = async { axum::serve(provider, routes).await };
    let site = async { axum::serve(site, site_routes).await };
    tokio::try_join!(provider, site).map(|_| ())
}

/// The accounts that somebody may choose from at Taskyard, where everybody is signed in as everybody.
const ACCOUNTS: [(&str, &str, &str); 3] = [
    ("ty-1001", "Acme team", "acme.taskyard.example"),
    ("ty-1002", "Bob's tasks", "bob.taskyard.example"),
    ("ty-1003", "Support desk", "desk.taskyard.example"),
];

const STYLE: &str = "
body { margin: 0; font: 15px/1.55 system-ui, sans-serif; background: #f3f6f2; color: #1b261e; }
main { max-width: 480px; margin: 8vh auto; background: #fff; border: 1px solid #d8e2d6; border-radius: 14px; padding: 28px 32px; }
main.wide { max-width: 820px; margin-top: 5vh; }
h1 { font-size: 21px; margin: 0 0 6px; } h2 { font-size: 16px; margin: 22px 0 6px; } p { margin: 0 0 14px; color: #4d5a50; }
header { font-weight: 700; color: #1c7a45; margin-bottom: 18px; }
label { display: flex; gap: 9px; padding: 6px 0; } fieldset { border: 1px solid #d8e2d6; border-radius: 10px; margin: 0 0 14px; padding: 8px 14px; } legend { font-weight: 600; padding: 0 4px; }
button { font: inherit; font-weight: 600; padding: 9px 18px; border-radius: 8px; border: 1px solid #b7c6b6; background: #fff; cursor: pointer; }
button.main { background: #1c7a45; border-color: #1c7a45; color: #fff; } .row { display: flex; gap: 10px; }
table { border-collapse: collapse; width: 100%; } td:first-child { white-space: nowrap; } td:last-child { overflow-wrap: anywhere; } td, th { text-align: left; padding: 7px 10px 7px 0; border-bottom: 1px solid #e3eae1; vertical-align: top; }
select { font: inherit; padding: 5px 8px; } .field { display: grid; grid-template-columns: 170px 1fr; align-items: center; }
@media (max-width: 520px) { main, main.wide { margin: 0; border-width: 0 0 1px; border-radius: 0; padding: 22px 16px; } }
";

/// A page of Taskyard. `title` and `body` are HTML already.
fn page(title: &str, class: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title} · Taskyard</title><style>{STYLE}</style></head><body><main class=\"{class}\"><header>▦ Taskyard</header>{body}</main></body></html>"
    );
    let headers = [
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
        // Its addresses carry states and codes.
        (REFERRER_POLICY, "no-referrer"),
    ];
    (headers, Html(html)).into_response()
}
