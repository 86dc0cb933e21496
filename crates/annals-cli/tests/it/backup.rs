//! The restore drill: a backup of a server under load, the end of that server, and another one in its place.
//!
//! `ANNALS_BACKUP_KILLS` sets how often a backup is killed (10 by default; the torture script asks for 100).

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Serving, annals, eventually, mode, run};

fn lines(from: u64, count: u64) -> String {
    (from..from + count)
        .map(|n| {
            let workspace = if n % 3 == 0 { "globex" } else { "acme" };
            json!({"organization_id": workspace, "event": {
                "id": format!("evt-{n}"), "action": "user.login", "occurred_at": "2026-01-02T03:04:05Z",
                "actor": {"id": format!("usr_{}", n % 50), "type": "user", "name": "Ann"},
                "targets": [], "context": {}, "metadata": {"n": n, "text": "x".repeat(200)},
            }})
            .to_string()
                + "\n"
        })
        .collect()
}

fn import(serving: &Serving, from: u64, count: u64) {
    let file = serving.folder.path().join(format!("events-{from}.ndjson"));
    fs::write(&file, lines(from, count)).unwrap();
    serving.run(&["import", file.to_str().unwrap()]).ends(0);
    fs::remove_file(file).unwrap();
}

/// Runs a command with a data directory and a folder of a backup.
fn with(data: &Path, command: &str, folder: &Path, more: &[&str]) -> crate::harness::Done {
    let mut args = vec![
        command,
        folder.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
    ];
    args.extend(more);
    run(&args)
}

fn shown(serving: &Serving, workspace: &str) -> Value {
    serving
        .run(&["workspace", "show", workspace, "--json"])
        .ends(0)
        .json()
}

#[test]
fn another_machine_goes_on_from_a_backup_of_a_server_under_load() {
    let mut serving = Serving::new();
    import(&serving, 0, 600);
    let file = |name: &str| serving.folder.path().join(name);
    let (backup, keys) = (file("backup"), file("signing.key"));
    let proof = file("acme.proof");
    let export = [
        "export",
        "-w",
        "acme",
        "--format",
        "proof",
        "-o",
        proof.to_str().unwrap(),
    ];
    serving.run(&export).ends(0);
    let before = shown(&serving, "acme");
    let stop = AtomicBool::new(false);
    let sent = AtomicU64::new(600);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                import(&serving, sent.load(Ordering::Relaxed), 200);
                sent.fetch_add(200, Ordering::Relaxed);
            }
        });
        let first = with(&serving.data(), "backup", &backup, &["--json"])
            .ends(0)
            .json();
        eventually("more events", || {
            (sent.load(Ordering::Relaxed) > 900).then_some(())
        });
        let args = ["--json", "--keys", keys.to_str().unwrap()];
        let second = with(&serving.data(), "backup", &backup, &args)
            .ends(0)
            .json();
        assert!(second["group"].as_u64() > first["group"].as_u64());
        stop.store(true, Ordering::Relaxed);
    });
    // No secret of the installation is in it.
    let settings = fs::read_to_string(serving.data().join("operator.toml")).unwrap();
    let key = settings
        .lines()
        .find_map(|line| line.strip_prefix("key = "))
        .unwrap()
        .trim_matches('"');
    let secret = fs::read(serving.data().join("keys/signing.key")).unwrap();
    assert_eq!(mode(&backup), 0o700);
    assert_eq!(mode(&keys), 0o600);
    for entry in fs::read_dir(backup.join("files")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        assert!(
            !bytes
                .windows(key.len())
                .any(|window| window == key.as_bytes())
        );
    }
    serving.kill();
    let elsewhere = TempDir::new().unwrap();
    let data = elsewhere.path().join("data");
    // Without the key it is all there, but nothing may be signed in its name.
    let restored = with(&data, "restore", &backup, &["--json"]).ends(0).json();
    assert_eq!(
        (&restored["ok"], &restored["has_key"]),
        (&json!(true), &json!(false))
    );
    let refused = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().unwrap(),
    ])
    .ends(2);
    assert!(refused.err.contains("signing.key"), "{}", refused.err);
    with(&data, "restore", &backup, &[]).ends(2);
    fs::remove_dir_all(&data).unwrap();
    with(
        &data,
        "restore",
        &backup,
        &["--keys", keys.to_str().unwrap()],
    )
    .ends(0);
    let again = Serving::command("serve", &["--listen", "127.0.0.1:0"], elsewhere, &[]);
    let after = shown(&again, "acme");
    let vkey = after["checkpoint"]["verifier_key"].as_str().unwrap();
    assert_eq!(before["checkpoint"]["verifier_key"], vkey);
    run(&["verify", proof.to_str().unwrap(), "--key", vkey]).ends(0);
    let ids = again
        .run(&[
            "export", "-w", "acme", "--format", "ndjson", "--order", "asc", "-o", "-",
        ])
        .ends(0)
        .lines();
    assert!(ids.len() >= 400, "{}", ids.len());
    for (position, line) in (0u64..).zip(&ids) {
        assert_eq!(line["position"], position);
    }
    // The old proof is a part of the new log, and recording goes on where the backup ended.
    import(&again, 1_000_000, 10);
    let whole = again.folder.path().join("whole.proof");
    again
        .run(&[
            "export",
            "-w",
            "acme",
            "--format",
            "proof",
            "-o",
            whole.to_str().unwrap(),
        ])
        .ends(0);
    run(&["verify", whole.to_str().unwrap(), "--key", vkey]).ends(0);
    again.run(&["check"]).ends(0);
    again.run(&["quarantine"]).ends(0);
}

