//! `annals rebuild`: a lost data directory, made again from the object store that holds its segments.

use std::process::ExitCode;

use annals_store::StoreError;
use anyhow::{Context as _, Result, anyhow};
use serde_json::json;

use crate::args::Rebuild;
use crate::object_store;
use crate::output::{Output, program};
use crate::place::Place;
use crate::progress::Progress;

/// Makes the data directory.
pub(crate) fn run(args: &Rebuild, place: &Place, output: &Output) -> Result<ExitCode> {
    let data = place.data()?;
    let bucket = object_store::of(&data, &args.segments)?.context(
        "name the object store that holds the segments with --segments s3://bucket/prefix",
    )?;
    let store = bucket.place().to_owned();
    let mut progress: Option<Progress> = None;
    let rebuilt = annals_store::rebuild(&data, bucket, &mut |at| {
        let progress = progress.get_or_insert_with(|| Progress::new("Rebuilt", Some(at.groups)));
        progress.at(at.groups_done, "groups");
    })
    .map_err(|error| match error {
        StoreError::File { path, source } if path.ends_with("keys/signing.key") => anyhow!(source).context(format!(
            "{} is needed: restore it from where you keep it. Without it nothing can be signed in the name of these \
             logs. The events themselves are readable without it: the segments are Parquet files",
            path.display()
        )),
        StoreError::Locked { .. } => anyhow!(
            "an Annals is running on {}; stop it first, or name another directory with --data",
            data.display()
        ),
        error => anyhow!(error).context(format!("cannot rebuild {} from {store}", data.display())),
    })?;
    drop(progress);
    if output.is_json() {
        output.json(&json!({
            "data": data,
            "segments_from": store,
            "origin": rebuilt.origin,
            "manifest": rebuilt.manifest,
            "manifest_written_at": rebuilt.written_at,
            "segments": rebuilt.segments,
            "logs": rebuilt.logs,
            "entries": rebuilt.entries,
            "organizations": rebuilt.organizations,
            "schemas": rebuilt.schemas,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output.line(format_args!(
        "{}  {} entries in {} logs from {} segments, {} workspaces, {} schema versions: as sealed at {}",
        output.good("OK"),
        rebuilt.entries,
        rebuilt.logs,
        rebuilt.segments,
        rebuilt.organizations,
        rebuilt.schemas,
        rebuilt.written_at
    ))?;
    let (annals, data) = (program(), data.display());
    output.remark(format_args!(
        "
What came after {} is lost with the disk: events that were not sealed yet, and changes of workspaces and
schemas. Producers that still have such events (an outbox, a file) may send them again: ids that are there are
recognised. Not in the object store, so to be made anew: API keys, portal links and sessions, WorkOS exports, and
settings ({data}/operator.toml). Idempotency keys are forgotten.

Make sure that nothing runs on the old directory any more, then:
  {annals} serve --segments {store} --data {data}
  {annals} key create --name my-product --scope write --data {data}",
        rebuilt.written_at
    ));
    Ok(ExitCode::SUCCESS)
}
