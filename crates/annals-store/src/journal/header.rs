//! The header of a commit group: everything about it except the events themselves.
//!
//! A restart reads headers and little else; a reader finds by the header the one frame that it needs.
//! All numbers are variable-length unless they are hashes. The last 16 bytes are the start of the
//! SHA-256 of all others.

use std::sync::Arc;

use annals_merkle::{Hash, cover};
use sha2::{Digest as _, Sha256};

use super::bytes::{Input, Malformed, put_bytes, put_number, put_signed, to_usize};
use crate::Slot;

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 16;

/// What one journal row says of the events in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// When the group was formed, in microseconds since the epoch.
    pub(crate) recorded_at: i64,
    /// How long the installation has been running in all, in seconds: what idempotency keys age by.
    pub(crate) uptime: u64,
    /// Who recorded: the names that [`Part::recorders`] refers to.
    pub(crate) recorders: Vec<Arc<str>>,
    /// The frames of the body, in order.
    pub(crate) frames: Vec<FrameSize>,
    /// The logs that grew, by rising slot.
    pub(crate) parts: Vec<Part>,
    /// The idempotency keys that were used.
    pub(crate) keys: Vec<KeyUse>,
    /// SHA-256 over all leaf hashes, part by part.
    pub(crate) group_hash: Hash,
}

/// One frame of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameSize {
    /// Bytes in the body.
    pub(crate) stored: u32,
    /// Bytes after decompression.
    pub(crate) plain: u32,
}

/// The part of a group that belongs to one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) slot: Slot,
    /// The position of the first event.
    pub(crate) first: u64,
    /// How many events; at least one.
    pub(crate) count: u32,
    /// When they were recorded: the group's time, unless the log was ahead of it.
    pub(crate) recorded_at: i64,
    /// The earliest and the latest `occurred_at`.
    pub(crate) occurred: (i64, i64),
    /// Where the events lie: runs of rows, each within one frame.
    pub(crate) pieces: Vec<Piece>,
    /// Who recorded them: runs of (index into [`Header::recorders`], number of events).
    pub(crate) recorders: Vec<(u32, u32)>,
    /// The seeds of the tiles (of 256 positions) that begin in this part.
    pub(crate) seeds: Vec<[u8; 32]>,
    /// How the log's tree grew.
    pub(crate) growth: Growth,
    /// A fingerprint of each event's id, in order.
    pub(crate) ids: Vec<u64>,
}

/// A run of rows within one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Which frame.
    pub(crate) frame: u32,
    /// Where the first row starts in the decompressed frame.
    pub(crate) offset: u32,
    /// How many rows.
    pub(crate) count: u32,
}

/// How a tree grew, in whichever form is shorter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// Every leaf hash.
    Leaves(Vec<Hash>),
    /// The hashes of the compact range after the group, and of the tiles that it completed.
    Frontier {
        /// The hashes of [`cover`]`(0, size)`.
        hashes: Vec<Hash>,
        /// The hashes of level 8 that are complete now and were not before.
        tiles: Vec<Hash>,
    },
}

/// One use of an idempotency key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyUse {
    pub(crate) slot: Slot,
    /// A salted hash of the key.
    pub(crate) key: [u8; 16],
    /// A salted hash of the request's body.
    pub(crate) body: [u8; 16],
    /// The first of the positions that the request took.
    pub(crate) first: u64,
    /// How many it took.
    pub(crate) count: u32,
}

impl Part {
    /// One past the last position.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// How many tiles are complete at `size`.
pub(crate) fn tiles_at(size: u64) -> u64 {
    size / annals_event::TILE
}

/// How many tiles have begun at `size`.
pub(crate) fn seeds_at(size: u64) -> u64 {
    size.div_ceil(annals_event::TILE)
}

impl Header {
    /// The header as bytes, with its checksum.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.push(VERSION);
        put_signed(&mut out, self.recorded_at);
        put_number(&mut out, self.uptime);
        put_number(&mut out, self.recorders.len() as u64);
        for name in &self.recorders {
            put_bytes(&mut out, name.as_bytes());
        }
        put_number(&mut out, self.frames.len() as u64);
        for frame in &self.frames {
            put_number(&mut out, frame.stored.into());
            put_number(&mut out, frame.plain.into());
        }
        put_number(&mut out, self.parts.len() as u64);
        for part in &self.parts {
            self.encode_part(&mut out, part);
        }
        put_number(&mut out, self.keys.len() as u64);
        for used in &self.keys {
            put_number(&mut out, used.slot.into());
            out.extend_from_slice(&used.key);
            out.extend_from_slice(&used.body);
            put_number(&mut out, used.first);
            put_number(&mut out, used.count.into());
        }
        out.extend_from_slice(&self.group_hash);
        let checksum = Sha256::digest(&out);
        out.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
        out
    }

