//! Every flipped bit, lost byte and moved line; then the same by a forger who mends the checksum.

use annals_merkle::{Checkpoint, Note, SigningKey};
use annals_proof::{Failure, Flaw, Withhold, verify, withhold};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::log::{Log, NAME};

/// Three entries, a section of one blanked, another one redacted if asked for.
pub(crate) fn small_file(log: &Log, redact: bool) -> Vec<u8> {
    taken_from(&log.file(2, 5), |position| match position {
        3 if redact => Withhold::Entry,
        4 => Withhold::Sections(vec![1]),
        _ => Withhold::Nothing,
    })
}

/// The same with two entries, for what is tried on every bit.
fn tiny_file(log: &Log, redact: bool) -> Vec<u8> {
    taken_from(&log.file(2, 4), |position| match position {
        3 if redact => Withhold::Entry,
        3 => Withhold::Nothing,
        _ => Withhold::Sections(vec![1]),
    })
}

fn taken_from(file: &[u8], choose: impl Fn(u64) -> Withhold) -> Vec<u8> {
    let mut out = Vec::new();
    withhold(file, &mut out, |position, _| choose(position)).unwrap();
    out
}

/// The file with the checksum that now belongs to it.
pub(crate) fn mended(file: &[u8]) -> Vec<u8> {
    let end = file[..file.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap()
        + 1;
    let (before, trailer) = file.split_at(end);
    let trailer = String::from_utf8_lossy(trailer);
    let Some(at) = trailer.find("\"sha256\":\"") else {
        return file.to_vec();
    };
    let sum = URL_SAFE_NO_PAD.encode(Sha256::digest(before));
    [
        before,
        trailer[..at].as_bytes(),
        format!("\"sha256\":\"{sum}\"}}\n").as_bytes(),
    ]
    .concat()
}

fn lines(file: &[u8]) -> Vec<Vec<u8>> {
    file.split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

#[test]
fn every_flipped_bit_fails() {
    let log = Log::of(7);
    let file = tiny_file(&log, true);
    verify(&file[..], None).unwrap();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            assert!(
                verify(&flipped[..], None).is_err(),
                "bit {bit} of byte {at}"
            );
        }
    }
}

/// What a forger can do who knows how to compute a checksum. Without redacted lines, because the
/// recording time that such a line claims is covered by the checksum alone.
#[test]
fn every_flipped_bit_fails_also_with_a_mended_checksum() {
    let log = Log::of(7);
    let file = tiny_file(&log, false);
    assert_eq!(mended(&file), file);
    for at in 0..file.len() - 1 {
        for bit in 0..8 {
            let mut flipped = file.clone();
            flipped[at] ^= 1 << bit;
            // A change inside the checksum itself would be mended away.
            let flipped = mended(&flipped);
            assert!(
                flipped == file || verify(&flipped[..], None).is_err(),
                "{bit} of {at}"
            );
        }
    }
}

#[test]
fn every_lost_or_doubled_byte_fails() {
    let log = Log::of(7);
    let file = tiny_file(&log, true);
    for at in 0..file.len() {
        let mut lost = file.clone();
        lost.remove(at);
        let mut doubled = file.clone();
        doubled.insert(at, file[at]);
        for changed in [lost, doubled] {
            // Losing one of two equal bytes beside each other is losing either.
            assert!(verify(&changed[..], None).is_err(), "byte {at}");
            let changed = mended(&changed);
            assert!(
                changed == file || verify(&changed[..], None).is_err(),
                "byte {at}"
            );
        }
    }
}

