//! `annals key`: what programs present to write and read.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use crate::args::{Key, Scope};
use crate::client::{encoded, with_query};
use crate::output::Output;
use crate::place::Place;

/// Runs one of the commands.
pub(crate) fn run(command: &Key, place: &Place, output: &Output) -> Result<ExitCode> {
    let client = place.client()?;
    match command {
        Key::Create {
            name,
            workspaces,
            scopes,
        } => {
            let scopes = if scopes.is_empty() {
                &[Scope::Write][..]
            } else {
                scopes
            };
            let scopes: Vec<&str> = scopes.iter().map(|s| s.as_str()).collect();
            let mut body = json!({"name": name, "scopes": scopes});
            if !workspaces.is_empty() {
                body["organization_ids"] = json!(workspaces);
            }
            let made = client.post("/keys", &body)?;
            if output.is_json() {
                output.json(&made)?;
            } else {
                output.line(made["key"].as_str().unwrap_or_default())?;
                output.remark(format_args!(
                    "Key {} for {}. It is shown only now: keep it where secrets are kept.",
                    made["id"].as_str().unwrap_or_default(),
                    if workspaces.is_empty() {
                        "all workspaces".to_owned()
                    } else {
                        workspaces.join(", ")
                    },
                ));
            }
        }
        Key::List => {
            let mut rows = Vec::new();
            let mut after: Option<String> = None;
            loop {
                let path = with_query(
                    "/keys",
                    &[("limit", Some("100")), ("after", after.as_deref())],
                );
                let page = client.get(&path)?;
                for key in page["data"].as_array().into_iter().flatten() {
                    if output.is_json() {
                        output.json(key)?;
                    } else {
                        rows.push(row(key));
                    }
                }
                after = page["list_metadata"]["after"].as_str().map(str::to_owned);
                if after.is_none() {
                    break;
                }
            }
            if !output.is_json() {
                output.table(
                    &[
                        "ID",
                        "NAME",
                        "MAY",
                        "WORKSPACES",
                        "CREATED",
                        "LAST USED",
                        "STATE",
                    ],
                    &rows,
                )?;
            }
        }
        Key::Revoke { id } => {
            let answer = client.delete(&format!("/keys/{}", encoded(id)))?;
            if output.is_json() {
                output.json(if answer.is_null() {
                    &Value::Bool(true)
                } else {
                    &answer
                })?;
            } else {
                output.line(format_args!("Key {id} is revoked."))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn row(key: &Value) -> Vec<String> {
    let text = |member: &str| key[member].as_str().unwrap_or_default().to_owned();
    let list = |member: &str| {
        let words = key[member].as_array().into_iter().flatten();
        words
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(",")
    };
    let day = |member: &str| text(member).chars().take(10).collect::<String>();
    let workspaces = if key["organization_ids"].is_array() {
        list("organization_ids")
    } else {
        "all".to_owned()
    };
    let state = if key["revoked_at"].is_string() {
        format!("revoked {}", day("revoked_at"))
    } else {
        "in use".to_owned()
    };
    let used = if key["last_used_at"].is_string() {
        day("last_used_at")
    } else {
        "never".to_owned()
    };
    vec![
        text("id"),
        text("name"),
        list("scopes"),
        workspaces,
        day("created_at"),
        used,
        state,
    ]
}
