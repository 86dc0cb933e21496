//! Organizations: the workspaces, as `WorkOS` has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use annals_store::{
    Domain, DomainState, Entitlement, MetadataUpdate, NewDomain, NewOrganization, Organization,
    OrganizationUpdate, OrganizationsQuery, Reach,
};
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
use crate::auth::{Manager, Observer, Operator};
use crate::body;
use crate::config::EntitlementSetting;
use crate::error::{ApiError, ErrorBody};
use crate::fields::{self, Fields};
use crate::params::{Id, Params};

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, update, delete))
        .routes(routes!(by_external_id))
}

/// The most domains of an organization.
const DOMAINS: usize = 100;

/// A workspace.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrganizationObject {
    /// Always `organization`.
    object: &'static str,
    /// Its id.
    id: String,
    /// The name that people see.
    name: String,
    /// The domains that it claims.
    domains: Vec<DomainObject>,
    /// Free texts of the host.
    metadata: BTreeMap<String, String>,
    /// The host's own id.
    external_id: Option<String>,
    /// Stored and returned, nothing more.
    allow_profiles_outside_organization: bool,
    /// Stored and returned, nothing more.
    #[serde(skip_serializing_if = "Option::is_none")]
    stripe_customer_id: Option<String>,
    /// The host's page that embeds the viewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    viewer_url: Option<String>,
    /// The origins that may frame the viewer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    frame_origins: Vec<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
    /// When something of it last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: String,
}

/// A domain that an organization claims.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DomainObject {
    /// Always `organization_domain`.
    object: &'static str,
    /// Its id.
    id: String,
    /// The organization.
    organization_id: String,
    /// The name.
    domain: String,
    /// `pending` or `verified`.
    state: &'static str,
    /// Always `manual`: the host says what is verified.
    verification_strategy: &'static str,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
    /// When its state last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: String,
}

/// The body that creates or changes an organization.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the body is read member by member"
)]
pub(crate) struct OrganizationBody {
    /// The host's id for it, `[A-Za-z0-9_-]{1,64}`, only when creating: creating it again is harmless.
    id: Option<String>,
    /// The name that people see.
    name: Option<String>,
    /// Names of verified domains (older clients).
    domains: Option<Vec<String>>,
    /// Domains with their state.
    #[schema(value_type = Option<Vec<Object>>)]
    domain_data: Option<()>,
    /// Free texts; null takes a key away.
    metadata: Option<BTreeMap<String, Option<String>>>,
    /// The host's own id, unique.
    external_id: Option<String>,
    /// Stored and returned, nothing more.
    allow_profiles_outside_organization: Option<bool>,
    /// Stored and returned, nothing more.
    stripe_customer_id: Option<String>,
    /// Ours: the host's page that embeds the viewer, with `{path}` where the page inside goes.
    viewer_url: Option<String>,
    /// Ours: the exact origins that may frame the viewer.
    frame_origins: Option<Vec<String>>,
}

/// List organizations.
#[utoipa::path(
    get,
    path = "/organizations",
    tag = "organizations",
    params(
        ("before" = Option<String>, Query, description = "Cursor."),
        ("after" = Option<String>, Query, description = "Cursor."),
        ("limit" = Option<u64>, Query, description = "1 to 100; default 10."),
        ("order" = Option<String>, Query, description = "`desc` (default), `asc` or `normal`, by creation."),
        ("domains" = Option<Vec<String>>, Query, description = "Only those that claim one of these."),
        ("search" = Option<String>, Query, description = "Only those whose name contains this."),
    ),
    responses((status = 200, body = List<OrganizationObject>), (status = 422, body = ErrorBody)),
)]
async fn list(
    State(app): State<App>,
    caller: Observer,
    mut params: Params,
) -> Result<Json<List<OrganizationObject>>, ApiError> {
    let query = OrganizationsQuery {
        list: list::query(&mut params),
        domains: params.texts("domains"),
        search: params.text("search"),
        only: match &caller.key.organizations {
            Reach::All => None,
            Reach::Only(ids) => Some(ids.clone()),
        },
    };
    params.finish()?;
    let page = app.store.organizations(&query)?;
    Ok(Json(List::new(page, |organization: Arc<Organization>| {
        wire(&organization)
    })))
}

