//! A page of a column as segments are written, read straight into [`Values`].
//!
//! The general reader of Parquet makes an object of each value and a decompressor for each page. This one knows only what
//! [`super::schema::properties`] has a writer do, and refuses anything else, a damaged page included: then the general
//! reader is asked, which says what is wrong.

use std::cell::RefCell;
use std::sync::Arc;

use super::columns::{MISSING, Places, Strings, Values, to_i32};
use super::schema::{Column, Physical, descriptor};
use crate::decompress::decompress;
use crate::journal::{Input, to_u32, to_usize};

/// The encodings of Parquet that segments are written with.
const PLAIN: u64 = 0;
const DELTA_BINARY_PACKED: u64 = 5;
const DELTA_LENGTH_BYTE_ARRAY: u64 = 6;
const DELTA_BYTE_ARRAY: u64 = 7;
const RLE_DICTIONARY: u64 = 8;

/// The types of pages of Parquet that segments have.
const DICTIONARY_PAGE: u64 = 2;
const DATA_PAGE_V2: u64 = 3;

/// A page that says it is larger than this is left to the general reader: what a damaged length says must not take memory.
const BYTES_MAX: usize = 64 << 20;
const LEVELS_MAX: usize = 1 << 20;

/// What is used again from page to page.
#[derive(Default)]
struct Scratch {
    plain: Vec<u8>,
    numbers: Vec<i64>,
    definitions: Vec<u32>,
    repetitions: Vec<u32>,
    indexes: Vec<u32>,
}

/// Above this a buffer is not kept.
const KEPT_BYTES_MAX: usize = 1 << 20;

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// The values of a page of `rows` rows. `None` if it is not as segments are written. `dictionary` gives that of the page's
/// row group.
pub(super) fn page(
    stored: &[u8],
    column: Column,
    rows: usize,
    dictionary: impl FnOnce() -> Option<Arc<Strings>>,
) -> Option<Values> {
    let header = Header::read(stored)?;
    let levels = header.levels.filter(|_| header.kind == DATA_PAGE_V2)?;
    if levels.rows != rows {
        return None;
    }
    let dictionary = match header.encoding {
        RLE_DICTIONARY => Some(dictionary()?),
        _ => None,
    };
    SCRATCH.with_borrow_mut(|scratch| {
        let values = scratch.page(stored, &header, levels, column, dictionary);
        scratch.shrink();
        values
    })
}

/// The strings of the dictionary of a column. `None` if it is not as segments are written.
pub(super) fn dictionary(stored: &[u8], column: Column) -> Option<Strings> {
    let header = Header::read(stored)?;
    let is_known = header.kind == DICTIONARY_PAGE && header.encoding == PLAIN;
    if !is_known || column.physical() != Physical::Bytes {
        return None;
    }
    SCRATCH.with_borrow_mut(|Scratch { plain, .. }| {
        let (begin, length) = header.body;
        let body = stored.get(begin..begin.checked_add(length)?)?;
        let plain = decompressed(plain, body, header.plain)?;
        let (mut ends, mut all, mut rest) = (Vec::new(), Vec::new(), plain);
        while let Some((length, after)) = rest.split_first_chunk() {
            let (string, after) = after.split_at_checked(to_usize(u32::from_le_bytes(*length)))?;
            all.extend_from_slice(string);
            ends.push(to_u32(all.len()));
            rest = after;
        }
        let strings = Strings::of(all, ends, column.is_text()).ok()?;
        (rest.is_empty() && header.values == strings.len()).then_some(strings)
    })
}

/// What the header of a page says, and where the page itself lies.
struct Header {
    kind: u64,
    encoding: u64,
    /// Levels, or the entries of a dictionary.
    values: usize,
    /// How many bytes it has when it is not compressed.
    plain: usize,
    /// Where it begins and how long it is.
    body: (usize, usize),
    /// Of a data page.
    levels: Option<Levels>,
}

#[derive(Clone, Copy)]
struct Levels {
    rows: usize,
    nulls: usize,
    definitions: usize,
    repetitions: usize,
    is_compressed: bool,
}