#[test]
fn every_lost_doubled_or_moved_line_fails() {
    let log = Log::of(7);
    let all = lines(&small_file(&log, true));
    let refused = |lines: &[Vec<u8>], what: &str| {
        let file = lines.concat();
        assert!(verify(&file[..], None).is_err(), "{what}");
        if !file.is_empty() {
            assert!(verify(&mended(&file)[..], None).is_err(), "{what}, mended");
        }
    };
    for i in 0..all.len() {
        let mut lost = all.clone();
        lost.remove(i);
        refused(&lost, "lost");
        let mut doubled = all.clone();
        doubled.insert(i, all[i].clone());
        refused(&doubled, "doubled");
        for j in i + 1..all.len() {
            let mut swapped = all.clone();
            swapped.swap(i, j);
            refused(&swapped, "swapped");
        }
        let mut unknown = all.clone();
        unknown.insert(i, b"{\"comment\":\"hello\"}\n".to_vec());
        refused(&unknown, "unknown");
    }
    let mut after = all.clone();
    after.push(b"\n".to_vec());
    let failure = verify(&after.concat()[..], None).unwrap_err();
    assert!(matches!(
        failure,
        Failure::Invalid {
            flaw: Flaw::AfterTrailer,
            ..
        }
    ));
}

/// One edit of a valid file, with the checksum mended: what is said about it.
fn flaw(file: &[u8], from: &str, to: &str) -> (u64, Option<u64>, Flaw) {
    let text = String::from_utf8(file.to_vec()).unwrap();
    assert!(text.contains(from), "{from} is not in the file");
    match verify(&mended(text.replacen(from, to, 1).as_bytes())[..], None) {
        Err(Failure::Invalid {
            line,
            position,
            flaw,
        }) => (line, position, flaw),
        other => panic!("{from} to {to}: {other:?}"),
    }
}

