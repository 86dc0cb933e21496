//! Letter case, and patterns with `*`.
//!
//! Case is folded one character at a time: to upper case and from there to lower case, wherever that is one
//! character. `Straße` and `STRAẞE` are equal, `ß` and `ss` are not; accents count; nothing depends on a language.

use std::borrow::Cow;

fn fold_char(c: char) -> char {
    fn single(mut chars: impl Iterator<Item = char>) -> Option<char> {
        let first = chars.next()?;
        chars.next().is_none().then_some(first)
    }
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let upper = single(c.to_uppercase()).unwrap_or(c);
    single(upper.to_lowercase()).unwrap_or(upper)
}

/// The text with its case folded; borrowed where nothing changes.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if text
        .bytes()
        .all(|b| b.is_ascii() && !b.is_ascii_uppercase())
    {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().map(fold_char).collect())
    }
}

/// Text as it was typed: literals with `*` (any run of characters, also none) between them.
///
/// One literal: no star. `ana*` is `["ana", ""]`, `*` is `["", ""]`. Only the ends may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<String>);

impl Pattern {
    pub(crate) fn literal(text: impl Into<String>) -> Self {
        Pattern(vec![text.into()])
    }

    /// From literals that stars separate. Neighbouring stars are one star.
    pub(crate) fn from_pieces(pieces: Vec<String>) -> Self {
        let last = pieces.len().saturating_sub(1);
        let kept = pieces.into_iter().enumerate();
        Pattern(
            kept.filter(|(i, p)| *i == 0 || *i == last || !p.is_empty())
                .map(|(_, p)| p)
                .collect(),
        )
    }

    /// For text that is looked for anywhere, a star at either end says nothing.
    pub(crate) fn without_outer_stars(mut self) -> Self {
        if self.0.len() > 2 && self.0.last().is_some_and(String::is_empty) || self.is_prefix() {
            self.0.pop();
        }
        if self.0.len() > 1 && self.0[0].is_empty() && !self.is_any() {
            self.0.remove(0);
        }
        self
    }

    fn is_prefix(&self) -> bool {
        self.0.len() == 2 && self.0[1].is_empty() && !self.0[0].is_empty()
    }

    /// Only a star: whatever is there.
    pub(crate) fn is_any(&self) -> bool {
        self.0.len() == 2 && self.0.iter().all(String::is_empty)
    }

    pub(crate) fn as_literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    pub(crate) fn pieces(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn needle(&self) -> Needle {
        Needle {
            pieces: self
                .0
                .iter()
                .map(|piece| fold(piece).into_owned())
                .collect(),
        }
    }
}

/// A [`Pattern`] made ready to be compared many times: its case is folded.
#[derive(Debug, Clone)]
pub(crate) struct Needle {
    pieces: Vec<String>,
}

impl Needle {
    pub(crate) fn is_any(&self) -> bool {
        self.pieces.len() > 1 && self.pieces.iter().all(String::is_empty)
    }

