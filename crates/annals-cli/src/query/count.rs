//! `annals query --histogram` and `--facets`: how many, instead of which.

use anyhow::Result;
use serde_json::Value;

use super::told;
use crate::args::{Query, Step};
use crate::client::{Client, with_query};
use crate::output::Output;

/// Values of each field that are named unless asked for more, and the most that the server names.
const TOP: u64 = 10;
const TOP_MAX: u64 = 1_000;

/// Characters of the longest bar.
const BAR: u64 = 40;

/// Prints how many events there were by the hour or day.
pub(super) fn histogram(
    args: &Query,
    text: Option<&str>,
    step: Step,
    client: &Client,
    output: &Output,
) -> Result<()> {
    let parameters = [
        ("organization_id", Some(args.selection.workspace.as_str())),
        ("q", text),
        ("tz", args.tz.as_deref()),
        ("step", Some(step.as_str())),
    ];
    let answer = client.get(&with_query("/audit_logs/events/histogram", &parameters))?;
    if output.is_json() {
        return Ok(output.json(&answer)?);
    }
    let steps: Vec<&Value> = answer["data"].as_array().into_iter().flatten().collect();
    let counts = steps.iter().map(|step| number(&step["count"]));
    let most = counts.max().unwrap_or_default().max(1);
    let row = |step: &&Value| {
        let count = number(&step["count"]);
        let length = (count * BAR).div_ceil(most);
        vec![
            text_of(&step["local"]),
            count.to_string(),
            number(&step["failed"]).to_string(),
            "#".repeat(usize::try_from(length).unwrap_or_default()),
        ]
    };
    let head = match step {
        Step::Hour => "HOUR",
        Step::Day => "DAY",
    };
    let head = format!("{head} ({})", text_of(&answer["tz"]));
    if steps.is_empty() {
        output.remark("Nothing matches.");
    } else {
        let rows: Vec<_> = steps.iter().map(row).collect();
        output.table(&[&head, "EVENTS", "FAILED", ""], &rows)?;
    }
    total(&answer, output);
    Ok(())
}

/// Prints the most frequent values of fields.
pub(super) fn facets(
    args: &Query,
    text: Option<&str>,
    fields: &str,
    client: &Client,
    output: &Output,
) -> Result<()> {
    let top = args.limit.unwrap_or(TOP).clamp(1, TOP_MAX).to_string();
    let parameters = [
        ("organization_id", Some(args.selection.workspace.as_str())),
        ("q", text),
        ("tz", args.tz.as_deref()),
        ("fields", Some(fields).filter(|fields| !fields.is_empty())),
        ("top", Some(top.as_str())),
    ];
    let answer = client.get(&with_query("/audit_logs/events/facets", &parameters))?;
    if output.is_json() {
        return Ok(output.json(&answer)?);
    }
    let mut rows = Vec::new();
    for facet in answer["data"].as_array().into_iter().flatten() {
        let field = text_of(&facet["field"]);
        let mut row = |value: String, count: &Value, name: String| {
            rows.push(vec![field.clone(), value, count.to_string(), name]);
        };
        for value in facet["values"].as_array().into_iter().flatten() {
            row(
                text_of(&value["value"]),
                &value["count"],
                text_of(&value["label"]),
            );
        }
        match facet["other_values"].as_u64() {
            None | Some(0) => {}
            Some(others) => {
                let least = if facet["complete"] == false {
                    "at least "
                } else {
                    ""
                };
                rows.push(vec![
                    field,
                    format!("({least}{others} more)"),
                    String::new(),
                    String::new(),
                ]);
            }
        }
    }
    if rows.is_empty() {
        output.remark("Nothing matches.");
    } else {
        output.table(&["FIELD", "VALUE", "EVENTS", "NAME"], &rows)?;
    }
    total(&answer, output);
    Ok(())
}

/// How many in all, and what that leaves out.
fn total(answer: &Value, output: &Output) {
    let least = match answer["count"]["relation"].as_str() {
        Some("exact") | None => "",
        Some(_) => "At least ",
    };
    output.remark(format_args!("{least}{} events.", answer["count"]["value"]));
    if let Some(reached) = answer["partial"].as_u64() {
        output.remark(format_args!(
            "The time for one search ran out: what was recorded before position {reached} is not counted. --from makes the search shorter."
        ));
    }
    told(answer, output);
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
