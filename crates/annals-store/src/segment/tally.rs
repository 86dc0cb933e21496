//! What an index knows by number: how many events of a log occurred when, and which values they have how often.
//!
//! A tally belongs to a log's share of a segment and follows from its rows, page by page, so that a histogram of
//! months or the values of a field are added up instead of read. It is two texts of bytes: times, and values.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use annals_event::Facet;

use super::{Flaw, PAGE_ROWS};
use crate::Slot;
use crate::journal::{Input, put_bytes, put_number, put_signed, to_u32, to_usize};

/// How long a slot of time is, in microseconds. Clocks of all zones have been whole quarters of an hour apart
/// since 1972, so that hours and days of each of them are sums of slots.
pub(crate) const SLOT: i64 = 15 * 60 * 1_000_000;

/// The facets whose values are counted, in the order in which they are written. How events ended stands with the times.
pub(crate) const COUNTED: [Facet; 6] = [
    Facet::Action,
    Facet::Actor,
    Facet::ActorType,
    Facet::TargetType,
    Facet::Source,
    Facet::Address,
];

/// A log has a tally of what is at least a full page; less is quickly read.
const ROWS_MIN: usize = PAGE_ROWS;

/// A facet with more values than this in one tally is not in it.
const VALUES_MAX: usize = 1 << 16;

/// A label is cut to so many characters.
const LABEL_CHARS: usize = 80;

/// Events that occurred in one slot of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) all: u64,
    pub(crate) failed: u64,
}

/// The tally of one log, as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TallyBytes {
    pub(crate) times: Vec<u8>,
    pub(crate) values: Vec<u8>,
}

/// The values of one row.
#[derive(Debug, Default)]
pub(crate) struct RowValues<'a> {
    pub(crate) occurred_at: i64,
    pub(crate) failed: bool,
    /// Which of [`COUNTED`], the value, and its label.
    pub(crate) values: Vec<(usize, std::borrow::Cow<'a, str>, Option<&'a str>)>,
}

/// Takes in the rows of a segment, and gives the tallies of its logs.
#[derive(Default)]
pub(crate) struct TallyWriter {
    done: Vec<(Slot, TallyBytes)>,
    log: Option<OfLog>,
}

/// One log in the making.
struct OfLog {
    slot: Slot,
    rows: usize,
    dictionaries: [Dictionary; COUNTED.len()],
    /// The page that is being filled, if it has rows of the log.
    page: Option<Page>,
    times: Vec<Vec<u8>>,
    values: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Page {
    slots: BTreeMap<i64, Count>,
    of_facet: [(u64, BTreeMap<u32, u64>); COUNTED.len()],
}

/// The values of a facet, numbered as they come.
#[derive(Default)]
struct Dictionary {
    numbers: HashMap<String, u32>,
    /// Each value with the newest label.
    values: Vec<(String, String)>,
    overflows: bool,
}

impl Dictionary {
    fn number(&mut self, value: &str, label: Option<&str>) -> Option<u32> {
        let number = match self.numbers.get(value) {
            Some(number) => *number,
            None if self.overflows || self.values.len() == VALUES_MAX => {
                self.overflows = true;
                return None;
            }
            None => {
                let number = to_u32(self.values.len());
                self.numbers.insert(value.to_owned(), number);
                self.values.push((value.to_owned(), String::new()));
                number
            }
        };
        let known = &mut self.values[number as usize].1;
        if let Some(label) = label
            && known != label
        {
            *known = label.chars().take(LABEL_CHARS).collect();
        }
        Some(number)
    }

    fn write(&self, out: &mut Vec<u8>) {
        if self.overflows {
            return put_number(out, 0);
        }
        put_number(out, self.values.len() as u64 + 1);
        for (value, label) in &self.values {
            put_bytes(out, value.as_bytes());
            put_bytes(out, label.as_bytes());
        }
    }
}

impl TallyWriter {
    /// Takes a row of a log; one whose entry was redacted has no values. Logs come by rising slot.
    pub(crate) fn row(&mut self, slot: Slot, row: Option<RowValues<'_>>) {
        if self.log.as_ref().is_some_and(|log| log.slot != slot) {
            self.end_log();
        }
        let log = self.log.get_or_insert_with(|| OfLog {
            slot,
            rows: 0,
            dictionaries: Default::default(),
            page: None,
            times: Vec::new(),
            values: Vec::new(),
        });
        log.rows += 1;
        let page = log.page.get_or_insert_default();
        let Some(row) = row else { return };
        let count = page
            .slots
            .entry(row.occurred_at.div_euclid(SLOT))
            .or_default();
        count.all += 1;
        count.failed += u64::from(row.failed);
        let mut seen = [false; COUNTED.len()];
        for (facet, value, label) in row.values {
            let (with, counts) = &mut page.of_facet[facet];
            *with += u64::from(!std::mem::replace(&mut seen[facet], true));
            if let Some(number) = log.dictionaries[facet].number(&value, label) {
                *counts.entry(number).or_default() += 1;
            }
        }
    }

    /// That the rows that come are on the next page.
    pub(crate) fn end_page(&mut self) {
        if let Some(log) = &mut self.log {
            log.end_page();
        }
    }

    /// The tallies, by rising slot.
    pub(crate) fn finish(mut self) -> Vec<(Slot, TallyBytes)> {
        self.end_log();
        self.done
    }

