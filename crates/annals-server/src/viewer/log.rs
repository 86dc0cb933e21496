//! The table, and the event beside it.

use std::time::Instant;

use annals_event::{Filter, Json, Query, Row, Step, Steps, When};
use annals_store::{Log, Order, Search, StoreError, Tallied, Tally, Unreadable};
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::address::Address;
use super::chart::{Counted, DAYS_BY_HOUR};
use super::event::Whole;
use super::filters;
use super::pages::{EventPage, EventView, ProofView};
use super::proof;
use super::row::Scene;
use super::seen::{self, Seen};
use super::table::{self, Asked, Filling};
use super::zone::Zone;
use super::{Stop, encode, failing, message, reading, render, shared_link, shell};
use crate::app::App;
use crate::portal::{self, Guest, Visitor};

/// How far matches are counted.
const COUNT: u64 = 10_000;

const DAY_MICROS: i64 = 86_400_000_000;

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
            let trouble = table::trouble(&address, &typed, &error, &query);
            (filter, query, Some(trouble))
        }
    };

    let size = visitor.log.size();
    let as_of = address.as_of.map_or(size, |as_of| as_of.min(size));
    let deadline = app.search_deadline();
    // What was read has been settled once, so that this reads too.
    let window = seen::window(&query).resolve(&when);
    let wanted = Wanted {
        filter,
        window: window.unwrap_or_else(|_| Filter::everything()),
        address: address.clone(),
        zone: zone.clone(),
        as_of,
        deadline,
        count_deadline: app.count_deadline(),
    };
    let log = visitor.log.clone();
    let asked = app
        .reading(move || ask(&log, &wanted))
        .await
        .map_err(failing(app, guest))?;
    app.noticed(&asked.unreadable);
    if address.after.is_some() && !asked.newer {
        // The newest page is always the same one, whichever way it was reached.
        address.after = None;
        address.skipped = 0;
    }
    // A file or a next page that is asked for later means the same rows: `-7d` counts from now.
    let settled = query.settled(&when);
    let fixed = Address {
        as_of: Some(asked.as_of),
        query: if settled == query {
            address.query.clone()
        } else {
            settled.to_string()
        },
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
    let e = open
        .as_ref()
        .map(|(row, proof)| whole(&scene, &visitor, row, proof, false));
    let page = table::fill(
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

/// What a page looks for.
struct Wanted {
    /// Which rows.
    filter: Filter,
    /// The time that is looked at, whatever else is asked for.
    window: Filter,
    address: Address,
    zone: Zone,
    as_of: u64,
    deadline: Instant,
    /// When the chart and the menus go without what was not counted.
    count_deadline: Instant,
}

/// Searches one page, either way, and counts for what stands around it. Reads from the disk.
fn ask(log: &Log, wanted: &Wanted) -> Result<Asked, StoreError> {
    let mut asked = rows(log, wanted)?;
    let (counted, seen) = count(log, wanted, &mut asked.unreadable)?;
    asked.counted = counted;
    asked.seen = seen;
    Ok(asked)
}

fn rows(log: &Log, wanted: &Wanted) -> Result<Asked, StoreError> {
    let Wanted { address, as_of, .. } = wanted;
    let search = |order, after, limit, count_limit| Search {
        filter: wanted.filter.clone(),
        as_of: Some(*as_of),
        order,
        limit,
        after,
        count_limit,
        deadline: Some(wanted.deadline),
    };
    if let Some(after) = address.after {
        // The rows above a position, nearest first, and whether there are still newer ones.
        let up = log.search(&search(Order::Asc, Some(after), address.rows, 0))?;
        if up.more && up.rows.len() == address.rows {
            let counted = log.search(&search(Order::Desc, None, 0, COUNT))?;
            let mut rows = up.rows;
            rows.reverse();
            return Ok(Asked {
                rows,
                as_of: *as_of,
                count: counted.count,
                partial: None,
                unreadable: counted.unreadable,
                newer: true,
                older: true,
                counted: None,
                seen: Seen::default(),
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
        unreadable: found.unreadable,
        newer: before.is_some(),
        older: found.more,
        counted: None,
        seen: Seen::default(),
    })
}

/// Counts for the chart and for the menus, within a time of its own: a page does not wait for them.
fn count(
    log: &Log,
    wanted: &Wanted,
    unreadable: &mut Vec<Unreadable>,
) -> Result<(Option<Counted>, Seen), StoreError> {
    let mut tally = Tally {
        filter: wanted.window.clone(),
        as_of: Some(wanted.as_of),
        facets: seen::FACETS.to_vec(),
        top: seen::TOP,
        deadline: Some(wanted.count_deadline),
        steps: None,
    };
    let by = |step| Some(Steps::new(step, wanted.zone.tz()));
    // Mostly both are of the same events, so that one pass does.
    let at_once = wanted.filter.is_range();
    if at_once {
        tally.steps = by(Step::Day);
    }
    let tally_all = |tally: &Tally| match log.tally(tally) {
        // Then there is no chart.
        Err(StoreError::TooManySteps { .. }) => Ok(None),
        result => result.map(Some),
    };
    let first = tally_all(&tally)?;
    let seen = first.as_ref().map_or_else(Seen::default, |tallied| {
        let is_whole = tallied.partial.is_none() && tallied.unreadable.is_empty();
        Seen::new(tallied.facets.clone(), is_whole)
    });
    tally.facets.clear();
    tally.filter = wanted.filter.clone();
    tally.steps = by(Step::Day);
    let mut step = Step::Day;
    let mut tallied = match at_once {
        true => first,
        false => tally_all(&tally)?,
    };
    let days = |tallied: &Tallied| match (tallied.steps.first(), tallied.steps.last()) {
        (Some(first), Some(last)) => (last.from - first.from) / DAY_MICROS,
        _ => 0,
    };
    if let Some(by_day) = &tallied
        && days(by_day) < DAYS_BY_HOUR
        && by_day.count > 0
    {
        tally.steps = by(Step::Hour);
        step = Step::Hour;
        tallied = tally_all(&tally)?;
    }
    let counted = tallied.map(|tallied| {
        if unreadable.is_empty() {
            *unreadable = tallied.unreadable;
        }
        Counted {
            steps: tallied.steps,
            step,
            is_partial: tallied.partial.is_some(),
        }
    });
    Ok((counted, seen))
}

/// An event of this log as the page of a size may show it, with what proves it.
async fn find(
    app: &App,
    guest: &Guest,
    visitor: &Visitor,
    id: &str,
    as_of: u64,
) -> Result<Option<(Row, ProofView)>, Stop> {
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
    proof: &ProofView,
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
