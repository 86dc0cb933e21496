//! Opening the log: links, sessions, cookies, and who gets nothing.

use annals_server::Config;
use axum::http::Method;
use serde_json::json;

use crate::browser::{Browser, link, link_of, words};
use crate::harness::{ACME, ROOT, TestServer, event, time};

const LOG: &str = "/w/org_acme/audit-logs";

/// The actions in Acme's log, oldest first, as the API tells them.
async fn actions(server: &TestServer) -> Vec<String> {
    let path = format!("/audit_logs/events?organization_id={ACME}&order=asc&limit=1000");
    let page = server.get(&path, ROOT).await.is(200).json();
    let all = page["data"].as_array().unwrap().iter();
    all.map(|row| row["event"]["action"].as_str().unwrap().to_owned())
        .collect()
}

fn secure() -> Config {
    Config {
        public_url: Some("https://audit.example.com".to_owned()),
        ..Config::default()
    }
}

#[tokio::test]
async fn a_link_opens_the_log_once_and_in_one_browser() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    let link = link(&server, ACME, &json!({})).await;
    let browser = Browser::new(&server);
    let page = browser.open(&link).await.is(200).text();
    assert!(words(&page).contains("Dana Whitfield"), "{page}");

    // The same browser is led there again; another one is told that the link is used up.
    browser.open(&link).await.is(200);
    let other = Browser::new(&server);
    let refused = other.open(&link).await.is(410);
    assert!(words(&refused.text()).contains("This link has been used"));
    assert_eq!(other.cookie("annals_session"), None);
    other.get(LOG).await.is(401);
}

#[tokio::test]
async fn looking_at_a_link_does_not_use_it_up() {
    let server = TestServer::start().await;
    let link = link(&server, ACME, &json!({})).await;
    let scanner = Browser::new(&server);
    scanner.send(Method::HEAD, &link, &[], "").await.is(204);
    for header in [
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-moz", "prefetch"),
    ] {
        scanner
            .send(Method::GET, &link, &[header], "")
            .await
            .is(204);
    }
    assert_eq!(scanner.cookie("annals_session"), None);
    Browser::new(&server).open(&link).await.is(200);
}

#[tokio::test]
async fn the_address_of_the_server_says_what_it_is() {
    let server = TestServer::start().await;
    let browser = Browser::new(&server);
    let accept = ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    let page = browser.send(Method::GET, "/", &[accept], "").await.is(200);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(words(&page.text()).contains("This is Annals"));
    assert!(page.text().contains("href=\"/docs\""), "{}", page.text());
    // A program gets what it gets everywhere else where there is nothing.
    for accept in ["*/*", "application/json"] {
        let answer = browser
            .send(Method::GET, "/", &[("accept", accept)], "")
            .await;
        assert_eq!(answer.is(404).json()["code"], "not_found");
    }
}

#[tokio::test]
async fn a_link_for_streams_opens_no_log() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    let browser = Browser::new(&server);
    let streams = link(&server, ACME, &json!({ "intent": "log_streams" })).await;
    let page = browser.open(&streams).await.is(200).text();
    assert!(
        words(&page).contains("Log streams are not set up here"),
        "{page}"
    );
    assert!(!page.contains("Back to the audit log"));
    for path in [
        "",
        "/event/evt_1",
        "/download.csv",
        "/filter",
        "/example.csv",
    ] {
        let refused = browser.get(&format!("{LOG}{path}")).await.is(403).text();
        assert!(words(&refused).contains("does not open the audit log"));
    }
    // Nor with the log's path in the link.
    let other = json!({ "intent": "log_streams", "path": LOG });
    let browser = Browser::new(&server);
    browser
        .open(&link(&server, ACME, &other).await)
        .await
        .is(403);
    assert!(
        !actions(&server)
            .await
            .contains(&"audit_log.exported".to_owned())
    );

    // Who came for the log finds the way back to it.
    let browser = Browser::new(&server);
    browser
        .open(&link(&server, ACME, &json!({})).await)
        .await
        .is(200);
    let page = browser.get(&format!("{LOG}/streams")).await.is(200).text();
    assert_eq!(link_of(&page, "Back to the audit log"), LOG);
}