    fn end_log(&mut self) {
        let Some(mut log) = self.log.take() else {
            return;
        };
        log.end_page();
        if log.rows < ROWS_MIN {
            return;
        }
        let mut bytes = TallyBytes::default();
        for dictionary in &log.dictionaries {
            dictionary.write(&mut bytes.values);
        }
        for (pages, out) in [
            (&log.times, &mut bytes.times),
            (&log.values, &mut bytes.values),
        ] {
            put_number(out, pages.len() as u64);
            pages.iter().for_each(|page| put_bytes(out, page));
        }
        self.done.push((log.slot, bytes));
    }
}

impl OfLog {
    fn end_page(&mut self) {
        let Some(page) = self.page.take() else { return };
        let mut out = Vec::new();
        let mut before = 0;
        for (slot, count) in &page.slots {
            put_signed(&mut out, slot - before);
            put_number(&mut out, count.all);
            put_number(&mut out, count.failed);
            before = *slot;
        }
        self.times.push(std::mem::take(&mut out));
        for (with, counts) in &page.of_facet {
            put_number(&mut out, *with);
            put_number(&mut out, counts.len() as u64);
            let mut before = 0;
            for (number, count) in counts {
                put_number(&mut out, u64::from(number - before));
                put_number(&mut out, *count);
                before = *number;
            }
        }
        self.values.push(out);
    }
}

/// Where each page lies in the bytes behind `input`, which end with them.
fn pages(all: usize, input: &mut Input<'_>) -> Result<Vec<Range<usize>>, Flaw> {
    let mut pages = Vec::new();
    for _ in 0..input.count(1)? {
        pages.push(place(all, input)?);
    }
    match input.is_empty() {
        true => Ok(pages),
        false => Err(Flaw::new("bytes follow a tally")),
    }
}

/// Where the piece lies that comes next, in a text of `all` bytes.
fn place(all: usize, input: &mut Input<'_>) -> Result<Range<usize>, Flaw> {
    let length = input.bytes()?.len();
    let end = all - input.left();
    Ok(end - length..end)
}

/// When the events of a log's share of a segment occurred.
pub(crate) struct Times {
    bytes: Arc<Vec<u8>>,
    pages: Vec<Range<usize>>,
}

impl Times {
    pub(crate) fn open(bytes: Arc<Vec<u8>>) -> Result<Times, Flaw> {
        let pages = pages(bytes.len(), &mut Input::new(&bytes))?;
        Ok(Times { bytes, pages })
    }

    /// How many pages the log has rows on.
    pub(crate) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Gives `take` the first microsecond of each slot in which events of a page occurred, and how many did.
    pub(crate) fn page(&self, page: usize, take: &mut dyn FnMut(i64, Count)) -> Result<(), Flaw> {
        let mut input = page_of(&self.bytes, &self.pages, page)?;
        let mut slot = 0i64;
        while !input.is_empty() {
            slot = slot.wrapping_add(input.signed()?);
            let count = Count {
                all: input.number()?,
                failed: input.number()?,
            };
            take(slot.saturating_mul(SLOT), count);
        }
        Ok(())
    }
}

fn page_of<'a>(bytes: &'a [u8], pages: &[Range<usize>], page: usize) -> Result<Input<'a>, Flaw> {
    let place = pages.get(page).cloned();
    let bytes = place.and_then(|place| bytes.get(place));
    bytes
        .map(Input::new)
        .ok_or_else(|| Flaw::new("a tally has fewer pages"))
}

/// Where a value and its label lie.
type Places = (Range<usize>, Range<usize>);

/// Which values the events of a log's share of a segment have.
pub(crate) struct FacetValues {
    bytes: Arc<Vec<u8>>,
    pages: Vec<Range<usize>>,
    /// Of each of [`COUNTED`], if it does not have too many, where its values and their labels lie.
    dictionaries: Vec<Option<Vec<Places>>>,
}

impl FacetValues {
    pub(crate) fn open(bytes: Arc<Vec<u8>>) -> Result<FacetValues, Flaw> {
        let mut input = Input::new(&bytes);
        let mut dictionaries = Vec::with_capacity(COUNTED.len());
        for _ in COUNTED {
            let Some(count) = input.number()?.checked_sub(1) else {
                dictionaries.push(None);
                continue;
            };
            let mut values = Vec::with_capacity(to_usize(count).min(VALUES_MAX));
            for _ in 0..count {
                values.push((
                    place(bytes.len(), &mut input)?,
                    place(bytes.len(), &mut input)?,
                ));
            }
            dictionaries.push(Some(values));
        }
        let pages = pages(bytes.len(), &mut input)?;
        Ok(FacetValues {
            bytes,
            pages,
            dictionaries,
        })
    }

    /// How many values a facet has; `None` if they are too many to be known.
    pub(crate) fn len(&self, facet: usize) -> Option<usize> {
        Some(self.dictionaries.get(facet)?.as_ref()?.len())
    }

    /// A value of a facet with its label, by its number.
    pub(crate) fn value(&self, facet: usize, number: usize) -> Option<(&str, Option<&str>)> {
        let (value, label) = self.dictionaries.get(facet)?.as_ref()?.get(number)?;
        let text = |place: &Range<usize>| std::str::from_utf8(self.bytes.get(place.clone())?).ok();
        Some((text(value)?, text(label).filter(|label| !label.is_empty())))
    }

    /// Gives `take` the facet and the number of each value on a page, and how many events have it; and before them,
    /// without a number, how many have any.
    pub(crate) fn page(
        &self,
        page: usize,
        take: &mut dyn FnMut(usize, Option<u32>, u64),
    ) -> Result<(), Flaw> {
        let mut input = page_of(&self.bytes, &self.pages, page)?;
        for facet in 0..COUNTED.len() {
            take(facet, None, input.number()?);
            let mut number = 0u32;
            for _ in 0..input.count(2)? {
                number = number.saturating_add(input.small()?);
                take(facet, Some(number), input.number()?);
            }
        }
        Ok(())
    }
}
