//! Characters to patterns: quotes, stars, and where a value ends.

use super::error::QueryError;
use super::field::shorten;
use super::fold::Pattern;

/// A place in the text that is read.
pub(crate) struct Cursor {
    chars: Vec<char>,
    at: usize,
}

/// What surrounds a pattern decides which characters end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Free text: a comma is a comma, a colon has to be quoted.
    Text,
    /// After `field:`.
    Value,
    /// After `field:(`.
    List,
}

impl Cursor {
    pub(crate) fn new(text: &str) -> Self {
        Cursor {
            chars: text.chars().collect(),
            at: 0,
        }
    }

    /// Where it stands; the first character is in column 1.
    pub(crate) fn column(&self) -> usize {
        self.at + 1
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(crate) fn next_is_blank_or_end(&self) -> bool {
        self.peek().is_none_or(char::is_whitespace)
    }

    pub(crate) fn take(&mut self, expected: char) -> bool {
        let taken = self.peek() == Some(expected);
        self.at += usize::from(taken);
        taken
    }

    pub(crate) fn skip_blanks(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// What follows up to the next blank, as typed.
    pub(crate) fn rest_of_word(&self) -> String {
        self.chars[self.at..]
            .iter()
            .take_while(|c| !c.is_whitespace())
            .collect()
    }

    /// Takes `word` if it stands here by itself.
    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let taken = self.rest_of_word() == word;
        if taken {
            self.at += word.len();
        }
        taken
    }

    /// Reads up to a colon, without taking it if what is before it cannot be the name of a field.
    ///
    /// The second part of the answer is a quoted key: `meta."two words":`.
    pub(crate) fn take_name(&mut self) -> Result<Option<(String, Option<String>)>, QueryError> {
        let start = self.at;
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')' | ',' | '*' | ':');
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| !ends(*c)) {
            name.push(c);
            self.at += 1;
        }
        let mut key = None;
        if self.peek() == Some('"') && name.ends_with('.') {
            key = Some(self.quoted()?);
        }
        if self.take(':') {
            return Ok(Some((name, key)));
        }
        self.at = start;
        Ok(None)
    }

    /// Reads one pattern. Empty only where nothing stands.
    pub(crate) fn pattern(&mut self, place: Place) -> Result<Pattern, QueryError> {
        let start = self.column();
        let mut pieces = vec![String::new()];
        let mut anything = false;
        while let Some(c) = self.peek() {
            match (c, place) {
                (c, _) if c.is_whitespace() => break,
                (',', Place::Value | Place::List) | (')', Place::List) => break,
                (')', _) => {
                    let message = "This `)` closes nothing. Quote text that contains it.";
                    return Err(QueryError::new(self.column(), message));
                }
                ('(', _) => {
                    let message = "Parentheses only hold a list of values, as in `actor:(ana, bo)`. Quote text that contains one.";
                    return Err(QueryError::new(self.column(), message));
                }
                (':', Place::Text) => {
                    let message = "Text with a colon has to be quoted as a whole.";
                    return Err(QueryError::new(start, message));
                }
                ('"', _) => {
                    let quoted = self.quoted()?;
                    pieces
                        .last_mut()
                        .into_iter()
                        .for_each(|piece| piece.push_str(&quoted));
                    anything = true;
                    continue;
                }
                ('*', _) => pieces.push(String::new()),
                (c, _) => pieces
                    .last_mut()
                    .into_iter()
                    .for_each(|piece| piece.push(c)),
            }
            anything = true;
            self.at += 1;
        }
        let pattern = Pattern::from_pieces(pieces);
        if anything && pattern.as_literal() == Some("") {
            let message = "Empty quotes find nothing. For “has no value” write `-field:*`.";
            return Err(QueryError::new(start, message));
        }
        Ok(pattern)
    }

    /// `"…"`, with `\"` for a quote and `\\` for a backslash; any other backslash is itself.
    fn quoted(&mut self) -> Result<String, QueryError> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            match c {
                '"' => return Ok(text),
                '\\' => match self.peek() {
                    Some(escaped @ ('"' | '\\')) => {
                        text.push(escaped);
                        self.at += 1;
                    }
                    _ => text.push('\\'),
                },
                c => text.push(c),
            }
        }
        let message = format!("This quote is not closed: `\"{}`.", shorten(&text));
        Err(QueryError::new(start + 1, message))
    }
}

/// Whether `text` has to stand in quotes to be read again as itself.
pub(crate) fn needs_quotes(text: &str, place: Place, first: bool) -> bool {
    let special = |c: char| {
        c.is_whitespace()
            || matches!(c, '"' | '(' | ')' | ',' | '*')
            || (c == ':' && place == Place::Text)
    };
    let keyword = place == Place::Text && matches!(text, "AND" | "OR" | "NOT");
    let sign = match place {
        Place::Text => text.starts_with('-'),
        _ => text.starts_with(['<', '>']),
    };
    text.is_empty() || text.contains(special) || (first && (keyword || sign))
}

/// `text` in quotes.
pub(crate) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The pattern as it is typed.
pub(crate) fn print_pattern(pattern: &Pattern, place: Place) -> String {
    let pieces = pattern.pieces().iter().enumerate().map(|(i, piece)| {
        let bare = (piece.is_empty() && pattern.as_literal().is_none())
            || !needs_quotes(piece, place, i == 0);
        if bare { piece.clone() } else { quote(piece) }
    });
    pieces.collect::<Vec<_>>().join("*")
}
