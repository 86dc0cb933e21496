//! The layer, in an axum application.

use std::net::{IpAddr, SocketAddr};

use annals_client::{Actor, ContextLayer, NewEvent, RequestContext, SqliteOutbox};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use http_body_util::BodyExt as _;
use rusqlite::Connection;
use serde_json::{Value, json};
use tower::ServiceExt as _;

#[derive(Clone)]
struct Peer(IpAddr);

/// What a handler records that says only who did what.
async fn handler() -> String {
    // It may be polled by any thread.
    tokio::task::yield_now().await;
    let direct = record();
    let context = RequestContext::current().unwrap();
    let elsewhere = tokio::task::spawn_blocking(move || context.scope(record))
        .await
        .unwrap();
    assert_eq!(direct["context"], elsewhere["context"]);
    direct["context"].to_string()
}

fn record() -> Value {
    let database = Connection::open_in_memory().unwrap();
    SqliteOutbox::migrate(&database).unwrap();
    let event = NewEvent::new("thing.made", Actor::new("user", "usr_1"));
    let _ = SqliteOutbox::default()
        .record(&database, "acme", event)
        .unwrap();
    let body: String = database
        .query_row("select body from annals_outbox", [], |row| row.get(0))
        .unwrap();
    serde_json::from_str(&body).unwrap()
}

async fn ask(layer: ContextLayer, peer: Option<&str>, headers: &[(&str, &str)]) -> Value {
    let app = Router::new().route("/", get(handler)).layer(layer);
    let mut request = Request::get("/");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    if let Some(peer) = peer {
        let address: SocketAddr = peer.parse().unwrap();
        request.extensions_mut().insert(Peer(address.ip()));
    }
    let answer = app
        .oneshot(request)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap();
    serde_json::from_slice(&answer.to_bytes()).unwrap()
}

fn layer() -> ContextLayer {
    ContextLayer::new("web")
        .peer(|extensions| extensions.get::<Peer>().map(|peer| peer.0))
        .trust("10.0.0.0/8".parse().unwrap())
        .session(|headers, _| Some(headers.get("x-session")?.to_str().ok()?.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_says_only_who_did_what() {
    let headers = [
        ("user-agent", "Mozilla/5.0"),
        ("x-request-id", "req-1"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-for", "203.0.113.9, 10.1.1.1"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        ("x-session", "ses_1"),
    ];
    let context = ask(layer(), Some("10.0.0.1:80"), &headers).await;
    assert_eq!(
        context,
        json!({
            "location": "203.0.113.9", "user_agent": "Mozilla/5.0", "source": "web", "request_id": "req-1",
            "session_id": "ses_1", "trace": "4bf92f3577b34da6a3ce929d0e0e4736",
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_his_own_address() {
    let forged = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-request-id", "with space"),
        ("traceparent", "00-x"),
    ];
    let context = ask(layer(), Some("192.0.2.1:80"), &forged).await;
    assert_eq!(context["location"], "192.0.2.1");
    assert_eq!(
        context["request_id"].as_str().unwrap().len(),
        36,
        "one of our own"
    );
    assert!(context.get("trace").is_none());
    // Without a peer, headers alone prove nothing.
    assert!(ask(layer(), None, &forged).await.get("location").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_do_not_see_each_others_context() {
    let asked = (0..20).map(|n| {
        tokio::spawn(async move {
            let id = format!("req-{n}");
            let context = ask(layer(), Some("192.0.2.1:80"), &[("x-request-id", &id)]).await;
            assert_eq!(context["request_id"], id);
        })
    });
    for task in asked.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert!(RequestContext::current().is_none());
}
