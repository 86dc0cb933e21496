//! The tracker on a port, the real Annals beside it, and browsers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use annals_testkit::HeldPort;
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tracker::provider::{self, ProviderSettings};
use tracker::{Annals as AnnalsSettings, Config, Limits, MailSettings, Provider, Tracker};

pub(crate) const KEY: &str = "sk_tracker_test_0123456789abcdef";
pub(crate) const PASSWORD: &str = "correct horse battery";
/// Everything in a world happens this long ago at first, so that the clock can be stepped.
const AGO: Duration = Duration::from_secs(60 * 24 * 60 * 60);

/// The binary `annals`: what `ANNALS_BIN` names, else the one beside this test.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(given) = std::env::var_os("ANNALS_BIN") {
            return PathBuf::from(given);
        }
        let test = std::env::current_exe().unwrap();
        let path = test.ancestors().nth(2).unwrap().join("annals");
        if !path.exists() {
            let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
            let mut build = Command::new(env!("CARGO"));
            build
                .args([
                    "build",
                    "--locked",
                    "--package",
                    "annals-cli",
                    "--manifest-path",
                ])
                .arg(manifest);
            assert!(build.status().unwrap().success());
        }
        path
    })
}

/// A server of Annals as its own process.
pub(crate) struct Annals {
    folder: TempDir,
    port: HeldPort,
    child: Option<Child>,
}

impl Annals {
    /// One that is not running yet, at an address that stays its own.
    pub(crate) fn reserved() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            port: HeldPort::take(),
            child: None,
        }
    }

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
            .args(["serve", "--json", "--listen", &self.address(), "--data"])
            .arg(self.folder.path().join("data"))
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

    /// Ends it as a power cut does. What it has acknowledged is there when it runs again.
    pub(crate) fn stop(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn address(&self) -> String {
        self.port.address().to_string()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url()))
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/json")
            .body(body.to_owned())
            .unwrap();
        let mut answer = agent().run(request).unwrap();
        (
            answer.status().as_u16(),
            answer.body_mut().read_to_string().unwrap(),
        )
    }

    pub(crate) fn set_entitlement(&self, workspace: &str, entitlement: &str) {
        let body = format!(r#"{{"state":"{entitlement}"}}"#);
        let (status, text) = self.ask(
            "PUT",
            &format!("/organizations/{workspace}/entitlement"),
            &body,
        );
        assert!(status < 300, "{status} {text}");
    }

    pub(crate) fn organization(&self, workspace: &str) -> (u16, String) {
        self.ask("GET", &format!("/organizations/{workspace}"), "")
    }

    /// Everything that stands in a log, Annals' own events too.
    pub(crate) fn all_events(&self, workspace: &str) -> (u16, String) {
        let path = format!("/audit_logs/events.ndjson?organization_id={workspace}&order=asc");
        self.ask("GET", &path, "")
    }

    /// The events of a log in order, without Annals' own.
    fn log(&self, workspace: &str) -> Vec<Event> {
        let (status, text) = self.all_events(workspace);
        if status != 200 {
            return Vec::new();
        }
        let lines = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].clone());
        lines
            .map(Event)
            .filter(|event| !event.action().starts_with("audit_log."))
            .collect()
    }
}

impl Drop for Annals {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
    }
}

/// An event as Annals gives it back.
#[derive(Clone, Debug)]
pub(crate) struct Event(pub(crate) Value);

impl Event {
    pub(crate) fn action(&self) -> &str {
        self.0["action"].as_str().unwrap()
    }

    pub(crate) fn reason(&self) -> &str {
        self.0["failure"]["reason"].as_str().unwrap_or_default()
    }

    /// A value by its path: `metadata.role`.
    pub(crate) fn at(&self, path: &str) -> &Value {
        self.0
            .pointer(&format!("/{}", path.replace('.', "/")))
            .unwrap_or(&Value::Null)
    }
}

/// How a world is set up.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) annals_runs: bool,
}

impl Default for Setup {
    fn default() -> Self {
        // Tests try more often than people do.
        Self {
            limits: Limits {
                attempts: 100,
                ..Limits::default()
            },
            annals_runs: true,
        }
    }
}

