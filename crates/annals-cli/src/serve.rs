//! `annals serve`: the server, until it is told to stop.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Serve;
use crate::installation::{Installation, Settings};
use crate::output::{Output, program};
use crate::place::Place;

/// Serves until SIGTERM or SIGINT.
pub(crate) fn run(args: &Serve, place: &Place, output: &Output) -> Result<ExitCode> {
    crate::log::start("info");
    let settings = Settings {
        data: place.data()?,
        listen: args.listen,
        other_ports: 0,
        public_url: args.public_url.clone(),
        segments: args.segments.clone(),
        create_unknown: args.dev,
        contact_url: None,
        bootstrap_key: bootstrap_key(),
        clock: None,
    };
    runtime()?.block_on(async {
        let stop = stop_signal()?;
        let installation = Installation::open(settings).await?;
        announce(&installation, output)?;
        installation.serve(stop, None).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The first key, where a script or a container sets it.
fn bootstrap_key() -> Option<String> {
    std::env::var("ANNALS_BOOTSTRAP_KEY")
        .ok()
        .filter(|key| !key.is_empty())
}

/// The threads that serve.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start threads")
}

/// Resolves at the first SIGTERM or SIGINT. A second one ends the process at once, as people expect
/// who press Ctrl-C twice.
pub(crate) fn stop_signal() -> Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut next =
            async || tokio::select! { _ = terminate.recv() => 143, _ = interrupt.recv() => 130 };
        next().await;
        let _ = stop.send(());
        let code = next().await;
        tracing::warn!("stopping at once");
        std::process::exit(code);
    });
    Ok(async {
        let _ = stopped.await;
        tracing::info!("stopping: running requests may finish");
    })
}

fn announce(installation: &Installation, output: &Output) -> Result<()> {
    let url = &installation.url;
    let data = installation.data.display();
    let annals = program();
    if output.is_json() {
        output.json(&json!({
            "annals": url,
            "data": installation.data,
            "first_start": installation.is_new,
            "version": env!("CARGO_PKG_VERSION"),
        }))?;
        return Ok(());
    }
    output.line(format_args!(
        "Annals {} listens at {}",
        env!("CARGO_PKG_VERSION"),
        output.bold(url)
    ))?;
    if installation.is_new {
        output.line(format_args!(
            "
This is the first start: {data} is new. Keep a backup of it ({annals} backup), and of keys/signing.key in another place.
The settings are in {data}/operator.toml, which also holds the key of the commands on this machine.

What to do next, in another terminal:
  export ANNALS_DATA={data}
  {annals} workspace create acme --name Acme
  KEY=$({annals} key create --name my-product --scope write)
  curl {url}/audit_logs/events -H \"Authorization: Bearer $KEY\" -H 'Content-Type: application/json' \\
    -d '{{\"organization_id\":\"acme\",\"event\":{{\"action\":\"user.login\",\"occurred_at\":\"'$(date -u +%FT%TZ)'\",
         \"actor\":{{\"id\":\"user_1\",\"type\":\"user\",\"name\":\"Ann\"}},\"targets\":[],\"context\":{{\"location\":\"203.0.113.7\"}}}}}}'
  {annals} query --workspace acme

The API is described at {url}/docs. Ctrl-C stops the server."
        ))?;
    } else {
        output.line(format_args!("data in {data}; Ctrl-C stops the server"))?;
    }
    Ok(())
}
