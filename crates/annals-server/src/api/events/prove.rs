//! Receipts and proofs: what connects an event to a checkpoint that the server has signed.

use annals_merkle::{Hash, leaf_hash};
use annals_store::{Log, StoreError};
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody};
use crate::params::{Id, Params};

/// A signed promise about a log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Checkpoint {
    /// The workspace.
    pub(crate) organization_id: String,
    /// The log's name, as it stands in entries and checkpoints.
    pub(crate) log: String,
    /// How many entries the log had.
    pub(crate) size: u64,
    /// The root of its tree, base64.
    pub(crate) root: String,
    /// The signed note over both (C2SP tlog-checkpoint).
    pub(crate) checkpoint: String,
    /// The public key that signed it, in the text form of signed notes.
    pub(crate) verifier_key: String,
}

/// What a writer may keep to prove later that its event was recorded.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Receipt {
    /// Position in the log.
    position: u64,
    /// Hash of the entry, as a leaf of the tree, base64.
    leaf_hash: String,
    /// The size of the tree that the path belongs to.
    size: u64,
    /// The hashes from the leaf to the root, base64.
    path: Vec<String>,
    /// The checkpoint; in a batch it stands once beside the results.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<String>,
}

impl Receipt {
    /// The same without its checkpoint.
    pub(crate) fn without_checkpoint(mut self) -> Self {
        self.checkpoint = None;
        self
    }
}

/// The checkpoint of a receipt.
pub(crate) fn checkpoint_of(log: &Log, promise: &annals_store::Receipt) -> Checkpoint {
    Checkpoint {
        organization_id: log.id().to_owned(),
        log: log.name().to_owned(),
        size: promise.size(),
        root: text(&promise.root()),
        checkpoint: promise.note().to_owned(),
        verifier_key: log.verifier_key(),
    }
}

/// The receipts of events at these positions, which one promise covers.
pub(crate) async fn receipts(
    app: &App,
    log: &Log,
    positions: Vec<u64>,
    promise: &annals_store::Receipt,
) -> Result<Vec<Receipt>, ApiError> {
    let (log, promise) = (log.clone(), promise.clone());
    let receipt = move |position: u64| {
        let (leaf_hash, _) = leaf(&log, position)?;
        let path = log.inclusion(position, promise.size())?;
        Ok(Receipt {
            position,
            leaf_hash: text(&leaf_hash),
            size: promise.size(),
            path: path.iter().map(text).collect(),
            checkpoint: Some(promise.note().to_owned()),
        })
    };
    app.reading(move || positions.into_iter().map(receipt).collect())
        .await
}

/// That an event is in the log, at which place, and what exactly was hashed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventProof {
    /// The workspace.
    organization_id: String,
    /// Id of the event.
    id: String,
    /// Position in the log.
    position: u64,
    /// The exact line that was hashed; see docs/formats/entry-v1.md.
    entry: String,
    /// Hash of the entry, as a leaf of the tree, base64.
    leaf_hash: String,
    /// The size of the tree that the path belongs to.
    size: u64,
    /// The hashes from the leaf to the root, base64.
    path: Vec<String>,
    /// The signed note over size and root.
    checkpoint: String,
    /// The public key that signed it.
    verifier_key: String,
}

/// Prove one event.
///
/// The entry, its path and the checkpoint. A file that also proves the values of the event, and that
/// `annals verify` reads, is `/audit_logs/events.proof` with the event's position.
#[utoipa::path(
    get,
    path = "/audit_logs/events/{id}/proof",
    tag = "proofs",
    params(
        ("id" = String, Path, description = "Id of the event."),
        ("organization_id" = String, Query, description = "The workspace."),
        ("size" = Option<u64>, Query, description = "Against the log as it was at this size; default now."),
    ),
    responses(
        (status = 200, body = EventProof),
        (status = 404, description = "No such event or organization.", body = ErrorBody),
    ),
)]
pub(crate) async fn by_id(
    State(app): State<App>,
    caller: Reader,
    Id(id): Id,
    mut params: Params,
) -> Result<Json<EventProof>, ApiError> {
    let organization_id = params.required("organization_id");
    let size = params.integer("size", 1..=u64::MAX);
    params.finish_strictly()?;
    let (_, log) = caller.reading_log(&organization_id).await?;
    let wanted = id.clone();
    let proof = app
        .reading(move || {
            let Some(row) = log.row_by_id(&wanted)? else {
                return Ok(None);
            };
            let (leaf_hash, entry) = leaf(&log, row.position)?;
            let size = size.unwrap_or_else(|| log.size());
            let path = log.inclusion(row.position, size)?;
            Ok(Some(EventProof {
                organization_id,
                id: wanted,
                position: row.position,
                entry,
                leaf_hash: text(&leaf_hash),
                size,
                path: path.iter().map(text).collect(),
                checkpoint: log.checkpoint_at(size)?,
                verifier_key: log.verifier_key(),
            }))
        })
        .await?;
    proof.map(Json).ok_or(ApiError::NotFound("Event", id))
}

fn leaf(log: &Log, position: u64) -> Result<(Hash, String), StoreError> {
    let entry = log.entry(position)?.ok_or_else(|| StoreError::Damaged {
        place: format!("{} position {position}", log.name()),
        what: "a recorded event has no entry".to_owned(),
    })?;
    Ok((leaf_hash(entry.as_bytes()), entry))
}

/// A hash as it stands in checkpoints.
pub(crate) fn text(hash: &Hash) -> String {
    STANDARD.encode(hash)
}
