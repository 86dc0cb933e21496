//! Starting, starting again, and stopping.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{Serving, annals, mode, run};

#[test]
fn the_first_start_makes_everything_and_the_second_finds_it() {
    let first = Serving::new();
    assert_eq!(first.started["first_start"], true);
    let data = first.data();
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("operator.toml")), 0o600);
    assert_eq!(mode(&data.join("keys/signing.key")), 0o600);
    first
        .run(&["workspace", "create", "acme", "--name", "Acme"])
        .ends(0);
    let (code, _, folder) = first.stop();
    assert_eq!(code, 0);

    // On another port, so that the address in operator.toml has to follow; the key stays.
    let before = fs::read_to_string(data.join("operator.toml")).unwrap();
    let second = Serving::command("serve", &["--listen", "127.0.0.1:0"], folder, &[]);
    assert_eq!(second.started["first_start"], false);
    let ids: Vec<_> = second.run(&["workspace", "list", "--json"]).ends(0).lines();
    assert_eq!(ids[0]["id"], "acme");
    let after = fs::read_to_string(second.data().join("operator.toml")).unwrap();
    assert!(after.contains(&second.url));
    let rest = |text: &str| {
        text.lines()
            .filter(|l| !l.starts_with("url"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(rest(&before), rest(&after));
    assert_eq!(mode(&second.data().join("operator.toml")), 0o600);
}

#[test]
fn settings_written_by_hand_survive_the_first_start() {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    let file = folder.path().join("data/operator.toml");
    fs::write(&file, "# ours\nstrict = true\n").unwrap();
    let serving = Serving::command("serve", &["--listen", "127.0.0.1:0"], folder, &[]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# ours\nstrict = true\n") && text.contains("[operator]"),
        "{text}"
    );
    serving.run(&["workspace", "list"]).ends(0);
    assert_eq!(mode(&file), 0o600);
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let done = run(&[
        "serve",
        "--data",
        data.to_str().unwrap(),
        "--listen",
        &address,
    ])
    .ends(2);
    assert!(
        done.err.contains(&format!(
            "port {} is taken",
            taken.local_addr().unwrap().port()
        )),
        "{}",
        done.err
    );
    assert!(done.err.contains("--listen"));
}

#[test]
fn a_directory_belongs_to_one_server() {
    let serving = Serving::new();
    let data = serving.data();
    let done = run(&[
        "serve",
        "--data",
        data.to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ])
    .ends(2);
    assert!(
        done.err.contains("another Annals is running"),
        "{}",
        done.err
    );
    assert!(done.err.contains(data.to_str().unwrap()));
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("thesis.tex"), "…").unwrap();
    let done = run(&[
        "serve",
        "--data",
        folder.path().to_str().unwrap(),
        "--listen",
        "127.0.0.1:0",
    ])
    .ends(2);
    assert!(done.err.contains("neither empty nor"), "{}", done.err);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn the_bootstrap_key_may_do_everything() {
    let key = "sk_bootstrap_0123456789abcdef";
    let folder = TempDir::new().unwrap();
    let env = [("ANNALS_BOOTSTRAP_KEY", key)];
    let serving = Serving::command("serve", &["--listen", "127.0.0.1:0"], folder, &env);
    let with = |args: &[&str]| {
        let status = annals()
            .env("ANNALS_URL", &serving.url)
            .env("ANNALS_KEY", key)
            .args(args)
            .output()
            .unwrap();
        assert!(
            status.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&status.stderr)
        );
    };
    with(&["workspace", "create", "acme", "--name", "Acme"]);
    with(&["query", "-w", "acme"]);
    with(&["key", "create", "--name", "second"]);

    let elsewhere = TempDir::new().unwrap();
    let weak = annals()
        .env("ANNALS_BOOTSTRAP_KEY", "secret")
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(elsewhere.path().join("data"))
        .output()
        .unwrap();
    assert_eq!(weak.status.code(), Some(2));
    let said = String::from_utf8_lossy(&weak.stderr);
    assert!(
        said.contains("ANNALS_BOOTSTRAP_KEY") && !said.contains("secret"),
        "{said}"
    );
}

#[test]
fn the_key_of_this_machine_goes_to_no_other_address() {
    let serving = Serving::new();
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", stranger.local_addr().unwrap());
    let done = serving.run(&["workspace", "list", "--url", &url]).ends(2);
    assert!(done.err.contains("ANNALS_KEY"), "{}", done.err);
    stranger.set_nonblocking(true).unwrap();
    assert!(stranger.accept().is_err(), "nobody may have called");
}

#[test]
fn sigterm_ends_it_within_ten_seconds_also_with_a_connection_open() {
    let serving = Serving::new();
    let address = serving.url.trim_start_matches("http://").to_owned();
    let mut idle = TcpStream::connect(&address).unwrap();
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    idle.read_exact(&mut [0; 12]).unwrap();
    // A request whose body never comes.
    let mut half = TcpStream::connect(&address).unwrap();
    half.write_all(b"POST /audit_logs/events HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        .unwrap();
    let (code, took, _) = serving.stop();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(11), "{took:?}");
}

#[test]
fn settings_are_checked_and_printed_without_the_key() {
    let serving = Serving::new();
    serving.run(&["config", "check"]).ends(0);
    let text = fs::read_to_string(serving.data().join("operator.toml")).unwrap();
    let key = text
        .lines()
        .find_map(|l| l.strip_prefix("key = "))
        .unwrap()
        .trim_matches('"')
        .to_owned();
    assert!(key.starts_with("sk_"));
    for format in [&["config", "print"][..], &["config", "print", "--json"]] {
        let printed = serving.run(format).ends(0).out;
        assert!(
            printed.contains("unknown_organization") && !printed.contains(&key),
            "{printed}"
        );
    }
    for (mistake, says) in [
        ("colour = \"red\"", "colour"),
        ("public_url = \"acme\"", "public_url"),
        ("listen = 80", "listen"),
    ] {
        fs::write(serving.data().join("operator.toml"), mistake).unwrap();
        let done = serving.run(&["config", "check"]).ends(1);
        assert!(done.err.contains(says), "{}", done.err);
    }
}
