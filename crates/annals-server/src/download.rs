//! Files that are made while they are sent.
//!
//! A download reads the log on a thread of its own and hands over pieces through a channel of a few
//! places, so that memory stays the same however long it is and a slow reader slows the reading. Nothing is
//! ever cut short silently: an error aborts the body, which every HTTP client reports.

mod compress;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::time::Duration;

use annals_event::{Filter, Row, WorkspaceLabel, export_line, write_csv_header, write_csv_row};
use annals_store::{Log, Order, Organization, StoreError};
use axum::body::{Body, Bytes};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Response};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::app::App;
use crate::error::ApiError;
use crate::places::Place;

pub(crate) use compress::Compress;

/// Bytes of one piece.
const PIECE: usize = 64 * 1024;
/// Pieces between the reading and the sending.
const PIECES: usize = 4;

/// The size of the log that a file was made from.
pub(crate) const AS_OF: HeaderName = HeaderName::from_static("annals-as-of");

/// Which rows of a log, in which order.
#[derive(Clone)]
pub(crate) struct Selection {
    /// The log.
    pub(crate) log: Log,
    /// The workspace, for the rows.
    pub(crate) workspace: WorkspaceLabel,
    /// Which of its rows.
    pub(crate) filter: Filter,
    /// Positions below this one.
    pub(crate) as_of: u64,
    /// In which order.
    pub(crate) order: Order,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The table of 31 columns.
    Csv {
        /// Whether cells that a spreadsheet would run as a formula are disarmed.
        guard: bool,
        /// Whether the file starts with a byte order mark, which Excel wants.
        mark: bool,
    },
    /// A line for each event, which imports again.
    Ndjson,
}

impl Format {
    /// The word for records and file names.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Csv { .. } => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Csv { .. } => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
        }
    }
}

impl Selection {
    /// All rows of a workspace that match, as its log is now or was at `as_of`.
    pub(crate) fn new(
        organization: &Organization,
        log: Log,
        filter: Filter,
        as_of: Option<u64>,
        order: Order,
    ) -> Self {
        let size = log.size();
        Self {
            workspace: WorkspaceLabel {
                id: organization.id.clone(),
                name: organization.name.clone(),
            },
            filter,
            as_of: as_of.map_or(size, |as_of| as_of.min(size)),
            order,
            log,
        }
    }

    /// Writes the whole file.
    pub(crate) fn write(
        &self,
        app: &App,
        format: Format,
        out: &mut dyn Write,
    ) -> Result<(), StoreError> {
        let mut piece = Vec::with_capacity(8 * 1024);
        if let Format::Csv { mark, .. } = format {
            piece.extend_from_slice(if mark { "\u{feff}".as_bytes() } else { b"" });
            write_csv_header(&mut piece);
        }
        let positions = self.filter.positions();
        let range = positions.start..positions.end.min(self.as_of);
        // Skips what the times of the filter rule out, as a search does, without reading it.
        let rows = self
            .log
            .scan_matching(self.filter.clone(), range, self.order);
        for row in rows {
            self.write_row(app, format, &row?, &mut piece);
            app.metrics.rows.fetch_add(1, Relaxed);
            if piece.len() >= 4096 {
                out.write_all(&piece).map_err(StoreError::Output)?;
                piece.clear();
            }
        }
        out.write_all(&piece).map_err(StoreError::Output)
    }

    fn write_row(&self, app: &App, format: Format, row: &Row, out: &mut Vec<u8>) {
        match format {
            Format::Csv { guard, .. } => {
                write_csv_row(out, row, &self.workspace, app.catalogue(), guard)
            }
            Format::Ndjson => {
                out.extend_from_slice(export_line(&self.workspace.id, row).as_bytes());
                out.push(b'\n');
            }
        }
    }

    /// Answers with the file, packed or not.
    pub(crate) fn respond(
        self,
        app: &App,
        format: Format,
        compress: Compress,
    ) -> Result<Response, ApiError> {
        let place = app.downloads.take(&self.log)?;
        let headers = headers(
            &self.workspace.id,
            &format!("{}{}", format.extension(), compress.suffix()),
            compress
                .content_type()
                .unwrap_or_else(|| format.content_type()),
            app,
            self.as_of,
        );
        let (app2, as_written) = (app.clone(), self);
        let body = body(app, place, move |out| {
            compress.write(out, |out| as_written.write(&app2, format, out))
        });
        Ok((headers, body).into_response())
    }
}

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
    write: impl FnOnce(&mut dyn Write) -> Result<(), StoreError> + Send + 'static,
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
            buffer: Vec::with_capacity(PIECE),
            runtime,
            stalled,
        };
        match write(&mut out).and_then(|()| out.flush().map_err(StoreError::Output)) {
            Ok(()) => completed.store(true, SeqCst),
            // The reader is gone, or might as well be.
            Err(StoreError::Output(_)) => {}
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

/// Collects what is written and sends it piece by piece.
struct Pieces {
    pieces: mpsc::Sender<Bytes>,
    buffer: Vec<u8>,
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
        self.buffer.extend_from_slice(data);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE));
        self.send(Bytes::from(piece))
    }
}
