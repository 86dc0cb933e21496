//! The golden files of `docs/formats/v1`: from an event to the leaf that a log hashes, every step written out.
//!
//! They are the format. A change that alters one of them is a new format, not a correction. `ANNALS_BLESS=1` fills in the
//! results of a file that has none yet (`entry` absent) and never alters others.

use std::path::{Path, PathBuf};
use std::process::Command;

use annals_event::{
    Draft, Event, Place, Rules, Section, Seed, Timestamp, event_salt, section_commitments,
    section_salt, write_entry,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats/v1")
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    about: String,
    event: Box<RawValue>,
    personal_types: Vec<String>,
    log: String,
    position: u64,
    recorded_at: String,
    recorded_by: String,
    seed: String,
    withheld: Vec<usize>,
    #[serde(flatten)]
    results: Option<Results>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Results {
    event_salt: String,
    sections: Vec<Option<Committed>>,
    entry: String,
    leaf: String,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Committed {
    text: Option<String>,
    salt: Option<String>,
    commitment: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn seed(hex: &str) -> Seed {
    let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex");
    Seed(std::array::from_fn(byte))
}

fn compute(golden: &Golden) -> Results {
    let event = Event::from_json(golden.event.get().as_bytes()).expect("a valid event");
    let rules = Rules {
        personal_types: &golden.personal_types,
        ..Rules::open()
    };
    let mut draft = Draft::new(event, &rules, Timestamp::MAX, || {
        panic!("golden events have ids")
    })
    .expect("accepted");
    let salt = event_salt(&seed(&golden.seed), golden.position);
    let commitments: Vec<_> = section_commitments(&draft, &salt).collect();
    let whole = entry(golden, &draft, &salt);
    for k in &golden.withheld {
        draft.sections[*k] = Section::Withheld(commitments[*k].expect("a section that is there"));
    }
    let entry = entry(golden, &draft, &salt);
    assert_eq!(entry, whole, "withholding must not show in the entry");
    let sections = (0u8..).zip(&draft.sections).zip(commitments);
    Results {
        event_salt: hex(&salt),
        sections: sections
            .map(|((k, section), commitment)| {
                let text = section.text().map(str::to_owned);
                let salt = text
                    .as_ref()
                    .map(|_| URL_SAFE_NO_PAD.encode(section_salt(&salt, k)));
                let commitment = URL_SAFE_NO_PAD.encode(commitment?);
                Some(Committed {
                    text,
                    salt,
                    commitment,
                })
            })
            .collect(),
        leaf: hex(&Sha256::digest([b"\0", entry.as_bytes()].concat())),
        entry,
    }
}

fn entry(golden: &Golden, draft: &Draft, salt: &[u8; 32]) -> String {
    let place = Place {
        log: &golden.log,
        position: golden.position,
        recorded_at: Timestamp::parse(&golden.recorded_at).expect("a time"),
        recorded_by: &golden.recorded_by,
    };
    let mut out = String::new();
    write_entry(&mut out, &place, draft, salt);
    out
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .expect("the golden files")
        .map(|file| file.expect("a file").path())
        .filter(|path| {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            name.starts_with("entry-") && name.ends_with(".json")
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_step_is_as_the_golden_files_say() {
    let files = files();
    assert!(files.len() >= 7, "golden files are missing");
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let mut golden: Golden = serde_json::from_str(&text).expect("a golden file");
        let results = compute(&golden);
        if golden.results.is_none() && std::env::var_os("ANNALS_BLESS").is_some() {
            golden.results = Some(results);
            let text = serde_json::to_string_pretty(&golden).expect("JSON") + "\n";
            std::fs::write(&file, text).expect("writable");
        } else {
            assert_eq!(
                golden.results.as_ref(),
                Some(&results),
                "{}: {}",
                file.display(),
                golden.about
            );
        }
    }
}

/// The same steps in another language, by an author who did not look at the code: only at the specification.
#[test]
fn python_comes_to_the_same_leaves() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden.py");
    let run = Command::new("python3").arg(script).args(files()).output();
    let run = run.expect("python3 is needed for this test");
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    assert_eq!(
        String::from_utf8_lossy(&run.stdout).trim(),
        format!("{} entries", files().len())
    );
}
