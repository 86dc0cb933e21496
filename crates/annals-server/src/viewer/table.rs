//! The page of the table, filled with what was found.

use annals_event::{Query, QueryError, Row};
use annals_store::{Count, ListOrder, ListQuery, Unreadable};

use super::address::{Address, SIZES};
use super::chart::{Counted, chart};
use super::filters::{self, Filters};
use super::pages::{
    Choice, Download, Drawer, EventView, LogPage, Nothing, Pager, Summary, Trouble,
};
use super::row::{Scene, grouped};
use super::seen::Seen;
use super::visible::{short, visible};
use super::{shared_link, shell};
use crate::app::App;
use crate::portal::{Guest, Visitor};

/// What the store found for a page.
pub(crate) struct Asked {
    pub(crate) rows: Vec<Row>,
    pub(crate) as_of: u64,
    pub(crate) count: Count,
    pub(crate) partial: Option<u64>,
    pub(crate) unreadable: Vec<Unreadable>,
    pub(crate) newer: bool,
    pub(crate) older: bool,
    /// For the chart above the table, if it could be counted.
    pub(crate) counted: Option<Counted>,
    pub(crate) seen: Seen,
}

/// Everything that a page is made from.
pub(crate) struct Filling<'a> {
    pub(crate) scene: &'a Scene<'a>,
    pub(crate) address: &'a Address,
    pub(crate) fixed: &'a Address,
    pub(crate) typed: String,
    pub(crate) trouble: Option<Trouble>,
    pub(crate) asked: &'a Asked,
    pub(crate) size: u64,
    pub(crate) e: Option<EventView>,
}

/// Makes the page.
pub(crate) fn fill(app: &App, guest: &Guest, visitor: &Visitor, f: Filling<'_>) -> LogPage {
    let Filling {
        scene,
        address,
        fixed,
        typed,
        trouble,
        asked,
        size,
        mut e,
    } = f;
    let filters = Filters {
        query: scene.query,
        address,
        catalogue: scene.catalogue,
        own: own_actions(app),
        seen: &asked.seen,
    };
    let rows: Vec<_> = asked.rows.iter().map(|row| scene.row(row)).collect();
    let words = filters.in_words();
    let count = counted(asked.count);
    let what = if words.is_empty() {
        "everything that is kept".to_owned()
    } else {
        words.clone()
    };
    let about = match visitor.organization.retention.in_force(scene.now) {
        Some(days) => format!(
            "Who did what in {}, and when. Kept for {days} days.",
            visible(&visitor.organization.name, false)
        ),
        None => format!(
            "Who did what in {}, and when. Kept for ever.",
            visible(&visitor.organization.name, false)
        ),
    };
    let title = match (&e, words.is_empty()) {
        (Some(e), _) => short(&e.headline, 80),
        (None, true) => "All events".to_owned(),
        (None, false) => short(&words, 80),
    };
    if let Some(e) = &mut e {
        e.link = shared_link(app, visitor, &e.link);
    }
    let zone = filters::zone_pill(address, scene.zone, scene.now);
    LogPage {
        shell: shell(visitor, guest, address.embed, &title),
        about,
        root: address.root(),
        filter: format!("{}/filter", address.root()),
        clear: address.searching("").href(),
        copy: shared_link(app, visitor, &fixed.href()),
        query: if trouble.is_some() { typed } else { address.query.clone() },
        carried: {
            let mut carried = address.carried(false);
            if !address.query.is_empty() {
                carried.push(("was", address.query.clone()));
            }
            carried
        },
        carried_query: address.carried(true),
        times: filters.times(scene.zone, scene.now),
        events: filters.events(),
        texts: filters.texts(),
        outcomes: filters.outcomes(),
        presets: filters.presets(),
        examples: filters.examples(),
        chips: filters.chips(),
        zone_label: zone.label.trim_start_matches("Times in ").to_owned(),
        zone,
        partial: asked.partial.map(|reached| Choice {
            label: "Go on from there".to_owned(),
            note: format!(
                "The search stopped after its time, at position {}. Choose a shorter time or an actor, or",
                grouped(reached)
            ),
            href: Address { before: Some(reached), after: None, skipped: fixed.skipped + rows.len() as u64, ..fixed.clone() }.href(),
            current: false,
        }),
        unreadable: unreadable(&asked.unreadable),
        chart: asked.counted.as_ref().and_then(|counted| chart(counted, scene.query, address, scene.zone)),
        download: (visitor.may_download() && asked.as_of > 0).then(|| download(fixed, &count, &what, asked.as_of)),
        summary: Summary {
            count_unit: if asked.count == Count::Exact(1) { "event" } else { "events" },
            count: count.clone(),
            what: if words.is_empty() { "All events".to_owned() } else { words.clone() },
            as_of: format!("As of {} {}", scene.zone.moment(scene.now, scene.now).clock, scene.zone.offset(scene.now)),
            newer: (size > asked.as_of).then(|| Choice {
                label: format!("Show {} newer", grouped(size - asked.as_of)),
                note: String::new(),
                href: address.searching(address.query.clone()).href(),
                current: false,
            }),
        },
        nothing: rows.is_empty().then(|| nothing(&filters, size, &words, visitor)),
        pager: pager(fixed, asked, &count),
        missing: address.event.is_some() && e.is_none(),
        drawer: e.as_ref().map(|e| beside(fixed, asked, e)),
        trouble,
        rows,
        e,
    }
}

