//! Rows to write, and files as another reader sees them.

use annals_event::{Catalogue, Draft, Event, Row, Rules, Timestamp, WorkspaceLabel};
use annals_parquet::{About, TableWriter};
use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

pub(crate) fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// An event, given as JSON, at a position.
pub(crate) fn row(position: u64, event: &Value) -> Row {
    let event = Event::from_json(event.to_string().as_bytes()).unwrap();
    let draft = Draft::new(event, &Rules::open(), Timestamp::MAX, || "evt".to_owned()).unwrap();
    Row::new(
        position,
        time("2026-11-22T09:30:00.000001Z"),
        "key_1",
        draft,
    )
}

pub(crate) fn label() -> WorkspaceLabel {
    WorkspaceLabel {
        id: "acme".to_owned(),
        name: "Acme, \"Inc\"".to_owned(),
    }
}

pub(crate) fn about() -> About<'static> {
    About {
        origin: "audit.example.com",
        as_of: 7,
        made_at: time("2026-11-22T12:00:00Z"),
        query: "action:user.login",
        time_zone: "Europe/Berlin",
    }
}

pub(crate) fn file<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Bytes {
    let mut out = Vec::new();
    let mut writer = TableWriter::new(&mut out, label(), &about()).unwrap();
    for row in rows {
        writer.push(row, Catalogue::builtin()).unwrap();
    }
    writer.finish().unwrap();
    out.into()
}

pub(crate) fn open(file: Bytes) -> SerializedFileReader<Bytes> {
    SerializedFileReader::new(file).unwrap()
}

/// The cells of a file in the words of the CSV file; what is null stays `None`.
pub(crate) fn cells(file: Bytes) -> Vec<Vec<Option<String>>> {
    let reader = open(file);
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        row.unwrap()
            .get_column_iter()
            .map(|(_, field)| match field {
                Field::Null => None,
                Field::Long(number) => Some(number.to_string()),
                Field::TimestampMicros(micros) => {
                    Some(Timestamp::from_micros(*micros).unwrap().to_string())
                }
                Field::Str(text) => Some(text.clone()),
                Field::Bytes(bytes) => Some(bytes.as_utf8().unwrap().to_owned()),
                other => panic!("a cell of no kind of ours: {other:?}"),
            })
            .collect()
    })
    .collect()
}
