use std::fmt;

/// A moment, in microseconds since 1970-01-01T00:00:00Z, always UTC, from year 1 to year 9999.
///
/// Printed it has exactly six digits and `Z`: `2026-11-22T09:30:00.000000Z`. Leap seconds do not exist here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a text is not a time that Annals keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Not of the form `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)`, or no such day or hour.
    #[error("is not a time of RFC 3339 with a zone, such as 2026-11-22T09:30:00Z")]
    Syntax,
    /// A leap second, which has no place on the scale of the others.
    #[error("has a leap second (:60), which is not accepted")]
    LeapSecond,
    /// Outside year 1 to 9999 once it is converted to UTC.
    #[error("lies outside the years 0001 to 9999")]
    Range,
}

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

impl Timestamp {
    /// The first moment of year 1.
    pub const MIN: Self = Self(-62_135_596_800 * SECOND);
    /// The last microsecond of year 9999.
    pub const MAX: Self = Self(253_402_300_800 * SECOND - 1);

    /// From microseconds since the epoch; `None` outside year 1 to 9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0)
            .contains(&micros)
            .then_some(Self(micros))
    }

    /// From microseconds since the epoch, moved to the nearest moment of year 1 to 9999.
    pub fn clamped(micros: i64) -> Self {
        Self(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// Reads RFC 3339 with any offset. Digits finer than a microsecond are cut.
    ///
    /// # Errors
    /// [`TimestampError`] where the text has no zone, is no such form, names a leap second or leaves the range.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        use TimestampError::{LeapSecond, Range, Syntax};
        let b = text.as_bytes();
        let shape = b.len() >= 20
            && b[4] == b'-'
            && b[7] == b'-'
            && matches!(b[10], b'T' | b't')
            && b[13] == b':'
            && b[16] == b':';
        if !shape {
            return Err(Syntax);
        }
        let two = |at: usize| number(&b[at..at + 2]).ok_or(Syntax);
        let year = number(&b[0..4]).ok_or(Syntax)?;
        let (month, day) = (two(5)?, two(8)?);
        let (hour, minute, second) = (two(11)?, two(14)?, two(17)?);
        if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
            return Err(Syntax);
        }
        if hour > 23 || minute > 59 || second > 60 {
            return Err(Syntax);
        }
        if second == 60 {
            return Err(LeapSecond);
        }
        let (micros, zone) = fraction(&b[19..])?;
        let offset = offset_minutes(zone)?;
        let seconds = (hour * 60 + minute - offset) * 60 + second;
        let total = days_from_civil(year, month, day) * DAY + seconds * SECOND + micros;
        Self::from_micros(total).ok_or(Range)
    }

    /// The printed form, in ASCII.
    pub(crate) fn printed(self) -> [u8; 27] {
        Printed::new(self).0
    }

    /// Appends the printed form.
    pub fn write_to(self, out: &mut String) {
        out.push_str(Printed::new(self).as_str());
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Printed::new(*self).as_str())
    }
}

impl std::str::FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        Self::parse(text)
    }
}

/// The 27 ASCII bytes of a printed time.
struct Printed([u8; 27]);

impl Printed {
    fn new(time: Timestamp) -> Self {
        let (days, within) = (time.0.div_euclid(DAY), time.0.rem_euclid(DAY));
        let (year, month, day) = civil_from_days(days);
        let (seconds, micros) = (within / SECOND, within % SECOND);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], seconds / 3600);
        digits(&mut text[14..16], seconds / 60 % 60);
        digits(&mut text[17..19], seconds % 60);
        digits(&mut text[20..26], micros);
        Self(text)
    }

    fn as_str(&self) -> &str {
        // ASCII by construction, so the fallback is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn digits(out: &mut [u8], mut value: i64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| {
        digit
            .is_ascii_digit()
            .then(|| value * 10 + i64::from(digit - b'0'))
    })
}

/// The microseconds of a fraction, and what follows it.
fn fraction(rest: &[u8]) -> Result<(i64, &[u8]), TimestampError> {
    let Some(rest) = rest.strip_prefix(b".") else {
        return Ok((0, rest));
    };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if length == 0 {
        return Err(TimestampError::Syntax);
    }
    let kept = &rest[..length.min(6)];
    let scale = [100_000, 10_000, 1_000, 100, 10, 1][kept.len() - 1];
    let micros = number(kept).ok_or(TimestampError::Syntax)? * scale;
    Ok((micros, &rest[length..]))
}

fn offset_minutes(zone: &[u8]) -> Result<i64, TimestampError> {
    match zone {
        [b'Z' | b'z'] => Ok(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let hours = number(&[*h1, *h2]).filter(|hours| *hours <= 23);
            let minutes = number(&[*m1, *m2]).filter(|minutes| *minutes <= 59);
            let (Some(hours), Some(minutes)) = (hours, minutes) else {
                return Err(TimestampError::Syntax);
            };
            let offset = hours * 60 + minutes;
            Ok(if *sign == b'-' { -offset } else { offset })
        }
        _ => Err(TimestampError::Syntax),
    }
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a day of the proleptic Gregorian calendar, counting years from March so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