/// The actions that the product has given schemas, oldest first, without those that the catalogue names.
fn own_actions(app: &App) -> Vec<String> {
    let query = ListQuery {
        limit: ListQuery::LIMIT_MAX,
        order: ListOrder::Asc,
        ..ListQuery::default()
    };
    let names = app
        .store
        .actions(&query)
        .map(|page| page.items)
        .unwrap_or_default();
    let names = names.into_iter().map(|action| action.name);
    names
        .filter(|name| app.catalogue().get(name).is_none())
        .collect()
}

fn counted(count: Count) -> String {
    match count {
        Count::Exact(n) => grouped(n),
        Count::MoreThan(n) => format!("More than {}", grouped(n)),
        Count::AtLeast(n) => format!("At least {}", grouped(n)),
    }
}

fn download(fixed: &Address, count: &str, what: &str, as_of: u64) -> Download {
    let csv = fixed.below("/download.csv");
    let sign = if csv.contains('?') { '&' } else { '?' };
    let unit = if count == "1" { "event" } else { "events" };
    Download {
        count: format!("{} {unit}", count.to_lowercase()),
        says: format!("{count} {unit}: {what}. All columns, newest first, times in UTC."),
        excel: format!("{csv}{sign}excel=1"),
        csv,
        ndjson: fixed.below("/download.ndjson"),
        parquet: fixed.below("/download.parquet"),
        proof: format!("{}/download.proof?as_of={as_of}", fixed.root()),
        proof_says: format!(
            "All {} events of the log, whatever the filters: only a whole range can be proven complete. Check it with annals verify.",
            grouped(as_of)
        ),
    }
}

/// Which events cannot be read, in words; none if all can.
fn unreadable(unreadable: &[Unreadable]) -> Option<String> {
    const NAMED: usize = 3;
    let named = unreadable.iter().take(NAMED).map(|part| {
        let (first, last) = (part.positions.start, part.positions.end.saturating_sub(1));
        match first == last {
            true => grouped(first),
            false => format!("{} to {}", grouped(first), grouped(last)),
        }
    });
    let named: Vec<String> = named.collect();
    let more = match unreadable.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {more} more stretches"),
    };
    (!named.is_empty()).then(|| {
        format!(
            "What holds the events at the positions {}{more} is damaged. All others are searched and shown. Whoever operates this log has been told, and can restore them from a backup.",
            named.join(", ")
        )
    })
}

fn nothing(filters: &Filters<'_>, size: u64, words: &str, visitor: &Visitor) -> Nothing {
    if size == 0 {
        return Nothing {
            heading: "Nothing recorded yet".to_owned(),
            text: format!(
                "What happens in {} appears here from the first event on: logins, invitations, changes of roles, of projects and of issues.",
                visible(&visitor.organization.name, false)
            ),
            links: Vec::new(),
            first_time: true,
        };
    }
    Nothing {
        heading: "No event matches".to_owned(),
        text: format!("0 of {} events match: {words}.", grouped(size)),
        links: filters.looser(),
        first_time: false,
    }
}

