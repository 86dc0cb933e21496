//! The chart above the table, the counts in the menus, and the notice of what cannot be read.

use serde_json::json;

use crate::browser::{Browser, link_of, words};
use crate::count::{damaged, three};
use crate::harness::{ACME, TestServer, event};

/// A server whose pages have the time to count, however busy the machine is.
async fn patient() -> TestServer {
    let mut config = annals_server::Config::default();
    config.limits.search_milliseconds = 60_000;
    TestServer::with(config).await
}

/// The one row that a page has.
#[track_caller]
fn only_row(page: &str) -> &str {
    let rows: Vec<&str> = page.split("data-row>").collect();
    assert_eq!(rows.len(), 2, "{page}");
    rows[1].split("</tr>").next().unwrap()
}

#[tokio::test]
async fn the_chart_of_the_page_leads_to_its_days() {
    let server = patient().await;
    three(&server).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser
        .log("?tz=Asia/Tokyo&q=-category:%22Audit%20Log%22")
        .await;
    let text = words(&page);
    // Three events within two days are drawn by the hour, each hour of which leads to itself.
    assert!(
        text.contains("3 events, of which 1 failed, by the hour."),
        "{text}"
    );
    assert!(text.contains("20 Nov 2026, 07:00: 1 event"), "{text}");
    let hour = browser
        .open(&link_of(&page, "20 Nov 2026, 08:00: 1 event, 1 failed"))
        .await
        .is(200)
        .text();
    assert!(only_row(&hour).contains("user.login_failed"));

    // With more time between them, by the day.
    let mut old = event("issue.deleted");
    old["occurred_at"] = json!("2026-10-01T15:30:00Z");
    server.record(ACME, &old).await;
    let page = browser
        .log("?tz=Asia/Tokyo&q=-category:%22Audit%20Log%22")
        .await;
    let text = words(&page);
    assert!(
        text.contains("4 events, of which 1 failed, by the day."),
        "{text}"
    );
    // It was the second in Tokyo.
    let day = link_of(&page, "Fri 2 Oct 2026: 1 event");
    assert!(day.contains("time:2026-10-02"), "{day}");
    let day = browser.open(&day).await.is(200).text();
    assert!(only_row(&day).contains("issue.deleted"));
    // The same as a table, for those who do not see it.
    assert!(page.contains("Show as a table") && page.contains("<th scope=\"row\"><a href="));
    // Where nothing matches there is nothing to draw.
    assert!(
        !browser
            .log("?q=actor:nobody")
            .await
            .contains("<svg viewBox")
    );
}

#[tokio::test]
async fn menus_suggest_what_occurs_in_the_time_that_is_looked_at() {
    let server = patient().await;
    three(&server).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser
        .log("?q=actor:nobody%20time:..2026-11-20T12:00Z")
        .await;
    // Whatever else is asked for, the menus go by the time.
    let text = words(&page);
    assert!(text.contains("Most frequent Ann Ek 2"), "{text}");
    assert!(text.contains("User Login Failed failure 1"), "{text}");
    assert!(
        text.contains("Failed only 1") && text.contains("Succeeded only 1"),
        "{text}"
    );
    assert!(page.contains("<option value=\"Ann Ek\">"));
    let ann = link_of(&page, "<bdi>Ann Ek</bdi> <span class=\"n\">2");
    assert!(
        ann.contains("actor.id:user_1") && !ann.contains("nobody"),
        "{ann}"
    );
    let page = browser.open(&ann).await.is(200).text();
    assert_eq!(page.matches("data-row").count(), 2);
}

#[tokio::test]
async fn the_page_says_what_cannot_be_read_and_shows_the_rest() {
    let server = TestServer::start().await;
    damaged(&server).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("?q=many").await;
    let text = words(&page);
    assert!(text.contains("Some events cannot be read."), "{text}");
    let page = browser.log("").await;
    assert!(page.contains("evt_recent"), "{page}");
}