impl Header {
    /// Reads a `PageHeader` of Parquet.
    fn read(stored: &[u8]) -> Option<Header> {
        let mut fields = Fields::new(Input::new(stored));
        let (mut kind, mut plain, mut length) = (None, None, None);
        let mut inner = [None; 8];
        while let Some(field) = fields.next()? {
            match field.id {
                1 => kind = fields.number(field),
                2 => plain = fields.number(field),
                3 => length = fields.number(field),
                7 | 8 if field.kind == STRUCT => {
                    let mut of_kind = Fields::new(fields.input.clone());
                    while let Some(field) = of_kind.next()? {
                        match inner.get_mut(to_usize(field.id)) {
                            Some(slot) => *slot = of_kind.number(field),
                            None => of_kind.skip(field.kind, 0)?,
                        }
                    }
                    fields.input = of_kind.input;
                }
                _ => fields.skip(field.kind, 0)?,
            }
        }
        let begin = stored.len() - fields.input.left();
        let (kind, plain, length) = (kind?, to_usize(plain?), to_usize(length?));
        let is_whole = begin.checked_add(length)? == stored.len();
        if !is_whole || plain > BYTES_MAX {
            return None;
        }
        let [
            _,
            values,
            second,
            rows,
            fourth,
            definitions,
            repetitions,
            is_compressed,
        ] = inner;
        let (levels, encoding) = match kind {
            DATA_PAGE_V2 => {
                let levels = Levels {
                    rows: to_usize(rows?),
                    nulls: to_usize(second?),
                    definitions: to_usize(definitions?),
                    repetitions: to_usize(repetitions?),
                    is_compressed: is_compressed != Some(0),
                };
                (Some(levels), fourth?)
            }
            _ => (None, second?),
        };
        Some(Header {
            kind,
            encoding,
            values: to_usize(values?),
            plain,
            body: (begin, length),
            levels,
        })
    }
}

/// The types of Thrift's compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const NUMBERS: std::ops::RangeInclusive<u8> = 4..=6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const STRUCT: u8 = 12;

/// The fields of a struct in Thrift's compact protocol.
struct Fields<'a> {
    input: Input<'a>,
    last: u64,
}

#[derive(Clone, Copy)]
struct Field {
    id: u64,
    kind: u8,
}

impl<'a> Fields<'a> {
    fn new(input: Input<'a>) -> Fields<'a> {
        Fields { input, last: 0 }
    }

    /// The next field; the outer `None` if it cannot be read.
    #[expect(clippy::option_option, reason = "unreadable is not the end")]
    fn next(&mut self) -> Option<Option<Field>> {
        let [byte] = self.input.array().ok()?;
        if byte == 0 {
            return Some(None);
        }
        self.last = match byte >> 4 {
            0 => u64::try_from(self.input.signed().ok()?).ok()?,
            step => self.last + u64::from(step),
        };
        Some(Some(Field {
            id: self.last,
            kind: byte & 15,
        }))
    }

    /// The value of a number, or of a truth value as 0 or 1.
    fn number(&mut self, field: Field) -> Option<u64> {
        match field.kind {
            TRUE => Some(1),
            FALSE => Some(0),
            kind if NUMBERS.contains(&kind) => u64::try_from(self.input.signed().ok()?).ok(),
            _ => None,
        }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.input.skip(1).ok(),
            DOUBLE => self.input.skip(8).ok(),
            BINARY => self.input.bytes().ok().map(|_| ()),
            STRUCT if depth < 4 => {
                let mut inner = Fields::new(self.input.clone());
                while let Some(field) = inner.next()? {
                    inner.skip(field.kind, depth + 1)?;
                }
                self.input = inner.input;
                Some(())
            }
            kind if NUMBERS.contains(&kind) => self.input.number().ok().map(|_| ()),
            _ => None,
        }
    }
}

/// What was compressed, which has `length` bytes.
fn decompressed<'a>(plain: &'a mut Vec<u8>, stored: &[u8], length: usize) -> Option<&'a [u8]> {
    match length {
        0 => plain.clear(),
        _ => decompress(stored, length, plain).ok()?,
    }
    Some(plain)
}

