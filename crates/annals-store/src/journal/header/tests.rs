use proptest::prelude::*;

use sha2::{Digest as _, Sha256};

use super::*;

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>()
}

fn part() -> impl Strategy<Value = Part> {
    (
        any::<u32>(),
        0u64..2000,
        1u32..300,
        -5i64..5,
        any::<i32>(),
        any::<u32>(),
        any::<bool>(),
        any::<u64>(),
    )
        .prop_map(
            |(slot, first, count, later, before, span, leaves, random)| {
                let end = first + u64::from(count);
                let hashes = |n: u64| -> Vec<Hash> {
                    (0..n)
                        .map(|k| Sha256::digest((random ^ k).to_le_bytes()).into())
                        .collect()
                };
                let recorded_at = 1_700_000_000_000_000 + later;
                let earliest = recorded_at + i64::from(before);
                Part {
                    slot,
                    first,
                    count,
                    recorded_at,
                    occurred: (earliest, earliest + i64::from(span)),
                    pieces: vec![
                        Piece {
                            frame: 3,
                            offset: 17,
                            count: count - count / 2,
                        },
                        Piece {
                            frame: 4,
                            offset: 0,
                            count: count / 2,
                        },
                    ],
                    recorders: vec![(0, 1), (1, count - 1)],
                    seeds: hashes(seeds_at(end) - seeds_at(first)),
                    growth: if leaves {
                        Growth::Leaves(hashes(count.into()))
                    } else {
                        Growth::Frontier {
                            hashes: hashes(cover(0, end).len() as u64),
                            tiles: hashes(tiles_at(end) - tiles_at(first)),
                        }
                    },
                    ids: (0..count.into()).map(|n| random ^ n).collect(),
                }
            },
        )
}

fn header() -> impl Strategy<Value = Header> {
    let key = (
        any::<u32>(),
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        any::<u64>(),
        any::<u32>(),
    );
    let keys = prop::collection::vec(key, 0..3);
    (
        prop::collection::vec(part(), 0..5),
        keys,
        any::<u64>(),
        hash(),
    )
        .prop_map(|(parts, keys, uptime, group_hash)| Header {
            recorded_at: 1_700_000_000_000_000,
            uptime,
            recorders: vec!["key_1".into(), "".into()],
            frames: vec![
                FrameSize {
                    stored: 100,
                    plain: 70_000,
                },
                FrameSize {
                    stored: 9,
                    plain: 1,
                },
            ],
            parts,
            keys: keys
                .into_iter()
                .map(|(slot, key, body, first, count)| KeyUse {
                    slot,
                    key,
                    body,
                    first,
                    count,
                })
                .collect(),
            group_hash,
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_header_is_read_as_it_was_written(header in header()) {
        prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn a_damaged_header_is_refused(header in header(), place in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = header.encode();
        let at = place.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(Header::decode(&bytes).is_err());
        bytes[at] ^= 1 << bit;
        prop_assert!(Header::decode(&bytes[..at]).is_err());
    }

    #[test]
    fn a_log_is_found_by_the_directory_alone(mut header in header()) {
        header.parts.sort_by_key(|part| part.slot);
        header.parts.dedup_by_key(|part| part.slot);
        let bytes = header.encode();
        let start = *bytes.first_chunk().unwrap();
        let directory = directory(&bytes[..directory_end(start)]).unwrap();
        for part in &header.parts {
            let found = Header::find(directory, part.slot).unwrap().unwrap();
            prop_assert_eq!(&found.frames, &header.frames);
            prop_assert_eq!(&found.parts[0].pieces, &part.pieces);
            prop_assert_eq!(&found.parts[0].recorders, &part.recorders);
            prop_assert_eq!((found.parts[0].first, found.parts[0].recorded_at), (part.first, part.recorded_at));
        }
        let absent = (0..).find(|slot| header.parts.iter().all(|part| part.slot != *slot)).unwrap();
        prop_assert_eq!(Header::find(directory, absent).unwrap(), None);
        let without = Header::decode_without_trees(&bytes).unwrap();
        for (part, without) in header.parts.iter().zip(&without.parts) {
            prop_assert_eq!(&part.ids, &without.ids);
        }
    }

    #[test]
    fn bytes_under_a_right_checksum_do_not_overwhelm(
        mut bytes in prop::collection::vec(any::<u8>(), 1..200),
        rest in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        bytes[0] = VERSION;
        let mut whole = to_u32(bytes.len()).to_le_bytes().to_vec();
        whole.extend_from_slice(&bytes);
        whole.extend_from_slice(&checksum(&bytes));
        whole.extend_from_slice(&rest);
        whole.extend_from_slice(&checksum(&rest));
        let _ = Header::decode(&whole);
        let _ = Header::find(&bytes, 7);
    }
}
