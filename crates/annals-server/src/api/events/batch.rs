//! Many events in one request: the good ones are kept, and every one gets its own answer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;

use annals_event::{Draft, Drafts, EventError, Timestamp, limits};
use annals_store::{Append, Appended, Item, Log, Share};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::prove::{Checkpoint, Receipt, checkpoint_of, receipts};
use crate::app::App;
use crate::auth::Writer;
use crate::body::{self, Content};
use crate::error::{ApiError, ErrorBody};
use crate::ingest;
use crate::params::Params;
use crate::room;

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchResult {
    /// How many events were recorded.
    recorded: usize,
    /// How many had been recorded before.
    duplicates: usize,
    /// How many were refused; nothing of them is in the log.
    rejected: usize,
    /// One for each event, in the order of the request.
    results: Vec<EventResult>,
    /// The signed checkpoints that the paths lead to, where `receipt=1` asked for them; one for each
    /// workspace of the batch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checkpoints: Vec<Checkpoint>,
    /// Where every event was refused, the error of the first, as any error has it.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorBody>,
}

/// What became of one event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "status", rename_all = "lowercase")]
pub(crate) enum EventResult {
    /// It is new.
    Recorded(Place),
    /// It had been recorded before.
    Duplicate(Place),
    /// It was refused.
    // Elsewhere, so that the many that are recorded are small.
    Rejected(Box<Refusal>),
}

/// Why an event was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Refusal {
    /// The status that it would have got alone.
    http_status: u16,
    /// The body that it would have got alone.
    #[serde(flatten)]
    error: ErrorBody,
}

/// Where an event is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Place {
    /// Its id.
    id: String,
    /// Its position.
    position: u64,
    /// When it was recorded.
    #[schema(value_type = String, format = DateTime)]
    #[serde(serialize_with = "as_text")]
    recorded_at: Timestamp,
    /// The way to the checkpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Box<Receipt>>,
}

fn as_text<S: Serializer>(time: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(time)
}

/// The body that records many events of one workspace.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "describes the wire; the body itself is read in place"
)]
pub(crate) struct NewEvents {
    /// The workspace.
    organization_id: String,
    /// At most 1,000 events.
    #[schema(value_type = Vec<Object>)]
    events: (),
}

/// Record many events.
///
/// Takes JSON `{organization_id, events}` or, as `application/x-ndjson`, lines of
/// `{organization_id, event}`: at most 1,000 events and 10 MiB. Events that are wrong are named in the
/// results and the others are recorded: 200 if none was refused, 207 if some were, 400 if all were.
#[utoipa::path(
    post,
    path = "/audit_logs/events/bulk",
    tag = "events",
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Any unique text; remembered for at least 24 hours of uptime."),
        ("receipt" = Option<bool>, Query, description = "Also answer a checkpoint, and a path to it for each event."),
    ),
    request_body(content(
        (NewEvents = "application/json"),
        (String = "application/x-ndjson"),
    )),
    responses(
        (status = 200, description = "All recorded, now or before.", body = BatchResult),
        (status = 207, description = "Some were refused.", body = BatchResult),
        (status = 400, description = "All were refused, or the body cannot be read.", body = BatchResult),
        (status = 404, description = "No such organization.", body = ErrorBody),
        (status = 409, description = "The idempotency key was used for another body.", body = ErrorBody),
        (status = 413, description = "Too large.", body = ErrorBody),
    ),
)]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Writer,
    mut params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    let with_receipt = params.flag("receipt");
    params.finish_strictly()?;
    let (Parts { headers, .. }, body) = request.into_parts();
    let content = body::content(&headers)?;
    let body = body::read_batch(&app, &caller.key.id, &headers, body).await?;
    let sorted = match content {
        Content::Json => one_workspace(&app, &caller, &body).await?,
        Content::Ndjson => many_workspaces(&app, &caller, &body).await?,
    };
    let idempotency = ingest::idempotency(&headers, &body)?;
    let Sorted {
        drafts,
        groups,
        mut results,
    } = sorted;
    if groups.is_empty() {
        return Ok(answer(&app, results, Vec::new()));
    }
    // What is left to do takes less room than the body, which others want.
    drop(body);
    let append = Append {
        drafts,
        recorded_by: caller.key.id.clone(),
        idempotency,
        internal: false,
        receipt: with_receipt,
    };
    let (shares, places): (Vec<_>, Vec<_>) = groups
        .into_iter()
        .map(
            |Group {
                 log,
                 events,
                 places,
             }| (Share { log, events }, places),
        )
        .unzip();
    let logs: Vec<Log> = shares.iter().map(|share| share.log.clone()).collect();
    let outcomes = app.store.append(append, shares).await?;
    let mut checkpoints = Vec::new();
    let (mut recorded_any, mut first_error) = (false, None);
    for ((log, places), outcome) in logs.iter().zip(places).zip(outcomes) {
        match outcome {
            Ok(appended) => {
                recorded_any = true;
                if let Some(promise) = &appended.receipt {
                    checkpoints.push(checkpoint_of(log, promise));
                }
                fill(&app, log, &places, appended, &mut results).await?;
            }
            Err(error) => {
                let error = ApiError::from(error);
                for place in places {
                    results[place] = Some(rejected(&error));
                }
                first_error.get_or_insert(error);
            }
        }
    }
    // Where nothing is recorded, the whole request can be repeated as it is, and says so.
    if let Some(error) = first_error.filter(|_| !recorded_any) {
        return Err(error);
    }
    Ok(answer(&app, results, checkpoints))
}

