//! `annals workspace`: the tenants of an installation.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};

use crate::args::Workspace;
use crate::client::{Client, encoded, with_query};
use crate::output::Output;
use crate::place::Place;

/// Runs one of the commands.
pub(crate) fn run(command: &Workspace, place: &Place, output: &Output) -> Result<ExitCode> {
    let client = place.client()?;
    match command {
        Workspace::Create {
            name,
            id,
            external_id,
        } => {
            let mut body = json!({"name": name});
            for (member, value) in [("id", id), ("external_id", external_id)] {
                if let Some(value) = value {
                    body[member] = json!(value);
                }
            }
            let made = client.post("/organizations", &body)?;
            if output.is_json() {
                output.json(&made)?;
            } else {
                output.line(format_args!(
                    "Workspace {} is ready.",
                    output.bold(text(&made, "id"))
                ))?;
            }
        }
        Workspace::List { search } => list(&client, search.as_deref(), output)?,
        Workspace::Show { id } => show(&client, id, output)?,
        Workspace::Enable { id } => entitle(&client, id, "active", output)?,
        Workspace::Disable { id, stop_recording } => {
            entitle(
                &client,
                id,
                if *stop_recording {
                    "disabled"
                } else {
                    "inactive"
                },
                output,
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn list(client: &Client, search: Option<&str>, output: &Output) -> Result<()> {
    let mut rows = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let path = with_query(
            "/organizations",
            &[
                ("limit", Some("100")),
                ("order", Some("asc")),
                ("search", search),
                ("after", after.as_deref()),
            ],
        );
        let page = client.get(&path)?;
        for organization in page["data"].as_array().into_iter().flatten() {
            if output.is_json() {
                output.json(organization)?;
            } else {
                rows.push(
                    ["id", "name", "external_id", "created_at"]
                        .map(|m| text(organization, m).to_owned())
                        .to_vec(),
                );
            }
        }
        after = page["list_metadata"]["after"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    if !output.is_json() {
        output.table(&["ID", "NAME", "EXTERNAL ID", "CREATED"], &rows)?;
    }
    Ok(())
}

fn show(client: &Client, id: &str, output: &Output) -> Result<()> {
    let path = encoded(id);
    let organization = client.get(&format!("/organizations/{path}"))?;
    let configuration = client.get(&format!("/organizations/{path}/audit_log_configuration"))?;
    let checkpoint = client.get(&with_query(
        "/audit_logs/checkpoint",
        &[("organization_id", Some(id))],
    ))?;
    if output.is_json() {
        output.json(&json!({"organization": organization, "audit_log": configuration, "checkpoint": checkpoint}))?;
        return Ok(());
    }
    let days = &configuration["retention_period_in_days"];
    let kept = if days.is_null() {
        "for ever".to_owned()
    } else {
        format!("{days} days (shown, not yet enforced)")
    };
    let key = ["verifier_key", "vkey"]
        .into_iter()
        .find_map(|m| checkpoint[m].as_str())
        .unwrap_or_default();
    for (name, value) in [
        ("workspace", text(&organization, "id").to_owned()),
        ("name", text(&organization, "name").to_owned()),
        ("created", text(&organization, "created_at").to_owned()),
        ("audit log", text(&configuration, "state").to_owned()),
        ("kept", kept),
        ("log", text(&checkpoint, "log").to_owned()),
        ("size", checkpoint["size"].to_string()),
        ("root", text(&checkpoint, "root").to_owned()),
        ("key", key.to_owned()),
    ] {
        output.line(format_args!(
            "{} {}",
            output.faint(&format!("{name:10}")),
            crate::output::visible(&value)
        ))?;
    }
    Ok(())
}

fn entitle(client: &Client, id: &str, state: &str, output: &Output) -> Result<()> {
    let answer = client.put(
        &format!("/organizations/{}/entitlement", encoded(id)),
        &json!({"state": state}),
    )?;
    if output.is_json() {
        output.json(&answer)?;
    } else {
        output.line(match state {
            "active" => format!("{id} may read its log."),
            "inactive" => format!("{id} may not read its log; its events are still recorded."),
            _ => format!("{id} may not read its log, and its events are refused."),
        })?;
    }
    Ok(())
}
