//! Ids that are UUIDs.

/// The bytes of a UUID, if the text is one as it is written by the rules: lower case, with hyphens.
pub(super) fn uuid_bytes(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 16];
    let mut at = 0;
    for byte in &mut bytes {
        if matches!(at, 8 | 13 | 18 | 23) {
            if text[at] != b'-' {
                return None;
            }
            at += 1;
        }
        *byte = digit(text[at])? << 4 | digit(text[at + 1])?;
        at += 2;
    }
    Some(bytes)
}

/// The text of a UUID.
pub(super) fn uuid_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

/// The time in an id that is a UUID of version 7, in milliseconds since the epoch.
pub(crate) fn uuid_millis(id: &str) -> Option<u64> {
    let bytes = id.as_bytes();
    let is_uuid = bytes.len() == 36
        && bytes.iter().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'7',
            _ => byte.is_ascii_hexdigit(),
        });
    if !is_uuid {
        return None;
    }
    u64::from_str_radix(&id[..8], 16)
        .ok()
        .zip(u64::from_str_radix(&id[9..13], 16).ok())
        .map(|(high, low)| high << 16 | low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uuids_of_version_7_tell_the_time() {
        let millis = uuid_millis("0193a3b4-c5d6-7000-8000-000000000000");
        assert_eq!(millis, Some(0x0193_a3b4_c5d6));
        assert_eq!(uuid_millis("0193A3B4-C5D6-7000-8000-000000000000"), millis);
        for other in [
            "",
            "0193a3b4-c5d6-4000-8000-000000000000",
            "0193a3b4-c5d6-7000-8000-00000000000",
            "0193a3b4-c5d6-7000-8000-00000000000g",
            "0193a3b4c5d67000800000000000000000000",
            "0193a3b4_c5d6-7000-8000-000000000000",
        ] {
            assert_eq!(uuid_millis(other), None, "{other}");
        }
    }
}