/// Create an organization.
///
/// With an `id` of your own it is idempotent: one that is there is answered as it is.
#[utoipa::path(
    post,
    path = "/organizations",
    tag = "organizations",
    request_body = OrganizationBody,
    responses(
        (status = 201, body = OrganizationObject),
        (status = 403, description = "The key may not manage all organizations.", body = ErrorBody),
        (status = 409, description = "The id was deleted, or the external id is taken.", body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn create(
    State(app): State<App>,
    _caller: Operator,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let body = body::control(&app, &headers, body).await?;
    let mut fields = fields::read(&body)?;
    let new = NewOrganization {
        id: fields.text("id"),
        name: fields.required_text("name"),
        domains: domains(&mut fields).unwrap_or_default(),
        metadata: fields
            .text_map("metadata")
            .flatten()
            .unwrap_or_default()
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
            .collect(),
        external_id: fields.text("external_id"),
        allow_profiles_outside_organization: fields
            .flag("allow_profiles_outside_organization")
            .unwrap_or(false),
        entitlement: match app.config.default_entitlement {
            EntitlementSetting::Active => Entitlement::Active,
            EntitlementSetting::Inactive => Entitlement::Inactive,
        },
        viewer_url: fields.nullable_text("viewer_url").flatten(),
        frame_origins: frame_origins(&mut fields).unwrap_or_default(),
    };
    fields.finish()?;
    let created = app.store.create_organization(new, |_| Vec::new()).await?;
    Ok((StatusCode::CREATED, Json(wire(&created.into_inner()))).into_response())
}

/// Get an organization.
#[utoipa::path(
    get,
    path = "/organizations/{id}",
    tag = "organizations",
    params(("id" = String, Path, description = "Id of the organization.")),
    responses((status = 200, body = OrganizationObject), (status = 404, body = ErrorBody)),
)]
async fn get(caller: Observer, Id(id): Id) -> Result<Json<OrganizationObject>, ApiError> {
    let (organization, _) = caller.organization(&id)?;
    Ok(Json(wire(&organization)))
}

/// Get an organization by the host's own id.
#[utoipa::path(
    get,
    path = "/organizations/external_id/{external_id}",
    tag = "organizations",
    params(("external_id" = String, Path, description = "The host's own id.")),
    responses((status = 200, body = OrganizationObject), (status = 404, body = ErrorBody)),
)]
async fn by_external_id(
    State(app): State<App>,
    caller: Observer,
    Id(external_id): Id,
) -> Result<Json<OrganizationObject>, ApiError> {
    let unknown = || ApiError::organization(&external_id);
    let organization = app
        .store
        .organization_by_external_id(&external_id)
        .ok_or_else(unknown)?;
    // Out of reach is as good as not there, and says so in the same words.
    caller.reach(&organization.id).map_err(|_| unknown())?;
    Ok(Json(wire(&organization)))
}

