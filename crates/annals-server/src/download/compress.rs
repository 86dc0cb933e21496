//! Files that are packed while they are made.
//!
//! The file itself is packed, so that it is saved packed and imports again as it is. `Content-Encoding` would be undone by the
//! receiver, and a range would then count bytes that nobody has.

use std::io::{self, Write};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use annals_store::StoreError;

use super::Out;

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compress {
    /// Not at all.
    No,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Compress {
    /// The words of the parameter `compress`.
    pub(crate) const WORDS: [(&'static str, Compress); 3] = [
        ("none", Compress::No),
        ("gzip", Compress::Gzip),
        ("zstd", Compress::Zstd),
    ];

    /// What the file's name ends with.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::No => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }

    /// Its media type, where it is packed.
    pub(crate) fn content_type(self) -> Option<&'static str> {
        match self {
            Self::No => None,
            Self::Gzip => Some("application/gzip"),
            Self::Zstd => Some("application/zstd"),
        }
    }

    /// Lets `write` write through this to `out`. The end of a packed file is written only after all of it.
    pub(crate) fn write(
        self,
        out: &mut Out<'_>,
        write: impl FnOnce(&mut Out<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Self::No => write(out),
            Self::Gzip => {
                let is_broken = AtomicBool::new(false);
                let out = Unbroken {
                    out,
                    is_broken: &is_broken,
                };
                // The level that is not slower than the rows are made.
                let mut packed = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
                write(&mut packed).inspect_err(|_| is_broken.store(true, Relaxed))?;
                packed.finish().map(drop).map_err(StoreError::Output)
            }
            Self::Zstd => {
                let level = zstd::DEFAULT_COMPRESSION_LEVEL;
                let mut packed = zstd::Encoder::new(out, level).map_err(StoreError::Output)?;
                write(&mut packed)?;
                packed.finish().map(drop).map_err(StoreError::Output)
            }
        }
    }
}

/// Takes nothing more once it is broken: the encoder writes the end of a file when it is dropped, and a part must not
/// look whole.
struct Unbroken<'a> {
    out: &'a mut Out<'a>,
    is_broken: &'a AtomicBool,
}

impl Write for Unbroken<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.is_broken.load(Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.out.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(compress: Compress, bytes: &[u8]) -> io::Result<Vec<u8>> {
        match compress {
            Compress::No => Ok(bytes.to_vec()),
            Compress::Gzip => {
                let mut text = Vec::new();
                io::copy(&mut flate2::read::GzDecoder::new(bytes), &mut text)?;
                Ok(text)
            }
            Compress::Zstd => zstd::decode_all(bytes),
        }
    }

    #[test]
    fn what_broke_off_does_not_unpack() {
        // Noise, so that something is written before the end.
        let noise = std::iter::successors(Some(1_u32), |n| {
            Some(n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
        });
        let text: Vec<u8> = noise.map(|n| n.to_be_bytes()[0]).take(400_000).collect();
        for compress in [Compress::Gzip, Compress::Zstd] {
            let mut whole = Vec::new();
            let written = compress.write(&mut whole, |out| {
                out.write_all(&text).map_err(StoreError::Output)
            });
            assert!(written.is_ok());
            assert_eq!(unpacked(compress, &whole).unwrap(), text);

            let mut part = Vec::new();
            let broken = compress.write(&mut part, |out| {
                out.write_all(&text).map_err(StoreError::Output)?;
                Err(StoreError::Output(io::ErrorKind::Other.into()))
            });
            assert!(broken.is_err());
            assert!(!part.is_empty(), "{compress:?} wrote something");
            assert!(unpacked(compress, &part).is_err(), "{compress:?}");
        }
    }
}
