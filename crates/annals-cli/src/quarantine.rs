//! `annals quarantine`: what is known to be damaged, so that nothing is read from it.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::exit;
use crate::output::Output;
use crate::place::Place;

/// Lists it, beside a running server too.
pub(crate) fn run(place: &Place, output: &Output) -> Result<ExitCode> {
    let data = place.data_there()?;
    let (origin, known) = annals_store::quarantined(&data)
        .with_context(|| format!("cannot read {}", data.display()))?;
    let log = |slot: u32| format!("{origin}/w/{slot}");
    if output.is_json() {
        for stretch in &known {
            output.json(&json!({
                "segment": stretch.segment,
                "log": log(stretch.slot),
                "first_position": stretch.positions.start,
                "last_position": stretch.positions.end - 1,
                "since": stretch.since.to_string(),
                "reason": stretch.reason,
            }))?;
        }
    } else if known.is_empty() {
        output.line(format_args!(
            "{}  nothing is known to be damaged",
            output.good("OK")
        ))?;
    } else {
        let rows: Vec<Vec<String>> = known
            .iter()
            .map(|stretch| {
                vec![
                    format!("segments/{:08}.parquet", stretch.segment),
                    log(stretch.slot),
                    format!(
                        "{} to {}",
                        stretch.positions.start,
                        stretch.positions.end - 1
                    ),
                    stretch.since.to_string(),
                    stretch.reason.clone(),
                ]
            })
            .collect();
        output.table(&["file", "log", "positions", "since", "reason"], &rows)?;
        output.remark(
            "These positions are not read; everything else is. Put the files back from a backup (docs/keeping.md).",
        );
    }
    Ok(ExitCode::from(if known.is_empty() { 0 } else { exit::NO }))
}