    fn encode_part(&self, out: &mut Vec<u8>, part: &Part) {
        put_number(out, part.slot.into());
        put_number(out, part.first);
        put_number(out, part.count.into());
        put_signed(out, part.recorded_at - self.recorded_at);
        put_signed(out, part.occurred.0.wrapping_sub(part.recorded_at));
        put_number(out, part.occurred.1.abs_diff(part.occurred.0));
        put_number(out, part.pieces.len() as u64);
        for piece in &part.pieces {
            put_number(out, piece.frame.into());
            put_number(out, piece.offset.into());
            put_number(out, piece.count.into());
        }
        put_number(out, part.recorders.len() as u64);
        for (recorder, run) in &part.recorders {
            put_number(out, (*recorder).into());
            put_number(out, (*run).into());
        }
        for seed in &part.seeds {
            out.extend_from_slice(seed);
        }
        match &part.growth {
            Growth::Leaves(leaves) => {
                out.push(0);
                leaves.iter().for_each(|leaf| out.extend_from_slice(leaf));
            }
            Growth::Frontier { hashes, tiles } => {
                out.push(1);
                hashes
                    .iter()
                    .chain(tiles)
                    .for_each(|hash| out.extend_from_slice(hash));
            }
        }
        for id in &part.ids {
            out.extend_from_slice(&id.to_le_bytes());
        }
    }

    /// Reads what [`Header::encode`] wrote, and nothing else.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Header, Malformed> {
        let Some(end) = bytes.len().checked_sub(CHECKSUM_BYTES) else {
            return Err(Malformed("truncated"));
        };
        let (content, checksum) = bytes.split_at(end);
        if Sha256::digest(content)[..CHECKSUM_BYTES] != *checksum {
            return Err(Malformed("the header's checksum does not match"));
        }
        let mut input = Input::new(content);
        if input.array::<1>()? != [VERSION] {
            return Err(Malformed("a later version wrote this header"));
        }
        let recorded_at = input.signed()?;
        let uptime = input.number()?;
        let count = input.count(1)?;
        let recorders = (0..count)
            .map(|_| {
                let name = input.bytes()?;
                std::str::from_utf8(name)
                    .map(Arc::from)
                    .map_err(|_| Malformed("a name is not text"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let count = input.count(2)?;
        let frames = (0..count)
            .map(|_| {
                Ok(FrameSize {
                    stored: input.small()?,
                    plain: input.small()?,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let count = input.count(8)?;
        let parts = (0..count)
            .map(|_| decode_part(&mut input, recorded_at))
            .collect::<Result<Vec<_>, _>>()?;
        let count = input.count(32)?;
        let keys = (0..count)
            .map(|_| {
                Ok(KeyUse {
                    slot: input.small()?,
                    key: input.array()?,
                    body: input.array()?,
                    first: input.number()?,
                    count: input.small()?,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let group_hash = input.array()?;
        if !input.is_empty() {
            return Err(Malformed("bytes are left over"));
        }
        Ok(Header {
            recorded_at,
            uptime,
            recorders,
            frames,
            parts,
            keys,
            group_hash,
        })
    }
}

fn decode_part(input: &mut Input<'_>, group_recorded_at: i64) -> Result<Part, Malformed> {
    let slot = input.small()?;
    let first = input.number()?;
    let count = input.count(8)?;
    let count = u32::try_from(count).map_err(|_| Malformed("count too large"))?;
    let end = first
        .checked_add(count.into())
        .ok_or(Malformed("position too large"))?;
    if count == 0 {
        return Err(Malformed("an empty part"));
    }
    let too_large = Malformed("time too large");
    let recorded_at = group_recorded_at
        .checked_add(input.signed()?)
        .ok_or(too_large)?;
    let earliest = recorded_at.wrapping_add(input.signed()?);
    let latest = earliest
        .checked_add_unsigned(input.number()?)
        .ok_or(too_large)?;
    let pieces = input.count(3)?;
    let pieces = (0..pieces)
        .map(|_| {
            Ok(Piece {
                frame: input.small()?,
                offset: input.small()?,
                count: input.small()?,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let runs = input.count(2)?;
    let recorders = (0..runs)
        .map(|_| Ok((input.small()?, input.small()?)))
        .collect::<Result<Vec<_>, _>>()?;
    let counts = |runs: &mut dyn Iterator<Item = u32>| runs.map(u64::from).sum::<u64>();
    if counts(&mut pieces.iter().map(|piece| piece.count)) != u64::from(count)
        || counts(&mut recorders.iter().map(|(_, run)| *run)) != u64::from(count)
    {
        return Err(Malformed("the runs of a part do not add up"));
    }
    let seeds = to_usize(seeds_at(end) - seeds_at(first));
    let seeds = input.arrays(seeds)?;
    let growth = match input.array::<1>()? {
        [0] => Growth::Leaves(input.arrays(count as usize)?),
        [1] => Growth::Frontier {
            hashes: input.arrays(cover(0, end).len())?,
            tiles: input.arrays(to_usize(tiles_at(end) - tiles_at(first)))?,
        },
        _ => return Err(Malformed("an unknown form of growth")),
    };
    let ids = (0..count)
        .map(|_| Ok(u64::from_le_bytes(input.array()?)))
        .collect::<Result<_, _>>()?;
    Ok(Part {
        slot,
        first,
        count,
        recorded_at,
        occurred: (earliest, latest),
        pieces,
        recorders,
        seeds,
        growth,
        ids,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
        fn bytes_under_a_right_checksum_do_not_overwhelm(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Some(version) = bytes.first_mut() {
                *version = VERSION;
            }
            let checksum = Sha256::digest(&bytes);
            bytes.extend_from_slice(&checksum[..CHECKSUM_BYTES]);
            let _ = Header::decode(&bytes);
        }
    }
}
