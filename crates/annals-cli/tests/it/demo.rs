//! The demo: made once, found again, and made anew on demand.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use annals_event::{Catalogue, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Serving, annals, eventually, run};

/// Half a month later than its end, so that a day of it is cheap to tell.
const ARGS: [&str; 4] = ["--listen", "127.0.0.1:0", "--until", "2026-11-02T12:00:00Z"];

/// Everything that happened in a workspace, without what Annals did itself.
fn month(serving: &Serving, workspace: &str) -> Vec<Value> {
    let query = [
        "query",
        "-w",
        workspace,
        "--limit",
        "100000",
        "--json",
        "-action:audit_log.*",
    ];
    serving.run(&query).ends(0).lines()
}

fn actions(month: &[Value]) -> BTreeSet<String> {
    let action = |line: &Value| line["event"]["action"].as_str().unwrap().to_owned();
    month.iter().map(action).collect()
}

#[test]
fn the_month_is_performed_once_and_found_again() {
    let first = Serving::command("demo", &ARGS, TempDir::new().unwrap(), &[]);
    for member in [
        "annals",
        "api_key",
        "organization_id",
        "viewer",
        "tracker",
        "mailbox",
        "site",
    ] {
        assert!(
            first.started[member].is_string(),
            "{member}: {}",
            first.started
        );
    }
    assert_eq!(
        first.started["viewer"],
        json!(format!("{}/demo", first.url))
    );
    let acme = first.started["organization_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let told = month(&first, &acme);
    assert!(told.len() > 500, "{} events", told.len());
    // Both clocks were moved with the story: it was recorded when it happened, not when it was made.
    let time = |text: &Value| {
        Timestamp::parse(text.as_str().unwrap())
            .unwrap()
            .as_micros()
    };
    for line in &told {
        let late = time(&line["recorded_at"]) - time(&line["event"]["occurred_at"]);
        assert!((0..60_000_000).contains(&late), "{late}: {line}");
    }
    let last = told
        .iter()
        .map(|l| l["event"]["occurred_at"].as_str().unwrap())
        .max();
    assert!(last.unwrap() < "2026-11-02T12:00:00Z");

    // A workspace that was deleted tells so in its own log.
    let workspaces = first.run(&["workspace", "list", "--json"]).ends(0).lines();
    let mut all = BTreeSet::new();
    for workspace in &workspaces {
        all.extend(actions(&month(&first, workspace["id"].as_str().unwrap())));
    }
    let catalogue: BTreeSet<String> = Catalogue::builtin()
        .all()
        .filter(|entry| !entry.extension)
        .map(|entry| entry.action.to_owned())
        .collect();
    assert_eq!(catalogue.difference(&all).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(actions(&told).len(), 42);

    // Whoever is printed can sign in, and nobody can with another password.
    let person = &first.started["people"][0];
    assert_eq!(
        sign_in(&first, person, person["password"].as_str().unwrap()),
        303
    );
    assert_eq!(sign_in(&first, person, "not-the-password"), 422);

    // A second one at the same time is told where the first is.
    let data = first.data();
    for args in [&["demo", "--reset"][..], &["demo"]] {
        let mut all = args.to_vec();
        all.extend(["--data", data.to_str().unwrap()]);
        let busy = run(&all).ends(2);
        assert!(busy.err.contains(&first.url), "{}", busy.err);
    }

    // The sign-ins above are told a moment later: the tracker's relay carries them over.
    let told = eventually("the sign-ins to be told", || {
        Some(month(&first, &acme)).filter(|month| month.len() == told.len() + 2)
    });
    let (code, _, folder) = first.stop();
    assert_eq!(code, 0);
    let second = Serving::command("demo", &ARGS[..2], folder, &[]);
    let found = month(&second, &acme);
    assert_eq!(found.len(), told.len(), "the data is used again");
    assert!(found == told, "every event is as it was");
    assert_eq!(second.run(&["check"]).ends(0).code, 0);
    only_who_opens_the_page_makes_a_link(&second);

    // Wanted anew or interrupted: it begins again.
    let (_, _, folder) = second.stop();
    assert!(begins_anew(&folder, &["--reset"]));
    let data = folder.path().join("data");
    fs::write(data.join("demo.json"), "{\"complete\":false}\n").unwrap();
    assert!(begins_anew(&folder, &[]));
}

/// Signs in as the tracker's own page does it; the status of the answer.
fn sign_in(demo: &Serving, person: &Value, password: &str) -> u16 {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .build()
        .into();
    let page = format!("{}/login", demo.started["tracker"].as_str().unwrap());
    let mut form = agent.get(&page).call().unwrap();
    let cookie = form.headers()["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let body = form.body_mut().read_to_string().unwrap();
    let (_, rest) = body.split_once("name=\"csrf\" value=\"").unwrap();
    let csrf = rest.split('"').next().unwrap();
    let fields = [
        ("csrf", csrf),
        ("email", person["email"].as_str().unwrap()),
        ("password", password),
    ];
    let answer = agent.post(&page).header("cookie", cookie).send_form(fields);
    answer.unwrap().status().as_u16()
}

/// Whether a start in this folder performs a month.
fn begins_anew(folder: &TempDir, args: &[&str]) -> bool {
    let mut demo = annals()
        .arg("demo")
        .args(ARGS)
        .args(args)
        .arg("--data")
        .arg(folder.path().join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(demo.stderr.as_mut().unwrap())
        .read_line(&mut first)
        .unwrap();
    demo.kill().unwrap();
    demo.wait().unwrap();
    first.starts_with("A month is being performed in the tracker: ")
        && first.ends_with("/s\n")
        && !first.contains('\x1b')
}

fn only_who_opens_the_page_makes_a_link(demo: &Serving) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .build()
        .into();
    let acme = demo.started["organization_id"].as_str().unwrap();
    let links = || {
        let query = [
            "query",
            "-w",
            acme,
            "--json",
            "action:audit_log.link_created",
        ];
        demo.run(&query).ends(0).lines().len()
    };
    let page = format!("{}/demo", demo.url);
    assert_eq!(agent.head(&page).call().unwrap().status(), 204);
    let ahead = agent.get(&page).header("sec-purpose", "prefetch;prerender");
    assert_eq!(ahead.call().unwrap().status(), 204);
    assert_eq!(links(), 0);
    assert_eq!(agent.get(&page).call().unwrap().status(), 303);
    assert_eq!(links(), 1);
}

#[test]
fn the_demo_touches_no_installation_that_is_not_its_own() {
    let serving = Serving::new();
    serving
        .run(&["workspace", "create", "acme", "--name", "Acme"])
        .ends(0);
    let (_, _, folder) = serving.stop();
    let data = folder.path().join("data");
    for args in [&["demo"][..], &["demo", "--reset"]] {
        let mut all = args.to_vec();
        all.extend(["--data", data.to_str().unwrap()]);
        let done = run(&all).ends(2);
        assert!(done.err.contains("did not make"), "{}", done.err);
    }
    assert!(data.join("annals.db").exists());
}

#[test]
fn a_server_has_no_such_links() {
    let serving = Serving::new();
    let missing = ureq::get(format!("{}/demo", serving.url)).call();
    assert!(
        matches!(missing, Err(ureq::Error::StatusCode(404))),
        "{missing:?}"
    );
}
