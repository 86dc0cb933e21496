use annals_event::{Timestamp, TimestampError};
use proptest::prelude::*;

use crate::strategy;

#[test]
fn times_are_read_and_printed() {
    for (text, printed) in [
        ("2026-11-22T09:30:00Z", "2026-11-22T09:30:00.000000Z"),
        ("2026-11-22T09:30:00.1Z", "2026-11-22T09:30:00.100000Z"),
        ("2026-11-22T09:30:00.123Z", "2026-11-22T09:30:00.123000Z"),
        (
            "2026-11-22T09:30:00.1234569Z",
            "2026-11-22T09:30:00.123456Z",
        ),
        (
            "2026-11-22T09:30:00.999999999999Z",
            "2026-11-22T09:30:00.999999Z",
        ),
        ("2026-11-22t09:30:00z", "2026-11-22T09:30:00.000000Z"),
        ("2026-11-22T01:30:00+02:00", "2026-11-21T23:30:00.000000Z"),
        ("2026-12-31T23:59:59.5-00:30", "2027-01-01T00:29:59.500000Z"),
        ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000Z"),
        ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
        ("0000-12-31T23:00:00-01:00", "0001-01-01T00:00:00.000000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ] {
        assert_eq!(
            Timestamp::parse(text).map(|time| time.to_string()),
            Ok(printed.to_owned())
        );
    }
    assert_eq!(
        Timestamp::parse("1970-01-01T00:00:00.000001Z").map(Timestamp::as_micros),
        Ok(1)
    );
}

#[test]
fn other_texts_are_refused() {
    use TimestampError::{LeapSecond, Range, Syntax};
    for (text, error) in [
        ("2016-12-31T23:59:60Z", LeapSecond),
        ("0000-01-01T00:00:00Z", Range),
        ("0001-01-01T00:00:00+00:01", Range),
        ("9999-12-31T23:59:59-00:01", Range),
        ("2026-11-22", Syntax),
        ("2026-11-22T09:30:00", Syntax),
        ("2026-11-22T09:30Z", Syntax),
        ("2026-11-22 09:30:00Z", Syntax),
        ("2026-11-22T09:30:00.Z", Syntax),
        ("2026-11-22T09:30:00,5Z", Syntax),
        ("2026-11-22T09:30:00+0100", Syntax),
        ("2026-11-22T09:30:00+24:00", Syntax),
        ("2026-11-22T09:30:00+01:60", Syntax),
        ("2026-11-22T09:30:00Z ", Syntax),
        (" 2026-11-22T09:30:00Z", Syntax),
        ("2026-13-22T09:30:00Z", Syntax),
        ("2026-00-22T09:30:00Z", Syntax),
        ("2026-11-31T09:30:00Z", Syntax),
        ("2026-11-00T09:30:00Z", Syntax),
        ("2026-02-29T09:30:00Z", Syntax),
        ("1900-02-29T09:30:00Z", Syntax),
        ("2026-11-22T24:00:00Z", Syntax),
        ("2026-11-22T09:60:00Z", Syntax),
        ("2026-11-22T09:30:61Z", Syntax),
        ("+026-11-22T09:30:00Z", Syntax),
        ("２026-11-22T09:30:00Z", Syntax),
        ("", Syntax),
    ] {
        assert_eq!(Timestamp::parse(text), Err(error), "{text}");
    }
}

#[test]
fn the_range_ends() {
    let (min, max) = (Timestamp::MIN.as_micros(), Timestamp::MAX.as_micros());
    assert_eq!(Timestamp::from_micros(min - 1), None);
    assert_eq!(Timestamp::from_micros(max + 1), None);
    assert_eq!(Timestamp::clamped(i64::MIN), Timestamp::MIN);
    assert_eq!(Timestamp::clamped(i64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.to_string(), "0001-01-01T00:00:00.000000Z");
    assert_eq!(Timestamp::MAX.to_string(), "9999-12-31T23:59:59.999999Z");
}

proptest! {
    #[test]
    fn printing_and_reading_agree(time in strategy::time()) {
        prop_assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
    }

    #[test]
    fn order_of_text_is_order_of_time(a in strategy::time(), b in strategy::time()) {
        prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
    }

    #[test]
    fn another_calendar_agrees(
        time in (-62_000_000_000_000_000..253_000_000_000_000_000i64)
            .prop_filter_map("in range", Timestamp::from_micros),
        hours in -12i32..=14,
    ) {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(i8::try_from(hours).expect("small")));
        let theirs = jiff::Timestamp::from_microsecond(time.as_micros()).expect("in range");
        let text = theirs.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S.%6f%:z").to_string();
        prop_assert_eq!(Timestamp::parse(&text), Ok(time));
        prop_assert_eq!(theirs.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(), time.to_string());
    }
}
