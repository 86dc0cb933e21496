//! Bodies, read within bounds.
//!
//! A body is decoded while it arrives and the limit applies to what comes out, so that a small body
//! which unpacks to a large one is cut off as soon as it passes the limit, not after. One layer of
//! encoding, gzip or zstd; a ratio above 100:1 is refused. Where the request ends early, nothing of
//! it is used.

use std::io::{self, Write};
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use zstd::stream::raw::{self, Operation as _};

use crate::app::App;
use crate::error::ApiError;

/// Largest body as it travels, when it is encoded.
pub(crate) const ENCODED_BYTES: usize = 2 * 1024 * 1024;
/// Largest body of a batch, decoded.
pub(crate) const BATCH_BYTES: usize = 10 * 1024 * 1024;
/// Largest body of a single event: the event, its envelope and room for white space.
pub(crate) const EVENT_BYTES: usize = 256 * 1024;
/// Largest body of everything else.
pub(crate) const CONTROL_BYTES: usize = 256 * 1024;

/// How much may come out of one byte that went in.
const RATIO: usize = 100;
/// What may come out before the ratio counts, so that a tiny body of white space is no bomb.
const RATIO_FREE: usize = 64 * 1024;
/// Largest window of a zstd frame, as a power of two: 8 MiB, what `zstd -19` uses.
const ZSTD_WINDOW_LOG: u32 = 23;

/// What a body may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes after decoding.
    pub(crate) decoded: usize,
    /// Time until the last byte.
    pub(crate) timeout: Duration,
}

/// The kinds of content that routes take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// One JSON text.
    Json,
    /// One JSON text a line.
    Ndjson,
}

/// What the content type says. A body without one is taken for JSON: `curl -d` users who forget it
/// send a form type, which is refused with a hint.
pub(crate) fn content(headers: &HeaderMap) -> Result<Content, ApiError> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(Content::Json);
    };
    let full = value.to_str().unwrap_or_default();
    let kind = full.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") || kind.to_ascii_lowercase().ends_with("+json")
    {
        Ok(Content::Json)
    } else if [
        "application/x-ndjson",
        "application/ndjson",
        "application/jsonl",
        "application/jsonlines",
    ]
    .iter()
    .any(|k| kind.eq_ignore_ascii_case(k))
    {
        Ok(Content::Ndjson)
    } else {
        Err(ApiError::MediaType(
            "Send the body as `Content-Type: application/json` (batches also take application/x-ndjson).".to_owned(),
        ))
    }
}

/// Reads and decodes a whole body.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bounds: Bounds,
) -> Result<Bytes, ApiError> {
    let encoding = encoding(headers)?;
    let reading = async {
        match encoding {
            None => read_plain(body, bounds.decoded).await,
            Some(encoding) => read_encoded(body, encoding, bounds.decoded).await,
        }
    };
    match tokio::time::timeout(bounds.timeout, reading).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::Slow),
    }
}

/// How large a body may turn out to be, as far as its head says.
pub(crate) fn expected(headers: &HeaderMap, limit: usize) -> usize {
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse().ok());
    match length {
        Some(length) if !headers.contains_key(CONTENT_ENCODING) => limit.min(length),
        _ => limit,
    }
}

/// Reads a body that is one small JSON text.
pub(crate) async fn control(app: &App, headers: &HeaderMap, body: Body) -> Result<Bytes, ApiError> {
    if content(headers)? != Content::Json {
        return Err(ApiError::MediaType(
            "Send the body as application/json.".to_owned(),
        ));
    }
    let bounds = Bounds {
        decoded: CONTROL_BYTES,
        timeout: app.config.limits.body_timeout(),
    };
    read(headers, body, bounds).await
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Gzip,
    Zstd,
}

fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, ApiError> {
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

async fn read_plain(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    // A small body arrives in one piece, which is used as it lies.
    let first = next(&mut body).await?;
    if first.len() > limit {
        return Err(too_large(limit));
    }
    let second = next(&mut body).await?;
    if second.is_empty() {
        return Ok(first);
    }
    // The room is asked for at once: growing step by step would need three times as much in between.
    // It is only an address until bytes arrive, so that a false length costs nothing.
    let expected = body
        .size_hint()
        .upper()
        .and_then(|rest| usize::try_from(rest).ok())
        .unwrap_or(0);
    let mut all = Vec::with_capacity(
        (first.len() + second.len())
            .saturating_add(expected)
            .min(limit),
    );
    all.extend_from_slice(&first);
    drop(first);
    let mut piece = second;
    while !piece.is_empty() {
        if all.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        all.extend_from_slice(&piece);
        piece = next(&mut body).await?;
    }
    Ok(Bytes::from(all))
}

/// The next piece of a body; empty at its end.
async fn next(body: &mut Body) -> Result<Bytes, ApiError> {
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| incomplete())?.into_data() {
            Ok(data) if !data.is_empty() => return Ok(data),
            _ => {}
        }
    }
    Ok(Bytes::new())
}

