//! Steps follow on each other without a gap, whatever the clocks of a zone do.

use annals_event::{Filter, Query, Step, Steps, Timestamp, When};
use jiff::tz::TimeZone;
use proptest::prelude::*;

/// Clocks that change by an hour, by half an hour, over midnight, at 00:01, by a whole day, by odd seconds, never.
const ZONES: [&str; 9] = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Havana",
    "America/St_Johns",
    "Pacific/Apia",
    "Africa/Monrovia",
    "America/Sao_Paulo",
];

const HOUR: i64 = 3_600_000_000;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn steps(step: Step, zone: &str) -> Steps {
    Steps::new(step, TimeZone::get(zone).unwrap())
}

fn printed(step: Step, zone: &str, time: &str) -> (String, String) {
    let around = steps(step, zone).around(at(time));
    let text = |micros| Timestamp::clamped(micros).to_string()[..16].to_owned();
    (text(around.start), text(around.end))
}

#[test]
fn days_and_hours_are_those_of_the_zone() {
    let day = |zone, time| printed(Step::Day, zone, time);
    let hour = |zone, time| printed(Step::Hour, zone, time);
    let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
    assert_eq!(
        day("UTC", "2026-11-22T23:59:59.999999Z"),
        pair("2026-11-22T00:00", "2026-11-23T00:00")
    );
    // 25 hours.
    assert_eq!(
        day("Europe/Berlin", "2026-10-25T12:00:00Z"),
        pair("2026-10-24T22:00", "2026-10-25T23:00")
    );
    assert_eq!(
        hour("Asia/Kathmandu", "2026-10-25T12:20:00Z"),
        pair("2026-10-25T12:15", "2026-10-25T13:15")
    );
    // From +11:00 to +10:30 at 15:00 UTC: half an hour is left of the hour that begins anew.
    assert_eq!(
        hour("Australia/Lord_Howe", "2026-04-04T14:59:00Z"),
        pair("2026-04-04T14:00", "2026-04-04T15:00")
    );
    assert_eq!(
        hour("Australia/Lord_Howe", "2026-04-04T15:01:00Z"),
        pair("2026-04-04T15:00", "2026-04-04T15:30")
    );
    // A day that this place never had.
    assert_eq!(
        day("Pacific/Apia", "2011-12-30T09:00:00Z"),
        pair("2011-12-29T10:00", "2011-12-30T10:00")
    );
}

#[test]
fn the_ends_of_the_calendar_have_steps_too() {
    for zone in ZONES {
        for step in [Step::Hour, Step::Day] {
            for time in [Timestamp::MIN, Timestamp::MAX] {
                assert!(steps(step, zone).around(time).contains(&time.as_micros()));
            }
        }
    }
}

proptest! {
    #[test]
    fn every_moment_lies_in_one_step(
        zone in 0..ZONES.len(),
        years in 0i64..150,
        within in 0i64..366 * 24 * HOUR,
        step in prop_oneof![Just(Step::Hour), Just(Step::Day)],
        into in 0.0..1.0f64,
    ) {
        // From 1890 on, when clocks still went by the sun.
        let time = Timestamp::clamped(at("1890-01-01T00:00:00Z").as_micros() + years * 8_766 * HOUR + within);
        let steps = steps(step, ZONES[zone]);
        let around = steps.around(time);
        prop_assert!(around.contains(&time.as_micros()));
        let longest = if step == Step::Hour { HOUR } else { 49 * HOUR };
        prop_assert!(around.end - around.start <= longest);
        // All of it says the same, and its neighbours begin where it ends.
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any place in it will do")]
        let other = around.start + (into * (around.end - around.start) as f64) as i64;
        prop_assert_eq!(steps.around(Timestamp::clamped(other)), around.clone());
        prop_assert_eq!(steps.around(Timestamp::clamped(around.end)).start, around.end);
        prop_assert_eq!(steps.around(Timestamp::clamped(around.start - 1)).end, around.start);
    }

    #[test]
    fn a_day_is_what_the_search_language_calls_so(zone in 0..ZONES.len(), days in 0i64..50_000) {
        let time = Timestamp::clamped(at("1900-01-01T12:00:00Z").as_micros() + days * 24 * HOUR);
        let zone = TimeZone::get(ZONES[zone]).unwrap();
        let around = Steps::new(Step::Day, zone.clone()).around(time);
        let start = jiff::Timestamp::from_microsecond(around.start).unwrap();
        let date = zone.to_datetime(start).date();
        let when = When { now: time, zone };
        let filter: Filter = Query::parse(&format!("time:{date}")).unwrap().resolve(&when).unwrap();
        let (from, to) = filter.window();
        prop_assert_eq!(from.unwrap().as_micros()..to.unwrap().as_micros(), around);
        prop_assert!(filter.is_range());
    }
}
