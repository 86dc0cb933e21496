//! Mail by SMTP.

use std::net::IpAddr;
use std::time::Duration;

use lettre::message::{Mailbox as Address, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport as _};
use percent_encoding::percent_decode_str;
use url::Url;

use super::{Mail, Undelivered};

/// How long a mail server may take for one step.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Which mail server, and how to speak to it.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpSettings {
    /// Its name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// Name and password, where it wants them.
    pub credentials: Option<(String, String)>,
    /// Who the mails are from: `Tracker <tracker@example.com>`.
    pub from: String,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not at all; on this machine alone.
    None,
    /// It begins in the clear and is encrypted before anything is sent. A server that cannot is not used.
    StartTls,
    /// From the first byte.
    Tls,
}

/// Why a mail server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmtpProblem {
    /// Not `smtp://host:port` or `smtps://host:port`.
    #[error("the mail server must be given as smtp://host:port or smtps://user:password@host:port")]
    Address,
    /// Mails with links and codes do not travel in the clear.
    #[error(
        "mail is sent in the clear only to this machine; use smtps:// or smtp:// with STARTTLS"
    )]
    InTheClear,
    /// The sender is no address.
    #[error("the sender of mails must be an address, such as Tracker <tracker@example.com>")]
    Sender,
    /// The machine's certificates cannot be read.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
}

impl std::fmt::Debug for SmtpSettings {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("encryption", &self.encryption)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

impl SmtpSettings {
    /// Reads `smtps://user:password@host:465` (TLS from the start) or `smtp://host:587` (STARTTLS; in the clear where the host is
    /// this machine). Name and password are percent-encoded.
    ///
    /// # Errors
    /// [`SmtpProblem::Address`] where it is neither.
    pub fn from_url(url: &str, from: &str) -> Result<Self, SmtpProblem> {
        let url = Url::parse(url).map_err(|_| SmtpProblem::Address)?;
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or(SmtpProblem::Address)?.to_owned();
        let (encryption, port) = match url.scheme() {
            "smtps" => (Encryption::Tls, 465),
            "smtp" if is_this_machine(&host) => (Encryption::None, 25),
            "smtp" => (Encryption::StartTls, 587),
            _ => return Err(SmtpProblem::Address),
        };
        let decoded = |text: &str| {
            let text = percent_decode_str(text).decode_utf8();
            text.map(std::borrow::Cow::into_owned)
                .map_err(|_| SmtpProblem::Address)
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (name, password) => Some((decoded(name)?, decoded(password.unwrap_or_default())?)),
        };
        Ok(Self {
            host,
            port: url.port().unwrap_or(port),
            encryption,
            credentials,
            from: from.to_owned(),
        })
    }
}

fn is_this_machine(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// A mail server. Connections are made when there is something to send.
pub(crate) struct Smtp {
    server: SmtpTransport,
    from: Address,
}

impl Smtp {
    pub(crate) fn new(settings: &SmtpSettings) -> Result<Self, SmtpProblem> {
        let from = settings.from.parse().map_err(|_| SmtpProblem::Sender)?;
        let tls = || {
            TlsParameters::new(settings.host.clone())
                .map_err(|problem| SmtpProblem::Tls(problem.to_string()))
        };
        let tls = match settings.encryption {
            Encryption::None if !is_this_machine(&settings.host) => {
                return Err(SmtpProblem::InTheClear);
            }
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(tls()?),
            Encryption::Tls => Tls::Wrapper(tls()?),
        };
        let mut server = SmtpTransport::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((name, password)) = &settings.credentials {
            server = server.credentials(Credentials::new(name.clone(), password.clone()));
        }
        Ok(Self {
            server: server.build(),
            from,
        })
    }

    pub(super) fn send(&self, mail: &Mail) -> Result<(), Undelivered> {
        let to: lettre::Address = mail
            .to
            .parse()
            .map_err(|_| Undelivered::Refused("not an address that mail can be sent to".into()))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Address::new(None, to))
            .subject(&mail.subject)
            // Sent by a program: holiday answers are not wanted.
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(
                mail.text.clone(),
                mail.html.clone(),
            ))
            .map_err(|problem| Undelivered::Refused(problem.to_string()))?;
        match self.server.send(&message) {
            Ok(_) => Ok(()),
            Err(problem) => {
                let code = problem.status().map(u16::from);
                let text = problem.to_string();
                Err(if code.is_some_and(is_about_the_mail) {
                    Undelivered::Refused(text)
                } else {
                    Undelivered::Later(text)
                })
            }
        }
    }
}

/// Whether a refusal is about this mail and its recipient. 530 to 538 and 500 to 504 say that the server does not understand or does
/// not know *us*: the operator repairs that, and then every mail goes.
fn is_about_the_mail(code: u16) -> bool {
    (550..=559).contains(&code) || code == 521
}

#[derive(Clone)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".into())
    }
}
