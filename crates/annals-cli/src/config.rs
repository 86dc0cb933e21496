//! `annals config`: the settings of an installation.

use std::process::ExitCode;

use annals_server::Config;
use anyhow::Result;
use serde_json::json;

use crate::args;
use crate::directory::operator_toml;
use crate::exit;
use crate::object_store;
use crate::output::Output;
use crate::place::{Place, read_config};

/// Prints or checks `operator.toml`.
pub(crate) fn run(command: &args::Config, place: &Place, output: &Output) -> Result<ExitCode> {
    let file = operator_toml(&place.data()?);
    match command {
        args::Config::Print => {
            let mut config = if file.exists() {
                read_config(&file)?
            } else {
                Config::default()
            };
            // A key that is printed ends up in logs and tickets.
            config.operator = None;
            if output.is_json() {
                output.json(&serde_json::to_value(&config)?)?;
            } else {
                if file.exists() {
                    output.line(format_args!(
                        "# {}, defaults included; the [operator] section is left out",
                        file.display()
                    ))?;
                } else {
                    output.line(format_args!("# defaults; there is no {}", file.display()))?;
                }
                output.line(config.to_toml().trim_end())?;
            }
            Ok(ExitCode::SUCCESS)
        }
        args::Config::Check => match read_config(&file).and_then(|c| object_store::open(&c)) {
            Ok(_) => {
                if output.is_json() {
                    output.json(&json!({"ok": true, "file": file}))?;
                } else {
                    output.line(format_args!("{}  {}", output.good("OK"), file.display()))?;
                }
                Ok(ExitCode::SUCCESS)
            }
            Err(error) if !file.exists() => Err(error),
            Err(error) => {
                if output.is_json() {
                    output
                        .json(&json!({"ok": false, "file": file, "error": format!("{error:#}")}))?;
                } else {
                    output.complain(&format!("{error:#}"));
                }
                Ok(ExitCode::from(exit::NO))
            }
        },
    }
}
