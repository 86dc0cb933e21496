//! The header of a commit group: everything about it except the events themselves.
//!
//! A restart reads headers and little else. A header begins with a directory (which log's events are
//! in which frame), which is all that a reader of rows reads of it; then come seeds, hashes of the
//! trees, and fingerprints of ids. All numbers are variable-length unless they are hashes.

use std::ops::Range;
use std::sync::Arc;

use annals_merkle::{Hash, cover};

use super::bytes::{Input, Malformed, put_bytes, put_number, put_signed, to_u32, to_usize};
use crate::Slot;
use crate::fingerprint::fingerprint;

const VERSION: u8 = 1;
const LENGTH_BYTES: usize = 4;
const CHECKSUM_BYTES: usize = 8;

/// What one journal row says of the events in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// The parts of a group one after the other, by rising slot, without their growth.
pub(crate) struct Parts {
    directory: Vec<u8>,
    /// How many bytes of the directory are left.
    rest: usize,
    /// How many parts.
    left: usize,
    recorded_at: i64,
}

impl Parts {
    /// Of a group with this header, as it is stored.
    pub(crate) fn of(header: &[u8]) -> Result<Parts, Malformed> {
        let directory = directory(header)?;
        let mut input = Input::new(directory);
        let recorded_at = Header::begin(&mut input)?.recorded_at;
        let left = input.count(8)?;
        Ok(Parts {
            rest: input.left(),
            directory: directory.to_vec(),
            left,
            recorded_at,
        })
    }

    pub(crate) fn next(&mut self) -> Result<Option<Part>, Malformed> {
        if self.left == 0 {
            return Ok(None);
        }
        let begin = self.directory.len() - self.rest;
        let mut input = Input::new(self.directory.get(begin..).unwrap_or_default());
        let part = directory_part(&mut input, self.recorded_at)?;
        self.rest = input.left();
        self.left -= 1;
        Ok(Some(part))
    }
}

impl Header {
    /// Where in the body a frame lies; `None` if there is no such frame.
    pub(crate) fn frame_range(&self, frame: u32) -> Option<Range<usize>> {
        let frame = to_usize(frame);
        let length = self.frames.get(frame)?.stored;
        let before = self.frames[..frame].iter();
        let begin: usize = before.map(|before| to_usize(before.stored)).sum();
        Some(begin..begin + to_usize(length))
    }

    /// The header as bytes: the length of the directory, the directory, and the rest, both with a
    /// checksum. Who reads rows needs the directory only.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![0; LENGTH_BYTES];
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
            put_part(&mut out, self.recorded_at, part);
        }
        let directory = out.len() - LENGTH_BYTES;
        out[..LENGTH_BYTES].copy_from_slice(&to_u32(directory).to_le_bytes());
        let checksum = checksum(&out[LENGTH_BYTES..]);
        out.extend_from_slice(&checksum);

        let rest = out.len();
        for part in &self.parts {
            put_growth(&mut out, part);
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
        let checksum = self::checksum(&out[rest..]);
        out.extend_from_slice(&checksum);
        out
    }

    /// Reads what [`Header::encode`] wrote, and nothing else.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Header, Malformed> {
        Header::decode_all(bytes, true)
    }

    /// As [`Header::decode`], for logs whose trees are known from elsewhere: without seeds and growth.
    pub(crate) fn decode_without_trees(bytes: &[u8]) -> Result<Header, Malformed> {
        Header::decode_all(bytes, false)
    }

    fn decode_all(bytes: &[u8], with_trees: bool) -> Result<Header, Malformed> {
        let directory = directory(bytes)?;
        let rest = bytes
            .get(LENGTH_BYTES + directory.len() + CHECKSUM_BYTES..)
            .unwrap_or_default();
        let rest = checked(rest)?;
        let mut input = Input::new(directory);
        let mut header = Header::begin(&mut input)?;
        let count = input.count(8)?;
        header.parts = (0..count)
            .map(|_| directory_part(&mut input, header.recorded_at))
            .collect::<Result<_, _>>()?;
        if !input.is_empty() {
            return Err(Malformed("bytes are left over"));
        }
        let mut input = Input::new(rest);
        for part in &mut header.parts {
            growth(&mut input, part, with_trees)?;
        }
        let count = input.count(32)?;
        header.keys = (0..count)
            .map(|_| {
                Ok(KeyUse {
                    slot: input.small()?,
                    key: input.array()?,
                    body: input.array()?,
                    first: input.number()?,
                    count: input.small()?,
                })
            })
            .collect::<Result<_, _>>()?;
        header.group_hash = input.array()?;
        if !input.is_empty() {
            return Err(Malformed("bytes are left over"));
        }
        Ok(header)
    }

    /// What a directory says of one log: a header with that log's part alone, without its growth.
    /// `None` if the group does not hold the log.
    pub(crate) fn find(directory: &[u8], slot: Slot) -> Result<Option<Header>, Malformed> {
        let mut input = Input::new(directory);
        let mut header = Header::begin(&mut input)?;
        for _ in 0..input.count(8)? {
            let mut ahead = input.clone();
            let found = ahead.small()?;
            if found == slot {
                header.parts = vec![directory_part(&mut input, header.recorded_at)?];
                return Ok(Some(header));
            }
            if found > slot {
                return Ok(None);
            }
            skip_part(&mut input)?;
        }
        Ok(None)
    }

    /// The directory up to the parts.
    fn begin(input: &mut Input<'_>) -> Result<Header, Malformed> {
        if input.array::<1>()? != [VERSION] {
            return Err(Malformed("a later version wrote this header"));
        }
        let recorded_at = input.signed()?;
        let uptime = input.number()?;
        let count = input.count(1)?;
        let recorders = (0..count)
            .map(|_| {
                let name = std::str::from_utf8(input.bytes()?);
                name.map(Arc::from)
                    .map_err(|_| Malformed("a name is not text"))
            })
            .collect::<Result<_, _>>()?;
        let count = input.count(2)?;
        let frames = (0..count)
            .map(|_| {
                Ok(FrameSize {
                    stored: input.small()?,
                    plain: input.small()?,
                })
            })
            .collect::<Result<_, _>>()?;
        let (parts, keys) = (Vec::new(), Vec::new());
        Ok(Header {
            recorded_at,
            uptime,
            recorders,
            frames,
            parts,
            keys,
            group_hash: [0; 32],
        })
    }
}

