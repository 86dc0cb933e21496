//! What stands in a file.

use std::io::{self, Write};

use annals_event::{Catalogue, Row, write_csv_row};
use annals_parquet::{GROUP_TEXT_BYTES, TableWriter, WriteError};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::printer::print_schema;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{about, cells, file, label, open, row};

fn login(n: u64) -> Value {
    json!({
        "id": format!("evt_{n}"), "action": "user.login", "occurred_at": "2026-11-22T09:30:00.5Z",
        "actor": {"id": "usr_1", "type": "user", "name": "Ana Ruiz"}, "targets": [], "context": {},
    })
}

/// The cells that the CSV file has for the same rows.
fn csv_cells(rows: &[Row]) -> Vec<Vec<String>> {
    let mut out = Vec::new();
    for row in rows {
        write_csv_row(&mut out, &row.into(), &label(), Catalogue::builtin(), false);
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(&out[..]);
    let records = reader.records();
    records
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

#[test]
fn every_column_has_its_type() {
    let mut text = Vec::new();
    let reader = open(file([]));
    print_schema(&mut text, reader.metadata().file_metadata().schema());
    let text = String::from_utf8(text).unwrap();
    let columns: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';'))
        .collect();
    assert_eq!(columns.len(), 31);
    for column in [
        "REQUIRED INT64 occurred_at (TIMESTAMP(MICROS,true))",
        "REQUIRED INT64 recorded_at (TIMESTAMP(MICROS,true))",
        "REQUIRED INT64 position",
        "OPTIONAL BYTE_ARRAY actor_email (STRING)",
        "OPTIONAL BYTE_ARRAY previous (JSON)",
        "OPTIONAL BYTE_ARRAY next (JSON)",
        "OPTIONAL BYTE_ARRAY metadata (JSON)",
    ] {
        assert!(columns.contains(&column), "{column} in {text}");
    }
}

#[test]
fn a_file_over_no_rows_is_whole_and_says_what_it_is_of() {
    let reader = open(file([]));
    let metadata = reader.metadata();
    assert_eq!(
        (
            metadata.num_row_groups(),
            metadata.file_metadata().num_rows()
        ),
        (0, 0)
    );
    let about = metadata.file_metadata().key_value_metadata().unwrap();
    let about: Vec<(&str, &str)> = about
        .iter()
        .map(|pair| (pair.key.as_str(), pair.value.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(
        about,
        [
            ("annals.table", "1"),
            ("annals.origin", "audit.example.com"),
            ("annals.organization_id", "acme"),
            ("annals.as_of", "7"),
            ("annals.made_at", "2026-11-22T12:00:00.000000Z"),
            ("annals.query", "action:user.login"),
            ("annals.time_zone", "Europe/Berlin"),
        ]
    );
}

#[test]
fn what_is_absent_is_null_and_an_empty_text_is_not() {
    let mut event = login(3);
    event["actor"]["name"] = json!("");
    let cells = cells(file([&row(3, &event)])).remove(0);
    assert_eq!(cells[0].as_deref(), Some("2026-11-22T09:30:00.500000Z"));
    assert_eq!(cells[2].as_deref(), Some("3"));
    assert_eq!(cells[12].as_deref(), Some(""), "the name");
    for (n, what) in [
        (8, "reason"),
        (13, "e-mail"),
        (28, "previous"),
        (30, "metadata"),
    ] {
        assert_eq!(cells[n], None, "{what}");
    }
}

#[test]
fn many_rows_come_in_groups_that_are_bounded() {
    // Almost fifty kilobytes an event, and never the text of the row before.
    let rows: Vec<Row> = (0..20)
        .map(|n| {
            let mut event = login(n);
            event["metadata"] = (0..6)
                .map(|key| (format!("key_{key}"), json!(format!("{n}").repeat(4_000))))
                .collect::<serde_json::Map<_, _>>()
                .into();
            row(n, &event)
        })
        .collect();
    let many: Vec<&Row> = rows.iter().cycle().take(800).collect();
    let file = file(many.iter().copied());
    let reader = open(file.clone());
    let groups = reader.metadata().row_groups();
    assert!(groups.len() > 1);
    let total: i64 = groups.iter().map(|group| group.num_rows()).sum();
    assert_eq!(total, 800);
    for group in groups {
        let plain = usize::try_from(group.total_byte_size()).unwrap();
        assert!(plain < GROUP_TEXT_BYTES + (1 << 20), "{plain}");
    }
    let ids: Vec<_> = cells(file)
        .into_iter()
        .map(|cells| cells[3].clone())
        .collect();
    let sent: Vec<_> = many
        .iter()
        .map(|row| Some(row.skeleton().id.clone()))
        .collect();
    assert_eq!(ids, sent);
}

/// Takes so many bytes and then no more.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = data.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_breaks_is_told_and_a_part_is_no_file() {
    let rows: Vec<Row> = (0..50).map(|n| row(n, &login(n))).collect();
    let whole = file(&rows);
    for length in [0, 3, 100, whole.len() / 2, whole.len() - 1] {
        let written = TableWriter::new(Full(length), label(), &about()).and_then(|mut writer| {
            for row in &rows {
                writer.push(row, Catalogue::builtin())?;
            }
            writer.finish()
        });
        assert!(matches!(written, Err(WriteError::Output(_))), "{length}");
        assert!(SerializedFileReader::new(whole.slice(..length)).is_err());
    }
    assert!(SerializedFileReader::new(whole).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands in an event: formulas, line ends, quotes, characters of every length.
    #[test]
    fn the_cells_are_those_of_the_csv_file(events in prop::collection::vec(event(), 0..20)) {
        let rows: Vec<Row> = (0u64..).zip(&events).map(|(n, event)| row(n, event)).collect();
        let read: Vec<Vec<String>> = cells(file(&rows))
            .into_iter()
            .map(|cells| cells.into_iter().map(Option::unwrap_or_default).collect())
            .collect();
        prop_assert_eq!(read, csv_cells(&rows));
    }
}

fn text() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        4 => proptest::char::range(' ', '~'),
        2 => prop::sample::select(vec!['=', '+', '@', '\t', '\n', '\r', '"', '\'', '\\', ',', '＝', 'é', '€', '😀']),
    ];
    prop::collection::vec(letter, 0..9).prop_map(String::from_iter)
}

fn event() -> impl Strategy<Value = Value> {
    let some = || prop::option::of(text());
    let action = prop::sample::select(vec![
        "issue.status_updated",
        "user.login_failed",
        "invoice.was_paid",
    ]);
    let change = prop::option::of((text(), text()));
    (action, some(), some(), some(), some(), change, 0..3usize).prop_map(
        |(action, name, agent, place, note, change, targets)| {
            let mut event = login(1);
            event["action"] = json!(action);
            if let Some(name) = &name {
                event["actor"]["name"] = json!(name);
            }
            if let Some(agent) = agent {
                event["context"]["user_agent"] = json!(agent);
            }
            if let Some(place) = place {
                event["context"]["location"] = json!(place);
            }
            if let Some(note) = note {
                event["metadata"] = json!({"note": note});
            }
            if let Some((before, after)) = change {
                event["previous"] = json!({"status": before});
                event["next"] = json!({"status": after});
            }
            event["targets"] = (0..targets)
                .map(|n| json!({"id": format!("t_{n}"), "type": (["issue", "project"][n]), "name": name}))
                .collect();
            if name.is_none() {
                for target in event["targets"].as_array_mut().into_iter().flatten() {
                    target.as_object_mut().unwrap().remove("name");
                }
            }
            event
        },
    )
}