#[tokio::test]
async fn an_old_link_says_so() {
    let server = TestServer::start().await;
    let link = link(&server, ACME, &json!({})).await;
    server.clock.set(time("2026-11-22T12:05:01Z"));
    let page = Browser::new(&server).open(&link).await.is(410).text();
    assert!(words(&page).contains("This link has expired"));
    let page = Browser::new(&server)
        .open("/portal/launch?token=nonsense")
        .await
        .is(404)
        .text();
    assert!(words(&page).contains("This link does not work"));
}

#[tokio::test]
async fn signing_in_and_reading_are_recorded_once() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    browser.log("").await;
    browser.log("?q=outcome:failure").await;
    let all = actions(&server).await;
    let count = |action: &str| all.iter().filter(|a| *a == action).count();
    assert_eq!(count("audit_log.signed_in"), 1);
    // One by the session, one by the key that asks here.
    assert_eq!(count("audit_log.viewed"), 2, "{all:?}");
    let path = format!("/audit_logs/events?organization_id={ACME}&q=action:audit_log.signed_in");
    let signed_in = server.get(&path, ROOT).await.is(200).json();
    let actor = &signed_in["data"][0]["event"]["actor"];
    assert_eq!(
        (actor["id"].as_str(), actor["email"].as_str()),
        (Some("user_dana"), Some("dana@example.com"))
    );
}

#[tokio::test]
async fn an_empty_log_stays_empty_when_it_is_read() {
    let server = TestServer::start().await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("").await;
    assert!(words(&page).contains("Nothing recorded yet"), "{page}");
    assert!(!page.contains("download.csv"));
    assert_eq!(server.record(ACME, &event("issue.created")).await, 0);
    // Now there is something to read, and reading it is recorded.
    browser.log("").await;
    assert_eq!(
        actions(&server).await[..2],
        ["issue.created", "audit_log.viewed"]
    );
}

#[tokio::test]
async fn what_a_session_does_not_hold_is_as_if_it_did_not_exist() {
    let server = TestServer::start().await;
    server
        .organization("org_other", "Other Secret Company")
        .await;
    let browser = Browser::signed_in(&server, "owner").await;
    for below in [
        "",
        "/event/evt_1",
        "/download.csv",
        "/download.ndjson",
        "/download.parquet",
        "/download.proof",
        "/filter",
        "/example.csv",
    ] {
        let there = browser
            .get(&format!("/w/org_other/audit-logs{below}"))
            .await
            .is(404);
        let nowhere = browser
            .get(&format!("/w/org_nonsense/audit-logs{below}"))
            .await
            .is(404);
        assert_eq!(there.body, nowhere.body, "{below}");
        // Nobody at all learns no more.
        let stranger = Browser::new(&server);
        let there = stranger
            .get(&format!("/w/org_other/audit-logs{below}"))
            .await
            .is(401);
        let nowhere = stranger
            .get(&format!("/w/org_nonsense/audit-logs{below}"))
            .await
            .is(401);
        assert_eq!(there.body, nowhere.body, "{below}");
    }
}

#[tokio::test]
async fn one_session_holds_several_workspaces() {
    let server = TestServer::start().await;
    server.organization("org_b", "Beta").await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let first = browser.cookie("annals_session").unwrap();
    browser
        .open(&link(&server, "org_b", &json!({})).await)
        .await
        .is(200);
    assert_eq!(browser.cookie("annals_session").unwrap(), first);
    browser.get(LOG).await.is(200);
    browser.get("/w/org_b/audit-logs").await.is(200);
    // Deleting one ends what was held of it, and nothing else.
    server.delete("/organizations/org_b", ROOT).await;
    browser.get("/w/org_b/audit-logs").await.is(404);
    browser.get(LOG).await.is(200);
}

