//! Downloads and exports: the whole log, in the right form, and recorded.

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{ACME, Answer, ROOT, TestServer, event, request, texts};

async fn filled(count: usize) -> TestServer {
    filled_with(annals_server::Config::default(), count).await
}

async fn filled_with(config: annals_server::Config, count: usize) -> TestServer {
    let server = TestServer::with(config).await;
    let events: Vec<Value> = (0..count)
        .map(|n| {
            let mut sent = event(if n % 2 == 0 {
                "issue.created"
            } else {
                "issue.deleted"
            });
            sent["id"] = json!(format!("evt_{n}"));
            sent["actor"]["name"] = json!(if n % 3 == 0 { "=1+1" } else { "Ann \"Ek\", Ms" });
            sent
        })
        .collect();
    for chunk in events.chunks(500) {
        let body = json!({ "organization_id": ACME, "events": chunk });
        server
            .post("/audit_logs/events/bulk", ROOT, &body)
            .await
            .is(200);
    }
    server
}

/// The path and query of an address.
fn path(url: &Value) -> String {
    let rest = url.as_str().unwrap().split_once("://").unwrap().1;
    rest[rest.find('/').unwrap()..].to_owned()
}

#[tokio::test]
async fn a_csv_file_has_every_row_and_is_recorded() {
    let server = filled(1_500).await;
    let file = server
        .get("/audit_logs/events.csv?organization_id=org_acme", ROOT)
        .await
        .is(200);
    assert_eq!(
        file.header("content-type"),
        "text/csv; charset=utf-8; header=present"
    );
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"audit-log-org_acme-2026-11-22.csv\""
    );
    assert_eq!(file.header("annals-as-of"), "1500");
    let text = file.text();
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 1_501);
    assert!(
        lines[0].starts_with(r#""occurred_at","recorded_at","position""#)
            || lines[0].starts_with("occurred_at,recorded_at,position")
    );
    assert!(lines[1].contains("evt_1499") && lines[1_500].contains("evt_0"));
    assert!(text.contains("\"'=1+1\"") && text.contains("\"Ann \"\"Ek\"\", Ms\""));

    let asked = "/audit_logs/events.csv?organization_id=org_acme&q=action:issue.deleted&order=asc&escape=none&bom=1&as_of=10";
    let file = server.get(asked, ROOT).await.is(200).text();
    assert!(file.starts_with('\u{feff}') && !file.contains("'=1+1"));
    assert_eq!(file.split_terminator("\r\n").count(), 6);

    let recorded = server
        .get(
            "/audit_logs/events?organization_id=org_acme&q=action:audit_log.exported",
            ROOT,
        )
        .await;
    let recorded = recorded.is(200).json();
    let metadata: Vec<&Value> = recorded["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["event"]["metadata"])
        .collect();
    assert_eq!(
        metadata[0],
        &json!({ "format": "csv", "query": "action:issue.deleted" })
    );
    assert_eq!(metadata[1], &json!({ "format": "csv" }));
}

#[tokio::test]
async fn a_parquet_file_has_the_rows_of_the_csv_file_and_says_what_it_is_of() {
    let server = filled(1_500).await;
    let asked = "organization_id=org_acme&q=action:issue.deleted%20time:-7d&from=2026-11-01T00:00:00Z&tz=Europe/Berlin&order=asc&as_of=1500";
    let file = server
        .get(&format!("/audit_logs/events.parquet?{asked}"), ROOT)
        .await
        .is(200);
    assert_eq!(
        file.header("content-type"),
        "application/vnd.apache.parquet"
    );
    assert_eq!(
        file.header("content-disposition"),
        "attachment; filename=\"audit-log-org_acme-2026-11-22.parquet\""
    );
    assert_eq!(file.header("annals-as-of"), "1500");
    let csv = server
        .get(&format!("/audit_logs/events.csv?{asked}&escape=none"), ROOT)
        .await
        .is(200);
    let mut csv = csv::Reader::from_reader(&csv.body[..]);
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 750);
    for (n, column) in annals_event::TABLE.iter().enumerate() {
        if column.kind == annals_event::ColumnKind::Text {
            let cells: Vec<&str> = rows.iter().map(|row| &row[n]).collect();
            assert_eq!(texts(file.body.clone(), column.name), cells);
        }
    }

    let reader = parquet::file::reader::SerializedFileReader::new(file.body).unwrap();
    let metadata = parquet::file::reader::FileReader::metadata(&reader).file_metadata();
    let about = |key: &str| {
        let pairs = metadata.key_value_metadata().unwrap();
        let pair = pairs.iter().find(|pair| pair.key == key).unwrap();
        pair.value.clone().unwrap()
    };
    // What was relative is written out, so that it still tells which rows these are.
    let query = "action:issue.deleted time:>=2026-11-15T12:00:00.000000Z time:>=2026-11-01T00:00:00.000000Z";
    assert_eq!(about("annals.query"), query);
    assert_eq!(about("annals.time_zone"), "Europe/Berlin");
    assert_eq!(about("annals.organization_id"), ACME);
    assert_eq!(about("annals.origin"), server.store.origin());
    assert_eq!(about("annals.as_of"), "1500");
    let path = "/audit_logs/events?organization_id=org_acme&q=action:audit_log.exported&order=asc";
    let recorded = server.get(path, ROOT).await.is(200).json();
    assert_eq!(
        recorded["data"][0]["event"]["metadata"],
        json!({ "format": "parquet", "query": query })
    );
    // The query that is told finds the same rows.
    let again = format!(
        "/audit_logs/events.parquet?organization_id=org_acme&as_of=1500&tz=Europe/Berlin&q={}",
        query
            .replace(' ', "%20")
            .replace('>', "%3E")
            .replace('=', "%3D")
    );
    let again = server.get(&again, ROOT).await.is(200);
    assert_eq!(texts(again.body, "id").len(), 750);

    // Nobody is there: a file without rows. It is packed in itself, and takes no words that are for CSV.
    let path = "/audit_logs/events.parquet?organization_id=org_acme";
    let none = server.get(&format!("{path}&q=actor:nobody"), ROOT).await;
    assert!(texts(none.is(200).body, "id").is_empty());
    for (parameter, value) in [("compress", "gzip"), ("escape", "none"), ("bom", "1")] {
        let answer = server
            .get(&format!("{path}&{parameter}={value}"), ROOT)
            .await;
        assert_eq!(answer.is(422).json()["errors"][0]["field"], parameter);
    }
    server
        .get(&format!("{path}&q=acter:ann"), ROOT)
        .await
        .is(400);
}

