//! Stored exports, as `WorkOS` has them: a question that is kept, ready at once, whose file is made
//! each time it is fetched.

use annals_event::{Field, Filter, Query, Term, Timestamp, When};
use annals_store::{Export, ExportSelection, NewExport};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Reader;
use crate::body;
use crate::error::{ApiError, ErrorBody};
use crate::fields;
use crate::params::Id;

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(get))
        .routes(routes!(file::download))
}

mod file;

/// The most values in one list of an export.
const LIST: usize = 1_000;
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
    let mut filter = query.resolve(&When {
        now: app.now(),
        zone: jiff::tz::TimeZone::UTC,
    })?;
    // The names of actions, not terms of the search language, where `issue` would mean all of `issue.*`.
    if selection.actions.iter().any(String::is_empty) {
        return Err(ApiError::invalid(
            "actions",
            "invalid_value",
            "actions has an empty name",
        ));
    }
    if !selection.actions.is_empty() {
        filter = filter.with_actions(selection.actions.clone());
    }
    let time = |micros: Option<i64>| micros.and_then(Timestamp::from_micros);
    Ok(filter.with_window(time(selection.from_micros), time(selection.to_micros)))
}
