//! Who asks: a browser, somebody signed in, a member of a workspace, at a project.

use annals_client::RequestContext;
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::header::USER_AGENT;
use axum::http::{Method, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use rusqlite::Connection;

use super::cookies::{Cookies, cookie};
use super::{answer, csrf};
use crate::act::Act;
use crate::app::App;
use crate::domain::member::Member;
use crate::domain::project::Project;
use crate::domain::session::{Device, Session};
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
    pub(super) seat: Seat,
    pub(super) project: Project,
}

impl Visitor {
    /// Does something that needs nobody to be signed in.
    pub(super) async fn act<T: Send + 'static>(
        &self,
        app: &App,
        work: impl FnOnce(&Act<'_>) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        app.act(&self.context, work).await
    }
}

impl Person {
    /// Does something as this person.
    pub(super) async fn act<T: Send + 'static>(
        &self,
        app: &App,
        work: impl FnOnce(&Act<'_>, &User) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let user = self.user.clone();
        self.visitor.act(app, move |act| work(act, &user)).await
    }
}

impl Seat {
    /// Does something as this member.
    pub(super) async fn act<T: Send + 'static>(
        &self,
        app: &App,
        work: impl FnOnce(&Act<'_>, &Member) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let by = self.member.clone();
        self.visitor.act(app, move |act| work(act, &by)).await
    }

    /// Reads for this member.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        app: &App,
        work: impl FnOnce(&Connection, &Member) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let by = self.member.clone();
        app.read(move |db| work(db, &by)).await
    }

    /// The address of a page of the workspace.
    pub(super) fn path(&self, below: &str) -> String {
        format!("/w/{}{below}", self.member.workspace.slug)
    }
}

impl Desk {
    /// Does something in the project, as this member.
    pub(super) async fn act<T: Send + 'static>(
        &self,
        app: &App,
        work: impl FnOnce(&Act<'_>, &Member, &Project) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let project = self.project.clone();
        self.seat
            .act(app, move |act, by| work(act, by, &project))
            .await
    }

    /// Reads of the project, for this member.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        app: &App,
        work: impl FnOnce(&Connection, &Member, &Project) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let project = self.project.clone();
        self.seat
            .read(app, move |db, by| work(db, by, &project))
            .await
    }

    /// The address of a page of the project.
    pub(super) fn path(&self, below: &str) -> String {
        self.seat.path(&format!("/p/{}{below}", self.project.id))
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
        let seat = Seat::from_request_parts(parts, app).await?;
        let id = param(parts, app, "project").await?;
        let project = seat
            .read(app, move |db, by| Project::load(db, by, &id))
            .await
            .map_err(Refused::into_response)?;
        Ok(Self { seat, project })
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

#[cfg(test)]
mod tests {
    use super::next_path;

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
}
