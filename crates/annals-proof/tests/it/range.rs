//! Every range of a small log: written, verified, and refused where it must be.

use annals_merkle::{Checkpoint, CheckpointError, SigningKey, empty_root};
use annals_proof::{
    Disclosure, Failure, Flaw, LINE_BYTES_MAX, ProofWriter, Signer, WriteError, verify,
};

use crate::log::{Log, NAME, shown};

#[test]
fn every_range_verifies_and_says_what_it_shows() {
    let log = Log::of(20);
    for from in 0..=20 {
        for to in from..=20 {
            let report = verify(&log.file(from, to)[..], Some(&log.key())).unwrap();
            assert_eq!((report.from, report.to, report.size), (from, to, 20));
            assert_eq!(report.log, NAME);
            assert_eq!(report.entries, to - from);
            assert_eq!(
                (
                    report.redacted,
                    report.entries_blanked,
                    report.sections_blanked
                ),
                (0, 0, 0)
            );
            let rows = &log.rows[from as usize..to as usize];
            let sections = rows
                .iter()
                .flat_map(|row| shown(row, &log.salt(row.position)));
            let shown = sections
                .filter(|section| *section != Disclosure::Empty)
                .count();
            assert_eq!(report.sections_shown, shown as u64);
            let times = rows
                .first()
                .zip(rows.last())
                .map(|(a, b)| (a.recorded_at, b.recorded_at));
            assert_eq!(report.recorded, times);
            assert_eq!(report.root, log.range(0, 20).root());
            assert_eq!(report.vkey, log.key().to_string());
            assert_eq!(report.signer, Signer::Checked);
        }
    }
}

#[test]
fn a_log_without_entries_has_a_proof_file_too() {
    let report = verify(&Log::of(0).file(0, 0)[..], None).unwrap();
    assert_eq!(
        (report.size, report.root, report.recorded),
        (0, empty_root(), None)
    );
    assert_eq!(report.signer, Signer::NotChecked);
}

#[test]
fn only_the_key_of_the_log_will_do() {
    let log = Log::of(5);
    let file = log.file(1, 4);
    let refused = |key| match verify(&file[..], Some(&key)) {
        Err(Failure::Invalid {
            line: 1,
            position: None,
            flaw,
        }) => assert_eq!(flaw, Flaw::OtherKey),
        other => panic!("{other:?}"),
    };
    refused(SigningKey::from_bytes(&[1; 32]).for_log(NAME).unwrap());
    refused(
        log.signer
            .for_log("annals.invalid/0f1e2d3c4b5a6978/w/4712")
            .unwrap(),
    );
}

#[test]
fn a_file_that_ends_too_early_is_incomplete_wherever_it_ends() {
    let log = Log::of(9);
    let file = log.file(2, 5);
    let lines = |length: usize| file[..length].iter().filter(|byte| **byte == b'\n').count() as u64;
    for length in 0..file.len() {
        match verify(&file[..length], Some(&log.key())) {
            Err(Failure::Incomplete { line, position }) => {
                assert_eq!(line, lines(length));
                let next = (1..4).contains(&line).then(|| 2 + line - 1);
                assert_eq!(position, next, "at {length}");
            }
            other => panic!("{length} bytes: {other:?}"),
        }
    }
}

#[test]
fn a_line_without_end_is_refused_without_reading_it_all() {
    struct Endless(u64);
    impl std::io::Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 += buffer.len() as u64;
            buffer.fill(b'[');
            Ok(buffer.len())
        }
    }
    let mut endless = Endless(0);
    let failure = verify(std::io::BufReader::new(&mut endless), None).unwrap_err();
    assert!(matches!(
        failure,
        Failure::Invalid {
            line: 1,
            flaw: Flaw::TooLong,
            ..
        }
    ));
    assert!(endless.0 < 2 * LINE_BYTES_MAX as u64);
}

#[test]
fn an_error_of_the_reader_is_no_verdict() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("broken"))
        }
    }
    let failure = verify(std::io::BufReader::new(Broken), None).unwrap_err();
    assert!(matches!(failure, Failure::Io(_)));
}

#[test]
fn the_writer_finishes_only_what_verifies() {
    let log = Log::of(9);
    let writer = |from, to| ProofWriter::new(Vec::new(), log.key(), from..to).unwrap();
    let (checkpoint, proof) = (log.checkpoint(), log.proof(2, 5));

    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let backwards = ProofWriter::new(Vec::new(), log.key(), 5..2);
    assert!(matches!(backwards, Err(WriteError::Range)));

    let mut early = writer(2, 5);
    let skipped = early.event(&log.rows[3], &log.salt(3));
    assert!(matches!(
        skipped,
        Err(WriteError::Position {
            expected: Some(2),
            given: 3
        })
    ));
    early.event(&log.rows[2], &log.salt(2)).unwrap();
    assert!(matches!(
        early.finish(&checkpoint, &proof),
        Err(WriteError::Unfinished(3))
    ));

    let full = |entry_of_3: &str| {
        let mut full = writer(2, 5);
        full.event(&log.rows[2], &log.salt(2)).unwrap();
        full.entry(3, entry_of_3, &[]).unwrap();
        full.redacted(log.leaves[4], 4, log.rows[4].recorded_at)
            .unwrap();
        full
    };
    let mut beyond = full(&log.entries[3]);
    let more = beyond.event(&log.rows[5], &log.salt(5));
    assert!(matches!(
        more,
        Err(WriteError::Position {
            expected: None,
            given: 5
        })
    ));
    assert!(beyond.finish(&checkpoint, &proof).is_ok());

    let rotten = full(&log.entries[3].replace("report", "Report"));
    assert!(matches!(
        rotten.finish(&checkpoint, &proof),
        Err(WriteError::Tree(_))
    ));
    let other_proof = full(&log.entries[3]).finish(&checkpoint, &log.proof(2, 6));
    assert!(matches!(other_proof, Err(WriteError::Tree(_))));
    let root = log.range(0, 9).root();
    let other_log = log
        .signer
        .sign(&Checkpoint::new("another.log", 9, root).unwrap());
    let other_log = full(&log.entries[3]).finish(&other_log, &proof);
    assert!(matches!(
        other_log,
        Err(WriteError::Checkpoint(CheckpointError::Note(_)))
    ));
}
