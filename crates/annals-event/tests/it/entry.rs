use annals_event::{
    Draft, Drafts, Json, Place, Recorded, Row, Rules, SaltRun, SaltWalk, Section, Seed, TILE,
    Timestamp, commitment, entry_leaves, entry_line, event_salt, event_salts, section_commitments,
    section_salt, write_entry,
};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::{draft, strategy};

fn sha(parts: &[&[u8]]) -> [u8; 32] {
    Sha256::digest(parts.concat()).into()
}

#[test]
fn salts_are_leaves_of_a_tree_of_hashes() {
    let seed = Seed([9; 32]);
    for position in [0, 1, 2, 127, 128, 255, 256, 1_000_003, u64::MAX] {
        let mut node = [9; 32];
        for shift in (0..8).rev() {
            node = sha(&[b"annals/seed/v1\n", &node, &[(position >> shift & 1) as u8]]);
        }
        assert_eq!(event_salt(&seed, position), node);
        let salt = sha(&[b"annals/salt/v1\n", &node, &[4]]);
        assert_eq!(section_salt(&node, 4), salt);
        assert_eq!(
            commitment(&salt, 4, "{}"),
            sha(&[b"annals/section/v1\n", &salt, &[4], b"{}"])
        );
    }
}

#[test]
fn a_walk_gives_the_salts_of_the_rest_of_the_tile() {
    let seed = Seed([3; 32]);
    for start in [0u64, 1, 77, 128, 254, 255, 256, 511, 1 << 40, u64::MAX - 3] {
        let salts: Vec<_> = SaltWalk::new(&seed, start).collect();
        assert_eq!(salts.len() as u64, TILE - start % TILE);
        for (n, salt) in salts.into_iter().enumerate() {
            assert_eq!(salt, event_salt(&seed, start + n as u64), "{start} + {n}");
        }
    }
}

#[test]
fn a_seed_does_not_print_itself() {
    assert_eq!(format!("{:?}", Seed([1; 32])), "Seed(..)");
    assert!(!format!("{:?}", SaltWalk::new(&Seed([1; 32]), 0)).contains("1, 1"));
}

fn drafted(event: annals_event::Event) -> Draft {
    Draft::new(event, &Rules::open(), Timestamp::MAX, || "fresh".to_owned()).expect("valid")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn many_leaves_are_those_of_one_by_one(
        events in proptest::collection::vec((strategy::event(), any::<[u8; 32]>(), any::<bool>()), 0..40),
    ) {
        let drafts: Vec<_> = events
            .into_iter()
            .map(|(event, salt, erased)| {
                let mut draft = drafted(event);
                if erased {
                    draft.sections[Section::ACTOR] = Section::Withheld([4; 32]);
                }
                (draft, salt)
            })
            .collect();
        let place = |position| Place { log: "l", position, recorded_at: draft::now(), recorded_by: "k" };
        let bytes: Drafts = drafts.iter().map(|(draft, _)| draft.clone()).collect();
        let recorded: Vec<_> = drafts
            .iter()
            .enumerate()
            .map(|(n, (_, salt))| Recorded {
                place: place(7 + n as u64),
                draft: bytes.get(n).expect("one of them"),
                salt: *salt,
            })
            .collect();
        let mut expected = Vec::new();
        for (event, (draft, _)) in recorded.iter().zip(&drafts) {
            let mut line = String::new();
            write_entry(&mut line, &event.place, draft, &event.salt);
            expected.push(sha(&[&[0], line.as_bytes()]));
        }
        prop_assert_eq!(entry_leaves(&recorded), expected);
    }

    #[test]
    fn salts_of_runs_are_those_of_positions(
        runs in proptest::collection::vec((any::<[u8; 32]>(), 0u64..=255, 0u64..300, 0u64..1 << 50), 0..5),
    ) {
        let runs: Vec<_> =
            runs.into_iter().map(|(seed, at, count, tile)| (Seed(seed), tile * TILE + at, count)).collect();
        let asked: Vec<_> =
            runs.iter().map(|(seed, first, count)| SaltRun { seed, first: *first, count: *count }).collect();
        let expected: Vec<_> = runs
            .iter()
            .flat_map(|(seed, first, count)| {
                let count = (*count).min(TILE - first % TILE);
                (0..count).map(move |n| event_salt(seed, first + n))
            })
            .collect();
        prop_assert_eq!(event_salts(&asked), expected);
    }
}

proptest! {
    /// The fixed order of the writer is the sorted order.
    #[test]
    fn an_entry_is_the_canonical_text_of_itself(event in strategy::event(), position in 0u64..1 << 53) {
        let draft = drafted(event);
        let row = Row::new(position, draft::now(), "key_1", draft);
        let line = entry_line("log.example/w/1", &row, &[1; 32]);
        prop_assert_eq!(&Json::parse(line.as_bytes()).expect("valid").to_canonical(), &line);
        let mut appended = String::from("x");
        let place = Place { log: "log.example/w/1", position, recorded_at: row.recorded_at, recorded_by: "key_1" };
        write_entry(&mut appended, &place, &row.draft, &[1; 32]);
        prop_assert_eq!(&appended[1..], line);
    }

    /// Whatever is erased, the entry stays.
    #[test]
    fn erasing_sections_changes_nothing(event in strategy::event(), erased in any::<u8>(), seed in any::<[u8; 32]>()) {
        let salt = event_salt(&Seed(seed), 12);
        let mut draft = drafted(event);
        let before = entry_line("l", &Row::new(12, draft::now(), "k", draft.clone()), &salt);
        let commitments: Vec<_> = section_commitments(&draft, &salt).collect();
        for (k, commitment) in commitments.into_iter().enumerate() {
            if let (Some(commitment), true) = (commitment, erased >> k & 1 == 1) {
                draft.sections[k] = Section::Withheld(commitment);
            }
        }
        prop_assert_eq!(entry_line("l", &Row::new(12, draft::now(), "k", draft), &salt), before);
    }

    /// Any other value, salt or section gives another entry.
    #[test]
    fn a_commitment_fits_one_value(salt in any::<[u8; 32]>(), k in 0u8..23, text in strategy::text(), bit in 0usize..256) {
        let original = commitment(&salt, k, &text);
        let mut other = salt;
        other[bit / 8] ^= 1 << (bit % 8);
        prop_assert_ne!(commitment(&other, k, &text), original);
        prop_assert_ne!(commitment(&salt, k + 1, &text), original);
        prop_assert_ne!(commitment(&salt, k, &(text.clone() + " ")), original);
    }
}
