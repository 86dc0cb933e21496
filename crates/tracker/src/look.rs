//! What every page shares: the frame's values, and the files that the browser fetches for it.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::get;
use sha2::{Digest, Sha256};

const CSS: &str = include_str!("../assets/tracker.css");
const WIDGET: &str = include_str!("../assets/widget.js");
const ICON: &str = include_str!("../assets/tracker.svg");

/// The address carries the hash of what is behind it, so a browser keeps it for ever and a new version is fetched at once.
static CSS_PATH: LazyLock<String> = LazyLock::new(|| path("tracker", CSS, "css"));
static ICON_PATH: LazyLock<String> = LazyLock::new(|| path("tracker", ICON, "svg"));

fn path(name: &str, content: &str, kind: &str) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(content.as_bytes());
    let mut path = format!("/assets/{name}-");
    for byte in digest.iter().take(6) {
        let _ = write!(path, "{byte:02x}");
    }
    path.push('.');
    path.push_str(kind);
    path
}

/// The routes of the stylesheet and the icon.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let file = |content: &'static str, kind: &'static str| {
        get(move || async move {
            let headers = [
                (CONTENT_TYPE, kind),
                (CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, content).into_response()
        })
    };
    Router::new()
        .route(&CSS_PATH, file(CSS, "text/css; charset=utf-8"))
        .route(&ICON_PATH, file(ICON, "image/svg+xml"))
        .route(
            "/widget.js",
            get(async || {
                let headers = [
                    (CONTENT_TYPE, "text/javascript; charset=utf-8"),
                    // It stands under one address in pages of others, so that they get a new version soon.
                    (CACHE_CONTROL, "public, max-age=300"),
                ];
                (headers, WIDGET).into_response()
            }),
        )
}

/// What the frame of a page shows; `layout.html` and `door.html` read it as `shell`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shell {
    /// In the browser's tab.
    pub(crate) title: String,
    /// The token that each form of this session carries.
    pub(crate) csrf: String,
    /// What the last act came to, shown once.
    pub(crate) flash: Option<Flash>,
    /// Who is signed in.
    pub(crate) me: Option<Me>,
    /// The workspace that the page belongs to.
    pub(crate) here: Option<Here>,
}

impl Shell {
    /// Address of the stylesheet.
    pub(crate) fn css(&self) -> &'static str {
        &CSS_PATH
    }

    /// Address of the icon.
    pub(crate) fn icon(&self) -> &'static str {
        &ICON_PATH
    }
}

/// A message above the page: `good`, `bad`, `warn` or `note`.
#[derive(Clone, Debug)]
pub(crate) struct Flash {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

/// Who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Me {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) hue: &'static str,
}

/// The workspace around a page.
#[derive(Clone, Debug)]
pub(crate) struct Here {
    pub(crate) name: String,
    pub(crate) hue: &'static str,
    /// The role of who is signed in, as people read it.
    pub(crate) role: &'static str,
    /// The workspaces to switch between, this one included.
    pub(crate) workspaces: Vec<Link>,
    pub(crate) links: Vec<Link>,
    pub(crate) projects: Vec<Link>,
    /// Where a project is made, for those who may.
    pub(crate) new_project: Option<String>,
}

/// One line of a navigation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Link {
    pub(crate) label: String,
    pub(crate) href: String,
    /// A symbol of `components/icons.html`.
    pub(crate) icon: &'static str,
    pub(crate) hue: &'static str,
    pub(crate) current: bool,
    pub(crate) count: Option<u64>,
}

/// The class that colours whoever has this id: the same person, the same colour, everywhere.
pub(crate) fn hue(id: &str) -> &'static str {
    const HUES: [&str; 8] = ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"];
    let sum = id.bytes().fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(usize::from(byte))
    });
    HUES[sum % HUES.len()]
}

/// A browser in words, such as `Firefox on Windows`; what is no browser that is known, as it names itself.
pub(crate) fn browser(user_agent: &str) -> String {
    // In this order: most browsers claim to be others too.
    const NAMES: [(&str, &str); 6] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome/", "Chrome without a window"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |known: &[(&str, &'static str)]| {
        let found = known.iter().find(|(sign, _)| user_agent.contains(sign));
        found.map(|(_, name)| *name)
    };
    match (find(&NAMES), find(&SYSTEMS)) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name.to_owned(),
        _ if user_agent.is_empty() => "A program that does not say its name".to_owned(),
        _ => user_agent.to_owned(),
    }
}

/// Up to two letters for a name: of its first and its last word.
pub(crate) fn initials(name: &str) -> String {
    let mut words = name
        .split_whitespace()
        .filter_map(|word| word.chars().find(|c| c.is_alphanumeric()));
    let first = words.next();
    first
        .into_iter()
        .chain(words.next_back())
        .flat_map(char::to_uppercase)
        .collect()
}

/// The first letter of a name.
pub(crate) fn initial(name: &str) -> String {
    let first = name.chars().find(|c| c.is_alphanumeric());
    first.into_iter().flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_the_first_and_the_last_word() {
        assert_eq!(initials("Ann Keller"), "AK");
        assert_eq!(initials("  ana maría de la ruiz "), "AR");
        assert_eq!(initials("Bob"), "B");
        assert_eq!(initials("(guest) 7"), "G7");
        assert_eq!(initials("…"), "");
        assert_eq!(initial("ünal"), "Ü");
    }

    #[test]
    fn browsers_are_known_by_what_only_they_say() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36";
        assert_eq!(browser(chrome), "Chrome on Windows");
        assert_eq!(browser(&format!("{chrome} Edg/141.0")), "Edge on Windows");
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(browser(safari), "Safari on iPhone");
        assert_eq!(browser("curl/8.5.0"), "curl/8.5.0");
        assert!(!browser("").is_empty());
    }

    #[test]
    fn a_hue_is_of_the_id_alone() {
        assert_eq!(hue("usr_1"), hue("usr_1"));
        assert_ne!(hue("usr_1"), hue("usr_2"));
    }
}
