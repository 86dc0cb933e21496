//! Downloads of a log: CSV, NDJSON, Parquet and the proof file, streamed.

use annals_event::Section;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::events::find::{Matching, order};
use super::events::query;
use crate::app::App;
use crate::audit;
use crate::auth::Reader;
use crate::download::{self, Compress, Format, Selection};
use crate::error::{ApiError, ErrorBody};
use crate::params::Params;

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(csv))
        .routes(routes!(ndjson))
        .routes(routes!(parquet))
        .routes(routes!(proof))
}

/// Of how much of the log, and which way round.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the wire; see the functions that read it"
)]
struct Cut {
    /// As the log was at this size.
    as_of: Option<u64>,
    /// `desc` (default) or `asc`, by position.
    order: Option<String>,
}

/// Whether the file is packed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "describes the wire; see the functions that read it"
)]
struct Packed {
    /// `none` (default), `gzip` or `zstd`: the file itself is packed and named `.gz` or `.zst`. Encodings that a request accepts do
    /// not change what is sent.
    compress: Option<String>,
}

/// Download as CSV.
///
/// Every event that matches, never cut short. The columns are those of docs/csv.md.
#[utoipa::path(
    get,
    path = "/audit_logs/events.csv",
    tag = "downloads",
    params(
        Matching,
        Cut,
        Packed,
        ("escape" = Option<String>, Query, description = "`apostrophe` (default) disarms formulas; `none` is for machines."),
        ("bom" = Option<bool>, Query, description = "Start with a byte order mark, for Excel."),
    ),
    responses(
        (status = 200, content_type = "text/csv", body = String),
        (status = 400, description = "The query is wrong.", body = ErrorBody),
        (status = 404, description = "No such organization.", body = ErrorBody),
    ),
)]
async fn csv(
    State(app): State<App>,
    caller: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let guard = params
        .word("escape", &[("apostrophe", true), ("none", false)])
        .unwrap_or(true);
    let mark = params.flag("bom");
    let compress = compress(&mut params);
    rows(app, caller, params, Format::Csv { guard, mark }, compress).await
}

/// Download as NDJSON.
///
/// A line for each event, in the shape of the API; `annals import` reads it again.
#[utoipa::path(
    get,
    path = "/audit_logs/events.ndjson",
    tag = "downloads",
    params(
        Matching,
        Cut,
        Packed,
    ),
    responses(
        (status = 200, content_type = "application/x-ndjson", body = String),
        (status = 400, description = "The query is wrong.", body = ErrorBody),
        (status = 404, description = "No such organization.", body = ErrorBody),
    ),
)]
async fn ndjson(
    State(app): State<App>,
    caller: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let compress = compress(&mut params);
    rows(app, caller, params, Format::Ndjson, compress).await
}

/// Download as Parquet.
///
/// The table of the CSV file with types, for DuckDB, pandas, Spark and their like. The columns are those of docs/parquet.md; the file is
/// packed in itself, with zstd.
#[utoipa::path(
    get,
    path = "/audit_logs/events.parquet",
    tag = "downloads",
    params(
        Matching,
        Cut,
    ),
    responses(
        (status = 200, content_type = "application/vnd.apache.parquet", body = Vec<u8>),
        (status = 400, description = "The query is wrong.", body = ErrorBody),
        (status = 404, description = "No such organization.", body = ErrorBody),
    ),
)]
async fn parquet(
    State(app): State<App>,
    caller: Reader,
    params: Params,
) -> Result<Response, ApiError> {
    rows(app, caller, params, Format::Parquet, Compress::No).await
}

/// Reads the parameter `compress`.
fn compress(params: &mut Params) -> Compress {
    params
        .word("compress", &Compress::WORDS)
        .unwrap_or(Compress::No)
}

async fn rows(
    app: App,
    caller: Reader,
    mut params: Params,
    format: Format,
    compress: Compress,
) -> Result<Response, ApiError> {
    let organization_id = params.required("organization_id");
    let wanted = query(&mut params, &app)?;
    let (as_of, order) = (params.integer("as_of", 0..=u64::MAX), order(&mut params));
    params.finish_strictly()?;
    let (organization, log) = caller.organization(&organization_id)?;
    caller.entitled(&organization)?;
    Selection::new(&organization, log, wanted, as_of, order)
        .hand_out(&app, &caller.act(), format, compress)
        .await
}

/// Download as a proof file.
///
/// The events of a range of positions with what proves them; `annals verify` checks it offline.
#[utoipa::path(
    get,
    path = "/audit_logs/events.proof",
    tag = "downloads",
    params(
        ("organization_id" = String, Query, description = "The workspace."),
        ("from" = Option<u64>, Query, description = "First position; default 0."),
        ("to" = Option<u64>, Query, description = "The position after the last; default the size."),
        ("as_of" = Option<u64>, Query, description = "Against the checkpoint of this size; default now."),
        ("withhold" = Option<String>, Query, description = "Parts whose values are left out, the proof still holds: `actor`, `context`, `details`, `targets`, with commas between."),
    ),
    responses(
        (status = 200, content_type = "application/x-ndjson", body = String),
        (status = 404, description = "No such organization.", body = ErrorBody),
        (status = 422, description = "No such range.", body = ErrorBody),
    ),
)]
async fn proof(
    State(app): State<App>,
    caller: Reader,
    mut params: Params,
) -> Result<Response, ApiError> {
    let organization_id = params.required("organization_id");
    let from = params.integer("from", 0..=u64::MAX).unwrap_or(0);
    let to = params.integer("to", 0..=u64::MAX);
    let as_of = params.integer("as_of", 0..=u64::MAX);
    let withheld = withheld(&mut params);
    // The bounds are looked at when it is known whether the caller may know the size.
    let (organization, log) = caller.organization(&organization_id)?;
    caller.entitled(&organization)?;
    let size = log.size();
    let as_of = as_of.unwrap_or(size);
    let to = to.unwrap_or(as_of);
    if as_of > size {
        params.fault("as_of", "out_of_range", "lies beyond the size of the log");
    }
    if to > as_of || from > to {
        params.fault(
            "to",
            "out_of_range",
            "must lie between from and the size of the log",
        );
    }
    params.finish_strictly()?;
    log.require_readable(&(from..to))?;
    let place = app.downloads.take(&log)?;
    audit::exported(&app, &caller.act(), &log, "proof", None).await?;
    let headers = download::headers(
        &organization.id,
        "proof",
        "application/x-ndjson",
        &app,
        as_of,
    );
    let body = download::body(&app, place, move |out| {
        let blank = |_: &annals_event::Row, section: usize| withheld[section.min(Section::TARGETS)];
        log.write_proof(from..to, Some(as_of), out, &blank)
    });
    Ok((headers, body).into_response())
}

/// Reads which sections are withheld, by index, all targets as one.
fn withheld(params: &mut Params) -> [bool; Section::TARGETS + 1] {
    let mut withheld = [false; Section::TARGETS + 1];
    for name in params.texts("withhold") {
        match ["actor", "context", "details", "targets"]
            .iter()
            .position(|known| *known == name)
        {
            Some(index) => withheld[index] = true,
            None => params.fault(
                "withhold",
                "unknown_value",
                "takes actor, context, details and targets",
            ),
        }
    }
    withheld
}
