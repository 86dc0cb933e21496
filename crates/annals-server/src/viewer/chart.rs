//! The chart above the table: how many events there were when, as bars that lead to their time.

use annals_event::{Field, Query, Step, Steps, Term, Timestamp};
use annals_store::StepCount;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Unit};

use super::address::Address;
use super::pages::{Bar, Chart};
use super::row::grouped;
use super::zone::Zone;

/// The most bars of a chart.
const BARS: usize = 92;
/// A chart of so few days is drawn by the hour.
pub(crate) const DAYS_BY_HOUR: i64 = 3;

/// Units of the drawing: each bar with its gap, the bar itself, and the height of the highest.
const STRIDE: usize = 10;
const WIDTH: usize = 8;
const HEIGHT: u64 = 56;
/// Nothing that happened is too low to be seen.
const LOWEST: u64 = 2;

/// What was counted for a chart.
pub(crate) struct Counted {
    pub(crate) steps: Vec<StepCount>,
    pub(crate) step: Step,
    /// Whether older events are not in it, because counting took too long.
    pub(crate) is_partial: bool,
}

/// What one bar stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

impl Width {
    fn name(self) -> &'static str {
        match self {
            Width::Hour => "hour",
            Width::Day => "day",
            Width::Week => "week",
            Width::Month => "month",
            Width::Year => "year",
        }
    }

    /// The first day of what `date` lies in.
    fn first(self, date: Date) -> Date {
        match self {
            Width::Hour | Width::Day => date,
            Width::Week => {
                let since = date.weekday().since(Weekday::Monday);
                date.checked_sub(i64::from(since).days()).unwrap_or(date)
            }
            Width::Month => date.first_of_month(),
            Width::Year => date.first_of_year(),
        }
    }

    /// The first day of what comes after what begins at `date`.
    fn next(self, date: Date) -> Option<Date> {
        let step = match self {
            Width::Hour | Width::Day => 1.day(),
            Width::Week => 1.week(),
            Width::Month => 1.month(),
            Width::Year => 1.year(),
        };
        date.checked_add(step).ok()
    }

    /// From the first day to the last as the search language writes it, and for people.
    fn texts(self, first: Date) -> (String, String) {
        let last = self
            .next(first)
            .and_then(|next| next.yesterday().ok())
            .unwrap_or(first);
        match self {
            Width::Hour | Width::Day => (
                first.to_string(),
                first.strftime("%a %-d %b %Y").to_string(),
            ),
            Width::Month => (
                first.strftime("%Y-%m").to_string(),
                first.strftime("%B %Y").to_string(),
            ),
            Width::Week => (
                format!("{first}..{last}"),
                format!(
                    "{} to {}",
                    first.strftime("%-d %b %Y"),
                    last.strftime("%-d %b %Y")
                ),
            ),
            Width::Year => (format!("{first}..{last}"), first.year().to_string()),
        }
    }
}

/// A bar before it is drawn: its time for the query and for people, and how many.
struct Part {
    time: String,
    label: String,
    count: u64,
    failed: u64,
}

/// The chart of what was counted; none if nothing was.
pub(crate) fn chart(
    counted: &Counted,
    query: &Query,
    address: &Address,
    zone: &Zone,
) -> Option<Chart> {
    let (parts, width) = match counted.step {
        Step::Hour => (hours(&counted.steps, &zone.tz()), Width::Hour),
        Step::Day => days(&counted.steps, &zone.tz()),
    };
    let most = parts
        .iter()
        .map(|part| part.count)
        .max()
        .filter(|most| *most > 0)?;
    let bars: Vec<Bar> = parts
        .iter()
        .enumerate()
        .map(|(n, part)| bar(n, part, most, query, address))
        .collect();
    let all: u64 = parts.iter().map(|part| part.count).sum();
    let failed: u64 = parts.iter().map(|part| part.failed).sum();
    let highest = parts.iter().max_by_key(|part| part.count)?;
    Some(Chart {
        unit: width.name(),
        stride: STRIDE,
        width: WIDTH,
        height: HEIGHT,
        from: parts.first()?.label.clone(),
        to: parts.last()?.label.clone(),
        summary: format!(
            "{}, of which {} failed, by the {}. The most are {}: {}.",
            events(all),
            grouped(failed),
            width.name(),
            grouped(most),
            highest.label,
        ),
        highest: grouped(most),
        is_partial: counted.is_partial,
        bars,
    })
}

