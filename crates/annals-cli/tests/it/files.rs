//! Files that are exported and verified, and the check of the directory.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Serving, run};

fn filled() -> Serving {
    let serving = Serving::new();
    let lines: String = (0..40)
        .map(|n| {
            json!({"organization_id": "acme", "event": {
                "action": "user.login", "occurred_at": "2026-01-02T03:04:05Z",
                "actor": {"id": "usr_ann", "type": "user", "name": "Ann, \"the\" boss"},
                "targets": [], "context": {}, "metadata": {"n": n},
            }})
            .to_string()
                + "\n"
        })
        .collect();
    let file = serving.folder.path().join("events.ndjson");
    fs::write(&file, lines).unwrap();
    serving.run(&["import", file.to_str().unwrap()]).ends(0);
    serving
}

#[test]
fn a_proof_file_verifies_without_the_server_and_every_ending_has_its_code() {
    let serving = filled();
    let file = serving.folder.path().join("acme.proof");
    let file = file.to_str().unwrap();
    let saved = serving
        .run(&[
            "export",
            "-w",
            "acme",
            "--format",
            "proof",
            "--from-position",
            "5",
            "--to-position",
            "25",
            "-o",
            file,
            "--json",
        ])
        .ends(0)
        .json();
    let text = fs::read_to_string(file).unwrap();
    assert_eq!(saved["bytes"], json!(text.len()));
    let shown = serving
        .run(&["workspace", "show", "acme", "--json"])
        .ends(0)
        .json();
    let key = shown["checkpoint"]["verifier_key"]
        .as_str()
        .unwrap()
        .to_owned();
    let (_, _, folder) = serving.stop();

    let report = run(&["verify", file, "--json"]).ends(0).json();
    assert_eq!(
        (&report["valid"], &report["signer"]),
        (&json!(true), &json!("not_checked"))
    );
    assert_eq!(
        (&report["from"], &report["to"], &report["entries"]),
        (&json!(5), &json!(25), &json!(20))
    );
    let root = report["root"].as_str().unwrap();
    assert!(
        text.lines().last().unwrap().contains(root),
        "the root reads as in the checkpoint: {root}"
    );
    let said = run(&["verify", file]).ends(0).out;
    assert!(
        said.starts_with("VALID") && said.contains("signer not checked"),
        "{said}"
    );
    let report = run(&["verify", file, "--key", &key, "--json"])
        .ends(0)
        .json();
    assert_eq!(report["signer"], "checked");

    // Another installation's key is not the signer.
    let other = filled();
    let shown = other
        .run(&["workspace", "show", "acme", "--json"])
        .ends(0)
        .json();
    run(&[
        "verify",
        file,
        "--key",
        shown["checkpoint"]["verifier_key"].as_str().unwrap(),
    ])
    .ends(1);
    run(&["verify", file, "--key", "not a key"]).ends(2);

    let changed = folder.path().join("changed.proof");
    fs::write(&changed, text.replacen(" boss", " bass", 1)).unwrap();
    let report = run(&["verify", changed.to_str().unwrap(), "--json"])
        .ends(1)
        .json();
    assert_eq!(
        (&report["valid"], &report["line"], &report["position"]),
        (&json!(false), &json!(2), &json!(5))
    );
    let said = run(&["verify", changed.to_str().unwrap()]).ends(1).out;
    assert!(
        said.contains("NOT VALID") && said.contains("first bad position: 5"),
        "{said}"
    );

    let cut = folder.path().join("cut.proof");
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&cut, lines[..10].join("\n") + "\n").unwrap();
    let report = run(&["verify", cut.to_str().unwrap(), "--json"])
        .ends(3)
        .json();
    assert_eq!(
        (&report["incomplete"], &report["position"]),
        (&json!(true), &json!(14))
    );
}

#[test]
fn the_csv_file_has_the_frozen_columns() {
    let serving = filled();
    let file = serving.folder.path().join("acme.csv");
    serving
        .run(&[
            "export",
            "-w",
            "acme",
            "--output",
            file.to_str().unwrap(),
            "--bom",
        ])
        .ends(0);
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("\u{feff}\"occurred_at\",\"recorded_at\",\"position\""),
        "{text}"
    );
    let to_stdout = serving
        .run(&[
            "export",
            "-w",
            "acme",
            "--output",
            "-",
            "--query",
            "action:user.login",
        ])
        .ends(0)
        .out;
    assert_eq!(to_stdout.lines().count(), 41);
    serving
        .run(&[
            "export", "-w", "acme", "--format", "proof", "--query", "x", "-o", "-",
        ])
        .ends(2);
    serving
        .run(&["export", "-w", "acme", "--from-position", "1", "-o", "-"])
        .ends(2);
}

#[test]
fn an_export_that_is_cut_short_leaves_no_file() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let answering = thread::spawn(move || {
        let (mut connection, _) = server.accept().unwrap();
        let _ = connection.read(&mut [0; 4096]);
        // A chunk, and then the connection is gone without the last one.
        connection
            .write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")
            .unwrap();
    });
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("acme.csv");
    fs::write(&file, "the file of yesterday").unwrap();
    let done = run(&[
        "export",
        "-w",
        "acme",
        "-o",
        file.to_str().unwrap(),
        "--url",
        &url,
        "--api-key",
        "sk_x",
    ])
    .ends(2);
    assert!(done.err.contains("cut the download short"), "{}", done.err);
    answering.join().unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "the file of yesterday");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn check_reads_everything_beside_the_server_and_names_damage() {
    let serving = filled();
    let report: Value = serving.run(&["check", "--json"]).ends(0).json();
    assert_eq!(report["ok"], true);
    assert!(report["entries"].as_u64().unwrap() >= 40);
    let (_, _, folder) = serving.stop();

    // One bit of a compressed body, where the database keeps it.
    let file = folder.path().join("data/annals.db");
    let mut bytes = fs::read(&file).unwrap();
    let frame = bytes
        .windows(4)
        .rposition(|w| w == [0x28, 0xb5, 0x2f, 0xfd])
        .unwrap();
    bytes[frame + 20] ^= 1;
    fs::write(&file, bytes).unwrap();
    let data = folder.path().join("data");
    let done = run(&["check", "--data", data.to_str().unwrap(), "--json"])
        .ends(1)
        .json();
    assert_eq!(done["ok"], false);
    assert!(done["problems"][0]["group"].as_u64().unwrap() > 0);
    let said = run(&["check", "--data", data.to_str().unwrap()])
        .ends(1)
        .out;
    assert!(said.contains("DAMAGED"), "{said}");
}
