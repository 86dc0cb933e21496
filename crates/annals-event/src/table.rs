//! The table: which columns an event has in a file, and what stands in each.
//!
//! The CSV and the Parquet file are the same table, so what a column holds is said once, here.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::members::{Kind, Table, write};
use crate::opened::{Opened, OpenedTarget};
use crate::sentence::describe;
use crate::{Catalogue, Category, Json, Object, Timestamp};

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
    opened: &Opened<'_>,
    workspace: &WorkspaceLabel,
    catalogue: &Catalogue,
    cells: &mut impl Cells,
) {
    let entry = catalogue.get(opened.action);
    let name = match entry {
        Some(entry) => Cow::Borrowed(entry.display_name),
        None => catalogue.display_name(opened.action),
    };
    let mut text = String::new();
    cells.time(opened.occurred_at);
    cells.time(opened.recorded_at);
    cells.number(opened.position);
    cells.text(Some(&opened.id));
    cells.text(Some(&name));
    cells.text(Some(opened.action));
    let category = entry.map_or(Category::Other, |entry| entry.category);
    cells.text(Some(category.as_str()));
    cells.text(Some(opened.outcome().as_str()));
    cells.text(opened.failure_reason());
    describe(&mut text, entry, &name, opened);
    cells.text(Some(&text));

    cells.text(Some(opened.actor_type));
    cells.text(opened.actor_id());
    cells.text(opened.actor_name());
    cells.text(opened.actor_email());
    cells.text(opened.actor_role());

    let first = opened.targets.first();
    cells.text(first.map(|target| target.kind));
    cells.text(first.and_then(OpenedTarget::id));
    cells.text(first.and_then(OpenedTarget::name));
    cells.text(first.and_then(OpenedTarget::email));
    let mut projects = opened.targets.iter();
    let project = projects.find(|target| target.kind == "project");
    cells.text(project.and_then(OpenedTarget::id));
    cells.text(project.and_then(OpenedTarget::name));
    cells.text(Some(&workspace.id));
    cells.text(Some(&workspace.name));

    let [_, location, request_id, session_id, source, _, user_agent] = opened.context();
    let address = location.filter(|location| is_address(location));
    cells.text(address);
    cells.text(user_agent);
    cells.text(source);
    cells.text(session_id);
    cells.text(request_id);

    cells.json(opened.previous());
    cells.json(opened.next());
    text.clear();
    let place = location.filter(|_| address.is_none());
    cells.json(with_leftovers(&mut text, opened, place));
}

fn is_address(location: &str) -> bool {
    location.parse::<IpAddr>().is_ok()
}

/// What of a part has no column, in canonical order.
const ACTOR_LEFTOVERS: Table<2> = [("metadata", Kind::Json), ("on_behalf_of", Kind::Json)];
const CONTEXT_LEFTOVERS: Table<3> = [
    ("correlation_id", Kind::Text),
    ("location", Kind::Text),
    ("trace", Kind::Text),
];
const FAILURE_LEFTOVERS: Table<2> = [("detail", Kind::Text), ("stage", Kind::Text)];
const FURTHER_TARGET: Table<5> = [
    ("email", Kind::Text),
    ("id", Kind::Text),
    ("metadata", Kind::Json),
    ("name", Kind::Text),
    ("type", Kind::Text),
];

/// The metadata and, under `$` keys, whatever of the event has no column: `place` is a location that is no address. `out` is empty,
/// and takes the text where there is none yet.
fn with_leftovers<'a>(
    out: &'a mut String,
    row: &'a Opened<'_>,
    place: Option<&str>,
) -> Option<&'a str> {
    let [correlation_id, _, _, _, _, trace, _] = row.context();
    // In canonical order. An object that is empty is not written.
    member(out, "$actor", |out| {
        write(
            out,
            &ACTOR_LEFTOVERS,
            [row.actor_metadata(), row.on_behalf_of()],
        );
    });
    member(out, "$context", |out| {
        write(out, &CONTEXT_LEFTOVERS, [correlation_id, place, trace]);
    });
    member(out, "$erased", |out| {
        if !row.erased.is_empty() {
            Json::from(row.erased.clone()).write_canonical(out);
        }
    });
    member(out, "$failure", |out| {
        let values = [row.failure_detail(), row.failure_stage()];
        write(out, &FAILURE_LEFTOVERS, values);
    });
    member(out, "$targets", |out| further_targets(out, &row.targets));
    member(out, "$version", |out| {
        out.push_str(row.version().unwrap_or_default())
    });
    let metadata = row.metadata();
    if out.is_empty() {
        return metadata;
    }
    out.push('}');
    match metadata.and_then(|text| text.strip_prefix('{')) {
        None | Some("}") => {}
        // Its keys follow on those with a `$`.
        Some(inside)
            if inside
                .as_bytes()
                .get(1)
                .is_some_and(|first| *first > b'$' && *first != b'\\') =>
        {
            out.pop();
            out.push(',');
            out.push_str(inside);
        }
        Some(_) => *out = merged(out, metadata.unwrap_or_default()),
    }
    Some(out)
}

/// Both objects as one.
fn merged(one: &str, other: &str) -> String {
    let parse = |text: &str| match Json::parse(text.as_bytes()) {
        Ok(Json::Object(members)) => members,
        _ => Object::new(),
    };
    let all: Object = parse(one).into_iter().chain(parse(other)).collect();
    all.to_canonical()
}

/// Appends a member of an object that is not closed yet, if `value` writes anything.
fn member(out: &mut String, key: &str, value: impl FnOnce(&mut String)) {
    let before = out.len();
    out.push(if before == 0 { '{' } else { ',' });
    out.push('"');
    out.push_str(key);
    out.push_str("\":");
    let begin = out.len();
    value(out);
    if out.len() == begin {
        out.truncate(before);
    }
}

/// Every target but the first. If the first has metadata, that stands before them, in an element without a type.
fn further_targets(out: &mut String, targets: &[OpenedTarget<'_>]) {
    let before = out.len();
    let mut element = |values| {
        out.push(if out.len() == before { '[' } else { ',' });
        write(out, &FURTHER_TARGET, values);
    };
    if let Some(metadata) = targets.first().and_then(OpenedTarget::metadata) {
        element([None, None, Some(metadata), None, None]);
    }
    for target in targets.iter().skip(1) {
        element([
            target.email(),
            target.id(),
            target.metadata(),
            target.name(),
            Some(target.kind),
        ]);
    }
    if out.len() > before {
        out.push(']');
    }
}