#[tokio::test]
async fn a_proof_file_verifies_and_a_changed_one_does_not() {
    let server = filled(600).await;
    let file = server.get("/audit_logs/events.proof?organization_id=org_acme&from=100&to=400&withhold=actor,context", ROOT).await.is(200);
    let report = annals_proof::verify(&file.body[..], None).unwrap();
    assert_eq!((report.from, report.to, report.size), (100, 400, 600));
    assert!(!file.text().contains("ann@example.com") && file.text().contains("Login is slow"));
    let mut changed = file.body.to_vec();
    let middle = changed.len() / 2;
    changed[middle] ^= 1;
    assert!(annals_proof::verify(&changed[..], None).is_err());
    let answer = server
        .get(
            "/audit_logs/events.proof?organization_id=org_acme&from=9&to=100000",
            ROOT,
        )
        .await
        .is(422);
    assert_eq!(answer.json()["errors"][0]["field"], "to");
}

#[tokio::test]
async fn checkpoints_receipts_and_event_proofs_agree() {
    use annals_merkle::{leaf_hash, verify_inclusion};
    use base64::Engine as _;
    let decode = |value: &Value| -> [u8; 32] {
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(value.as_str().unwrap())
            .unwrap();
        bytes.try_into().unwrap()
    };
    let server = filled(300).await;
    let body = json!({ "organization_id": ACME, "event": event("issue.created") });
    let receipt = server
        .post("/audit_logs/events?receipt=1", ROOT, &body)
        .await
        .is(200)
        .json();
    assert_eq!(receipt["success"], true);
    let receipt = &receipt["receipt"];
    assert_eq!(receipt["position"], 300);

    let at = server
        .get(
            "/audit_logs/checkpoint?organization_id=org_acme&size=301&from=300",
            ROOT,
        )
        .await
        .is(200)
        .json();
    assert_eq!(at["checkpoint"], receipt["checkpoint"]);
    assert!(!at["consistency"].as_array().unwrap().is_empty());
    let path: Vec<[u8; 32]> = receipt["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(decode)
        .collect();
    verify_inclusion(
        &decode(&receipt["leaf_hash"]),
        300,
        301,
        &path,
        &decode(&at["root"]),
    )
    .unwrap();

    let proof = server
        .get(
            "/audit_logs/events/evt_7/proof?organization_id=org_acme&size=301",
            ROOT,
        )
        .await
        .is(200)
        .json();
    let path: Vec<[u8; 32]> = proof["path"]
        .as_array()
        .unwrap()
        .iter()
        .map(decode)
        .collect();
    let leaf = leaf_hash(proof["entry"].as_str().unwrap().as_bytes());
    assert_eq!(leaf, decode(&proof["leaf_hash"]));
    verify_inclusion(&leaf, 7, 301, &path, &decode(&at["root"])).unwrap();
    server
        .get(
            "/audit_logs/events/evt_nobody/proof?organization_id=org_acme",
            ROOT,
        )
        .await
        .is(404);
    server
        .get(
            "/audit_logs/checkpoint?organization_id=org_acme&size=100000",
            ROOT,
        )
        .await
        .is(400);

    let body = json!({ "organization_id": ACME, "events": [event("issue.created"), event("issue.created")] });
    let batch = server
        .post("/audit_logs/events/bulk?receipt=1", ROOT, &body)
        .await
        .is(200)
        .json();
    let checkpoint = &batch["checkpoints"][0];
    for result in batch["results"].as_array().unwrap() {
        let receipt = &result["receipt"];
        let path: Vec<[u8; 32]> = receipt["path"]
            .as_array()
            .unwrap()
            .iter()
            .map(decode)
            .collect();
        let (position, size) = (
            result["position"].as_u64().unwrap(),
            checkpoint["size"].as_u64().unwrap(),
        );
        verify_inclusion(
            &decode(&receipt["leaf_hash"]),
            position,
            size,
            &path,
            &decode(&checkpoint["root"]),
        )
        .unwrap();
    }
}

#[tokio::test]
async fn a_packed_file_holds_the_same_bytes_and_says_what_it_is() {
    use std::io::Read as _;
    let server = filled(1_500).await;
    for (format, kind) in [
        ("csv", "text/csv; charset=utf-8; header=present"),
        ("ndjson", "application/x-ndjson"),
    ] {
        let path = format!("/audit_logs/events.{format}?organization_id=org_acme&as_of=1500");
        let plain = server.get(&path, ROOT).await.is(200);
        assert_eq!(plain.header("content-type"), kind);
        let packed = async |word: &str| server.get(&format!("{path}&compress={word}"), ROOT).await;

        let gzip = packed("gzip").await.is(200);
        let name = format!("attachment; filename=\"audit-log-org_acme-2026-11-22.{format}.gz\"");
        assert_eq!(gzip.header("content-type"), "application/gzip");
        assert_eq!(gzip.header("content-encoding"), "");
        assert_eq!(gzip.header("content-disposition"), name);
        assert!(gzip.body.len() < plain.body.len() / 4);
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&gzip.body[..])
            .read_to_end(&mut text)
            .unwrap();
        assert_eq!(text, plain.body);

        let zstd = packed("zstd").await.is(200);
        assert_eq!(zstd.header("content-type"), "application/zstd");
        assert_eq!(zstd::decode_all(&zstd.body[..]).unwrap(), plain.body);

        assert_eq!(packed("none").await.is(200).body, plain.body);
        packed("brotli").await.is(422);
    }
}

