//! Hours and days of a time zone, as a histogram counts them.

use std::ops::Range;

use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::Timestamp;

/// How wide a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// From one full hour of the zone's clocks to the next.
    Hour,
    /// From the start of one day to the start of the next: as `time:2026-11-22` means it.
    Day,
}

/// The steps of a time zone: they follow on each other without a gap, and every moment lies in exactly one.
///
/// Days are as long as the zone makes them. An hour is cut where clocks change in the middle of it.
#[derive(Clone, Debug)]
pub struct Steps {
    step: Step,
    zone: TimeZone,
}

const HOUR: i64 = 3_600_000_000;

impl Steps {
    /// The hours or days of `zone`.
    pub fn new(step: Step, zone: TimeZone) -> Steps {
        Steps { step, zone }
    }

    /// How wide they are.
    pub fn step(&self) -> Step {
        self.step
    }

    /// The step that a moment lies in: its first microsecond since the epoch, and the first after it.
    pub fn around(&self, at: Timestamp) -> Range<i64> {
        let micros = at.as_micros();
        let Ok(at) = jiff::Timestamp::from_microsecond(micros) else {
            // The last day of the calendar, which no clock on earth shows.
            return fixed(micros, HOUR);
        };
        match self.step {
            Step::Hour => self.hour(micros, at),
            Step::Day => self.day(micros, at),
        }
    }

    fn hour(&self, micros: i64, at: jiff::Timestamp) -> Range<i64> {
        let offset = i64::from(self.zone.to_offset(at).seconds()) * 1_000_000;
        let hour = fixed(micros + offset, HOUR);
        let (mut from, mut to) = (hour.start - offset, hour.end - offset);
        let changes = |from, to| {
            let from = jiff::Timestamp::from_microsecond(from).unwrap_or(jiff::Timestamp::MIN);
            self.zone
                .following(from)
                .map(|change| change.timestamp().as_microsecond())
                .take_while(move |change| *change < to)
        };
        // Clocks change at full hours nearly everywhere.
        for change in changes(from, to) {
            if change <= micros {
                from = change;
            } else {
                to = to.min(change);
            }
        }
        from..to
    }

    fn day(&self, micros: i64, at: jiff::Timestamp) -> Range<i64> {
        let mut date = self.zone.to_datetime(at).date();
        // Where clocks go back over midnight, the moments after it belong to the day that had begun.
        while let Some(next) = date
            .tomorrow()
            .ok()
            .filter(|next| self.start(*next) <= micros)
        {
            date = next;
        }
        let end = date
            .checked_add(1.day())
            .map_or(i64::MAX, |next| self.start(next));
        self.start(date)..end
    }

    /// The first moment of a day. Where clocks show midnight twice, the first; where they skip it, what comes instead.
    fn start(&self, date: Date) -> i64 {
        let midnight = self.zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
        let at_the_end = if date.year() > 0 { i64::MAX } else { i64::MIN };
        midnight
            .compatible()
            .map_or(at_the_end, |midnight| midnight.as_microsecond())
    }
}

fn fixed(micros: i64, width: i64) -> Range<i64> {
    let start = micros.div_euclid(width) * width;
    start..start + width
}
