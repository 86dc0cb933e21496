//! `kill -9` under load, again and again on one directory: every event that was acknowledged is in
//! the log once, at the position that the answer named, and the tree continues the one before.
//!
//! This shows that the process keeps no promise in its memory. That the promise survives a power cut is
//! shown by the store's own tests, on a disk that forgets what was not synced.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Serving, run};

const KEY: &str = "sk_kill_test_0123456789abcdef";
const WORKSPACES: [&str; 3] = ["acme", "globex", "initech"];

/// What was acknowledged: workspace and id of the event, and its position.
type Acknowledged = Arc<Mutex<HashMap<(usize, String), u64>>>;

fn serve(folder: TempDir) -> Serving {
    let args = ["--listen", "127.0.0.1:0", "--dev"];
    Serving::command(
        "serve",
        &args,
        folder,
        &[("ANNALS_BOOTSTRAP_KEY", KEY), ("ANNALS_LOG", "error")],
    )
}

fn event(id: &str, n: u64) -> Value {
    json!({
        "id": id,
        "action": "user.login",
        "occurred_at": "2026-01-02T03:04:05Z",
        "actor": {"id": format!("usr_{}", n % 40), "type": "user", "name": "Ann"},
        "targets": [{"id": "usr_1", "type": "user", "name": "x".repeat(usize::try_from(n % 300).unwrap())}],
        "context": {"location": "203.0.113.7"},
    })
}

/// Sends events, one by one or in batches, until the server is gone.
fn load(url: &str, seed: u64, next: &AtomicU64, stop: &AtomicBool, acknowledged: &Acknowledged) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(5)))
        .build()
        .into();
    let authorization = format!("Bearer {KEY}");
    while !stop.load(Ordering::Relaxed) {
        let n = next.fetch_add(1, Ordering::Relaxed);
        let which = usize::try_from((n + seed) % 3).unwrap();
        let id = |k: u64| format!("evt_{seed}_{n}_{k}");
        if n.is_multiple_of(5) {
            let events: Vec<Value> = (0..20).map(|k| event(&id(k), n + k)).collect();
            let body = json!({"organization_id": WORKSPACES[which], "events": events}).to_string();
            let url = format!("{url}/audit_logs/events/bulk");
            let request = agent.post(url).header("authorization", &authorization);
            let Ok(mut answer) = request.content_type("application/json").send(body) else {
                return;
            };
            let Ok(text) = answer.body_mut().read_to_string() else {
                return;
            };
            let answer: Value = serde_json::from_str(&text).unwrap();
            for (k, result) in (0..).zip(answer["results"].as_array().unwrap()) {
                assert_eq!(result["status"], "recorded");
                let position = result["position"].as_u64().unwrap();
                acknowledged
                    .lock()
                    .unwrap()
                    .insert((which, id(k)), position);
            }
        } else {
            let body = json!({"organization_id": WORKSPACES[which], "event": event(&id(0), n)})
                .to_string();
            let url = format!("{url}/audit_logs/events");
            let request = agent.post(url).header("authorization", &authorization);
            let Ok(answer) = request.content_type("application/json").send(body) else {
                return;
            };
            let position = answer.headers()["annals-position"]
                .to_str()
                .unwrap()
                .parse()
                .unwrap();
            acknowledged
                .lock()
                .unwrap()
                .insert((which, id(0)), position);
        }
    }
}

/// Reads a whole log: ids by position, each position once, none missing.
fn ids(serving: &Serving, workspace: &str) -> Vec<String> {
    let lines = serving
        .run(&[
            "export", "-w", workspace, "--format", "ndjson", "--order", "asc", "-o", "-",
        ])
        .ends(0)
        .lines();
    for (position, line) in (0u64..).zip(&lines) {
        assert_eq!(
            line["position"],
            json!(position),
            "positions of {workspace} are dense"
        );
    }
    lines
        .iter()
        .map(|line| line["event"]["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn no_acknowledged_event_is_lost_or_doubled_or_moved() {
    let cycles: u64 = std::env::var("ANNALS_KILLS")
        .ok()
        .map_or(25, |text| text.parse().unwrap());
    let acknowledged = Acknowledged::default();
    let next = AtomicU64::new(0);
    let mut sizes = [0u64; 3];
    let mut roots: [Option<Value>; 3] = [None, None, None];
    let mut folder = TempDir::new().unwrap();
    for cycle in 0..cycles {
        let mut serving = serve(folder);
        // What the last life acknowledged is there, in the tree that continues the one before.
        for (which, workspace) in WORKSPACES.iter().enumerate().filter(|_| cycle > 0) {
            let checkpoint = |size: u64| {
                let path = format!(
                    "{}/audit_logs/checkpoint?organization_id={workspace}&size={size}",
                    serving.url
                );
                let mut answer = ureq::get(path)
                    .header("authorization", format!("Bearer {KEY}"))
                    .call()
                    .unwrap();
                serde_json::from_str::<Value>(&answer.body_mut().read_to_string().unwrap()).unwrap()
            };
            if let Some(root) = &roots[which] {
                assert_eq!(
                    &checkpoint(sizes[which])["root"],
                    root,
                    "{workspace} begins with what it was"
                );
            }
            let ids = ids(&serving, workspace);
            for ((_, id), position) in acknowledged
                .lock()
                .unwrap()
                .iter()
                .filter(|((w, _), _)| *w == which)
            {
                assert_eq!(
                    &ids[usize::try_from(*position).unwrap()],
                    id,
                    "cycle {cycle}"
                );
            }
            let mut unique = ids.clone();
            unique.sort_unstable();
            unique.dedup();
            assert_eq!(unique.len(), ids.len(), "an event is in {workspace} twice");
            sizes[which] = u64::try_from(ids.len()).unwrap();
            roots[which] = Some(checkpoint(sizes[which])["root"].clone());
        }
        let (url, stop) = (serving.url.clone(), AtomicBool::new(false));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| load(&url, cycle, &next, &stop, &acknowledged));
            }
            // The first life lasts until each workspace is there, which may take a while on a busy machine.
            let known = |which| {
                let acknowledged = acknowledged.lock().unwrap();
                acknowledged.keys().any(|(of, _)| *of == which)
            };
            while cycle == 0 && !(0..WORKSPACES.len()).all(known) {
                thread::sleep(Duration::from_millis(5));
            }
            // Never the same moment of a group's way to the disk.
            thread::sleep(Duration::from_millis(40 + cycle * 37 % 260));
            serving.kill();
            stop.store(true, Ordering::Relaxed);
        });
        folder = serving.into_folder();
    }
    let serving = serve(folder);
    assert!(
        acknowledged.lock().unwrap().len() > 500,
        "the load was too small to show anything"
    );
    for workspace in WORKSPACES {
        let file = serving.folder.path().join("all.proof");
        let file = file.to_str().unwrap();
        serving
            .run(&["export", "-w", workspace, "--format", "proof", "-o", file])
            .ends(0);
        run(&["verify", file]).ends(0);
    }
    serving.run(&["check"]).ends(0);
}
