//! An installation on this machine: its directory, its settings, its store and its port.
//!
//! `serve` and `demo` open one in the same way. The first start makes everything; what it leaves can
//! be copied to another machine as it is.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annals_server::{Config, Operator, Server, UnknownOrganization};
use annals_store::{Clock, Options, Store, StoreError};
use anyhow::{Context as _, Result, anyhow, bail};
use axum::Router;
use tokio::net::TcpListener;

use crate::args::Segments;
use crate::directory::operator_toml;
use crate::object_store;
use crate::place::read_config;

/// What the command line says about it.
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) listen: Option<SocketAddr>,
    /// How many further ports to try when the wanted one is taken.
    pub(crate) other_ports: u16,
    pub(crate) public_url: Option<String>,
    pub(crate) segments: Segments,
    /// Create a workspace with the first event that names it.
    pub(crate) create_unknown: bool,
    /// Where a workspace without access is sent, if the settings do not say.
    pub(crate) contact_url: Option<String>,
    pub(crate) bootstrap_key: Option<String>,
    /// Another clock than the machine's.
    pub(crate) clock: Option<Arc<dyn Clock>>,
}

/// An open installation, ready to serve.
pub(crate) struct Installation {
    pub(crate) data: PathBuf,
    /// Where browsers reach it.
    pub(crate) url: String,
    /// How this machine reaches it, with the key that may do everything.
    pub(crate) operator: Operator,
    /// Whether the directory was made by this start.
    pub(crate) is_new: bool,
    store: Store,
    server: Server,
    listener: TcpListener,
}

impl Installation {
    /// Makes what is missing, and opens the rest.
    pub(crate) async fn open(settings: Settings) -> Result<Installation> {
        let data = settings.data;
        make_directory(&data)?;
        // Paths are printed to be used from elsewhere.
        let data =
            fs::canonicalize(&data).with_context(|| format!("cannot use {}", data.display()))?;
        let file = operator_toml(&data);
        let existing = if file.exists() {
            Some(read_config(&file)?)
        } else {
            None
        };
        let is_new = existing.is_none();
        let mut config = existing.unwrap_or_default();
        let chosen = settings.listen;
        if let Some(listen) = chosen {
            config.listen = listen;
        }
        if settings.public_url.is_some() {
            config.public_url = settings.public_url;
        }
        object_store::apply(&settings.segments, &mut config);
        // What the first start was told is kept, so that the next one needs no flags.
        let mut kept = config.clone();
        if settings.create_unknown {
            config.unknown_organization = UnknownOrganization::Create;
        }
        config.contact_url = config.contact_url.or(settings.contact_url);
        config.check()?;

        let store = open_store(&data, &config, settings.clock)?;
        let listener = listen(config.listen, settings.other_ports).await?;
        config.listen = listener.local_addr().context("the port has no address")?;
        if kept.listen.port() != 0 {
            kept.listen = config.listen;
        } else {
            kept.listen = Config::default().listen;
        }
        let server = Server::build(config.clone(), store.clone())?;
        if let Some(key) = &settings.bootstrap_key {
            server
                .ensure_bootstrap_key(key)
                .await
                .context("ANNALS_BOOTSTRAP_KEY cannot be used")?;
        }
        let local = local_url(config.listen);
        let operator = match kept.operator.take() {
            Some(operator) if operator.url == local => operator,
            Some(operator) => {
                let moved = Operator {
                    url: local,
                    ..operator.clone()
                };
                readdress(&file, &operator.url, &moved.url)?;
                moved
            }
            None => {
                let key = server
                    .create_operator_key()
                    .await
                    .context("cannot make the operator's key")?;
                let operator = Operator { url: local, key };
                kept.operator = Some(operator.clone());
                write_secret(&file, &settings_text(&kept, is_new, &file)?)?;
                operator
            }
        };
        let url = config.base_url();
        Ok(Installation {
            data,
            url,
            operator,
            is_new,
            store,
            server,
            listener,
        })
    }

    /// Serves until `stop`, then closes the store. `more` are routes beside those of the server.
    pub(crate) async fn serve(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
        more: Option<Router>,
    ) -> Result<()> {
        let server = match more {
            Some(more) => self.server.with_routes(more),
            None => self.server,
        };
        server.run(self.listener, stop).await;
        // Closing waits for the disk.
        tokio::task::spawn_blocking(move || self.store.close())
            .await
            .context("closing was interrupted")?
            .context("cannot close the store")
    }
}

