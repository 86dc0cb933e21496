//! The example application, as somebody runs it who copies from it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Annals, KEY, built, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_example_records_what_it_does() {
    let annals = Annals::start();
    let folder = TempDir::new().unwrap();
    let how = [
        "--package",
        "annals-client",
        "--features",
        "tower",
        "--example",
        "todo",
    ];
    let program = built("examples/todo", &how);
    let mut child = Command::new(program)
        .env("ANNALS_URL", annals.url())
        .env("ANNALS_KEY", KEY)
        .env("TODO_LISTEN", "127.0.0.1:0")
        .env("TODO_DATABASE", folder.path().join("todo.sqlite"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut url)
        .unwrap();
    let url = url.trim().to_owned();
    let post = |path: &str, body: &str| {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build()
            .into();
        let request = agent
            .post(format!("{url}{path}"))
            .header("user-agent", "a test");
        let answer = request
            .content_type("application/x-www-form-urlencoded")
            .send(body);
        answer.unwrap().status().as_u16()
    };
    assert_eq!(post("/acme/todos?user=ana", "title=Buy+milk"), 201);
    assert_eq!(post("/acme/todos/1/done?user=bob", ""), 200);
    assert_eq!(
        post("/acme/todos/1/done?user=bob", ""),
        404,
        "what changes nothing is no event"
    );
    until("both events are in the log", || {
        annals.log("acme").len() == 2
    })
    .await;
    let log = annals.log("acme");
    assert_eq!(
        (log[0]["action"].as_str(), log[1]["actor"]["id"].as_str()),
        (Some("todo.created"), Some("bob"))
    );
    assert_eq!(log[0]["targets"][0]["name"], "Buy milk");
    assert_eq!(
        (
            &log[1]["context"]["location"],
            &log[1]["context"]["user_agent"]
        ),
        (&"127.0.0.1".into(), &"a test".into())
    );
    child.kill().unwrap();
    child.wait().unwrap();
}
