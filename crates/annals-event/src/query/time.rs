//! Moments as people write them, and what they mean at a given now, in a given zone.
//!
//! Every moment stands for the span that it names: a date for its whole day, `14:05` for its minute. A range goes
//! from the start of the one to the end of the other, so `2026-11-01..2026-11-22` includes the 22nd.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::span::Bounds;
use crate::Timestamp;

/// What a relative or a local time is read against.
#[derive(Debug, Clone)]
pub struct When {
    /// The present moment.
    pub now: Timestamp,
    /// The zone in which dates and times without an offset are read.
    pub zone: TimeZone,
}

/// A moment as it was written. Relative ones stay relative until [`Moment::bounds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Now,
    Today,
    Yesterday,
    /// `-7d`
    Ago(u32, AgoUnit),
    /// `2026-11`, any day of it
    Month(Date),
    Date(Date),
    /// Without an offset: read in the zone.
    Local(DateTime, Precision),
    /// With an offset: microseconds since the epoch.
    Instant(Timestamp, Precision),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AgoUnit {
    Seconds,
    Minutes,
    Hours,
    Days,
    Weeks,
}

impl AgoUnit {
    const ALL: [(AgoUnit, char, &'static str, i64); 5] = [
        (AgoUnit::Seconds, 's', "second", 1),
        (AgoUnit::Minutes, 'm', "minute", 60),
        (AgoUnit::Hours, 'h', "hour", 3_600),
        (AgoUnit::Days, 'd', "day", 86_400),
        (AgoUnit::Weeks, 'w', "week", 604_800),
    ];

    fn row(self) -> (AgoUnit, char, &'static str, i64) {
        Self::ALL
            .into_iter()
            .find(|row| row.0 == self)
            .unwrap_or(Self::ALL[0])
    }
}

/// How finely a time of day was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Precision {
    Minute,
    Second,
    /// Digits after the point, 1 to 6.
    Fraction(u8),
}

impl Precision {
    fn micros(self) -> i64 {
        match self {
            Precision::Minute => 60_000_000,
            Precision::Second => 1_000_000,
            Precision::Fraction(digits) => 10_i64.pow(6 - u32::from(digits.min(6))),
        }
    }

    /// Characters of `2026-11-22T09:30:00.123456` that say it.
    fn width(self) -> usize {
        match self {
            Precision::Minute => 16,
            Precision::Second => 19,
            Precision::Fraction(digits) => 20 + usize::from(digits),
        }
    }
}

impl Moment {
    pub(crate) fn parse(text: &str) -> Option<Moment> {
        let word = |known: &str| text.eq_ignore_ascii_case(known);
        if word("now") {
            return Some(Moment::Now);
        } else if word("today") {
            return Some(Moment::Today);
        } else if word("yesterday") {
            return Some(Moment::Yesterday);
        } else if let Some(ago) = text.strip_prefix('-') {
            let unit = ago.chars().next_back()?.to_ascii_lowercase();
            let row = AgoUnit::ALL.into_iter().find(|row| row.1 == unit)?;
            let digits = &ago[..ago.len() - 1];
            let plain = (1..=6).contains(&digits.len()) && all_digits(digits);
            return plain
                .then(|| digits.parse().ok())
                .flatten()
                .map(|n| Moment::Ago(n, row.0));
        } else if text.len() == 7 {
            return date(&format!("{text}-01")).map(Moment::Month);
        } else if text.len() == 10 {
            return date(text).map(Moment::Date);
        }
        time_of_day(text)
    }

    /// Reads from the same clock whatever the time is: comparable without knowing now.
    pub(crate) fn is_absolute(self) -> bool {
        !matches!(
            self,
            Moment::Now | Moment::Today | Moment::Yesterday | Moment::Ago(..)
        )
    }

    /// What a relative moment is now: a day if it names one, else to the microsecond.
    pub(crate) fn settled(self, when: &When) -> Moment {
        match self {
            Moment::Today => Moment::Date(today(when)),
            Moment::Yesterday => Moment::Date(today(when).yesterday().unwrap_or(Date::MIN)),
            Moment::Now | Moment::Ago(..) => {
                let at = Timestamp::clamped(self.bounds(when).first);
                Moment::Instant(at, Precision::Fraction(6))
            }
            absolute => absolute,
        }
    }

    /// The first and the last microsecond that it stands for.
    pub(crate) fn bounds(self, when: &When) -> Bounds<i64> {
        let now = when.now.as_micros();
        let instant = |at: i64| Bounds {
            first: at,
            last: at,
        };
        match self {
            Moment::Now => instant(now),
            Moment::Ago(amount, unit) => {
                instant(now - i64::from(amount) * unit.row().3 * 1_000_000)
            }
            Moment::Today => days(today(when), today(when), &when.zone),
            Moment::Yesterday => {
                let day = today(when).yesterday().unwrap_or(Date::MIN);
                days(day, day, &when.zone)
            }
            Moment::Date(day) => days(day, day, &when.zone),
            Moment::Month(day) => days(day, day.last_of_month(), &when.zone),
            Moment::Local(at, precision) => {
                let first = micros(at, &when.zone);
                Bounds {
                    first,
                    last: first.saturating_add(precision.micros() - 1),
                }
            }
            Moment::Instant(at, precision) => {
                let first = at.as_micros();
                Bounds {
                    first,
                    last: first.saturating_add(precision.micros() - 1),
                }
            }
        }
    }

