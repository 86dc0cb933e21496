//! An event as the API and the NDJSON file give it. Whoever gets the line can import it again.

use crate::{Json, Number, Object, Row};

/// `{"erased", "event", "organization_id", "position", "recorded_at"}`: the event in the shape in which it was sent, and what the log
/// added. `erased` names the sections whose values are gone; it is empty for most.
pub fn export_json(organization_id: &str, row: &Row) -> Json {
    let mut line = Object::new();
    line.insert("erased", row.erased());
    line.insert("event", row.to_event().to_json());
    line.insert("organization_id", organization_id);
    // Positions beyond 2^53 do not occur: a log of a million events a second reaches them after 285 years.
    line.insert(
        "position",
        Number::Integer(i64::try_from(row.position).unwrap_or(i64::MAX)),
    );
    line.insert("recorded_at", row.recorded_at.to_string());
    Json::Object(line)
}

/// [`export_json`] as canonical text on one line, without the line feed.
pub fn export_line(organization_id: &str, row: &Row) -> String {
    export_json(organization_id, row).to_canonical()
}
