//! What is printed: results on standard output, everything else on standard error. Colours only
//! where a person looks.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde_json::Value;

/// Where results go, and in which form.
pub(crate) struct Output {
    json: bool,
    colour: bool,
    complaint_colour: bool,
}

impl Output {
    /// JSON for scripts, or text for people.
    pub(crate) fn new(json: bool) -> Output {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Output {
            json,
            colour: wanted && !json && io::stdout().is_terminal(),
            complaint_colour: wanted && io::stderr().is_terminal(),
        }
    }

    /// Whether the result is wanted as JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// One line of the result.
    pub(crate) fn line(&self, text: impl Display) -> io::Result<()> {
        writeln!(io::stdout(), "{text}")
    }

    /// The result as one line of JSON.
    pub(crate) fn json(&self, value: &Value) -> io::Result<()> {
        let mut out = io::stdout();
        writeln!(out, "{value}")?;
        out.flush()
    }

    /// A word that stands out.
    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A word that says that all is well.
    pub(crate) fn good(&self, text: &str) -> String {
        self.paint("1;32", text)
    }

    /// A word that says that something is wrong.
    pub(crate) fn bad(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// A word that may be overlooked.
    pub(crate) fn faint(&self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    /// Why it did not work, for a person.
    pub(crate) fn complain(&self, text: &str) {
        let label = if self.complaint_colour {
            "\x1b[1;31merror:\x1b[0m"
        } else {
            "error:"
        };
        let _ = writeln!(io::stderr(), "{label} {text}");
    }

    /// A remark for a person, beside the result.
    pub(crate) fn remark(&self, text: impl Display) {
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Rows in columns that are as wide as their widest value.
    pub(crate) fn table(&self, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let mut widths: Vec<usize> = head.iter().map(|h| h.chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(visible(cell).chars().count());
            }
        }
        let mut out = io::stdout().lock();
        let head: Vec<String> = head.iter().map(|h| (*h).to_owned()).collect();
        for (n, row) in std::iter::once(&head).chain(rows).enumerate() {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                let cell = visible(cell);
                let pad = width.saturating_sub(cell.chars().count());
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', pad + 2));
            }
            let line = line.trim_end();
            writeln!(
                out,
                "{}",
                if n == 0 {
                    self.faint(line)
                } else {
                    line.to_owned()
                }
            )?;
        }
        Ok(())
    }
}

/// How this program was called, for commands that are printed to be copied: `annals`, or
/// `target/release/annals` where it is not installed.
pub(crate) fn program() -> String {
    std::env::args()
        .next()
        .unwrap_or_else(|| "annals".to_owned())
}

/// Text of others, made harmless for a terminal: control characters, which could move the cursor or
/// change colours, become visible.
pub(crate) fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{7f}' => '\u{2421}',
            c if c < ' ' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
            '\u{80}'..='\u{9f}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c => c,
        })
        .collect()
}
