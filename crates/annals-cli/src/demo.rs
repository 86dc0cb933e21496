//! `annals demo`: a small company's month, in one command.
//!
//! It starts three things, each as its users run them: Annals, the tracker that records into it, and
//! Taskyard, the other tool, in a process of its own. Then it performs the month through the
//! tracker's own pages, as the people of that company, while both clocks stand where the story is.
//! From then on the clocks are the machine's, and the tracker is another one that has no clock door.

mod acts;
mod attacks;
mod browser;
mod cast;
mod chance;
mod clock;
mod daily;
mod door;
mod issues;
mod projects;
mod scenes;
mod stage;
mod story;
mod taskyard;
mod theatre;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use annals_event::Timestamp;
use annals_store::{Clock as _, SystemClock};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::args::Demo;
use crate::client::Client;
use crate::directory::{operator_toml, user_data};
use crate::installation::{Installation, Settings, listen};
use crate::output::{Output, program};
use crate::place::read_config;
use crate::serve::{runtime, stop_signal};

use clock::DemoClock;
use taskyard::Taskyard;
pub(crate) use taskyard::run as run_taskyard;
use theatre::{Found, Theatre};

/// The workspace to look at, and the one whose audit log is locked.
const ACME: &str = "Acme";
const GLOBEX: &str = "Globex";
/// Marks a directory as the demo's, and tells what its month left behind.
const MARK: &str = "demo.json";
const PORT: u16 = 4610;
const TRACKER_PORT: u16 = 4640;
const OTHER_PORTS: u16 = 20;

/// Serves the demo until it is told to stop.
pub(crate) fn run(args: &Demo, output: &Output) -> Result<ExitCode> {
    crate::log::start("warn");
    let data = match &args.data {
        Some(data) => data.clone(),
        None => user_data()?.join("demo"),
    };
    let until = end_of_month(args.until.as_deref())?;
    let left = prepare(&data, args.reset)?;
    let clock = Arc::new(match &left {
        None => DemoClock::standing_at(Timestamp::clamped(story::span(until).0 * 1_000_000)),
        Some(_) => DemoClock::of_the_machine(),
    });
    let wanted = args
        .listen
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], PORT)));
    let other_ports = if args.listen.is_some() {
        0
    } else {
        OTHER_PORTS
    };
    let settings = Settings {
        data: data.clone(),
        listen: Some(wanted),
        other_ports,
        public_url: None,
        segments: Default::default(),
        create_unknown: true,
        contact_url: Some("mailto:sales@annals.example?subject=Audit%20Logs".to_owned()),
        bootstrap_key: None,
        clock: Some(clock.clone()),
    };
    runtime()?.block_on(async {
        let stop = stopping()?;
        let installation = Installation::open(settings).await?;
        let data = installation.data.clone();
        let (operator, annals) = (installation.operator.clone(), installation.url.clone());
        // Whoever chose Annals' port to be any has the others be any too.
        let port = if wanted.port() == 0 { 0 } else { TRACKER_PORT };
        let listener = listen(SocketAddr::new(wanted.ip(), port), OTHER_PORTS).await?;
        let address = listener.local_addr().context("the port has no address")?;
        let taskyard = Taskyard::start(address)?;
        let theatre = Theatre {
            data: data.clone(),
            address,
            annals: annals.clone(),
            key: operator.key.clone(),
            taskyard: taskyard.places.clone(),
        };
        let door = door::Door::new(&operator)?;
        let mut serving = tokio::spawn(installation.serve(wait(&stop), Some(door.routes())));
        let telling = async {
            let client = Client::new(&operator.url, &operator.key)?;
            let left = match left {
                Some(left) => left,
                None => {
                    mark(&data, None)?;
                    let left = theatre
                        .perform(&clock, args.seed, until, !output.is_json())
                        .await?;
                    mark(&data, Some(&left))?;
                    left
                }
            };
            clock.follow_the_machine();
            let found = tokio::task::spawn_blocking(move || Found::look(&client));
            anyhow::Ok((left, found.await.context("interrupted")??))
        };
        let (left, found) = tokio::select! {
            // Told to stop before the month was complete: the next start begins anew.
            served = &mut serving => return served.context("the server was interrupted")?,
            told = telling => told?,
        };
        door.open(&found);
        let tracker = tokio::spawn(theatre.serve(listener, wait(&stop)));
        announce(&theatre, &left, &found, output)?;
        tracker.await.context("the tracker was interrupted")??;
        drop(taskyard);
        serving.await.context("the server was interrupted")?
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Becomes true at the first signal to stop.
fn stopping() -> Result<watch::Receiver<bool>> {
    let signal = stop_signal()?;
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        signal.await;
        let _ = sender.send(true);
    });
    Ok(receiver)
}

