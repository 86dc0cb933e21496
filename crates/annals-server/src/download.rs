//! Files that are made while they are sent.
//!
//! A download reads the log on a thread of its own and hands over pieces through a channel of a few
//! places, so that memory stays the same however long it is and a slow reader slows the reading. Nothing is
//! ever cut short silently: an error aborts the body, which every HTTP client reports.

mod ahead;
mod compress;
mod selection;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use annals_store::StoreError;
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::app::App;
use crate::places::Place;

pub(crate) use compress::Compress;
pub(crate) use selection::{Format, Selection};

/// Bytes of the first piece, which is all of most files.
const FIRST_PIECE: usize = 64 * 1024;
/// Bytes of each further one: handing it over costs little beside making it.
const PIECE: usize = 128 * 1024;
/// Pieces between the reading and the sending.
const PIECES: usize = 4;

/// What a file is written to.
pub(crate) type Out<'a> = dyn Write + Send + 'a;

/// The size of the log that a file was made from.
pub(crate) const AS_OF: HeaderName = HeaderName::from_static("annals-as-of");

/// The headers of a file.
pub(crate) fn headers(
    organization_id: &str,
    extension: &str,
    content_type: &'static str,
    app: &App,
    as_of: u64,
) -> axum::http::HeaderMap {
    let mut headers = axum::http::HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        HeaderName::from_static("x-content-type-options"),
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(AS_OF, HeaderValue::from(as_of));
    let day = app.now().to_string();
    // Ids of workspaces are letters, digits, `_` and `-`: nothing to quote.
    let name = format!(
        "attachment; filename=\"audit-log-{organization_id}-{}.{extension}\"",
        &day[..day.len().min(10)]
    );
    if let Ok(value) = HeaderValue::try_from(name) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    headers
}

/// A body that `write` makes on a thread of its own. Cutting the connection ends it, and so does a
/// reader that takes nothing for too long.
pub(crate) fn body(
    app: &App,
    place: Place,
    write: impl FnOnce(&mut Out<'_>) -> Result<(), StoreError> + Send + 'static,
) -> Body {
    let (pieces, mut sent) = mpsc::channel::<Bytes>(PIECES);
    let (app, stalled) = (app.clone(), app.config.limits.stalled_download());
    let runtime = Handle::current();
    // Set at the very end. Where the pieces end without it, whatever the reason, the body ends with an
    // error, and the connection without its last chunk: a part never passes for the whole.
    let complete = Arc::new(AtomicBool::new(false));
    let completed = Arc::clone(&complete);
    tokio::task::spawn_blocking(move || {
        app.metrics.downloads.fetch_add(1, Relaxed);
        let mut out = Pieces {
            pieces,
            buffer: Vec::new(),
            room: FIRST_PIECE,
            runtime,
            stalled,
        };
        match write(&mut out).and_then(|()| out.flush().map_err(StoreError::Output)) {
            Ok(()) => completed.store(true, SeqCst),
            // The reader is gone, or might as well be.
            Err(StoreError::Output(error)) if is_of_the_reader(&error) => {}
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot finish a download"
                );
            }
        }
        app.metrics.downloads.fetch_sub(1, Relaxed);
        drop(place);
    });
    let mut cut = false;
    Body::from_stream(futures_util::stream::poll_fn(move |context| {
        sent.poll_recv(context).map(|piece| match piece {
            Some(piece) => Some(Ok(piece)),
            None if cut || complete.load(SeqCst) => None,
            None => {
                cut = true;
                Some(Err(io::Error::other("the download cannot be finished")))
            }
        })
    }))
}

/// Whether the output failed because of who takes it, as [`Pieces`] tells it, and not because something could not be written.
fn is_of_the_reader(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::TimedOut
    )
}

/// Collects what is written and sends it piece by piece.
struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    buffer: Vec<u8>,
    /// The buffer is sent when there is so much in it.
    room: usize,
    runtime: Handle,
    stalled: Duration,
}

impl Pieces {
    fn send(&self, piece: Bytes) -> io::Result<()> {
        let piece = match self.pieces.try_send(piece) {
            Ok(()) => return Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            Err(mpsc::error::TrySendError::Full(piece)) => piece,
        };
        let sending = async { tokio::time::timeout(self.stalled, self.pieces.send(piece)).await };
        match self.runtime.block_on(sending) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Write for Pieces {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.buffer.capacity() == 0 {
            // What goes beyond the room is at most one writing.
            self.buffer.reserve(self.room + data.len());
        }
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= self.room {
            self.flush()?;
            self.room = PIECE;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.buffer);
        self.send(Bytes::from(piece))
    }
}
