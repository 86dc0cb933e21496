//! The built-in catalogue: the 43 actions of the product and our own about the log.

use annals_event::{Member, MemberKind};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::auth::Caller;

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list))
}

/// The built-in catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogueList {
    /// Always `list`.
    object: &'static str,
    /// The actions in the order of the product's list, then our own.
    data: Vec<CatalogueAction>,
}

/// One action of the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogueAction {
    /// The dotted name.
    action: &'static str,
    /// The name that people read.
    display_name: &'static str,
    /// The group that it is listed under.
    category: &'static str,
    /// `workspace` or `account`.
    scope: &'static str,
    /// `success` or `failure`.
    outcome: &'static str,
    /// Type of the primary target.
    target: &'static str,
    /// The closed list of failure reasons, beside `unspecified`.
    reasons: &'static [&'static str],
    /// Types of the further targets that it may name.
    related: Vec<&'static str>,
    /// The members of `previous` and `next`.
    changed: Vec<CatalogueMember>,
    /// The members of `metadata`; others may be sent too.
    metadata: Vec<CatalogueMember>,
    /// Whether it is about the log itself. Annals writes these; only `outbox.gap` is a producer's.
    extension: bool,
}

/// A member that events of an action carry.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CatalogueMember {
    /// Its key.
    name: &'static str,
    /// `text`, `integer`, `flag`, `texts`, `json` or `word`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The closed list of a `word`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<&'static str>,
}

impl From<Member> for CatalogueMember {
    fn from(member: Member) -> Self {
        Self {
            name: member.name,
            kind: match member.kind {
                MemberKind::Text => "text",
                MemberKind::Integer => "integer",
                MemberKind::Flag => "flag",
                MemberKind::Texts => "texts",
                MemberKind::Json => "json",
                MemberKind::Word(_) => "word",
            },
            values: member.words().collect(),
        }
    }
}

/// List the built-in catalogue.
#[utoipa::path(
    get,
    path = "/audit_logs/catalogue",
    tag = "actions",
    responses((status = 200, body = CatalogueList)),
)]
async fn list(State(app): State<App>, _caller: Caller) -> Json<CatalogueList> {
    let data = app.catalogue().all().map(|entry| CatalogueAction {
        action: entry.action,
        display_name: entry.display_name,
        category: entry.category.as_str(),
        scope: entry.scope.as_str(),
        outcome: entry.outcome.as_str(),
        target: entry.target,
        reasons: entry.reasons,
        related: entry.related().collect(),
        changed: entry.changed().map(Into::into).collect(),
        metadata: entry.metadata().map(Into::into).collect(),
        extension: entry.extension,
    });
    Json(CatalogueList {
        object: "list",
        data: data.collect(),
    })
}
