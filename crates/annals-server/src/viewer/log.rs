//! The table, and the event beside it.

use annals_event::{Filter, Json, Query, QueryError, Row, When};
use annals_store::{Count, Order, Search, StoreError};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::address::{Address, SIZES};
use super::event::Whole;
use super::filters::{self, Filters};
use super::pages::{
    Choice, Download, Drawer, EventPage, EventView, LogPage, Nothing, Pager, Summary, Trouble,
};
use super::proof;
use super::row::{Scene, grouped};
use super::visible::{short, visible};
use super::zone::Zone;
use super::{Stop, encode, failing, message, reading, render, shared_link, shell};
use crate::app::App;
use crate::portal::{self, Guest, Visitor};

/// How far matches are counted.
const COUNT: u64 = 10_000;

/// `/w/{organization}/audit-logs`
pub(crate) async fn page(
    State(app): State<App>,
    guest: Guest,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = pairs(query.as_deref());
    show(&app, &guest, &organization, &pairs)
        .await
        .unwrap_or_else(Stop::into_response)
}

/// `/w/{organization}/audit-logs/filter`: puts what a form chose into the query.
pub(crate) async fn filter(
    State(app): State<App>,
    guest: Guest,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    if let Err(stop) = portal::enter(&app, &guest, &organization).await {
        return stop.into_response();
    }
    let pairs = pairs(query.as_deref());
    let address = Address::read(&organization, &pairs);
    match filters::apply(&address, &pairs) {
        Ok(address) => portal::redirect(&address.href()),
        // The page says what is wrong, and goes on showing what it showed.
        Err(_) => {
            let tried = address.searching(filters::typed(&address, &pairs)).href();
            portal::redirect(&format!("{tried}&was={}", encode(&address.query)))
        }
    }
}

