//! Who asks: a browser, somebody signed in, a member of a workspace, at a project.

use annals_client::RequestContext;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::header::{COOKIE, USER_AGENT};
use axum::http::{HeaderMap, Method, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::{answer, csrf};
use crate::app::App;
use crate::domain::member::Member;
use crate::domain::project::Project;
use crate::domain::session::{Device, LIFETIME, Session};
use crate::domain::user::User;
use crate::look::Flash;
use crate::refused::Refused;
use crate::secret;

/// A browser.
#[derive(Clone, Debug)]
pub(super) struct Visitor {
    /// Where the request came from, as its events say it.
    pub(super) context: RequestContext,
    pub(super) device: Device,
    /// The token that its forms carry.
    pub(super) csrf: String,
    /// What the last act came to.
    pub(super) flash: Option<Flash>,
    pub(super) signed_in: Option<(Session, User)>,
}

/// Somebody who has signed in.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) visitor: Visitor,
    pub(super) session: Session,
    pub(super) user: User,
}

/// Somebody in a workspace, by `{workspace}` of the path.
#[derive(Clone, Debug)]
pub(super) struct Seat {
    pub(super) visitor: Visitor,
    pub(super) member: Member,
}

/// Somebody at a project, by `{workspace}` and `{project}` of the path.
#[derive(Clone, Debug)]
pub(super) struct Desk {
    pub(super) visitor: Visitor,
    pub(super) member: Member,
    pub(super) project: Project,
}

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

    fn session(self) -> &'static str {
        if self.secure {
            "__Host-tracker_session"
        } else {
            "tracker_session"
        }
    }

    fn browser(self) -> &'static str {
        if self.secure {
            "__Host-tracker_browser"
        } else {
            "tracker_browser"
        }
    }

    fn attributes(self) -> &'static str {
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

/// Finds out who asks, once for each request, and gives new browsers their cookie.
pub(super) async fn visit(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let cookies = Cookies::of(&app);
    let headers = request.headers();
    let known = cookie(headers, cookies.browser()).filter(|cookie| cookie.len() == 43);
    let (browser, is_new) = match known {
        Some(browser) => (browser.to_owned(), false),
        None => (secret::token(), true),
    };
    let had_flash = cookie(headers, answer::FLASH).is_some();
    let flash = cookie(headers, answer::FLASH).and_then(answer::flash);
    let token = cookie(headers, cookies.session()).map(str::to_owned);
    let user_agent = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let user_agent: String = user_agent.chars().take(300).collect();
    let context = request
        .extensions()
        .get::<RequestContext>()
        .cloned()
        .unwrap_or_default();

    let now = app.clock.now();
    let signed_in = match token {
        Some(token) => match app.read(move |db| Session::by_token(db, &token, now)).await {
            Ok(signed_in) => signed_in,
            Err(refused) => return refused.into_response(),
        },
        None => None,
    };
    let mut values = annals_client::Context::from(&context);
    values.session_id = signed_in.as_ref().map(|(session, _)| session.id.clone());
    let address = values.location.clone().unwrap_or_default();
    let is_get = *request.method() == Method::GET;
    request.extensions_mut().insert(Visitor {
        context: RequestContext::new(values),
        device: Device {
            address,
            user_agent,
        },
        csrf: csrf::token(&browser),
        flash,
        signed_in,
    });
    let mut response = next.run(request).await;
    if is_new {
        answer::set_cookie(
            &mut response,
            &format!("{}={browser}; {}", cookies.browser(), cookies.attributes()),
        );
    }
    // Shown once: a page was made with it.
    if had_flash && is_get && !response.status().is_redirection() {
        answer::set_cookie(
            &mut response,
            &format!(
                "{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0",
                answer::FLASH
            ),
        );
    }
    response
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// Where somebody goes who has to sign in first.
fn to_login(parts: &Parts) -> Response {
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    answer::to(&if parts.method == Method::GET && path != "/" {
        format!("/login?next={next}")
    } else {
        "/login".to_owned()
    })
}

/// A path of ours to go on to; anything else is the start page.
pub(super) fn next_path(next: Option<&str>) -> &str {
    let is_ours = |next: &&str| {
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n', '\t'])
    };
    next.filter(is_ours).unwrap_or("/")
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Refused> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Refused::internal("no visitor"))
    }
}

impl FromRequestParts<App> for Person {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let mut visitor = Visitor::from_request_parts(parts, app)
            .await
            .map_err(Refused::into_response)?;
        let Some((session, user)) = visitor.signed_in.take() else {
            return Err(to_login(parts));
        };
        visitor.signed_in = Some((session.clone(), user.clone()));
        Ok(Self {
            visitor,
            session,
            user,
        })
    }
}

impl FromRequestParts<App> for Seat {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let person = Person::from_request_parts(parts, app).await?;
        let slug = param(parts, app, "workspace").await?;
        let user = person.user.id;
        let member = app
            .read(move |db| Member::load(db, &slug, &user))
            .await
            .map_err(Refused::into_response)?;
        Ok(Self {
            visitor: person.visitor,
            member,
        })
    }
}

impl FromRequestParts<App> for Desk {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let Seat { visitor, member } = Seat::from_request_parts(parts, app).await?;
        let id = param(parts, app, "project").await?;
        let loading = member.clone();
        let project = app
            .read(move |db| Project::load(db, &loading, &id))
            .await
            .map_err(Refused::into_response)?;
        Ok(Self {
            visitor,
            member,
            project,
        })
    }
}

async fn param(parts: &mut Parts, app: &App, name: &str) -> Result<String, Response> {
    let params = RawPathParams::from_request_parts(parts, app)
        .await
        .map_err(axum::response::IntoResponse::into_response)?;
    let found = params
        .iter()
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned());
    found.ok_or_else(|| Refused::not_found().into_response())
}

impl From<Desk> for Seat {
    fn from(desk: Desk) -> Self {
        Self {
            visitor: desk.visitor,
            member: desk.member,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{cookie, next_path};
    use axum::http::{HeaderMap, HeaderValue};

    #[test]
    fn nobody_is_led_elsewhere() {
        assert_eq!(next_path(Some("/w/acme?x=1")), "/w/acme?x=1");
        for wrong in [
            None,
            Some(""),
            Some("//evil.example"),
            Some("https://evil.example"),
            Some("/\\evil.example"),
            Some("/\t/evil"),
        ] {
            assert_eq!(next_path(wrong), "/");
        }
    }

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