/// The events of a request by workspace, and the refusals so far.
#[derive(Default)]
struct Sorted {
    drafts: Drafts,
    groups: Vec<Group>,
    results: Vec<Option<EventResult>>,
}

/// The events of one workspace.
struct Group {
    log: Log,
    /// Which of the drafts.
    events: Vec<usize>,
    /// The index of each in the request.
    places: Vec<usize>,
}

impl Sorted {
    fn add(&mut self, group: usize, draft: usize) {
        let place = self.results.len();
        let group = &mut self.groups[group];
        group.events.push(draft);
        group.places.push(place);
        self.results.push(None);
    }

    /// Adds what was read the thorough way.
    fn add_or_refuse(&mut self, group: usize, draft: Result<Draft, EventError>) {
        match draft {
            Ok(draft) => {
                self.drafts.push(&draft);
                self.add(group, self.drafts.len() - 1);
            }
            Err(error) => self.refuse(&ApiError::from(error)),
        }
    }

    fn refuse(&mut self, error: &ApiError) {
        self.results.push(Some(rejected(error)));
    }

    fn open(&mut self, log: Log) -> usize {
        self.groups.push(Group {
            log,
            events: Vec::new(),
            places: Vec::new(),
        });
        self.groups.len() - 1
    }

    /// Groups without events are nothing to record.
    fn closed(mut self) -> Self {
        self.groups.retain(|group| !group.events.is_empty());
        self
    }
}

async fn one_workspace(app: &App, caller: &Writer, body: &Bytes) -> Result<Sorted, ApiError> {
    let mut sorted = Sorted::default();
    if let Some((organization_id, drafts)) = ingest::straight_list(app, body)
        && !drafts.is_empty()
    {
        caller.charge(drafts.len() - 1)?;
        let group = sorted.open(caller.recording_log(&organization_id).await?);
        (0..drafts.len()).for_each(|draft| sorted.add(group, draft));
        sorted.drafts = drafts;
        return Ok(sorted);
    }
    let batch = ingest::batch(body)?;
    if batch.events.is_empty() {
        return Err(ApiError::invalid(
            "events",
            "required",
            "events has at least one event",
        ));
    }
    caller.charge(batch.events.len() - 1)?;
    let group = sorted.open(caller.recording_log(&batch.organization_id).await?);
    for event in batch.events {
        sorted.add_or_refuse(group, ingest::draft(app, event));
    }
    Ok(sorted.closed())
}

