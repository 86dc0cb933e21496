//! Every route, by every kind of caller. A route without a line here fails, and so does a line
//! without a route.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::harness::{ACME, ROOT, TestServer, event, request};

/// Who calls. The keys reach all organizations, except `Stranger`, whose key may do everything, but in
/// another workspace. The last four are browsers.
const CALLERS: [&str; 11] = [
    "none",
    "wrong",
    "stranger",
    "reader",
    "writer",
    "manager",
    "root",
    "grant elsewhere",
    "viewer",
    "auditor",
    "owner",
];

/// Method, path, body, and what each of [`CALLERS`] gets: first the keys, then the browsers.
type Line = (&'static str, &'static str, &'static str, [u16; 7], [u16; 4]);

/// Every route.
#[rustfmt::skip]
const TABLE: &[Line] = &[
    ("POST", "/audit_logs/events", EVENT, [401, 401, 404, 403, 200, 403, 200], NOBODY),
    ("POST", "/audit_logs/events/bulk", EVENTS, [401, 401, 404, 403, 200, 403, 200], NOBODY),
    ("GET", "/audit_logs/events?organization_id=org_acme", "", READ, NOBODY),
    ("GET", "/audit_logs/events/histogram?organization_id=org_acme", "", READ, NOBODY),
    ("GET", "/audit_logs/events/facets?organization_id=org_acme", "", READ, NOBODY),
    ("GET", "/audit_logs/events/{id}?organization_id=org_acme", "event", READ, NOBODY),
    ("GET", "/audit_logs/events/{id}/proof?organization_id=org_acme", "event", READ, NOBODY),
    ("GET", "/audit_logs/events.csv?organization_id=org_acme", "", READ, NOBODY),
    ("GET", "/audit_logs/events.ndjson?organization_id=org_acme", "", READ, NOBODY),
    ("GET", "/audit_logs/events.parquet?organization_id=org_acme", "", READ, NOBODY),
    ("GET", "/audit_logs/events.proof?organization_id=org_acme", "", READ, NOBODY),
    ("GET", "/audit_logs/events/tail?organization_id=org_acme", "", READ, NOBODY),
    ("GET", "/audit_logs/checkpoint?organization_id=org_acme", "", READ, NOBODY),
    ("POST", "/audit_logs/exports", EXPORT, [401, 401, 404, 201, 403, 403, 201], NOBODY),
    ("GET", "/audit_logs/exports/{id}", "export", READ, NOBODY),
    // The token in the address is the right to it; without a good one nobody gets anything.
    ("GET", "/audit_logs/exports/{id}/download?token=wrong", "export", [404; 7], [404; 4]),
    ("GET", "/audit_logs/actions", "", [401, 401, 200, 200, 403, 200, 200], NOBODY),
    ("GET", "/audit_logs/actions/{action}/schemas", "action", [401, 401, 200, 200, 403, 200, 200], NOBODY),
    ("POST", "/audit_logs/actions/{action}/schemas", SCHEMA, [401, 401, 403, 403, 403, 201, 201], NOBODY),
    ("GET", "/audit_logs/catalogue", "", [401, 401, 200, 200, 200, 200, 200], NOBODY),
    ("GET", "/organizations", "", [401, 401, 200, 200, 403, 200, 200], NOBODY),
    ("POST", "/organizations", r#"{"name":"New"}"#, [401, 401, 403, 403, 403, 201, 201], NOBODY),
    ("GET", "/organizations/{id}", "organization", SEE, NOBODY),
    ("PUT", "/organizations/{id}", r#"organization{"name":"Acme"}"#, CHANGE, NOBODY),
    ("DELETE", "/organizations/{id}", "spare organization", CHANGE, NOBODY),
    ("GET", "/organizations/external_id/{external_id}", "external", SEE, NOBODY),
    ("GET", "/organizations/{id}/audit_log_configuration", "organization", SEE, NOBODY),
    ("GET", "/organizations/{id}/audit_logs_retention", "organization", SEE, NOBODY),
    ("PUT", "/organizations/{id}/audit_logs_retention", r#"organization{"retention_period":"1_YEAR"}"#, CHANGE, NOBODY),
    ("GET", "/organizations/{id}/entitlement", "organization", SEE, NOBODY),
    ("PUT", "/organizations/{id}/entitlement", r#"organization{"state":"active"}"#, [401, 401, 403, 403, 403, 200, 200], NOBODY),
    ("POST", "/portal/revoke_link", r#"{"organization":"org_acme","external_user_id":"gone"}"#, [401, 401, 404, 403, 403, 204, 204], NOBODY),
    ("POST", "/portal/generate_link", r#"{"organization":"org_acme"}"#, [401, 401, 404, 403, 403, 201, 201], NOBODY),
    ("GET", "/keys", "", INSTALLATION, NOBODY),
    ("POST", "/keys", r#"{"name":"New"}"#, [401, 401, 403, 403, 403, 201, 201], NOBODY),
    ("GET", "/keys/{id}", "key", INSTALLATION, NOBODY),
    ("DELETE", "/keys/{id}", "spare key", INSTALLATION, NOBODY),
    ("GET", "/metrics", "", [401, 401, 403, 200, 403, 200, 200], NOBODY),
    ("GET", "/health", "", [200; 7], [200; 4]),
    ("GET", "/ready", "", [200; 7], [200; 4]),
    ("GET", "/openapi.json", "", [200; 7], [200; 4]),
    ("GET", "/docs", "", [200; 7], [200; 4]),
    ("GET", "/docs/style.css", "", [200; 7], [200; 4]),
    // A page for browsers; for programs there is nothing.
    ("GET", "/", "", [404; 7], [404; 4]),
    // Pages know no keys: for them every key is nobody.
    ("GET", "/assets/{name}", "asset", [404; 7], [404; 4]),
    ("GET", "/portal/launch?token=wrong", "", [404; 7], [404; 4]),
    ("GET", "/portal/continue?handoff=wrong", "", [404; 7], [404; 4]),
    // Without a session there is nothing to end; with one the form's token is missing.
    ("POST", "/portal/sign-out", "", [200; 7], [403; 4]),
    ("GET", "/w/{organization}/audit-logs", "organization", [401; 7], [404, 200, 200, 200]),
    ("GET", "/w/{organization}/audit-logs/filter", "organization", [401; 7], [404, 303, 303, 303]),
    ("GET", "/w/{organization}/audit-logs/event/{id}", "page event", [401; 7], [404, 200, 200, 200]),
    ("GET", "/w/{organization}/audit-logs/download.csv", "organization", [401; 7], [404, 403, 200, 200]),
    ("GET", "/w/{organization}/audit-logs/download.ndjson", "organization", [401; 7], [404, 403, 200, 200]),
    ("GET", "/w/{organization}/audit-logs/download.parquet", "organization", [401; 7], [404, 403, 200, 200]),
    ("GET", "/w/{organization}/audit-logs/download.proof", "organization", [401; 7], [404, 403, 200, 200]),
    ("GET", "/w/{organization}/audit-logs/example.csv", "organization", [401; 7], [404, 200, 200, 200]),
    ("GET", "/w/{organization}/audit-logs/streams", "organization", [401; 7], [404, 200, 200, 200]),
];

const READ: [u16; 7] = [401, 401, 404, 200, 403, 403, 200];
const SEE: [u16; 7] = [401, 401, 404, 200, 403, 200, 200];
const CHANGE: [u16; 7] = [401, 401, 404, 403, 403, 200, 200];
const INSTALLATION: [u16; 7] = [401, 401, 403, 403, 403, 200, 200];
/// A session of the portal is no key.
const NOBODY: [u16; 4] = [401; 4];

const EVENT: &str = r#"{"organization_id":"org_acme","event":{"action":"issue.created","occurred_at":"2026-11-22T11:59:00Z","actor":{"id":"u","type":"user"},"targets":[],"context":{}}}"#;
const EVENTS: &str = r#"{"organization_id":"org_acme","events":[{"action":"issue.created","occurred_at":"2026-11-22T11:59:00Z","actor":{"id":"u","type":"user"},"targets":[],"context":{}}]}"#;
const EXPORT: &str = r#"{"organization_id":"org_acme","range_start":"2026-01-01T00:00:00Z","range_end":"2026-12-01T00:00:00Z"}"#;
const SCHEMA: &str = r#"action{"targets":[{"type":"invoice"}]}"#;

struct World {
    server: TestServer,
    keys: [String; 7],
    cookies: [String; 4],
    export: String,
    key: String,
}

impl World {
    async fn new() -> Self {
        let server = TestServer::start().await;
        server.organization("org_elsewhere", "Elsewhere").await;
        server
            .put(
                &format!("/organizations/{ACME}"),
                ROOT,
                &json!({ "external_id": "ext_1" }),
            )
            .await
            .is(200);
        let mut sent = event("issue.created");
        sent["id"] = json!("evt_1");
        server.record(ACME, &sent).await;
        let schema: Value = serde_json::from_str(&SCHEMA[6..]).unwrap();
        server
            .post("/audit_logs/actions/invoice.paid/schemas", ROOT, &schema)
            .await
            .is(201);
        let export: Value = serde_json::from_str(EXPORT).unwrap();
        let export = server
            .post("/audit_logs/exports", ROOT, &export)
            .await
            .is(201)
            .json();
        let key = server
            .post("/keys", ROOT, &json!({ "name": "k" }))
            .await
            .is(201)
            .json();
        let keys = [
            String::new(),
            "sk_wrong_wrong_wrong_wrong".to_owned(),
            server
                .key(&["write", "read", "manage"], Some(&["org_elsewhere"]))
                .await,
            server.key(&["read"], None).await,
            server.key(&["write"], None).await,
            server.key(&["manage"], None).await,
            ROOT.to_owned(),
        ];
        let cookies = [
            cookie(&server, "org_elsewhere", "owner").await,
            cookie(&server, ACME, "viewer").await,
            cookie(&server, ACME, "auditor").await,
            cookie(&server, ACME, "owner").await,
        ];
        let text = |value: &Value| value["id"].as_str().unwrap().to_owned();
        Self {
            export: text(&export),
            key: text(&key),
            server,
            keys,
            cookies,
        }
    }

    /// The path with what it needs, and the body.
    async fn prepare(&self, path: &str, body: &str) -> (String, String) {
        let (what, body) = body.split_at(body.find('{').unwrap_or(body.len()));
        let id = match what {
            "event" | "page event" => "evt_1".to_owned(),
            "export" => self.export.clone(),
            "key" => self.key.clone(),
            "organization" => ACME.to_owned(),
            "external" => "ext_1".to_owned(),
            "action" => "invoice.paid".to_owned(),
            "asset" => "none.css".to_owned(),
            "spare key" => {
                let made = self
                    .server
                    .post("/keys", ROOT, &json!({ "name": "spare" }))
                    .await
                    .is(201)
                    .json();
                made["id"].as_str().unwrap().to_owned()
            }
            "spare organization" => {
                let made = self
                    .server
                    .post("/organizations", ROOT, &json!({ "name": "Spare" }))
                    .await
                    .is(201)
                    .json();
                made["id"].as_str().unwrap().to_owned()
            }
            _ => String::new(),
        };
        let path = path.replace("{organization}", ACME);
        let path = ["{id}", "{external_id}", "{action}", "{name}"]
            .iter()
            .fold(path, |p, name| p.replace(name, &id));
        (path, body.to_owned())
    }

    /// Sends it, and reads the answer to its end: whoever leaves a download early may find its place
    /// taken a moment longer. The tail has no end, so only its head is read.
    async fn status(&self, request: Request<Body>) -> u16 {
        let endless = request.uri().path().ends_with("/tail");
        let answer = self.server.server.answer(request).await;
        let status = answer.status().as_u16();
        if !endless {
            axum::body::to_bytes(answer.into_body(), usize::MAX)
                .await
                .unwrap();
        }
        status
    }
}

/// Opens a portal link and returns the cookie.
async fn cookie(server: &TestServer, organization: &str, role: &str) -> String {
    let body = json!({ "organization": organization, "role": role, "user": { "id": role } });
    let link = server
        .post("/portal/generate_link", ROOT, &body)
        .await
        .is(201)
        .json();
    let link = link["link"].as_str().unwrap().to_owned();
    let path = link.split_once("//").unwrap().1;
    let path = &path[path.find('/').unwrap()..];
    let answer = server.get(path, "").await.is(303);
    let cookie = answer.header("set-cookie");
    assert!(!cookie.is_empty());
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_route_by_every_caller() {
    let world = World::new().await;
    let mut wrong = Vec::new();
    for (method, path, body, keys, browsers) in TABLE {
        for (caller, expected) in CALLERS.iter().zip(keys.iter().chain(browsers)) {
            let (path, body) = world.prepare(path, body).await;
            let method: Method = method.parse().unwrap();
            let at = CALLERS.iter().position(|c| c == caller).unwrap();
            let key = world.keys.get(at).map_or("", String::as_str);
            let mut request = request(method.clone(), &path, key, Body::from(body));
            if let Some(cookie) = at.checked_sub(7).map(|at| &world.cookies[at]) {
                request
                    .headers_mut()
                    .insert("cookie", cookie.parse().unwrap());
            }
            if path == "/portal/sign-out" {
                let form = "application/x-www-form-urlencoded".parse().unwrap();
                request.headers_mut().insert("content-type", form);
            }
            let status = world.status(request).await;
            if status != *expected {
                wrong.push(format!(
                    "{method} {path} by {caller}: {status}, not {expected}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_table_names_every_route() {
    let server = TestServer::start().await;
    let api: Value = serde_json::from_slice(server.server.openapi()).unwrap();
    let mut routes = BTreeSet::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "delete", "patch"] {
            if item.get(method).is_some() {
                routes.insert((method.to_uppercase(), path.clone()));
            }
        }
    }
    for (method, path) in annals_server::page_routes() {
        routes.insert((method.to_owned(), path.to_owned()));
    }
    let listed: BTreeSet<(String, String)> = TABLE
        .iter()
        .map(|(method, path, ..)| {
            (
                (*method).to_owned(),
                path.split('?').next().unwrap().to_owned(),
            )
        })
        .collect();
    assert_eq!(routes, listed);
}
