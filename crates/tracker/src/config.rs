//! What the tracker is started with.

use std::path::PathBuf;

use annals_client::Network;

use crate::mail::SmtpSettings;
use crate::oauth::{Provider, ProviderProblem};

/// The settings of a tracker. They are plain values: whoever starts it reads them from where he likes.
#[derive(Clone, Debug)]
pub struct Config {
    /// The SQLite file. It is made if it is not there; whoever can read it can read everything.
    pub database: PathBuf,
    /// Where people reach the tracker, such as `https://tracker.example.com`. Links in mails lead there, and forms are taken from there
    /// alone.
    pub public_url: String,
    /// Where Annals is reached from here, and a key that may write and manage all organizations.
    pub annals: Annals,
    /// How mails leave.
    pub mail: MailSettings,
    /// Tools at which people may connect accounts.
    pub providers: Vec<Provider>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// How much there may be of what.
    pub limits: Limits,
    /// Opens the clock door: `POST /clock` sets what time it is, for demonstrations. Only a tracker that listens on the loopback
    /// interface starts with it.
    pub clock_door: bool,
}

/// Where events go.
#[derive(Clone)]
pub struct Annals {
    /// Its address, such as `http://127.0.0.1:4600`.
    pub url: String,
    /// The key, `sk_…`.
    pub key: String,
}

/// How mails leave.
#[derive(Clone, Debug)]
pub enum MailSettings {
    /// Through a mail server.
    Smtp(SmtpSettings),
    /// Onto the page `/mailbox`, which everybody can read: for development alone. The path is a file of its own.
    Mailbox(PathBuf),
}

/// How much there may be in a workspace, and how often something may be tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Members of a new workspace.
    pub seats: u32,
    /// Its guests.
    pub guests: u32,
    /// Its active projects.
    pub projects: u32,
    /// Multiplies how often something may be tried; more than 1 where many people share an address.
    pub attempts: u32,
}

/// A setting that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The public address is none.
    #[error(
        "the public URL must begin with http:// or https:// and have no path, such as https://tracker.example.com"
    )]
    PublicUrl,
    /// A provider is not described well.
    #[error(transparent)]
    Provider(#[from] ProviderProblem),
    /// Two providers have one id.
    #[error("there are two providers with the id `{0}`")]
    SameProvider(String),
    /// A workspace could have nobody or nothing.
    #[error("there must be room for a member and a project at least")]
    Limits,
    /// The clock door would be open to other machines.
    #[error("the clock door needs a tracker that listens on the loopback interface alone")]
    ClockDoor,
}

impl Config {
    /// Whether it can be meant.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let url = url::Url::parse(&self.public_url).map_err(|_| ConfigError::PublicUrl)?;
        let plain =
            matches!(url.scheme(), "http" | "https") && url.path() == "/" && url.query().is_none();
        if !plain || url.host_str().is_none() {
            return Err(ConfigError::PublicUrl);
        }
        for (place, provider) in self.providers.iter().enumerate() {
            provider.check()?;
            if self.providers[..place]
                .iter()
                .any(|other| other.id == provider.id)
            {
                return Err(ConfigError::SameProvider(provider.id.clone()));
            }
        }
        if self.limits.seats == 0 || self.limits.projects == 0 {
            return Err(ConfigError::Limits);
        }
        Ok(())
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            seats: 25,
            guests: 50,
            projects: 50,
            attempts: 1,
        }
    }
}

impl std::fmt::Debug for Annals {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Annals")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}
