//! The files of the page: the same rows, in the same order, as of the same size.

use annals_event::{Query, When};
use annals_store::Order;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::address::Address;
use super::log::pairs;
use super::zone::Zone;
use super::{Stop, failing, message};
use crate::app::App;
use crate::audit;
use crate::download::{self, Compress, Format, Selection};
use crate::portal::{self, Guest, Visitor};
use crate::wanted::Wanted;

/// `download.csv`
pub(crate) async fn csv(
    State(app): State<App>,
    guest: Guest,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = pairs(query.as_deref());
    // Excel takes a file without the mark for one in the code page of its country.
    let mark = pairs
        .iter()
        .any(|(name, value)| name == "excel" && value == "1");
    rows(
        &app,
        &guest,
        &organization,
        &pairs,
        Format::Csv { guard: true, mark },
    )
    .await
    .unwrap_or_else(Stop::into_response)
}

/// `download.ndjson`
pub(crate) async fn ndjson(
    State(app): State<App>,
    guest: Guest,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = pairs(query.as_deref());
    rows(&app, &guest, &organization, &pairs, Format::Ndjson)
        .await
        .unwrap_or_else(Stop::into_response)
}

/// `download.parquet`
pub(crate) async fn parquet(
    State(app): State<App>,
    guest: Guest,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let pairs = pairs(query.as_deref());
    rows(&app, &guest, &organization, &pairs, Format::Parquet)
        .await
        .unwrap_or_else(Stop::into_response)
}

/// `download.proof`: one event with `e`, else the whole log up to `as_of`. A proof is of a range, so the
/// filters of the page do not apply.
pub(crate) async fn proof(
    State(app): State<App>,
    guest: Guest,
    Path(organization): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let address = Address::read(&organization, &pairs(query.as_deref()));
    proving(&app, &guest, address)
        .await
        .unwrap_or_else(Stop::into_response)
}

/// Lets somebody in who may take files away.
async fn taking(app: &App, guest: &Guest, organization: &str) -> Result<Visitor, Stop> {
    let visitor = portal::enter(app, guest, organization).await?;
    let home = Address::new(organization).href();
    if !visitor.is_entitled() {
        return Err(Stop::from(super::locked::page(
            app,
            &visitor,
            guest,
            StatusCode::FORBIDDEN,
        )));
    }
    if guest.foreign || guest.ahead {
        return Err(message::foreign_download(app, guest, &home));
    }
    if !visitor.may_download() {
        let session = &visitor.session.id;
        audit::turned_away(
            app,
            &visitor.act(guest),
            &visitor.log,
            session,
            "role_not_permitted",
        );
        return Err(message::no_download(app, guest, &home));
    }
    Ok(visitor)
}

async fn rows(
    app: &App,
    guest: &Guest,
    organization: &str,
    pairs: &[(String, String)],
    format: Format,
) -> Result<Response, Stop> {
    let visitor = taking(app, guest, organization).await?;
    let address = Address::read(organization, pairs);
    let fail = failing(app, guest);
    let zone = address
        .zone
        .as_deref()
        .and_then(Zone::find)
        .unwrap_or_else(Zone::utc);
    let query = Query::parse(&address.query).map_err(|error| fail(error.into()))?;
    let when = When {
        now: app.now(),
        zone: zone.tz(),
    };
    let wanted = Wanted::new(&query, &when, (None, None)).map_err(|error| fail(error.into()))?;
    let (organization, log) = (&visitor.organization, visitor.log.clone());
    Selection::new(organization, log, wanted, address.as_of, Order::Desc)
        .hand_out(app, &visitor.act(guest), format, Compress::No)
        .await
        .map_err(&fail)
}

async fn proving(app: &App, guest: &Guest, address: Address) -> Result<Response, Stop> {
    let visitor = taking(app, guest, &address.organization).await?;
    let fail = failing(app, guest);
    let log = visitor.log.clone();
    let size = log.size();
    let as_of = address.as_of.map_or(size, |as_of| as_of.min(size));
    let positions = match address.event.clone() {
        None => 0..as_of,
        Some(id) => {
            let log = log.clone();
            let row = app
                .reading(move || log.row_by_id(&id))
                .await
                .map_err(&fail)?;
            let row = row.ok_or_else(|| message::no_event(app, guest, &address.root()))?;
            row.position..row.position + 1
        }
    };
    let as_of = as_of.max(positions.end);
    log.require_readable(&positions)
        .map_err(|error| fail(error.into()))?;
    let place = app.downloads.take(&visitor.log).map_err(&fail)?;
    let asked = address.event.clone().map(|id| ("event", id));
    audit::exported(app, &visitor.act(guest), &visitor.log, "proof", asked)
        .await
        .map_err(&fail)?;
    let one = (address.event.is_some()).then_some(positions.start);
    let mut headers = download::headers(
        &visitor.organization.id,
        "proof",
        "application/x-ndjson",
        app,
        as_of,
    );
    if let Some(position) = one {
        name(
            &mut headers,
            &format!("audit-log-{}-{position}.proof", visitor.organization.id),
        );
    }
    let body = download::body(app, place, move |out| {
        log.write_proof(positions, Some(as_of), out, &|_, _| false)
    });
    Ok((headers, body).into_response())
}

fn name(headers: &mut axum::http::HeaderMap, file: &str) {
    // Ids of workspaces are letters, digits, `_` and `-`: nothing to quote.
    if let Ok(value) = axum::http::HeaderValue::try_from(format!("attachment; filename=\"{file}\""))
    {
        headers.insert(axum::http::header::CONTENT_DISPOSITION, value);
    }
}
