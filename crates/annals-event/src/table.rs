//! The table: which columns an event has in a file, and what stands in each.
//!
//! The CSV and the Parquet file are the same table, so what a column holds is said once, here.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::{Catalogue, Json, Object, Row, TargetView, Timestamp};

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name, which never changes.
    pub name: &'static str,
    /// What stands in it.
    pub kind: ColumnKind,
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A moment; every row has one.
    Time,
    /// A whole number; every row has one.
    Number,
    /// A text, where there is one.
    Text,
    /// The canonical text of a JSON object, where there is one.
    Json,
}

/// The columns, in their order, which never changes.
pub const TABLE: [TableColumn; 31] = [
    column("occurred_at", ColumnKind::Time),
    column("recorded_at", ColumnKind::Time),
    column("position", ColumnKind::Number),
    column("id", ColumnKind::Text),
    column("event", ColumnKind::Text),
    column("action", ColumnKind::Text),
    column("category", ColumnKind::Text),
    column("outcome", ColumnKind::Text),
    column("failure_reason", ColumnKind::Text),
    column("description", ColumnKind::Text),
    column("actor_type", ColumnKind::Text),
    column("actor_id", ColumnKind::Text),
    column("actor_name", ColumnKind::Text),
    column("actor_email", ColumnKind::Text),
    column("actor_role", ColumnKind::Text),
    column("target_type", ColumnKind::Text),
    column("target_id", ColumnKind::Text),
    column("target_name", ColumnKind::Text),
    column("target_email", ColumnKind::Text),
    column("project_id", ColumnKind::Text),
    column("project_name", ColumnKind::Text),
    column("workspace_id", ColumnKind::Text),
    column("workspace_name", ColumnKind::Text),
    column("ip_address", ColumnKind::Text),
    column("user_agent", ColumnKind::Text),
    column("source", ColumnKind::Text),
    column("session_id", ColumnKind::Text),
    column("request_id", ColumnKind::Text),
    column("previous", ColumnKind::Json),
    column("next", ColumnKind::Json),
    column("metadata", ColumnKind::Json),
];

const fn column(name: &'static str, kind: ColumnKind) -> TableColumn {
    TableColumn { name, kind }
}

/// The workspace that a file names in each of its rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceLabel {
    /// The organization's id.
    pub id: String,
    /// Its name at the time of the download.
    pub name: String,
}

/// Takes the cells of a row, in the order of [`TABLE`]: one call a column, the one of its kind.
pub trait Cells {
    /// Of [`ColumnKind::Time`].
    fn time(&mut self, value: Timestamp);
    /// Of [`ColumnKind::Number`].
    fn number(&mut self, value: u64);
    /// Of [`ColumnKind::Text`]; `None` where it is absent or erased.
    fn text(&mut self, value: Option<&str>);
    /// Of [`ColumnKind::Json`]; `None` where it is absent or erased.
    fn json(&mut self, value: Option<&str>);
}

/// Gives the row of one event to `cells`. What has no column of its own stands in the last one under keys that start with `$`, which
/// no producer can use: nothing is lost.
pub fn fill_cells(
    row: &Row,
    workspace: &WorkspaceLabel,
    catalogue: &Catalogue,
    cells: &mut impl Cells,
) {
    let skeleton = row.skeleton();
    cells.time(skeleton.occurred_at);
    cells.time(row.recorded_at);
    cells.number(row.position);
    cells.text(Some(&skeleton.id));
    cells.text(Some(&catalogue.display_name(&skeleton.action)));
    cells.text(Some(&skeleton.action));
    cells.text(Some(catalogue.category_of(&skeleton.action).as_str()));
    cells.text(Some(row.outcome().as_str()));
    cells.text(row.failure_reason());
    cells.text(Some(&catalogue.sentence(row)));

    cells.text(Some(row.actor_type()));
    cells.text(row.actor_id());
    cells.text(row.actor_name());
    cells.text(row.actor_email());
    cells.text(row.actor_role());

    let first = row.target(0);
    cells.text(first.map(|target| target.kind));
    cells.text(first.and_then(|target| target.id));
    cells.text(first.and_then(|target| target.name));
    cells.text(first.and_then(|target| target.email));
    let project = row.targets().find(|target| target.kind == "project");
    cells.text(project.and_then(|project| project.id));
    cells.text(project.and_then(|project| project.name));
    cells.text(Some(&workspace.id));
    cells.text(Some(&workspace.name));

    cells.text(
        row.context("location")
            .filter(|location| is_address(location)),
    );
    cells.text(row.context("user_agent"));
    cells.text(row.context("source"));
    cells.text(row.context("session_id"));
    cells.text(row.context("request_id"));

    let text = |members: Option<&Object>| members.map(Object::to_canonical);
    cells.json(text(row.previous()).as_deref());
    cells.json(text(row.next()).as_deref());
    cells.json(text(with_leftovers(row).as_deref()).as_deref());
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