async fn many_workspaces(app: &App, caller: &Writer, body: &Bytes) -> Result<Sorted, ApiError> {
    let lines: Vec<&[u8]> = lines(body).take(limits::BATCH_EVENTS + 1).collect();
    let count = lines.len();
    match count {
        0 => {
            return Err(ApiError::bad(
                "empty_batch",
                "The body has no line with an event.",
            ));
        }
        count if count > limits::BATCH_EVENTS => return Err(ingest::too_many()),
        count => caller.charge(count - 1)?,
    }
    let mut sorted = Sorted {
        drafts: Drafts::with_capacity(count, body.len().min(room::SHARE)),
        ..Sorted::default()
    };
    let mut groups: HashMap<Cow<'_, str>, Result<usize, ApiError>> = HashMap::new();
    let mut straight = 0..;
    for (line, organization_id) in ingest::straight_lines(app, &lines, &mut sorted.drafts) {
        // What was not read yet is read the thorough way.
        let (organization_id, event) = match organization_id {
            Some(id) => (id, None),
            None => match ingest::envelope(line) {
                Ok(envelope) => (envelope.organization_id, Some(envelope.event)),
                Err(error) => {
                    sorted.refuse(&error);
                    continue;
                }
            },
        };
        let draft = match event {
            Some(event) => Err(event),
            None => Ok(straight.next().unwrap_or_default()),
        };
        if !groups.contains_key(&organization_id) {
            let log = caller.recording_log(&organization_id).await;
            let group = log.map(|log| sorted.open(log));
            groups.insert(organization_id.clone(), group);
        }
        match (groups.get(&organization_id), draft) {
            (Some(Ok(group)), Ok(draft)) => sorted.add(*group, draft),
            (Some(Ok(group)), Err(event)) => {
                sorted.add_or_refuse(*group, ingest::draft(app, event));
            }
            (Some(Err(error)), _) => sorted.refuse(error),
            (None, _) => sorted.refuse(&ApiError::organization(&organization_id)),
        }
    }
    Ok(sorted.closed())
}

/// The lines of a text that are not blank.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b'\n', body).chain([body.len()]);
    let mut start = 0;
    ends.map(move |end| &body[std::mem::replace(&mut start, end + 1)..end])
        .filter(|line| !line.trim_ascii().is_empty())
}

/// Puts what became of a group's events where they stood in the request.
async fn fill(
    app: &App,
    log: &Log,
    places: &[usize],
    appended: Appended,
    results: &mut [Option<EventResult>],
) -> Result<(), ApiError> {
    let mut receipts = match &appended.receipt {
        Some(promise) => {
            let positions = appended.items.iter().filter_map(position).collect();
            receipts(app, log, positions, promise).await?
        }
        None => Vec::new(),
    }
    .into_iter();
    for (place, item) in places.iter().zip(appended.items) {
        let mut at = |id, position, recorded_at: Timestamp| Place {
            id,
            position,
            recorded_at,
            receipt: receipts
                .next()
                .map(Receipt::without_checkpoint)
                .map(Box::new),
        };
        results[*place] = Some(match item {
            Item::Recorded {
                position,
                id,
                recorded_at,
            } => EventResult::Recorded(at(id, position, recorded_at)),
            Item::Duplicate {
                position,
                id,
                recorded_at,
            } => EventResult::Duplicate(at(id, position, recorded_at)),
            Item::Conflict { .. } => rejected(&super::id_conflict()),
        });
    }
    Ok(())
}

/// Where an event is, if it is there.
fn position(item: &Item) -> Option<u64> {
    match item {
        Item::Recorded { position, .. } | Item::Duplicate { position, .. } => Some(*position),
        Item::Conflict { .. } => None,
    }
}

fn rejected(error: &ApiError) -> EventResult {
    EventResult::Rejected(Box::new(Refusal {
        http_status: error.status().as_u16(),
        error: error.body(),
    }))
}

fn answer(app: &App, results: Vec<Option<EventResult>>, checkpoints: Vec<Checkpoint>) -> Response {
    let (mut recorded, mut duplicates, mut rejects) = (0, 0, 0);
    let mut first_error: Option<ErrorBody> = None;
    let results: Vec<EventResult> = results.into_iter().flatten().collect();
    for result in &results {
        match result {
            EventResult::Recorded(_) => recorded += 1,
            EventResult::Duplicate(_) => duplicates += 1,
            EventResult::Rejected(refusal) => {
                rejects += 1;
                first_error.get_or_insert_with(|| refusal.error.clone());
            }
        }
    }
    app.metrics.recorded.fetch_add(recorded as u64, Relaxed);
    app.metrics.duplicates.fetch_add(duplicates as u64, Relaxed);
    app.metrics.rejected.fetch_add(rejects as u64, Relaxed);
    let status = match (rejects, recorded + duplicates) {
        (0, _) => StatusCode::OK,
        (_, 0) => StatusCode::BAD_REQUEST,
        _ => StatusCode::MULTI_STATUS,
    };
    let error = if status == StatusCode::BAD_REQUEST {
        first_error
    } else {
        None
    };
    let body = BatchResult {
        recorded,
        duplicates,
        rejected: rejects,
        results,
        checkpoints,
        error,
    };
    (status, Json(body)).into_response()
}