async fn read_encoded(mut body: Body, encoding: Encoding, limit: usize) -> Result<Bytes, ApiError> {
    let mut taken = 0;
    let mut decoder = Decoder::new(encoding, limit)?;
    loop {
        let data = next(&mut body).await?;
        if data.is_empty() {
            return decoder.finish(limit);
        }
        taken += data.len();
        if taken > ENCODED_BYTES {
            return Err(ApiError::TooLarge(format!(
                "An encoded body may have {ENCODED_BYTES} bytes as it travels."
            )));
        }
        // Small steps, so that the ratio is looked at often.
        for piece in data.chunks(4096) {
            decoder.write(piece, limit)?;
        }
    }
}

enum Decoder {
    Gzip(flate2::write::MultiGzDecoder<Bounded>),
    Zstd(Frames),
}

impl Decoder {
    fn new(encoding: Encoding, limit: usize) -> Result<Self, ApiError> {
        let out = Bounded {
            bytes: Vec::new(),
            limit,
            taken: 0,
            over: None,
        };
        Ok(match encoding {
            Encoding::Gzip => Self::Gzip(flate2::write::MultiGzDecoder::new(out)),
            Encoding::Zstd => Self::Zstd(Frames::new(out).map_err(ApiError::internal)?),
        })
    }

    fn out(&mut self) -> &mut Bounded {
        match self {
            Self::Gzip(decoder) => decoder.get_mut(),
            Self::Zstd(frames) => &mut frames.out,
        }
    }

    fn write(&mut self, piece: &[u8], limit: usize) -> Result<(), ApiError> {
        self.out().taken += piece.len();
        let written = match self {
            Self::Gzip(decoder) => decoder.write_all(piece),
            Self::Zstd(frames) => frames.write(piece),
        };
        written.map_err(|_| self.refusal(limit))
    }

    fn finish(mut self, limit: usize) -> Result<Bytes, ApiError> {
        // Both must have seen the end of what they decode: a batch whose tail is missing would
        // otherwise pass for a shorter one.
        let finished = match &mut self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zstd(frames) => frames.finish(),
        };
        if finished.is_err() {
            return Err(self.refusal(limit));
        }
        Ok(Bytes::from(std::mem::take(&mut self.out().bytes)))
    }

    fn refusal(&mut self, limit: usize) -> ApiError {
        match self.out().over {
            Some(Over::Limit) => too_large(limit),
            Some(Over::Ratio) => ApiError::TooLarge(format!(
                "The body unpacks to more than {RATIO} times its size."
            )),
            None => ApiError::bad(
                "invalid_encoding",
                "The body is not what Content-Encoding says.",
            ),
        }
    }
}

/// Decodes zstd frames one after the other and knows whether the last one is complete.
struct Frames {
    decoder: raw::Decoder<'static>,
    out: Bounded,
    complete: bool,
}

impl Frames {
    fn new(out: Bounded) -> io::Result<Self> {
        let mut decoder = raw::Decoder::new()?;
        decoder.set_parameter(raw::DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
        Ok(Self {
            decoder,
            out,
            complete: false,
        })
    }

    fn write(&mut self, mut piece: &[u8]) -> io::Result<()> {
        let mut room = [0u8; 16 * 1024];
        let mut more = false;
        while !piece.is_empty() || more {
            if self.complete {
                self.decoder.reinit()?;
            }
            let status = self.decoder.run_on_buffers(piece, &mut room)?;
            self.out.write_all(&room[..status.bytes_written])?;
            piece = &piece[status.bytes_read..];
            self.complete = status.remaining == 0;
            more = !self.complete && status.bytes_written == room.len();
        }
        Ok(())
    }

    fn finish(&self) -> io::Result<()> {
        if self.complete {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }
}

/// Collects what a decoder puts out and stops it at the bounds.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    taken: usize,
    over: Option<Over>,
}

#[derive(Debug, Clone, Copy)]
enum Over {
    Limit,
    Ratio,
}

impl Write for Bounded {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let size = self.bytes.len() + data.len();
        if size > self.limit {
            self.over = Some(Over::Limit);
        } else if size > RATIO_FREE && size > self.taken.saturating_mul(RATIO) {
            self.over = Some(Over::Ratio);
        }
        if self.over.is_some() {
            return Err(io::Error::other("over the bounds"));
        }
        self.bytes.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn too_large(limit: usize) -> ApiError {
    ApiError::TooLarge(format!("The body is larger than {limit} bytes."))
}

fn incomplete() -> ApiError {
    ApiError::bad(
        "incomplete_body",
        "The request ended before its body was complete; nothing was recorded.",
    )
}
