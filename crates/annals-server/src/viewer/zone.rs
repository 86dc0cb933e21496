//! Times as a person reads them, always with the zone that they are in.

use annals_event::Timestamp;
use jiff::tz::TimeZone;

/// The zone that a page shows.
#[derive(Clone)]
pub(crate) struct Zone {
    zone: TimeZone,
    name: String,
}

/// A time, ready for a page.
pub(crate) struct Moment {
    /// RFC 3339, UTC, for `<time datetime>`.
    pub(crate) iso: String,
    /// `14:41:07`, with the offset where it is not the one that the page names.
    pub(crate) clock: String,
    /// `22 Nov 2026`.
    pub(crate) day: String,
    /// `22 Nov 2026, 14:41:07.120394 UTC+01:00`.
    pub(crate) full: String,
    /// The same in UTC, where the page shows another zone.
    pub(crate) other: Option<String>,
}

impl Zone {
    /// Coordinated universal time.
    pub(crate) fn utc() -> Zone {
        Zone {
            zone: TimeZone::UTC,
            name: "UTC".to_owned(),
        }
    }

    /// A zone by its name in the tz database, such as `Europe/Berlin`.
    pub(crate) fn find(name: &str) -> Option<Zone> {
        if name.eq_ignore_ascii_case("utc") {
            return Some(Zone::utc());
        }
        // Names are letters, digits and a few signs; nothing else reaches the file system.
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/_+-".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
            return None;
        }
        let zone = TimeZone::get(name).ok()?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Some(Zone { zone, name })
    }

    pub(crate) fn is_utc(&self) -> bool {
        self.name == "UTC"
    }

    /// The name, as it stands in an address.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// For the query language, which reads dates in this zone.
    pub(crate) fn tz(&self) -> TimeZone {
        self.zone.clone()
    }

    /// `UTC` or `Europe/Berlin (UTC+01:00)`, with the offset in force at `now`.
    pub(crate) fn label(&self, now: Timestamp) -> String {
        if self.is_utc() {
            return "UTC".to_owned();
        }
        format!("{} ({})", self.name, self.offset(now))
    }

    /// `UTC+01:00`.
    pub(crate) fn offset(&self, at: Timestamp) -> String {
        let seconds = match jiff_time(at) {
            Some(time) => self.zone.to_offset(time).seconds(),
            None => 0,
        };
        offset_text(seconds)
    }

    /// A time of the page, whose other times are in the offset of `now`.
    pub(crate) fn moment(&self, at: Timestamp, now: Timestamp) -> Moment {
        let iso = at.to_string();
        let Some(time) = jiff_time(at) else {
            // Outside of what calendars cover: the exact text says it best.
            return Moment {
                clock: iso.clone(),
                day: String::new(),
                full: iso.clone(),
                iso,
                other: None,
            };
        };
        let local = time.to_zoned(self.zone.clone());
        let seconds = local.strftime("%H:%M:%S").to_string();
        let day = local.strftime("%-d %b %Y").to_string();
        let offset = offset_text(local.offset().seconds());
        let micros = at.as_micros().rem_euclid(1_000_000);
        let full = format!("{day}, {seconds}.{micros:06} {offset}");
        let clock = if offset == self.offset(now) {
            seconds
        } else {
            format!("{seconds} {offset}")
        };
        let other = (!self.is_utc()).then(|| {
            let utc = time.to_zoned(TimeZone::UTC);
            format!("{}.{micros:06} UTC", utc.strftime("%-d %b %Y, %H:%M:%S"))
        });
        Moment {
            iso,
            clock,
            day,
            full,
            other,
        }
    }
}

fn jiff_time(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(at.as_micros()).ok()
}

fn offset_text(seconds: i32) -> String {
    if seconds == 0 {
        return "UTC".to_owned();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// Words for a span of time, in its largest unit.
pub(crate) fn span(micros: u64) -> String {
    const UNITS: [(u64, &str); 4] = [
        (86_400_000_000, "day"),
        (3_600_000_000, "hour"),
        (60_000_000, "minute"),
        (1_000_000, "second"),
    ];
    for (size, unit) in UNITS {
        if micros >= size {
            let n = micros / size;
            return format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
        }
    }
    format!("{} ms", micros / 1_000)
}

/// Zones that the form offers; any other name can be typed.
pub(crate) const OFFERED: &[&str] = &[
    "UTC",
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "Africa/Nairobi",
    "America/Anchorage",
    "America/Argentina/Buenos_Aires",
    "America/Bogota",
    "America/Chicago",
    "America/Denver",
    "America/Halifax",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Phoenix",
    "America/Sao_Paulo",
    "America/Toronto",
    "Asia/Bangkok",
    "Asia/Dhaka",
    "Asia/Dubai",
    "Asia/Hong_Kong",
    "Asia/Jakarta",
    "Asia/Karachi",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Manila",
    "Asia/Seoul",
    "Asia/Shanghai",
    "Asia/Singapore",
    "Asia/Tashkent",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Atlantic/Reykjavik",
    "Australia/Adelaide",
    "Australia/Brisbane",
    "Australia/Perth",
    "Australia/Sydney",
    "Europe/Amsterdam",
    "Europe/Athens",
    "Europe/Berlin",
    "Europe/Brussels",
    "Europe/Dublin",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Europe/Kyiv",
    "Europe/Lisbon",
    "Europe/London",
    "Europe/Madrid",
    "Europe/Moscow",
    "Europe/Oslo",
    "Europe/Paris",
    "Europe/Prague",
    "Europe/Rome",
    "Europe/Stockholm",
    "Europe/Vienna",
    "Europe/Warsaw",
    "Europe/Zurich",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Honolulu",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_time_names_its_offset_where_it_is_not_the_pages() {
        let berlin = Zone::find("Europe/Berlin").unwrap();
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(berlin.label(now), "Europe/Berlin (UTC+01:00)");
        assert_eq!(
            berlin.moment(at("2026-11-22T13:41:07Z"), now).clock,
            "14:41:07"
        );
        let summer = berlin.moment(at("2026-07-01T13:41:07.5Z"), now);
        assert_eq!(summer.clock, "15:41:07 UTC+02:00");
        assert_eq!(summer.full, "1 Jul 2026, 15:41:07.500000 UTC+02:00");
        assert_eq!(summer.other.unwrap(), "1 Jul 2026, 13:41:07.500000 UTC");
    }

    #[test]
    fn half_hours_and_the_other_side_of_the_date_line() {
        let now = at("2026-11-22T12:00:00Z");
        assert_eq!(Zone::find("Asia/Kolkata").unwrap().offset(now), "UTC+05:30");
        assert_eq!(
            Zone::find("Pacific/Apia").unwrap().moment(now, now).day,
            "23 Nov 2026"
        );
    }

    #[test]
    fn names_that_are_no_zone() {
        for name in ["", "../../etc/passwd", "Mars/Olympus", "Europe/Berlin\n"] {
            assert!(Zone::find(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn every_offered_zone_exists() {
        for name in OFFERED {
            assert!(Zone::find(name).is_some(), "{name}");
        }
    }
}
