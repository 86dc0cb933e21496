//! Values on their way into a column, page by page.

use bytes::Bytes;
use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int32Type, Int64Type,
};
use parquet::file::writer::SerializedColumnWriter;

use super::Flaw;
use super::schema::{Column, Physical, descriptor};

/// How many rows a page has in every column, except the last one of a file.
pub(crate) const PAGE_ROWS: usize = 1024;

/// How many pages a row group has, except the last one of a file: what a writer holds in memory.
pub(crate) const GROUP_PAGES: usize = 32;

/// The values of one column, for one row group.
pub(crate) struct Buffer {
    column: Column,
    most_definition: i16,
    repeats: bool,
    numbers: Vec<i64>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    /// Where each finished page ends, in levels and in values.
    pages: Vec<(usize, usize)>,
}

impl Buffer {
    pub(crate) fn new(column: Column) -> Buffer {
        let described = descriptor().column(column as usize);
        Buffer {
            column,
            most_definition: described.max_def_level(),
            repeats: described.max_rep_level() > 0,
            numbers: Vec::new(),
            bytes: Vec::new(),
            ends: Vec::new(),
            definitions: Vec::new(),
            repetitions: Vec::new(),
            pages: Vec::new(),
        }
    }

    pub(crate) fn number(&mut self, number: i64) {
        self.numbers.push(number);
    }

    /// The value of a row, or that it has none.
    pub(crate) fn value(&mut self, value: Option<&[u8]>) {
        if self.most_definition > 0 {
            self.definitions.push(i16::from(value.is_some()));
        }
        if let Some(value) = value {
            self.push(value);
        }
    }

    /// That a row has no targets.
    pub(crate) fn no_element(&mut self) {
        self.definitions.push(0);
        self.repetitions.push(0);
    }

    /// That the row has another target, and the value of it.
    pub(crate) fn element(&mut self, is_first: bool, value: Option<&[u8]>) {
        self.begin_element(is_first, value.is_some());
        if let Some(value) = value {
            self.push(value);
        }
    }

    /// As [`Buffer::element`], of a column of numbers.
    pub(crate) fn number_element(&mut self, is_first: bool, number: i64) {
        self.begin_element(is_first, true);
        self.numbers.push(number);
    }

    fn begin_element(&mut self, is_first: bool, has_value: bool) {
        let missing = i16::from(!has_value);
        self.definitions.push(self.most_definition - missing);
        self.repetitions.push(i16::from(!is_first));
    }

    fn push(&mut self, value: &[u8]) {
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
    }

    /// The n-th value among the bytes of all.
    fn slice(&self, bytes: &Bytes, n: usize) -> Bytes {
        let begin = n.checked_sub(1).map_or(0, |before| self.ends[before]);
        bytes.slice(begin..self.ends[n])
    }

    pub(crate) fn end_page(&mut self) {
        let values = self.numbers.len().max(self.ends.len());
        self.pages.push((self.definitions.len(), values));
    }

    /// Writes the finished pages, and is empty then.
    pub(crate) fn flush(&mut self, writer: &mut SerializedColumnWriter<'_>) -> Result<(), Flaw> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let (mut level, mut value) = (0, 0);
        for &(level_end, value_end) in &self.pages {
            let definitions = &self.definitions[level..level_end];
            let definitions = (self.most_definition > 0).then_some(definitions);
            let repetitions = self.repeats.then(|| &self.repetitions[level..level_end]);
            match self.column.physical() {
                Physical::Int32 => {
                    let numbers: Vec<i32> = self.numbers[value..value_end]
                        .iter()
                        .map(|number| number.to_le_bytes())
                        .map(|[a, b, c, d, ..]| i32::from_le_bytes([a, b, c, d]))
                        .collect();
                    writer
                        .typed::<Int32Type>()
                        .write_batch(&numbers, definitions, repetitions)?;
                }
                Physical::Int64 => {
                    writer.typed::<Int64Type>().write_batch(
                        &self.numbers[value..value_end],
                        definitions,
                        repetitions,
                    )?;
                }
                Physical::Uuid => {
                    let values: Vec<FixedLenByteArray> = (value..value_end)
                        .map(|n| FixedLenByteArray::from(ByteArray::from(self.slice(&bytes, n))))
                        .collect();
                    writer.typed::<FixedLenByteArrayType>().write_batch(
                        &values,
                        definitions,
                        repetitions,
                    )?;
                }
                Physical::Bytes => {
                    let values: Vec<ByteArray> = (value..value_end)
                        .map(|n| self.slice(&bytes, n).into())
                        .collect();
                    writer.typed::<ByteArrayType>().write_batch(
                        &values,
                        definitions,
                        repetitions,
                    )?;
                }
            }
            (level, value) = (level_end, value_end);
        }
        self.numbers.clear();
        self.ends.clear();
        self.definitions.clear();
        self.repetitions.clear();
        self.pages.clear();
        Ok(())
    }
}
