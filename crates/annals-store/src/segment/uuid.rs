//! Ids that are UUIDs.

/// The bytes of a UUID, if the text is one as it is written by the rules: lower case, with hyphens.
pub(super) fn uuid_bytes(text: &[u8]) -> Option<[u8; 16]> {
    bytes_of(text.try_into().ok()?)
}

fn bytes_of(text: &[u8; 36]) -> Option<[u8; 16]> {
    if [8, 13, 18, 23].iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let (mut bytes, mut wrong) = ([0; 16], 0);
    for (byte, at) in bytes.iter_mut().zip(PAIRS) {
        let [high, low] = [at, at + 1].map(|at| VALUES[usize::from(text[at])]);
        wrong |= high | low;
        *byte = high << 4 | low & 15;
    }
    (wrong & NO_DIGIT == 0).then_some(bytes)
}

/// Where the digits of each byte begin.
const PAIRS: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

const NO_DIGIT: u8 = 0x80;

/// What each byte stands for as a hexadecimal digit in lower case.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let (mut letters, mut value): (&[u8], u8) = (b"0123456789abcdef", 0);
    while let [letter, rest @ ..] = letters {
        values[*letter as usize] = value;
        (letters, value) = (rest, value + 1);
    }
    values
};

/// The length of a UUID's text.
pub(super) const TEXT_BYTES: usize = 36;

/// The text of a UUID.
pub(super) fn uuid_text(bytes: &[u8]) -> String {
    let mut text = Vec::with_capacity(TEXT_BYTES);
    put_uuid_text(&mut text, bytes);
    // ASCII by construction, so the fallback is never taken.
    String::from_utf8(text).unwrap_or_default()
}

/// Appends the text of a UUID, in ASCII.
pub(super) fn put_uuid_text(out: &mut Vec<u8>, bytes: &[u8]) {
    for (n, byte) in bytes.iter().enumerate() {
        if matches!(n, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.extend_from_slice(&DIGITS[usize::from(*byte)]);
    }
}

/// The two digits of each byte.
const DIGITS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut table = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    table
};

/// The time in an id that is a UUID of version 7, in milliseconds since the epoch. It may be written in capitals.
pub(crate) fn uuid_millis(id: &str) -> Option<u64> {
    uuid_millis_of(id.as_bytes())
}

/// The same, of an id that may be no text.
pub(super) fn uuid_millis_of(id: &[u8]) -> Option<u64> {
    let text: &[u8; 36] = id.try_into().ok()?;
    if text[14] != b'7' {
        return None;
    }
    let mut bytes = *text;
    bytes.make_ascii_lowercase();
    millis_of(&bytes_of(&bytes)?)
}

/// The same, of the bytes of a UUID.
pub(super) fn millis_of(uuid: &[u8; 16]) -> Option<u64> {
    let [a, b, c, d, e, f, version, ..] = *uuid;
    (version >> 4 == 7).then(|| u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
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