/// A tracker with everything around it.
pub(crate) struct World {
    pub(crate) annals: Annals,
    pub(crate) url: String,
    pub(crate) provider_url: String,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<tokio::task::JoinHandle<()>>,
    runtime: Runtime,
    now: RefCell<u64>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let mut annals = Annals::reserved();
        if setup.annals_runs {
            annals.run();
        }
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (url, provider_url, stop, serving) = runtime.block_on(async {
            let bind = || TcpListener::bind("127.0.0.1:0");
            let (listener, yard, site) = (
                bind().await.unwrap(),
                bind().await.unwrap(),
                bind().await.unwrap(),
            );
            let url = format!("http://{}", listener.local_addr().unwrap());
            let provider_url = format!("http://{}", yard.local_addr().unwrap());
            let settings = ProviderSettings {
                client_id: "tracker".to_owned(),
                client_secret: "a secret of the tests".to_owned(),
                redirect_uri: format!("{url}/oauth/callback"),
                tracker_url: url.clone(),
            };
            let taskyard = Provider {
                id: "taskyard".to_owned(),
                name: "Taskyard".to_owned(),
                authorize_url: format!("{provider_url}/oauth/authorize"),
                token_url: format!("{provider_url}/oauth/token"),
                revoke_url: Some(format!("{provider_url}/oauth/revoke")),
                api_url: format!("{provider_url}/api"),
                client_id: settings.client_id.clone(),
                client_secret: settings.client_secret.clone(),
                scopes: vec!["issues:write".to_owned(), "account:read".to_owned()],
                timeout: Duration::from_millis(700),
            };
            tokio::spawn(provider::serve(yard, site, settings));
            let config = Config {
                database: folder.path().join("tracker.sqlite"),
                public_url: url.clone(),
                annals: AnnalsSettings {
                    url: annals.url(),
                    key: KEY.to_owned(),
                },
                mail: MailSettings::Mailbox(folder.path().join("mailbox.sqlite")),
                providers: vec![taskyard],
                trusted_proxies: vec!["127.0.0.1/32".parse().unwrap()],
                limits: setup.limits,
                clock_door: true,
            };
            let tracker = Tracker::open(config).await.unwrap();
            let (stop, stopped) = oneshot::channel::<()>();
            let serving = tokio::spawn(async move {
                let told = async move {
                    let _ = stopped.await;
                };
                tracker.run(listener, told).await.unwrap();
            });
            (url, provider_url, stop, serving)
        });
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() - AGO;
        let world = Self {
            annals,
            url,
            provider_url,
            folder,
            stop: Some(stop),
            serving: Some(serving),
            runtime,
            now: RefCell::new(since.as_secs()),
        };
        world.later(Duration::ZERO);
        world
    }

    /// Steps the tracker's clock.
    pub(crate) fn later(&self, by: Duration) {
        *self.now.borrow_mut() += by.as_secs();
        let time =
            jiff::Timestamp::from_second(i64::try_from(*self.now.borrow()).unwrap()).unwrap();
        let mut answer = agent()
            .post(format!("{}/clock", self.url))
            .send(time.to_string())
            .unwrap();
        assert_eq!(
            answer.status(),
            200,
            "{}",
            answer.body_mut().read_to_string().unwrap()
        );
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser {
            url: self.url.clone(),
            cookies: RefCell::default(),
            csrf: RefCell::default(),
            address: "192.0.2.7".to_owned(),
            agent: "Browser/1".to_owned(),
        }
    }

    /// The newest mail to an address whose subject holds these words, once it is there.
    pub(crate) fn mail(&self, to: &str, subject: &str) -> String {
        let encoded =
            |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let url = format!(
            "{}/mailbox/latest?to={}&subject={}",
            self.url,
            encoded(to),
            encoded(subject)
        );
        until(&format!("a mail “{subject}” to {to}"), || {
            let mut answer = agent().get(&url).call().unwrap();
            (answer.status() == 200).then(|| answer.body_mut().read_to_string().unwrap())
        })
    }

    /// The path of the link in such a mail.
    pub(crate) fn link(&self, to: &str, subject: &str) -> String {
        let mail = self.mail(to, subject);
        let at = mail
            .find(&self.url)
            .unwrap_or_else(|| panic!("no link in {mail}"));
        mail[at + self.url.len()..]
            .split_whitespace()
            .next()
            .unwrap()
            .to_owned()
    }

    /// The database, to look at what no page shows.
    pub(crate) fn database(&self) -> Connection {
        let connection = Connection::open(self.folder.path().join("tracker.sqlite")).unwrap();
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        connection
    }

    pub(crate) fn one(&self, sql: &str) -> String {
        self.database()
            .query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0))
            .map(text)
            .unwrap()
    }

    pub(crate) fn workspace_id(&self, slug: &str) -> String {
        self.one(&format!("select id from workspace where slug = '{slug}'"))
    }

    /// The log of a workspace, once everything that waits is delivered.
    pub(crate) fn log(&self, workspace: &str) -> Vec<Event> {
        let database = self.database();
        until("everything was delivered", || {
            let waiting: i64 = database
                .query_row("select count(*) from annals_outbox", [], |row| row.get(0))
                .unwrap();
            (waiting == 0).then_some(())
        });
        let parked: i64 = database
            .query_row("select count(*) from annals_outbox_parked", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(
            parked,
            0,
            "something was refused: {}",
            self.one("select reason || body from annals_outbox_parked")
        );
        self.annals.log(workspace)
    }

    /// The newest event of a log.
    pub(crate) fn last(&self, workspace: &str) -> Event {
        self.log(workspace).pop().expect("an event")
    }

    /// What the provider does from now on; what is left out works.
    pub(crate) fn provider_does(&self, what: &[(&str, &str)]) {
        let answer = agent()
            .post(format!("{}/control", self.provider_url))
            .send_form(what.iter().copied())
            .unwrap();
        assert!(answer.status().as_u16() < 400, "{}", answer.status());
    }

    /// Signs somebody up, proves the address, and gives the browser in which he is signed in.
    pub(crate) fn sign_up(&self, name: &str, email: &str) -> Browser {
        let browser = self.browser();
        browser.get("/signup");
        assert_eq!(
            browser
                .post(
                    "/signup",
                    &[("name", name), ("email", email), ("password", PASSWORD)]
                )
                .status,
            200
        );
        let link = self.link(email, "Confirm");
        browser.get(&link);
        let page = browser.post(&link, &[("password", PASSWORD)]);
        assert_eq!(page.status, 303, "{}", page.text());
        browser.get("/");
        browser
    }

    /// Somebody with a workspace: the browser, and the workspace's id.
    pub(crate) fn admin(&self, name: &str, email: &str, workspace: &str) -> (Browser, String) {
        let browser = self.sign_up(name, email);
        let page = browser.post("/workspaces/new", &[("name", workspace)]);
        let slug = page.to().trim_start_matches("/w/").to_owned();
        let id = self.workspace_id(&slug);
        (browser, id)
    }

    /// Invites somebody new into a workspace, and gives the browser in which he has joined.
    pub(crate) fn invited(
        &self,
        by: &Browser,
        slug: &str,
        name: &str,
        email: &str,
        role: &str,
    ) -> Browser {
        let page = by.post(
            &format!("/w/{slug}/members/invite"),
            &[("email", email), ("role", role)],
        );
        assert_eq!(page.status, 303, "{}", page.text());
        self.join(name, email)
    }

    /// Accepts an invitation as somebody new.
    pub(crate) fn join(&self, name: &str, email: &str) -> Browser {
        let link = self.link(email, "invites you");
        let browser = self.browser();
        browser.get(&link);
        let page = browser.post(
            &format!("{link}/new"),
            &[("name", name), ("password", PASSWORD)],
        );
        assert_eq!(page.status, 303, "{}", page.text());
        browser
    }

    /// Makes a project, and gives its path.
    pub(crate) fn project(&self, by: &Browser, slug: &str, name: &str) -> String {
        let page = by.post(
            &format!("/w/{slug}/projects/new"),
            &[("name", name), ("website_host", "www.acme.example")],
        );
        assert_eq!(page.status, 303, "{}", page.text());
        page.to().to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(serving) = self.serving.take() {
            let ended = self
                .runtime
                .block_on(async { tokio::time::timeout(Duration::from_secs(20), serving).await });
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the tracker does not stop"
            );
        }
    }
}

