//! The page: what it shows, what it never does, and how it is gone through.

use axum::http::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, hrefs, ids, link, link_of, words};
use crate::harness::{ACME, ROOT, TestServer, event, time};

const LOG: &str = "/w/org_acme/audit-logs";

/// Records events named `evt_0`, `evt_1` …, a minute apart, each third one a failed login.
async fn record(server: &TestServer, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let mut sent = if n % 3 == 0 {
            event("user.login_failed")
        } else {
            event("issue.created")
        };
        if n % 3 == 0 {
            sent["failure"] = json!({ "reason": "invalid_password" });
        }
        sent["id"] = json!(format!("evt_{n}"));
        sent["occurred_at"] = json!(format!("2026-11-21T{:02}:{:02}:00Z", n / 60, n % 60));
        server.record(ACME, &sent).await;
    }
}

/// Ids of ours, without those that reading leaves in the log.
fn sent(page: &str) -> Vec<String> {
    ids(page)
        .into_iter()
        .filter(|id| id.starts_with("evt_"))
        .collect()
}

#[tokio::test]
async fn a_row_says_who_did_what_to_what_from_where() {
    let server = TestServer::start().await;
    let mut role = event("workspace.user_role_updated");
    role["id"] = json!("evt_role");
    role["actor"]["role"] = json!("admin");
    role["targets"] =
        json!([{ "id": "user_2", "type": "user", "name": "Bo Li", "email": "bo@example.com" }]);
    role["context"]["user_agent"] = json!(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
    );
    role["previous"] = json!({ "role": "member" });
    role["next"] = json!({ "role": "admin" });
    server.record(ACME, &role).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("?q=-category:%22Audit%20Log%22").await;
    let text = words(&page);
    for part in [
        "11:59:00",
        "22 Nov 2026",
        "Ann Ek",
        "ann@example.com · admin",
        "Changed the role of Bo Li from member to admin",
        "workspace.user_role_updated",
        "192.0.2.7",
        "Chrome · Windows",
        "Time (UTC)",
        "Kept for 365 days",
        "1 event",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(page.contains("Signed: in the checkpoint of size"));

    let page = browser.log("?e=evt_role").await;
    let text = words(&page);
    for part in [
        "Ann Ek changed the role of Bo Li from member to admin",
        "Succeeded",
        "Workspace User Role Updated",
        "22 Nov 2026, 11:59:00.000000 UTC",
        "Role then",
        "bo@example.com",
        "Same actor",
        "Same address",
        "annals verify audit-log-org_acme-0.proof --key",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(
        page.contains("<td class=\"was\"><span><bdi>member</bdi>")
            && page.contains("<td class=\"is\"><span><bdi>admin</bdi>")
    );
    let own = browser
        .open(&link_of(&page, "Open on a page of its own"))
        .await
        .is(200)
        .text();
    assert!(words(&own).contains("“") || words(&own).contains("\"organization_id\": \"org_acme\""));
}

#[tokio::test]
async fn every_page_refuses_foreign_content_and_is_kept_by_nobody() {
    let server = TestServer::start().await;
    record(&server, 0..2).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let paths = [
        LOG,
        "/w/org_acme/audit-logs?q=oops:",
        "/w/org_acme/audit-logs/event/evt_1",
        "/w/org_acme/audit-logs/event/none",
        "/w/none/audit-logs",
        "/portal/launch?token=x",
    ];
    for path in paths {
        let page = browser.get(path).await;
        let policy = page.header("content-security-policy");
        for rule in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");
        let html = page.text();
        assert!(
            !html.contains(" style=") && !html.contains("<style") && !html.contains(" onclick="),
            "{path}"
        );
        for script in html.split("<script").skip(1) {
            assert!(
                script.starts_with(" src=\"/assets/"),
                "{path}: {script:.80}"
            );
        }
        for href in hrefs(&html) {
            assert!(
                href.starts_with('/')
                    || href.starts_with('#')
                    || href.starts_with("http://127.0.0.1:4600/"),
                "{path}: {href}"
            );
        }
    }
    let page = browser.log("").await;
    for asset in hrefs(&page)
        .into_iter()
        .filter(|href| href.starts_with("/assets/"))
    {
        let answer = Browser::new(&server).get(&asset).await.is(200);
        assert!(
            answer.header("cache-control").contains("immutable"),
            "{asset}"
        );
    }
}

/// Texts that become more than text where somebody forgets to escape.
const PAYLOADS: [&str; 6] = [
    "\"><x-bad onload=alert(1)>",
    "'><x-bad/onmouseover=alert(1)>",
    "</bdi></td></table></pre></script><x-bad>",
    "javascript:alert(1)//<x-bad>",
    "{{7*7}}{%x%}<x-bad>&lt;x-bad&gt;",
    "\u{202E}<x-bad>\u{200B}\u{7}\r\n",
];

#[tokio::test]
async fn nothing_that_somebody_wrote_becomes_part_of_the_page() {
    let server = TestServer::start().await;
    let browser = Browser::new(&server);
    for (n, payload) in PAYLOADS.into_iter().enumerate() {
        let p = payload;
        // Ids take no control characters.
        let i: String = p.chars().filter(|c| !c.is_control()).collect();
        let mut bad = json!({
            "action": "project.updated", "occurred_at": "2026-11-22T11:00:00Z",
            "actor": { "id": i, "type": "user", "name": p, "email": p, "role": p, "metadata": { p: p }, "on_behalf_of": { "id": i, "type": "user", "name": p, "email": p } },
            "targets": [{ "id": i, "type": "user", "name": p, "email": p, "metadata": { p: p } }, { "id": i, "type": "user" }],
            "context": { "location": p, "user_agent": p, "source": p, "session_id": p, "request_id": p, "correlation_id": p, "trace": p },
            "metadata": { p: p, "deep": { p: [p] } },
            "failure": { "reason": p, "stage": p, "detail": p },
            "previous": { p: p }, "next": { p: { p: p } },
        });
        // The event's own id takes only what can be seen, which is enough for the worst of it.
        let id: String = p.chars().filter(|c| ('!'..='~').contains(c)).collect();
        bad["id"] = json!(id);
        server.record(ACME, &bad).await;
        server
            .put(
                &format!("/organizations/{ACME}"),
                ROOT,
                &json!({ "name": p }),
            )
            .await;
        let who = json!({ "user": { "id": i, "name": i, "email": i } });
        browser.open(&link(&server, ACME, &who).await).await.is(200);

        let q = encode(payload);
        let mut paths = vec![
            LOG.to_owned(),
            format!("{LOG}?e={}", encode(&id)),
            format!("{LOG}/event/{}", encode(&id)),
            format!("{LOG}?q={q}"),
            format!("{LOG}?q=actor:{q}&was={q}"),
            format!("{LOG}?q=%22{q}"),
            format!("{LOG}?tz={q}&e={q}&embed={q}&rows={q}&as_of={q}&before={q}"),
            format!("{LOG}/event/{q}"),
            format!("{LOG}/filter?set=actor&v={q}"),
            format!("{LOG}/filter?set=time&from={q}"),
            format!("/portal/launch?token={q}"),
            format!("/w/{q}/audit-logs"),
        ];
        // And every address that such a page leads to.
        for href in hrefs(&browser.get(&paths[1]).await.is(200).text()) {
            if href.starts_with(LOG) && !href.contains("/download.") && paths.len() < 60 {
                paths.push(href.split('#').next().unwrap().to_owned());
            }
        }
        for path in paths {
            let page = browser.open(&path).await;
            if !page.header("content-type").starts_with("text/html") {
                continue;
            }
            let html = page.text();
            assert!(!html.contains("<x-bad"), "payload {n} at {path}");
            assert!(!html.contains("49{%"), "payload {n} at {path}");
            assert!(
                !hrefs(&html)
                    .iter()
                    .any(|href| href.starts_with("javascript:")),
                "payload {n} at {path}"
            );
            // A box holds what was typed into it, as it is.
            let shown = html
                .split(" value=\"")
                .map(|part| part.split_once('"').map_or(part, |(_, rest)| rest));
            for part in shown {
                let hidden = ['\u{202E}', '\u{200B}', '\u{7}'];
                assert!(!part.contains(hidden), "payload {n} at {path}");
            }
        }
    }
}

#[tokio::test]
async fn pages_stay_as_they_were_while_events_come_in() {
    let server = TestServer::start().await;
    record(&server, 0..120).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let query = "?q=id:evt_*";
    let first = browser.log(query).await;
    let mut seen = ids(&first);
    record(&server, 120..130).await;
    let second = browser
        .open(&link_of(&first, "rel=\"next\""))
        .await
        .is(200)
        .text();
    seen.extend(ids(&second));
    let third = browser
        .open(&link_of(&second, "rel=\"next\""))
        .await
        .is(200)
        .text();
    seen.extend(ids(&third));
    let expected: Vec<String> = (0..120).rev().map(|n| format!("evt_{n}")).collect();
    assert_eq!(seen, expected);
    assert!(!third.contains("rel=\"next\""));
    assert!(
        words(&third).contains("101–120 of 120"),
        "{}",
        words(&third)
    );
    assert!(words(&third).contains("Show "));
    // And back, over the same rows.
    let back = browser
        .open(&link_of(&third, "rel=\"prev\""))
        .await
        .is(200)
        .text();
    assert_eq!(ids(&back), ids(&second));
    let top = browser
        .open(&link_of(&back, "rel=\"prev\""))
        .await
        .is(200)
        .text();
    assert_eq!(ids(&top), ids(&first));
    assert!(!top.contains("rel=\"prev\""));
    // Asked again, the log shows what came since.
    assert_eq!(ids(&browser.log(query).await)[0], "evt_129");
}

#[tokio::test]
async fn more_rows_a_page() {
    let server = TestServer::start().await;
    record(&server, 0..120).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    assert_eq!(ids(&browser.log("?q=id:evt_*&rows=100").await).len(), 100);
    assert_eq!(ids(&browser.log("?q=id:evt_*&rows=7").await).len(), 50);
}

#[tokio::test]
async fn filters_narrow_and_can_be_taken_out() {
    let server = TestServer::start().await;
    record(&server, 0..9).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let failed = browser
        .open(&link_of(&browser.log("").await, "Failed logins"))
        .await
        .is(200)
        .text();
    assert_eq!(sent(&failed), ["evt_6", "evt_3", "evt_0"]);
    assert!(words(&failed).contains("Event is User Login Failed"));
    assert!(words(&failed).contains("3 events"));
    // A chip leads back.
    let all = browser
        .open(&link_of(&failed, "Remove: Event is User Login Failed"))
        .await
        .is(200)
        .text();
    assert_eq!(sent(&all).len(), 9);
    // A form does what its boxes say.
    let chosen = browser
        .open(&format!(
            "{LOG}/filter?set=action&v=issue.created&v=issue.deleted&q=actor:%22Ann+Ek%22"
        ))
        .await
        .is(200)
        .text();
    assert_eq!(sent(&chosen).len(), 6);
    assert!(
        chosen.contains("value=\"actor:&#34;Ann Ek&#34; action:issue.created,issue.deleted\""),
        "{chosen}"
    );
    // A value leads to all that have it, and to all that have not.
    let only = link_of(&failed, "Only this</a>");
    assert_eq!(sent(&browser.open(&only).await.is(200).text()).len(), 3);
    let without = browser.log("?q=id:evt_*%20-action:user.login_failed").await;
    assert_eq!(sent(&without).len(), 6);
}

#[tokio::test]
async fn actions_of_the_product_stand_among_the_events() {
    let server = TestServer::start().await;
    let schema = json!({ "targets": [{ "type": "invoice" }] });
    server
        .post(
            "/audit_logs/actions/invoice.was_paid/schemas",
            ROOT,
            &schema,
        )
        .await
        .is(201);
    let mut paid = event("invoice.was_paid");
    paid["id"] = json!("evt_0");
    paid["version"] = json!(1);
    paid["targets"] = json!([{ "id": "inv_1", "type": "invoice" }]);
    server.record(ACME, &paid).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("").await;
    assert!(
        page.contains("name=\"v\" value=\"invoice.was_paid\"")
            && words(&page).contains("Invoice Was Paid")
    );
    let chosen = browser
        .open(&format!("{LOG}/filter?set=action&v=invoice.was_paid"))
        .await
        .is(200)
        .text();
    assert_eq!(sent(&chosen), ["evt_0"]);
    assert!(chosen.contains("value=\"invoice.was_paid\" checked"));
}

#[tokio::test]
async fn days_are_those_of_the_zone() {
    let server = TestServer::start().await;
    for (n, at) in [
        "2026-11-21T22:59:59Z",
        "2026-11-21T23:00:00Z",
        "2026-11-22T11:00:00Z",
    ]
    .into_iter()
    .enumerate()
    {
        let mut sent = event("issue.created");
        sent["id"] = json!(format!("evt_{n}"));
        sent["occurred_at"] = json!(at);
        server.record(ACME, &sent).await;
    }
    let browser = Browser::signed_in(&server, "auditor").await;
    let path = format!("{LOG}/filter?set=time&from=2026-11-22&to=2026-11-22&tz=Europe%2FBerlin");
    let page = browser.open(&path).await.is(200).text();
    assert_eq!(sent(&page), ["evt_2", "evt_1"]);
    let text = words(&page);
    assert!(
        text.contains("Time Europe/Berlin (UTC+01:00)")
            && text.contains("00:00:00")
            && text.contains("12:00:00"),
        "{text}"
    );
    assert_eq!(
        sent(
            &browser
                .open(&path.replace("Europe%2FBerlin", "UTC"))
                .await
                .text()
        ),
        ["evt_2"]
    );
    // The file of that page is of the same days.
    let file = browser
        .open(&link_of(&page, "Download CSV"))
        .await
        .is(200)
        .text();
    assert_eq!(file.matches("evt_").count(), 2, "{file}");
}

#[tokio::test]
async fn a_query_that_cannot_be_read_keeps_the_results() {
    let server = TestServer::start().await;
    record(&server, 0..6).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser
        .log("?q=acter:ann%20x&was=action:user.login_failed")
        .await;
    let text = words(&page);
    assert!(
        text.contains("This query cannot be read.") && text.contains("At column 1."),
        "{text}"
    );
    assert!(page.contains("<mark>acter</mark>"));
    assert!(page.contains("value=\"acter:ann x\""));
    assert_eq!(sent(&page), ["evt_3", "evt_0"]);
    let repaired = link_of(&page, "actor</bdi>");
    assert_eq!(repaired, format!("{LOG}?q=actor:ann%20x"));
    // Without one before, everything is shown, and never nothing.
    assert_eq!(sent(&browser.log("?q=acter:ann").await).len(), 6);
}

#[tokio::test]
async fn a_form_that_cannot_be_read_is_told_so_on_the_page() {
    let server = TestServer::start().await;
    record(&server, 0..6).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let path = format!("{LOG}/filter?set=ip&v=999.1.1.1%2F99&q=action:user.login_failed");
    let page = browser.open(&path).await.is(200).text();
    let text = words(&page);
    assert!(text.contains("This query cannot be read."), "{text}");
    assert!(page.contains("value=\"action:user.login_failed ip:999.1.1.1/99\""));
    assert_eq!(sent(&page), ["evt_3", "evt_0"]);
}

#[tokio::test]
async fn no_match_says_what_was_asked_and_how_to_loosen_it() {
    let server = TestServer::start().await;
    record(&server, 0..3).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("?q=outcome:failure%20actor:nobody").await;
    let text = words(&page);
    assert!(
        text.contains("No event matches") && text.contains("Outcome is Failure, Actor is Nobody"),
        "{text}"
    );
    let looser = browser
        .open(&link_of(&page, "Without “Actor is Nobody”"))
        .await
        .is(200)
        .text();
    assert_eq!(sent(&looser), ["evt_0"]);
}

#[tokio::test]
async fn an_event_that_is_not_there() {
    let server = TestServer::start().await;
    record(&server, 0..1).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser
        .get("/w/org_acme/audit-logs/event/none")
        .await
        .is(404)
        .text();
    assert!(words(&page).contains("There is no such event"));
    // Beside the table there is then no panel, and the table is there all the same.
    let page = browser.log("?e=none").await;
    assert!(words(&page).contains("There is no such event.") && !page.contains("id=\"event\""));
    assert_eq!(sent(&page), ["evt_0"]);
}

#[tokio::test]
async fn a_workspace_that_is_not_entitled_sees_what_it_would_get() {
    let server = TestServer::with(annals_server::Config {
        contact_url: Some("https://example.com/demo".to_owned()),
        ..annals_server::Config::default()
    })
    .await;
    record(&server, 0..3).await;
    let entitlement = format!("/organizations/{ACME}/entitlement");
    server
        .put(&entitlement, ROOT, &json!({ "state": "inactive" }))
        .await
        .is(200);
    let before = size(&server).await;
    let browser = Browser::signed_in(&server, "owner").await;
    let page = browser.log("?q=x&e=evt_1").await;
    let text = words(&page);
    for part in [
        "Spot security issues",
        "Ensure accountability",
        "Stay compliant",
        "Troubleshoot problems",
        "Example data",
        "Contact us for a demo →",
        "events are being kept for 365 days",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(
        link_of(&page, "Contact us for a demo"),
        "https://example.com/demo"
    );
    assert!(
        !page.contains("Ann Ek") && !page.contains("evt_"),
        "nothing of its own is shown"
    );
    let example = browser
        .open(&link_of(&page, "Download an example CSV"))
        .await
        .is(200);
    let header = annals_event::TABLE
        .map(|column| format!("\"{}\"", column.name))
        .join(",");
    assert_eq!(example.text().lines().next(), Some(header.as_str()));
    let text = example.text();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let kinds: std::collections::BTreeSet<String> = reader
        .records()
        .map(|row| row.unwrap()[5].to_owned())
        .filter(|action| !action.starts_with("audit_log."))
        .collect();
    // The last event of a workspace that is deleted is in no file that its people download.
    let all = annals_event::Catalogue::builtin().all().take(43);
    let possible: std::collections::BTreeSet<_> = all
        .map(|entry| entry.action.to_owned())
        .filter(|action| action != "workspace.deleted")
        .collect();
    assert_eq!(kinds, possible);
    for file in ["csv", "ndjson", "parquet", "proof"] {
        let refused = browser
            .get(&format!("{LOG}/download.{file}"))
            .await
            .is(403)
            .text();
        assert!(!refused.contains("evt_"));
    }
    browser.get(&format!("{LOG}/event/evt_1")).await.is(200);
    assert!(
        !browser
            .open(&format!("{LOG}/event/evt_1"))
            .await
            .text()
            .contains("Ann Ek")
    );
    // Recording goes on, and all of it is there on the day.
    record(&server, 3..6).await;
    assert!(size(&server).await >= before + 3);
    server
        .put(&entitlement, ROOT, &json!({ "state": "active" }))
        .await
        .is(200);
    assert_eq!(sent(&browser.log("").await).len(), 6);
}

async fn size(server: &TestServer) -> u64 {
    let path = format!("/audit_logs/checkpoint?organization_id={ACME}");
    server.get(&path, ROOT).await.is(200).json()["size"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_viewer_sees_no_button_that_it_may_not_press() {
    let server = TestServer::start().await;
    record(&server, 0..3).await;
    let browser = Browser::signed_in(&server, "viewer").await;
    for page in [
        browser.log("").await,
        browser.log("?e=evt_1").await,
        browser.log("/event/evt_1").await,
    ] {
        assert!(!page.contains("/download."), "{page}");
        assert!(page.contains("Ann Ek"));
    }
    for file in ["csv", "ndjson", "parquet", "proof"] {
        let refused = browser
            .get(&format!("{LOG}/download.{file}"))
            .await
            .is(403)
            .text();
        assert!(words(&refused).contains("Your role may not download"));
    }
    // That it was tried is in the log, once.
    let path =
        format!("/audit_logs/events?organization_id={ACME}&q=action:audit_log.access_denied");
    let denied = server.get(&path, ROOT).await.is(200).json();
    assert_eq!(denied["data"].as_array().unwrap().len(), 1);
    assert_eq!(
        denied["data"][0]["event"]["failure"]["reason"],
        "role_not_permitted"
    );
}

#[tokio::test]
async fn a_search_that_takes_too_long_says_how_far_it_came() {
    let mut config = annals_server::Config::default();
    config.limits.search_milliseconds = 1;
    let server = TestServer::with(config).await;
    let many = |n: u64| {
        let mut sent = event("issue.created");
        sent["id"] = json!(format!("evt_{n}"));
        sent["metadata"] = json!({ "text": "x".repeat(2_000) });
        sent
    };
    for batch in 0..10 {
        let events: Vec<Value> = (batch * 500..(batch + 1) * 500).map(many).collect();
        let body = json!({ "organization_id": ACME, "events": events });
        server
            .post("/audit_logs/events/bulk", ROOT, &body)
            .await
            .is(200);
    }
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("?q=%22found%20nowhere%22").await;
    let text = words(&page);
    assert!(text.contains("Not everything was searched."), "{text}");
    assert!(text.contains("At least 0 events"), "{text}");
    // It can be gone on with, and nothing is passed over.
    let next = browser
        .open(&link_of(&page, "Go on from there"))
        .await
        .is(200)
        .text();
    assert!(next.contains("Not everything was searched.") || next.contains("No event matches"));
}

#[tokio::test]
async fn late_events_are_marked() {
    let server = TestServer::start().await;
    let mut sent = event("issue.created");
    sent["occurred_at"] = json!("2026-11-22T08:00:00Z");
    server.record(ACME, &sent).await;
    server.clock.set(time("2026-11-22T12:30:00Z"));
    let browser = Browser::signed_in(&server, "auditor").await;
    assert!(words(&browser.log("").await).contains("recorded 4 hours later"));
}

#[tokio::test]
async fn a_file_that_is_asked_for_later_holds_the_rows_of_the_page() {
    let server = TestServer::start().await;
    record(&server, 0..4).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("?q=time:-40h%20action:issue").await;
    assert_eq!(sent(&page).len(), 2);
    let file = hrefs(&page)
        .into_iter()
        .find(|href| href.contains("/download.ndjson"))
        .unwrap();
    // Hours later nothing of it is of the last forty, and the page that is open still shows it.
    server.clock.set(time("2026-11-22T19:59:00Z"));
    let lines = browser.get(&file).await.is(200).text();
    assert_eq!(lines.lines().count(), 2, "{file}: {lines}");
}

#[tokio::test]
async fn a_copied_link_leads_through_the_host() {
    let server = TestServer::start().await;
    record(&server, 0..1).await;
    let url = "https://app.example.com/settings?open={path}";
    let browser = Browser::signed_in(&server, "auditor").await;
    let own = link_of(&browser.log("?q=outcome:failure").await, "Copy link</span>");
    assert!(
        own.starts_with("http://127.0.0.1:4600/w/org_acme/audit-logs?q=outcome:failure&as_of="),
        "{own}"
    );
    server
        .put(
            &format!("/organizations/{ACME}"),
            ROOT,
            &json!({ "viewer_url": url }),
        )
        .await
        .is(200);
    let through = link_of(&browser.log("?q=outcome:failure").await, "Copy link</span>");
    assert!(
        through.starts_with(
            "https://app.example.com/settings?open=%2Fw%2Forg_acme%2Faudit-logs%3Fq%3D"
        ),
        "{through}"
    );
}

#[tokio::test]
async fn the_page_takes_nothing_but_get() {
    let server = TestServer::start().await;
    let browser = Browser::signed_in(&server, "owner").await;
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        browser.send(method, LOG, &[], "").await.is(405);
    }
    let refused: Value = browser.send(Method::POST, LOG, &[], "").await.json();
    assert!(refused["message"].is_string());
}

fn encode(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
