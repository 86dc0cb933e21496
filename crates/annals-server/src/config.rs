//! What `operator.toml` says, and the check that turns it into what the server needs.
//!
//! Everything has a default, so an empty file is a working installation on loopback. Parsing is
//! strict (an unknown setting is an error, since a misspelt one would silently do nothing), and
//! all mistakes of meaning are reported at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use annals_store::Scrubbing;
use serde::{Deserialize, Serialize};
use thiserror::Error;

mod network;

pub use network::Network;

/// The settings of an installation, as written in `operator.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Name that stands in every entry and checkpoint, such as `audit.example.com`. Set before the
    /// first event and never changed; when absent, a random `annals.invalid/…` is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Address and port to listen on. The command line wins.
    pub listen: SocketAddr,
    /// Where browsers reach this server, without a trailing slash. When absent,
    /// `http://` and the address listened on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Where a workspace that is not entitled is sent ("Contact us for a demo"): an `https`,
    /// `http` or `mailto` link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_url: Option<String>,
    /// What to do with an event for an organization that does not exist.
    pub unknown_organization: UnknownOrganization,
    /// Entitlement of organizations as they are created.
    pub default_entitlement: EntitlementSetting,
    /// Refuse events whose action is neither in the catalogue nor has a schema.
    pub strict: bool,
    /// Types of actors and targets whose ids are personal data (`email`, `phone`): such ids go into
    /// a section, so that they can be erased, and are absent from the skeleton.
    pub personal_types: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed: addresses or networks (`10.0.0.0/8`).
    pub trusted_proxies: Vec<Network>,
    /// Origins that may show the viewer in a frame, for every workspace (`https://app.example.com`).
    pub frame_origins: Vec<String>,
    /// Write one line per request to the log; recorded events only at level `debug`.
    pub log_requests: bool,
    /// Answer `/metrics` without a key. For a port that only the monitoring system reaches.
    pub open_metrics: bool,
    /// Where older events lie.
    pub segments: Segments,
    /// How stored events are read again, to find what has rotted.
    pub scrub: Scrub,
    /// Bounds on what callers may ask for.
    pub limits: Limits,
    /// How the commands of this machine reach the server; written by the first start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<Operator>,
}

/// See [`Config::unknown_organization`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownOrganization {
    /// Answer 404: a misspelt id must not open a new log.
    Refuse,
    /// Create it, named by its id.
    Create,
}

/// See [`Config::default_entitlement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntitlementSetting {
    /// Recorded and readable.
    Active,
    /// Recorded, but the workspace sees the locked page.
    Inactive,
}

/// Where older events lie: in the data directory, or in an object store that speaks S3.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Segments {
    /// `s3://bucket/prefix`. When absent, the data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Address of the object store, if it is not Amazon's: `https://storage.example.com:9000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Its region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Speak to it without TLS, where nobody listens.
    pub allow_http: bool,
    /// Mebibytes of it that are kept in memory.
    pub cache_mib: usize,
}

/// How stored events are read again, to find what has rotted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scrub {
    /// Days from the beginning of one round over all segments to the next; 0: never.
    pub days: u32,
    /// How many bytes are read in a second at most.
    pub bytes_per_second: u64,
}

impl Default for Scrub {
    fn default() -> Self {
        let usual = Scrubbing::default();
        Self {
            days: u32::try_from(usual.every.as_secs() / DAY_SECONDS).unwrap_or(u32::MAX),
            bytes_per_second: usual.bytes_per_second,
        }
    }
}

impl Scrub {
    /// The same for the store.
    #[must_use]
    pub fn scrubbing(&self) -> Option<Scrubbing> {
        (self.days > 0).then(|| Scrubbing {
            bytes_per_second: self.bytes_per_second,
            every: Duration::from_secs(u64::from(self.days) * DAY_SECONDS),
            ..Scrubbing::default()
        })
    }
}

const DAY_SECONDS: u64 = 24 * 3600;