fn wait(stop: &watch::Receiver<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = stop.clone();
    async move {
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// When the month ends: now, unless said otherwise.
fn end_of_month(until: Option<&str>) -> Result<Timestamp> {
    let now = SystemClock.now();
    let Some(text) = until else { return Ok(now) };
    let until =
        Timestamp::parse(text).context("--until is not a time such as 2026-11-01T12:00:00Z")?;
    if until > now {
        bail!("--until lies in the future");
    }
    Ok(until)
}

/// Looks at what is there, and makes way for a new month where that is wanted or the last one was
/// interrupted. Answers with what the month left behind, if it is there already.
fn prepare(data: &Path, reset: bool) -> Result<Option<Value>> {
    if !data.join("annals.db").exists() {
        return Ok(None);
    }
    let Ok(mark) = fs::read_to_string(data.join(MARK)) else {
        bail!(
            "{} holds an installation that the demo did not make; name another directory with --data",
            data.display()
        );
    };
    let left = serde_json::from_str::<Value>(&mark).unwrap_or_default();
    let lock =
        File::open(data.join("lock")).with_context(|| format!("cannot read {}", data.display()))?;
    if lock.try_lock().is_err() {
        bail!("{}", running(data));
    }
    drop(lock);
    // One that was made without a tracker is of no use either.
    if reset || left["complete"] != true || !left["people"].is_array() {
        fs::remove_dir_all(data).with_context(|| format!("cannot delete {}", data.display()))?;
        return Ok(None);
    }
    Ok(Some(left))
}

fn running(data: &Path) -> String {
    let at = read_config(&operator_toml(data))
        .ok()
        .and_then(|c| c.operator)
        .map(|o| o.url);
    match at {
        Some(url) => format!(
            "the demo is already running: {url}/demo (stop it first, or name another directory with --data)"
        ),
        None => format!("the demo is already running on {}", data.display()),
    }
}

/// Notes in the directory that it is the demo's, and once the month is complete, what it left behind.
fn mark(data: &Path, left: Option<&Value>) -> Result<()> {
    let file = data.join(MARK);
    let incomplete = json!({"complete": false});
    fs::write(&file, format!("{}\n", left.unwrap_or(&incomplete)))
        .with_context(|| format!("cannot write {}", file.display()))
}

fn announce(theatre: &Theatre, left: &Value, found: &Found, output: &Output) -> Result<()> {
    let (annals, key, data) = (&theatre.annals, &theatre.key, theatre.data.display());
    let (tracker, mailbox) = (
        theatre.tracker_url(),
        format!("{}/mailbox", theatre.tracker_url()),
    );
    let site = format!(
        "{}/{}",
        theatre.taskyard.site,
        left["widget"].as_str().unwrap_or_default()
    );
    if output.is_json() {
        output.json(&json!({
            "annals": annals,
            "api_key": key,
            "organization_id": found.acme,
            "viewer": format!("{annals}/demo"),
            "locked_organization_id": found.globex,
            "locked_viewer": format!("{annals}/demo/locked"),
            "tracker": tracker,
            "people": left["people"],
            "mailbox": mailbox,
            "taskyard": theatre.taskyard.provider,
            "site": site,
            "data": theatre.data,
        }))?;
        return Ok(());
    }
    let mut people = String::new();
    for person in left["people"].as_array().into_iter().flatten() {
        let text = |name: &str| person[name].as_str().unwrap_or_default();
        people.push_str(&format!(
            "    {:<14} {:<28} {:<26} {}\n",
            text("name"),
            text("email"),
            text("password"),
            text("role"),
        ));
    }
    output.line(format_args!(
        "
{title}  a small company, a month of its work, and {size} events of it

  Tracker          {page}
  Mailbox          {mailbox}   the mails that the tracker sends
  Taskyard         {taskyard}   another tool, to connect accounts at
  A customer's page with the widget
                   {site}

  People and their passwords
{people}
  Sign in as Ann, then Settings → Audit Logs: whatever you click in the tracker is there a moment later.

  Audit log page   {annals}/demo   the same without signing in
  Locked page      {annals}/demo/locked   what a workspace sees that has no access yet
  API              {annals}/docs
  Key              {key}

Try, in another terminal:
  export ANNALS_DATA={data}
  {program} query -w {acme} 'action:user.login_failed'
  {program} export -w {acme} --format proof --output acme.proof && {program} verify acme.proof

Ctrl-C stops the demo. The data stays in {data}; --reset makes it anew.",
        title = output.bold("Annals demo"),
        size = found.size,
        page = output.bold(&tracker),
        taskyard = theatre.taskyard.provider,
        acme = found.acme,
        program = program(),
    ))?;
    Ok(())
}
