//! Where things lie on this machine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// `annals` in the user's data folder (`$XDG_DATA_HOME`, else `~/.local/share`).
pub(crate) fn user_data() -> Result<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let folder = match set("XDG_DATA_HOME").filter(|p| p.is_absolute()) {
        Some(folder) => folder,
        None => set("HOME").map(|home| home.join(".local/share")).context(
            "neither XDG_DATA_HOME nor HOME is set; name the data directory with --data DIR",
        )?,
    };
    Ok(folder.join("annals"))
}

/// The settings of the installation in `data`.
pub(crate) fn operator_toml(data: &Path) -> PathBuf {
    data.join("operator.toml")
}