/// Bounds on what callers may ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections served at once; further ones wait in the kernel's queue.
    pub connections: usize,
    /// Seconds within which the head of a request must arrive, also the time that an idle
    /// connection is kept. Longer than a proxy in front keeps its own, or it would now and then send
    /// a request into a connection that is just being closed.
    pub header_seconds: u64,
    /// Seconds within which the body of a request must arrive.
    pub body_seconds: u64,
    /// Seconds after which a download whose reader takes nothing is cut.
    pub stalled_download_seconds: u64,
    /// Downloads and exports running at once over all workspaces.
    pub downloads: usize,
    /// Milliseconds that one search may scan before it answers with what it has.
    pub search_milliseconds: u64,
    /// Limits of single keys, by key id. A key that is not named has none.
    pub keys: BTreeMap<String, KeyLimit>,
}

/// A token bucket for one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLimit {
    /// Events (and other requests) a second, sustained.
    pub per_second: u32,
    /// How many may come at once. Default: ten seconds' worth.
    pub burst: Option<u32>,
}

/// How the commands of this machine reach the server.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Base URL of the API.
    pub url: String,
    /// A key with all three scopes.
    pub key: String,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            origin: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 4600)),
            public_url: None,
            contact_url: None,
            unknown_organization: UnknownOrganization::Refuse,
            default_entitlement: EntitlementSetting::Active,
            strict: false,
            personal_types: Vec::new(),
            trusted_proxies: Vec::new(),
            frame_origins: Vec::new(),
            log_requests: true,
            open_metrics: false,
            segments: Segments::default(),
            scrub: Scrub::default(),
            limits: Limits::default(),
            operator: None,
        }
    }
}