fn bar(n: usize, part: &Part, most: u64, query: &Query, address: &Address) -> Bar {
    // In whole units, and never so low that it cannot be seen.
    let high = |count: u64| match count {
        0 => 0,
        count => (u128::from(count) * u128::from(HEIGHT) / u128::from(most))
            .try_into()
            .map_or(HEIGHT, |high: u64| high.max(LOWEST)),
    };
    let (height, failed_height) = (high(part.count), high(part.failed));
    let height = height.max(failed_height);
    let says = match part.failed {
        0 => events(part.count),
        failed => format!("{}, {} failed", events(part.count), grouped(failed)),
    };
    let term = Query::parse(&format!("time:{}", part.time)).ok();
    let term: Option<Term> = term.and_then(|query| query.terms().first().cloned());
    let narrowed = query.clone().choosing(&Field::Time, term);
    Bar {
        x: n * STRIDE + (STRIDE - WIDTH) / 2,
        hit: n * STRIDE,
        y: HEIGHT - height,
        height,
        failed_y: HEIGHT - failed_height,
        failed_height,
        title: format!("{}: {says}", part.label),
        label: part.label.clone(),
        count: grouped(part.count),
        failed: grouped(part.failed),
        is_empty: part.count == 0,
        href: address.searching(narrowed.to_string()).href(),
    }
}

fn events(count: u64) -> String {
    let unit = if count == 1 { "event" } else { "events" };
    format!("{} {unit}", grouped(count))
}

/// Every hour from the first to the last.
fn hours(steps: &[StepCount], zone: &TimeZone) -> Vec<Part> {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return Vec::new();
    };
    let every = Steps::new(Step::Hour, zone.clone());
    let mut counted = steps.iter().peekable();
    let mut parts = Vec::new();
    let mut at = first.from;
    while at <= last.from && parts.len() < 2 * BARS {
        let around = every.around(Timestamp::clamped(at));
        let found = counted.next_if(|step| step.from == around.start);
        let minute = |micros: i64| format!("{}Z", &Timestamp::clamped(micros).to_string()[..16]);
        let start = jiff::Timestamp::from_microsecond(around.start).unwrap_or_default();
        let local = start.to_zoned(zone.clone());
        parts.push(Part {
            time: format!("{}..{}", minute(around.start), minute(around.end - 1)),
            label: local.strftime("%-d %b %Y, %H:%M").to_string(),
            count: found.map_or(0, |step| step.count),
            failed: found.map_or(0, |step| step.failed),
        });
        at = around.end;
    }
    parts
}

/// Every day from the first to the last, or every week, month or year if there were too many bars.
fn days(steps: &[StepCount], zone: &TimeZone) -> (Vec<Part>, Width) {
    let dates: Vec<(Date, &StepCount)> = steps
        .iter()
        .map(|step| {
            let start = jiff::Timestamp::from_microsecond(step.from).unwrap_or_default();
            (zone.to_datetime(start).date(), step)
        })
        .collect();
    let (Some((first, _)), Some((last, _))) = (dates.first(), dates.last()) else {
        return (Vec::new(), Width::Day);
    };
    let fits = |width: &Width| bars(*width, *first, *last) <= BARS;
    let widths = [Width::Day, Width::Week, Width::Month, Width::Year];
    let fitting = widths.into_iter().find(fits);
    let width = fitting.unwrap_or(Width::Year);
    let mut parts: Vec<(Date, Part)> = Vec::new();
    let part = |date: Date| {
        let (time, label) = width.texts(date);
        let part = Part {
            time,
            label,
            count: 0,
            failed: 0,
        };
        (date, part)
    };
    for (date, step) in &dates {
        let date = width.first(*date);
        // Times that lie centuries apart are somebody's mistake: then only what is not empty is drawn.
        while let Some((before, _)) = parts.last().filter(|_| fitting.is_some()) {
            match width.next(*before).filter(|next| *next < date) {
                Some(next) => parts.push(part(next)),
                None => break,
            }
        }
        if parts.last().is_none_or(|(known, _)| *known != date) {
            parts.push(part(date));
        }
        if let Some((_, part)) = parts.last_mut() {
            part.count += step.count;
            part.failed += step.failed;
        }
    }
    let surplus = parts.len().saturating_sub(BARS);
    let parts = parts.into_iter().skip(surplus).map(|(_, part)| part);
    (parts.collect(), width)
}

