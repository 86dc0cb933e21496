//! Counting events: when they happened, and which values they have.

use annals_event::{Facet, Step, Steps, Timestamp};
use annals_store::{FacetCounts, Tallied, Tally, Unreadable};
use axum::Json;
use axum::extract::State;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use super::find::{MatchCount, Matching, UnreadablePart};
use super::{query, query_in_zone};
use crate::app::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody};
use crate::params::Params;

/// Values of a facet that are named unless asked for more.
const TOP: u64 = 10;
/// The most values of a facet that are named.
const TOP_MAX: u64 = 1_000;

/// Events by hours or days.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventHistogram {
    /// Always `histogram`.
    object: &'static str,
    /// `hour` or `day`.
    step: &'static str,
    /// The zone whose hours or days they are.
    tz: String,
    /// The hours or days in which events occurred, the earliest first. Those without events are left out.
    data: Vec<HistogramStep>,
    #[serde(flatten)]
    counted: Counted,
}

/// Events of one hour or day.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistogramStep {
    /// `occurred_at` from here.
    #[schema(value_type = String, format = DateTime)]
    from: String,
    /// `occurred_at` before here.
    #[schema(value_type = String, format = DateTime)]
    to: String,
    /// Its start as the clocks of the zone show it: `2026-11-22`, or `2026-11-22T14:00+01:00`.
    local: String,
    /// How many events.
    count: u64,
    /// How many of them failed.
    failed: u64,
}

/// Events by the values that they have.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventFacets {
    /// Always `facets`.
    object: &'static str,
    /// The fields, in the order in which they were asked for.
    data: Vec<FacetValues>,
    #[serde(flatten)]
    counted: Counted,
}

/// The values of one field.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FacetValues {
    /// The field; `field:value` is the query that finds the events of a value.
    field: String,
    /// The most frequent values.
    values: Vec<FacetValue>,
    /// How many other values there are.
    other_values: u64,
    /// How many events have no value.
    missing: u64,
    /// Whether all different values were told apart. If not, there were too many of them: `other_values` is the least that there are,
    /// and so is each `count`.
    complete: bool,
}

/// One value of a field.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FacetValue {
    /// The value.
    value: String,
    /// What people call it, if that is something else: an actor's name.
    label: Option<String>,
    /// How many events have it.
    count: u64,
}

/// What holds for everything that was counted.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counted {
    /// How many events match in all.
    count: MatchCount,
    /// The size of the log that was looked at.
    as_of: u64,
    /// If the time for one search ran out: the position down to which everything was counted.
    partial: Option<u64>,
    /// What cannot be read, and is not counted.
    unreadable: Vec<UnreadablePart>,
}

impl Counted {
    fn new(tallied: &Tallied) -> Self {
        let is_whole = tallied.partial.is_none() && tallied.unreadable.is_empty();
        Self {
            count: MatchCount {
                value: tallied.count,
                relation: if is_whole { "exact" } else { "at_least" },
            },
            as_of: tallied.as_of,
            partial: tallied.partial,
            unreadable: parts(&tallied.unreadable),
        }
    }
}

/// What could not be read, as an answer tells it.
pub(crate) fn parts(unreadable: &[Unreadable]) -> Vec<UnreadablePart> {
    unreadable.iter().map(UnreadablePart::new).collect()
}

impl FacetValues {
    fn new(counts: FacetCounts) -> Self {
        let values = counts.values.into_iter().map(|value| FacetValue {
            value: value.value,
            label: value.label,
            count: value.count,
        });
        Self {
            field: counts.facet.field().name(),
            values: values.collect(),
            other_values: counts.others,
            missing: counts.missing,
            complete: counts.complete,
        }
    }
}

