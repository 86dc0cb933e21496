//! The style sheet, the script and the icon, inside of the binary.
//!
//! Their names carry a hash of their content, so that a browser may keep them for ever and a new
//! version is fetched at once.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

struct Asset {
    name: String,
    kind: &'static str,
    content: &'static str,
}

fn asset(stem: &str, extension: &str, kind: &'static str, content: &'static str) -> Asset {
    let hash: String = Sha256::digest(content)[..6]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    Asset {
        name: format!("{stem}.{hash}.{extension}"),
        kind,
        content,
    }
}

static CSS: LazyLock<Asset> = LazyLock::new(|| {
    asset(
        "annals",
        "css",
        "text/css; charset=utf-8",
        include_str!("../../assets/annals.css"),
    )
});
static JS: LazyLock<Asset> = LazyLock::new(|| {
    asset(
        "annals",
        "js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/annals.js"),
    )
});
static VERIFY: LazyLock<Asset> = LazyLock::new(|| {
    asset(
        "verify",
        "js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/verify.js"),
    )
});
static ICON: LazyLock<Asset> = LazyLock::new(|| {
    asset(
        "annals",
        "svg",
        "image/svg+xml",
        include_str!("../../assets/annals.svg"),
    )
});

/// Where the style sheet is.
pub(crate) fn css() -> String {
    format!("/assets/{}", CSS.name)
}

/// Where the script is.
pub(crate) fn js() -> String {
    format!("/assets/{}", JS.name)
}

/// Where the script is that checks a proof.
pub(crate) fn verify() -> String {
    format!("/assets/{}", VERIFY.name)
}

/// Where the icon of the browser's tab is.
pub(crate) fn icon() -> String {
    format!("/assets/{}", ICON.name)
}

/// Answers one of them. Needs no session: they say nothing about anybody.
pub(crate) async fn serve(Path(name): Path<String>) -> Response {
    let found = [&*CSS, &*JS, &*VERIFY, &*ICON]
        .into_iter()
        .find(|asset| asset.name == name);
    let Some(asset) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, asset.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, asset.content).into_response()
}
