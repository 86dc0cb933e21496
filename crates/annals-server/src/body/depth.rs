//! How deep the lists and objects of a text lie in each other, without reading it.
//!
//! A reader of JSON remembers every bracket that is open. In a text of brackets alone that is more
//! memory than the text itself.

/// Deeper than anything that is taken: an event may have eight levels.
const MOST: usize = 64;

/// Whether more brackets are open at once, anywhere in a JSON text or in lines of them, than any body
/// needs. Says nothing else about the text.
pub(super) fn is_too_deep(text: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => _ = bytes.next(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        if depth > MOST {
            return true;
        }
    }
    false
}
