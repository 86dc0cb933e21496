//! The CSV file: one row an event, 31 columns whose order never changes.
//!
//! RFC 4180 with every cell in quotes, UTF-8, CRLF. Cells that a spreadsheet would take for a formula are led by an apostrophe.

use crate::table::{Cells, TABLE, WorkspaceLabel, fill_cells};
use crate::{Catalogue, Opened, Timestamp};

/// Appends the header row.
pub fn write_csv_header(out: &mut Vec<u8>) {
    let mut line = Line::begin(out, true);
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
    let mut line = Line::begin(out, guard);
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

/// Writes the cells of one row. What stands between two of them is written with the first.
struct Line<'a> {
    out: &'a mut Vec<u8>,
    guard: bool,
}

/// The end of a cell and the beginning of the next.
const BETWEEN: &[u8; 3] = b"\",\"";

impl<'a> Line<'a> {
    fn begin(out: &'a mut Vec<u8>, guard: bool) -> Line<'a> {
        out.push(b'"');
        Line { out, guard }
    }

    fn put(&mut self, value: &str) {
        if self.guard && is_guarded(value) {
            self.out.push(b'\'');
        }
        match has_quote(value.as_bytes()) {
            true => put_doubled(self.out, value.as_bytes()),
            false => self.out.extend_from_slice(value.as_bytes()),
        }
        self.out.extend_from_slice(BETWEEN);
    }

    fn put_ascii(&mut self, value: &[u8]) {
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(BETWEEN);
    }

    fn end(self) {
        // Behind the last cell there is none that begins.
        self.out.truncate(self.out.len() - 2);
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Whether there is a quote, eight bytes at a time: few texts have one, and most are short.
fn has_quote(value: &[u8]) -> bool {
    let (words, rest) = value.as_chunks();
    words.iter().any(|word| word_has_quote(*word))
        || match value.last_chunk() {
            // The last eight bytes, some of which were looked at.
            Some(last) => !rest.is_empty() && word_has_quote(*last),
            None => rest.contains(&b'"'),
        }
}

fn word_has_quote(word: [u8; 8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // A quote becomes a zero, and the high bits tell whether there is any.
    let word = u64::from_ne_bytes(word) ^ (ONES * b'"' as u64);
    word.wrapping_sub(ONES) & !word & HIGH != 0
}

/// Appends a text in which quotes are doubled. JSON has many.
fn put_doubled(out: &mut Vec<u8>, value: &[u8]) {
    let (words, rest) = value.as_chunks();
    for word in words {
        if word_has_quote(*word) {
            // Where a quote belongs twice, the second one is there already.
            let (mut doubled, mut length) = ([b'"'; 16], 0);
            for byte in word {
                doubled[length & 15] = *byte;
                length += 1 + usize::from(*byte == b'"');
            }
            out.extend_from_slice(&doubled[..length.min(16)]);
        } else {
            out.extend_from_slice(word);
        }
    }
    for byte in rest {
        out.push(*byte);
        if *byte == b'"' {
            out.push(b'"');
        }
    }
}

impl Cells for Line<'_> {
    fn time(&mut self, value: Timestamp) {
        self.put_ascii(&value.printed());
    }

    fn number(&mut self, value: u64) {
        self.put_ascii(itoa::Buffer::new().format(value).as_bytes());
    }

    fn text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.put(value),
            None => self.put_ascii(b""),
        }
    }

    fn json(&mut self, value: Option<&str>) {
        self.text(value);
    }
}
