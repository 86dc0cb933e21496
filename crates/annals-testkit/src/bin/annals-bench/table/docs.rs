//! The table in a document, between two lines that mark its place.

use std::path::Path;

use crate::Failure;

const BEGINS: &str = "<!-- annals-bench table begins -->";
const ENDS: &str = "<!-- annals-bench table ends -->";

/// Replaces what stands between the markers.
pub(super) fn write(path: &Path, table: &str) -> Result<(), Failure> {
    let cannot = |why: &str| format!("{}: {why}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| cannot(&error.to_string()))?;
    let (before, rest) = text.split_once(BEGINS).ok_or_else(|| cannot(BEGINS))?;
    let (_, after) = rest.split_once(ENDS).ok_or_else(|| cannot(ENDS))?;
    let text = format!("{before}{BEGINS}\n\n{}\n\n{ENDS}{after}", table.trim());
    std::fs::write(path, text)?;
    Ok(())
}