/// How much of a header must be read to have its directory, given its first bytes.
pub(crate) fn directory_end(start: [u8; LENGTH_BYTES]) -> usize {
    LENGTH_BYTES + to_usize(u32::from_le_bytes(start)) + CHECKSUM_BYTES
}

/// The directory of a header, of which at least that much is there; its checksum is compared.
pub(crate) fn directory(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let start = *bytes.first_chunk().ok_or(Malformed("truncated"))?;
    let end = directory_end(start);
    checked(bytes.get(LENGTH_BYTES..end).ok_or(Malformed("truncated"))?)
}

/// The bytes without the checksum that follows them.
fn checked(bytes: &[u8]) -> Result<&[u8], Malformed> {
    let (content, expected) = bytes.split_last_chunk().ok_or(Malformed("truncated"))?;
    if checksum(content) != *expected {
        return Err(Malformed("the header's checksum does not match"));
    }
    Ok(content)
}

/// Against rot, not against people.
fn checksum(content: &[u8]) -> [u8; CHECKSUM_BYTES] {
    fingerprint(b"annals/header/v1", content).to_le_bytes()
}

fn put_part(out: &mut Vec<u8>, group_recorded_at: i64, part: &Part) {
    put_number(out, part.slot.into());
    put_number(out, part.first);
    put_number(out, part.count.into());
    put_signed(out, part.recorded_at - group_recorded_at);
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
}

/// Passes over what [`put_part`] wrote.
fn skip_part(input: &mut Input<'_>) -> Result<(), Malformed> {
    for _ in 0..6 {
        input.number()?;
    }
    for each in [3, 2] {
        for _ in 0..each * input.count(each)? {
            input.number()?;
        }
    }
    Ok(())
}

fn directory_part(input: &mut Input<'_>, group_recorded_at: i64) -> Result<Part, Malformed> {
    let slot = input.small()?;
    let first = input.number()?;
    let count = input.small()?;
    first
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
    let pieces: Vec<Piece> = (0..pieces)
        .map(|_| {
            Ok(Piece {
                frame: input.small()?,
                offset: input.small()?,
                count: input.small()?,
            })
        })
        .collect::<Result<_, _>>()?;
    let runs = input.count(2)?;
    let recorders: Vec<(u32, u32)> = (0..runs)
        .map(|_| Ok((input.small()?, input.small()?)))
        .collect::<Result<_, _>>()?;
    let in_pieces: u64 = pieces.iter().map(|piece| u64::from(piece.count)).sum();
    let in_runs: u64 = recorders.iter().map(|(_, run)| u64::from(*run)).sum();
    if in_pieces != u64::from(count) || in_runs != u64::from(count) {
        return Err(Malformed("the runs of a part do not add up"));
    }
    let (seeds, ids) = (Vec::new(), Vec::new());
    let (occurred, growth) = ((earliest, latest), Growth::Leaves(Vec::new()));
    Ok(Part {
        slot,
        first,
        count,
        recorded_at,
        occurred,
        pieces,
        recorders,
        seeds,
        growth,
        ids,
    })
}

fn put_growth(out: &mut Vec<u8>, part: &Part) {
    part.seeds
        .iter()
        .for_each(|seed| out.extend_from_slice(seed));
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
    part.ids
        .iter()
        .for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
}

/// Reads what [`put_growth`] wrote.
fn growth(input: &mut Input<'_>, part: &mut Part, with_trees: bool) -> Result<(), Malformed> {
    let (first, end) = (part.first, part.end());
    let hashes = |input: &mut Input<'_>, count: usize| {
        if with_trees {
            input.arrays(count)
        } else {
            input.skip(32 * count).map(|()| Vec::new())
        }
    };
    part.seeds = hashes(input, to_usize(seeds_at(end) - seeds_at(first)))?;
    part.growth = match input.array::<1>()? {
        [0] => Growth::Leaves(hashes(input, to_usize(part.count))?),
        [1] => Growth::Frontier {
            hashes: hashes(input, cover(0, end).len())?,
            tiles: hashes(input, to_usize(tiles_at(end) - tiles_at(first)))?,
        },
        _ => return Err(Malformed("an unknown form of growth")),
    };
    let ids = input.arrays::<8>(to_usize(part.count))?;
    part.ids = ids.into_iter().map(u64::from_le_bytes).collect();
    Ok(())
}

#[cfg(test)]
mod tests;
