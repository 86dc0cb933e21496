//! The two cookies: which browser it is, and whose session.

use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::response::Response;

use super::answer;
use crate::app::App;
use crate::domain::session::LIFETIME;

/// Names of the cookies. Where there is https they belong to this host alone, whatever its neighbours do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cookies {
    secure: bool,
}

impl Cookies {
    pub(super) fn of(app: &App) -> Self {
        Self {
            secure: app.settings.public_url.starts_with("https://"),
        }
    }

    pub(super) fn session(self) -> &'static str {
        if self.secure {
            "__Host-tracker_session"
        } else {
            "tracker_session"
        }
    }

    pub(super) fn browser(self) -> &'static str {
        if self.secure {
            "__Host-tracker_browser"
        } else {
            "tracker_browser"
        }
    }

    pub(super) fn attributes(self) -> &'static str {
        if self.secure {
            "Path=/; HttpOnly; SameSite=Lax; Secure"
        } else {
            "Path=/; HttpOnly; SameSite=Lax"
        }
    }

    /// Signs a browser in.
    pub(super) fn sign_in(self, response: &mut Response, token: &str) {
        let (name, attributes, seconds) = (self.session(), self.attributes(), LIFETIME.as_secs());
        answer::set_cookie(
            response,
            &format!("{name}={token}; {attributes}; Max-Age={seconds}"),
        );
    }

    /// Signs it out.
    pub(super) fn sign_out(self, response: &mut Response) {
        answer::set_cookie(
            response,
            &format!("{}=; {}; Max-Age=0", self.session(), self.attributes()),
        );
    }
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::cookie;
    use axum::http::{HeaderMap, HeaderValue};

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", HeaderValue::from_static("xa=1; a=2;b=3"));
        headers.append("cookie", HeaderValue::from_static("c=4"));
        assert_eq!(
            (
                cookie(&headers, "a"),
                cookie(&headers, "b"),
                cookie(&headers, "c")
            ),
            (Some("2"), Some("3"), Some("4"))
        );
        assert_eq!(cookie(&headers, "d"), None);
    }
}