#[test]
fn a_backup_that_is_killed_is_never_taken_for_a_whole_one() {
    let kills: u64 = std::env::var("ANNALS_BACKUP_KILLS").map_or(10, |text| text.parse().unwrap());
    let serving = Serving::new();
    import(&serving, 0, 3_000);
    let place = TempDir::new().unwrap();
    let folder = place.path().join("backup");
    let mut entries = 0;
    let mut is_whole = false;
    for n in 0..kills {
        let mut child = annals()
            .args([
                "backup",
                folder.to_str().unwrap(),
                "--data",
                serving.data().to_str().unwrap(),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(3 + n * 17 % 120));
        child.kill().unwrap();
        is_whole |= child.wait().unwrap().success();
        let data = place.path().join(format!("data-{n}"));
        let done = with(&data, "restore", &folder, &["--json"]);
        if done.code == 0 {
            let found = done.json()["entries"].as_u64().unwrap();
            assert!(
                found >= 3_000 && found >= entries,
                "{found} after {entries}"
            );
            (entries, is_whole) = (found, true);
        } else {
            assert!(!is_whole, "the one before is gone: {}", done.err);
            assert!(
                done.err.contains("holds no whole backup") || done.err.contains("cannot use"),
                "{}",
                done.err
            );
            assert!(!data.exists());
        }
        import(&serving, 10_000 + n * 100, 20);
    }
    with(&serving.data(), "backup", &folder, &[]).ends(0);
    with(&place.path().join("last"), "restore", &folder, &[]).ends(0);
}

#[test]
fn what_a_later_version_wrote_ends_with_its_own_code() {
    let serving = Serving::new();
    import(&serving, 0, 10);
    let folder = serving.folder.path().join("backup");
    with(&serving.data(), "backup", &folder, &[]).ends(0);
    let contents = folder.join("backup.json");
    let text = fs::read_to_string(&contents).unwrap();
    fs::write(&contents, text.replace("backup/v1", "backup/v7")).unwrap();
    let done = with(&serving.folder.path().join("new"), "restore", &folder, &[]).ends(4);
    assert!(
        done.err.contains("later version") && done.err.contains("backup/v7"),
        "{}",
        done.err
    );
}