/// A browser: cookies, and the token of the last page with a form.
pub(crate) struct Browser {
    url: String,
    cookies: RefCell<HashMap<String, String>>,
    csrf: RefCell<String>,
    pub(crate) address: String,
    pub(crate) agent: String,
}

/// What a browser got.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Page {
    /// Where it leads.
    pub(crate) fn to(&self) -> &str {
        self.headers
            .get("location")
            .unwrap_or_else(|| panic!("{} leads nowhere: {}", self.status, self.text()))
    }

    /// The token of its forms.
    pub(crate) fn token(&self) -> String {
        let (_, rest) = self.body.split_once(r#"name="csrf" value=""#).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    /// The body without its tags.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for piece in self.body.split('<') {
            text.push_str(piece.split_once('>').map_or(piece, |(_, text)| text).trim());
            text.push(' ');
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Browser {
    pub(crate) fn get(&self, path: &str) -> Page {
        self.send("GET", path, None, &[])
    }

    /// Gets a page and follows where it leads, here alone.
    pub(crate) fn open(&self, path: &str) -> Page {
        let mut page = self.get(path);
        for _ in 0..5 {
            if page.status != 303 {
                break;
            }
            page = self.get(page.to());
        }
        page
    }

    /// Fills in a form, with the token that pages gave before.
    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let mut all = fields.to_vec();
        if self.csrf.borrow().is_empty() {
            self.get("/login");
        }
        let csrf = self.csrf.borrow().clone();
        all.push(("csrf", &csrf));
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(all)
            .finish();
        self.send("POST", path, Some(&body), &[("origin", &self.url)])
    }

    /// A request with these headers, whatever they are.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Page {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.url)
        };
        let cookies: Vec<String> = self
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(url)
            .header("user-agent", &self.agent)
            .header("x-forwarded-for", &self.address);
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = match body {
            Some(body) => agent().run(request.body(body.to_owned()).unwrap()),
            None => agent().run(request.body(()).unwrap()),
        }
        .unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies
                    .borrow_mut()
                    .insert(name.to_owned(), value.to_owned());
            }
        }
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let page = Page {
            status: answer.status().as_u16(),
            headers,
            body: answer.body_mut().read_to_string().unwrap(),
        };
        if let Some((_, rest)) = page.body.split_once(r#"name="csrf" value=""#) {
            *self.csrf.borrow_mut() = rest.split('"').next().unwrap().to_owned();
        }
        page
    }

    pub(crate) fn log_in(&self, email: &str, password: &str) -> Page {
        self.get("/login");
        self.post("/login", &[("email", email), ("password", password)])
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies
            .borrow_mut()
            .insert(name.to_owned(), value.to_owned());
    }
}

