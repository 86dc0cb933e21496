//! Pages with one message: what went wrong, or where to go next, in words for the person who looks.

use annals_store::RedeemRefusal;
use axum::http::StatusCode;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

use super::pages::{MessageLink, MessagePage, Shell};
use super::visible::visible;
use super::{Stop, assets, encode, guard, html};
use crate::app::App;
use crate::error::ApiError;
use crate::portal::Guest;

struct Message {
    status: StatusCode,
    icon: &'static str,
    heading: &'static str,
    lines: Vec<String>,
    links: Vec<MessageLink>,
    reference: String,
}

impl Message {
    fn new(
        status: StatusCode,
        icon: &'static str,
        heading: &'static str,
        lines: &[&str],
    ) -> Message {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Message {
            status,
            icon,
            heading,
            lines,
            links: Vec::new(),
            reference: String::new(),
        }
    }

    fn page(self, app: &App, guest: &Guest) -> Stop {
        let shell = Shell {
            title: format!("{} – Audit Logs", self.heading),
            workspace: "Audit Logs".to_owned(),
            initial: "A".to_owned(),
            embed: true,
            me: None,
            csrf: String::new(),
            return_url: None,
            home: "#main".to_owned(),
            css: assets::css(),
            js: assets::js(),
            favicon: assets::icon(),
        };
        let page = MessagePage {
            shell,
            icon: self.icon,
            heading: self.heading.to_owned(),
            lines: self.lines,
            links: self.links,
            reference: self.reference,
        };
        let mut response = html(self.status, &page);
        // A page without a visitor says nothing about anybody; inside of a frame it must be seen to
        // be of use, and only the origins of the installation are known here.
        let origins = app.config.frame_origins.join(" ");
        let ancestors = match (guest.framed, origins.is_empty()) {
            (true, true) => "https: http:".to_owned(),
            (true, false) => format!("https: http: {origins}"),
            (false, _) => "'none'".to_owned(),
        };
        guard(&mut response, &ancestors);
        Stop::from(response)
    }
}

fn link(label: &str, href: String, main: bool, top: bool) -> MessageLink {
    MessageLink {
        label: label.to_owned(),
        href,
        main,
        top,
    }
}

/// The way back to the host, if this browser was told it.
fn back(guest: &Guest) -> Option<MessageLink> {
    let url = guest.cookies.back.as_deref()?;
    Some(link(
        "Open Audit Logs again",
        url.replace("{path}", &encode(&guest.target)),
        true,
        true,
    ))
}

/// Nobody is signed in. The same for every workspace, whether it exists or not.
pub(crate) fn session_ended(app: &App, guest: &Guest) -> Stop {
    let mut message = if guest.framed {
        Message::new(
            StatusCode::UNAUTHORIZED,
            "clock",
            "Your session has ended",
            &["Reload this page to open the audit log again."],
        )
    } else {
        Message::new(
            StatusCode::UNAUTHORIZED,
            "clock",
            "Your session has ended",
            &[
                "For your protection a session lasts a working day at most.",
                "Open Audit Logs again from the Settings of your workspace.",
            ],
        )
    };
    message.links.extend(back(guest));
    message.page(app, guest)
}

/// The browser keeps no cookie for us here, which happens in frames: the log opens in its own tab.
pub(crate) fn cookie_refused(app: &App, guest: &Guest, handoff: &str) -> Stop {
    let mut message = Message::new(
        StatusCode::OK,
        "expand",
        "Open the audit log in its own tab",
        &[
            "Your browser does not let this page remember you inside of another one.",
            "The button works for one minute; after that, reload the page.",
        ],
    );
    let href = format!("/portal/continue?handoff={}", encode(handoff));
    message
        .links
        .push(link("Open Audit Logs", href, true, true));
    message.page(app, guest)
}

/// The start page, for people who open the address of the server in a browser.
pub(crate) fn start(app: &App, guest: &Guest) -> Stop {
    let mut message = Message::new(
        StatusCode::OK,
        "list",
        "This is Annals",
        &[
            "It keeps the audit logs of a product: who did what, when and from where, so that nobody can change it unseen.",
            "To read the audit log of your workspace, open Audit Logs in the Settings of the product that you use.",
            "To record events or read them with a program, see the description of the API.",
        ],
    );
    message.links.push(link(
        "Description of the API",
        "/docs".to_owned(),
        true,
        false,
    ));
    message.page(app, guest)
}

/// Where the log is delivered is set up here one day. `home` is the log's page, for who may read it.
pub(crate) fn streams(app: &App, guest: &Guest, home: Option<String>) -> Stop {
    let mut message = Message::new(
        StatusCode::OK,
        "gear",
        "Log streams are not set up here",
        &[
            "Audit logs of this product cannot yet be delivered to another system as they are recorded.",
            "Meanwhile a program with a key can follow the log, or download what it needs.",
        ],
    );
    match home {
        Some(home) => message
            .links
            .push(link("Back to the audit log", home, true, false)),
        None => message.links.extend(back(guest)),
    }
    message.page(app, guest)
}

/// A link to set up log streams does not open the log.
pub(crate) fn streams_only(app: &App, guest: &Guest) -> Stop {
    let mut message = Message::new(
        StatusCode::FORBIDDEN,
        "lock",
        "This link does not open the audit log",
        &[
            "It was made to set up log streams.",
            "Open Audit Logs from the Settings of your workspace to read the log.",
        ],
    );
    message.links.extend(back(guest));
    message.page(app, guest)
}

