//! A damaged file: what lies in it is named and refused, everything else is served.

use serde_json::json;

use crate::browser::{Browser, words};
use crate::harness::{ACME, ROOT, TestServer, event};

#[tokio::test]
async fn what_is_damaged_is_named_and_everything_else_is_served() {
    let server = TestServer::start().await;
    let count = 40u64;
    for n in 0..count {
        let mut sent = event("issue.created");
        sent["id"] = json!(format!("evt_{n}"));
        server.record(ACME, &sent).await;
    }
    let (store, folder) = (server.store.clone(), server._dir.path().join("segments"));
    tokio::task::spawn_blocking(move || {
        store.seal().unwrap();
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "parquet"))
            .collect();
        files.sort();
        let mut bytes = std::fs::read(&files[0]).unwrap();
        bytes[60] ^= 1;
        std::fs::write(&files[0], bytes).unwrap();
        store.scrub().unwrap();
    })
    .await
    .unwrap();
    // One more, in the journal.
    server.record(ACME, &event("issue.deleted")).await;
    let slot = server.store.log(ACME).unwrap().slot();
    let quarantined = server.store.quarantined();
    let damaged: Vec<_> = quarantined
        .iter()
        .filter(|stretch| stretch.slot == slot)
        .map(|stretch| stretch.positions.clone())
        .collect();
    let [positions] = &damaged[..] else {
        panic!("{quarantined:?}")
    };
    let last = positions.end - 1;

    let list = "/audit_logs/events?organization_id=org_acme&limit=1000&q=action:issue";
    let found = server.get(list, ROOT).await.is(200).json();
    let [part] = &found["unreadable"].as_array().unwrap()[..] else {
        panic!("{found}")
    };
    assert_eq!(part["first"], positions.start);
    assert_eq!(part["last"], last);
    let reason = part["reason"].as_str().unwrap();
    assert!(reason.contains("in quarantine since"), "{reason}");
    let shown: Vec<u64> = found["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["position"].as_u64().unwrap())
        .collect();
    assert!(!shown.is_empty());
    for position in 0..count {
        assert_eq!(
            shown.contains(&position),
            !positions.contains(&position),
            "{position}"
        );
    }

    let csv = "/audit_logs/events.csv?organization_id=org_acme";
    let refused = server.get(csv, ROOT).await.is(500).json();
    assert_eq!(refused["code"], "damaged_positions");
    let named = format!("Positions {} to {last} of this log", positions.start);
    assert!(
        refused["message"].as_str().unwrap().starts_with(&named),
        "{refused}"
    );
    let proof = "/audit_logs/events.proof?organization_id=org_acme";
    let refused = server.get(proof, ROOT).await.is(500).json();
    assert_eq!(refused["code"], "damaged_positions");
    let around = format!("{csv}&q=position:{}..", positions.end);
    server.get(&around, ROOT).await.is(200);
    let id = format!(
        "/audit_logs/events/evt_{}?organization_id=org_acme",
        positions.start
    );
    assert_eq!(
        server.get(&id, ROOT).await.is(500).json()["code"],
        "damaged_positions"
    );

    let metrics = server.get("/metrics", ROOT).await.is(200).text();
    let line = format!("annals_quarantined_stretches {}\n", quarantined.len());
    assert!(metrics.contains(&line), "{metrics}");
    assert!(!metrics.contains("annals_scrub_finished_timestamp_seconds 0\n"));

    let browser = Browser::signed_in(&server, "auditor").await;
    let page = words(&browser.log("?q=action:issue").await);
    assert!(page.contains("Some events cannot be read"), "{page}");
}

#[tokio::test]
async fn scrubbing_is_a_setting() {
    let config = |text: &str| annals_server::Config::parse(text);
    let usual = config("").unwrap().scrub.scrubbing();
    assert_eq!(usual, Some(annals_store::Scrubbing::default()));
    assert_eq!(config("[scrub]\ndays = 0").unwrap().scrub.scrubbing(), None);
    let weekly = config("[scrub]\ndays = 1\nbytes_per_second = 10").unwrap();
    let scrubbing = weekly.scrub.scrubbing().unwrap();
    assert_eq!(scrubbing.every, std::time::Duration::from_secs(86_400));
    assert_eq!(scrubbing.bytes_per_second, 10);
    let wrong = config("[scrub]\nbytes_per_second = 0")
        .unwrap_err()
        .to_string();
    assert!(wrong.contains("scrub.bytes_per_second"), "{wrong}");
}
