//! The values of one column, until its row group is written.

use annals_event::ColumnKind;
use bytes::Bytes;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::SerializedColumnWriter;

/// One column of a row group.
pub(crate) enum Column {
    Numbers(Vec<i64>),
    Texts(Texts),
}

/// Texts one behind the other. One that is repeated at once is kept once.
#[derive(Default)]
pub(crate) struct Texts {
    bytes: Vec<u8>,
    /// Where each value begins and ends.
    places: Vec<(u32, u32)>,
    /// For each row 1 if it has a value, else 0.
    present: Vec<i16>,
}

impl Column {
    pub(crate) fn new(kind: ColumnKind) -> Column {
        match kind {
            ColumnKind::Time | ColumnKind::Number => Column::Numbers(Vec::new()),
            ColumnKind::Text | ColumnKind::Json => Column::Texts(Texts::default()),
        }
    }

    /// Takes the number of a row.
    pub(crate) fn number(&mut self, number: i64) {
        if let Column::Numbers(numbers) = self {
            numbers.push(number);
        }
    }

    /// Takes the text of a row, or that it has none. Gives the bytes that this took.
    pub(crate) fn text(&mut self, text: Option<&str>) -> usize {
        match self {
            Column::Texts(texts) => texts.push(text),
            Column::Numbers(_) => 0,
        }
    }

    /// Writes the values, and is empty then.
    pub(crate) fn write(
        &mut self,
        writer: &mut SerializedColumnWriter<'_>,
    ) -> Result<(), ParquetError> {
        match self {
            Column::Numbers(numbers) => {
                let writer = writer.typed::<Int64Type>();
                writer.write_batch(numbers, None, None)?;
                numbers.clear();
            }
            Column::Texts(texts) => {
                let values = texts.values();
                let writer = writer.typed::<ByteArrayType>();
                writer.write_batch(&values, Some(&texts.present), None)?;
                texts.clear();
            }
        }
        Ok(())
    }
}

impl Texts {
    fn push(&mut self, text: Option<&str>) -> usize {
        self.present.push(i16::from(text.is_some()));
        let Some(text) = text else { return 0 };
        if let Some(&(from, to)) = self.places.last()
            && self.bytes[from as usize..to as usize] == *text.as_bytes()
        {
            self.places.push((from, to));
            return 0;
        }
        let from = end(&self.bytes);
        self.bytes.extend_from_slice(text.as_bytes());
        self.places.push((from, end(&self.bytes)));
        text.len()
    }

    fn values(&mut self) -> Vec<ByteArray> {
        let bytes = Bytes::from(std::mem::take(&mut self.bytes));
        let value = |&(from, to): &(u32, u32)| bytes.slice(from as usize..to as usize).into();
        self.places.iter().map(value).collect()
    }

    fn clear(&mut self) {
        self.places.clear();
        self.present.clear();
    }
}

/// A row group is far smaller than what 32 bits can count.
fn end(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