impl Scratch {
    fn page(
        &mut self,
        stored: &[u8],
        header: &Header,
        levels: Levels,
        column: Column,
        dictionary: Option<Arc<Strings>>,
    ) -> Option<Values> {
        let Scratch {
            plain,
            numbers,
            definitions,
            repetitions,
            indexes,
        } = self;
        let described = descriptor().column(column as usize);
        let (most, repeats) = (described.max_def_level(), described.max_rep_level() > 0);
        let most = u32::try_from(most).ok()?;
        let is_possible = match repeats {
            true => header.values <= LEVELS_MAX,
            false => header.values == levels.rows,
        };
        let count = header.values.checked_sub(levels.nulls)?;
        if !is_possible {
            return None;
        }
        let of_levels = levels.definitions.checked_add(levels.repetitions)?;
        let plain_length = header.plain.checked_sub(of_levels)?;
        let (begin, length) = header.body;
        let body = stored.get(begin..begin.checked_add(length)?)?;
        let (of_repetitions, body) = body.split_at_checked(levels.repetitions)?;
        let (of_definitions, body) = body.split_at_checked(levels.definitions)?;
        repetitions.clear();
        if repeats {
            hybrid(of_repetitions, 1, header.values, repetitions)?;
        }
        definitions.clear();
        if most > 0 && (levels.nulls > 0 || repeats) {
            let width = u32::BITS - most.leading_zeros();
            hybrid(of_definitions, width, header.values, definitions)?;
        }
        let body = match levels.is_compressed {
            true => decompressed(plain, body, plain_length)?,
            false => Some(body).filter(|body| body.len() == plain_length)?,
        };

        let mut values = Values::default();
        let mut is_indexed = false;
        match (column.physical(), header.encoding) {
            _ if count == 0 => {}
            (Physical::Int32 | Physical::Int64, DELTA_BINARY_PACKED) => {
                deltas(&mut Input::new(body), count, &mut values.numbers)?;
                if column.physical() == Physical::Int32 {
                    // They wrap around within their own size.
                    let numbers = values.numbers.iter_mut();
                    numbers.for_each(|number| *number = i64::from(to_i32(*number)));
                }
            }
            (Physical::Uuid, DELTA_BYTE_ARRAY) => {
                let (all, ends) = uuids(body, count, numbers)?;
                values.strings = Arc::new(Strings::of(all, ends, false).ok()?);
            }
            (Physical::Bytes, DELTA_LENGTH_BYTE_ARRAY) => {
                let mut input = Input::new(body);
                numbers.clear();
                deltas(&mut input, count, numbers)?;
                let mut end = 0u32;
                let mut ends = Vec::with_capacity(count);
                for length in &*numbers {
                    end = end.checked_add(u32::try_from(*length).ok()?)?;
                    ends.push(end);
                }
                let all = &body[body.len() - input.left()..];
                if all.len() != end as usize {
                    return None;
                }
                let strings = Strings::of(all.to_vec(), ends, column.is_text()).ok()?;
                values.strings = Arc::new(strings);
            }
            (Physical::Bytes, RLE_DICTIONARY) => {
                values.strings = dictionary?;
                let (width, body) = body.split_first()?;
                indexes.clear();
                hybrid(body, u32::from(*width), count, indexes)?;
                let known = to_u32(values.strings.len());
                if indexes.iter().any(|index| *index >= known) {
                    return None;
                }
                is_indexed = true;
            }
            _ => return None,
        }
        let place = |n: u32| match is_indexed {
            true => indexes.get(n as usize).copied(),
            false => Some(n),
        };
        values.places = if count == 0 && !repeats {
            Places::Nowhere
        } else if definitions.is_empty() {
            match is_indexed {
                true => Places::At(std::mem::take(indexes)),
                false => Places::Each,
            }
        } else {
            let mut places = Vec::with_capacity(header.values);
            let mut next = 0u32;
            for (level, definition) in definitions.iter().enumerate() {
                if repeats && repetitions[level] == 0 {
                    values.elements.push(to_u32(places.len()));
                }
                if *definition == most {
                    places.push(place(next)?);
                    next += 1;
                } else if !repeats || *definition > 0 {
                    places.push(MISSING);
                }
            }
            if repeats {
                values.elements.push(to_u32(places.len()));
            }
            if next as usize != count {
                return None;
            }
            match count {
                0 => Places::Nowhere,
                _ => Places::At(places),
            }
        };
        Some(values)
    }

