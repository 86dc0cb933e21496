//! Stored exports, as `WorkOS` has them: a question that is kept, ready at once, whose file is made
//! each time it is fetched.

use annals_event::{Field, Filter, Query, Term, Timestamp, When};
use annals_store::{Export, ExportSelection, NewExport, Order, StoreError};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::audit::{self, Act};
use crate::auth::Reader;
use crate::body;
use crate::download::{self, Format, Selection};
use crate::error::{ApiError, ErrorBody};
use crate::fields;
use crate::params::{Id, Params};

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(get))
        .routes(routes!(download))
}

/// The most values in one list of an export.
const LIST: usize = 1_000;
/// Exports are always this: disarmed cells, no mark.
const CSV: Format = Format::Csv {
    guard: true,
    mark: false,
};

/// A stored export.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExportObject {
    /// Always `audit_log_export`.
    object: &'static str,
    /// Its id.
    id: String,
    /// Always `ready`.
    state: &'static str,
    /// Where the file is, good for ten minutes; getting the export again makes a new one.
    url: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
    /// The same.
    #[schema(value_type = String, format = DateTime)]
    updated_at: String,
}

/// The body that makes an export.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the body is read member by member"
)]
pub(crate) struct ExportRequest {
    /// The workspace.
    organization_id: String,
    /// `occurred_at` from here.
    #[schema(format = DateTime)]
    range_start: String,
    /// `occurred_at` before here.
    #[schema(format = DateTime)]
    range_end: String,
    /// Only these actions.
    actions: Option<Vec<String>>,
    /// Only actors with these names.
    actor_names: Option<Vec<String>>,
    /// Only actors with these ids.
    actor_ids: Option<Vec<String>>,
    /// Only events with a target of these types.
    targets: Option<Vec<String>>,
}

/// Make an export.
#[utoipa::path(
    post,
    path = "/audit_logs/exports",
    tag = "downloads",
    request_body = ExportRequest,
    responses(
        (status = 201, body = ExportObject),
        (status = 400, description = "The range is wrong.", body = ErrorBody),
        (status = 404, description = "No such organization.", body = ErrorBody),
        (status = 422, description = "Members are missing or wrong.", body = ErrorBody),
    ),
)]
async fn create(
    State(app): State<App>,
    caller: Reader,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::control(&app, &headers, body).await?;
    let mut fields = fields::read(&body)?;
    let organization_id = fields.required_text("organization_id");
    let start = fields.required_time("range_start");
    let end = fields.required_time("range_end");
    let mut actor_names = fields.texts("actor_names", LIST);
    actor_names.extend(fields.texts("actors", LIST));
    let selection = ExportSelection {
        from_micros: start.map(Timestamp::as_micros),
        to_micros: end.map(Timestamp::as_micros),
        query: None,
        actions: fields.texts("actions", LIST),
        actor_names,
        actor_ids: fields.texts("actor_ids", LIST),
        target_types: fields.texts("targets", LIST),
    };
    fields.finish()?;
    if start > end {
        return Err(ApiError::Bad {
            code: "invalid_audit_log_export_range_date",
            message: "Invalid date range".to_owned(),
            field: Some("range_end".to_owned()),
        });
    }
    // Values that no row can have are refused now, not when the file is fetched.
    filter(&app, &selection)?;
    let (organization, log) = caller.organization(&organization_id)?;
    caller.entitled(&organization)?;
    let new = NewExport {
        organization_id,
        selection,
        as_of: log.size(),
        created_by: caller.key.id.clone(),
    };
    let act = caller.act();
    let recording = app.clone();
    let export = app
        .store
        .create_export(new, move |export| {
            let event = act
                .event(&recording, "audit_log.exported")
                .target("export", &export.id, None);
            event.with("format", "csv").recorded_in(&log)
        })
        .await?;
    Ok((StatusCode::CREATED, Json(wire(&app, &export))).into_response())
}

/// Get an export.
#[utoipa::path(
    get,
    path = "/audit_logs/exports/{id}",
    tag = "downloads",
    params(("id" = String, Path, description = "Id of the export.")),
    responses(
        (status = 200, body = ExportObject),
        (status = 404, description = "No such export.", body = ErrorBody),
    ),
)]
async fn get(
    State(app): State<App>,
    caller: Reader,
    Id(id): Id,
) -> Result<Json<ExportObject>, ApiError> {
    let export = find(&app, &id).await?;
    // Out of reach is as good as not there, and says so in the same words.
    let (organization, _) = caller
        .organization(&export.organization_id)
        .map_err(|_| unknown(&id))?;
    caller.entitled(&organization)?;
    Ok(Json(wire(&app, &export)))
}

