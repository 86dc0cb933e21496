//! Recording and finding single events.

use serde_json::json;

use crate::harness::{ACME, ROOT, TestServer, event};

#[tokio::test]
async fn an_event_is_recorded_and_found() {
    let server = TestServer::start().await;
    let mut sent = event("issue.created");
    sent["id"] = json!("evt_1");
    let body = json!({ "organization_id": ACME, "event": sent, "admin_emails": null });
    let answer = server.post("/audit_logs/events", ROOT, &body).await.is(200);
    assert_eq!(answer.text(), r#"{"success":true}"#);
    assert_eq!(answer.header("annals-position"), "0");
    assert_eq!(answer.header("annals-event-id"), "evt_1");
    assert!(answer.header("x-request-id").starts_with("req_"));

    let found = server
        .get("/audit_logs/events/evt_1?organization_id=org_acme", ROOT)
        .await
        .is(200)
        .json();
    sent["occurred_at"] = json!("2026-11-22T11:59:00.000000Z");
    assert_eq!(
        found,
        json!({
            "organization_id": ACME, "event": sent, "position": 0,
            "recorded_at": "2026-11-22T12:00:00.000000Z", "erased": [],
        })
    );
}

#[tokio::test]
async fn pages_of_a_search_join_and_stay_where_they_were() {
    let server = TestServer::start().await;
    for n in 0..7 {
        let mut sent = event(if n % 2 == 0 {
            "issue.created"
        } else {
            "issue.deleted"
        });
        sent["id"] = json!(format!("evt_{n}"));
        server.record(ACME, &sent).await;
    }
    let path =
        "/audit_logs/events?organization_id=org_acme&q=action:issue.created&limit=3&count=100";
    let first = server.get(path, ROOT).await.is(200).json();
    let positions = |page: &serde_json::Value| -> Vec<u64> {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["position"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(positions(&first), [6, 4, 2]);
    assert_eq!(first["object"], "list");
    assert_eq!(first["count"], json!({ "value": 4, "relation": "exact" }));
    assert_eq!(
        first["list_metadata"],
        json!({ "before": null, "after": "2" })
    );
    // Reading was recorded first, so that it is part of what the page stands for.
    let as_of = first["as_of"].as_u64().unwrap();
    assert_eq!(as_of, 8);

    server.record(ACME, &event("issue.created")).await;
    let path = format!("{path}&after=2&as_of={as_of}");
    let second = server.get(&path, ROOT).await.is(200).json();
    assert_eq!(positions(&second), [0]);
    assert_eq!(second["count"]["value"], 4);
    assert_eq!(second["list_metadata"]["after"], json!(null));
}

#[tokio::test]
async fn reading_by_key_is_recorded_once_an_hour() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    let path = "/audit_logs/events?organization_id=org_acme&q=action:audit_log.viewed&count=10";
    for _ in 0..3 {
        let found = server.get(path, ROOT).await.is(200).json();
        assert_eq!(found["count"]["value"], 1);
        assert_eq!(found["data"][0]["event"]["actor"]["type"], "api_key");
    }
    server
        .clock
        .set(crate::harness::time("2026-11-22T13:00:00Z"));
    assert_eq!(
        server.get(path, ROOT).await.is(200).json()["count"]["value"],
        2
    );
}

#[tokio::test]
async fn a_repeated_request_answers_as_the_first() {
    let server = TestServer::start().await;
    let body = json!({ "organization_id": ACME, "event": event("issue.created") });
    let send = |body: serde_json::Value| {
        let mut request = crate::harness::request(
            axum::http::Method::POST,
            "/audit_logs/events",
            ROOT,
            axum::body::Body::from(body.to_string()),
        );
        request
            .headers_mut()
            .insert("idempotency-key", "workos-node-1".parse().unwrap());
        server.call(request)
    };
    let first = send(body.clone()).await.is(200);
    let again = send(body).await.is(200);
    assert_eq!(first.body, again.body);
    assert_eq!(
        first.header("annals-position"),
        again.header("annals-position")
    );
    assert_eq!(
        first.header("annals-event-id"),
        again.header("annals-event-id")
    );

    let other = json!({ "organization_id": ACME, "event": event("issue.deleted") });
    let conflict = send(other).await.is(409).json();
    assert_eq!(conflict["code"], "idempotency_key_in_use");
}

#[tokio::test]
async fn an_id_stands_for_one_event() {
    let server = TestServer::start().await;
    let mut sent = event("issue.created");
    sent["id"] = json!("evt_1");
    assert_eq!(server.record(ACME, &sent).await, 0);
    assert_eq!(server.record(ACME, &sent).await, 0);
    sent["action"] = json!("issue.deleted");
    let body = json!({ "organization_id": ACME, "event": sent });
    let answer = server
        .post("/audit_logs/events", ROOT, &body)
        .await
        .is(409)
        .json();
    assert_eq!(answer["code"], "event_id_conflict");
    // Another workspace has ids of its own.
    server.organization("org_other", "Other").await;
    assert_eq!(server.record("org_other", &sent).await, 0);
}

#[tokio::test]
async fn errors_have_the_bodies_that_the_sdks_know() {
    let server = TestServer::start().await;
    let post = async |organization: &str, event: serde_json::Value| {
        let body = json!({ "organization_id": organization, "event": event });
        server.post("/audit_logs/events", ROOT, &body).await
    };
    assert_eq!(
        post("org_nobody", event("issue.created"))
            .await
            .is(404)
            .json()["message"],
        "Organization not found: 'org_nobody'."
    );
    let mut without = event("issue.created");
    without.as_object_mut().unwrap().remove("action");
    assert_eq!(
        post(ACME, without).await.is(422).json(),
        json!({ "message": "Validation failed.", "errors": [{ "code": "required", "field": "event.action" }] })
    );
    let mut wrong = event("issue.created");
    wrong["targets"][0]["type"] = json!(7);
    let answer = post(ACME, wrong).await.is(400).json();
    assert_eq!(answer["message"], "Invalid Audit Log event.");
    assert_eq!(answer["code"], "invalid_audit_log_event");
    assert_eq!(answer["errors"][0]["instancePath"], "/targets/0/type");
    assert_eq!(answer["errors"][0]["field"], "event.targets.0.type");
    assert_eq!(answer["errors"][0]["code"], "wrong_type");
    assert_eq!(answer.get("error"), None);

    let answer = server
        .post("/audit_logs/events", ROOT, &json!({ "event": {} }))
        .await
        .is(422)
        .json();
    assert_eq!(
        answer["errors"][0],
        json!({ "code": "required", "field": "organization_id" })
    );
    let answer = server
        .get(
            "/audit_logs/events?organization_id=org_acme&q=actoin:x",
            ROOT,
        )
        .await
        .is(400)
        .json();
    assert_eq!(answer["errors"][0]["column"], 1);
    assert!(
        answer["errors"][0]["suggestion"]
            .as_str()
            .unwrap()
            .contains("action")
    );
    let answer = server
        .get(
            "/audit_logs/events?organization_id=org_acme&form=2026-01-01",
            ROOT,
        )
        .await
        .is(422);
    assert_eq!(answer.json()["errors"][0]["field"], "form");
}

#[tokio::test]
async fn entitlement_and_disabling_gate_the_right_callers() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    let own = server.key(&["read", "write"], Some(&[ACME])).await;
    let entitlement = format!("/organizations/{ACME}/entitlement");
    let events = "/audit_logs/events?organization_id=org_acme";
    let body = json!({ "organization_id": ACME, "event": event("issue.created") });

    server
        .put(&entitlement, ROOT, &json!({ "state": "inactive" }))
        .await
        .is(200);
    let locked = server.get(events, &own).await.is(403).json();
    assert_eq!(locked["code"], "audit_logs_not_enabled");
    server.get(events, ROOT).await.is(200);
    server.post("/audit_logs/events", &own, &body).await.is(200);

    server
        .put(&entitlement, ROOT, &json!({ "state": "disabled" }))
        .await
        .is(200);
    let refused = server
        .post("/audit_logs/events", &own, &body)
        .await
        .is(403)
        .json();
    assert_eq!(refused["code"], "audit_logs_disabled");

    let changes = server
        .get(
            &format!("{events}&q=action:audit_log.entitlement_changed"),
            ROOT,
        )
        .await;
    assert_eq!(changes.is(200).json()["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_deleted_organization_takes_late_events_and_nothing_else() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    server
        .delete(&format!("/organizations/{ACME}"), ROOT)
        .await
        .is(200);
    assert_eq!(server.record(ACME, &event("issue.created")).await, 1);
    server
        .get(&format!("/organizations/{ACME}"), ROOT)
        .await
        .is(404);
    server
        .get("/audit_logs/events?organization_id=org_acme", ROOT)
        .await
        .is(404);
    server
        .post(
            "/organizations",
            ROOT,
            &json!({ "id": ACME, "name": "Acme" }),
        )
        .await
        .is(409);
}
