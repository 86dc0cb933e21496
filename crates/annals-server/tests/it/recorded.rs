//! What is done to the log is itself recorded, in the right log, by the right actor.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::{ACME, ROOT, TestServer, event};

/// Action, actor type and outcome of the last `count` entries of a log.
fn last(log: &annals_store::Log, count: u64) -> Vec<String> {
    let rows =
        (log.size().saturating_sub(count)..log.size()).map(|at| log.row(at).unwrap().unwrap());
    rows.map(|row| {
        let skeleton = row.skeleton();
        let failure = skeleton
            .failure
            .as_ref()
            .map(|reason| format!(" ({reason})"));
        format!(
            "{} by {}{}",
            skeleton.action,
            skeleton.actor.kind,
            failure.unwrap_or_default()
        )
    })
    .collect()
}

#[tokio::test]
async fn every_change_stands_in_the_log_that_it_concerns() {
    let server = TestServer::start().await;
    let log = server.store.log(ACME).unwrap();
    let home = server.store.installation_log();
    // While the log is empty, its first entry is not ours.
    server
        .put(
            &format!("/organizations/{ACME}/entitlement"),
            ROOT,
            &json!({ "state": "inactive" }),
        )
        .await
        .is(200);
    assert_eq!(
        (log.size(), last(&home, 1)),
        (
            0,
            vec!["audit_log.entitlement_changed by api_key".to_owned()]
        )
    );
    server.record(ACME, &event("issue.created")).await;

    let export = json!({ "organization_id": ACME, "range_start": "2026-01-01T00:00:00Z", "range_end": "2027-01-01T00:00:00Z" });
    let path = |tail: &str| format!("/organizations/{ACME}/{tail}");
    let steps: [(&str, String, Value, &str); 4] = [
        (
            "PUT",
            path("entitlement"),
            json!({ "state": "active" }),
            "entitlement_changed",
        ),
        (
            "PUT",
            path("audit_logs_retention"),
            json!({ "retention_period": "2_YEARS" }),
            "retention_changed",
        ),
        (
            "POST",
            "/portal/generate_link".to_owned(),
            json!({ "organization": ACME }),
            "link_created",
        ),
        ("POST", "/audit_logs/exports".to_owned(), export, "exported"),
    ];
    for (method, path, body, action) in steps {
        let before = log.size();
        let answer = match method {
            "PUT" => server.put(&path, ROOT, &body).await,
            _ => server.post(&path, ROOT, &body).await,
        };
        assert!(answer.status.is_success(), "{path}: {}", answer.text());
        assert_eq!(log.size(), before + 1, "{path}");
        assert_eq!(last(&log, 1), [format!("audit_log.{action} by api_key")]);
    }
    let row = log.row(2).unwrap().unwrap();
    assert_eq!(row.previous().unwrap().get("days"), Some(&365.into()));
    assert_eq!(row.next().unwrap().get("days"), Some(&730.into()));
    assert_eq!(row.actor_name(), Some("bootstrap"));

    let before = home.size();
    let schema = json!({ "targets": [{ "type": "invoice" }] });
    server
        .post("/audit_logs/actions/invoice.paid/schemas", ROOT, &schema)
        .await
        .is(201);
    let key = server
        .post("/keys", ROOT, &json!({ "name": "CI" }))
        .await
        .is(201)
        .json();
    server
        .delete(&format!("/keys/{}", key["id"].as_str().unwrap()), ROOT)
        .await
        .is(200);
    assert_eq!(home.size(), before + 3);
    let expected = ["schema_changed", "key_created", "key_revoked"]
        .map(|a| format!("audit_log.{a} by api_key"));
    assert_eq!(last(&home, 3), expected);
}

#[tokio::test]
async fn a_refused_key_is_recorded_once_an_hour_for_each_reason() {
    let server = TestServer::start().await;
    let home = server.store.installation_log();
    let narrow = server.key(&["read"], Some(&[ACME])).await;
    let before = home.size();
    for _ in 0..3 {
        server
            .get("/audit_logs/events?organization_id=org_other", &narrow)
            .await
            .is(404);
        server.get("/keys", &narrow).await.is(403);
    }
    // Nobody waits for these records, so that refusals take the same time: the next change comes
    // after them.
    server.key(&["read"], None).await;
    assert_eq!(home.size(), before + 3);
    assert_eq!(
        last(&home, 3)[..2],
        [
            "audit_log.access_denied by api_key (wrong_workspace)",
            "audit_log.access_denied by api_key (role_not_permitted)",
        ]
    );
}

#[tokio::test]
async fn a_record_says_from_where_as_far_as_proxies_are_trusted() {
    let config = annals_server::Config {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..annals_server::Config::default()
    };
    let server = TestServer::with(config).await;
    server.record(ACME, &event("issue.created")).await;
    let address = server.listen().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /audit_logs/events?organization_id={ACME} HTTP/1.1\r\nhost: x\r\nuser-agent: test/1\r\nauthorization: Bearer {ROOT}\r\nx-forwarded-for: 203.0.113.9, 198.51.100.7\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("cache-control: no-store"));
    let request_id = answer
        .split("x-request-id: ")
        .nth(1)
        .unwrap()
        .split("\r\n")
        .next()
        .unwrap();
    let row = server.store.log(ACME).unwrap().row(1).unwrap().unwrap();
    assert_eq!(row.skeleton().action, "audit_log.viewed");
    assert_eq!(row.context("location"), Some("198.51.100.7"));
    assert_eq!(row.context("user_agent"), Some("test/1"));
    assert_eq!(row.context("request_id"), Some(request_id));
}