async fn range(server: &TestServer, path: &str, range: &str, if_range: &str) -> Answer {
    let mut request = request(Method::GET, path, "", Body::empty());
    request
        .headers_mut()
        .insert("range", range.parse().unwrap());
    if !if_range.is_empty() {
        request
            .headers_mut()
            .insert("if-range", if_range.parse().unwrap());
    }
    server.call(request).await
}

#[tokio::test]
async fn an_export_is_the_csv_file_and_goes_on_where_it_stopped() {
    let server = filled(50).await;
    let body = json!({
        "organization_id": ACME, "range_start": "2026-11-01T00:00:00.000Z", "range_end": "2026-12-01T00:00:00.000Z",
        "actions": ["issue.created"], "targets": ["issue"], "actor_ids": ["user_1"], "actor_names": ["=1+1", "Ann \"Ek\", Ms"],
    });
    let export = server
        .post("/audit_logs/exports", ROOT, &body)
        .await
        .is(201)
        .json();
    assert_eq!(
        (&export["object"], &export["state"]),
        (&json!("audit_log_export"), &json!("ready"))
    );
    // What comes later does not show: the question was asked when the log had this size.
    server.record(ACME, &event("issue.created")).await;

    let whole = server.get(&path(&export["url"]), "").await.is(200);
    let asked = "/audit_logs/events.csv?organization_id=org_acme&q=action:issue.created&as_of=50";
    assert_eq!(whole.text(), server.get(asked, ROOT).await.is(200).text());
    assert_eq!(whole.text().split_terminator("\r\n").count(), 26);

    // These are names, not terms of the search language, where `issue` means all of `issue.*`.
    let mut group = body.clone();
    group["actions"] = json!(["issue", "Issue.Created"]);
    let none = server.post("/audit_logs/exports", ROOT, &group).await;
    let none = server
        .get(&path(&none.is(201).json()["url"]), "")
        .await
        .is(200);
    assert_eq!(none.text().split_terminator("\r\n").count(), 1);

    let again = server
        .get(
            &format!("/audit_logs/exports/{}", export["id"].as_str().unwrap()),
            ROOT,
        )
        .await
        .is(200)
        .json();
    let url = path(&again["url"]);
    let etag = whole.header("etag").to_owned();
    let rest = range(&server, &url, "bytes=1000-", &etag).await.is(206);
    assert_eq!(rest.body, whole.body[1000..]);
    let total = whole.body.len();
    assert_eq!(
        rest.header("content-range"),
        format!("bytes 1000-{}/{total}", total - 1)
    );
    assert_eq!(
        range(&server, &url, "bytes=1000-", "\"other\"")
            .await
            .is(200)
            .body,
        whole.body
    );
    range(&server, &url, &format!("bytes={total}-"), "")
        .await
        .is(416);
    for malformed in ["bytes=+5-", "bytes=-", "bytes= 5-", "bytes=5-9", "+5-"] {
        let answer = range(&server, &url, malformed, "").await;
        assert_eq!(answer.is(200).body, whole.body, "{malformed}");
    }

    // Who only looks takes nothing away, and nothing of it is recorded.
    let size = server.store.log(ACME).unwrap().size();
    for headers in [&[][..], &[("range", "bytes=1000-")]] {
        let mut head = request(Method::HEAD, &url, "", Body::empty());
        for (name, value) in headers {
            head.headers_mut().insert(*name, value.parse().unwrap());
        }
        let head = server.call(head).await.is(200);
        assert_eq!(head.header("etag"), etag);
        assert!(head.body.is_empty());
    }
    assert_eq!(server.store.log(ACME).unwrap().size(), size);

    // After ten minutes the address is dead; getting the export makes a new one.
    server
        .clock
        .set(crate::harness::time("2026-11-22T12:10:01Z"));
    server.get(&url, "").await.is(404);
    let again = server
        .get(
            &format!("/audit_logs/exports/{}", export["id"].as_str().unwrap()),
            ROOT,
        )
        .await
        .is(200)
        .json();
    server.get(&path(&again["url"]), "").await.is(200);

    let backwards = json!({ "organization_id": ACME, "range_start": "2026-12-01T00:00:00Z", "range_end": "2026-11-01T00:00:00Z" });
    let answer = server
        .post("/audit_logs/exports", ROOT, &backwards)
        .await
        .is(400)
        .json();
    assert_eq!(answer["code"], "invalid_audit_log_export_range_date");
    assert_eq!(answer["message"], "Invalid date range");
    let recorded = server.get("/audit_logs/events?organization_id=org_acme&q=action:audit_log.export_downloaded&count=100", ROOT).await;
    assert!(recorded.is(200).json()["count"]["value"].as_u64().unwrap() >= 4);
}

