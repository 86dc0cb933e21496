//! An event's JSON, laid out for reading: the same value, with line breaks.

use annals_event::Json;

/// The text with two spaces a level. Characters that are not seen, or that turn others around, are
/// written as escapes, so that what is shown is what is there and still is the same JSON.
pub(crate) fn indented(value: &Json) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out
}

fn write(value: &Json, level: usize, out: &mut String) {
    match value {
        Json::Array(elements) if !elements.is_empty() => {
            out.push('[');
            for (n, element) in elements.iter().enumerate() {
                line(n, level + 1, out);
                write(element, level + 1, out);
            }
            line(0, level, out);
            out.push(']');
        }
        Json::Object(members) if !members.is_empty() => {
            out.push('{');
            for (n, (key, value)) in members.iter().enumerate() {
                line(n, level + 1, out);
                plain(&Json::String(key.to_owned()), out);
                out.push_str(": ");
                write(value, level + 1, out);
            }
            line(0, level, out);
            out.push('}');
        }
        other => plain(other, out),
    }
}

fn line(n: usize, level: usize, out: &mut String) {
    out.push_str(if n == 0 { "\n" } else { ",\n" });
    out.extend(std::iter::repeat_n("  ", level));
}

fn plain(value: &Json, out: &mut String) {
    let mut text = String::new();
    value.write_canonical(&mut text);
    for c in text.chars() {
        if super::visible::visible(c.encode_utf8(&mut [0; 4]), false)
            .chars()
            .eq([c])
        {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_value() {
        let text = "{\"a\":[1,{\"b\":\"x\u{202E}y\"},[]],\"c\":{},\"k\\n\":\"<script>\"}";
        let value = Json::parse(text.as_bytes()).unwrap();
        let shown = indented(&value);
        assert!(
            !shown.contains('\u{202E}') && shown.contains("\\u202e"),
            "{shown}"
        );
        assert!(
            shown.starts_with("{\n  \"a\": [\n    1,\n    {\n"),
            "{shown}"
        );
        assert_eq!(Json::parse(shown.as_bytes()).unwrap(), value);
    }
}