#[test]
fn each_rule_is_named_where_it_is_broken() {
    let log = Log::of(7);
    let file = small_file(&log, false);
    let say = |from: &str, to: &str| flaw(&file, from, to);
    let form = |wanted| Flaw::Form { wanted };

    // The header.
    assert_eq!(say("proof/v1", "proof/v2"), (1, None, form("the header")));
    assert_eq!(
        say("{\"annals\"", "{ \"annals\""),
        (1, None, form("the header"))
    );
    assert_eq!(say("\"from\":2", "\"from\":02").2, Flaw::NotCanonical);
    assert_eq!(say("\"from\":2", "\"from\":-2").2, form("the header"));
    assert_eq!(say("\"from\":2", "\"from\":6").2, Flaw::Range);
    assert_eq!(
        say("\"from\":2", "\"from\":1"),
        (2, Some(1), Flaw::Position { expected: 1 })
    );
    assert_eq!(say("\"to\":5", "\"to\":4"), (4, None, Flaw::Count));
    assert_eq!(say("\"to\":5", "\"to\":6"), (5, None, Flaw::Count));
    assert_eq!(
        say("/w/4711\",\"to\"", "/w/4712\",\"to\"").2,
        Flaw::OtherLog
    );
    assert!(matches!(say("4711+", "4712+").2, Flaw::Key(_)));
    assert_eq!(say("\"}\n", "\",\"z\":1}\n").2, form("the header"));

    // An entry.
    let entry = |from: &str, to: &str| {
        let (line, position, flaw) = say(from, to);
        assert_eq!((line, position), (2, Some(2)));
        flaw
    };
    assert_eq!(entry("{\"entry\"", "{\"entri\""), form("an entry"));
    assert_eq!(
        entry("\"action\"", "\"actions\""),
        Flaw::Member {
            member: "list of members"
        }
    );
    assert_eq!(
        entry("\"action\":", "\"action\":\"x\",\"action\":"),
        Flaw::NotCanonical
    );
    assert_eq!(
        entry("\"user.login_failed\"", "7"),
        Flaw::Member { member: "action" }
    );
    assert_eq!(entry("\"v\":1", "\"v\":2"), Flaw::Member { member: "v" });
    assert_eq!(
        entry("000000Z\",\"position\"", "000000z\",\"position\""),
        Flaw::Member {
            member: "occurred_at"
        }
    );
    assert_eq!(entry("4711\",\"occ", "4712\",\"occ"), Flaw::OtherLog);
    assert_eq!(
        entry("\"position\":2", "\"position\":3"),
        Flaw::Position { expected: 2 }
    );
    assert_eq!(
        entry("\"targets\":[]", "\"targets\":[{\"type\":\"t\"}]"),
        Flaw::SectionCount
    );
    assert_eq!(
        entry("\"sections\":[[", "\"sections\":[null,["),
        Flaw::SectionCount
    );
    assert_eq!(
        entry("\"sections\":[[", "\"sections\":[1,["),
        form("an entry")
    );
    assert_eq!(
        entry("\"stage\":\"password\"", "\"stage\": \"password\""),
        Flaw::NotCanonical
    );
    assert_eq!(
        entry("\"stage\":\"password\"", "\"stage\":\"passwork\""),
        Flaw::Section { section: 2 }
    );
    let salt = |at: usize| {
        let text = String::from_utf8(file.clone()).unwrap();
        let start = text.find("\"sections\":[[\"").unwrap() + 14;
        text[start + at..start + 43].to_owned()
    };
    assert_eq!(entry(&salt(0), &salt(1)), Flaw::Base64);
    assert_eq!(
        entry(&format!("[[\"{}", salt(0)), &format!("[[\"{}=", salt(0))),
        Flaw::Base64
    );
    let first = salt(0).remove(0);
    let other = if first == 'A' { 'B' } else { 'A' };
    assert_eq!(
        entry(&salt(0), &format!("{other}{}", salt(1))),
        Flaw::Section { section: 0 }
    );

    // Position 4 has a blanked section: never where the entry has none, nor null where it has one.
    let blanked = |from: &str, to: &str| {
        let (line, position, flaw) = say(from, to);
        assert_eq!((line, position), (4, Some(4)));
        flaw
    };
    assert_eq!(
        blanked("],0,[", "],null,["),
        Flaw::SectionEmpty { section: 1 }
    );
    assert_eq!(blanked("],0,[", "],00,["), form("an entry"));
    assert_eq!(blanked("],0,[", "],false,["), form("an entry"));
    let (_, _, without) = flaw(&log.file(3, 4), ",null,null]}\n", ",null,0]}\n");
    assert_eq!(without, Flaw::SectionEmpty { section: 2 });

    // The trailer.
    let trailer = |from: &str, to: &str| {
        let (line, position, flaw) = say(from, to);
        assert_eq!((line, position), (5, None));
        flaw
    };
    assert_eq!(trailer("\"left\"", "\"lift\""), form("the trailer"));
    assert!(matches!(trailer("\\n7\\n", "\\n8\\n"), Flaw::Checkpoint(_)));
    assert!(matches!(
        trailer("\"left\":[", "\"left\":[],\"right\":["),
        Flaw::Form { .. }
    ));
    assert!(matches!(
        trailer("\\n\\n— ", "\\n\\n- "),
        Flaw::Checkpoint(_)
    ));

    // The checksum comes before all other verdicts of the trailer.
    let text = String::from_utf8(file.clone()).unwrap();
    let damaged = text.replacen("user.login_failed", "user.login_faileD", 1);
    let failure = verify(damaged.as_bytes(), None).unwrap_err();
    assert!(matches!(
        failure,
        Failure::Invalid {
            line: 5,
            flaw: Flaw::Checksum,
            ..
        }
    ));
    assert!(matches!(
        say("user.login_failed", "user.login_faileD").2,
        Flaw::Tree(_)
    ));
}