/// Change an organization.
///
/// Members that are absent stay as they are.
#[utoipa::path(
    put,
    path = "/organizations/{id}",
    tag = "organizations",
    params(("id" = String, Path, description = "Id of the organization.")),
    request_body = OrganizationBody,
    responses(
        (status = 200, body = OrganizationObject),
        (status = 404, body = ErrorBody),
        (status = 409, description = "The external id is taken.", body = ErrorBody),
        (status = 422, body = ErrorBody),
    ),
)]
async fn update(
    State(app): State<App>,
    caller: Manager,
    Id(id): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<OrganizationObject>, ApiError> {
    caller.organization(&id)?;
    let body = body::control(&app, &headers, body).await?;
    let mut fields = fields::read(&body)?;
    let update = OrganizationUpdate {
        name: fields.text("name"),
        domains: domains(&mut fields),
        metadata: fields.text_map("metadata").map(|map| match map {
            None => MetadataUpdate::Clear,
            Some(map) => MetadataUpdate::Merge(map),
        }),
        external_id: fields.nullable_text("external_id"),
        stripe_customer_id: fields.nullable_text("stripe_customer_id"),
        allow_profiles_outside_organization: fields.flag("allow_profiles_outside_organization"),
        viewer_url: fields.nullable_text("viewer_url"),
        frame_origins: frame_origins(&mut fields),
    };
    fields.finish()?;
    let organization = app
        .store
        .update_organization(&id, update, |_, _| Vec::new())
        .await?;
    Ok(Json(wire(&organization)))
}

/// Delete an organization.
///
/// Its sessions end and everything answers 404; the log is kept to the end of its retention and still
/// takes late events. The id is never given out again.
#[utoipa::path(
    delete,
    path = "/organizations/{id}",
    tag = "organizations",
    params(("id" = String, Path, description = "Id of the organization.")),
    responses((status = 200, description = "Deleted."), (status = 404, body = ErrorBody)),
)]
async fn delete(State(app): State<App>, caller: Manager, Id(id): Id) -> Result<Response, ApiError> {
    caller.organization(&id)?;
    app.store.delete_organization(&id, |_| Vec::new()).await?;
    // A body, because one of the SDKs reads every answer as JSON.
    Ok(Json(Empty {}).into_response())
}

#[derive(Serialize)]
struct Empty {}

/// Reads `domain_data`, or the older `domains`, whose names count as verified.
fn domains(fields: &mut Fields) -> Option<Vec<NewDomain>> {
    if let Some(data) = fields.objects("domain_data", DOMAINS) {
        let mut domains = Vec::with_capacity(data.len());
        for mut one in data {
            let domain = one.required_text("domain");
            let state = match one.text("state").as_deref().map(DomainState::parse) {
                None => DomainState::Pending,
                Some(Some(state)) => state,
                Some(None) => {
                    one.fault("state", "unknown_value", "must be pending or verified");
                    DomainState::Pending
                }
            };
            domains.push(NewDomain { domain, state });
            fields.absorb(one);
        }
        return Some(domains);
    }
    if !fields.has("domains") {
        return None;
    }
    let names = fields.texts("domains", DOMAINS);
    Some(
        names
            .into_iter()
            .map(|domain| NewDomain {
                domain,
                state: DomainState::Verified,
            })
            .collect(),
    )
}

fn frame_origins(fields: &mut Fields) -> Option<Vec<String>> {
    if !fields.has("frame_origins") {
        return None;
    }
    Some(fields.texts("frame_origins", 20))
}

fn wire(organization: &Organization) -> OrganizationObject {
    OrganizationObject {
        object: "organization",
        id: organization.id.clone(),
        name: organization.name.clone(),
        domains: organization
            .domains
            .iter()
            .map(|d| wire_domain(d, &organization.id))
            .collect(),
        metadata: organization.metadata.clone(),
        external_id: organization.external_id.clone(),
        allow_profiles_outside_organization: organization.allow_profiles_outside_organization,
        stripe_customer_id: organization.stripe_customer_id.clone(),
        viewer_url: organization.viewer_url.clone(),
        frame_origins: organization.frame_origins.clone(),
        created_at: time(organization.created_at),
        updated_at: time(organization.updated_at),
    }
}

fn wire_domain(domain: &Domain, organization_id: &str) -> DomainObject {
    DomainObject {
        object: "organization_domain",
        id: domain.id.clone(),
        organization_id: organization_id.to_owned(),
        domain: domain.domain.clone(),
        state: domain.state.as_str(),
        verification_strategy: "manual",
        created_at: time(domain.created_at),
        updated_at: time(domain.updated_at),
    }
}
