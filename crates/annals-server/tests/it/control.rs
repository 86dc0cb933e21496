//! Organizations, retention, schemas, keys and portal links, in the shapes that the SDKs read.

use serde_json::{Value, json};

use crate::harness::{ACME, ROOT, TestServer, event};

#[tokio::test]
async fn an_organization_has_every_member_that_the_sdks_read() {
    let server = TestServer::start().await;
    let body = json!({
        "name": "Foo", "external_id": "ext_9", "metadata": { "tier": "gold" },
        "domain_data": [{ "domain": "Foo.example", "state": "verified" }],
    });
    let made = server
        .post("/organizations", ROOT, &body)
        .await
        .is(201)
        .json();
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("org_") && id.len() == 30);
    let time = "2026-11-22T12:00:00.000Z";
    let domain = &made["domains"][0];
    assert_eq!(
        made,
        json!({
            "object": "organization", "id": id, "name": "Foo", "external_id": "ext_9",
            "metadata": { "tier": "gold" }, "allow_profiles_outside_organization": false,
            "created_at": time, "updated_at": time,
            "domains": [{
                "object": "organization_domain", "id": domain["id"], "organization_id": id,
                "domain": "foo.example", "state": "verified", "verification_strategy": "manual",
                "created_at": time, "updated_at": time,
            }],
        })
    );
    assert_eq!(
        server
            .get("/organizations/external_id/ext_9", ROOT)
            .await
            .is(200)
            .json(),
        made
    );
    server.post("/organizations", ROOT, &body).await.is(409);
    let answer = server
        .post("/organizations", ROOT, &json!({ "metadata": 7 }))
        .await
        .is(422)
        .json();
    assert_eq!(answer["message"], "Validation failed.");
    assert_eq!(
        answer["errors"][0],
        json!({ "code": "required", "field": "name" })
    );
    assert_eq!(answer["errors"][1]["field"], "metadata");

    let changed =
        json!({ "name": "Bar", "external_id": null, "metadata": { "tier": null, "region": "eu" } });
    let changed = server
        .put(&format!("/organizations/{id}"), ROOT, &changed)
        .await
        .is(200)
        .json();
    assert_eq!(
        (&changed["name"], &changed["external_id"]),
        (&json!("Bar"), &Value::Null)
    );
    assert_eq!(changed["metadata"], json!({ "region": "eu" }));
    assert_eq!(changed["domains"], made["domains"]);

    let own = json!({ "id": "team-7", "name": "Team 7" });
    let first = server
        .post("/organizations", ROOT, &own)
        .await
        .is(201)
        .json();
    assert_eq!(
        server
            .post("/organizations", ROOT, &own)
            .await
            .is(201)
            .json(),
        first
    );
}

