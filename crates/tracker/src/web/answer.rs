//! What goes back to a browser.

use askama::Template;
use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::look::{Flash, Shell};
use crate::refused::{Kind, Refused};

/// What a handler gives: a refusal that no page of its own shows becomes a page by itself.
pub(super) type Answer = Result<Response, Refused>;

/// The name of the cookie that carries a message over a redirect.
pub(super) const FLASH: &str = "tracker_flash";
/// Bytes of such a message.
const FLASH_BYTES: usize = 600;

/// A page.
pub(super) fn page(template: &impl Template) -> Answer {
    with_status(StatusCode::OK, template)
}

/// A page that shows a form again, with what is wrong.
pub(super) fn again(problem: &Problem, template: &impl Template) -> Answer {
    with_status(problem.status(), template)
}

fn with_status(status: StatusCode, template: &impl Template) -> Answer {
    let html = template.render().map_err(Refused::internal)?;
    Ok((status, [(CACHE_CONTROL, "no-store")], Html(html)).into_response())
}

/// To another page.
pub(super) fn to(path: &str) -> Response {
    let mut response = StatusCode::SEE_OTHER.into_response();
    // Paths are made here, of ids and slugs; what is no header value is no path of ours.
    let path = HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, path);
    response
}

/// To another page, which says once what was done.
pub(super) fn to_with(path: &str, said: &str) -> Response {
    flashing(to(path), "good", said)
}

/// An answer whose page says once what was done.
pub(super) fn flashing(mut response: Response, kind: &str, said: &str) -> Response {
    let cut = said
        .char_indices()
        .map(|(at, letter)| at + letter.len_utf8())
        .take_while(|end| *end <= FLASH_BYTES)
        .last();
    let said = &said[..cut.unwrap_or(0)];
    let value = URL_SAFE_NO_PAD.encode(format!("{kind}\n{said}"));
    set_cookie(
        &mut response,
        &format!("{FLASH}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=60"),
    );
    response
}

/// The message of such a cookie.
pub(super) fn flash(cookie: &str) -> Option<Flash> {
    let bytes = URL_SAFE_NO_PAD.decode(cookie).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (kind, text) = text.split_once('\n')?;
    let kind = ["good", "bad", "warn", "note"]
        .into_iter()
        .find(|known| *known == kind)?;
    Some(Flash {
        kind,
        text: text.to_owned(),
    })
}

pub(super) fn set_cookie(response: &mut Response, cookie: &str) {
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

/// What is wrong with a form, for the page that shows it again.
#[derive(Debug, Default)]
pub(super) struct Problem(Option<Refused>);

impl Problem {
    pub(super) fn none() -> Self {
        Self(None)
    }

    /// What is wrong with this field; empty if nothing is.
    pub(super) fn of(&self, field: &str) -> &str {
        match &self.0 {
            Some(refused) if refused.field == Some(field) => &refused.message,
            _ => "",
        }
    }

    /// Puts above the page what belongs to none of the fields that the page shows.
    pub(super) fn above(&self, shell: &mut Shell, fields: &[&str]) {
        if let Some(refused) = &self.0
            && refused.field.is_none_or(|field| !fields.contains(&field))
        {
            shell.flash = Some(Flash {
                kind: "bad",
                text: refused.message.clone().into_owned(),
            });
        }
    }

    fn status(&self) -> StatusCode {
        self.0
            .as_ref()
            .map_or(StatusCode::OK, |refused| status(refused.kind))
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self(Some(refused))
    }
}

/// What a page shows instead of itself.
#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    shell: Shell,
    message: &'a str,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let title = match self.kind {
            Kind::NotFound => "Not found",
            Kind::Forbidden => "Not allowed",
            Kind::TooMany => "Too often",
            Kind::Internal => "Something went wrong",
            Kind::Invalid | Kind::Conflict => "That did not work",
        };
        let shell = Shell {
            title: title.to_owned(),
            ..Shell::default()
        };
        let page = ProblemPage {
            shell,
            message: &self.message,
        };
        with_status(status(self.kind), &page)
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

/// The one place that gives a refusal its status.
pub(super) fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Forbidden => StatusCode::FORBIDDEN,
        Kind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use super::{FLASH_BYTES, flash, flashing, to};

    #[test]
    fn a_message_survives_a_redirect() {
        for (said, read) in [
            ("Moved to “Done”.".to_owned(), 16),
            ("ä".repeat(FLASH_BYTES), FLASH_BYTES / 2),
        ] {
            let response = flashing(to("/"), "good", &said);
            let cookie = response.headers()["set-cookie"].to_str().unwrap();
            let value = cookie.split(['=', ';']).nth(1).unwrap();
            let flash = flash(value).unwrap();
            assert_eq!((flash.kind, flash.text.chars().count()), ("good", read));
        }
        assert!(flash("").is_none() && flash("eA").is_none());
    }
}
