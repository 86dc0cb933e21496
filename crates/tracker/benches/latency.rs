//! How long the tracker's users wait while Annals is there, and while it is not.
//!
//! One tracker serves real requests over HTTP, each of which changes something, commits it with its event and answers; its relay runs
//! beside them. Annals is the binary of this repository, and is started and killed in turns: a pair of turns is one with and one
//! without, in an order that changes from pair to pair, so that what drifts falls on both. Requests begin at their moments, whatever
//! became of the ones before, and what they waited for is counted. Printed are the median and the 99th percentile of each turn, and at the
//! end by how much the 99th percentile moved: the median over the pairs. Afterwards every event has to arrive, or it was no outage.
//!
//! ```sh
//! cargo build --release && cargo bench -p tracker --bench latency
//! ```
//!
//! `ANNALS_BIN` names another binary, `LATENCY_PAIRS` how many pairs, and `LATENCY_SECONDS` how many seconds of a turn count.

#![expect(clippy::print_stdout, reason = "what it measured is what it is for")]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tracker::{Annals, Config, Limits, MailSettings, Tracker};

/// Pairs of turns, one with Annals and one without.
const PAIRS: u64 = 7;
/// Seconds of a turn that count: 1,000 requests, so that its 99th percentile is more than the slowest few.
const SECONDS: u64 = 20;
/// Requests a second, and by how many people.
const RATE: u32 = 50;
const PEOPLE: u32 = 4;
/// What is thrown away at the beginning of each turn, while things start or stop.
const WARM: Duration = Duration::from_secs(2);
/// How long everything may take to arrive at the end.
const ARRIVING_MAX: Duration = Duration::from_secs(60);

fn main() {
    // `cargo test --benches` only wants to know that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let (pairs, turn) = (
        number("LATENCY_PAIRS", PAIRS),
        WARM + Duration::from_secs(number("LATENCY_SECONDS", SECONDS)),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let (database, data) = (
        folder.path().join("tracker.db"),
        folder.path().join("annals"),
    );
    let mut annals = AnnalsProcess::start(&data, "127.0.0.1:0");
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let config = Config {
        database: database.clone(),
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
    let users = User::with_issues(address);
    let outbox = Outbox::open(&database);
    outbox.empties();

    let (mut up, mut down, mut moved) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 1..=pairs {
        let first_up = pair % 2 == 1;
        let mut p99 = [0.0; 2];
        for is_up in [first_up, !first_up] {
            if is_up && annals.child.is_none() {
                annals = AnnalsProcess::start(&data, &annals.listen);
                // What the outage left behind is delivered first: it belongs to the outage.
                outbox.empties();
            } else if !is_up {
                annals.kill();
            }
            p99[usize::from(is_up)] = report(pair, is_up, works(&users, turn));
            let waiting = outbox.waiting();
            // With Annals the relay keeps up, without it everything waits: else the turn was not what it says.
            assert!(
                is_up == (waiting < i64::from(RATE * 2)),
                "{waiting} events wait"
            );
        }
        down.push(p99[0]);
        up.push(p99[1]);
        moved.push((p99[0] / p99[1] - 1.0) * 100.0);
    }
    if annals.child.is_none() {
        annals = AnnalsProcess::start(&data, &annals.listen);
    }
    outbox.empties();
    annals.kill();
    println!(
        "p99, medians of {pairs} turns: {:.2} ms with Annals, {:.2} ms without; it moved by {:+.1} % (median of the pairs); every event arrived",
        median(&mut up),
        median(&mut down),
        median(&mut moved)
    );
}

fn number(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(given) => given
            .parse()
            .ok()
            .filter(|number| *number > 0)
            .unwrap_or_else(|| panic!("{name} is a number from 1 on")),
        Err(_) => usual,
    }
}

