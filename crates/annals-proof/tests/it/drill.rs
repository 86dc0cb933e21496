//! The drill that freezes the format: blank any subset of sections and redact any subset of entries.
//!
//! Every hash, proof and checkpoint is unchanged, the proof file with blanks verifies, nothing
//! forged does, and seeds and salts of what is gone cannot be derived from what is left.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use annals_event::{
    Draft, Row, Section, SeedNodes, TILE, Timestamp, commitment, entry_line, section_salt,
};
use annals_merkle::{CompactRange, Hash, inclusion_subtrees, leaf_hash, prove, verify_inclusion};
use annals_proof::{Disclosure, Failure, Flaw, ProofWriter, Withhold, verify, withhold};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::damage::mended;
use crate::log::{Log, NAME};

const SIZE: u64 = 600;

thread_local!(static LOG: Log = Log::of(SIZE));

/// What a store keeps after an erasure: for each tile the seed nodes that are left, and for each position
/// one of these.
enum Kept {
    /// Untouched: its salt grows from the seed nodes.
    Whole(Row),
    /// Some sections are gone: their commitments are in the row, and the salts of its other sections
    /// stand beside it, because its own salt had to go.
    Partly(Row, BTreeMap<u8, [u8; 32]>),
    /// Gone as a whole.
    Redacted { leaf: Hash, recorded_at: Timestamp },
}

struct Remains {
    seeds: Vec<SeedNodes>,
    kept: Vec<Kept>,
}

/// What goes: of each position the sections, or everything.
type Wanted = BTreeMap<u64, Withhold>;

/// Erases, as a store would, and forgets everything else.
fn erase(log: &Log, wanted: &Wanted) -> Remains {
    let mut seeds: Vec<_> = log.seeds.iter().map(SeedNodes::whole).collect();
    let mut kept = Vec::new();
    for row in &log.rows {
        let position = row.position;
        let salt = log.salt(position);
        kept.push(match wanted.get(&position) {
            None | Some(Withhold::Nothing) => Kept::Whole(row.clone()),
            Some(Withhold::Entry) => {
                let leaf = log.leaves[position as usize];
                Kept::Redacted {
                    leaf,
                    recorded_at: row.recorded_at,
                }
            }
            Some(Withhold::Sections(gone)) => {
                let (mut draft, mut salts) = (row.draft.clone(), BTreeMap::new());
                for (k, section) in (0u8..).zip(&mut draft.sections) {
                    let Section::Value(value) = section else {
                        continue;
                    };
                    let own = section_salt(&salt, k);
                    if gone.contains(&usize::from(k)) {
                        *section = Section::Withheld(commitment(&own, k, value));
                    } else {
                        salts.insert(k, own);
                    }
                }
                Kept::Partly(with(row, draft), salts)
            }
        });
        if !matches!(kept.last(), Some(Kept::Whole(_))) {
            seeds[(position / TILE) as usize].puncture(position);
        }
    }
    Remains { seeds, kept }
}

fn with(row: &Row, draft: Draft) -> Row {
    Row::new(
        row.position,
        row.recorded_at,
        row.recorded_by.clone(),
        draft,
    )
}

impl Remains {
    /// The entry of a position as far as it can be rebuilt, its leaf, and what can be shown.
    fn rebuild(&self, position: u64) -> (Option<String>, Hash, Vec<Disclosure<'_>>) {
        match &self.kept[position as usize] {
            Kept::Redacted { leaf, .. } => (None, *leaf, Vec::new()),
            Kept::Whole(row) => {
                let salt = self.seeds[(position / TILE) as usize]
                    .event_salt(position)
                    .unwrap();
                let entry = entry_line(NAME, row, &salt);
                let leaf = leaf_hash(entry.as_bytes());
                (Some(entry), leaf, crate::log::shown(row, &salt))
            }
            Kept::Partly(row, salts) => {
                // Without the event's salt: each commitment comes from its section's salt, or is kept.
                let mut draft = row.draft.clone();
                for (k, section) in (0u8..).zip(&mut draft.sections) {
                    if let Section::Value(value) = section {
                        *section = Section::Withheld(commitment(&salts[&k], k, value));
                    }
                }
                let entry = entry_line(NAME, &with(row, draft), &[0; 32]);
                let show = |(k, section)| match section {
                    &Section::Empty => Disclosure::Empty,
                    Section::Value(value) => Disclosure::Shown {
                        salt: salts[&k],
                        value,
                    },
                    Section::Withheld(_) => Disclosure::Blanked,
                };
                let shown = (0u8..).zip(&row.draft.sections).map(show).collect();
                let leaf = leaf_hash(entry.as_bytes());
                (Some(entry), leaf, shown)
            }
        }
    }

