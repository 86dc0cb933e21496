use std::fmt::{self, Write};

use super::{Json, Number, Object};

impl Json {
    /// Appends the canonical text of RFC 8785: members in UTF-16 order, no white space, numbers as ECMAScript prints them.
    pub fn write_canonical(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(number) => number.write_canonical(out),
            Self::String(text) => write_string(out, text),
            Self::Array(elements) => {
                out.push('[');
                for (n, element) in elements.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    element.write_canonical(out);
                }
                out.push(']');
            }
            Self::Object(members) => write_object(out, members),
        }
    }

    /// The canonical text.
    pub fn to_canonical(&self) -> String {
        let mut out = String::new();
        self.write_canonical(&mut out);
        out
    }
}

impl Number {
    pub(super) fn write_canonical(self, out: &mut String) {
        match self {
            Self::Integer(n) => {
                let _ = write!(out, "{n}");
            }
            Self::Float(x) => out.push_str(ryu_js::Buffer::new().format(x)),
        }
    }
}

impl Object {
    /// Appends the canonical text of the object.
    pub fn write_canonical(&self, out: &mut String) {
        write_object(out, self);
    }

    /// The canonical text.
    pub fn to_canonical(&self) -> String {
        let mut out = String::new();
        write_object(&mut out, self);
        out
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_canonical())
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_canonical())
    }
}

fn write_object(out: &mut String, members: &Object) {
    out.push('{');
    for (n, (key, value)) in members.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        value.write_canonical(out);
    }
    out.push('}');
}

fn is_plain(byte: u8) -> bool {
    (byte >= 0x20) & (byte != b'"') & (byte != b'\\')
}

/// Whether nothing in a text must be escaped. Without an early end the compiler looks at many bytes at a time, and nearly every
/// text is plain.
fn is_all_plain(text: &[u8]) -> bool {
    text.iter()
        .fold(true, |plain, byte| plain & is_plain(*byte))
}

/// Appends `text` as a JSON string. Only what must be escaped is: quotes, backslashes and control characters below U+0020.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    if is_all_plain(text.as_bytes()) {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut plain = 0;
    for (at, byte) in text.bytes().enumerate() {
        if is_plain(byte) {
            continue;
        }
        out.push_str(&text[plain..at]);
        plain = at + 1;
        match short_escape(byte) {
            Some(escape) => out.push_str(escape),
            None => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// As [`write_string`], from and to UTF-8.
pub(crate) fn write_bytes(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    if is_all_plain(text) {
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    for byte in text {
        match short_escape(*byte) {
            _ if is_plain(*byte) => out.push(*byte),
            Some(escape) => out.extend_from_slice(escape.as_bytes()),
            None => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.push(b'"');
}

/// The escape of a byte that has a short one.
fn short_escape(byte: u8) -> Option<&'static str> {
    Some(match byte {
        b'"' => "\\\"",
        b'\\' => "\\\\",
        0x08 => "\\b",
        b'\t' => "\\t",
        b'\n' => "\\n",
        0x0c => "\\f",
        b'\r' => "\\r",
        _ => return None,
    })
}
