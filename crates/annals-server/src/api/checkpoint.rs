//! The checkpoint of a log: its size and root, signed.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::events::prove::{Checkpoint, text};
use crate::app::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody};
use crate::params::Params;

/// The routes of this file.
pub(crate) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(get))
}

/// A checkpoint, and how it continues an earlier one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedCheckpoint {
    #[serde(flatten)]
    checkpoint: Checkpoint,
    /// The hashes that prove that this tree begins with the one of size `from`, base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    consistency: Option<Vec<String>>,
}

/// Get the checkpoint of a log.
///
/// Keep it: whoever holds one can later prove that nothing before it was changed or left out. With
/// `from`, the size of an older one, the answer proves that this log continues it.
#[utoipa::path(
    get,
    path = "/audit_logs/checkpoint",
    tag = "proofs",
    params(
        ("organization_id" = String, Query, description = "The workspace."),
        ("size" = Option<u64>, Query, description = "As the log was at this size; default now."),
        ("from" = Option<u64>, Query, description = "Also prove that the log of this size is continued."),
    ),
    responses(
        (status = 200, body = SignedCheckpoint),
        (status = 400, description = "The log is smaller than that.", body = ErrorBody),
        (status = 404, description = "No such organization.", body = ErrorBody),
    ),
)]
pub(crate) async fn get(
    State(app): State<App>,
    caller: Reader,
    mut params: Params,
) -> Result<Json<SignedCheckpoint>, ApiError> {
    let organization_id = params.required("organization_id");
    let size = params.integer("size", 0..=u64::MAX);
    let from = params.integer("from", 0..=u64::MAX);
    params.finish_strictly()?;
    let (_, log) = caller.reading_log(&organization_id).await?;
    let answer = app.reading(move || {
        let size = size.unwrap_or_else(|| log.size());
        let consistency = match from {
            Some(from) => Some(log.consistency(from, size)?.iter().map(text).collect()),
            None => None,
        };
        let checkpoint = Checkpoint {
            organization_id,
            log: log.name().to_owned(),
            size,
            root: text(&log.root_at(size)?),
            checkpoint: log.checkpoint_at(size)?,
            verifier_key: log.verifier_key(),
        };
        Ok(SignedCheckpoint {
            checkpoint,
            consistency,
        })
    });
    Ok(Json(answer.await?))
}