/// Connects an account at the provider by clicking through: `answer` is what is clicked there.
pub(crate) fn connect(browser: &Browser, path: &str, answer: &str) -> Page {
    let page = browser.post(path, &[]);
    assert_eq!(page.status, 303, "{}", page.text());
    let back = at_provider(page.to(), answer);
    browser.get(&back)
}

/// What is clicked at the provider, and where that leads back to.
pub(crate) fn at_provider(url: &str, answer: &str) -> String {
    let mut asked = agent().get(url).call().unwrap();
    if let Some(back) = asked.headers().get("location") {
        return back.to_str().unwrap().to_owned();
    }
    let page = asked.body_mut().read_to_string().unwrap();
    let mut fields = vec![
        ("answer".to_owned(), answer.to_owned()),
        ("account".to_owned(), "ty-1001".to_owned()),
    ];
    for input in page.split("<input type=\"hidden\" ").skip(1) {
        let of = |name: &str| {
            let value = input
                .split(&format!("{name}=\""))
                .nth(1)
                .unwrap()
                .split('"')
                .next()
                .unwrap();
            value
                .replace("&amp;", "&")
                .replace("&#x27;", "'")
                .replace("&quot;", "\"")
        };
        fields.push((of("name"), of("value")));
    }
    let action = url.split('?').next().unwrap();
    let answered = agent()
        .post(action)
        .send_form(
            fields
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        )
        .unwrap();
    answered.headers()["location"].to_str().unwrap().to_owned()
}

fn agent() -> ureq::Agent {
    static AGENT: OnceLock<ureq::Agent> = OnceLock::new();
    AGENT
        .get_or_init(|| {
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .max_redirects(0)
                // Whoever refuses a form before it is read closes the connection.
                .max_idle_connections(0)
                .build()
                .into()
        })
        .clone()
}

fn text(value: rusqlite::types::Value) -> String {
    match value {
        rusqlite::types::Value::Text(text) => text,
        rusqlite::types::Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// Waits until there is something.
pub(crate) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it never came: {what}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