/// There is nothing here, or nothing that this person may know of.
pub(crate) fn not_found(app: &App, guest: &Guest) -> Stop {
    Message::new(
        StatusCode::NOT_FOUND,
        "search",
        "There is nothing here",
        &["This page does not exist, or it is not yours to see."],
    )
    .page(app, guest)
}

/// The workspace is there, the event is not.
pub(crate) fn no_event(app: &App, guest: &Guest, home: &str) -> Stop {
    let mut message = Message::new(
        StatusCode::NOT_FOUND,
        "search",
        "There is no such event",
        &["It is not in this log, or it was kept for its time and then removed."],
    );
    message
        .links
        .push(link("All events", home.to_owned(), true, false));
    message.page(app, guest)
}

/// A link that opens nothing.
pub(crate) fn link_refused(app: &App, guest: &Guest, refusal: RedeemRefusal) -> Stop {
    let again = "Open Audit Logs again from the Settings of your workspace: that makes a new link.";
    let mut message = match refusal {
        RedeemRefusal::Used => Message::new(
            StatusCode::GONE,
            "link",
            "This link has been used",
            &[
                "A link to the audit log works once, in one browser, so that nobody can use it after you.",
                again,
            ],
        ),
        RedeemRefusal::Expired => Message::new(
            StatusCode::GONE,
            "clock",
            "This link has expired",
            &["A link to the audit log works for a few minutes.", again],
        ),
        RedeemRefusal::Unknown => Message::new(
            StatusCode::NOT_FOUND,
            "link",
            "This link does not work",
            &["It is incomplete, or it was never made here.", again],
        ),
    };
    message.links.extend(back(guest));
    message.page(app, guest)
}

/// To whoever only looks at a link without opening it.
pub(crate) fn not_yet() -> Response {
    let mut response = (StatusCode::NO_CONTENT, [(CACHE_CONTROL, "no-store")]).into_response();
    guard(&mut response, "'none'");
    response
}

/// A form that did not come from our page.
pub(crate) fn foreign_form(app: &App, guest: &Guest) -> Stop {
    Message::new(
        StatusCode::FORBIDDEN,
        "warn",
        "This did not come from the audit log",
        &["The request was sent by another page, or by one that is too old. Nothing was changed."],
    )
    .page(app, guest)
}

/// A file that another site asked for.
pub(crate) fn foreign_download(app: &App, guest: &Guest, home: &str) -> Stop {
    let mut message = Message::new(
        StatusCode::FORBIDDEN,
        "warn",
        "Start downloads from the audit log",
        &["Another site asked for this file. Nothing was sent and nothing was recorded."],
    );
    message
        .links
        .push(link("Go to the audit log", home.to_owned(), true, false));
    message.page(app, guest)
}

/// A role that may read and not take away.
pub(crate) fn no_download(app: &App, guest: &Guest, home: &str) -> Stop {
    let mut message = Message::new(
        StatusCode::FORBIDDEN,
        "lock",
        "Your role may not download",
        &[
            "You can read the log on the screen. Ask an owner of the workspace for the role of auditor.",
        ],
    );
    message
        .links
        .push(link("Back to the audit log", home.to_owned(), true, false));
    message.page(app, guest)
}

/// The session is over by the person's own will.
pub(crate) fn signed_out(app: &App, guest: &Guest) -> Stop {
    Message::new(
        StatusCode::OK,
        "exit",
        "You are signed out",
        &["You can close this page."],
    )
    .page(app, guest)
}

/// The page for an error of the layers below.
pub(crate) fn failed(app: &App, guest: &Guest, error: ApiError) -> Stop {
    let status = error.status();
    let mut message = match &error {
        ApiError::NotFound(..) | ApiError::NoRoute => return not_found(app, guest),
        ApiError::DiskFull => Message::new(
            status,
            "warn",
            "The log cannot be shown now",
            &[
                "Reading this log is recorded in it, and the server has no space left to record it.",
                "Nothing is lost. Its operator has been told.",
            ],
        ),
        ApiError::Busy | ApiError::Stopping | ApiError::RateLimited { .. } => Message::new(
            status,
            "clock",
            "Busy for a moment",
            &["Too much is going on at once. Try again in a few seconds."],
        ),
        ApiError::Away(_) => Message::new(
            status,
            "clock",
            "Older events cannot be shown now",
            &[
                "They lie in a store that does not answer at the moment. Nothing is lost.",
                "Try again later. Newer events are still recorded.",
            ],
        ),
        ApiError::Internal(_) => Message::new(
            status,
            "warn",
            "Something went wrong",
            &[
                "This is a fault of the server, not of yours. What was recorded is safe.",
                "Try again. If it stays, tell the people who run this product the reference below.",
            ],
        ),
        other => {
            let mut message = Message::new(status, "warn", "This request cannot be answered", &[]);
            message
                .lines
                .push(visible(&other.body().message, false).into_owned());
            message
        }
    };
    if status.is_server_error() {
        message
            .links
            .push(link("Try again", guest.target.clone(), true, false));
        message.reference = guest.request_id.clone();
    }
    let stop = message.page(app, guest);
    if let ApiError::Internal(_) | ApiError::Unreadable(_) | ApiError::Away(_) = error {
        // Its own answer is not used, but it leaves the cause for the line in the log.
        let told = error.into_response();
        let mut response = stop.into_response();
        if let Some(cause) = told.extensions().get::<crate::request::Cause>() {
            response.extensions_mut().insert(cause.clone());
        }
        return Stop::from(response);
    }
    stop
}
