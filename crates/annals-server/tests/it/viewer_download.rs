//! The files of the page: the rows of the screen, recorded, and nobody else's.

use axum::http::Method;
use serde_json::{Value, json};

use crate::browser::{Browser, ids, link_of};
use crate::harness::{ACME, ROOT, TestServer, event, texts};

const LOG: &str = "/w/org_acme/audit-logs";

async fn record(server: &TestServer, numbers: std::ops::Range<u64>) {
    for n in numbers {
        let mut sent = event(if n % 2 == 0 {
            "issue.created"
        } else {
            "issue.deleted"
        });
        sent["id"] = json!(format!("evt_{n}"));
        sent["metadata"] = json!({ "n": n, "formula": "=1+1" });
        server.record(ACME, &sent).await;
    }
}

/// The ids in a file, from top to bottom.
fn column(file: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(file.trim_start_matches('\u{FEFF}').as_bytes());
    let at = reader
        .headers()
        .unwrap()
        .iter()
        .position(|header| header == name)
        .unwrap();
    reader
        .records()
        .map(|row| row.unwrap()[at].to_owned())
        .collect()
}

/// Goes through all pages from one on and collects the rows.
async fn rows(browser: &Browser<'_>, first: &str) -> Vec<String> {
    let mut page = browser.open(first).await.is(200).text();
    let mut all = ids(&page);
    while page.contains("rel=\"next\"") {
        page = browser
            .open(&link_of(&page, "rel=\"next\""))
            .await
            .is(200)
            .text();
        all.extend(ids(&page));
    }
    all
}

#[tokio::test]
async fn the_file_holds_the_rows_of_the_screen() {
    let server = TestServer::start().await;
    record(&server, 0..130).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    for query in [
        "",
        "?q=action:issue.created",
        "?q=-category:%22Audit%20Log%22&rows=100",
        "?q=action:issue.deleted%20time:-7d&tz=Asia%2FKolkata",
        "?q=outcome:failure",
    ] {
        let page = browser.log(query).await;
        let (csv, ndjson, parquet) = (
            link_of(&page, "> Download CSV"),
            link_of(&page, "NDJSON<small>"),
            link_of(&page, "Parquet<small>"),
        );
        // What comes in between the page and the file is in neither.
        record(&server, 200..203).await;
        let shown = rows(
            &browser,
            &link_of(&page, "data-copy").replace("http://127.0.0.1:4600", ""),
        )
        .await;
        let file = browser.open(&csv).await.is(200);
        assert_eq!(
            file.header("content-type"),
            "text/csv; charset=utf-8; header=present"
        );
        assert!(
            file.header("content-disposition")
                .starts_with("attachment; filename=\"audit-log-org_acme-")
        );
        let csv_ids = column(&file.text(), "id");
        assert_eq!(csv_ids, shown, "{query}");
        let lines = browser.open(&ndjson).await.is(200).text();
        let line_ids: Vec<String> = lines
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["event"]["id"]
                    .as_str()
                    .unwrap()
                    .to_owned()
            })
            .collect();
        assert_eq!(line_ids, shown, "{query}");
        let table = browser.open(&parquet).await.is(200);
        assert_eq!(texts(table.body, "id"), shown, "{query}");
    }
}

#[tokio::test]
async fn for_excel_the_same_with_a_mark() {
    let server = TestServer::start().await;
    record(&server, 0..3).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("").await;
    let plain = browser
        .open(&link_of(&page, "> Download CSV"))
        .await
        .is(200)
        .body;
    let excel = browser
        .open(&link_of(&page, "CSV for Excel"))
        .await
        .is(200)
        .body;
    assert_eq!(&excel[..3], b"\xEF\xBB\xBF");
    assert_eq!(&excel[3..], &plain[..]);
}

#[tokio::test]
async fn taking_a_file_is_recorded_before_it_goes_out() {
    let server = TestServer::start().await;
    record(&server, 0..3).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    browser
        .get(&format!("{LOG}/download.csv?q=action:issue.created"))
        .await
        .is(200);
    browser
        .get(&format!("{LOG}/download.proof?e=evt_1"))
        .await
        .is(200);
    let path = format!("/audit_logs/events?organization_id={ACME}&q=action:audit_log.exported");
    let found = server.get(&path, ROOT).await.is(200).json();
    let told: Vec<_> = found["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["event"]["metadata"].clone())
        .collect();
    assert_eq!(
        told,
        [
            json!({ "format": "proof", "event": "evt_1" }),
            json!({ "format": "csv", "query": "action:issue.created" })
        ]
    );
    assert_eq!(
        found["data"][0]["event"]["actor"]["email"],
        "dana@example.com"
    );
}

#[tokio::test]
async fn a_proof_file_verifies_offline() {
    let server = TestServer::start().await;
    record(&server, 0..9).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let page = browser.log("?e=evt_4").await;
    let one = browser
        .open(&link_of(&page, "Download proof"))
        .await
        .is(200);
    let key = page
        .split("data-key=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    let key = crate::browser::plain(&key.replace("&#43;", "+"));
    let key = key.parse::<annals_merkle::VerifyingKey>().unwrap();
    let report = annals_proof::verify(&one.body[..], Some(&key)).unwrap();
    assert_eq!((report.from, report.to), (4, 5));
    assert_eq!(
        one.header("content-disposition"),
        "attachment; filename=\"audit-log-org_acme-4.proof\""
    );
    let all = browser
        .open(&link_of(&page, "Proof file<small>"))
        .await
        .is(200);
    let report = annals_proof::verify(&all.body[..], Some(&key)).unwrap();
    assert_eq!(report.from, 0);
    assert!(report.to >= 9);
}

#[tokio::test]
async fn another_site_cannot_start_a_download() {
    let server = TestServer::start().await;
    record(&server, 0..3).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    for file in ["csv", "ndjson", "parquet", "proof"] {
        let path = format!("{LOG}/download.{file}");
        browser
            .send(Method::GET, &path, &[("sec-fetch-site", "cross-site")], "")
            .await
            .is(403);
        browser
            .send(Method::GET, &path, &[("sec-purpose", "prefetch")], "")
            .await
            .is(403);
        browser
            .send(Method::GET, &path, &[("sec-fetch-site", "same-origin")], "")
            .await
            .is(200);
    }
    let path = format!("/audit_logs/events?organization_id={ACME}&q=action:audit_log.exported");
    assert_eq!(
        server.get(&path, ROOT).await.json()["data"]
            .as_array()
            .unwrap()
            .len(),
        4
    );
}

#[tokio::test]
async fn a_query_that_cannot_be_read_gives_no_file() {
    let server = TestServer::start().await;
    record(&server, 0..3).await;
    let browser = Browser::signed_in(&server, "auditor").await;
    let refused = browser
        .get(&format!("{LOG}/download.csv?q=acter:ann"))
        .await
        .is(400);
    assert!(refused.header("content-type").starts_with("text/html"));
}