impl Default for Segments {
    fn default() -> Self {
        Self {
            url: None,
            endpoint: None,
            region: None,
            allow_http: false,
            cache_mib: 128,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            header_seconds: 75,
            body_seconds: 30,
            stalled_download_seconds: 60,
            downloads: 8,
            search_milliseconds: 5_000,
            keys: BTreeMap::new(),
        }
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not TOML, an unknown setting, or a value of the wrong type; names line and setting.
    #[error("cannot read the configuration: {0}")]
    Syntax(#[from] toml::de::Error),
    /// Values that cannot be meant, every one of them.
    #[error("the configuration has mistakes:\n{}", .0.iter().map(|m| format!("  {m}")).collect::<Vec<_>>().join("\n"))]
    Invalid(Vec<String>),
}

impl Config {
    /// Reads and checks the text of an `operator.toml`.
    ///
    /// # Errors
    /// [`ConfigError`], which names every setting that is wrong.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// The configuration as `operator.toml` would hold it, defaults written out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // Every field is plain data, so that writing cannot fail; an empty text would parse to
        // defaults and be seen at once.
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// Reports every value that cannot be meant.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with one line for each mistake.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut mistakes = Vec::new();
        if let Some(origin) = &self.origin
            && !is_origin_name(origin)
        {
            mistakes.push("origin: a host name, optionally with a path, such as `audit.example.com`; no scheme, spaces or `+`".to_owned());
        }
        if let Some(url) = &self.public_url
            && !is_web_origin(url)
        {
            mistakes.push("public_url: `https://host`, optionally with a port, and nothing after it (the official SDKs cannot use a path prefix)".to_owned());
        }
        if let Some(url) = &self.contact_url
            && !["https://", "http://", "mailto:"]
                .iter()
                .any(|p| url.starts_with(p) && url.len() > p.len())
        {
            mistakes.push(
                "contact_url: a link that starts with https://, http:// or mailto:".to_owned(),
            );
        }
        for origin in &self.frame_origins {
            if !is_web_origin(origin) {
                mistakes.push(
                    "frame_origins: each is `https://host`, optionally with a port".to_owned(),
                );
            }
        }
        let segments = &self.segments;
        if segments
            .url
            .as_ref()
            .is_some_and(|url| !url.starts_with("s3://"))
        {
            mistakes.push("segments.url: `s3://bucket/prefix`".to_owned());
        }
        if segments.url.is_none()
            && (segments.endpoint.is_some() || segments.region.is_some() || segments.allow_http)
        {
            mistakes.push(
                "segments: without `url` there is no object store that the rest is about"
                    .to_owned(),
            );
        }
        if !(8..=1 << 20).contains(&segments.cache_mib) {
            mistakes.push("segments.cache_mib: 8 to 1048576".to_owned());
        }
        for (name, value) in [
            ("limits.connections", self.limits.connections),
            ("limits.downloads", self.limits.downloads),
        ] {
            if value == 0 {
                mistakes.push(format!("{name}: at least 1"));
            }
        }
        for (name, value) in [
            ("limits.header_seconds", self.limits.header_seconds),
            ("limits.body_seconds", self.limits.body_seconds),
            (
                "limits.stalled_download_seconds",
                self.limits.stalled_download_seconds,
            ),
            (
                "limits.search_milliseconds",
                self.limits.search_milliseconds,
            ),
        ] {
            if value == 0 {
                mistakes.push(format!("{name}: at least 1"));
            }
        }
        if self.scrub.bytes_per_second == 0 {
            mistakes
                .push("scrub.bytes_per_second: at least 1; `days = 0` switches it off".to_owned());
        }
        for (id, limit) in &self.limits.keys {
            if limit.per_second == 0 {
                mistakes.push(format!(
                    "limits.keys.{id}.per_second: at least 1; revoke the key to stop it"
                ));
            }
        }
        if mistakes.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(mistakes))
        }
    }

    /// Where browsers reach this server, without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => {
                // A wildcard address cannot be visited.
                let mut address = self.listen;
                if address.ip().is_unspecified() {
                    address.set_ip(IpAddr::from([127, 0, 0, 1]));
                }
                format!("http://{address}")
            }
        }
    }

    /// Whether browsers reach this server by TLS, which decides the form of cookies.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.public_url
            .as_deref()
            .is_some_and(|url| url.starts_with("https://"))
    }

    /// The address of the client: that of the connection, or, where a trusted proxy holds the
    /// connection, the right-most address in `X-Forwarded-For` that is not a trusted proxy itself.
    /// What stands further left was written by the client and proves nothing.
    #[must_use]
    pub fn client_address(&self, peer: IpAddr, forwarded_for: Option<&str>) -> IpAddr {
        let trusted = |address: IpAddr| self.trusted_proxies.iter().any(|n| n.contains(address));
        let mut address = peer.to_canonical();
        for hop in forwarded_for.unwrap_or_default().rsplit(',') {
            if !trusted(address) {
                break;
            }
            match hop.trim().parse::<IpAddr>() {
                Ok(hop) => address = hop.to_canonical(),
                Err(_) => break,
            }
        }
        address
    }
}

impl Limits {
    /// See [`Limits::header_seconds`].
    #[must_use]
    pub fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_seconds)
    }

    /// See [`Limits::body_seconds`].
    #[must_use]
    pub fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_seconds)
    }

    /// See [`Limits::stalled_download_seconds`].
    #[must_use]
    pub fn stalled_download(&self) -> Duration {
        Duration::from_secs(self.stalled_download_seconds)
    }

    /// See [`Limits::search_milliseconds`].
    #[must_use]
    pub fn search_deadline(&self) -> Duration {
        Duration::from_millis(self.search_milliseconds)
    }
}

/// `https://host[:port]` or `http://host[:port]`, and nothing else.
pub(crate) fn is_web_origin(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.map(|r| r.trim_end_matches('/')).is_some_and(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
            && !host.starts_with(':')
    })
}

/// What may stand in front of `/w/<slot>` in a log's name (a note's key name has no spaces or `+`).
fn is_origin_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 200
        && !text.starts_with('/')
        && !text.ends_with('/')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_/".contains(&b))
}
