//! Taskyard in a process of its own, as another company's tool is: started by the demo, ended with it.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tracker::provider::{ProviderSettings, serve};

use crate::args::TaskyardArgs;
use crate::installation::listen;
use crate::serve::runtime;

/// As whom the tracker is registered there. Both sides are on this machine, belong to the demo, and guard nothing.
pub(super) const CLIENT: (&str, &str) = ("tracker", "not-a-secret-outside-of-the-demo");
const PORT: u16 = 4670;
const OTHER_PORTS: u16 = 20;

/// Where it listens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Places {
    pub(super) provider: String,
    /// The customer's web site.
    pub(super) site: String,
}

/// The running process.
pub(super) struct Taskyard {
    pub(super) places: Places,
    child: Child,
}

impl Taskyard {
    /// Starts it for the tracker at this address.
    pub(super) fn start(tracker: SocketAddr) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut child = Command::new(program)
            .arg("taskyard")
            .arg("--tracker")
            .arg(tracker.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start Taskyard")?;
        let mut line = String::new();
        let output = child.stdout.take().context("Taskyard says nothing")?;
        BufReader::new(output).read_line(&mut line)?;
        let places = serde_json::from_str(&line).context("Taskyard did not start")?;
        Ok(Self { places, child })
    }
}

impl Drop for Taskyard {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// `annals taskyard`: serves until its standard input ends, which it does with whoever started it.
pub(crate) fn run(args: &TaskyardArgs) -> Result<ExitCode> {
    runtime()?.block_on(async {
        let port = |wanted: u16| if args.tracker.port() == 0 { 0 } else { wanted };
        let at = |wanted| SocketAddr::new(args.tracker.ip(), port(wanted));
        let provider = listen(at(PORT), OTHER_PORTS).await?;
        let site = listen(at(PORT + OTHER_PORTS + 1), OTHER_PORTS).await?;
        let url = |listener: &tokio::net::TcpListener| {
            anyhow::Ok(format!("http://{}", listener.local_addr()?))
        };
        let places = Places {
            provider: url(&provider)?,
            site: url(&site)?,
        };
        let settings = ProviderSettings {
            client_id: CLIENT.0.to_owned(),
            client_secret: CLIENT.1.to_owned(),
            redirect_uri: format!("http://{}/oauth/callback", args.tracker),
            tracker_url: format!("http://{}", args.tracker),
        };
        crate::output::Output::new(true).json(&serde_json::to_value(&places)?)?;
        let over = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        tokio::select! {
            served = serve(provider, site, settings) => served.context("Taskyard failed")?,
            _ = over => {}
        }
        Ok(ExitCode::SUCCESS)
    })
}
