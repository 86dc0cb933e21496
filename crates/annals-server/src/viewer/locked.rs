//! What a workspace sees that is not entitled to its log: what it would get, on made-up data, and whom
//! to ask. Recording goes on, and nothing of the workspace's own log is shown, not even blurred.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

use super::pages::{LockedPage, SampleRow};
use super::row::{face, grouped};
use super::{contact, guard, render, shell};
use crate::app::App;
use crate::portal::{self, Guest, Visitor};
use annals_store::Entitlement;

/// A few rows of the example file, as the table would show them.
const SAMPLE: &[[&str; 11]] = &[
    [
        "16:42:09",
        "Dana Whitfield",
        "dana@north.example · admin",
        "Changed the role of Bo Lindqvist from member to admin",
        "",
        "workspace.user_role_updated",
        "Bo Lindqvist",
        "user",
        "203.0.113.24",
        "Chrome · macOS",
        "user",
    ],
    [
        "16:38:52",
        "Not signed in",
        "as marek@north.example",
        "Failed to log in",
        "wrong password",
        "user.login_failed",
        "Marek Novák",
        "user",
        "198.51.100.77",
        "Firefox · Windows",
        "unauthenticated",
    ],
    [
        "15:12:30",
        "Priya Sharma",
        "priya@north.example · manager",
        "Requested an export of Website Relaunch",
        "",
        "project.export_requested",
        "Website Relaunch",
        "project",
        "203.0.113.51",
        "Safari · iPhone",
        "user",
    ],
    [
        "14:05:11",
        "Bo Lindqvist",
        "bo@north.example · member",
        "Changed the status of “Checkout button hidden” from Open to Resolved",
        "",
        "issue.status_updated",
        "Checkout button hidden",
        "issue",
        "203.0.113.24",
        "Edge · Windows",
        "user",
    ],
    [
        "11:20:47",
        "Dana Whitfield",
        "dana@north.example · admin",
        "Opened domain join for north.example",
        "",
        "workspace.domain_join_added",
        "north.example",
        "domain join",
        "203.0.113.24",
        "Chrome · macOS",
        "user",
    ],
    [
        "09:03:18",
        "Hélène Beaumont",
        "helene@north.example · guest",
        "Commented on “Logo is blurry”",
        "",
        "comment.published",
        "Logo is blurry",
        "comment",
        "2001:db8:4::17",
        "Chrome · Android",
        "user",
    ],
];

/// The locked page.
pub(crate) fn page(app: &App, visitor: &Visitor, guest: &Guest, status: StatusCode) -> Response {
    let size = visitor.log.size();
    let recording = visitor.organization.entitlement != Entitlement::Disabled;
    let days = visitor.organization.retention.in_force(app.now());
    let kept = match (size, recording, days) {
        (0, true, _) => "Events are being recorded from the first one on; they become visible when Audit Logs is enabled.".to_owned(),
        (n, true, Some(days)) => format!("{} are being kept for {days} days; they become visible when Audit Logs is enabled.", events(n)),
        (n, true, None) => format!("{} are being kept; they become visible when Audit Logs is enabled.", events(n)),
        (_, false, _) => "Recording is switched off for this workspace.".to_owned(),
    };
    let sample = SAMPLE.iter().map(|row| {
        let [
            clock,
            name,
            detail,
            sentence,
            failed,
            action,
            target,
            target_type,
            address,
            agent,
            kind,
        ] = *row;
        let face = face(kind, name, None);
        SampleRow {
            clock,
            day: "21 Nov 2026",
            face,
            name,
            detail,
            sentence,
            failed,
            action,
            target,
            target_type,
            address,
            agent,
        }
    });
    let page = LockedPage {
        shell: shell(visitor, guest, false, "Not enabled"),
        contact: contact(app, visitor),
        kept,
        example: format!("/w/{}/audit-logs/example.csv", visitor.organization.id),
        sample: sample.collect(),
    };
    render(app, visitor, status, &page)
}

fn events(count: u64) -> String {
    if count == 1 {
        "1 event".to_owned()
    } else {
        format!("{} events", grouped(count))
    }
}

/// The example file, for whoever may see the page.
pub(crate) async fn example(
    State(app): State<App>,
    guest: Guest,
    Path(organization): Path<String>,
) -> Response {
    if let Err(stop) = portal::enter(&app, &guest, &organization).await {
        return stop.into_response();
    }
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"audit-logs-events-example.csv\"",
        ),
    ];
    let mut response = (
        headers,
        include_str!("../../../../docs/example-audit-log.csv"),
    )
        .into_response();
    guard(&mut response, "'none'");
    response
}
