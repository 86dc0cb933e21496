//! What `Content-Encoding` says, undone within bounds.

use std::io::{self, Write};

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use zstd::bulk::Decompressor;

use super::too_large;
use crate::error::ApiError;
use crate::room::Buffer;

/// How much may come out of one byte that went in.
const RATIO: usize = 100;
/// What may come out before the ratio counts, so that a tiny body of white space is no bomb.
const RATIO_FREE: usize = 64 * 1024;

/// One layer of encoding.
#[derive(Debug, Clone, Copy)]
pub(super) enum Encoding {
    /// Any number of gzip members.
    Gzip,
    /// Any number of zstd frames.
    Zstd,
}

/// The encoding of a body, if it has one.
pub(super) fn of(headers: &HeaderMap) -> Result<Option<Encoding>, ApiError> {
    let mut values = headers.get_all(CONTENT_ENCODING).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let name = value
        .to_str()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match (name.as_str(), values.next()) {
        ("" | "identity", None) => Ok(None),
        ("gzip" | "x-gzip", None) => Ok(Some(Encoding::Gzip)),
        ("zstd", None) => Ok(Some(Encoding::Zstd)),
        _ => Err(ApiError::MediaType(
            "Content-Encoding is one of gzip and zstd, once.".to_owned(),
        )),
    }
}

/// How much may come out of so many bytes, under this limit.
pub(super) fn most(encoded: usize, limit: usize) -> usize {
    encoded.saturating_mul(RATIO).max(RATIO_FREE).min(limit)
}

impl Encoding {
    /// Decodes a whole body into a buffer. What unpacks to more than [`most`] is cut off there.
    pub(super) fn decode(
        self,
        encoded: &[u8],
        out: Buffer,
        limit: usize,
    ) -> Result<Buffer, ApiError> {
        let most = most(encoded.len(), limit);
        let decoded = match self {
            Self::Gzip => gunzip(encoded, out, most),
            Self::Zstd => unzstd(encoded, out, most),
        };
        decoded.map_err(|refusal| match refusal {
            Refusal::Over if most == limit => too_large(limit),
            Refusal::Over => ApiError::TooLarge(format!(
                "The body unpacks to more than {RATIO} times its size."
            )),
            Refusal::Broken => ApiError::bad(
                "invalid_encoding",
                "The body is not what Content-Encoding says.",
            ),
        })
    }
}

/// Why something was not decoded.
enum Refusal {
    /// More comes out than may.
    Over,
    /// It is not of this encoding, or breaks off: a batch whose tail is missing would otherwise pass
    /// for a shorter one.
    Broken,
}

fn gunzip(encoded: &[u8], out: Buffer, most: usize) -> Result<Buffer, Refusal> {
    let out = Bounded {
        bytes: Some(out),
        most,
        over: false,
    };
    let mut decoder = flate2::write::MultiGzDecoder::new(out);
    let decoded = decoder
        .write_all(encoded)
        .and_then(|()| decoder.try_finish());
    let out = decoder.get_mut();
    match (decoded, out.bytes.take()) {
        (Ok(()), Some(bytes)) => Ok(bytes),
        (Err(_), _) if out.over => Err(Refusal::Over),
        _ => Err(Refusal::Broken),
    }
}

/// Decodes from memory to memory, because the window of a frame, up to 8 MiB, is then what has been
/// written so far and needs no memory of its own.
fn unzstd(encoded: &[u8], mut out: Buffer, most: usize) -> Result<Buffer, Refusal> {
    // No bytes are no frame, although the library takes them for an empty list of frames.
    if encoded.is_empty() {
        return Err(Refusal::Broken);
    }
    let decoded = Decompressor::new()
        .and_then(|mut decoder| decoder.decompress_to_buffer(encoded, &mut *out));
    match decoded {
        Ok(size) if size <= most => Ok(out),
        Ok(_) => Err(Refusal::Over),
        // The library tells its errors apart by their texts alone.
        Err(error) if error.to_string().starts_with("Destination buffer") => Err(Refusal::Over),
        Err(_) => Err(Refusal::Broken),
    }
}

/// Collects what a decoder puts out and stops it at the bound.
struct Bounded {
    /// Taken at the end.
    bytes: Option<Buffer>,
    most: usize,
    over: bool,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.bytes {
            Some(bytes) if bytes.len() + data.len() <= self.most => {
                bytes.extend_from_slice(data);
                Ok(data.len())
            }
            _ => {
                self.over = true;
                Err(io::Error::other("over the bound"))
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