    /// A day or a time of day, read in the zone.
    pub(crate) fn is_local_date(self) -> bool {
        matches!(self, Moment::Month(_) | Moment::Date(_) | Moment::Local(..))
    }

    /// `7 days ago`, `2026-11-01`: for people.
    pub(crate) fn in_words(self) -> String {
        match self {
            Moment::Ago(amount, unit) => {
                format!(
                    "{amount} {}{} ago",
                    unit.row().2,
                    if amount == 1 { "" } else { "s" }
                )
            }
            other => other.to_string().replace('T', " "),
        }
    }

    /// `7 days`, if it is that long ago.
    pub(crate) fn length_in_words(self) -> Option<String> {
        matches!(self, Moment::Ago(..)).then(|| self.in_words().trim_end_matches(" ago").to_owned())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Now => f.write_str("now"),
            Moment::Today => f.write_str("today"),
            Moment::Yesterday => f.write_str("yesterday"),
            Moment::Ago(amount, unit) => write!(f, "-{amount}{}", unit.row().1),
            Moment::Month(day) => write!(f, "{:04}-{:02}", day.year(), day.month()),
            Moment::Date(day) => {
                write!(f, "{:04}-{:02}-{:02}", day.year(), day.month(), day.day())
            }
            Moment::Local(at, precision) => {
                let text = format!(
                    "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}",
                    at.year(),
                    at.month(),
                    at.day(),
                    at.hour(),
                    at.minute(),
                    at.second(),
                    at.subsec_nanosecond() / 1_000
                );
                f.write_str(&text[..precision.width()])
            }
            Moment::Instant(at, precision) => {
                write!(f, "{}Z", &at.to_string()[..precision.width()])
            }
        }
    }
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

fn date(text: &str) -> Option<Date> {
    let [year, month, day] = text.splitn(3, '-').collect::<Vec<_>>().try_into().ok()?;
    let sized = year.len() == 4 && month.len() == 2 && day.len() == 2;
    if !sized || ![year, month, day].into_iter().all(all_digits) {
        return None;
    }
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    (date.year() >= 1).then_some(date)
}

/// `2026-11-22T14:05`, with seconds, a fraction and an offset where they are given; a blank may stand for the `T`.
fn time_of_day(text: &str) -> Option<Moment> {
    let (day, time) = (text.get(..10)?, text.get(10..)?);
    let time = time.strip_prefix(['T', 't', ' '])?;
    let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let (seconds, mut precision) = match clock.len() {
        5 if fraction.is_none() => (":00", Precision::Minute),
        8 => ("", Precision::Second),
        _ => return None,
    };
    let fraction = fraction.unwrap_or("0");
    if clock.len() == 8 && time[..zone_at].contains('.') {
        precision = Precision::Fraction(u8::try_from(fraction.len().min(6)).ok()?);
    }
    let in_utc =
        |zone: &str| Timestamp::parse(&format!("{day}T{clock}{seconds}.{fraction}{zone}")).ok();
    if !zone.is_empty() {
        return Some(Moment::Instant(in_utc(zone)?, precision));
    }
    let micros = in_utc("Z")?.as_micros();
    let at = jiff::Timestamp::from_microsecond(micros).ok()?;
    Some(Moment::Local(TimeZone::UTC.to_datetime(at), precision))
}

fn today(when: &When) -> Date {
    let now = jiff::Timestamp::from_microsecond(when.now.as_micros());
    now.map_or(Date::MIN, |now| when.zone.to_datetime(now).date())
}

/// From the start of one day to the end of another. Days are as long as the zone makes them.
fn days(from: Date, to: Date, zone: &TimeZone) -> Bounds<i64> {
    let first = micros(from.at(0, 0, 0, 0), zone);
    let after = to.tomorrow().ok();
    Bounds {
        first,
        last: after.map_or(i64::MAX, |day| micros(day.at(0, 0, 0, 0), zone) - 1),
    }
}

/// Where the clock shows a time twice, the first; where it skips one, as if it had not.
fn micros(at: DateTime, zone: &TimeZone) -> i64 {
    let instant = zone.to_ambiguous_timestamp(at).compatible();
    // Only times at the very ends of the calendar have none, and there every offset gives an answer that is far away.
    let fallback = if at.year() > 0 { i64::MAX } else { i64::MIN };
    instant.map_or(fallback, |instant| instant.as_microsecond())
}