/// How many bars there are from one day to another.
fn bars(width: Width, first: Date, last: Date) -> usize {
    let unit = match width {
        Width::Hour | Width::Day => Unit::Day,
        Width::Week => Unit::Week,
        Width::Month => Unit::Month,
        Width::Year => Unit::Year,
    };
    let (first, last) = (width.first(first), width.first(last));
    let between = first.until((unit, last)).map(|span| match unit {
        Unit::Day => i64::from(span.get_days()),
        Unit::Week => i64::from(span.get_weeks()),
        Unit::Month => i64::from(span.get_months()),
        _ => i64::from(span.get_years()),
    });
    between
        .ok()
        .and_then(|between| usize::try_from(between).ok())
        .map_or(usize::MAX, |between| between + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000;

    fn at(text: &str) -> i64 {
        Timestamp::parse(text).unwrap().as_micros()
    }

    fn drawn(days: &[(&str, u64)], zone: &str) -> Chart {
        let zone = Zone::find(zone).unwrap();
        let every = Steps::new(Step::Day, zone.tz());
        let steps = days.iter().map(|(day, count)| {
            let around = every.around(Timestamp::parse(&format!("{day}T12:00:00Z")).unwrap());
            StepCount {
                from: around.start,
                to: around.end,
                count: *count,
                failed: count / 2,
            }
        });
        let counted = Counted {
            steps: steps.collect(),
            step: Step::Day,
            is_partial: false,
        };
        let query = Query::parse("actor:ana time:-90d").unwrap();
        chart(&counted, &query, &Address::new("o"), &zone).unwrap()
    }

    #[test]
    fn bars_are_days_weeks_months_or_years_so_that_they_fit() {
        for (last, unit, bars, first_bar) in [
            ("2026-01-20", "day", 20, "time:2026-01-01"),
            ("2026-04-02", "day", 92, "time:2026-01-01"),
            ("2026-04-03", "week", 14, "time:2025-12-29..2026-01-04"),
            ("2027-12-31", "month", 24, "time:2026-01"),
            ("2050-01-01", "year", 25, "time:2026-01-01..2026-12-31"),
        ] {
            let chart = drawn(&[("2026-01-01", 4), (last, 1)], "Europe/Berlin");
            assert_eq!((chart.unit, chart.bars.len()), (unit, bars), "{last}");
            let href = &chart.bars[0].href;
            let expected = format!("q=actor:ana%20{first_bar}");
            assert!(href.contains(&expected), "{href}");
            let counts: Vec<&str> = chart.bars.iter().map(|bar| bar.count.as_str()).collect();
            assert_eq!((counts[0], counts[bars - 1]), ("4", "1"));
            assert!(counts[1..bars - 1].iter().all(|count| *count == "0"));
        }
        // A time by mistake does not hide the others.
        let chart = drawn(
            &[("0001-01-02", 1), ("2025-01-01", 3), ("2026-05-05", 9)],
            "UTC",
        );
        assert_eq!((chart.unit, chart.bars.len()), ("year", 3));
    }

    #[test]
    fn every_hour_has_a_bar_even_where_clocks_change() {
        let zone = Zone::find("Europe/Berlin").unwrap();
        let step = |from: &str, count| StepCount {
            from: at(from),
            to: at(from) + DAY / 24,
            count,
            failed: 0,
        };
        let counted = Counted {
            steps: vec![
                step("2026-10-24T22:00:00Z", 2),
                step("2026-10-25T22:00:00Z", 5),
            ],
            step: Step::Hour,
            is_partial: false,
        };
        let chart = chart(&counted, &Query::default(), &Address::new("o"), &zone).unwrap();
        assert_eq!((chart.unit, chart.bars.len()), ("hour", 25));
        assert_eq!(chart.bars[0].label, "25 Oct 2026, 00:00");
        assert!(
            chart.bars[2]
                .href
                .contains("time:2026-10-25T00:00Z..2026-10-25T00:59Z")
        );
        assert_eq!((chart.bars[2].height, chart.bars[24].height), (0, HEIGHT));
        assert!(chart.bars[0].height > LOWEST);
    }
}
