//! An installation whose older events lie in an object store: served, checked, lost, and made again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use annals_objects::{S3, Settings};
use annals_store::{Options, Store};
use tempfile::TempDir;

use crate::harness::{Done, Serving, annals, run};

const CREDENTIALS: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "AKIATEST"),
    ("AWS_SECRET_ACCESS_KEY", "the secret of the tests"),
];

/// A server that speaks S3; it ends with its standard input.
struct ObjectStore {
    child: Child,
    endpoint: String,
}

impl ObjectStore {
    /// Starts one; nothing, and a loud line, where there is none.
    fn start() -> Option<ObjectStore> {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let started = Command::new(crates.join("../.tools/python/bin/python"))
            .arg(crates.join("annals-objects/tests/moto_server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let said = started.ok().and_then(|mut child| {
            let mut line = String::new();
            let mut out = BufReader::new(child.stdout.take()?);
            out.read_line(&mut line).ok()?;
            Some((line.trim().parse::<u16>().ok()?, child))
        });
        let Some((port, child)) = said else {
            let _ = writeln!(
                std::io::stderr(),
                "!!! NOT TESTED: there is no moto in .tools/python; `scripts/test rust` installs it !!!"
            );
            return None;
        };
        let endpoint = format!("http://127.0.0.1:{port}");
        Some(ObjectStore { child, endpoint })
    }

    fn run(&self, args: &[&str]) -> Done {
        Done::new(&annals().envs(CREDENTIALS).args(args).output().unwrap())
    }

    fn serve(&self, more: &[&str], folder: TempDir) -> Serving {
        let args = [&["--listen", "127.0.0.1:0"], more].concat();
        Serving::command("serve", &args, folder, &CREDENTIALS)
    }

