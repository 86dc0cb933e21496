//! The two cookies: the session, and where a workspace's host shows the log.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;

use crate::viewer::encode;

/// Longer texts are not ours.
const LONGEST: usize = 2_048;
/// How long the way back is remembered, in seconds: longer than any session.
const BACK_SECONDS: u32 = 30 * 86_400;

/// What a browser sent, and how to answer it.
#[derive(Clone)]
pub(crate) struct Cookies {
    secure: bool,
    /// The secret of the session.
    pub(crate) session: Option<String>,
    /// The host's page that shows the log, remembered for when a session has ended. It is what this
    /// browser was told when it was signed in, so that nobody learns it by asking.
    pub(crate) back: Option<String>,
}

impl Cookies {
    /// Reads the cookies of a request. `secure` says whether browsers come by TLS.
    pub(crate) fn read(headers: &HeaderMap, secure: bool) -> Cookies {
        let mut cookies = Cookies {
            secure,
            session: None,
            back: None,
        };
        let sent = headers
            .get_all(COOKIE)
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        for (name, value) in sent
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
        {
            if value.len() > LONGEST {
                continue;
            }
            if name == cookies.session_name() {
                cookies.session.get_or_insert_with(|| value.to_owned());
            } else if name == cookies.back_name() {
                let back = decode(value)
                    .filter(|url| url.starts_with("https://") || url.starts_with("http://"));
                cookies.back = cookies.back.or(back);
            }
        }
        cookies
    }

    /// `__Host-` makes the browser refuse a cookie that another host or a plain connection has set;
    /// it needs TLS, so that the demo on loopback has another name.
    fn session_name(&self) -> &'static str {
        if self.secure {
            "__Host-annals"
        } else {
            "annals_session"
        }
    }

    fn back_name(&self) -> &'static str {
        if self.secure {
            "__Secure-annals-back"
        } else {
            "annals_back"
        }
    }

    /// The header that starts a session.
    pub(crate) fn set(&self, secret: &str, embedded: bool) -> String {
        format!(
            "{}={secret}; Path=/; HttpOnly{}",
            self.session_name(),
            self.attributes(embedded)
        )
    }

    /// The header that remembers the way back to the host.
    pub(crate) fn set_back(&self, organization: &str, url: &str, embedded: bool) -> String {
        let (name, value) = (self.back_name(), encode(url));
        format!(
            "{name}={value}; Path=/w/{organization}; Max-Age={BACK_SECONDS}; HttpOnly{}",
            self.attributes(embedded)
        )
    }

    /// The header that ends the session in the browser, too.
    pub(crate) fn clear(&self) -> String {
        format!(
            "{}=; Path=/; Max-Age=0; HttpOnly{}",
            self.session_name(),
            self.attributes(false)
        )
    }

    fn attributes(&self, embedded: bool) -> &'static str {
        match (self.secure, embedded) {
            (true, true) => "; Secure; SameSite=None; Partitioned",
            (true, false) => "; Secure; SameSite=Lax",
            (false, _) => "; SameSite=Lax",
        }
    }
}

fn decode(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'%' {
            out.push(u8::from_str_radix(text.get(at + 1..at + 3)?, 16).ok()?);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(line: &str, secure: bool) -> Cookies {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, line.parse().unwrap());
        Cookies::read(&headers, secure)
    }

    #[test]
    fn each_transport_has_its_own_cookie() {
        let line = "a=b; annals_session=plain; __Host-annals=tls";
        assert_eq!(sent(line, true).session.as_deref(), Some("tls"));
        assert_eq!(sent(line, false).session.as_deref(), Some("plain"));
    }

    #[test]
    fn attributes() {
        let tls = sent("x=y", true);
        assert_eq!(
            tls.set("s", false),
            "__Host-annals=s; Path=/; HttpOnly; Secure; SameSite=Lax"
        );
        assert_eq!(
            tls.set("s", true),
            "__Host-annals=s; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"
        );
        assert_eq!(
            sent("x=y", false).set("s", true),
            "annals_session=s; Path=/; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn the_way_back_comes_back() {
        let url = "https://app.example/settings?open={path};x";
        let header = sent("x=y", false).set_back("org_1", url, false);
        let pair = header.split(';').next().unwrap();
        assert_eq!(sent(pair, false).back.as_deref(), Some(url));
        assert_eq!(
            sent("annals_back=javascript:alert%281%29", false).back,
            None
        );
    }
}