fn pager(fixed: &Address, asked: &Asked, count: &str) -> Pager {
    let shown = asked.rows.len() as u64;
    let page = |before: Option<u64>, after: Option<u64>, skipped: u64| {
        Address {
            before,
            after,
            skipped,
            event: None,
            ..fixed.clone()
        }
        .href()
    };
    let last = asked.rows.last().map(|row| row.position);
    let first = asked.rows.first().map(|row| row.position);
    let skipped = if asked.newer { fixed.skipped } else { 0 };
    let says = if shown == 0 {
        String::new()
    } else {
        format!(
            "{}–{} of {}",
            grouped(skipped + 1),
            grouped(skipped + shown),
            count.to_lowercase()
        )
    };
    Pager {
        newer: first
            .filter(|_| asked.newer)
            .map(|first| page(None, Some(first), skipped.saturating_sub(fixed.rows as u64))),
        older: last
            .filter(|_| asked.older)
            .map(|last| page(Some(last), None, skipped + shown)),
        says,
        sizes: SIZES
            .into_iter()
            .map(|size| Choice {
                label: size.to_string(),
                note: String::new(),
                href: Address {
                    rows: size,
                    before: None,
                    after: None,
                    skipped: 0,
                    event: None,
                    ..fixed.clone()
                }
                .href(),
                current: size == fixed.rows,
            })
            .collect(),
    }
}

/// The links of the panel: to the rows above and below, to the event's page, and away.
fn beside(fixed: &Address, asked: &Asked, e: &EventView) -> Drawer {
    let at = asked.rows.iter().position(|row| row.position == e.position);
    let open = |row: &Row| {
        let id = row.skeleton().id.clone();
        format!(
            "{}#p{}",
            Address {
                event: Some(id),
                ..fixed.clone()
            }
            .href(),
            row.position
        )
    };
    let id = fixed.event.clone().unwrap_or_default();
    Drawer {
        close: format!(
            "{}#p{}",
            Address {
                event: None,
                ..fixed.clone()
            }
            .href(),
            e.position
        ),
        newer: at
            .and_then(|at| at.checked_sub(1))
            .and_then(|at| asked.rows.get(at))
            .map(open),
        older: at.and_then(|at| asked.rows.get(at + 1)).map(open),
        page: fixed.event_page(&id),
    }
}

/// What is wrong with a query, with the text around the place.
pub(crate) fn trouble(
    address: &Address,
    typed: &str,
    error: &QueryError,
    shown: &Query,
) -> Trouble {
    let column = error.column.max(1);
    let before: String = typed.chars().take(column - 1).collect();
    let rest: Vec<char> = typed.chars().skip(column - 1).collect();
    // The word that starts there, or a blank where the text ends.
    let word = rest
        .iter()
        .position(|c| c.is_whitespace() || *c == ':')
        .unwrap_or(rest.len())
        .max(usize::from(!rest.is_empty()));
    let at: String = rest[..word].iter().collect();
    let after: String = rest[word..].iter().collect();
    let suggestion = error.suggestion.as_ref().map(|suggestion| Choice {
        label: short(suggestion, 200),
        note: String::new(),
        href: address
            .searching(format!("{before}{suggestion}{after}"))
            .href(),
        current: false,
    });
    let shown = if shown.is_empty() {
        "Below are all events."
    } else {
        "Below are the results of the query before."
    };
    Trouble {
        message: quoted(&visible(&error.message, false)),
        column,
        before: short(&before, 300),
        at: if at.is_empty() {
            "\u{a0}".to_owned()
        } else {
            short(&at, 300)
        },
        after: short(&after, 300),
        suggestion,
        shown: shown.to_owned(),
    }
}

/// A message of the language for a page: `actor` as “actor”.
fn quoted(message: &str) -> String {
    let mut open = false;
    let quote = |c: char| match c {
        '`' => {
            open = !open;
            if open { '“' } else { '”' }
        }
        other => other,
    };
    message.chars().map(quote).collect()
}
