//! Writing a file, row by row.

use std::error::Error;
use std::io::{self, Write};

use annals_event::{Catalogue, Cells, Row, TABLE, Timestamp, WorkspaceLabel, fill_cells};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::writer::SerializedFileWriter;

use crate::column::Column;
use crate::schema::{message, properties};

/// A row group has at most so many rows: enough for readers to work on groups side by side, few enough to hold.
pub const GROUP_ROWS: usize = 1 << 16;
/// A row group is written when its texts have so many bytes, those that repeat the row before counted once. Together with
/// [`GROUP_ROWS`] it bounds what a writer holds.
pub const GROUP_TEXT_BYTES: usize = 16 << 20;

/// What a file says of itself in its footer, under keys that start with `annals.`.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// Name of the installation.
    pub origin: &'a str,
    /// The size of the log that the file was made from.
    pub as_of: u64,
    /// When it was made.
    pub made_at: Timestamp,
    /// Which events: a query of the search language; empty for all.
    pub query: &'a str,
    /// The zone in which the dates of the query are read.
    pub time_zone: &'a str,
}

/// Why a file cannot be written. What was written of it is no Parquet file: the footer comes last.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The output takes nothing more.
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
    /// The encoder refuses, which is a fault of this crate.
    #[error("the table cannot be encoded")]
    Encode(#[source] Box<dyn Error + Send + Sync>),
}

impl From<ParquetError> for WriteError {
    fn from(error: ParquetError) -> WriteError {
        match error {
            ParquetError::External(error) => match error.downcast::<io::Error>() {
                Ok(error) => WriteError::Output(*error),
                Err(error) => WriteError::Encode(error),
            },
            error => WriteError::Encode(Box::new(error)),
        }
    }
}

/// Writes the events of one workspace. It holds one row group in memory, and of those before some kilobytes each for the footer.
pub struct TableWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    workspace: WorkspaceLabel,
    columns: Vec<Column>,
    rows: usize,
    /// The bytes of texts in `columns`.
    text_bytes: usize,
}

impl<W: Write + Send> TableWriter<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// [`WriteError::Output`] where `out` takes nothing.
    pub fn new(
        out: W,
        workspace: WorkspaceLabel,
        about: &About<'_>,
    ) -> Result<TableWriter<W>, WriteError> {
        let metadata = [
            ("annals.table", "1".to_owned()),
            ("annals.origin", about.origin.to_owned()),
            ("annals.organization_id", workspace.id.clone()),
            ("annals.as_of", about.as_of.to_string()),
            ("annals.made_at", about.made_at.to_string()),
            ("annals.query", about.query.to_owned()),
            ("annals.time_zone", about.time_zone.to_owned()),
        ];
        let metadata = metadata.map(|(key, value)| KeyValue::new(key.to_owned(), value));
        Ok(TableWriter {
            file: SerializedFileWriter::new(out, message(), properties(metadata.into()))?,
            workspace,
            columns: TABLE.map(|column| Column::new(column.kind)).into(),
            rows: 0,
            text_bytes: 0,
        })
    }

    /// Appends the row of an event.
    ///
    /// # Errors
    /// As [`WriteError`] says; the file cannot be finished then.
    pub fn push(&mut self, row: &Row, catalogue: &Catalogue) -> Result<(), WriteError> {
        let mut cells = Taken {
            columns: self.columns.iter_mut(),
            text_bytes: 0,
        };
        fill_cells(&row.into(), &self.workspace, catalogue, &mut cells);
        self.text_bytes += cells.text_bytes;
        self.rows += 1;
        if self.rows == GROUP_ROWS || self.text_bytes >= GROUP_TEXT_BYTES {
            self.write_group()?;
        }
        Ok(())
    }

    /// Writes what is left and the footer, and with it makes the file one.
    ///
    /// # Errors
    /// As [`WriteError`] says; there is no file then.
    pub fn finish(mut self) -> Result<(), WriteError> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.file.finish()?;
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), WriteError> {
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            let Some(mut writer) = group.next_column()? else {
                return Err(WriteError::Encode("the schema has fewer columns".into()));
            };
            column.write(&mut writer)?;
            writer.close()?;
        }
        group.close()?;
        (self.rows, self.text_bytes) = (0, 0);
        Ok(())
    }
}

/// Takes the cells of a row into their columns.
struct Taken<'a> {
    columns: std::slice::IterMut<'a, Column>,
    text_bytes: usize,
}

impl Taken<'_> {
    fn put(&mut self, number: i64) {
        if let Some(column) = self.columns.next() {
            column.number(number);
        }
    }
}

impl Cells for Taken<'_> {
    fn time(&mut self, value: Timestamp) {
        self.put(value.as_micros());
    }

    fn number(&mut self, value: u64) {
        // A log of a million events a second has a position beyond this after 292,000 years.
        self.put(i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn text(&mut self, value: Option<&str>) {
        if let Some(column) = self.columns.next() {
            self.text_bytes += column.text(value);
        }
    }

    fn json(&mut self, value: Option<&str>) {
        self.text(value);
    }
}
