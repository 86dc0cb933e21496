//! `kill -9` under load: every event that was acknowledged is there once, at its position, and the
//! tree verifies, however often the process was killed.
//!
//! `ANNALS_KILLS` sets the number of cycles (25 by default; the torture script asks for more).

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

const KEY: &str = "sk_kill_test_0123456789abcdefghijklmnop";
const WORKSPACES: [&str; 3] = ["org_a", "org_b", "org_c"];
const WRITERS: usize = 6;

struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(data: &Path) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(env!("CARGO_BIN_EXE_annals"))
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .env("ANNALS_BOOTSTRAP_KEY", KEY)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Server { process, url: format!("http://127.0.0.1:{port}") };
        let start = Instant::now();
        while agent().get(format!("{}/health", server.url)).call().is_err() {
            assert!(server.process.try_wait().unwrap().is_none(), "the server ended at its start");
            assert!(start.elapsed() < Duration::from_secs(30), "the server does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        server
    }

    /// SIGKILL: nothing is flushed, nothing is tidied up.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, ureq::Error> {
        let text = agent()
            .post(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {KEY}"))
            .content_type("application/json")
            .send(body.to_string())?
            .body_mut()
            .read_to_string()?;
        Ok(serde_json::from_str(&text).unwrap())
    }

    fn get(&self, path: &str) -> String {
        let mut answer = agent()
            .get(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {KEY}"))
            .call()
            .unwrap();
        answer.body_mut().with_config().limit(1 << 30).read_to_string().unwrap()
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(20))).build().into()
}

fn event(id: &str) -> Value {
    json!({
        "id": id,
        "action": "issue.status_updated",
        "occurred_at": "2026-01-02T03:04:05.678Z",
        "actor": { "id": "usr_1", "type": "user", "name": "Ana Ruiz" },
        "targets": [{ "id": "issue_1", "type": "issue", "name": "Broken header" }],
        "context": { "location": "192.0.2.7" },
        "previous": { "status": "Open" },
        "next": { "status": "Resolved" },
    })
}

/// What the writers were told: workspace and id, to position.
type History = Mutex<HashMap<(usize, String), u64>>;

/// Sends batches until the server is gone; half of them single events' worth.
fn write(server: &Server, writer: usize, cycle: usize, stop: &AtomicBool, history: &History) {
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let workspace = (writer + n) % WORKSPACES.len();
        let size = if n % 2 == 0 { 1 } else { 20 };
        let ids: Vec<String> = (0..size).map(|k| format!("e-{cycle}-{writer}-{n}-{k}")).collect();
        let events: Vec<Value> = ids.iter().map(|id| event(id)).collect();
        let body = json!({ "organization_id": WORKSPACES[workspace], "events": events });
        let Ok(answer) = server.post("/audit_logs/events/bulk", &body) else { return };
        let results = answer["results"].as_array().unwrap();
        assert_eq!(results.len(), ids.len());
        let mut history = history.lock().unwrap();
        for (id, result) in ids.into_iter().zip(results) {
            let position = result["position"].as_u64().unwrap_or_else(|| panic!("{result}"));
            history.insert((workspace, id), position);
        }
    }
}

fn cycles() -> usize {
    std::env::var("ANNALS_KILLS").map_or(25, |text| text.parse().unwrap())
}

#[test]
fn nothing_acknowledged_is_lost_to_kill_nine() {
    let dir = TempDir::new().unwrap();
    let data = dir.path().join("data");
    let history = History::default();
    let mut chance = fastrand::Rng::with_seed(9);
    let server = Server::start(&data);
    for id in WORKSPACES {
        server.post("/organizations", &json!({ "id": id, "name": id })).unwrap();
    }
    server.kill();

    for cycle in 0..cycles() {
        let server = Server::start(&data);
        let stop = AtomicBool::new(false);
        let before = history.lock().unwrap().len();
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (server, stop, history) = (&server, &stop, &history);
                scope.spawn(move || write(server, writer, cycle, stop, history));
            }
            // The moment of the kill is the point of the test, so it is drawn, not awaited.
            std::thread::sleep(Duration::from_millis(chance.u64(30..500)));
            Command::new("kill").args(["-9", &server.process.id().to_string()]).status().unwrap();
            stop.store(true, Ordering::Relaxed);
        });
        server.kill();
        if cycle == 0 {
            assert!(history.lock().unwrap().len() > before, "nothing was acknowledged");
        }
    }

    let server = Server::start(&data);
    let history = history.into_inner().unwrap();
    assert!(history.len() > cycles() * 10, "only {} events in all", history.len());
    for (index, workspace) in WORKSPACES.iter().enumerate() {
        let stored = stored(&server, workspace);
        for ((_, id), position) in history.iter().filter(|((of, _), _)| *of == index) {
            assert_eq!(stored.get(position), Some(id), "{workspace} at {position}");
        }
        let file = dir.path().join(format!("{workspace}.proof"));
        let proof = server.get(&format!("/audit_logs/events.proof?organization_id={workspace}"));
        std::fs::write(&file, proof).unwrap();
        let verified = Command::new(env!("CARGO_BIN_EXE_annals")).arg("verify").arg(&file).output().unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
    server.kill();
    let checked =
        Command::new(env!("CARGO_BIN_EXE_annals")).args(["check", "--data"]).arg(&data).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// Every producer's event of a log by position; panics where an id is there twice.
fn stored(server: &Server, workspace: &str) -> BTreeMap<u64, String> {
    let text = server.get(&format!("/audit_logs/events.ndjson?organization_id={workspace}&order=asc"));
    let mut found = BTreeMap::new();
    let mut ids = std::collections::HashSet::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let id = line["event"]["id"].as_str().unwrap().to_owned();
        assert!(ids.insert(id.clone()), "{id} is there twice");
        found.insert(line["position"].as_u64().unwrap(), id);
    }
    found
}
