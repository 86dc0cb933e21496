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
    cells.text(location.filter(|location| is_address(location)));
    cells.text(user_agent);
    cells.text(source);
    cells.text(session_id);
    cells.text(request_id);

    cells.json(opened.previous());
    cells.json(opened.next());
    text.clear();
    cells.json(with_leftovers(&mut text, opened));
}

fn is_address(location: &str) -> bool {
    location.parse::<IpAddr>().is_ok()
}

/// What has no column, in canonical order.
const LEFTOVERS: Table<6> = [
    ("$actor", Kind::Json),
    ("$context", Kind::Json),
    ("$erased", Kind::Json),
    ("$failure", Kind::Json),
    ("$targets", Kind::Json),
    ("$version", Kind::Json),
];
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

/// The metadata and, under `$` keys, whatever of the event has no column. `out` is empty, and takes the text where there is none yet.
fn with_leftovers<'a>(out: &'a mut String, row: &'a Opened<'_>) -> Option<&'a str> {
    let actor = members(&ACTOR_LEFTOVERS, [row.actor_metadata(), row.on_behalf_of()]);
    let failure = members(
        &FAILURE_LEFTOVERS,
        [row.failure_detail(), row.failure_stage()],
    );
    let [correlation_id, location, _, _, _, trace, _] = row.context();
    let location = location.filter(|location| !is_address(location));
    let context = members(&CONTEXT_LEFTOVERS, [correlation_id, location, trace]);
    let targets = further_targets(&row.targets);
    let erased = (!row.erased.is_empty()).then(|| Json::from(row.erased.clone()).to_canonical());
    let left = [
        (!actor.is_empty()).then_some(actor.as_str()),
        (!context.is_empty()).then_some(context.as_str()),
        erased.as_deref(),
        (!failure.is_empty()).then_some(failure.as_str()),
        (!targets.is_empty()).then_some(targets.as_str()),
        row.version(),
    ];
    let metadata = row.metadata();
    write(out, &LEFTOVERS, left);
    if out.is_empty() {
        return metadata;
    }
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

fn members<const N: usize>(table: &Table<N>, values: [Option<&str>; N]) -> String {
    let mut text = String::new();
    write(&mut text, table, values);
    text
}

/// Every target but the first. If the first has metadata, that stands before them, in an element without a type.
fn further_targets(targets: &[OpenedTarget<'_>]) -> String {
    let mut text = String::new();
    let mut element = |values| {
        text.push(if text.is_empty() { '[' } else { ',' });
        write(&mut text, &FURTHER_TARGET, values);
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
    if !text.is_empty() {
        text.push(']');
    }
    text
}
