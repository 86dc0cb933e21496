//! `docs/formats/verify.py`, written from the specification alone, says the same of every file.

use std::path::Path;
use std::process::Command;

use annals_proof::{Failure, verify};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::damage::{mended, small_file};
use crate::golden::{formats, sample};
use crate::log::{Log, NAME};

/// The exit code of our verifier's command line.
fn ours(file: &[u8]) -> i32 {
    match verify(file, None) {
        Ok(_) => 0,
        Err(Failure::Invalid { .. }) => 1,
        Err(Failure::Io(_)) => 2,
        Err(Failure::Incomplete { .. }) => 3,
    }
}

fn python(path: &Path, arguments: &[&str]) -> (i32, String) {
    let output = Command::new("python3")
        .arg(formats().join("verify.py"))
        .arg(path)
        .args(arguments)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn the_sample_files_are_valid_to_both() {
    let key = Log::of(0).key().to_string();
    for name in ["whole", "range", "blanked", "redacted"] {
        let path = formats().join(format!("v1/{name}.proof"));
        let (code, said) = python(&path, &["--key", &key]);
        assert_eq!((code, ours(&sample(name))), (0, 0), "{name}: {said}");
        assert!(said.starts_with("valid: "), "{said}");
        let report = verify(&sample(name)[..], None).unwrap();
        let (blanked, redacted) = (report.sections_blanked, report.redacted);
        let counts = format!("{blanked} sections blanked, {redacted} entries redacted\n");
        assert!(said.ends_with(&counts), "{said}");
        assert!(
            python(&path, &[])
                .1
                .starts_with("consistent, signer not checked: ")
        );
        let other = Log::of(0)
            .signer
            .for_log(&NAME.replace("4711", "4712"))
            .unwrap();
        assert_eq!(python(&path, &["--key", &other.to_string()]).0, 1);
    }
    assert_eq!(python(Path::new("/does/not/exist.proof"), &[]).0, 2);
}

/// Runs the verifier on each file, in one process because starting Python takes longer than the check.
const EACH: &str = "import sys, verify
for path in sys.argv[1:]:
    sys.argv[1:] = [path]
    print(verify.main())";

#[test]
fn both_say_the_same_of_damaged_files() {
    let directory = tempfile::tempdir().unwrap();
    let mut damaged = Vec::new();
    let file = small_file(&Log::of(7), true);
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]),
    );
    let edit = (
        any::<prop::sample::Index>(),
        any::<u8>(),
        0..6u8,
        any::<bool>(),
    );
    for _ in 0..200 {
        let (at, byte, kind, mend) = edit.new_tree(&mut runner).unwrap().current();
        let at = at.index(file.len());
        let mut changed = file.clone();
        match kind {
            0 => changed[at] = byte,
            1 => changed[at] ^= 1 << (byte % 8),
            2 => changed.insert(at, byte),
            3 => drop(changed.remove(at)),
            4 => changed.truncate(at),
            // A digit for a digit, a letter for a letter: it stays JSON, often canonical.
            _ => {
                changed[at] = match changed[at] {
                    digit @ b'0'..=b'8' => digit + 1,
                    letter @ (b'a'..=b'y' | b'A'..=b'Y') => letter + 1,
                    other => other,
                }
            }
        }
        if mend && kind != 4 {
            changed = mended(&changed);
        }
        let path = directory.path().join(format!("{}.proof", damaged.len()));
        std::fs::write(&path, &changed).unwrap();
        damaged.push((path, ours(&changed), format!("{kind} at {at}")));
    }
    let output = Command::new("python3")
        .args(["-B", "-c", EACH])
        .args(damaged.iter().map(|(path, ..)| path))
        .env("PYTHONPATH", formats())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    // A line of prose for each file, and then its exit code.
    let said: Vec<&str> = said.lines().collect();
    assert_eq!(said.len(), 2 * damaged.len());
    let mut codes = [0; 4];
    for ((_, ours, what), theirs) in damaged.iter().zip(said.chunks(2)) {
        assert_eq!(theirs[1], ours.to_string(), "{what}: {}", theirs[0]);
        codes[*ours as usize] += 1;
    }
    assert!(codes[1] > 100 && codes[3] > 10, "{codes:?}");
}
