//! Bodies, read within bounds.
//!
//! A body is taken in as it arrives, up to its limit and as far as there is [room](crate::room), and
//! then decoded: one layer of encoding, gzip or zstd, where the limit applies to what comes out, so
//! that a small body which unpacks to a large one is cut off as soon as it passes the limit, not
//! after; a ratio above 100:1 is refused. Where the request ends early, nothing of it is used.

use std::ops::Deref;
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::app::App;
use crate::error::ApiError;
use crate::room::{self, Buffer, Claim};

mod depth;
mod encoding;

/// Largest body as it travels, when it is encoded.
pub(crate) const ENCODED_BYTES: usize = 2 * 1024 * 1024;
/// Largest body of a batch, decoded.
pub(crate) const BATCH_BYTES: usize = 10 * 1024 * 1024;
/// Largest body of a single event: the event, its envelope and room for white space.
pub(crate) const EVENT_BYTES: usize = 256 * 1024;
/// Largest body of everything else.
pub(crate) const CONTROL_BYTES: usize = 256 * 1024;

/// How long the rest of a refused body is taken off the line.
const LINGER: Duration = Duration::from_secs(2);

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

/// Reads and decodes a whole body whose limit is small.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bounds: Bounds,
) -> Result<Bytes, ApiError> {
    read_counted(headers, body, bounds, Claim::small()).await
}

/// Reads and decodes the body of a batch. It holds its part of the room as long as its bytes live.
pub(crate) async fn read_batch(
    app: &App,
    key_id: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, ApiError> {
    let bounds = Bounds {
        decoded: BATCH_BYTES,
        timeout: app.config.limits.body_timeout(),
    };
    let bytes = read_counted(headers, body, bounds, app.bodies.claim(key_id)).await?;
    // Only where the brackets could cost more than a little: looking at each byte has its price.
    if bytes.len() > room::SHARE && depth::is_too_deep(&bytes) {
        return Err(ApiError::bad(
            "invalid_json",
            "The body is not valid JSON, or lists and objects lie too deep in each other.",
        ));
    }
    Ok(bytes)
}

async fn read_counted(
    headers: &HeaderMap,
    mut body: Body,
    bounds: Bounds,
    mut claim: Claim,
) -> Result<Bytes, ApiError> {
    let encoding = encoding::of(headers)?;
    let reading = async {
        let Some(encoding) = encoding else {
            return arrive(&mut body, bounds.decoded, &mut claim).await;
        };
        let encoded = arrive(&mut body, ENCODED_BYTES, &mut claim).await;
        let encoded = encoded.map_err(|error| match error {
            ApiError::TooLarge(_) => ApiError::TooLarge(format!(
                "An encoded body may have {ENCODED_BYTES} bytes as it travels."
            )),
            error => error,
        })?;
        // Nobody waits with what is half decoded, so that the room is there beforehand.
        let most = encoding::most(encoded.len(), bounds.decoded);
        claim.reach(encoded.len() + most).await?;
        let out = claim.buffer(most);
        let decoded = encoding.decode(&encoded, out, bounds.decoded)?;
        Ok(Arrived::Gathered(decoded))
    };
    let read = timeout(bounds.timeout, reading).await;
    let arrived = read.unwrap_or(Err(ApiError::Slow)).inspect_err(|_| {
        tokio::spawn(timeout(LINGER, discard(body)));
    })?;
    Ok(match arrived {
        Arrived::Whole(bytes) => bytes,
        Arrived::Gathered(bytes) => Bytes::from_owner(Counted {
            bytes: claim.settle(bytes),
            _claim: claim,
        }),
    })
}

/// A body that is complete.
enum Arrived {
    /// In one piece, as it came from the connection.
    Whole(Bytes),
    /// Put together.
    Gathered(Buffer),
}

impl Deref for Arrived {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Gathered(bytes) => bytes,
        }
    }
}

/// The bytes of a body, and with them the room that they take.
struct Counted {
    bytes: Buffer,
    _claim: Claim,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Takes the rest of a refused body off the line for a while. Closing at once would make the kernel
/// reset the connection, and a client that is still writing would never see why it was refused.
async fn discard(mut body: Body) {
    while let Some(Ok(_)) = body.frame().await {}
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

/// Takes in a whole body as it comes.
async fn arrive(body: &mut Body, limit: usize, claim: &mut Claim) -> Result<Arrived, ApiError> {
    // A small body arrives in one piece, which is used as it lies.
    let first = next(body).await?;
    if first.len() > limit {
        return Err(too_large(limit));
    }
    let mut piece = next(body).await?;
    if piece.is_empty() {
        return Ok(Arrived::Whole(first));
    }
    let rest = body.size_hint().upper();
    let rest = rest.and_then(|rest| usize::try_from(rest).ok());
    let announced = rest.map(|rest| (first.len() + piece.len()).saturating_add(rest));
    let mut all = claim.buffer(0);
    all.extend_from_slice(&first);
    drop(first);
    while !piece.is_empty() {
        let size = all.len() + piece.len();
        if size > limit {
            return Err(too_large(limit));
        }
        if size > all.capacity() {
            // What it grows to counts, not only what lies in it: memory that is touched here and there
            // may be given in pages of 2 MiB.
            let grown = match announced.map(|whole| whole.min(limit)) {
                // It would not end in the common room. Asked for early, so that those that wait for the
                // large place hold little.
                Some(whole) if whole > room::SHARE => whole,
                _ if size <= room::FREE => room::FREE,
                Some(whole) => whole.min(2 * size),
                None => limit.min(2 * size),
            };
            claim.reach(grown.max(size)).await?;
            let mut larger = claim.buffer(grown.max(size));
            larger.extend_from_slice(&all);
            all = larger;
        }
        claim.progress(size);
        all.extend_from_slice(&piece);
        drop(piece);
        piece = claim.patiently(next(body)).await??;
    }
    Ok(Arrived::Gathered(all))
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

fn too_large(limit: usize) -> ApiError {
    ApiError::TooLarge(format!("The body is larger than {limit} bytes."))
}

fn incomplete() -> ApiError {
    ApiError::bad(
        "incomplete_body",
        "The request ended before its body was complete; nothing was recorded.",
    )
}
