//! Forms that were filled in, checked to come from a page of ours.

use axum::body::{Body, Bytes};
use axum::extract::{Form, FromRequest, Request};
use axum::http::Method;
use serde::de::DeserializeOwned;

use super::csrf;
use super::visitor::Visitor;
use crate::app::App;
use crate::refused::{Kind, Refused};

/// A form that was filled in. There is no other way to read one, so none is taken that another site sent.
pub(super) struct Filled<T>(pub(super) T);

/// A form with nothing but its button.
#[derive(serde::Deserialize)]
pub(super) struct Pressed {}

impl<T: DeserializeOwned> FromRequest<App> for Filled<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let visitor = parts
            .extensions
            .get::<Visitor>()
            .cloned()
            .ok_or_else(|| Refused::internal("no visitor"))?;
        let elsewhere = || {
            Refused::forbidden(
                "This form was not sent by a page of the tracker, or is too old. Go back, reload the page, and try again.",
            )
        };
        if parts.method != Method::POST || !csrf::is_ours(&parts.headers, &app.settings.public_url)
        {
            return Err(elsewhere());
        }
        let again = parts.clone();
        let bytes = Bytes::from_request(Request::from_parts(parts, body), app)
            .await
            .map_err(|_| Refused::new(Kind::Invalid, "This form is too large."))?;
        let token = url::form_urlencoded::parse(&bytes)
            .find(|(name, _)| name == "csrf")
            .map(|(_, token)| token.into_owned());
        if !token.is_some_and(|token| crate::secret::equal(&token, &visitor.csrf)) {
            return Err(elsewhere());
        }
        let filled = Form::from_request(Request::from_parts(again, Body::from(bytes)), app).await;
        let Form(filled) = filled.map_err(|_| {
            Refused::new(
                Kind::Invalid,
                "This form is incomplete. Go back, reload the page, and try again.",
            )
        })?;
        Ok(Self(filled))
    }
}

/// Whether a box was ticked: browsers send it only if so.
pub(super) fn ticked(box_: Option<&String>) -> bool {
    box_.is_some()
}
