//! The real server, as its own process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use annals_client::{Backoff, Client, RelayOptions};
use annals_testkit::HeldPort;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const KEY: &str = "sk_client_test_0123456789abcdef";

/// The binary `annals`: what `ANNALS_BIN` names, else the one beside this test.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let given = std::env::var_os("ANNALS_BIN");
        given.map_or_else(
            || built("annals", &["--package", "annals-cli"]),
            PathBuf::from,
        )
    })
}

/// A program of this workspace, built if it is not there.
pub(crate) fn built(name: &str, how: &[&str]) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join(name);
    if !path.exists() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--locked", "--manifest-path"])
            .arg(manifest)
            .args(how);
        assert!(build.status().unwrap().success());
    }
    path
}

/// A server on a directory that outlives it.
pub(crate) struct Annals {
    folder: TempDir,
    port: HeldPort,
    args: &'static [&'static str],
    child: Option<Child>,
}

impl Annals {
    /// A new installation, which refuses workspaces that it does not know.
    pub(crate) fn start() -> Annals {
        Self::with(&[])
    }

    pub(crate) fn with(args: &'static [&'static str]) -> Annals {
        let mut annals = Annals {
            folder: TempDir::new().unwrap(),
            port: HeldPort::take(),
            args,
            child: None,
        };
        annals.run();
        annals
    }

    /// Starts it, at the address that it had before.
    pub(crate) fn run(&mut self) {
        let mut command = Command::new(binary());
        for name in [
            "ANNALS_URL",
            "ANNALS_KEY",
            "ANNALS_DATA",
            "ANNALS_LISTEN",
            "ANNALS_PUBLIC_URL",
        ] {
            command.env_remove(name);
        }
        let mut child = command
            .args(["serve", "--json", "--listen"])
            .arg(self.port.address().to_string())
            .arg("--data")
            .arg(self.folder.path().join("data"))
            .args(self.args)
            .env("ANNALS_BOOTSTRAP_KEY", KEY)
            .env("ANNALS_LOG", "error")
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.contains("annals"), "it did not start: {line}");
        self.child = Some(child);
    }

    /// Ends it at once, without a word.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Puts a copy of one of its directories in the place of another, and starts it again.
    pub(crate) fn copy(&mut self, from: &str, to: &str) {
        self.kill();
        let (from, to) = (self.folder.path().join(from), self.folder.path().join(to));
        let _ = std::fs::remove_dir_all(&to);
        let copied = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(copied.unwrap().success());
        self.run();
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// A client that does not wait long.
    pub(crate) fn client(&self) -> Client {
        self.client_with(|builder| builder)
    }

    pub(crate) fn client_with(
        &self,
        settings: impl FnOnce(annals_client::ClientBuilder) -> annals_client::ClientBuilder,
    ) -> Client {
        let builder = Client::builder(&self.url(), KEY).backoff(quick());
        settings(builder).build().unwrap()
    }

    /// A request by hand.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let url = format!("{}{path}", self.url());
        let authorization = format!("Bearer {KEY}");
        let answer = if method == "GET" {
            agent.get(url).header("authorization", authorization).call()
        } else {
            let request = ureq::http::Request::builder()
                .method(method)
                .uri(url)
                .header("authorization", authorization)
                .header("content-type", "application/json")
                .body(body.to_string())
                .unwrap();
            agent.run(request)
        };
        let text = answer.unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Another key.
    pub(crate) fn key(&self, scopes: &[&str]) -> String {
        let body = serde_json::json!({"name": "test", "scopes": scopes});
        let key = self.ask("POST", "/keys", &body);
        key["key"]
            .as_str()
            .unwrap_or_else(|| panic!("{key}"))
            .to_owned()
    }

    /// The events of a log in order, without Annals' own.
    pub(crate) fn log(&self, workspace: &str) -> Vec<Value> {
        let url = format!(
            "{}/audit_logs/events.ndjson?organization_id={workspace}&order=asc",
            self.url()
        );
        let answer = ureq::get(url)
            .header("authorization", format!("Bearer {KEY}"))
            .call();
        let Ok(mut answer) = answer else {
            return Vec::new();
        };
        let text = answer
            .body_mut()
            .with_config()
            .limit(1 << 30)
            .read_to_string()
            .unwrap();
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| line["event"].clone())
            .filter(|event| !event["action"].as_str().unwrap().starts_with("audit_log."))
            .collect()
    }

    /// The ids of the events of a log in order.
    pub(crate) fn ids(&self, workspace: &str) -> Vec<String> {
        let id = |event: &Value| event["id"].as_str().unwrap().to_owned();
        self.log(workspace).iter().map(id).collect()
    }
}

impl Drop for Annals {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits that suit a test.
pub(crate) fn quick() -> Backoff {
    Backoff {
        first: Duration::from_millis(5),
        longest: Duration::from_millis(40),
    }
}

/// A relay that suits a test.
pub(crate) fn options() -> RelayOptions {
    RelayOptions {
        poll: Duration::from_millis(5),
        lease: Duration::from_millis(600),
        backoff: quick(),
        ..RelayOptions::default()
    }
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came that {what}");
}
