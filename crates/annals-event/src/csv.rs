//! The CSV file: one row an event, 31 columns whose order never changes.
//!
//! RFC 4180 with every cell in quotes, UTF-8, CRLF. Cells that a spreadsheet would take for a formula are led by an apostrophe.

use crate::table::{Cells, TABLE, WorkspaceLabel, fill_cells};
use crate::{Catalogue, Opened, Timestamp};

/// Appends the header row.
pub fn write_csv_header(out: &mut Vec<u8>) {
    let mut line = Line {
        out,
        first: true,
        guard: true,
    };
    for column in TABLE {
        line.put(column.name);
    }
    line.end();
}

/// Appends the row of one event. What is absent or erased is an empty cell.
///
/// `guard` puts an apostrophe before cells that a spreadsheet would take for a formula; [`csv_unguarded`] takes it away again.
/// Without it the file is for programs only.
pub fn write_csv_row(
    out: &mut Vec<u8>,
    event: &Opened<'_>,
    workspace: &WorkspaceLabel,
    catalogue: &Catalogue,
    guard: bool,
) {
    let mut line = Line {
        out,
        first: true,
        guard,
    };
    fill_cells(event, workspace, catalogue, &mut line);
    line.end();
}

/// The value of a cell as it was before the guard: one apostrophe less where there is one before a trigger.
pub fn csv_unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_guarded(rest) => rest,
        _ => cell,
    }
}

/// Whether the value needs an apostrophe: any number of them, then something that starts a formula somewhere.
///
/// Counting the apostrophes in makes the map injective: a value that happens to look guarded gets one more.
fn is_guarded(value: &str) -> bool {
    // What most values begin with.
    if value
        .as_bytes()
        .first()
        .is_none_or(u8::is_ascii_alphanumeric)
    {
        return false;
    }
    let triggers = [
        '=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠',
    ];
    value.trim_start_matches('\'').starts_with(triggers)
}

/// Writes the cells of one row.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    guard: bool,
}

impl Line<'_> {
    fn put(&mut self, value: &str) {
        self.begin();
        if self.guard && is_guarded(value) {
            self.out.push(b'\'');
        }
        // Without an early end the compiler looks at many bytes at a time, and few texts have quotes.
        if value
            .bytes()
            .fold(false, |found, byte| found | (byte == b'"'))
        {
            for (i, part) in value.split('"').enumerate() {
                if i > 0 {
                    self.out.extend_from_slice(b"\"\"");
                }
                self.out.extend_from_slice(part.as_bytes());
            }
        } else {
            self.out.extend_from_slice(value.as_bytes());
        }
        self.out.push(b'"');
    }

    /// Opens a cell.
    fn begin(&mut self) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
    }

    fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}

impl Cells for Line<'_> {
    fn time(&mut self, value: Timestamp) {
        self.begin();
        self.out.extend_from_slice(&value.printed());
        self.out.push(b'"');
    }

    fn number(&mut self, value: u64) {
        self.put(&value.to_string());
    }

    fn text(&mut self, value: Option<&str>) {
        self.put(value.unwrap_or_default());
    }

    fn json(&mut self, value: Option<&str>) {
        self.put(value.unwrap_or_default());
    }
}
