//! `annals demo`: a sample workspace with a month of events, in one command.
//!
//! The events go through the public API like those of any product, while the store's clock is moved
//! to the moment at which each one happens. From then on the clock is the machine's.

mod attacks;
mod cast;
mod chance;
mod clock;
mod daily;
mod deeds;
mod door;
mod month;
mod scenes;
mod world;

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use annals_event::Timestamp;
use annals_store::{Clock as _, SystemClock};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use crate::args::Demo;
use crate::client::Client;
use crate::directory::{operator_toml, user_data};
use crate::installation::{Installation, Settings};
use crate::output::{Output, program};
use crate::place::read_config;
use crate::progress::Progress;
use crate::serve::{runtime, stop_signal};

use clock::DemoClock;
use month::Happening;

/// The workspace to look at.
const ACME: (&str, &str) = ("acme", "Acme");
/// The workspace whose audit log is locked.
const GLOBEX: (&str, &str) = ("globex", "Globex");
/// Marks a directory as the demo's, and that its month is complete.
const MARK: &str = "demo.json";
const PORT: u16 = 4610;
const OTHER_PORTS: u16 = 20;

/// Serves the demo until it is told to stop.
pub(crate) fn run(args: &Demo, output: &Output) -> Result<ExitCode> {
    crate::log::start("warn");
    let data = match &args.data {
        Some(data) => data.clone(),
        None => user_data()?.join("demo"),
    };
    let until = end_of_month(args.until.as_deref())?;
    let is_told = prepare(&data, args.reset)?;
    let month = if is_told {
        Vec::new()
    } else {
        both_months(args.seed, until)
    };
    let clock = Arc::new(match month.first() {
        Some(first) => DemoClock::standing_at(first.happening.at),
        None => DemoClock::of_the_machine(),
    });
    let settings = Settings {
        data: data.clone(),
        listen: Some(
            args.listen
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], PORT))),
        ),
        other_ports: if args.listen.is_some() {
            0
        } else {
            OTHER_PORTS
        },
        public_url: None,
        create_unknown: true,
        contact_url: Some("mailto:sales@annals.example?subject=Audit%20Logs".to_owned()),
        bootstrap_key: None,
        clock: Some(clock.clone()),
    };
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        let installation = Installation::open(settings).await?;
        let data = installation.data.clone();
        let (operator, url) = (installation.operator.clone(), installation.url.clone());
        let door = door::routes(&operator, ACME.0, GLOBEX.0)?;
        let mut serving = tokio::spawn(installation.serve(stop, Some(door)));
        let api_key = operator.key.clone();
        let folder = data.clone();
        let progress = !output.is_json();
        let telling = tokio::task::spawn_blocking(move || {
            let client = Client::new(&operator.url, &operator.key)?;
            if !is_told {
                mark(&folder, false)?;
                tell(&client, &clock, &month, until, progress)?;
                mark(&folder, true)?;
            }
            clock.follow_the_machine();
            size(&client)
        });
        tokio::select! {
            // Told to stop before the month was complete: the next start begins anew.
            served = &mut serving => return served.context("the server was interrupted")?,
            told = telling => {
                let size = told.context("the month was interrupted")??;
                announce(&url, &api_key, &data, size, output)?;
            }
        }
        serving.await.context("the server was interrupted")?
    })?;
    Ok(ExitCode::SUCCESS)
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
/// interrupted. Answers whether the month is there already.
fn prepare(data: &Path, reset: bool) -> Result<bool> {
    if !data.join("annals.db").exists() {
        return Ok(false);
    }
    let Ok(mark) = fs::read_to_string(data.join(MARK)) else {
        bail!(
            "{} holds an installation that the demo did not make; name another directory with --data",
            data.display()
        );
    };
    let is_complete = serde_json::from_str::<Value>(&mark).is_ok_and(|m| m["complete"] == true);
    let lock =
        File::open(data.join("lock")).with_context(|| format!("cannot read {}", data.display()))?;
    if lock.try_lock().is_err() {
        bail!("{}", running(data));
    }
    drop(lock);
    if reset || !is_complete {
        fs::remove_dir_all(data).with_context(|| format!("cannot delete {}", data.display()))?;
        return Ok(false);
    }
    Ok(true)
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

/// Notes in the directory that it is the demo's, and whether its month is complete.
fn mark(data: &Path, complete: bool) -> Result<()> {
    let file = data.join(MARK);
    fs::write(&file, format!("{}\n", json!({"complete": complete})))
        .with_context(|| format!("cannot write {}", file.display()))
}

/// An event and the workspace in whose log it goes.
struct Story {
    workspace: &'static str,
    happening: Happening,
}

fn both_months(seed: u64, until: Timestamp) -> Vec<Story> {
    let acme = month::month(ACME.0, ACME.1, seed, until);
    let globex = month::locked_month(GLOBEX.0, GLOBEX.1, seed, until);
    let story = |workspace| {
        move |happening| Story {
            workspace,
            happening,
        }
    };
    let mut all: Vec<Story> = acme
        .into_iter()
        .map(story(ACME.0))
        .chain(globex.into_iter().map(story(GLOBEX.0)))
        .collect();
    all.sort_by_key(|s| s.happening.at);
    all
}

/// Sends every event when the clock says its time, a moment after it happened.
fn tell(
    client: &Client,
    clock: &DemoClock,
    month: &[Story],
    until: Timestamp,
    progress: bool,
) -> Result<()> {
    for (id, name) in [ACME, GLOBEX] {
        client.post(
            "/organizations",
            &json!({
                "id": id,
                "name": name,
                "domain_data": [{"domain": format!("{id}.example"), "state": "verified"}],
            }),
        )?;
    }
    let total = u64::try_from(month.len()).ok();
    let mut shown = progress
        .then(|| Progress::new("A month of events is being recorded:", total).in_lines_too());
    for (n, story) in (1..).zip(month) {
        clock.set(Timestamp::clamped(story.happening.at.as_micros() + 180_000));
        client.post(
            "/audit_logs/events",
            &json!({
                "organization_id": story.workspace,
                "event": story.happening.event,
            }),
        )?;
        if let Some(shown) = &mut shown {
            shown.at(n, "events");
        }
    }
    clock.set(until);
    client.put(
        &format!("/organizations/{}/entitlement", GLOBEX.0),
        &json!({"state": "inactive"}),
    )?;
    Ok(())
}

fn size(client: &Client) -> Result<u64> {
    let checkpoint = client.get(&format!(
        "/audit_logs/checkpoint?organization_id={}",
        ACME.0
    ))?;
    Ok(checkpoint["size"].as_u64().unwrap_or(0))
}

fn announce(url: &str, api_key: &str, data: &Path, size: u64, output: &Output) -> Result<()> {
    if output.is_json() {
        output.json(&json!({
            "annals": url,
            "api_key": api_key,
            "organization_id": ACME.0,
            "viewer": format!("{url}/demo"),
            "locked_organization_id": GLOBEX.0,
            "locked_viewer": format!("{url}/demo/locked"),
            "data": data,
        }))?;
        return Ok(());
    }
    let name = ACME.1;
    output.line(format_args!(
        "
{title}  the sample workspace {name}: {size} events of a month

  Audit log page   {page}
  Locked page      {url}/demo/locked   what a workspace sees that has no access yet
  API              {url}/docs
  Key              {api_key}

Try, in another terminal:
  export ANNALS_DATA={data}
  {annals} query -w acme 'action:user.login_failed'
  {annals} export -w acme --format proof --output acme.proof && {annals} verify acme.proof

Ctrl-C stops the demo. The data stays in {data}; --reset makes it anew.",
        title = output.bold("Annals demo"),
        page = output.bold(&format!("{url}/demo")),
        annals = program(),
        data = data.display(),
    ))?;
    Ok(())
}