/// Download an export.
///
/// The address comes with the export and is good for ten minutes, without a key. Answers
/// `Range: bytes=N-`, so that a broken download goes on where it stopped.
#[utoipa::path(
    get,
    path = "/audit_logs/exports/{id}/download",
    tag = "downloads",
    params(
        ("id" = String, Path, description = "Id of the export."),
        ("token" = String, Query, description = "From the export's `url`."),
    ),
    responses(
        (status = 200, content_type = "text/csv", body = String),
        (status = 206, description = "From the byte that was asked for.", content_type = "text/csv", body = String),
        (status = 404, description = "No such export, or the address is too old.", body = ErrorBody),
        (status = 416, description = "The file is shorter.", body = ErrorBody),
    ),
    security(()),
)]
async fn download(
    State(app): State<App>,
    Id(id): Id,
    mut params: Params,
    parts: axum::http::request::Parts,
) -> Result<Response, ApiError> {
    let token = params.text("token").unwrap_or_default();
    if !app.store.check_download_token(&id, &token) {
        return Err(unknown(&id));
    }
    let export = find(&app, &id).await?;
    let (organization, log) = app
        .organization(&export.organization_id)
        .map_err(|_| unknown(&id))?;
    if organization.entitlement != annals_store::Entitlement::Active
        && !app
            .store
            .key(&export.created_by)
            .is_some_and(|key| matches!(key.organizations, annals_store::Reach::All))
    {
        return Err(ApiError::NotEnabled {
            contact_url: app.config.contact_url.clone(),
        });
    }
    let filter = filter(&app, &export.selection)?;
    let selection = Selection::new(
        &organization,
        log.clone(),
        filter,
        Some(export.as_of),
        Order::Desc,
    );
    let etag = etag(&export, &organization.name);
    let from = range_start(&parts.headers, &etag);

    let place = app.downloads.take(&log)?;
    let event = Act::of_address(&app, &parts, "export_link", &export.id)
        .event(&app, "audit_log.export_downloaded")
        .target("export", &export.id, None);
    audit::record(&app, &log, event.draft()?).await?;

    let mut headers = download::headers(
        &organization.id,
        "csv",
        "text/csv; charset=utf-8; header=present",
        &app,
        selection.as_of,
    );
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(ETAG, etag);
    }
    let Some(from) = from else {
        let writing = app.clone();
        let body = download::body(&app, place, move |out| selection.write(&writing, CSV, out));
        return Ok((headers, body).into_response());
    };
    // A partial answer names the whole length, so the file is made once to measure it.
    let (measured, measuring) = (selection.clone(), app.clone());
    let total = app
        .reading(move || {
            let mut length = Length(0);
            measured.write(&measuring, CSV, &mut length)?;
            Ok::<u64, StoreError>(length.0)
        })
        .await?;
    if from >= total {
        return Err(ApiError::Range { total });
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(total - from));
    if let Ok(range) = HeaderValue::try_from(format!("bytes {from}-{}/{total}", total - 1)) {
        headers.insert(CONTENT_RANGE, range);
    }
    let writing = app.clone();
    let body = download::body(&app, place, move |out| {
        selection.write(&writing, CSV, &mut Skip { left: from, out })
    });
    Ok((StatusCode::PARTIAL_CONTENT, headers, body).into_response())
}

async fn find(app: &App, id: &str) -> Result<Export, ApiError> {
    let (store, wanted) = (app.store.clone(), id.to_owned());
    let found = tokio::task::spawn_blocking(move || store.export(&wanted))
        .await
        .map_err(ApiError::internal)?;
    found?.ok_or_else(|| unknown(id))
}

fn unknown(id: &str) -> ApiError {
    ApiError::NotFound("Audit Log Export", id.to_owned())
}

fn wire(app: &App, export: &Export) -> ExportObject {
    let token = app.store.download_token(&export.id);
    ExportObject {
        object: "audit_log_export",
        id: export.id.clone(),
        state: "ready",
        url: format!(
            "{}/audit_logs/exports/{}/download?token={token}",
            app.base_url, export.id
        ),
        created_at: super::time(export.created_at),
        updated_at: super::time(export.created_at),
    }
}

/// The rows of an export.
fn filter(app: &App, selection: &ExportSelection) -> Result<Filter, ApiError> {
    let mut query = match &selection.query {
        Some(text) => Query::parse_stored(text)?,
        None => Query::default(),
    };
    for (member, field, values) in [
        ("actions", Field::Action, &selection.actions),
        ("actor_names", Field::ActorName, &selection.actor_names),
        ("actor_ids", Field::ActorId, &selection.actor_ids),
        ("targets", Field::TargetType, &selection.target_types),
    ] {
        if !values.is_empty() {
            let term = Term::is(field, values);
            query = query
                .with(term.map_err(|e| ApiError::invalid(member, "invalid_value", e.message))?);
        }
    }
    let filter = query.resolve(&When {
        now: app.now(),
        zone: jiff::tz::TimeZone::UTC,
    })?;
    let time = |micros: Option<i64>| micros.and_then(Timestamp::from_micros);
    Ok(filter.with_window(time(selection.from_micros), time(selection.to_micros)))
}

/// What decides the bytes of the file: the question, the size, the workspace's name, and what this
/// version of the program makes of them.
fn etag(export: &Export, name: &str) -> String {
    let mut hash = Sha256::new();
    for part in [&export.id, name, env!("CARGO_PKG_VERSION")] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(export.as_of.to_be_bytes());
    let hash = hash.finalize();
    format!(
        "\"{}\"",
        hash[..16]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    )
}

/// The first byte that is asked for. Anything but `bytes=N-` is answered with the whole file, and so
/// is a range of a file that has changed since.
fn range_start(headers: &HeaderMap, etag: &str) -> Option<u64> {
    let unchanged = headers
        .get(IF_RANGE)
        .is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let range = headers
        .get(RANGE)?
        .to_str()
        .ok()?
        .strip_prefix("bytes=")?
        .strip_suffix('-')?;
    let from = range.parse().ok()?;
    (unchanged && from > 0).then_some(from)
}

struct Length(u64);

impl Write for Length {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0 += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Leaves out the first bytes.
struct Skip<'a> {
    left: u64,
    out: &'a mut dyn Write,
}

impl Write for Skip<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let skipped = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(data.len());
        self.left -= skipped as u64;
        self.out.write_all(&data[skipped..])?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
