//! Frames: runs of rows that are compressed together, so that a reader decompresses little.

use std::io;

use annals_event::{Draft, DraftRef};
use zstd::zstd_safe::CParameter;

use super::bytes::{Input, Malformed, put_number, to_u32};
use super::header::FrameSize;
use crate::decompress::decompress;

/// How many bytes a frame takes at most before compression, unless a single row is larger. Whoever
/// reads one row decompresses one frame; at twice the size the journal would be a few per cent smaller.
const FRAME_BYTES: usize = 32 << 10;

/// No frame is larger than this: a row has at most 60 KiB of text and some overhead.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// 1 gives a sixth less than −1 at two thirds of its speed; the writer has more to do than the disk.
const LEVEL: i32 = 1;

/// 2^11 places for what was seen before, of four bytes each, stay in the processor's nearest cache: with the level's own 2^13
/// compressing takes a fifth longer and gives a fortieth less.
const HASH_LOG: u32 = 11;

/// What compresses frames, one after another.
pub(crate) struct Compressor {
    zstd: zstd::bulk::Compressor<'static>,
    /// The frame that was compressed last: memory that is touched already.
    stored: Vec<u8>,
}

impl Compressor {
    pub(crate) fn new() -> io::Result<Compressor> {
        let mut zstd = zstd::bulk::Compressor::new(LEVEL)?;
        // Rot in a frame must be seen by whoever reads it.
        zstd.set_parameter(CParameter::ChecksumFlag(true))?;
        zstd.set_parameter(CParameter::HashLog(HASH_LOG))?;
        let stored = Vec::new();
        Ok(Compressor { zstd, stored })
    }

    fn compress(&mut self, plain: &[u8]) -> io::Result<&[u8]> {
        self.stored.clear();
        self.stored
            .reserve(zstd::zstd_safe::compress_bound(plain.len()));
        self.zstd.compress_to_buffer(plain, &mut self.stored)?;
        Ok(&self.stored)
    }
}

/// Fills frames with rows and compresses them.
pub(crate) struct Frames<'a> {
    compressor: &'a mut Compressor,
    open: Vec<u8>,
    done: Framed,
}

/// Finished frames.
#[derive(Default)]
pub(crate) struct Framed {
    /// Each frame before compression, for the cache.
    pub(crate) plain: Vec<Vec<u8>>,
    pub(crate) sizes: Vec<FrameSize>,
    pub(crate) body: Vec<u8>,
}

impl Frames<'_> {
    pub(crate) fn new(compressor: &mut Compressor) -> Frames<'_> {
        Frames {
            compressor,
            open: Vec::new(),
            done: Framed::default(),
        }
    }

    /// Appends a row, and says in which frame and at which offset it lies.
    pub(crate) fn push(&mut self, row: &[u8]) -> io::Result<(u32, u32)> {
        if !self.open.is_empty() && self.open.len() + row.len() + 5 > FRAME_BYTES {
            self.finish_frame()?;
            self.open.reserve_exact(FRAME_BYTES);
        }
        let place = (to_u32(self.done.sizes.len()), to_u32(self.open.len()));
        put_number(&mut self.open, row.len() as u64);
        self.open.extend_from_slice(row);
        Ok(place)
    }

    /// Compresses what is left, and gives all frames.
    pub(crate) fn finish(mut self) -> io::Result<Framed> {
        self.finish_frame()?;
        Ok(self.done)
    }

    fn finish_frame(&mut self) -> io::Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let stored = self.compressor.compress(&self.open)?;
        self.done.body.extend_from_slice(stored);
        let stored = to_u32(stored.len());
        let mut plain = std::mem::take(&mut self.open);
        // A small group's only frame; a full one has little to give back.
        if plain.len() < plain.capacity() / 2 {
            plain.shrink_to_fit();
        }
        self.done.sizes.push(FrameSize {
            stored,
            plain: to_u32(plain.len()),
        });
        self.done.plain.push(plain);
        Ok(())
    }
}

/// Decompresses a frame; its own checksum is compared.
pub(crate) fn open_frame(stored: &[u8], size: FrameSize) -> Result<Vec<u8>, Malformed> {
    if size.plain as usize > FRAME_BYTES_MAX {
        return Err(Malformed("a frame is too large"));
    }
    let mut plain = Vec::new();
    decompress(stored, size.plain as usize, &mut plain)
        .map_err(|_| Malformed("a frame does not decompress to what it was"))?;
    Ok(plain)
}

/// The drafts `from..to` of the rows that begin at `offset` of a frame.
pub(crate) fn rows_in_piece(
    frame: &[u8],
    offset: u32,
    from: u32,
    to: u32,
) -> Result<Vec<Draft>, Malformed> {
    bytes_in_piece(frame, offset, from, to)?
        .map(|row| Draft::decode(row?).map_err(|_| NO_DRAFT))
        .collect()
}

/// As [`rows_in_piece`], where they lie.
pub(crate) fn drafts_in_piece(
    frame: &[u8],
    offset: u32,
    from: u32,
    to: u32,
) -> Result<impl Iterator<Item = Result<DraftRef<'_>, Malformed>>, Malformed> {
    let rows = bytes_in_piece(frame, offset, from, to)?;
    Ok(rows.map(|row| DraftRef::read(row?).map_err(|_| NO_DRAFT)))
}

const NO_DRAFT: Malformed = Malformed("a row does not decode");

fn bytes_in_piece(
    frame: &[u8],
    offset: u32,
    from: u32,
    to: u32,
) -> Result<impl Iterator<Item = Result<&[u8], Malformed>>, Malformed> {
    let start = frame
        .get(offset as usize..)
        .ok_or(Malformed("a run starts outside its frame"))?;
    let mut input = Input::new(start);
    for _ in 0..from {
        input.bytes()?;
    }
    Ok((from..to).map(move |_| input.bytes()))
}
