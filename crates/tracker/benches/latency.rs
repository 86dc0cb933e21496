//! How long the tracker's users wait while Annals is there, and while it is not.
//!
//! One tracker serves real requests over HTTP, each of which changes something and records an event. Annals runs beside it as the binary
//! of this repository, and is started and killed in turns. Printed are the median and the 99th percentile of each turn, and the
//! medians of those over all turns.
//!
//! ```sh
//! cargo build --release && ANNALS_BIN=target/release/annals cargo bench -p tracker --bench latency
//! ```

#![expect(clippy::print_stdout, reason = "what it measured is what it is for")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracker::{Annals, Config, Limits, MailSettings, Tracker};

/// Turns with Annals, and as many without.
const TURNS: usize = 7;
/// How long each takes, and how many requests it makes a second.
const TURN: Duration = Duration::from_secs(10);
const RATE: u32 = 40;
/// What is thrown away at the beginning of each turn, while things start or stop.
const WARM: Duration = Duration::from_secs(2);

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut annals = AnnalsProcess::start(folder.path().join("annals"), "127.0.0.1:0");
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let config = Config {
        database: folder.path().join("tracker.db"),
        public_url: format!("http://{address}"),
        annals: Annals {
            url: annals.url.clone(),
            key: annals.key.clone(),
        },
        mail: MailSettings::Mailbox(folder.path().join("mailbox.db")),
        providers: Vec::new(),
        trusted_proxies: Vec::new(),
        limits: Limits {
            attempts: 1000,
            ..Limits::default()
        },
        clock_door: false,
    };
    let tracker = runtime.block_on(Tracker::open(config)).expect("a tracker");
    runtime.spawn(tracker.run(listener, std::future::pending()));
    let user = Arc::new(User::with_an_issue(address));

    let (mut up, mut down) = (Vec::new(), Vec::new());
    for turn in 1..=TURNS {
        up.push(report(turn, "up", user.works()));
        annals.kill();
        down.push(report(turn, "down", user.works()));
        annals = AnnalsProcess::start(folder.path().join("annals"), &annals.listen);
    }
    annals.kill();
    let (up, down) = (median(&mut up), median(&mut down));
    println!(
        "p99, median of {TURNS}: {:.2} ms with Annals, {:.2} ms without: {:+.1} %",
        millis(up),
        millis(down),
        (millis(down) / millis(up) - 1.0) * 100.0
    );
}