    fn file(&self, log: &Log, from: u64, to: u64) -> Vec<u8> {
        let mut writer = ProofWriter::new(Vec::new(), log.key(), from..to).unwrap();
        for position in from..to {
            match (self.rebuild(position), &self.kept[position as usize]) {
                ((None, leaf, _), Kept::Redacted { recorded_at, .. }) => {
                    writer.redacted(leaf, position, *recorded_at).unwrap();
                }
                ((Some(entry), _, shown), _) => writer.entry(position, &entry, &shown).unwrap(),
                _ => panic!("position {position} is neither there nor gone"),
            }
        }
        writer
            .finish(&log.checkpoint(), &log.proof(from, to))
            .unwrap()
    }

    /// Everything that can be computed from the seed nodes and salts that are left, by a SHA-256 of
    /// our own: each seed node's descendants, the event salts among them, their section salts.
    fn derivable(&self) -> HashSet<[u8; 32]> {
        let mut known = HashSet::new();
        for node in self.seeds.iter().flat_map(SeedNodes::nodes) {
            let mut row = vec![node.secret];
            for _ in node.level..8 {
                known.extend(&row);
                row = row
                    .iter()
                    .flat_map(|node| [seed(node, 0), seed(node, 1)])
                    .collect();
            }
            for salt in row {
                known.insert(salt);
                known.extend((0..=22).map(|k| salt_of(&salt, k)));
            }
        }
        for kept in &self.kept {
            if let Kept::Partly(_, salts) = kept {
                known.extend(salts.values());
            }
        }
        known
    }
}

fn seed(node: &[u8; 32], bit: u8) -> [u8; 32] {
    Sha256::digest([&b"annals/seed/v1\n"[..], node, &[bit]].concat()).into()
}

fn salt_of(event_salt: &[u8; 32], k: u8) -> [u8; 32] {
    Sha256::digest([&b"annals/salt/v1\n"[..], event_salt, &[k]].concat()).into()
}

/// Any subset: a few positions or whole runs of them, of each some sections or everything.
fn any_subset() -> impl Strategy<Value = Wanted> {
    let what = prop_oneof![
        2 => prop::collection::btree_set(0..6usize, 1..6)
            .prop_map(|which| Withhold::Sections(which.into_iter().collect())),
        1 => Just(Withhold::Entry),
    ];
    let run = (0..SIZE, prop_oneof![3 => 1..3u64, 1 => 1..300u64], what);
    prop::collection::vec(run, 0..20).prop_map(|runs| {
        let positions = |(from, length, what): (u64, u64, Withhold)| {
            (from..(from + length).min(SIZE)).map(move |position| (position, what.clone()))
        };
        runs.into_iter().flat_map(positions).collect()
    })
}