    /// Gives back what one large page took.
    fn shrink(&mut self) {
        if self.plain.capacity() > KEPT_BYTES_MAX {
            self.plain = Vec::new();
        }
    }
}

/// The bits of `bytes` from bit `at` on, at most 64 of them.
fn bits(bytes: &[u8], at: usize, width: u32) -> u64 {
    let (first, shift) = (at / 8, at % 8);
    let window = match bytes[first..].first_chunk() {
        Some(window) => u128::from_le_bytes(*window),
        None => {
            let mut window = [0; 16];
            let rest = &bytes[first..];
            window[..rest.len()].copy_from_slice(rest);
            u128::from_le_bytes(window)
        }
    };
    let mask = u64::MAX.checked_shr(u64::BITS - width).unwrap_or(0);
    u64::try_from(window >> shift & u128::from(mask)).unwrap_or_default()
}

/// `count` UUIDs, of which each begins with some bytes of the one before.
fn uuids(body: &[u8], count: usize, lengths: &mut Vec<i64>) -> Option<(Vec<u8>, Vec<u32>)> {
    let mut input = Input::new(body);
    lengths.clear();
    deltas(&mut input, count, lengths)?;
    deltas(&mut input, count, lengths)?;
    let (shared, own) = lengths.split_at(count);
    let mut all = Vec::with_capacity(16 * count);
    let mut uuid = [0; 16];
    for (shared, own) in shared.iter().zip(own) {
        let (shared, own) = (usize::try_from(*shared).ok()?, usize::try_from(*own).ok()?);
        if shared.checked_add(own)? != uuid.len() {
            return None;
        }
        uuid[shared..].copy_from_slice(input.take(own).ok()?);
        all.extend_from_slice(&uuid);
    }
    let ends = (1..=count).map(|n| to_u32(16 * n)).collect();
    input.is_empty().then_some((all, ends))
}

/// `count` numbers of at most `width` bits, in runs that repeat a number or list numbers.
fn hybrid(bytes: &[u8], width: u32, count: usize, out: &mut Vec<u32>) -> Option<()> {
    if width > u32::BITS {
        return None;
    }
    let mut input = Input::new(bytes);
    let each = to_usize(width);
    while out.len() < count {
        let run = to_usize(input.number().ok()?);
        let left = count - out.len();
        if run & 1 == 0 {
            let mut number = [0; 4];
            for byte in number.iter_mut().take(each.div_ceil(8)) {
                [*byte] = input.array().ok()?;
            }
            // A run has at least one.
            let length = Some(run >> 1).filter(|length| *length > 0)?.min(left);
            out.resize(out.len() + length, u32::from_le_bytes(number));
        } else {
            let length = (run >> 1).checked_mul(each)?;
            let listed = input.take(length).ok()?;
            let numbers = (run >> 1).checked_mul(8).filter(|numbers| *numbers > 0)?;
            let numbers = numbers.min(left);
            out.extend((0..numbers).map(|n| to_u32(bits(listed, n * each, width))));
        }
    }
    Some(())
}

/// `count` numbers, of which the first is given and of each further one how much it differs from the one before.
fn deltas(input: &mut Input<'_>, count: usize, out: &mut Vec<i64>) -> Option<()> {
    let of_block = to_usize(input.number().ok()?);
    let parts = to_usize(input.number().ok()?);
    let all = to_usize(input.number().ok()?);
    let of_part = of_block.checked_div(parts)?;
    if all != count || of_part == 0 || of_part % 8 != 0 {
        return None;
    }
    if count == 0 {
        return Some(());
    }
    let end = out.len() + count;
    out.reserve(count.min(1 << 20));
    let mut number = input.signed().ok()?;
    out.push(number);
    while out.len() < end {
        let least = input.signed().ok()?;
        let mut widths = input.arrays::<1>(parts).ok()?.into_iter();
        while out.len() < end
            && let Some([width]) = widths.next()
        {
            if u32::from(width) > u64::BITS {
                return None;
            }
            let numbers = of_part.min(end - out.len());
            let part = input.take(of_part / 8 * usize::from(width)).ok()?;
            for n in 0..numbers {
                let more = bits(part, n * usize::from(width), width.into()) as i64;
                number = number.wrapping_add(least).wrapping_add(more);
                out.push(number);
            }
        }
    }
    Some(())
}
