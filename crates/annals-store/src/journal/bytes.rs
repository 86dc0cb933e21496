//! Small binary pieces: variable-length numbers and fixed runs of bytes.

/// What a header cannot be: truncated, or with a number that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A count or an offset within one group, which holds megabytes. One that did not fit would be too
/// large, and whoever reads it back would notice.
pub(crate) fn to_u32(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}

/// The index of something that is in memory. One that did not fit would be beyond its end.
pub(crate) fn to_usize(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// Appends `number` in 7-bit pieces, low ones first.
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

/// Appends a number that may be negative; small ones of both signs are short.
pub(crate) fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, ((number << 1) ^ (number >> 63)) as u64);
}

/// Appends bytes with their length before them.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above wrote.
#[derive(Clone)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or(Malformed("truncated"))?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed("number too large"));
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Malformed("number too long"))
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Malformed> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(crate) fn small(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.number()?).map_err(|_| Malformed("number too large"))
    }

    /// A count of things that take at least `each` bytes each, so that memory stays in proportion.
    pub(crate) fn count(&mut self, each: usize) -> Result<usize, Malformed> {
        let count = usize::try_from(self.number()?).map_err(|_| Malformed("count too large"))?;
        if count
            .checked_mul(each)
            .is_none_or(|bytes| bytes > self.rest.len())
        {
            return Err(Malformed("count too large"));
        }
        Ok(count)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (array, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(Malformed("truncated"))?;
        self.rest = rest;
        Ok(*array)
    }

    /// The next so many bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.rest.split_at_checked(count);
        let (taken, rest) = taken.ok_or(Malformed("truncated"))?;
        self.rest = rest;
        Ok(taken)
    }

    /// Passes over so many bytes.
    pub(crate) fn skip(&mut self, count: usize) -> Result<(), Malformed> {
        self.rest = self.rest.get(count..).ok_or(Malformed("truncated"))?;
        Ok(())
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.count(1)?;
        let (bytes, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(bytes)
    }

    /// `count` arrays. Memory is taken only for what is there.
    pub(crate) fn arrays<const N: usize>(
        &mut self,
        count: usize,
    ) -> Result<Vec<[u8; N]>, Malformed> {
        let length = count
            .checked_mul(N)
            .filter(|length| *length <= self.rest.len());
        let (taken, rest) = self.rest.split_at(length.ok_or(Malformed("truncated"))?);
        self.rest = rest;
        Ok(taken.as_chunks().0.to_vec())
    }
}