#[tokio::test]
async fn the_tail_goes_on_after_a_position() {
    use http_body_util::BodyExt as _;
    let server = filled(3).await;
    let path =
        "/audit_logs/events/tail?organization_id=org_acme&after=1&q=-category:%22Audit%20Log%22";
    let request = request(Method::GET, path, ROOT, Body::empty());
    let answer = server.server.answer(request).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    let mut text = String::new();
    let mut read_until = async |wanted: &str| {
        while !text.contains(wanted) {
            let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
            text.push_str(std::str::from_utf8(&data).unwrap());
        }
    };
    read_until("id: 2\n").await;
    let position = server.record(ACME, &event("issue.deleted")).await;
    read_until(&format!("id: {position}\n")).await;
    assert!(!text.contains("id: 1\n") && !text.contains("audit_log.viewed"));
}

#[tokio::test]
async fn a_part_never_passes_for_the_whole() {
    use http_body_util::BodyExt as _;
    let mut config = annals_server::Config::default();
    config.limits.stalled_download_seconds = 1;
    config.limits.downloads = 2;
    let server = filled_with(config, 3_000).await;
    server.organization("org_b", "B").await;
    server.record("org_b", &event("issue.created")).await;
    let path = "/audit_logs/events.ndjson?organization_id=org_acme";
    let open = async || {
        let request = request(Method::GET, path, ROOT, Body::empty());
        server.server.answer(request).await
    };
    // One that nobody reads takes the workspace's only place, not the other's.
    let stalled = open().await;
    let size = server.store.log(ACME).unwrap().size();
    for format in ["csv", "ndjson", "parquet", "proof"] {
        let path = path.replace("ndjson", format);
        assert_eq!(server.get(&path, ROOT).await.status.as_u16(), 503);
    }
    // Nobody got a file, so that there is nothing to record.
    assert_eq!(server.store.log(ACME).unwrap().size(), size);
    server
        .get(&path.replace("org_acme", "org_b"), ROOT)
        .await
        .is(200);
    // When its time is over it ends with an error, although some of it can still be read.
    while server
        .get("/metrics", ROOT)
        .await
        .text()
        .contains("annals_downloads_running 1")
    {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(stalled.into_body().collect().await.is_err());
    // One that is read has every line.
    let whole = open().await.into_body().collect().await.unwrap().to_bytes();
    assert!(whole.iter().filter(|b| **b == b'\n').count() >= 3_000);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_to_its_end_gives_no_file() {
    use http_body_util::BodyExt as _;
    let server = filled(3_000).await;
    let store = server.store.clone();
    tokio::task::spawn_blocking(move || store.seal().unwrap())
        .await
        .unwrap();
    // The largest segment is damaged while the server runs.
    let folder = server._dir.path().join("segments");
    let files = std::fs::read_dir(&folder).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let file = files
        .filter(|file| file.extension().is_some_and(|kind| kind == "parquet"))
        .max_by_key(|file| file.metadata().unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let half = bytes.len() / 2;
    bytes[8..half].fill(0x55);
    std::fs::write(&file, bytes).unwrap();
    for format in ["csv", "ndjson", "parquet"] {
        let path = format!("/audit_logs/events.{format}?organization_id=org_acme");
        let request = request(Method::GET, &path, ROOT, Body::empty());
        let answer = server.server.answer(request).await;
        // Once the damage is known a file is refused before its first byte; until then it breaks off.
        match answer.status().as_u16() {
            200 => assert!(answer.into_body().collect().await.is_err(), "{format}"),
            status => assert_eq!(status, 500, "{format}"),
        }
    }
}
