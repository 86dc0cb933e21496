//! The journal: one row per commit group, a header and a body of compressed frames.

mod bytes;
mod frame;
mod header;

pub(crate) use bytes::{Input, Malformed, put_bytes, put_number, put_signed, to_u32, to_usize};
pub(crate) use frame::{Compressor, Framed, Frames, drafts_in_piece, open_frame, rows_in_piece};
pub(crate) use header::{
    Growth, Header, KeyUse, Part, Parts, Piece, directory, directory_end, seeds_at, tiles_at,
};