    /// Moves everything into segments, which otherwise takes minutes.
    fn seal(&self, data: &Path) {
        let settings = Settings {
            url: "s3://annals/acme".to_owned(),
            endpoint: Some(self.endpoint.clone()),
            region: None,
            allow_http: true,
        };
        let environment = CREDENTIALS.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let options = Options {
            bucket: Some(std::sync::Arc::new(
                S3::open_in(&settings, environment).unwrap(),
            )),
            ..Options::default()
        };
        let store = Store::open(data, options).unwrap();
        store.seal().unwrap();
        store.close().unwrap();
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn import(serving: &Serving, from: u32, count: u32) {
    let lines: String = (from..from + count)
        .map(|n| {
            format!(
                r#"{{"id":"event-{n}","action":"issue.created","occurred_at":"2026-11-20T10:00:00Z","actor":{{"id":"ada","type":"user"}},"targets":[],"context":{{}}}}"#
            ) + "\n"
        })
        .collect();
    let file = serving.folder.path().join("events.ndjson");
    std::fs::write(&file, lines).unwrap();
    let file = file.to_str().unwrap();
    serving
        .run(&["import", "--workspace", "acme", file])
        .ends(0);
}

fn exported(serving: &Serving) -> String {
    let args = [
        "export", "-w", "acme", "--format", "ndjson", "--output", "-",
    ];
    let lines = serving.run(&args).ends(0).out;
    lines
        .lines()
        .filter(|line| line.contains("issue.created"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn a_lost_directory_is_rebuilt_from_the_object_store() {
    let Some(store) = ObjectStore::start() else {
        return;
    };
    let named = [
        "--segments",
        "s3://annals/acme",
        "--segments-endpoint",
        &store.endpoint,
        "--segments-allow-http",
    ];
    let serving = store.serve(&named, TempDir::new().unwrap());
    serving
        .run(&["workspace", "create", "acme", "--name", "Acme"])
        .ends(0);
    import(&serving, 0, 1_500);
    let before = exported(&serving);
    assert_eq!(before.lines().count(), 1_500);
    let (code, _, folder) = serving.stop();
    assert_eq!(code, 0);
    let data = folder.path().join("data");
    store.seal(&data);

    // The settings were kept by the first start, so no command needs to be told again.
    let serving = store.serve(&[], folder);
    assert_eq!(exported(&serving), before);
    let found = serving.run(&["query", "-w", "acme", "actor:ada", "--limit", "3", "--json"]);
    assert_eq!(found.ends(0).lines().len(), 3);
    let data_text = data.to_str().unwrap();
    let checked = store
        .run(&["check", "--data", data_text, "--json"])
        .ends(0)
        .json();
    assert_eq!(
        (&checked["ok"], checked["segments"].as_u64() > Some(0)),
        (&true.into(), true)
    );
    let place = TempDir::new().unwrap();
    let (backup, key) = (
        place.path().join("backup"),
        place.path().join("signing.key"),
    );
    let (backup, key) = (backup.to_str().unwrap(), key.to_str().unwrap());
    store
        .run(&["backup", backup, "--data", data_text, "--keys", key])
        .ends(0);
    import(&serving, 1_500, 10);
    let (_, _, folder) = serving.stop();

    // A backup needs no object store, not even by its name.
    let elsewhere = TempDir::new().unwrap();
    let restored = elsewhere.path().join("data");
    let restored = restored.to_str().unwrap();
    run(&["restore", backup, "--data", restored, "--keys", key]).ends(0);
    run(&["check", "--data", restored]).ends(0);
    let again = Serving::command("serve", &["--listen", "127.0.0.1:0"], elsewhere, &[]);
    assert_eq!(exported(&again), before);
    drop(again);

    // The disk is lost; the key was kept elsewhere.
    let safe = std::fs::read(data.join("keys/signing.key")).unwrap();
    drop(folder);
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let data_text = data.to_str().unwrap();
    let rebuild = [&["rebuild", "--data", data_text][..], &named].concat();
    let said = store.run(&rebuild).ends(2).err;
    assert!(said.contains("signing.key is needed"), "{said}");
    std::fs::create_dir_all(data.join("keys")).unwrap();
    std::fs::write(data.join("keys/signing.key"), safe).unwrap();
    let said = store.run(&rebuild).ends(0);
    assert!(
        said.out.contains("OK") && said.err.contains("annals key create"),
        "{}{}",
        said.out,
        said.err
    );
    let said = store.run(&rebuild).ends(2).err;
    assert!(said.contains("already holds a log"), "{said}");
    let check = [&["check", "--data", data_text][..], &named].concat();
    store.run(&check).ends(0);

    let serving = store.serve(&named, folder);
    assert_eq!(
        exported(&serving),
        before,
        "the ten that were not sealed are lost"
    );
    // Whoever still has them sends them again, with those that are there.
    import(&serving, 1_490, 20);
    assert_eq!(exported(&serving).lines().count(), 1_510);
}

#[test]
fn an_object_store_that_cannot_be_meant_or_reached_is_said_without_secrets() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let with = |args: &[&str]| {
        let output = annals()
            .envs(CREDENTIALS)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&data)
            .args(args)
            .output()
            .unwrap();
        let done = Done::new(&output).ends(2);
        assert!(
            !done.err.contains("AKIATEST") && !done.err.contains("secret of"),
            "{}",
            done.err
        );
        done.err
    };
    assert!(with(&["--segments", "/var/segments"]).contains("s3://bucket/prefix"));
    assert!(with(&["--segments", "s3://Not_A_Bucket"]).contains("a bucket has 3 to 63"));
    assert!(with(&["--segments-region", "eu-central-1"]).contains("without `url`"));
    let http = [
        "--segments",
        "s3://acme/x",
        "--segments-endpoint",
        "http://127.0.0.1:1",
    ];
    assert!(with(&http).contains("not encrypted"));
    let nobody = [&http[..], &["--segments-allow-http"]].concat();
    let said = with(&nobody);
    assert!(
        said.contains("writing an object failed: it does not answer"),
        "{said}"
    );
    let said = run(&["rebuild", "--data", data.to_str().unwrap()])
        .ends(2)
        .err;
    assert!(said.contains("--segments"), "{said}");
}