#[tokio::test]
async fn a_session_ends() {
    let server = TestServer::start().await;
    let browser = Browser::signed_in(&server, "auditor").await;
    server.clock.set(time("2026-11-22T20:00:01Z"));
    let page = browser.get(LOG).await.is(401).text();
    assert!(words(&page).contains("Your session has ended"));
    let framed = browser
        .send(Method::GET, LOG, &[("sec-fetch-dest", "iframe")], "")
        .await
        .is(401)
        .text();
    assert!(words(&framed).contains("Reload this page"));
}

#[tokio::test]
async fn an_ended_session_leads_back_to_the_host() {
    let server = TestServer::start().await;
    let url = "https://app.example.com/settings?open={path}";
    server
        .put(
            &format!("/organizations/{ACME}"),
            ROOT,
            &json!({ "viewer_url": url }),
        )
        .await
        .is(200);
    let browser = Browser::signed_in(&server, "auditor").await;
    browser.set_cookie("annals_session", None);
    let page = browser
        .get("/w/org_acme/audit-logs?q=outcome:failure")
        .await
        .is(401)
        .text();
    let back = link_of(&page, "Open Audit Logs again</a>");
    assert_eq!(
        back,
        "https://app.example.com/settings?open=%2Fw%2Forg_acme%2Faudit-logs%3Fq%3Doutcome:failure"
    );
    // Who was never here is told nothing of it.
    let stranger = Browser::new(&server).get(LOG).await.is(401).text();
    assert!(!stranger.contains("app.example.com"));
}

#[tokio::test]
async fn the_handoff_goes_from_the_address() {
    let server = TestServer::start().await;
    let browser = Browser::new(&server);
    let link = link(
        &server,
        ACME,
        &json!({ "path": "/w/org_acme/audit-logs?q=outcome:failure" }),
    )
    .await;
    let arrived = browser.get(&link).await.is(303);
    let with = arrived.header("location").to_owned();
    assert!(
        with.starts_with("/w/org_acme/audit-logs?q=outcome:failure&handoff="),
        "{with}"
    );
    let without = browser.get(&with).await.is(303);
    assert_eq!(
        without.header("location"),
        "/w/org_acme/audit-logs?q=outcome:failure"
    );
    // The token is spent: in another browser it opens nothing.
    let token = with.split("handoff=").nth(1).unwrap();
    let other = Browser::new(&server);
    let refused = other
        .open(&format!("/portal/continue?handoff={token}"))
        .await;
    assert!(refused.status.is_client_error(), "{}", refused.status);
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookie_opens_the_log_at_top_level() {
    let server = TestServer::with(secure()).await;
    let frame = Browser::new(&server);
    let inside = ("sec-fetch-dest", "iframe");
    let link = link(
        &server,
        ACME,
        &json!({ "embed_origin": "https://app.example.com" }),
    )
    .await;
    let arrived = frame.send(Method::GET, &link, &[inside], "").await.is(303);
    let cookie = arrived.header("set-cookie");
    assert!(cookie.starts_with("__Host-annals="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"),
        "{cookie}"
    );
    // The browser refuses it.
    frame.set_cookie("__Host-annals", None);
    let page = frame
        .send(Method::GET, arrived.header("location"), &[inside], "")
        .await
        .is(200)
        .text();
    let resume = link_of(&page, "Open Audit Logs</a>");
    let top = Browser::new(&server);
    let arrived = top
        .send(Method::GET, &resume, &[("sec-fetch-dest", "document")], "")
        .await
        .is(303);
    assert!(
        arrived
            .header("set-cookie")
            .ends_with("; Secure; SameSite=Lax")
    );
    top.open(arrived.header("location")).await.is(200);
    // Once.
    assert!(
        Browser::new(&server)
            .open(&resume)
            .await
            .status
            .is_client_error()
    );
}

#[tokio::test]
async fn only_named_origins_may_frame_the_log() {
    let config = Config {
        frame_origins: vec!["https://everywhere.example.com".to_owned()],
        ..secure()
    };
    let server = TestServer::with(config).await;
    let browser = Browser::new(&server);
    let more = json!({ "embed_origin": "https://app.example.com" });
    let page = browser
        .open(&link(&server, ACME, &more).await)
        .await
        .is(200);
    let policy = page.header("content-security-policy");
    assert!(
        policy.ends_with("frame-ancestors https://app.example.com https://everywhere.example.com"),
        "{policy}"
    );

    let server = TestServer::start().await;
    let page = Browser::signed_in(&server, "auditor")
        .await
        .get(LOG)
        .await
        .is(200);
    assert!(
        page.header("content-security-policy")
            .ends_with("frame-ancestors 'none'")
    );
}

#[tokio::test]
async fn who_may_no_longer_read_is_refused_at_the_next_request() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    let (dana, eli) = (Browser::new(&server), Browser::new(&server));
    dana.open(&link(&server, ACME, &json!({})).await)
        .await
        .is(200);
    let unopened = link(&server, ACME, &json!({})).await;
    let other = json!({ "user": { "id": "user_eli", "name": "Eli Stone" } });
    eli.open(&link(&server, ACME, &other).await).await.is(200);

    let body = json!({ "organization": ACME, "external_user_id": "user_dana" });
    let revoke = async || {
        let revoked = server.post("/portal/revoke_link", ROOT, &body).await;
        revoked.is(204);
    };
    revoke().await;
    dana.get(LOG).await.is(401);
    let file = format!("{LOG}/download.csv");
    let own = [("sec-fetch-site", "same-origin")];
    dana.send(Method::GET, &file, &own, "").await.is(401);
    Browser::new(&server).open(&unopened).await.is(404);
    eli.get(LOG).await.is(200);
    // It is in the log once, however often it is asked for.
    revoke().await;
    let of_links: Vec<String> = actions(&server).await;
    let revoked = of_links
        .iter()
        .filter(|action| *action == "audit_log.link_revoked");
    assert_eq!(revoked.count(), 1, "{of_links:?}");
}

#[tokio::test]
async fn a_link_says_how_long_what_it_opens_lasts() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    let browser = Browser::new(&server);
    let short = json!({ "session_seconds": 900 });
    browser
        .open(&link(&server, ACME, &short).await)
        .await
        .is(200);
    server.clock.set(time("2026-11-22T12:14:59Z"));
    browser.get(LOG).await.is(200);
    server.clock.set(time("2026-11-22T12:15:00Z"));
    browser.get(LOG).await.is(401);
    for wrong in [json!(0), json!(-1), json!(86_401), json!("900")] {
        let body = json!({ "organization": ACME, "session_seconds": wrong });
        let refused = server.post("/portal/generate_link", ROOT, &body).await;
        let text = refused.is(422).json().to_string();
        assert!(text.contains("session_seconds"), "{text}");
    }
}