    /// The folded text that alone fits, if there is no star.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [text] => Some(text),
            _ => None,
        }
    }

    /// Whether the whole of `text` fits.
    pub(crate) fn fits(&self, text: &str) -> bool {
        match self.pieces.as_slice() {
            [] => false,
            [only] if only.is_ascii() && text.is_ascii() => text.eq_ignore_ascii_case(only),
            [only] => fold(text) == only.as_str(),
            [first, middle @ .., last] => {
                let text = fold(text);
                let Some(rest) = text.strip_prefix(first.as_str()) else {
                    return false;
                };
                let Some(rest) = rest.strip_suffix(last.as_str()) else {
                    return false;
                };
                in_order(rest, middle)
            }
        }
    }

    /// Whether it occurs anywhere in `text`.
    pub(crate) fn occurs_in(&self, text: &str) -> bool {
        match self.pieces.as_slice() {
            [] => false,
            [only] if text.is_ascii() => occurs_in_ascii(text, only),
            pieces => in_order(&fold(text), pieces),
        }
    }

    /// The pieces that stand in canonical JSON as they are: where one does not occur in it, no string inside can match.
    ///
    /// Canonical JSON writes every character as itself except the quote, the backslash and control characters, and
    /// numbers as they are compared.
    fn plain(&self) -> impl Iterator<Item = &String> {
        let escaped = |c: char| c == '"' || c == '\\' || c.is_control();
        let pieces = self.pieces.iter();
        pieces.filter(move |piece| !piece.contains(escaped))
    }

    /// Texts that occur in whatever matches, and in canonical JSON of it.
    pub(crate) fn plain_pieces(&self) -> Vec<String> {
        self.plain()
            .filter(|piece| !piece.is_empty())
            .cloned()
            .collect()
    }

    /// False if no string inside this canonical JSON can match, found without parsing it.
    pub(crate) fn possible_in(&self, json: &str) -> bool {
        match self.plain().max_by_key(|piece| piece.len()) {
            Some(longest) => occurs_folded(longest, json),
            None => true,
        }
    }
}

/// Whether `piece`, whose case is folded, occurs in `text`, whose case need not be.
pub fn occurs_folded(piece: &str, text: &str) -> bool {
    match text.is_ascii() {
        true => occurs_in_ascii(text, piece),
        false => fold(text).contains(piece),
    }
}

fn in_order(mut text: &str, pieces: &[String]) -> bool {
    for piece in pieces {
        match text.find(piece.as_str()) {
            Some(at) => text = &text[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// Substring without regard to case, where `text` is ASCII and `needle` is folded.
fn occurs_in_ascii(text: &str, needle: &str) -> bool {
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    let Some(&first) = needle.first() else {
        return true;
    };
    let Some(last_start) = text.len().checked_sub(needle.len()) else {
        return false;
    };
    let upper = first.to_ascii_uppercase();
    (0..=last_start).any(|at| {
        (text[at] == first || text[at] == upper)
            && text[at..at + needle.len()].eq_ignore_ascii_case(needle)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_twice_changes_nothing() {
        for c in (0..=0x10_FFFF).filter_map(char::from_u32) {
            assert_eq!(fold_char(fold_char(c)), fold_char(c), "U+{:04X}", c as u32);
            assert_eq!(
                fold_char(c).is_control(),
                c.is_control(),
                "U+{:04X}",
                c as u32
            );
        }
    }

    #[test]
    fn stars_stand_for_any_run() {
        let pattern = |pieces: &[&str]| {
            Pattern::from_pieces(pieces.iter().map(ToString::to_string).collect()).needle()
        };
        assert!(pattern(&["a", "b"]).fits("AxxB") && pattern(&["a", "b"]).fits("ab"));
        assert!(
            !pattern(&["ab", "ba"]).fits("aba"),
            "the ends may not overlap"
        );
        assert!(pattern(&["", "b", ""]).fits("abc") && !pattern(&["", "b", ""]).fits("ac"));
        assert!(pattern(&["", ""]).fits("") && pattern(&["", "", "", ""]).is_any());
        assert!(pattern(&["x"]).fits("X") && !pattern(&["x"]).fits("xx"));
        assert!(pattern(&["σ"]).fits("ς") && pattern(&["k"]).fits("\u{212A}"));
    }

    #[test]
    fn text_loses_its_outer_stars() {
        let trimmed = |pieces: &[&str]| {
            let pieces = pieces.iter().map(ToString::to_string).collect();
            Pattern::from_pieces(pieces).without_outer_stars().0
        };
        assert_eq!(trimmed(&["", "a", ""]), ["a"]);
        assert_eq!(trimmed(&["a", ""]), ["a"]);
        assert_eq!(trimmed(&["", "a"]), ["a"]);
        assert_eq!(trimmed(&["", "a", "b", ""]), ["a", "b"]);
        assert_eq!(trimmed(&["", ""]), ["", ""]);
        assert_eq!(trimmed(&["a", "b"]), ["a", "b"]);
    }
}