#[tokio::test]
async fn lists_page_as_the_sdks_ask() {
    let server = TestServer::start().await;
    for n in 0..4 {
        server
            .organization(&format!("org_{n}"), &format!("Number {n}"))
            .await;
    }
    let ids = |page: &Value| -> Vec<String> {
        page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|o| o["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = server
        .get("/organizations?limit=2", ROOT)
        .await
        .is(200)
        .json();
    assert_eq!(first["object"], "list");
    assert_eq!(ids(&first), ["org_3", "org_2"]);
    assert_eq!(
        first["list_metadata"],
        json!({ "before": null, "after": "org_2" })
    );
    let second = server
        .get("/organizations?limit=2&after=org_2", ROOT)
        .await
        .is(200)
        .json();
    assert_eq!(ids(&second), ["org_1", "org_0"]);
    assert_eq!(second["list_metadata"]["before"], "org_1");
    let found = server
        .get("/organizations?search=number%203", ROOT)
        .await
        .is(200)
        .json();
    assert_eq!(ids(&found), ["org_3"]);
    let only = server.key(&["read"], Some(&["org_1", ACME])).await;
    assert_eq!(
        ids(&server.get("/organizations", &only).await.is(200).json()),
        ["org_1", ACME]
    );
    server.get("/organizations?limit=101", ROOT).await.is(422);
    server.get("/organizations?order=up", ROOT).await.is(422);
}

#[tokio::test]
async fn retention_takes_both_bodies_and_shows_what_waits() {
    let server = TestServer::start().await;
    let path = format!("/organizations/{ACME}/audit_logs_retention");
    assert_eq!(
        server.get(&path, ROOT).await.is(200).json(),
        json!({ "retention_period_in_days": 365 })
    );
    let set = async |body: Value| server.put(&path, ROOT, &body).await;
    assert_eq!(
        set(json!({ "retention_period": "10_YEARS" }))
            .await
            .is(200)
            .json(),
        json!({ "retention_period_in_days": 3650 })
    );
    let shorter = set(json!({ "retention_period_in_days": 30 }))
        .await
        .is(200)
        .json();
    assert_eq!(
        shorter,
        json!({
            "retention_period_in_days": 30,
            "in_force": { "retention_period_in_days": 3650, "until": "2026-11-29T12:00:00.000Z" },
        })
    );
    server
        .clock
        .set(crate::harness::time("2026-11-29T12:00:00Z"));
    assert_eq!(
        server.get(&path, ROOT).await.is(200).json(),
        json!({ "retention_period_in_days": 30 })
    );
    assert_eq!(
        set(json!({ "retention_period_in_days": null }))
            .await
            .is(200)
            .json()["retention_period_in_days"],
        Value::Null
    );
    for wrong in [
        json!({}),
        json!({ "retention_period": "5_WEEKS" }),
        json!({ "retention_period_in_days": 0 }),
        json!({ "retention_period_in_days": "30" }),
    ] {
        set(wrong).await.is(422);
    }
    // The log is empty, and its first entry is never ours: the changes stand in the installation's.
    assert_eq!(server.store.log(ACME).unwrap().size(), 0);
    let home = server.store.installation_log();
    let last = home.row(home.size() - 1).unwrap().unwrap();
    assert_eq!(last.skeleton().action, "audit_log.retention_changed");
}

#[tokio::test]
async fn a_schema_is_a_promise_that_events_are_held_to() {
    let server = TestServer::start().await;
    let path = "/audit_logs/actions/invoice.paid/schemas";
    let schema = json!({
        "actor": { "metadata": { "type": "object", "properties": {} } },
        "targets": [{ "type": "invoice" }],
        "metadata": { "type": "object", "properties": { "amount": { "type": "number" } } },
    });
    let made = server.post(path, ROOT, &schema).await.is(201).json();
    assert_eq!(
        (&made["object"], &made["version"]),
        (&json!("audit_log_schema"), &json!(1))
    );
    assert_eq!(made["targets"], json!([{ "type": "invoice" }]));
    assert_eq!(made["metadata"], schema["metadata"]);
    assert_eq!(
        server.post(path, ROOT, &schema).await.is(201).json()["version"],
        1
    );

    let send = async |metadata: Value| {
        let mut sent = event("invoice.paid");
        sent["targets"] = json!([{ "id": "inv_1", "type": "invoice" }]);
        sent["metadata"] = metadata;
        server
            .post(
                "/audit_logs/events",
                ROOT,
                &json!({ "organization_id": ACME, "event": sent }),
            )
            .await
    };
    send(json!({ "amount": 9.5 })).await.is(200);
    let refused = send(json!({ "amount": "much" })).await.is(400).json();
    assert_eq!(refused["code"], "invalid_audit_log_event");
    assert_eq!(refused["errors"][0]["instancePath"], "/metadata/amount");

    let actions = server.get("/audit_logs/actions", ROOT).await.is(200).json();
    assert_eq!(actions["data"][0]["name"], "invoice.paid");
    assert_eq!(actions["data"][0]["schema"], made);
    let listed = server
        .get(&format!("{path}?order=desc"), ROOT)
        .await
        .is(200)
        .json();
    assert_eq!(listed["data"], json!([made]));
    server
        .get("/audit_logs/actions/nobody.did/schemas", ROOT)
        .await
        .is(404);
    let wrong = server
        .post(path, ROOT, &json!({ "targets": [] }))
        .await
        .is(422)
        .json();
    assert_eq!(wrong["errors"][0]["field"], "targets");
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_at_once() {
    let server = TestServer::start().await;
    let made = server
        .post("/keys", ROOT, &json!({ "name": "CI", "scopes": ["read"] }))
        .await
        .is(201)
        .json();
    let secret = made["key"].as_str().unwrap();
    assert!(secret.starts_with("sk_"));
    server.get("/organizations", secret).await.is(200);
    let listed = server.get("/keys", ROOT).await.is(200);
    assert!(!listed.text().contains(secret));
    let path = format!("/keys/{}", made["id"].as_str().unwrap());
    server.delete(&path, ROOT).await.is(200);
    let refused = server.get("/organizations", secret).await.is(401);
    assert_eq!(refused.json(), json!({ "message": "Unauthorized" }));
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    for wrong in [
        json!({ "name": "x", "scopes": ["all"] }),
        json!({ "name": "x", "organization_ids": [] }),
        json!({ "name": "x", "organization_ids": ["org_nobody"] }),
    ] {
        server.post("/keys", ROOT, &wrong).await.is(422);
    }
    let home = server.store.installation_log();
    let actions: Vec<String> = (0..home.size())
        .map(|n| home.row(n).unwrap().unwrap().skeleton().action.clone())
        .collect();
    assert_eq!(actions, ["audit_log.key_created", "audit_log.key_revoked"]);
}

#[tokio::test]
async fn a_portal_link_is_for_the_log_and_nothing_else() {
    let server = TestServer::start().await;
    let make = async |body: Value| server.post("/portal/generate_link", ROOT, &body).await;
    let link = make(
        json!({ "organization": ACME, "intent": "audit_logs", "admin_emails": ["a@b.example"] }),
    )
    .await;
    assert!(
        link.is(201).json()["link"]
            .as_str()
            .unwrap()
            .starts_with("http://127.0.0.1:4600/portal/launch?token=")
    );
    assert_eq!(
        make(json!({ "organization": ACME, "intent": "sso" }))
            .await
            .is(422)
            .json()["errors"][0]["field"],
        "intent"
    );
    assert_eq!(
        make(json!({ "organization": "org_nobody" }))
            .await
            .is(404)
            .json()["message"],
        "Organization not found: 'org_nobody'."
    );
    let contacts = async |count| {
        let emails = vec!["it@acme.example"; count];
        make(json!({ "organization": ACME, "it_contact_emails": emails })).await
    };
    contacts(20).await.is(201);
    assert_eq!(
        contacts(21).await.is(422).json()["errors"][0]["field"],
        "it_contact_emails"
    );
    make(json!({ "organization": ACME, "path": "https://evil.example/" }))
        .await
        .is(422);
    make(json!({ "organization": ACME, "path": "/w/org_other/audit-logs" }))
        .await
        .is(422);
    make(json!({ "organization": ACME, "user": { "name": "No id" } }))
        .await
        .is(422);
}

#[tokio::test]
async fn an_installation_may_create_what_it_does_not_know() {
    let config = annals_server::Config {
        unknown_organization: annals_server::UnknownOrganization::Create,
        ..annals_server::Config::default()
    };
    let server = TestServer::with(config).await;
    assert_eq!(server.record("org_new", &event("issue.created")).await, 0);
    assert_eq!(
        server
            .get("/organizations/org_new", ROOT)
            .await
            .is(200)
            .json()["name"],
        "org_new"
    );
    let body = json!({ "organization_id": "not an id", "event": event("issue.created") });
    server.post("/audit_logs/events", ROOT, &body).await.is(422);
    // A key that is bound to others cannot bring new ones into being.
    let bound = server.key(&["write"], Some(&[ACME])).await;
    let body = json!({ "organization_id": "org_newer", "event": event("issue.created") });
    server
        .post("/audit_logs/events", &bound, &body)
        .await
        .is(404);
    server.get("/organizations/org_newer", ROOT).await.is(404);
}

#[tokio::test]
async fn a_strict_installation_takes_known_actions_only() {
    let config = annals_server::Config {
        strict: true,
        personal_types: vec!["email".to_owned()],
        ..annals_server::Config::default()
    };
    let server = TestServer::with(config).await;
    let send = async |sent: Value| {
        let body = json!({ "organization_id": ACME, "event": sent });
        server.post("/audit_logs/events", ROOT, &body).await
    };
    send(event("issue.created")).await.is(200);
    let mut sent = event("invoice.paid");
    let refused = send(sent.clone()).await.is(400).json();
    assert_eq!(refused["errors"][0]["code"], "not_in_catalogue");
    assert_eq!(refused["errors"][0]["field"], "event.action");
    let schema = json!({ "targets": [{ "type": "issue" }] });
    server
        .post("/audit_logs/actions/invoice.paid/schemas", ROOT, &schema)
        .await
        .is(201);
    sent["actor"] = json!({ "id": "somebody", "type": "email" });
    send(sent).await.is(200);
    // Another vocabulary is made known without saying what its events hold; then they may be nested.
    let mut foreign = event("aws.ec2.RunInstances");
    foreign["metadata"] = json!({ "instances": { "items": [{ "id": "i-1" }] } });
    send(foreign.clone()).await.is(400);
    let path = "/audit_logs/actions/aws.ec2.RunInstances/schemas";
    let both = json!({ "open": true, "targets": [{ "type": "issue" }] });
    let refused = server.post(path, ROOT, &both).await.is(422).json();
    assert_eq!(refused["errors"][0]["field"], "targets");
    for _ in 0..2 {
        let made = server.post(path, ROOT, &json!({ "open": true })).await;
        let made = made.is(201).json();
        assert_eq!((&made["version"], &made["open"]), (&json!(1), &json!(true)));
    }
    send(foreign).await.is(200);
    // Of an action of the catalogue, members and values that the catalogue has.
    let mut moved = event("issue.status_updated");
    moved["previous"] = json!({ "status": null });
    moved["metadata"] = json!({ "origin": "automation", "bulk": true });
    send(moved.clone()).await.is(200);
    moved["next"] = json!({ "status": 5 });
    moved["metadata"] = json!({ "origin": "elsewhere", "bulk": "yes", "mood": "good" });
    let refused = send(moved).await.is(400).json();
    let told: Vec<_> = refused["errors"].as_array().unwrap().iter().collect();
    assert!(told.iter().all(|e| e["code"] == "not_in_catalogue"));
    assert_eq!(
        told.iter().map(|e| &e["message"]).collect::<Vec<_>>(),
        [
            "next.status must be a text",
            "metadata.bulk must be true or false",
            "metadata.mood is not a member that the catalogue has for this action",
            "metadata.origin must be one of user, integration_sync, automation",
        ]
    );
    // An id that is personal by its type is not in what is hashed, and read back all the same.
    let log = server.store.log(ACME).unwrap();
    assert!(!log.entry(1).unwrap().unwrap().contains("somebody"));
    assert_eq!(log.row(1).unwrap().unwrap().actor_id(), Some("somebody"));
}

#[tokio::test]
async fn a_key_with_a_limit_is_told_when_to_come_back() {
    let server = TestServer::start().await;
    let made = server
        .post("/keys", ROOT, &json!({ "name": "slow" }))
        .await
        .is(201)
        .json();
    let (id, secret) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    let mut config = annals_server::Config::default();
    let limit = annals_server::KeyLimit {
        per_second: 1,
        burst: Some(3),
    };
    config.limits.keys.insert(id.to_owned(), limit);
    let limited = annals_server::Server::build(config, server.store.clone()).unwrap();
    let server = TestServer {
        server: limited,
        ..server
    };
    let body = json!({ "organization_id": ACME, "event": event("issue.created") });
    for _ in 0..3 {
        server
            .post("/audit_logs/events", secret, &body)
            .await
            .is(200);
    }
    let refused = server
        .post("/audit_logs/events", secret, &body)
        .await
        .is(429);
    assert_eq!(
        refused.json(),
        json!({ "message": "Too many requests.", "code": "rate_limit_exceeded" })
    );
    assert_eq!(refused.header("retry-after"), "1");
    server.post("/audit_logs/events", ROOT, &body).await.is(200);
}

#[tokio::test]
async fn the_catalogue_says_what_events_carry() {
    let server = TestServer::start().await;
    let list = server
        .get("/audit_logs/catalogue", ROOT)
        .await
        .is(200)
        .json();
    let of = |action: &str| {
        let data = list["data"].as_array().unwrap();
        data.iter()
            .find(|entry| entry["action"] == action)
            .unwrap()
            .clone()
    };
    let updated = of("issue.status_updated");
    assert_eq!(updated["related"], json!(["project"]));
    assert_eq!(
        updated["changed"],
        json!([{ "name": "status", "type": "text" }])
    );
    assert_eq!(
        updated["metadata"][0],
        json!({ "name": "origin", "type": "word", "values": ["user", "integration_sync", "automation"] })
    );
    assert_eq!(of("outbox.gap")["metadata"][0]["type"], "integer");
}