/// `/w/{organization}/audit-logs/event/{id}`
pub(crate) async fn event(
    State(app): State<App>,
    guest: Guest,
    Path((organization, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Response {
    let address = Address::read(&organization, &pairs(query.as_deref()));
    show_event(&app, &guest, &address, &id)
        .await
        .unwrap_or_else(Stop::into_response)
}

/// The parameters of an address. What cannot be read counts as not given.
pub(crate) fn pairs(query: Option<&str>) -> Vec<(String, String)> {
    let Ok(uri) = format!("/?{}", query.unwrap_or_default()).parse() else {
        return Vec::new();
    };
    axum::extract::Query::try_from_uri(&uri)
        .map(|query| query.0)
        .unwrap_or_default()
}

/// What a page asks the store for, and what it got.
struct Asked {
    rows: Vec<Row>,
    as_of: u64,
    count: Count,
    partial: Option<u64>,
    newer: bool,
    older: bool,
}

async fn show(
    app: &App,
    guest: &Guest,
    organization: &str,
    pairs: &[(String, String)],
) -> Result<Response, Stop> {
    let visitor = reading(app, guest, organization, StatusCode::OK).await?;
    let mut address = Address::read(organization, pairs);
    let zone = address
        .zone
        .as_deref()
        .and_then(Zone::find)
        .unwrap_or_else(Zone::utc);
    address.zone = Some(zone.name().to_owned()).filter(|name| name != "UTC");
    let now = app.now();
    let when = When {
        now,
        zone: zone.tz(),
    };

    // A query that cannot be read keeps the results of the one before it.
    let typed = address.query.clone();
    let read = |text: &str| Query::parse(text).and_then(|query| Ok((query.resolve(&when)?, query)));
    let (filter, query, trouble) = match read(&typed) {
        Ok((filter, query)) => (filter, query, None),
        Err(error) => {
            let was = pairs
                .iter()
                .find(|(name, _)| name == "was")
                .map_or("", |(_, was)| was.as_str());
            let (filter, query) =
                read(was).unwrap_or_else(|_| (Filter::everything(), Query::default()));
            address.query = query.to_string();
            address.as_of = None;
            let trouble = trouble(&address, &typed, &error, &query);
            (filter, query, Some(trouble))
        }
    };

    let size = visitor.log.size();
    let as_of = address.as_of.map_or(size, |as_of| as_of.min(size));
    let deadline = app.search_deadline();
    let (log, wanted) = (visitor.log.clone(), address.clone());
    let asked = app
        .reading(move || ask(&log, filter, &wanted, as_of, deadline))
        .await
        .map_err(failing(app, guest))?;
    if address.after.is_some() && !asked.newer {
        // The newest page is always the same one, whichever way it was reached.
        address.after = None;
        address.skipped = 0;
    }
    let fixed = Address {
        as_of: Some(asked.as_of),
        ..address.clone()
    };
    let scene = Scene {
        catalogue: app.catalogue(),
        query: &query,
        address: &fixed,
        zone: &zone,
        now,
        as_of: asked.as_of,
    };

    let open = match &address.event {
        Some(id) => find(app, guest, &visitor, id, asked.as_of).await?,
        None => None,
    };
    let e = match &open {
        Some((row, proof)) => Some(whole(&scene, &visitor, row, proof, false)),
        None => None,
    };
    let page = fill(
        app,
        guest,
        &visitor,
        Filling {
            scene: &scene,
            address: &address,
            fixed: &fixed,
            typed,
            trouble,
            asked: &asked,
            size,
            e,
        },
    );
    Ok(render(app, &visitor, StatusCode::OK, &page))
}

/// Searches one page, either way. Reads from the disk.
fn ask(
    log: &annals_store::Log,
    filter: Filter,
    address: &Address,
    as_of: u64,
    deadline: std::time::Instant,
) -> Result<Asked, StoreError> {
    let search = |order, after, limit, count_limit| Search {
        filter: filter.clone(),
        as_of: Some(as_of),
        order,
        limit,
        after,
        count_limit,
        deadline: Some(deadline),
    };
    if let Some(after) = address.after {
        // The rows above a position, nearest first, and whether there are still newer ones.
        let up = log.search(&search(Order::Asc, Some(after), address.rows, 0))?;
        if up.more && up.rows.len() == address.rows {
            let count = log.search(&search(Order::Desc, None, 0, COUNT))?.count;
            let mut rows = up.rows;
            rows.reverse();
            return Ok(Asked {
                rows,
                as_of,
                count,
                partial: None,
                newer: true,
                older: true,
            });
        }
    }
    let before = address.before.filter(|_| address.after.is_none());
    let found = log.search(&search(Order::Desc, before, address.rows, COUNT))?;
    Ok(Asked {
        rows: found.rows,
        as_of: found.as_of,
        count: found.count,
        partial: found.partial,
        newer: before.is_some(),
        older: found.more,
    })
}

/// An event of this log as the page of a size may show it, with what proves it.
async fn find(
    app: &App,
    guest: &Guest,
    visitor: &Visitor,
    id: &str,
    as_of: u64,
) -> Result<Option<(Row, super::pages::ProofView)>, Stop> {
    if !annals_event::is_event_id(id) {
        return Ok(None);
    }
    let (log, id) = (visitor.log.clone(), id.to_owned());
    let download = visitor.may_download().then(|| Address {
        event: Some(id.clone()),
        as_of: Some(as_of),
        ..Address::new(log.id())
    });
    let read = move || {
        let Some(row) = log.row_by_id(&id)? else {
            return Ok(None);
        };
        // An event that came after the page was fixed is proven against the log as it is now.
        let as_of = if row.position < as_of {
            as_of
        } else {
            log.size()
        };
        let href = download.map(|address| {
            format!(
                "{}/download.proof?e={}&as_of={as_of}",
                address.root(),
                encode(&id)
            )
        });
        let proof = proof::check(&log, &row, as_of, href)?;
        Ok(Some((row, proof)))
    };
    app.reading(read).await.map_err(failing(app, guest))
}

fn whole(
    scene: &Scene<'_>,
    visitor: &Visitor,
    row: &Row,
    proof: &super::pages::ProofView,
    raw_open: bool,
) -> EventView {
    let text = annals_event::export_line(&visitor.organization.id, row);
    let raw = Json::parse(text.as_bytes()).unwrap_or(Json::String(text));
    scene.event(
        row,
        Whole {
            proof: proof.clone(),
            raw,
            raw_open,
        },
    )
}

async fn show_event(
    app: &App,
    guest: &Guest,
    address: &Address,
    id: &str,
) -> Result<Response, Stop> {
    let visitor = reading(app, guest, &address.organization, StatusCode::OK).await?;
    let zone = address
        .zone
        .as_deref()
        .and_then(Zone::find)
        .unwrap_or_else(Zone::utc);
    let as_of = visitor.log.size();
    let Some((row, proof)) = find(app, guest, &visitor, id, as_of).await? else {
        return Err(message::no_event(app, guest, &address.root()));
    };
    let address = Address {
        zone: address.zone.clone(),
        embed: address.embed,
        ..Address::new(&address.organization)
    };
    let query = Query::default();
    let scene = Scene {
        catalogue: app.catalogue(),
        query: &query,
        address: &address,
        zone: &zone,
        now: app.now(),
        as_of,
    };
    let mut e = whole(&scene, &visitor, &row, &proof, true);
    e.link = shared_link(app, &visitor, &e.link);
    let page = EventPage {
        shell: shell(&visitor, guest, address.embed, &e.headline),
        back: address.href(),
        e,
    };
    Ok(render(app, &visitor, StatusCode::OK, &page))
}

struct Filling<'a> {
    scene: &'a Scene<'a>,
    address: &'a Address,
    fixed: &'a Address,
    typed: String,
    trouble: Option<Trouble>,
    asked: &'a Asked,
    size: u64,
    e: Option<EventView>,
}

fn fill(app: &App, guest: &Guest, visitor: &Visitor, f: Filling<'_>) -> LogPage {
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
        drawer: e.as_ref().map(|e| beside(fixed, asked, e)),
        trouble,
        rows,
        e,
    }
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
        proof: format!("{}/download.proof?as_of={as_of}", fixed.root()),
        proof_says: format!(
            "All {} events of the log, whatever the filters: only a whole range can be proven complete. Check it with annals verify.",
            grouped(as_of)
        ),
    }
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
fn trouble(address: &Address, typed: &str, error: &QueryError, shown: &Query) -> Trouble {
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
