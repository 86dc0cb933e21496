//! The CSV file: one row an event, 31 columns whose order never changes.
//!
//! RFC 4180 with every cell in quotes, UTF-8, CRLF. What has no column of its own stands in the last cell under keys that start with
//! `$`, which no producer can use: nothing is lost. Cells that a spreadsheet would take for a formula are led by an apostrophe.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::{Catalogue, Json, Object, Row, TargetView};

/// The columns, in their order.
pub const CSV_HEADER: [&str; 31] = [
    "occurred_at",
    "recorded_at",
    "position",
    "id",
    "event",
    "action",
    "category",
    "outcome",
    "failure_reason",
    "description",
    "actor_type",
    "actor_id",
    "actor_name",
    "actor_email",
    "actor_role",
    "target_type",
    "target_id",
    "target_name",
    "target_email",
    "project_id",
    "project_name",
    "workspace_id",
    "workspace_name",
    "ip_address",
    "user_agent",
    "source",
    "session_id",
    "request_id",
    "previous",
    "next",
    "metadata",
];

/// The workspace that a file names in each of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceLabel {
    /// The organization's id.
    pub id: String,
    /// Its name at the time of the download.
    pub name: String,
}

/// Appends the header row.
pub fn write_csv_header(out: &mut Vec<u8>) {
    let mut cells = Cells {
        out,
        first: true,
        guard: true,
    };
    for name in CSV_HEADER {
        cells.put(name);
    }
    cells.end();
}

/// Appends the row of one event. What is absent or erased is an empty cell.
///
/// `guard` puts an apostrophe before cells that a spreadsheet would take for a formula; [`csv_unguarded`] takes it away again.
/// Without it the file is for programs only.
pub fn write_csv_row(
    out: &mut Vec<u8>,
    row: &Row,
    workspace: &WorkspaceLabel,
    catalogue: &Catalogue,
    guard: bool,
) {
    let mut cells = Cells {
        out,
        first: true,
        guard,
    };
    let skeleton = row.skeleton();
    cells.put(&skeleton.occurred_at.to_string());
    cells.put(&row.recorded_at.to_string());
    cells.put(&row.position.to_string());
    cells.put(&skeleton.id);
    cells.put(&catalogue.display_name(&skeleton.action));
    cells.put(&skeleton.action);
    cells.put(catalogue.category_of(&skeleton.action).as_str());
    cells.put(row.outcome().as_str());
    cells.maybe(row.failure_reason());
    cells.put(&catalogue.sentence(row));

    cells.put(row.actor_type());
    cells.maybe(row.actor_id());
    cells.maybe(row.actor_name());
    cells.maybe(row.actor_email());
    cells.maybe(row.actor_role());

    let first = row.target(0);
    cells.maybe(first.map(|target| target.kind));
    cells.maybe(first.and_then(|target| target.id));
    cells.maybe(first.and_then(|target| target.name));
    cells.maybe(first.and_then(|target| target.email));
    let project = row.targets().find(|target| target.kind == "project");
    cells.maybe(project.and_then(|project| project.id));
    cells.maybe(project.and_then(|project| project.name));
    cells.put(&workspace.id);
    cells.put(&workspace.name);

    cells.maybe(
        row.context("location")
            .filter(|location| is_address(location)),
    );
    cells.maybe(row.context("user_agent"));
    cells.maybe(row.context("source"));
    cells.maybe(row.context("session_id"));
    cells.maybe(row.context("request_id"));

    cells.object(row.previous());
    cells.object(row.next());
    cells.object(with_leftovers(row).as_deref());
    cells.end();
}

/// The value of a cell as it was before the guard: one apostrophe less where there is one before a trigger.
pub fn csv_unguarded(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_guarded(rest) => rest,
        _ => cell,
    }
}

/// Whether the value needs an apostrophe: any number of them, then something that starts a formula somewhere.
///
/// Counting the apostrophes in makes the map injective: a value that happens to look guarded gets one more.
fn is_guarded(value: &str) -> bool {
    let triggers = [
        '=', '+', '-', '@', '\t', '\r', '\n', '\0', '＝', '＋', '－', '＠',
    ];
    value.trim_start_matches('\'').starts_with(triggers)
}

