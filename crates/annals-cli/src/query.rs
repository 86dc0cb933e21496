//! `annals query`: search from the shell, in the language of the page.

use std::process::ExitCode;

use annals_event::Catalogue;
use anyhow::{Result, bail};
use serde_json::Value;

use crate::args::{Query, Selection};
use crate::client::with_query;
use crate::output::Output;
use crate::place::Place;

mod count;

/// The most that the server gives at once.
const PAGE: u64 = 1000;
/// How many are printed unless asked for more.
const LIMIT: u64 = 50;

/// Prints what is found.
pub(crate) fn run(args: &Query, place: &Place, output: &Output) -> Result<ExitCode> {
    let text = selected(args.query.as_deref(), &args.selection)?;
    let client = place.client()?;
    if let Some(step) = args.histogram {
        count::histogram(args, text.as_deref(), step, &client, output)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(fields) = &args.facets {
        count::facets(args, text.as_deref(), fields, &client, output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let limit = args.limit.unwrap_or(LIMIT);
    let mut left = limit;
    let mut unreadable = Vec::new();
    let (mut after, mut as_of): (Option<String>, Option<String>) = (None, None);
    let mut rows = Vec::new();
    let mut more = false;
    while left > 0 {
        let asked = left.min(PAGE).to_string();
        let page = client.get(&with_query(
            "/audit_logs/events",
            &[
                ("organization_id", Some(&args.selection.workspace)),
                ("q", text.as_deref()),
                ("tz", args.tz.as_deref()),
                ("order", Some(args.order.as_str())),
                ("limit", Some(&asked)),
                ("after", after.as_deref()),
                ("as_of", as_of.as_deref()),
            ],
        ))?;
        for event in page["data"].as_array().into_iter().flatten() {
            left = left.saturating_sub(1);
            if output.is_json() {
                output.json(event)?;
            } else {
                rows.push(row(event));
            }
        }
        for part in page["unreadable"].as_array().into_iter().flatten() {
            if !unreadable.contains(part) {
                unreadable.push(part.clone());
            }
        }
        // Later pages are of the log as the first one found it.
        as_of = as_of.or_else(|| page["as_of"].as_u64().map(|n| n.to_string()));
        after = page["list_metadata"]["after"].as_str().map(str::to_owned);
        more = after.is_some();
        if !more {
            break;
        }
    }
    if !output.is_json() {
        if rows.is_empty() {
            output.remark("Nothing matches.");
        } else {
            output.table(&["TIME (UTC)", "WHO", "WHAT", "TARGET", "FROM"], &rows)?;
        }
    }
    if more {
        output.remark(format_args!(
            "There is more: --limit gives {} now; `annals export` gives everything.",
            limit
        ));
    }
    told(&serde_json::json!({ "unreadable": unreadable }), output);
    Ok(ExitCode::SUCCESS)
}

/// Says what of the log an answer could not take into account.
fn told(answer: &Value, output: &Output) {
    for part in answer["unreadable"].as_array().into_iter().flatten() {
        let reason = part["reason"].as_str().unwrap_or_default();
        output.remark(format_args!(
            "Not everything can be read: {}",
            crate::output::visible(reason)
        ));
    }
}

/// The query of the command line, with the bounds of time in it; none selects everything. It is read
/// here first, so that a mistake can be pointed at.
pub(crate) fn selected(query: Option<&str>, selection: &Selection) -> Result<Option<String>> {
    let mut terms: Vec<String> = query.into_iter().map(str::to_owned).collect();
    terms.extend(selection.from.iter().map(|time| format!("time:>={time}")));
    terms.extend(selection.to.iter().map(|time| format!("time:<{time}")));
    let text = terms.join(" ");
    if let Err(error) = annals_event::Query::parse(&text) {
        let mut message = format!("the query has a mistake: {}", error.message);
        if let Some(suggestion) = &error.suggestion {
            message.push_str(&format!(" (did you mean `{suggestion}`?)"));
        }
        let caret = " ".repeat(error.column.saturating_sub(1));
        bail!("{message}\n  {}\n  {caret}^", crate::output::visible(&text));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn row(recorded: &Value) -> Vec<String> {
    let event = &recorded["event"];
    let named = |who: &Value| {
        ["name", "email", "id"]
            .into_iter()
            .find_map(|m| who[m].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let time = event["occurred_at"]
        .as_str()
        .unwrap_or_default()
        .replace('T', " ");
    let time: String = time.chars().take(19).collect();
    let action = event["action"].as_str().unwrap_or_default();
    let mut what = Catalogue::builtin().display_name(action).into_owned();
    if let Some(reason) = event["failure"]["reason"].as_str() {
        what.push_str(&format!(" ({reason})"));
    }
    let from = event["context"]["location"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    vec![
        time,
        named(&event["actor"]),
        what,
        named(&event["targets"][0]),
        from,
    ]
}
