//! Actions and the schemas of their events, which belong to the installation.
//!
//! Listed are the actions that have a schema, as `WorkOS` does it. The built-in catalogue needs none and
//! is at `/audit_logs/catalogue`.

use std::sync::Arc;

use annals_event::{ActionSchema, Json as Value, Number, Object};
use annals_store::{Action, Created, SchemaVersion};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::list::{self, List};
use super::time;
use crate::app::App;
use crate::auth::{Observer, Operator};
use crate::body;
use crate::error::{ApiError, ErrorBody, Fault};
use crate::fields;
use crate::params::{Id, Params};

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(list_schemas, create_schema))
}

/// One version of the schema of an action's events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SchemaObject {
    /// Always `audit_log_schema`.
    object: &'static str,
    /// 1, 2, 3 …; never changed once made.
    version: u32,
    /// Present and true where the schema only makes the action known and asks for nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    open: bool,
    /// JSON Schema of the actor's metadata, as `{"metadata": …}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    actor: Option<Box<RawValue>>,
    /// Types of targets, each with a JSON Schema of its metadata.
    #[schema(value_type = Vec<Object>)]
    targets: Box<RawValue>,
    /// JSON Schema of the metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
}

/// An action that has a schema.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ActionObject {
    /// Always `audit_log_action`.
    object: &'static str,
    /// The name.
    name: String,
    /// Its newest schema.
    schema: SchemaObject,
    /// When it got its first schema.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
    /// When it got its newest schema.
    #[schema(value_type = String, format = DateTime)]
    updated_at: String,
}

/// The body that makes a version of a schema.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the wire; the body is read as JSON")]
pub(crate) struct SchemaBody {
    /// Makes the action known and asks for nothing; the other members are then left out.
    #[schema(value_type = Option<bool>)]
    open: Option<()>,
    /// `{"metadata": JSON Schema}`.
    #[schema(value_type = Option<Object>)]
    actor: Option<()>,
    /// At least one `{"type", "metadata"?}`.
    #[schema(value_type = Vec<Object>)]
    targets: Vec<()>,
    /// JSON Schema: an object of strings, numbers and booleans.
    #[schema(value_type = Option<Object>)]
    metadata: Option<()>,
}

/// List actions that have a schema.
#[utoipa::path(
    get,
    path = "/audit_logs/actions",
    tag = "actions",
    params(
        ("before" = Option<String>, Query, description = "Cursor."),
        ("after" = Option<String>, Query, description = "Cursor."),
        ("limit" = Option<u64>, Query, description = "1 to 100; default 10."),
        ("order" = Option<String>, Query, description = "`desc` (default), `asc` or `normal`, by creation."),
    ),
    responses((status = 200, body = List<ActionObject>), (status = 422, body = ErrorBody)),
)]
async fn list(
    State(app): State<App>,
    _caller: Observer,
    mut params: Params,
) -> Result<Json<List<ActionObject>>, ApiError> {
    let query = list::query(&mut params);
    params.finish()?;
    let page = app.store.actions(&query)?;
    Ok(Json(List::new(page, |action: Action| ActionObject {
        object: "audit_log_action",
        schema: wire(&action.schema),
        created_at: time(action.created_at),
        updated_at: time(action.updated_at),
        name: action.name,
    })))
}

/// List the versions of an action's schema.
#[utoipa::path(
    get,
    path = "/audit_logs/actions/{action}/schemas",
    tag = "actions",
    params(
        ("action" = String, Path, description = "Name of the action."),
        ("before" = Option<String>, Query, description = "Cursor: a version."),
        ("after" = Option<String>, Query, description = "Cursor: a version."),
        ("limit" = Option<u64>, Query, description = "1 to 100; default 10."),
        ("order" = Option<String>, Query, description = "`desc` (default), `asc` or `normal`."),
    ),
    responses(
        (status = 200, body = List<SchemaObject>),
        (status = 404, description = "The action has no schema.", body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn list_schemas(
    State(app): State<App>,
    _caller: Observer,
    Id(action): Id,
    mut params: Params,
) -> Result<Json<List<SchemaObject>>, ApiError> {
    let query = list::query(&mut params);
    params.finish()?;
    if app.store.action(&action).is_none() {
        return Err(ApiError::NotFound("Audit Log Action", action));
    }
    let page = app.store.schemas(&action, &query)?;
    Ok(Json(List::new(page, |version: Arc<SchemaVersion>| {
        wire(&version)
    })))
}

/// Make a version of an action's schema.
///
/// Makes the action too, if it is new. A schema that equals the newest one makes no version.
#[utoipa::path(
    post,
    path = "/audit_logs/actions/{action}/schemas",
    tag = "actions",
    params(("action" = String, Path, description = "Name of the action.")),
    request_body = SchemaBody,
    responses((status = 201, body = SchemaObject), (status = 422, body = ErrorBody)),
)]
async fn create_schema(
    State(app): State<App>,
    caller: Operator,
    Id(action): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::control(&app, &headers, body).await?;
    let schema = ActionSchema::from_json(&fields::parse(&body)?).map_err(|error| {
        let fault =
            |p: &annals_event::Problem| Fault::new(p.field(), p.code.as_str(), p.message.clone());
        ApiError::Validation(error.problems.iter().map(fault).collect())
    })?;
    let before = app.store.action(&action);
    let (act, recording) = (caller.act(), app.clone());
    let created = app
        .store
        .put_schema(&action, schema, move |version| {
            let number =
                |n: u32| Object::from_iter([("version", Value::Number(Number::Integer(n.into())))]);
            let mut event = act
                .event(&recording, "audit_log.schema_changed")
                .target("schema", &version.action, None)
                .next(number(version.version));
            if let Some(before) = before {
                event = event.previous(number(before.schema.version));
            }
            event.recorded_at_home()
        })
        .await?;
    let version = match &created {
        Created::New(version) | Created::Existing(version) => version,
    };
    Ok((StatusCode::CREATED, Json(wire(version))).into_response())
}

fn wire(version: &SchemaVersion) -> SchemaObject {
    let schema = version.schema.to_json();
    let member = |name: &str| {
        let mut text = String::new();
        schema.get(name)?.write_canonical(&mut text);
        RawValue::from_string(text).ok()
    };
    SchemaObject {
        object: "audit_log_schema",
        version: version.version,
        open: version.schema.is_open(),
        actor: member("actor"),
        targets: member("targets").unwrap_or_default(),
        metadata: member("metadata"),
        created_at: time(version.created_at),
    }
}