fn make_directory(data: &Path) -> Result<()> {
    let existed = data.exists();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make the data directory {}", data.display()))?;
    // A directory that is full of other things is more likely a slip than a wish.
    if existed && !operator_toml(data).exists() && !data.join("annals.db").exists() {
        let mut entries =
            fs::read_dir(data).with_context(|| format!("cannot read {}", data.display()))?;
        let foreign = entries.any(|e| e.is_ok_and(|e| e.file_name() != "lost+found"));
        if foreign && !data.join("lock").exists() {
            bail!(
                "{} is neither empty nor the data directory of Annals; name another with --data",
                data.display()
            );
        }
    }
    Ok(())
}

fn open_store(data: &Path, config: &Config, clock: Option<Arc<dyn Clock>>) -> Result<Store> {
    let mut options = Options {
        origin: config.origin.clone(),
        bucket: object_store::open(config)?,
        bucket_cache_bytes: config.segments.cache_mib << 20,
        scrubbing: config.scrub.scrubbing(),
        ..Options::default()
    };
    if let Some(clock) = clock {
        options.clock = clock;
    }
    options.on_fatal = Arc::new(|why| {
        tracing::error!("the disk failed, so that nothing more can be acknowledged: {why}");
        std::process::exit(70);
    });
    Store::open(data, options).map_err(|error| match error {
        StoreError::Locked { .. } => anyhow!(
            "another Annals is running on {}; stop it first, or name another directory with --data",
            data.display()
        ),
        error @ StoreError::Bucket { .. } if config.segments.url.is_none() => anyhow!(error)
            .context(
                "name the object store with --segments s3://bucket/prefix, or in operator.toml",
            ),
        error => anyhow!(error).context(format!("cannot open {}", data.display())),
    })
}

/// Takes the wanted port, or one of the next `others`.
pub(crate) async fn listen(wanted: SocketAddr, others: u16) -> Result<TcpListener> {
    let mut address = wanted;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error)
                if error.kind() == ErrorKind::AddrInUse
                    && address.port() < wanted.port().saturating_add(others) =>
            {
                address.set_port(address.port() + 1);
            }
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                let port = wanted.port();
                bail!(
                    "port {port} is taken: another program listens at {wanted}. Stop it, or choose another port, such as --listen {}",
                    SocketAddr::new(wanted.ip(), port.checked_add(1).unwrap_or(4600))
                );
            }
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                bail!(
                    "port {} needs root; choose one from 1024 on with --listen",
                    wanted.port()
                );
            }
            Err(error) => return Err(error).with_context(|| format!("cannot listen at {wanted}")),
        }
    }
}

/// How the same machine reaches it.
fn local_url(address: SocketAddr) -> String {
    let mut config = Config {
        listen: address,
        ..Config::default()
    };
    config.public_url = None;
    config.base_url()
}

fn settings_text(config: &Config, is_new: bool, file: &Path) -> Result<String> {
    if is_new {
        return Ok(format!(
            "# Settings of this installation of Annals. `annals config check` checks them, a restart\n\
             # puts them in force, docs/operating.md explains them. This file holds a key: keep it 0600.\n\n{}",
            config.to_toml()
        ));
    }
    // Settings that somebody wrote by hand stay as they are; only the section is added.
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let section = Config {
        operator: config.operator.clone(),
        ..Config::default()
    }
    .to_toml();
    let section = section
        .split_once("[operator]")
        .map(|(_, rest)| rest)
        .unwrap_or_default();
    Ok(format!("{}\n\n[operator]{section}", text.trim_end()))
}

/// The server listens elsewhere now: the address in the file follows, everything else stays.
fn readdress(file: &Path, from: &str, to: &str) -> Result<()> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    match text.rsplit_once(&format!("\"{from}\"")) {
        Some((before, after)) => write_secret(file, &format!("{before}\"{to}\"{after}")),
        None => Ok(()),
    }
}

/// Replaces a file that only its owner may read, in one step.
fn write_secret(file: &Path, text: &str) -> Result<()> {
    let part = file.with_extension("toml.part");
    let write = || -> std::io::Result<()> {
        let mut out = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        fs::rename(&part, file)?;
        file.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}