/// The sections of a row that are really taken out, for blanks touch only what is there.
fn gone(row: &Row, wanted: &Wanted) -> BTreeSet<usize> {
    let there = |k: &usize| matches!(row.draft.sections.get(*k), Some(Section::Value(_)));
    match wanted.get(&row.position) {
        Some(Withhold::Sections(which)) => which.iter().copied().filter(there).collect(),
        _ => BTreeSet::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_was_signed_changes(wanted in any_subset(), cuts in [0..=SIZE, 0..=SIZE]) {
        LOG.with(|log| {
            let remains = erase(log, &wanted);
            // Every leaf is the one it was; so the root is, and the checkpoint that was signed holds.
            let mut tree = CompactRange::new(0);
            for position in 0..SIZE {
                let (entry, leaf, _) = remains.rebuild(position);
                assert_eq!(leaf, log.leaves[position as usize]);
                assert!(entry.is_none_or(|entry| entry == log.entries[position as usize]));
                tree.push_leaf(leaf, &mut |_, _| {});
            }
            assert_eq!(tree, log.range(0, SIZE));
            let position = cuts[0].min(SIZE - 1);
            let path = inclusion_subtrees(position, SIZE).unwrap();
            let node = |id: annals_merkle::NodeId| {
                Ok::<_, annals_merkle::ProofError>(log.range(id.begin(), id.end()).root())
            };
            let path = prove(&path, node).unwrap();
            let (_, leaf, _) = remains.rebuild(position);
            verify_inclusion(&leaf, position, SIZE, &path, &tree.root()).unwrap();

            // The proof file of any range verifies and says what is missing.
            let (from, to) = (cuts[0].min(cuts[1]), cuts[0].max(cuts[1]));
            let file = remains.file(log, from, to);
            let report = verify(&file[..], Some(&log.key())).unwrap();
            let rows = &log.rows[from as usize..to as usize];
            let redacted = |row: &&Row| wanted.get(&row.position) == Some(&Withhold::Entry);
            assert_eq!(report.redacted, rows.iter().filter(redacted).count() as u64);
            let blanked: Vec<usize> = rows.iter().map(|row| gone(row, &wanted).len()).collect();
            assert_eq!(report.sections_blanked, blanked.iter().sum::<usize>() as u64);
            let entries_blanked = blanked.iter().filter(|count| **count > 0).count();
            assert_eq!(report.entries_blanked, entries_blanked as u64);

            // Whoever holds the whole file can make exactly the same one from it, with no key.
            let mut copy = Vec::new();
            let whole = log.file(from, to);
            withhold(&whole[..], &mut copy, |position, _| {
                wanted.get(&position).cloned().unwrap_or_default()
            }).unwrap();
            assert!(copy == file);
        });
    }

    #[test]
    fn what_is_gone_cannot_be_derived(wanted in any_subset()) {
        LOG.with(|log| {
            let remains = erase(log, &wanted);
            let known = remains.derivable();
            for row in &log.rows {
                let position = row.position;
                let tile = &remains.seeds[(position / TILE) as usize];
                let salt = log.salt(position);
                let gone = gone(row, &wanted);
                match wanted.get(&position) {
                    None => {
                        assert_eq!(tile.event_salt(position), Some(salt));
                        assert!(known.contains(&salt));
                        continue;
                    }
                    Some(_) => assert_eq!(tile.event_salt(position), None),
                }
                // Neither the event's salt nor any node above it, the seed first.
                let mut node = log.seeds[(position / TILE) as usize].0;
                for level in 0..8 {
                    assert!(!known.contains(&node), "level {level} above {position}");
                    node = seed(&node, (position >> (7 - level) & 1) as u8);
                }
                assert_eq!(node, salt);
                assert!(!known.contains(&salt));
                for (k, section) in (0u8..).zip(&row.draft.sections) {
                    let own = salt_of(&salt, k);
                    assert_eq!(own, section_salt(&salt, k));
                    let kept = !gone.contains(&usize::from(k))
                        && matches!(section, Section::Value(_))
                        && wanted.get(&position) != Some(&Withhold::Entry);
                    assert_eq!(known.contains(&own), kept, "section {k} of {position}");
                }
            }
            // Nor is one of the secrets in a proof file of everything, which does show other salts.
            let file = String::from_utf8(remains.file(log, 0, SIZE)).unwrap();
            let texts: HashSet<&str> = file.split('"').collect();
            let untouched = log.rows.iter().find(|row| !wanted.contains_key(&row.position));
            if let Some(row) = untouched {
                let own = section_salt(&log.salt(row.position), 0);
                assert!(texts.contains(&URL_SAFE_NO_PAD.encode(own)[..]));
            }
            for row in &log.rows {
                let salt = log.salt(row.position);
                assert!(!texts.contains(&URL_SAFE_NO_PAD.encode(salt)[..]));
                let gone = gone(row, &wanted);
                for k in 0..row.draft.sections.len() {
                    let redacted = wanted.get(&row.position) == Some(&Withhold::Entry);
                    if redacted || gone.contains(&k) {
                        let own = URL_SAFE_NO_PAD.encode(section_salt(&salt, k as u8));
                        assert!(!texts.contains(&own[..]));
                    }
                }
            }
        });
    }

    /// A forger who knows every salt and value, may mend checksums, and has all but the signing key.
    #[test]
    fn nothing_forged_verifies(wanted in any_subset(), at in any::<prop::sample::Index>(), k in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        LOG.with(|log| {
            let file = String::from_utf8(erase(log, &wanted).file(log, 100, 160)).unwrap();
            let lines: Vec<&str> = file.split_inclusive('\n').collect();
            let line = 1 + at.index(60);
            let row = &log.rows[99 + line];
            let refused = |changed: &str| {
                let mut lines = lines.clone();
                lines[line] = changed;
                verify(&mended(lines.concat().as_bytes())[..], None).unwrap_err()
            };
            let refused_for_the_tree = |changed: &str| {
                let failure = refused(changed);
                let tree = matches!(failure, Failure::Invalid { line: 62, flaw: Flaw::Tree(_), .. });
                assert!(tree, "{failure:?}");
            };
            let salt = log.salt(row.position);
            let entry = &log.entries[row.position as usize];
            let write = |entry: &str, sections: &[Disclosure<'_>]| {
                let shown = sections.iter().map(|section| match section {
                    Disclosure::Empty => "null".to_owned(),
                    Disclosure::Blanked => "0".to_owned(),
                    Disclosure::Shown { salt, value } => {
                        format!("[\"{}\",{value}]", URL_SAFE_NO_PAD.encode(salt))
                    }
                });
                let sections = shown.collect::<Vec<_>>().join(",");
                format!("{{\"entry\":{entry},\"sections\":[{sections}]}}\n")
            };
            let whole = crate::log::shown(row, &salt);
            let there: Vec<usize> = (0..whole.len()).filter(|k| whole[*k] != Disclosure::Empty).collect();
            let k = there[k.index(there.len())];
            let Disclosure::Shown { salt: own, value } = whole[k] else { panic!("section {k}") };
            let with_section = |section| {
                let mut sections = whole.clone();
                sections[k] = section;
                refused(&write(entry, &sections))
            };
            let names_it = |failure: Failure| {
                let flaw = Flaw::Section { section: k };
                let position = Some(row.position);
                let line = 1 + line as u64;
                match failure {
                    Failure::Invalid { line: l, position: p, flaw: f } => {
                        assert_eq!((l, p, f), (line, position, flaw));
                    }
                    other => panic!("{other:?}"),
                }
            };
            // Another value under its own salt; the same under another; both of another section.
            names_it(with_section(Disclosure::Shown { salt: own, value: "{\"name\":\"Mallory\"}" }));
            let mut flipped = own;
            flipped[other.index(32)] ^= 1;
            names_it(with_section(Disclosure::Shown { salt: flipped, value }));
            let k_of_other = there[other.index(there.len())];
            if k_of_other != k {
                let (a, b) = (whole[k], whole[k_of_other]);
                let mut swapped = whole.clone();
                (swapped[k], swapped[k_of_other]) = (b, a);
                assert!(matches!(refused(&write(entry, &swapped)), Failure::Invalid { flaw: Flaw::Section { .. }, .. }));
            }
            // A blank filled with a guess, where the salt is gone.
            let guess = Disclosure::Shown { salt: [0; 32], value };
            names_it(with_section(guess));
            // Another value with the commitment that belongs to it: then the entry is another one.
            let value = "{\"name\":\"Mallory\"}";
            let forged = URL_SAFE_NO_PAD.encode(commitment(&own, k as u8, value));
            let Disclosure::Shown { value: honest, .. } = whole[k] else { panic!("section {k}") };
            let committed = URL_SAFE_NO_PAD.encode(commitment(&own, k as u8, honest));
            assert!(entry.contains(&committed));
            let forged = entry.replace(&committed, &forged);
            let mut sections = whole.clone();
            sections[k] = Disclosure::Shown { salt: own, value };
            refused_for_the_tree(&write(&forged, &sections));
            // Another skeleton, and another leaf in place of a redacted one.
            let action = &row.draft.skeleton.action;
            let renamed = entry.replace(action.as_str(), "nothing.happened");
            refused_for_the_tree(&write(&renamed, &whole));
            let leaf = URL_SAFE_NO_PAD.encode(log.leaves[other.index(99)]);
            let (position, recorded_at) = (row.position, row.recorded_at);
            let redacted = format!("{{\"leaf\":\"{leaf}\",\"position\":{position},\"recorded_at\":\"{recorded_at}\"}}\n");
            refused_for_the_tree(&redacted);
            // While the honest entry, with all that it ever held, fits wherever blanks stood.
            let mut honest = lines.clone();
            let line_of_row = write(entry, &whole);
            honest[line] = &line_of_row;
            verify(&mended(honest.concat().as_bytes())[..], None).unwrap();
        });
    }

    /// Whatever the order and number of punctures, the others still grow; and it is stored as it is.
    #[test]
    fn seeds_are_punctured_one_by_one(positions in prop::collection::vec(0..1000u64, 0..300)) {
        LOG.with(|log| {
            let whole = SeedNodes::whole(&log.seeds[1]);
            let mut left = whole.clone();
            for position in &positions {
                left.puncture(*position);
                assert_eq!(left.event_salt(*position), None);
            }
            let gone: HashSet<u64> = positions.iter().map(|position| position % TILE).collect();
            for position in 0..TILE {
                let salt = (!gone.contains(&position)).then(|| whole.event_salt(position)).flatten();
                assert_eq!(left.event_salt(position), salt);
                assert_eq!(left.event_salt(position + 5 * TILE), salt);
            }
            assert!(left.nodes().len() <= 128);
            let bytes = left.encode();
            assert_eq!(SeedNodes::decode(&bytes), Some(left));
            if !bytes.is_empty() {
                assert_eq!(SeedNodes::decode(&bytes[1..]), None);
                let twice = [bytes.clone(), bytes].concat();
                assert_eq!(SeedNodes::decode(&twice), None);
            }
        });
    }

    #[test]
    fn any_bytes_are_seed_nodes_or_not(bytes in prop::collection::vec(0..12u8, 0..200)) {
        if let Some(nodes) = SeedNodes::decode(&bytes) {
            assert_eq!(nodes.encode(), bytes);
        }
    }
}

/// One event of a tile erased leaves the eight nodes beside its path.
#[test]
fn one_puncture_leaves_the_copath() {
    LOG.with(|log| {
        let mut left = SeedNodes::whole(&log.seeds[0]);
        left.puncture(137);
        let mut levels: Vec<u8> = left.nodes().iter().map(|node| node.level).collect();
        levels.sort_unstable();
        assert_eq!(levels, [1, 2, 3, 4, 5, 6, 7, 8]);
        left.puncture(137);
        assert_eq!(left.nodes().len(), 8);
        // What is secret is not printed.
        let secret = format!("{:?}", left.nodes()[0]);
        assert_eq!(secret, "SeedNode { level: 1, index: 0, .. }");
    });
}