/// The 99th percentile, in milliseconds.
fn report(pair: u64, is_up: bool, mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    let at = |percent: usize| {
        let time = times[(times.len() * percent / 100).min(times.len() - 1)];
        time.as_secs_f64() * 1000.0
    };
    println!(
        "pair {pair}, {:>14}: {} requests, p50 {:.2} ms, p99 {:.2} ms, slowest {:.2} ms",
        if is_up {
            "with Annals"
        } else {
            "without Annals"
        },
        times.len(),
        at(50),
        at(99),
        at(100)
    );
    at(99)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// What waits to be delivered, as the tracker's own database says.
struct Outbox(Connection);

impl Outbox {
    fn open(database: &Path) -> Self {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY);
        Self(connection.expect("the tracker's database"))
    }

    fn waiting(&self) -> i64 {
        let count = "select count(*) from annals_outbox";
        self.0
            .query_row(count, [], |row| row.get(0))
            .expect("the outbox")
    }

    fn empties(&self) {
        let begun = Instant::now();
        while self.waiting() > 0 {
            assert!(
                begun.elapsed() < ARRIVING_MAX,
                "{} events do not arrive",
                self.waiting()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Annals as its own process.
struct AnnalsProcess {
    /// None once it is killed.
    child: Option<Child>,
    url: String,
    listen: String,
    key: String,
}

impl AnnalsProcess {
    fn start(data: &Path, listen: &str) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/release/annals");
        let binary = std::env::var_os("ANNALS_BIN").map_or(here, PathBuf::from);
        let mut child = Command::new(&binary)
            .args(["serve", "--json", "--dev", "--listen", listen, "--data"])
            .arg(data)
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
            child: Some(child),
            listen: url.trim_start_matches("http://").to_owned(),
            url,
            key: key.trim_matches('"').to_owned(),
        }
    }

    fn kill(&mut self) {
        // Gone at once, as in an outage.
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for AnnalsProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Somebody who is signed in and moves one issue to and fro.
#[derive(Clone)]
struct User {
    agent: ureq::Agent,
    tracker: String,
    cookie: String,
    csrf: String,
    issue: String,
}

impl User {
    /// One person in several browsers, each with an issue of his own: nothing grows while it is measured.
    fn with_issues(address: SocketAddr) -> Vec<Self> {
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
        let mut users = Vec::new();
        for _ in 0..PEOPLE {
            let issue = [("title", "It is slow")];
            (user.issue, _) = user.sends(&format!("{project}/new"), &issue);
            users.push(user.clone());
        }
        users
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

    /// Moves the issue at each of its moments, which are `every` apart.
    fn works(&self, first: Instant, every: Duration, until: Instant) -> Vec<(Instant, Duration)> {
        let mut times = Vec::new();
        let mut due = first;
        for status in ["in_progress", "open"].into_iter().cycle() {
            if due > until {
                break;
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            self.sends(&format!("{}/status", self.issue), &[("status", status)]);
            times.push((due, due.elapsed()));
            due += every;
        }
        // The next turn finds the issue as this one did.
        self.sends(&format!("{}/status", self.issue), &[("status", "open")]);
        times
    }
}

/// The times of all requests of a turn, without those of its beginning. A slow answer delays no other's moment, and what that one waits
/// for is counted.
fn works(users: &[User], turn: Duration) -> Vec<Duration> {
    let begun = Instant::now();
    let step = Duration::from_secs(1) / RATE;
    let mut times = Vec::new();
    std::thread::scope(|scope| {
        let mut working = Vec::new();
        for (user, n) in users.iter().zip(0_u32..) {
            working.push(
                scope.spawn(move || user.works(begun + step * n, step * PEOPLE, begun + turn)),
            );
        }
        for one in working {
            times.extend(one.join().expect("a client"));
        }
    });
    let counted = times
        .into_iter()
        .filter(|(due, _)| due.duration_since(begun) >= WARM);
    counted.map(|(_, time)| time).collect()
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let rest = text.split_once(before).map_or("", |(_, rest)| rest);
    rest.split(after).next().unwrap_or_default()
}