/// Count events by hours or days.
///
/// By `occurred_at`, in the zone `tz`. At most 10,000 steps can have events in them.
#[utoipa::path(
    get,
    path = "/audit_logs/events/histogram",
    tag = "events",
    params(
        Matching,
        ("step" = Option<String>, Query, description = "`day` (default) or `hour`, of the zone `tz`."),
        ("as_of" = Option<u64>, Query, description = "As the log was at this size."),
    ),
    responses(
        (status = 200, body = EventHistogram),
        (status = 400, description = "The query is wrong; names the column.", body = ErrorBody),
        (status = 403, description = "The key may not read, or the workspace is not entitled.", body = ErrorBody),
        (status = 404, description = "No such organization.", body = ErrorBody),
        (status = 422, description = "A parameter is wrong, or the range has too many steps.", body = ErrorBody),
    ),
)]
pub(crate) async fn histogram(
    State(app): State<App>,
    caller: Reader,
    mut params: Params,
) -> Result<Json<EventHistogram>, ApiError> {
    let organization_id = params.required("organization_id");
    let (wanted, zone) = query_in_zone(&mut params, &app)?;
    let words = [("day", Step::Day), ("hour", Step::Hour)];
    let step = params.word("step", &words).unwrap_or(Step::Day);
    let tally = Tally {
        filter: wanted.filter,
        as_of: params.integer("as_of", 0..=u64::MAX),
        steps: Some(Steps::new(step, zone.clone())),
        deadline: Some(app.search_deadline()),
        ..Tally::default()
    };
    params.finish_strictly()?;
    let tallied = count(&app, &caller, &organization_id, tally).await?;
    let tallied_by = step;
    let time = |micros| Timestamp::clamped(micros).to_string();
    let steps = tallied.steps.iter().map(|step| HistogramStep {
        from: time(step.from),
        to: time(step.to),
        local: local(step.from, tallied_by, &zone),
        count: step.count,
        failed: step.failed,
    });
    Ok(Json(EventHistogram {
        object: "histogram",
        step: match tallied_by {
            Step::Hour => "hour",
            Step::Day => "day",
        },
        tz: zone.iana_name().unwrap_or("UTC").to_owned(),
        data: steps.collect(),
        counted: Counted::new(&tallied),
    }))
}

/// The start of a step as the clocks of a zone show it.
fn local(micros: i64, step: Step, zone: &TimeZone) -> String {
    let at = jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MIN);
    let local = at.to_zoned(zone.clone());
    match step {
        Step::Day => local.strftime("%Y-%m-%d").to_string(),
        Step::Hour => local.strftime("%Y-%m-%dT%H:%M%:z").to_string(),
    }
}

/// Count events by the values that they have.
#[utoipa::path(
    get,
    path = "/audit_logs/events/facets",
    tag = "events",
    params(
        Matching,
        ("fields" = Option<String>, Query, description = "A comma list of `action`, `actor.id`, `actor.type`, `outcome`, `target.type`, `source`, `ip`; all of them if absent."),
        ("top" = Option<u64>, Query, description = "How many values of each field are named: 1 to 1,000; default 10."),
        ("as_of" = Option<u64>, Query, description = "As the log was at this size."),
    ),
    responses(
        (status = 200, body = EventFacets),
        (status = 400, description = "The query is wrong; names the column.", body = ErrorBody),
        (status = 403, description = "The key may not read, or the workspace is not entitled.", body = ErrorBody),
        (status = 404, description = "No such organization.", body = ErrorBody),
        (status = 422, description = "A parameter is wrong.", body = ErrorBody),
    ),
)]
pub(crate) async fn facets(
    State(app): State<App>,
    caller: Reader,
    mut params: Params,
) -> Result<Json<EventFacets>, ApiError> {
    let organization_id = params.required("organization_id");
    let wanted = query(&mut params, &app)?;
    let facets = fields(&mut params);
    let top = params.integer("top", 1..=TOP_MAX).unwrap_or(TOP);
    let tally = Tally {
        filter: wanted.filter,
        as_of: params.integer("as_of", 0..=u64::MAX),
        facets,
        top: usize::try_from(top).unwrap_or(usize::MAX),
        deadline: Some(app.search_deadline()),
        ..Tally::default()
    };
    params.finish_strictly()?;
    let mut tallied = count(&app, &caller, &organization_id, tally).await?;
    let facets = std::mem::take(&mut tallied.facets);
    Ok(Json(EventFacets {
        object: "facets",
        data: facets.into_iter().map(FacetValues::new).collect(),
        counted: Counted::new(&tallied),
    }))
}

/// Reads the parameter `fields`: each facet once.
fn fields(params: &mut Params) -> Vec<Facet> {
    let named = params.texts("fields");
    let mut facets = Vec::new();
    for name in &named {
        match Facet::ALL.into_iter().find(|f| f.field().name() == *name) {
            Some(facet) if facets.contains(&facet) => {
                params.fault("fields", "duplicate", "names a field twice");
            }
            Some(facet) => facets.push(facet),
            None => {
                let known = Facet::ALL.map(|facet| facet.field().name()).join(", ");
                params.fault("fields", "unknown_value", &format!("must be among {known}"));
            }
        }
    }
    match named.is_empty() {
        true => Facet::ALL.to_vec(),
        false => facets,
    }
}

async fn count(
    app: &App,
    caller: &Reader,
    organization_id: &str,
    tally: Tally,
) -> Result<Tallied, ApiError> {
    let (_, log) = caller.reading_log(organization_id).await?;
    let tallied = app.reading(move || log.tally(&tally)).await?;
    app.noticed(&tallied.unreadable);
    Ok(tallied)
}
