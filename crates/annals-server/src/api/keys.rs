//! Keys: make, list and revoke them.

use std::sync::Arc;

use annals_event::Object;
use annals_store::{Key, NewKey, Reach, Scopes};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::list::{self, List};
use super::time;
use crate::app::App;
use crate::auth::Operator;
use crate::body;
use crate::error::{ApiError, ErrorBody};
use crate::fields;
use crate::params::{Id, Params};

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, revoke))
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyObject {
    /// Always `api_key`.
    object: &'static str,
    /// Its id, which stands as `recorded_by` in what it records.
    id: String,
    /// The secret, only in the answer that makes the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// What people call it.
    name: String,
    /// What it may do: `write`, `read`, `manage`.
    scopes: Vec<&'static str>,
    /// The organizations that it reaches; null is all of them.
    organization_ids: Option<Vec<String>>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
    /// When it was last used, to a minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<String>,
    /// When it was revoked.
    #[schema(value_type = Option<String>, format = DateTime)]
    revoked_at: Option<String>,
}

/// The body that makes a key.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the body is read member by member"
)]
pub(crate) struct KeyBody {
    /// What people call it.
    name: String,
    /// What it may do; default `write`.
    scopes: Option<Vec<String>>,
    /// The organizations that it reaches; absent or null is all of them.
    organization_ids: Option<Vec<String>>,
}

/// List keys.
#[utoipa::path(
    get,
    path = "/keys",
    tag = "keys",
    params(
        ("before" = Option<String>, Query, description = "Cursor."),
        ("after" = Option<String>, Query, description = "Cursor."),
        ("limit" = Option<u64>, Query, description = "1 to 100; default 10."),
        ("order" = Option<String>, Query, description = "`desc` (default), `asc` or `normal`, by creation."),
    ),
    responses((status = 200, body = List<KeyObject>), (status = 422, body = ErrorBody)),
)]
async fn list(
    State(app): State<App>,
    _caller: Operator,
    mut params: Params,
) -> Result<Json<List<KeyObject>>, ApiError> {
    let query = list::query(&mut params);
    params.finish()?;
    Ok(Json(List::new(app.store.keys(&query)?, |key: Arc<Key>| {
        wire(&key, None)
    })))
}

/// Make a key.
///
/// The answer is the only place where its secret ever stands.
#[utoipa::path(
    post,
    path = "/keys",
    tag = "keys",
    request_body = KeyBody,
    responses((status = 201, body = KeyObject), (status = 422, body = ErrorBody)),
)]
async fn create(
    State(app): State<App>,
    caller: Operator,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::control(&app, &headers, body).await?;
    let mut fields = fields::read(&body)?;
    let name = fields.required_text("name");
    let words = if fields.has("scopes") {
        fields.texts("scopes", 3)
    } else {
        vec!["write".to_owned()]
    };
    let scopes = Scopes::parse(words.iter().map(String::as_str)).unwrap_or_else(|_| {
        fields.fault("scopes", "unknown_value", "takes write, read and manage");
        Scopes::default()
    });
    let ids = fields.texts("organization_ids", 100);
    if ids.is_empty() && fields.is_list("organization_ids") {
        // Not a key for all: an empty list is more likely a mistake than a wish for everything.
        fields.fault(
            "organization_ids",
            "required",
            "has at least one id; leave it out for all organizations",
        );
    }
    let organizations = if ids.is_empty() {
        Reach::All
    } else {
        Reach::Only(ids.into_iter().collect())
    };
    fields.finish()?;
    let (act, recording) = (caller.act(), app.clone());
    let (key, secret) = app
        .store
        .create_key(
            NewKey {
                name,
                scopes,
                organizations,
            },
            move |key| {
                act.event(&recording, "audit_log.key_created")
                    .target("api_key", &key.id, Some(&key.name))
                    .next(described(key))
                    .recorded_at_home()
            },
        )
        .await?;
    let object = wire(&key, Some(secret.expose().to_owned()));
    Ok((StatusCode::CREATED, Json(object)).into_response())
}

/// Get a key.
#[utoipa::path(
    get,
    path = "/keys/{id}",
    tag = "keys",
    params(("id" = String, Path, description = "Id of the key.")),
    responses((status = 200, body = KeyObject), (status = 404, body = ErrorBody)),
)]
async fn get(
    State(app): State<App>,
    _caller: Operator,
    Id(id): Id,
) -> Result<Json<KeyObject>, ApiError> {
    let key = app.store.key(&id).ok_or(ApiError::NotFound("Key", id))?;
    Ok(Json(wire(&key, None)))
}

/// Revoke a key.
///
/// In force when the answer comes. What it recorded stays.
#[utoipa::path(
    delete,
    path = "/keys/{id}",
    tag = "keys",
    params(("id" = String, Path, description = "Id of the key.")),
    responses((status = 200, body = KeyObject), (status = 404, body = ErrorBody)),
)]
async fn revoke(
    State(app): State<App>,
    caller: Operator,
    Id(id): Id,
) -> Result<Json<KeyObject>, ApiError> {
    app.store
        .key(&id)
        .ok_or_else(|| ApiError::NotFound("Key", id.clone()))?;
    let (act, recording) = (caller.act(), app.clone());
    let key = app
        .store
        .revoke_key(&id, move |key| {
            act.event(&recording, "audit_log.key_revoked")
                .target("api_key", &key.id, Some(&key.name))
                .previous(described(key))
                .recorded_at_home()
        })
        .await?;
    Ok(Json(wire(&key, None)))
}

/// What the record says about a key.
fn described(key: &Key) -> Object {
    let organizations = match &key.organizations {
        Reach::All => annals_event::Json::from("all"),
        Reach::Only(ids) => ids.iter().cloned().collect::<Vec<_>>().into(),
    };
    let scopes: Vec<annals_event::Json> = key.scopes.names().into_iter().map(Into::into).collect();
    Object::from_iter([
        ("organizations", organizations),
        ("scopes", annals_event::Json::Array(scopes)),
    ])
}

fn wire(key: &Key, secret: Option<String>) -> KeyObject {
    KeyObject {
        object: "api_key",
        id: key.id.clone(),
        key: secret,
        name: key.name.clone(),
        scopes: key.scopes.names(),
        organization_ids: match &key.organizations {
            Reach::All => None,
            Reach::Only(ids) => Some(ids.iter().cloned().collect()),
        },
        created_at: time(key.created_at),
        last_used_at: key.last_used_at().map(time),
        revoked_at: key.revoked_at.map(time),
    }
}
