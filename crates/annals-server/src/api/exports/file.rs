//! The file of an export, made while it is sent.

use annals_store::{Entitlement, Export, Order, Reach, StoreError};
use axum::extract::State;
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::io::{self, Write};

use super::{filter, find, unknown};
use crate::app::App;
use crate::audit::{self, Act};
use crate::download::{self, Format, Out, Selection};
use crate::error::{ApiError, ErrorBody};
use crate::params::{Id, Params};

/// Exports are always this: disarmed cells, no mark.
const CSV: Format = Format::Csv {
    guard: true,
    mark: false,
};

/// Download an export.
///
/// The address comes with the export and is good for ten minutes, without a key. Answers
/// `Range: bytes=N-`, so that a broken download goes on where it stopped.
#[utoipa::path(
    get,
    path = "/audit_logs/exports/{id}/download",
    tag = "downloads",
    params(
        ("id" = String, Path, description = "Id of the export."),
        ("token" = String, Query, description = "From the export's `url`."),
    ),
    responses(
        (status = 200, content_type = "text/csv", body = String),
        (status = 206, description = "From the byte that was asked for.", content_type = "text/csv", body = String),
        (status = 404, description = "No such export, or the address is too old.", body = ErrorBody),
        (status = 416, description = "The file is shorter.", body = ErrorBody),
    ),
    security(()),
)]
pub(super) async fn download(
    State(app): State<App>,
    Id(id): Id,
    mut params: Params,
    parts: Parts,
) -> Result<Response, ApiError> {
    let token = params.text("token").unwrap_or_default();
    if !app.store.check_download_token(&id, &token) {
        return Err(unknown(&id));
    }
    let export = find(&app, &id).await?;
    let (organization, log) = app
        .organization(&export.organization_id)
        .map_err(|_| unknown(&id))?;
    if organization.entitlement != Entitlement::Active
        && !app
            .store
            .key(&export.created_by)
            .is_some_and(|key| matches!(key.organizations, Reach::All))
    {
        return Err(ApiError::NotEnabled {
            contact_url: app.config.contact_url.clone(),
        });
    }
    let filter = filter(&app, &export.selection)?;
    let selection = Selection::new(
        &organization,
        log.clone(),
        filter.into(),
        Some(export.as_of),
        Order::Desc,
    );
    let etag = etag(&export, &organization.name);
    let from = range_start(&parts.headers, &etag);

    let mut headers = download::headers(
        &organization.id,
        "csv",
        "text/csv; charset=utf-8; header=present",
        &app,
        selection.as_of,
    );
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(etag) = HeaderValue::try_from(etag) {
        headers.insert(ETAG, etag);
    }
    // Nothing is taken away, so that there is nothing to record.
    if parts.method == Method::HEAD {
        return Ok(headers.into_response());
    }
    selection.require_readable()?;
    let place = app.downloads.take(&log)?;
    let event = Act::of_address(&app, &parts, "export_link", &export.id)
        .event(&app, "audit_log.export_downloaded")
        .target("export", &export.id, None);
    audit::record(&app, &log, event.draft()?).await?;
    let Some(from) = from else {
        let writing = app.clone();
        let body = download::body(&app, place, move |out| selection.write(&writing, CSV, out));
        return Ok((headers, body).into_response());
    };
    // A partial answer names the whole length, so the file is made once to measure it.
    let (measured, measuring) = (selection.clone(), app.clone());
    let total = app
        .reading(move || {
            let mut length = Length(0);
            measured.write(&measuring, CSV, &mut length)?;
            Ok::<u64, StoreError>(length.0)
        })
        .await?;
    if from >= total {
        return Err(ApiError::Range { total });
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from(total - from));
    if let Ok(range) = HeaderValue::try_from(format!("bytes {from}-{}/{total}", total - 1)) {
        headers.insert(CONTENT_RANGE, range);
    }
    let writing = app.clone();
    let body = download::body(&app, place, move |out| {
        selection.write(&writing, CSV, &mut Skip { left: from, out })
    });
    Ok((StatusCode::PARTIAL_CONTENT, headers, body).into_response())
}

/// What decides the bytes of the file: the question, the size, the workspace's name, and what this
/// version of the program makes of them.
fn etag(export: &Export, name: &str) -> String {
    let mut hash = Sha256::new();
    for part in [&export.id, name, env!("CARGO_PKG_VERSION")] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(export.as_of.to_be_bytes());
    let hash = hash.finalize();
    format!(
        "\"{}\"",
        hash[..16]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    )
}

/// The first byte that is asked for. Anything but `bytes=N-` is answered with the whole file, and so
/// is a range of a file that has changed since.
fn range_start(headers: &HeaderMap, etag: &str) -> Option<u64> {
    let unchanged = headers
        .get(IF_RANGE)
        .is_none_or(|value| value.as_bytes() == etag.as_bytes());
    let range = headers
        .get(RANGE)?
        .to_str()
        .ok()?
        .strip_prefix("bytes=")?
        .strip_suffix('-')?;
    // A number of the language may have a sign; a position in a file has none.
    let is_plain = range.bytes().all(|byte| byte.is_ascii_digit());
    let from = is_plain.then(|| range.parse().ok())??;
    (unchanged && from > 0).then_some(from)
}

struct Length(u64);

impl Write for Length {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0 += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Leaves out the first bytes.
struct Skip<'a> {
    left: u64,
    out: &'a mut Out<'a>,
}

impl Write for Skip<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let skipped = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(data.len());
        self.left -= skipped as u64;
        self.out.write_all(&data[skipped..])?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
