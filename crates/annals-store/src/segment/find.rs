//! Finding a piece of text in many texts at once, without regard to the case of ASCII letters.

/// A piece of text whose case is folded, ready to be looked for.
pub(super) struct Finder<'a> {
    folded: &'a str,
    /// Where in it the byte is that other texts have least often, and that byte.
    rarest: (usize, u8),
}

impl<'a> Finder<'a> {
    /// `folded` is not empty.
    pub(super) fn new(folded: &'a str) -> Finder<'a> {
        let bytes = folded.bytes().enumerate();
        let rarest = bytes.max_by_key(|(_, byte)| rareness(*byte));
        Finder {
            folded,
            rarest: rarest.unwrap_or_default(),
        }
    }

    pub(super) fn folded(&self) -> &'a str {
        self.folded
    }

    /// How many bytes the piece has.
    pub(super) fn len(&self) -> usize {
        self.folded.len()
    }

    /// The first place from `from` on where the piece begins. Of what is not ASCII only what is the same is found.
    pub(super) fn find(&self, texts: &[u8], from: usize) -> Option<usize> {
        let (before, byte) = self.rarest;
        let mut at = from.checked_add(before)?;
        loop {
            let rest = texts.get(at..)?;
            at += memchr::memchr2(byte, byte.to_ascii_uppercase(), rest)?;
            let begin = at - before;
            let found = texts.get(begin..begin + self.len())?;
            if found.eq_ignore_ascii_case(self.folded.as_bytes()) {
                return Some(begin);
            }
            at += 1;
        }
    }
}

/// How seldom a byte is met in names, ids and JSON; only how fast it goes depends on it.
fn rareness(byte: u8) -> usize {
    let often = b"e\"_0a1i2t3o4r5s6n7d8c9ulmpgbf:,.-/@ hwykvj{}[]xqz";
    let known = often.iter().position(|known| *known == byte);
    known.unwrap_or(often.len())
}