#[tokio::test]
async fn signing_out_needs_the_form_of_the_page() {
    let server = TestServer::start().await;
    server.record(ACME, &event("issue.created")).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("").await;
    let token = page
        .split("name=\"csrf\" value=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned();
    let form = ("content-type", "application/x-www-form-urlencoded");
    let own = ("origin", "http://127.0.0.1:4600");
    let body = format!("csrf={token}");
    let send = |headers: Vec<(&'static str, &'static str)>, body: String| {
        let browser = &browser;
        async move {
            browser
                .send(Method::POST, "/portal/sign-out", &headers, &body)
                .await
                .status
                .as_u16()
        }
    };
    assert_eq!(send(vec![form, own], "csrf=wrong".to_owned()).await, 403);
    assert_eq!(send(vec![form, own], String::new()).await, 403);
    assert_eq!(
        send(vec![form, ("origin", "https://evil.example")], body.clone()).await,
        403
    );
    assert_eq!(
        send(vec![form, ("origin", "null")], body.clone()).await,
        403
    );
    assert_eq!(
        send(vec![form, ("sec-fetch-site", "cross-site")], body.clone()).await,
        403
    );
    browser.get(LOG).await.is(200);
    let kept = browser.cookie("annals_session");
    assert_eq!(send(vec![form, own], body).await, 200);
    assert_eq!(browser.cookie("annals_session"), None);
    // The session is over, not only forgotten.
    browser.set_cookie("annals_session", kept.as_deref());
    browser.get(LOG).await.is(401);
}
