//! Rules for texts that end up in headers, redirects and pages.

/// 1 to `bytes_max` printable ASCII characters, blanks allowed.
pub(super) fn is_plain(text: &str, bytes_max: usize) -> bool {
    (1..=bytes_max).contains(&text.len()) && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// An `http` or `https` origin and nothing after it. It goes into a response header, so nothing
/// may be in it that could end the directive.
pub(super) fn is_origin(text: &str) -> bool {
    let Some(host) = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
    else {
        return false;
    };
    let (name, port) = match host.rsplit_once(':') {
        // An address of IPv6 has colons of its own, inside of its brackets.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let name_ok = match bare {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            (1..=253).contains(&name.len())
                && !name.starts_with('.')
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-')
        }
    };
    name_ok && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// An `http` or `https` address of at most 2,048 characters, safe to redirect and to link to.
pub(super) fn is_web_address(text: &str) -> bool {
    let scheme = if text.starts_with("https://") { 8 } else { 7 };
    let Some(rest) = text.get(scheme..) else {
        return false;
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    text.len() <= 2_048
        && is_origin(&text[..scheme + end])
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\`".contains(&byte))
}

/// A page of one workspace: a path below `/w/{organization}/`, with nothing in it that a browser
/// would read as another place.
pub(super) fn is_page_of(path: &str, organization_id: &str) -> bool {
    let rest = path
        .strip_prefix("/w/")
        .and_then(|rest| rest.strip_prefix(organization_id))
        .and_then(|rest| rest.strip_prefix('/'));
    let Some(rest) = rest else { return false };
    let page = rest.split(['?', '#']).next().unwrap_or_default();
    // A browser takes `%2e` in a segment for a dot and would walk out of the workspace.
    let decoded = page.to_ascii_lowercase().replace("%2e", ".");
    path.len() <= 4_096
        && path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && decoded
            .split('/')
            .all(|segment| segment != "." && segment != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for good in [
            "https://app.example.com",
            "http://127.0.0.1:8080",
            "https://[::1]:3000",
        ] {
            assert!(is_origin(good), "{good}");
        }
        let bad = [
            "",
            "https://",
            "app.example.com",
            "ftp://a",
            "https://a/",
            "https://a b",
            "https://a;script-src *",
            "https://a:0",
            "https://a:99999",
            "https://a:b",
            "https://*",
            "https://[zz]",
            "https://user@a",
        ];
        for bad in bad {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        assert!(is_web_address("https://app.example.com/settings?open=/#x"));
        assert!(is_web_address("http://localhost:3000"));
        for bad in [
            "javascript:alert(1)",
            "https://a/\"x",
            "//a",
            "https:///x",
            "https://a/ b",
        ] {
            assert!(!is_web_address(bad), "{bad}");
        }
    }

    #[test]
    fn pages() {
        assert!(is_page_of("/w/acme/audit-logs", "acme"));
        assert!(is_page_of(
            "/w/acme/audit-logs?q=action%3Auser.*&tz=UTC",
            "acme"
        ));
        let bad = [
            "/w/other/audit-logs",
            "/w/acme",
            "//evil.example/w/acme/",
            "/w/acme/../other/x",
            "/w/acme/%2e%2E/other/x",
            "/w/acme/..",
            "/w/acme/a\\b",
            "/w/acme/a\nb",
            "https://w/acme/",
        ];
        for bad in bad {
            assert!(!is_page_of(bad, "acme"), "{bad}");
        }
    }
}
