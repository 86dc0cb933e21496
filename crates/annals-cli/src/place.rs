//! Which installation a command is about, and how to reach it.

use std::path::{Path, PathBuf};

use annals_server::Config;
use anyhow::{Context as _, Result, bail};

use crate::args::Server;
use crate::client::Client;
use crate::directory::{operator_toml, user_data};

/// What the command line and the environment say about the installation.
pub(crate) struct Place {
    url: Option<String>,
    key: Option<String>,
    data: Option<PathBuf>,
}

impl Place {
    pub(crate) fn new(server: &Server) -> Place {
        let text = |t: &Option<String>| t.clone().filter(|t| !t.is_empty());
        Place {
            url: text(&server.url),
            key: text(&server.key),
            data: server.data.clone(),
        }
    }

    /// The data directory.
    pub(crate) fn data(&self) -> Result<PathBuf> {
        self.data.clone().map_or_else(user_data, Ok)
    }

    /// The data directory, if there is one of Annals there.
    pub(crate) fn data_there(&self) -> Result<PathBuf> {
        let data = self.data()?;
        match data.join("annals.db").exists() {
            true => Ok(data),
            false => bail!(
                "there is no data of Annals in {}; name the directory with --data",
                data.display()
            ),
        }
    }

    /// A client of the running server: what is not said comes from the `operator.toml` that the
    /// first start of the server wrote, if this user may read it.
    pub(crate) fn client(&self) -> Result<Client> {
        if let (Some(url), Some(key)) = (&self.url, &self.key) {
            return Client::new(url, key);
        }
        let file = operator_toml(&self.data()?);
        let hint = "start the server with `annals serve`, or set ANNALS_URL and ANNALS_KEY, or name the data directory with --data DIR";
        if !file.exists() {
            match (&self.url, &self.key) {
                (None, None) => bail!("no server is known: there is no {}; {hint}", file.display()),
                (None, Some(_)) => bail!(
                    "ANNALS_KEY is set, but ANNALS_URL is not, and there is no {}",
                    file.display()
                ),
                _ => bail!(
                    "the address is known, but no key: set ANNALS_KEY (there is no {})",
                    file.display()
                ),
            }
        }
        let operator = read_config(&file)?.operator.with_context(|| {
            format!(
                "{} has no [operator] section with url and key; {hint}",
                file.display()
            )
        })?;
        let url = self.url.as_deref().unwrap_or(&operator.url);
        if url != operator.url && self.key.is_none() {
            // The key of this machine's installation must not be sent to another address.
            bail!(
                "the address {url} is not that of {}: set ANNALS_KEY as well",
                file.display()
            );
        }
        Client::new(url, self.key.as_deref().unwrap_or(&operator.key))
    }
}

/// Reads and checks an `operator.toml`.
pub(crate) fn read_config(file: &Path) -> Result<Config> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Config::parse(&text).with_context(|| format!("{}", file.display()))
}
