//! The generated types.

use annals_client::actions::{
    IssueStatusUpdated, UserLogin, UserLoginFailed, UserLoginFailedReason, UserLoginMethod,
    WorkspaceUserLeft, WorkspaceUserLeftCause,
};
use annals_client::{Actor, Context, NewEvent, Timestamp};
use annals_event::{Catalogue, Rules};

fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T10:00:00Z").unwrap()
}

fn text(event: impl Into<NewEvent>) -> String {
    let event = event
        .into()
        .complete(now(), None, || "id-1".to_owned())
        .unwrap();
    event.to_json().to_canonical()
}

#[test]
fn an_event_has_what_its_type_was_told() {
    let event = IssueStatusUpdated::new(
        Actor::new("user", "usr_1")
            .named("Ana")
            .with_role("manager"),
        ("iss_7", "Header overlaps"),
    )
    .on_project(("prj_1", "Website"))
    .previous_status("open")
    .next_status("resolved")
    .bulk(false)
    .correlation_id("c-1");
    assert_eq!(
        text(event),
        r#"{"action":"issue.status_updated","actor":{"id":"usr_1","name":"Ana","role":"manager","type":"user"},"context":{"correlation_id":"c-1"},"id":"id-1","metadata":{"bulk":false},"next":{"status":"resolved"},"occurred_at":"2026-11-22T10:00:00.000000Z","previous":{"status":"open"},"targets":[{"id":"iss_7","name":"Header overlaps","type":"issue"},{"id":"prj_1","name":"Website","type":"project"}]}"#
    );
}

#[test]
fn a_failure_has_a_reason_of_its_closed_list() {
    let actor = Actor::new("unauthenticated", "unauthenticated");
    let event = UserLoginFailed::new(actor, "usr_1", UserLoginFailedReason::InvalidPassword)
        .method(annals_client::actions::UserLoginFailedMethod::Password)
        .consecutive_failures(3u32)
        .stage("authorization");
    let text = text(event);
    assert!(
        text.contains(r#""failure":{"reason":"invalid_password","stage":"authorization"}"#),
        "{text}"
    );
    assert!(
        text.contains(r#""metadata":{"consecutive_failures":3,"method":"password"}"#),
        "{text}"
    );
    let reasons = Catalogue::builtin()
        .get(UserLoginFailed::ACTION)
        .unwrap()
        .reasons;
    assert!(reasons.contains(&UserLoginFailedReason::AccountLocked.as_str()));
}

#[test]
fn own_members_and_actions_may_be_added() {
    let event =
        NewEvent::from(UserLogin::new(Actor::new("user", "u"), "u").method(UserLoginMethod::Saml))
            .metadata("tenant", "eu");
    assert!(text(event).contains(r#""metadata":{"method":"saml","tenant":"eu"}"#));
    let own = NewEvent::new("invoice.paid", Actor::new("user", "u"))
        .target("invoice", "inv_1")
        .next("paid", true);
    assert!(text(own).contains(r#""action":"invoice.paid""#));
    assert_eq!(WorkspaceUserLeftCause::Oneself.as_str(), "self");
    let left =
        WorkspaceUserLeft::new(Actor::new("user", "u"), "u").cause(WorkspaceUserLeftCause::Oneself);
    assert!(text(left).contains(r#""cause":"self""#));
}

#[test]
fn what_annals_would_refuse_is_refused_at_once_and_named() {
    let event =
        NewEvent::new("Not a name!", Actor::new("user", "u")).metadata("k", "x".repeat(9_000));
    let error = event.complete(now(), None, || "id".to_owned()).unwrap_err();
    let fields: Vec<String> = error
        .problems
        .iter()
        .map(annals_client::Problem::field)
        .collect();
    assert_eq!(fields, ["action", "metadata.k"]);
    let reserved = NewEvent::new("audit_log.gap", Actor::new("user", "u"));
    assert!(reserved.complete(now(), None, || "id".to_owned()).is_err());
}

#[test]
fn the_context_of_the_request_fills_what_the_event_does_not_say() {
    let request = Context {
        location: Some("192.0.2.7".to_owned()),
        source: Some("web".to_owned()),
        ..Context::default()
    };
    let event = NewEvent::new("a.b", Actor::new("user", "u")).source("api");
    let event = event
        .complete(now(), Some(&request), || "id".to_owned())
        .unwrap();
    assert_eq!(event.context.location.as_deref(), Some("192.0.2.7"));
    assert_eq!(event.context.source.as_deref(), Some("api"));
}

/// Whatever the generator wrote, the catalogue knows: every action has its type, and what the types say is accepted strictly.
#[test]
fn every_type_is_of_the_catalogue() {
    let generated = include_str!(concat!(env!("OUT_DIR"), "/actions.rs"));
    let of_table: Vec<&str> = Catalogue::builtin()
        .all()
        .filter(|entry| !entry.extension)
        .map(|entry| entry.action)
        .collect();
    assert_eq!(of_table.len(), 43);
    for action in of_table {
        assert!(
            generated.contains(&format!("ACTION: &'static str = {action:?}")),
            "{action}"
        );
    }
    let strict = Rules {
        strict: true,
        ..Rules::open()
    };
    let event = NewEvent::from(UserLogin::new(Actor::new("user", "u"), "u"))
        .complete(now(), None, || "id".to_owned())
        .unwrap();
    assert!(annals_event::Draft::new(event, &strict, now(), String::new).is_ok());
}