/// The file with another checkpoint.
fn with_note(log: &Log, note: &Note) -> Result<(), Flaw> {
    let text = String::from_utf8(log.file(2, 5)).unwrap();
    let quoted = |note: &Note| note.to_string().replace('\n', "\\n");
    let changed = text.replace(&quoted(&log.checkpoint()), &quoted(note));
    match verify(changed.as_bytes(), None) {
        Ok(_) => Ok(()),
        Err(Failure::Invalid { line: 5, flaw, .. }) => Err(flaw),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_checkpoint_has_one_signature_and_it_is_the_logs() {
    let log = Log::of(7);
    let root = log.range(0, 7).root();
    let sign = |signer: &SigningKey, log: &str, size, root| {
        signer.sign(&Checkpoint::new(log, size, root).unwrap())
    };
    assert_eq!(with_note(&log, &log.checkpoint()), Ok(()));
    let mut two = log.checkpoint();
    let other = SigningKey::from_bytes(&[8; 32]);
    two.signatures
        .extend(sign(&other, NAME, 7, root).signatures);
    assert_eq!(with_note(&log, &two), Err(Flaw::Signatures));
    assert!(matches!(
        with_note(&log, &sign(&other, NAME, 7, root)),
        Err(Flaw::Checkpoint(_))
    ));
    let elsewhere = sign(&log.signer, "another.log", 7, root);
    assert!(matches!(
        with_note(&log, &elsewhere),
        Err(Flaw::Checkpoint(_))
    ));
    // Signed, but of other entries, or of a log that is shorter than the range.
    assert!(matches!(
        with_note(&log, &sign(&log.signer, NAME, 7, [0; 32])),
        Err(Flaw::Tree(_))
    ));
    let shorter = log.range(0, 4).root();
    assert!(matches!(
        with_note(&log, &sign(&log.signer, NAME, 4, shorter)),
        Err(Flaw::Tree(_))
    ));
    let later = Log::of(8).range(0, 8).root();
    assert!(matches!(
        with_note(&log, &sign(&log.signer, NAME, 8, later)),
        Err(Flaw::Tree(_))
    ));
}

#[test]
fn recording_times_never_go_back() {
    let log = Log::of(7);
    let file = small_file(&log, true);
    // The entry that is redacted claims a time before that of its predecessor, or after that of the next.
    let text = String::from_utf8(file.clone()).unwrap();
    let line = text.lines().nth(2).unwrap();
    let time = &line[line.find("recorded_at").unwrap() + 14..line.len() - 2];
    let claim = |time: &str| {
        let other = format!("{}{time}\"}}", &line[..line.len() - 2 - time.len()]);
        flaw(&file, line, &other)
    };
    assert_eq!(
        claim(&time.replace("2026", "2025")),
        (3, Some(3), Flaw::TimeGoesBack)
    );
    assert_eq!(
        claim(&time.replace("2026", "2027")),
        (4, Some(4), Flaw::TimeGoesBack)
    );
    let (line, _, flaw) = claim(&time.replace("Z", "z"));
    assert_eq!(
        (line, flaw),
        (
            3,
            Flaw::Member {
                member: "recorded_at"
            }
        )
    );
}

/// The body of a fuzz target: any bytes get an answer, and what is accepted is copied unchanged.
fn read_anything(file: &[u8]) {
    let mut copy = Vec::new();
    let accepted = verify(file, None).is_ok();
    let copied = withhold(file, &mut copy, |_, _| Withhold::Nothing).is_ok();
    assert_eq!(accepted, copied);
    if accepted {
        assert_eq!(copy, file);
    }
}

proptest! {
    #[test]
    fn mutated_files_get_an_answer(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 1..6), mend: bool) {
        thread_local!(static FILE: Vec<u8> = small_file(&Log::of(7), true));
        let mut file = FILE.with(Clone::clone);
        for (at, byte, kind) in edits {
            let at = at.index(file.len());
            match kind {
                0 => file[at] = byte,
                1 => file.insert(at, byte),
                _ => { file.remove(at); }
            }
        }
        read_anything(&if mend { mended(&file) } else { file });
    }

    #[test]
    fn arbitrary_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_anything(&bytes);
    }
}
