//! Which rows a file holds, and how they are written.

use std::io;
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use annals_event::{Row, WorkspaceLabel, export_line, write_csv_header, write_csv_row};
use annals_parquet::{About, TableWriter, WriteError};
use annals_store::{Log, Order, Organization, Rows, StoreError};
use axum::response::{IntoResponse, Response};

use super::ahead::ahead;
use super::{Compress, Out, body, headers};
use crate::app::App;
use crate::audit::{self, Act};
use crate::error::ApiError;
use crate::wanted::Wanted;

/// Lines of a CSV file are written out when there are so many bytes of them.
const LINES_BYTES: usize = 16 * 1024;

/// Which rows of a log, in which order.
#[derive(Clone)]
pub(crate) struct Selection {
    /// The log.
    pub(crate) log: Log,
    /// The workspace, for the rows.
    pub(crate) workspace: WorkspaceLabel,
    /// Which of its rows.
    pub(crate) wanted: Wanted,
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
    /// The same table as CSV, with types; packed in itself.
    Parquet,
}

impl Format {
    /// The word for records and file names.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Csv { .. } => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Csv { .. } => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

impl Selection {
    /// All rows of a workspace that match, as its log is now or was at `as_of`.
    pub(crate) fn new(
        organization: &Organization,
        log: Log,
        wanted: Wanted,
        as_of: Option<u64>,
        order: Order,
    ) -> Self {
        let size = log.size();
        Self {
            workspace: WorkspaceLabel {
                id: organization.id.clone(),
                name: organization.name.clone(),
            },
            wanted,
            as_of: as_of.map_or(size, |as_of| as_of.min(size)),
            order,
            log,
        }
    }

    /// Hands the file out, packed or not: takes a place, records who takes it, and answers. Where either cannot be had there is no
    /// file. The file is as of the size before that record.
    pub(crate) async fn hand_out(
        self,
        app: &App,
        act: &Act,
        format: Format,
        compress: Compress,
    ) -> Result<Response, ApiError> {
        self.require_readable()?;
        let place = app.downloads.take(&self.log)?;
        let query = &self.wanted.query;
        let query = (!query.is_empty()).then(|| ("query", query.clone()));
        let headers = headers(
            &self.workspace.id,
            &format!("{}{}", format.extension(), compress.suffix()),
            compress
                .content_type()
                .unwrap_or_else(|| format.content_type()),
            app,
            self.as_of,
        );
        let (writing, log) = (app.clone(), self.log.clone());
        let body = body(app, place, move |out| {
            compress.write(out, |out| self.write(&writing, format, out))
        });
        // The first pieces are made while this is recorded; none of them goes out before it is.
        audit::exported(app, act, &log, format.extension(), query).await?;
        Ok((headers, body).into_response())
    }

    /// A file with a gap in it is refused before its first byte.
    pub(crate) fn require_readable(&self) -> Result<(), ApiError> {
        Ok(self.log.require_readable(&self.range())?)
    }

    /// The positions that it looks at.
    fn range(&self) -> Range<u64> {
        let positions = self.wanted.filter.positions();
        positions.start..positions.end.min(self.as_of)
    }

    /// Writes the whole file.
    pub(crate) fn write(
        &self,
        app: &App,
        format: Format,
        out: &mut Out<'_>,
    ) -> Result<(), StoreError> {
        match format {
            Format::Csv { guard, mark } => self.write_csv(app, guard, mark, out),
            Format::Ndjson => self.write_lines(app, out),
            Format::Parquet => self.write_table(app, out),
        }
    }

    fn write_csv(
        &self,
        app: &App,
        guard: bool,
        mark: bool,
        out: &mut Out<'_>,
    ) -> Result<(), StoreError> {
        let mut lines = Vec::with_capacity(1024);
        if mark {
            lines.extend_from_slice("\u{feff}".as_bytes());
        }
        write_csv_header(&mut lines);
        let mut rows = 0;
        self.scan().show_each(|event| {
            write_csv_row(&mut lines, event, &self.workspace, app.catalogue(), guard);
            rows += 1;
            if lines.len() < LINES_BYTES {
                return Ok(());
            }
            app.metrics
                .rows
                .fetch_add(std::mem::take(&mut rows), Relaxed);
            out.write_all(&lines).map_err(StoreError::Output)?;
            lines.clear();
            Ok(())
        })?;
        app.metrics.rows.fetch_add(rows, Relaxed);
        out.write_all(&lines).map_err(StoreError::Output)
    }

    fn write_lines(&self, app: &App, out: &mut Out<'_>) -> Result<(), StoreError> {
        ahead(self.rows(app), |rows| {
            for row in rows {
                let mut line = export_line(&self.workspace.id, &row?);
                line.push('\n');
                out.write_all(line.as_bytes()).map_err(StoreError::Output)?;
            }
            Ok(())
        })
    }

    fn write_table(&self, app: &App, out: &mut Out<'_>) -> Result<(), StoreError> {
        let about = About {
            origin: app.store.origin(),
            as_of: self.as_of,
            made_at: app.now(),
            query: &self.wanted.query,
            time_zone: &self.wanted.zone,
        };
        let mut table = TableWriter::new(out, self.workspace.clone(), &about).map_err(unwritten)?;
        ahead(self.rows(app), |rows| {
            for row in rows {
                table.push(&row?, app.catalogue()).map_err(unwritten)?;
            }
            table.finish().map_err(unwritten)
        })
    }

    /// The rows, counted as they come. What the times of the filter rule out is stepped over, as a search does.
    fn rows<'a>(&self, app: &'a App) -> impl Iterator<Item = Result<Row, StoreError>> + use<'a> {
        self.scan().inspect(|_| {
            app.metrics.rows.fetch_add(1, Relaxed);
        })
    }

    fn scan(&self) -> Rows {
        let filter = self.wanted.filter.clone();
        self.log.scan_matching(filter, self.range(), self.order)
    }
}

fn unwritten(error: WriteError) -> StoreError {
    StoreError::Output(match error {
        WriteError::Output(error) => error,
        error => io::Error::other(error),
    })
}