fn report(turn: usize, annals: &str, mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    let p99 = times[times.len() * 99 / 100];
    println!(
        "turn {turn}, Annals {annals:>4}: {} requests, p50 {:.2} ms, p99 {:.2} ms",
        times.len(),
        millis(times[times.len() / 2]),
        millis(p99)
    );
    p99
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Annals as its own process.
struct AnnalsProcess {
    child: Child,
    url: String,
    listen: String,
    key: String,
}

impl AnnalsProcess {
    fn start(data: PathBuf, listen: &str) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/annals");
        let binary = std::env::var_os("ANNALS_BIN").map_or(here, PathBuf::from);
        let mut child = Command::new(&binary)
            .args(["serve", "--json", "--dev", "--listen", listen, "--data"])
            .arg(&data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{}: {error}; build it or set ANNALS_BIN", binary.display())
            });
        let mut line = String::new();
        let output = child.stdout.take().expect("an output");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let started: serde_json::Value = serde_json::from_str(&line).expect("Annals starts");
        let url = started["annals"].as_str().expect("an address").to_owned();
        let settings = std::fs::read_to_string(data.join("operator.toml")).expect("its settings");
        let key = settings
            .lines()
            .find_map(|line| line.strip_prefix("key = "))
            .expect("its key");
        Self {
            child,
            listen: url.trim_start_matches("http://").to_owned(),
            url,
            key: key.trim_matches('"').to_owned(),
        }
    }

    fn kill(&mut self) {
        // Gone at once, as in an outage.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who is signed in and moves one issue to and fro.
struct User {
    agent: ureq::Agent,
    tracker: String,
    cookie: String,
    csrf: String,
    issue: String,
}

impl User {
    fn with_an_issue(address: SocketAddr) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .build()
            .into();
        let mut user = Self {
            agent,
            tracker: format!("http://{address}"),
            cookie: String::new(),
            csrf: String::new(),
            issue: String::new(),
        };
        let mut page = user
            .agent
            .get(format!("{}/signup", user.tracker))
            .call()
            .expect("a page");
        let cookie = page.headers()["set-cookie"].to_str().expect("a cookie");
        user.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let body = page.body_mut().read_to_string().expect("a page");
        user.csrf = between(&body, "name=\"csrf\" value=\"", "\"").to_owned();
        let (email, password) = ("ann@acme.example", "ann-measures-it-all");
        user.sends(
            "/signup",
            &[("name", "Ann"), ("email", email), ("password", password)],
        );
        let mail = loop {
            let url = format!("{}/mailbox/latest?to={email}", user.tracker);
            let mut mail = user.agent.get(url).call().expect("the mailbox");
            if mail.status() == 200 {
                break mail.body_mut().read_to_string().expect("a mail");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let link = between(&mail, &user.tracker, "\n").trim().to_owned();
        let (_, session) = user.sends(&link, &[("password", password)]);
        user.cookie = format!("{}; {session}", user.cookie);
        let (workspace, _) = user.sends("/workspaces/new", &[("name", "Acme")]);
        let project = [
            ("name", "Site"),
            ("website_host", ""),
            ("members_access", "all"),
        ];
        let (project, _) = user.sends(&format!("{workspace}/projects/new"), &project);
        (user.issue, _) = user.sends(&format!("{project}/new"), &[("title", "It is slow")]);
        user
    }

    /// Sends a form; where it led, and the session cookie that it set.
    fn sends(&self, path: &str, fields: &[(&str, &str)]) -> (String, String) {
        let mut form = vec![("csrf", self.csrf.as_str())];
        form.extend_from_slice(fields);
        let answer = self
            .agent
            .post(format!("{}{path}", self.tracker))
            .header("cookie", &self.cookie)
            .send_form(form)
            .expect("an answer");
        assert!(
            answer.status().as_u16() < 400,
            "{path}: {}",
            answer.status()
        );
        let headers = answer.headers();
        let text = |value: &ureq::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let location = headers.get("location").map(text).unwrap_or_default();
        let cookies = headers.get_all("set-cookie").iter().map(text);
        let session = cookies.filter(|cookie| cookie.starts_with("tracker_session="));
        let mut session =
            session.map(|cookie| cookie.split(';').next().unwrap_or_default().to_owned());
        (location, session.next_back().unwrap_or_default())
    }

    /// Changes the issue so many times a second, each at its moment: a slow answer delays no later one's beginning, and what it waited
    /// for is counted.
    fn works(self: &Arc<Self>) -> Vec<Duration> {
        let begun = Instant::now();
        let every = Duration::from_secs(1) / RATE;
        let clients: Vec<_> = (0..4_u32)
            .map(|client| {
                let user = self.clone();
                std::thread::spawn(move || user.works_as(client, begun, every))
            })
            .collect();
        let times = clients
            .into_iter()
            .flat_map(|client| client.join().expect("a client"));
        times.collect()
    }

    fn works_as(&self, client: u32, begun: Instant, every: Duration) -> Vec<Duration> {
        let mut times = Vec::new();
        for n in 0.. {
            let due = begun + every * (n * 4 + client);
            if due - begun > TURN {
                return times;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let body = format!("Remark {n} of {client}");
            self.sends(&format!("{}/comments", self.issue), &[("body", &body)]);
            if due - begun > WARM {
                times.push(due.elapsed());
            }
        }
        times
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split(after).next().unwrap_or_default()
}
