//! Decompressing, with one decompressor for each thread: it is larger than most of what it is given.

use std::cell::RefCell;
use std::io;

use zstd::bulk::Decompressor;

thread_local! {
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Puts what was compressed into `plain`, in place of what is there. Fails if it is not zstd's or does not have `length` bytes.
pub(crate) fn decompress(stored: &[u8], length: usize, plain: &mut Vec<u8>) -> io::Result<()> {
    plain.clear();
    plain.reserve_exact(length);
    DECOMPRESSOR.with_borrow_mut(|known| {
        let decompressor = match known {
            Some(known) => known,
            None => known.insert(Decompressor::new()?),
        };
        decompressor.decompress_to_buffer(stored, plain)
    })?;
    match plain.len() == length {
        true => Ok(()),
        false => Err(io::Error::other("it has another length")),
    }
}
