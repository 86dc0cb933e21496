//! That a form was sent by a page of ours, and by the same browser that got it.
//!
//! Each browser has a random cookie, signed in or not, and each form a token that is derived from it. So signing in and signing up are
//! guarded as everything else is.

use axum::http::{HeaderMap, header};

use crate::secret;

/// The token that belongs to a browser's cookie.
pub(super) fn token(cookie: &str) -> String {
    secret::hash("form", cookie)
}

/// Whether a request comes from a page of ours, as far as the browser says.
pub(super) fn is_ours(headers: &HeaderMap, public_url: &str) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match text(header::ORIGIN) {
        Some(origin) => {
            let host = text(header::HOST).unwrap_or_default();
            origin == self::origin(public_url)
                || (!host.is_empty()
                    && origin
                        .split_once("://")
                        .is_some_and(|(_, from)| from == host))
        }
        // Every browser of today says one of the two; without them the token decides alone.
        None => headers
            .get("sec-fetch-site")
            .is_none_or(|site| site == "same-origin" || site == "none"),
    }
}

/// Scheme, host and port of an address.
pub(super) fn origin(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::{is_ours, origin};
    use axum::http::{HeaderMap, HeaderName, HeaderValue};

    #[test]
    fn forms_of_other_pages_are_told_apart() {
        let said = |headers: &[(&str, &str)]| {
            let pairs = headers.iter().map(|(name, value)| {
                (
                    HeaderName::try_from(*name).unwrap(),
                    HeaderValue::from_str(value).unwrap(),
                )
            });
            is_ours(&pairs.collect::<HeaderMap>(), "https://tracker.example.com")
        };
        assert!(said(&[("origin", "https://tracker.example.com")]));
        assert!(said(&[
            ("origin", "http://localhost:80"),
            ("host", "localhost:80")
        ]));
        assert!(said(&[]) && said(&[("sec-fetch-site", "same-origin")]));
        for wrong in [
            "https://evil.example",
            "null",
            "https://tracker.example.com.evil.example",
        ] {
            assert!(
                !said(&[("origin", wrong), ("host", "tracker.example.com")]),
                "{wrong}"
            );
        }
        assert!(
            !said(&[("sec-fetch-site", "cross-site")]) && !said(&[("sec-fetch-site", "same-site")])
        );
        assert_eq!(origin("http://127.0.0.1:4600/a"), "http://127.0.0.1:4600");
    }
}
