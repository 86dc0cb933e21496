//! The border table of `ARCHITECTURE.md`, and a few habits, held by the compiler's own metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What each crate may import of ours. Development dependencies are not held to it.
const BORDERS: [(&str, &[&str]); 12] = [
    ("annals-hash", &[]),
    ("annals-event", &["annals-hash"]),
    ("annals-merkle", &["annals-hash"]),
    ("annals-proof", &["annals-event", "annals-merkle"]),
    ("annals-parquet", &["annals-event"]),
    (
        "annals-store",
        &["annals-event", "annals-merkle", "annals-proof"],
    ),
    ("annals-objects", &["annals-store"]),
    (
        "annals-client",
        &["annals-event", "annals-merkle", "annals-proof"],
    ),
    (
        "annals-server",
        &[
            "annals-event",
            "annals-merkle",
            "annals-parquet",
            "annals-proof",
            "annals-store",
        ],
    ),
    (
        "annals-cli",
        &[
            "annals-event",
            "annals-merkle",
            "annals-objects",
            "annals-proof",
            "annals-server",
            "annals-store",
            "tracker",
        ],
    ),
    (
        "annals-testkit",
        &[
            "annals-event",
            "annals-merkle",
            "annals-proof",
            "annals-store",
        ],
    ),
    ("tracker", &["annals-client"]),
];

/// What a crate must not know, as packages that it must not reach by any path.
const ABSENCES: [(&str, &[&str]); 10] = [
    ("annals-hash", &["tokio", "serde", "rusqlite", "tracing"]),
    (
        "annals-event",
        &[
            "tokio",
            "axum",
            "rusqlite",
            "hyper",
            "tracing",
            "ed25519-dalek",
            "parquet",
        ],
    ),
    (
        "annals-merkle",
        &[
            "tokio",
            "axum",
            "rusqlite",
            "hyper",
            "tracing",
            "serde_json",
        ],
    ),
    (
        "annals-proof",
        &["tokio", "axum", "rusqlite", "hyper", "tracing"],
    ),
    (
        "annals-parquet",
        &["tokio", "axum", "rusqlite", "hyper", "tracing"],
    ),
    (
        "annals-store",
        &["axum", "hyper", "askama", "utoipa", "ureq"],
    ),
    ("annals-objects", &["axum", "clap", "tracing-subscriber"]),
    (
        "annals-client",
        &["axum", "reqwest", "clap", "tracing-subscriber"],
    ),
    ("annals-server", &["clap", "tracing-subscriber"]),
    (
        "tracker",
        &[
            "annals-server",
            "annals-store",
            "clap",
            "tracing-subscriber",
        ],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn metadata() -> Value {
    // Only what this machine builds: packages of other systems are perhaps not here.
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let about = String::from_utf8(rustc.stdout).unwrap();
    let host = about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", host])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Normal dependencies of every package in the graph, by name.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let name_of = |id: &Value| -> String {
        let packages = metadata["packages"].as_array().unwrap();
        let found = packages
            .iter()
            .find(|package| package["id"] == *id)
            .unwrap();
        found["name"].as_str().unwrap().to_owned()
    };
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().unwrap() {
        let entry = graph.entry(name_of(&node["id"])).or_default();
        for dependency in node["deps"].as_array().unwrap() {
            let normal = dependency["dep_kinds"]
                .as_array()
                .unwrap()
                .iter()
                .any(|kind| kind["kind"].is_null());
            if normal {
                entry.insert(name_of(&dependency["pkg"]));
            }
        }
    }
    graph
}

#[test]
fn crates_import_only_what_their_border_allows() {
    let graph = graph();
    let ours: BTreeSet<&str> = BORDERS.iter().map(|(name, _)| *name).collect();
    let mut members: Vec<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    members.sort();
    let mut expected: Vec<&str> = ours.iter().copied().collect();
    expected.sort_unstable();
    assert_eq!(
        members, expected,
        "a crate without a border, or a border without a crate"
    );
    for (name, allowed) in BORDERS {
        for import in graph[name]
            .iter()
            .filter(|import| ours.contains(import.as_str()))
        {
            assert!(
                allowed.contains(&import.as_str()),
                "{name} must not import {import}"
            );
        }
    }
}

#[test]
fn crates_do_not_know_what_they_must_not_know() {
    let graph = graph();
    for (name, absent) in ABSENCES {
        let mut reached = BTreeSet::new();
        let mut open = vec![name.to_owned()];
        while let Some(next) = open.pop() {
            for dependency in graph.get(&next).into_iter().flatten() {
                if reached.insert(dependency.clone()) {
                    open.push(dependency.clone());
                }
            }
        }
        for package in absent {
            assert!(!reached.contains(*package), "{name} reaches {package}");
        }
    }
}

/// Without its features the client is events, rows and receipts: whoever has another runtime, or none, can use it.
#[test]
fn the_clients_core_knows_no_runtime() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--offline",
            "--package",
            "annals-client",
        ])
        .args([
            "--no-default-features",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let packages: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert!(packages.contains("annals-event"), "{text}");
    for package in ["tokio", "hyper", "rusqlite", "tokio-postgres", "rustls"] {
        assert!(!packages.contains(package), "the core reaches {package}");
    }
}

#[test]
fn the_architecture_describes_every_crate() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (name, allowed) in BORDERS {
        let section = text
            .split("\n### ")
            .find(|section| section.starts_with(&format!("`{name}`")))
            .unwrap_or_else(|| panic!("ARCHITECTURE.md has no section for {name}"));
        for part in ["*Knows*", "*Must not know*", "*Door*", "*May import*"] {
            assert!(section.contains(part), "{name}: no {part}");
        }
        let imports = section
            .split("*May import*")
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap();
        for import in allowed {
            let short = import.trim_start_matches("annals-");
            assert!(
                imports.contains(short),
                "{name}: the text does not allow {import}"
            );
        }
    }
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if name != "node_modules" && name != "__pycache__" {
                sources(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

#[test]
fn no_mod_rs_and_one_integration_binary_a_crate() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    for path in &files {
        assert_ne!(path.file_name().unwrap(), "mod.rs", "{}", path.display());
        let direct = path
            .parent()
            .is_some_and(|parent| parent.ends_with("tests"));
        assert!(
            !direct || path.extension().is_none_or(|kind| kind != "rs"),
            "{}",
            path.display()
        );
    }
}

/// SQL belongs to the store, writing Parquet to two crates; unsafe code only to the fault-injecting disk.
#[test]
fn words_stay_where_they_belong() {
    let mut files = Vec::new();
    sources(&root().join("crates"), &mut files);
    for path in files
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
    {
        let text = fs::read_to_string(path).unwrap();
        let place = path
            .strip_prefix(root().join("crates"))
            .unwrap()
            .to_str()
            .unwrap();
        if place.starts_with("annals-server/src") || place.starts_with("annals-cli/src") {
            for sql in ["select * from", "insert into ", "delete from "] {
                assert!(!text.to_lowercase().contains(sql), "{place} speaks SQL");
            }
        }
        let writes_parquet = ["annals-store/", "annals-parquet/", "annals-testkit/"];
        if place.contains("/src/")
            && !writes_parquet
                .iter()
                .any(|crate_| place.starts_with(crate_))
        {
            assert!(!text.contains("use parquet::"), "{place} speaks Parquet");
        }
        if place != "annals-testkit/src/vfs.rs" && place != "annals-testkit/tests/it/repository.rs"
        {
            let word = ["unsafe", "_code,"].concat();
            assert!(!text.contains(&word), "{place} allows unsafe code");
        }
    }
}