fn is_address(location: &str) -> bool {
    location.parse::<IpAddr>().is_ok()
}

/// The metadata and, under `$` keys, whatever of the event has no column.
fn with_leftovers(row: &Row) -> Option<Cow<'_, Object>> {
    let mut left = Object::new();
    put(&mut left, "$targets", further_targets(row));
    put(&mut left, "$actor", actor_leftovers(row));
    put(
        &mut left,
        "$failure",
        strings([
            ("detail", row.failure_detail()),
            ("stage", row.failure_stage()),
        ]),
    );
    put(
        &mut left,
        "$context",
        strings([
            ("correlation_id", row.context("correlation_id")),
            (
                "location",
                row.context("location")
                    .filter(|location| !is_address(location)),
            ),
            ("trace", row.context("trace")),
        ]),
    );
    put(&mut left, "$version", row.version().map(Json::from));
    let erased = row.erased();
    put(
        &mut left,
        "$erased",
        (!erased.is_empty()).then(|| Json::from(erased)),
    );
    let metadata = row.metadata();
    if left.is_empty() {
        return metadata.map(Cow::Borrowed);
    }
    for (key, value) in metadata.into_iter().flat_map(Object::iter) {
        left.insert(key, value.clone());
    }
    Some(Cow::Owned(left))
}

/// Every target but the first. If the first has metadata, that stands before them, in an element without a type.
fn further_targets(row: &Row) -> Option<Json> {
    let first = row
        .target(0)
        .and_then(|target| target.metadata)
        .map(|metadata| {
            let mut element = Object::new();
            element.insert("metadata", metadata.clone());
            Json::Object(element)
        });
    let elements: Vec<Json> = first
        .into_iter()
        .chain(row.targets().skip(1).map(target))
        .collect();
    (!elements.is_empty()).then_some(Json::Array(elements))
}

fn target(target: TargetView<'_>) -> Json {
    let mut element = Object::new();
    put(&mut element, "id", target.id.map(Json::from));
    put(&mut element, "type", Some(Json::from(target.kind)));
    put(&mut element, "name", target.name.map(Json::from));
    put(&mut element, "email", target.email.map(Json::from));
    put(
        &mut element,
        "metadata",
        target.metadata.cloned().map(Json::Object),
    );
    Json::Object(element)
}

fn actor_leftovers(row: &Row) -> Option<Json> {
    let mut left = Object::new();
    put(
        &mut left,
        "metadata",
        row.actor_metadata().cloned().map(Json::Object),
    );
    put(
        &mut left,
        "on_behalf_of",
        row.on_behalf_of().cloned().map(Json::Object),
    );
    (!left.is_empty()).then_some(Json::Object(left))
}

fn strings<const N: usize>(members: [(&str, Option<&str>); N]) -> Option<Json> {
    let mut left = Object::new();
    for (key, value) in members {
        put(&mut left, key, value.map(Json::from));
    }
    (!left.is_empty()).then_some(Json::Object(left))
}

fn put(out: &mut Object, key: &str, value: Option<Json>) {
    if let Some(value) = value {
        out.insert(key, value);
    }
}

/// Writes the cells of one row.
struct Cells<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    guard: bool,
}

impl Cells<'_> {
    fn put(&mut self, value: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        if self.guard && is_guarded(value) {
            self.out.push(b'\'');
        }
        for (i, part) in value.split('"').enumerate() {
            if i > 0 {
                self.out.extend_from_slice(b"\"\"");
            }
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.push(b'"');
    }

    fn maybe(&mut self, value: Option<&str>) {
        self.put(value.unwrap_or_default());
    }

    fn object(&mut self, value: Option<&Object>) {
        self.put(&value.map(Object::to_canonical).unwrap_or_default());
    }

    fn end(self) {
        self.out.extend_from_slice(b"\r\n");
    }
}
