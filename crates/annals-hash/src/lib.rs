//! SHA-256 of many messages at once.
//!
//! A log hashes some thirty short messages an event: salts, commitments, the entry, nodes of the tree. One after the other they
//! are the largest cost of recording. A processor with AVX-512 computes sixteen of them side by side in little more than the time of
//! one; without it, and for the odd message, [`Batch`] falls back to the `sha2` crate, which uses SHA instructions where there are some.

mod lanes;

use sha2::block_api::compress256;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

const BLOCK: usize = 64;

/// The state before the first block (FIPS 180-4, 5.3.3).
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// What follows a message: a bit that is set, then none.
const END: [u8; BLOCK] = {
    let mut end = [0; BLOCK];
    end[0] = 0x80;
    end
};

/// Messages that are hashed together. It may be used again after [`Batch::hash_into`].
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The messages, each padded to whole blocks, one behind the other.
    padded: Vec<u8>,
    /// For each message the number of blocks up to its end.
    ends: Vec<usize>,
}

impl Batch {
    /// A batch without messages.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds the message that these parts make, joined.
    // Inlined, so that parts of a known length are copied without a loop.
    #[inline]
    pub fn push(&mut self, parts: &[&[u8]]) {
        self.message(|message| {
            for part in parts {
                message.extend_from_slice(part);
            }
        });
    }

    /// Adds the message that `write` appends to what it is given, where others lie before it.
    #[inline]
    pub fn message(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.padded.len();
        write(&mut self.padded);
        let length = self.padded.len() - begin;
        // The end mark, zeros, and eight bytes of length up to a whole block (FIPS 180-4, 5.1.1).
        let padding = BLOCK - (length + 8) % BLOCK;
        self.padded.extend_from_slice(&END[..padding]);
        self.padded
            .extend_from_slice(&(length as u64 * 8).to_be_bytes());
        self.ends.push(self.padded.len() / BLOCK);
    }

    /// Appends the hashes of the messages in their order to `out` and empties the batch.
    pub fn hash_into(&mut self, out: &mut Vec<Hash>) {
        let first = out.len();
        out.resize(first + self.ends.len(), [0; 32]);
        let hashes = &mut out[first..];
        let blocks = self.padded.as_chunks().0;
        if lanes::available() && self.ends.len() > 1 {
            lanes::hash(blocks, &self.ends, hashes);
        } else {
            let mut begin = 0;
            for (end, hash) in self.ends.iter().zip(hashes) {
                *hash = finish(START, &blocks[begin..*end]);
                begin = *end;
            }
        }
        self.padded.clear();
        self.ends.clear();
    }

    /// The hashes of the messages in their order; the batch is empty afterwards.
    pub fn hash(&mut self) -> Vec<Hash> {
        let mut out = Vec::new();
        self.hash_into(&mut out);
        out
    }
}

/// The hash of what is left of a message, from the state before it.
fn finish(mut state: [u32; 8], blocks: &[[u8; BLOCK]]) -> Hash {
    compress256(&mut state, blocks);
    bytes(state)
}

fn bytes(state: [u32; 8]) -> Hash {
    let mut hash = [0; 32];
    for (place, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    hash
}
