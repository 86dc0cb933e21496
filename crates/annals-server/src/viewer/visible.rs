//! Text written by others, made safe to look at.
//!
//! Most of what a log shows was written by the very people it is meant to catch. Escaping is the
//! templates' affair; here the characters that are not seen, or that make others be seen in another
//! order, are replaced by something visible. The templates put the result into `<bdi>`.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with every control, direction and zero-width character shown.
///
/// C0 controls become their pictures (`␊`), the others their number (`‹U+202E›`). A joiner between
/// letters that need it (Persian, Indic scripts, emoji) stays as it is; line breaks and tabs stay
/// where `lines` says that the text is shown as written.
pub(crate) fn visible(text: &str, lines: bool) -> Cow<'_, str> {
    let hides = |c: char| !(lines && (c == '\n' || c == '\t')) && (is_joiner(c) || is_hidden(c));
    let Some(first) = text.find(hides) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    let mut before = out.chars().next_back();
    for c in text[first..].chars() {
        let joins = is_joiner(c) && before.is_some_and(|b| !b.is_ascii() && !is_hidden(b));
        if !hides(c) || joins {
            out.push(c);
        } else if let Some(picture) = picture(c) {
            out.push(picture);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "‹U+{:04X}›", u32::from(c));
        }
        before = Some(c);
    }
    Cow::Owned(out)
}

/// One line of a text, cut to a number of characters for places where the whole is a click away.
pub(crate) fn short(text: &str, characters: usize) -> String {
    let shown = visible(text, false);
    match shown.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.into_owned(),
    }
}

fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E007F}'
        )
}

fn picture(c: char) -> Option<char> {
    match u32::from(c) {
        n @ 0..=0x1F => char::from_u32(0x2400 + n),
        0x7F => Some('\u{2421}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(visible("plain — Ünïcode", false), "plain — Ünïcode");
        assert_eq!(visible("a\r\nb", false), "a␍␊b");
        assert_eq!(visible("a\nb\u{7}", true), "a\nb␇");
        assert_eq!(visible("\u{202E}gpj.exe", false), "‹U+202E›gpj.exe");
        assert_eq!(visible("adm\u{200B}in", false), "adm‹U+200B›in");
    }

    #[test]
    fn joiners_stay_where_a_script_needs_them() {
        assert_eq!(visible("می\u{200C}خواهم", false), "می\u{200C}خواهم");
        assert_eq!(visible("👩\u{200D}💻", false), "👩\u{200D}💻");
        assert_eq!(visible("adm\u{200D}in", false), "adm‹U+200D›in");
    }

    #[test]
    fn cutting_counts_characters() {
        assert_eq!(short("Überlänge", 4), "Über…");
        assert_eq!(short("Über", 4), "Über");
    }
}
