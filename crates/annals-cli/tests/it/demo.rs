//! The demo: made once, found again, and made anew on demand.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Serving, annals, run};

/// Half a month later than its end, so that a day of it is cheap to tell.
const ARGS: [&str; 4] = ["--listen", "127.0.0.1:0", "--until", "2026-11-02T12:00:00Z"];

#[test]
fn the_second_run_shows_the_same_month_and_reset_makes_another() {
    let first = Serving::command("demo", &ARGS, TempDir::new().unwrap(), &[]);
    for member in ["annals", "api_key", "organization_id", "viewer"] {
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
    let month = |serving: &Serving| {
        let found = serving
            .run(&[
                "query",
                "-w",
                "acme",
                "--limit",
                "100000",
                "--json",
                "-action:audit_log.*",
            ])
            .ends(0);
        found.lines()
    };
    let told = month(&first);
    assert!(told.len() > 1_800, "{} events", told.len());
    // The clock was moved with the story: it was recorded when it happened, not when it was made.
    for line in &told {
        let (at, recorded) = (
            line["event"]["occurred_at"].as_str().unwrap(),
            line["recorded_at"].as_str().unwrap(),
        );
        assert!(
            at < recorded && at[..10] == recorded[..10] || at[11..13] == *"23",
            "{at} {recorded}"
        );
    }
    assert!(
        told.iter()
            .all(|l| l["event"]["occurred_at"].as_str().unwrap() < "2026-11-02T12:00:00Z")
    );

    // A second one at the same time is told where the first is.
    let data = first.data();
    let busy = run(&["demo", "--data", data.to_str().unwrap(), "--reset"]).ends(2);
    assert!(busy.err.contains(&first.url), "{}", busy.err);
    let busy = run(&["demo", "--data", data.to_str().unwrap()]).ends(2);
    assert!(busy.err.contains(&first.url), "{}", busy.err);

    let (code, _, folder) = first.stop();
    assert_eq!(code, 0);
    let second = Serving::command("demo", &ARGS[..2], folder, &[]);
    assert_eq!(month(&second), told, "the data is used again");
    assert_eq!(second.run(&["check"]).ends(0).code, 0);
    let (_, _, folder) = second.stop();

    let mut args = ARGS.to_vec();
    args.extend(["--reset", "--seed", "2"]);
    let third = Serving::command("demo", &args, folder, &[]);
    let other = month(&third);
    assert!(!other.is_empty() && other != told);
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
fn a_demo_that_was_interrupted_begins_anew() {
    let folder = TempDir::new().unwrap();
    let first = Serving::command("demo", &ARGS, folder, &[]);
    let (_, _, folder) = first.stop();
    fs::write(
        folder.path().join("data/demo.json"),
        "{\"complete\":false}\n",
    )
    .unwrap();
    let again = Serving::command("demo", &ARGS, folder, &[]);
    let found = again.run(&["workspace", "list", "--json"]).ends(0).lines();
    assert_eq!(found.len(), 2);
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

#[test]
fn only_who_opens_the_page_makes_a_link() {
    let demo = Serving::command("demo", &ARGS, TempDir::new().unwrap(), &[]);
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .build()
        .into();
    let links = || {
        let query = [
            "query",
            "-w",
            "acme",
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
fn it_says_how_far_it_is_where_nobody_has_a_terminal() {
    let folder = TempDir::new().unwrap();
    let mut demo = annals()
        .arg("demo")
        .args(ARGS)
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
    assert!(
        first.starts_with("A month of events is being recorded: 0 % of "),
        "{first}"
    );
    assert!(
        first.ends_with("/s\n") && !first.contains('\x1b'),
        "{first:?}"
    );
}
