//! Batches: the good events are kept, each one is answered for itself.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{ACME, Answer, ROOT, TestServer, event, request};

async fn ndjson(server: &TestServer, path: &str, lines: &str) -> Answer {
    let mut request = request(Method::POST, path, ROOT, Body::from(lines.to_owned()));
    request
        .headers_mut()
        .insert("content-type", "application/x-ndjson".parse().unwrap());
    server.call(request).await
}

fn statuses(answer: &Value) -> Vec<&str> {
    let results = answer["results"].as_array().unwrap();
    results
        .iter()
        .map(|r| r["status"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_bad_item_costs_nothing_but_itself() {
    let server = TestServer::start().await;
    let mut bad = event("issue.created");
    bad["targets"][0].as_object_mut().unwrap().remove("type");
    let mut first = event("issue.created");
    first["id"] = json!("evt_1");
    let mut conflicting = event("issue.deleted");
    conflicting["id"] = json!("evt_1");
    let body = json!({ "organization_id": ACME, "events": [first, bad, 7, event("issue.deleted"), first, conflicting] });
    let answer = server
        .post("/audit_logs/events/bulk", ROOT, &body)
        .await
        .is(207)
        .json();
    assert_eq!(
        statuses(&answer),
        [
            "recorded",
            "rejected",
            "rejected",
            "recorded",
            "duplicate",
            "rejected"
        ]
    );
    assert_eq!(
        (
            &answer["recorded"],
            &answer["duplicates"],
            &answer["rejected"]
        ),
        (&json!(2), &json!(1), &json!(3))
    );
    let results = &answer["results"];
    assert_eq!(results[0]["position"], 0);
    assert_eq!(results[1]["http_status"], 422);
    assert_eq!(
        results[1]["errors"],
        json!([{ "code": "required", "field": "event.targets.0.type" }])
    );
    assert_eq!(results[2]["http_status"], 400);
    assert_eq!(results[3]["position"], 1);
    assert_eq!(results[4]["position"], 0);
    assert_eq!(results[5]["http_status"], 409);

    let body = json!({ "organization_id": ACME, "events": [7, 8] });
    let answer = server
        .post("/audit_logs/events/bulk", ROOT, &body)
        .await
        .is(400)
        .json();
    assert_eq!(answer["code"], "invalid_audit_log_event");
    assert_eq!(statuses(&answer), ["rejected", "rejected"]);
}

#[tokio::test]
async fn lines_go_to_their_workspaces() {
    let server = TestServer::start().await;
    server.organization("org_b", "B").await;
    let line = |organization: &str| {
        json!({ "organization_id": organization, "event": event("issue.created") }).to_string()
    };
    let lines = [
        line(ACME),
        line("org_b"),
        String::new(),
        "{".to_owned(),
        line("org_nobody"),
        line(ACME),
    ]
    .join("\n");
    let answer = ndjson(&server, "/audit_logs/events/bulk", &lines)
        .await
        .is(207)
        .json();
    assert_eq!(
        statuses(&answer),
        ["recorded", "recorded", "rejected", "rejected", "recorded"]
    );
    assert_eq!(answer["results"][4]["position"], 1);
    assert_eq!(
        answer["results"][3]["message"],
        "Organization not found: 'org_nobody'."
    );
    assert_eq!(server.store.log("org_b").unwrap().size(), 1);
}

#[tokio::test]
async fn what_is_downloaded_imports_again() {
    let server = TestServer::start().await;
    for n in 0..5 {
        let mut sent = event("issue.created");
        sent["id"] = json!(format!("evt_{n}"));
        server.record(ACME, &sent).await;
    }
    let file = server
        .get(
            "/audit_logs/events.ndjson?organization_id=org_acme&q=-category:%22Audit%20Log%22",
            ROOT,
        )
        .await
        .is(200);
    let answer = ndjson(&server, "/audit_logs/events/bulk", &file.text())
        .await
        .is(200)
        .json();
    assert_eq!(statuses(&answer), ["duplicate"; 5]);
    let elsewhere = file.text().replace(ACME, "org_copy");
    server.organization("org_copy", "Copy").await;
    let answer = ndjson(&server, "/audit_logs/events/bulk", &elsewhere)
        .await
        .is(200)
        .json();
    assert_eq!(statuses(&answer), ["recorded"; 5]);
}

#[tokio::test]
async fn a_batch_may_be_repeated_whole() {
    let server = TestServer::start().await;
    let body = json!({ "organization_id": ACME, "events": [event("issue.created"), event("issue.deleted")] });
    let send = async || {
        let mut request = request(
            Method::POST,
            "/audit_logs/events/bulk",
            ROOT,
            Body::from(body.to_string()),
        );
        request
            .headers_mut()
            .insert("idempotency-key", "batch-1".parse().unwrap());
        server.call(request).await
    };
    let first = send().await.is(200).json();
    let again = send().await.is(200).json();
    assert_eq!(statuses(&first), ["recorded"; 2]);
    for n in 0..2 {
        assert_eq!(
            first["results"][n]["position"],
            again["results"][n]["position"]
        );
        assert_eq!(first["results"][n]["id"], again["results"][n]["id"]);
    }
    assert_eq!(server.store.log(ACME).unwrap().size(), 2);
}

#[tokio::test]
async fn a_batch_has_bounds() {
    let server = TestServer::start().await;
    let many: Vec<Value> = (0..1001).map(|_| json!({})).collect();
    let body = json!({ "organization_id": ACME, "events": many });
    let answer = server
        .post("/audit_logs/events/bulk", ROOT, &body)
        .await
        .is(413)
        .json();
    assert!(answer["message"].as_str().unwrap().contains("1000"));
    let body = json!({ "organization_id": ACME, "events": [] });
    server
        .post("/audit_logs/events/bulk", ROOT, &body)
        .await
        .is(422);
}
