//! Signing in and out.

use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, again, page, to, to_with};
use super::cookies::Cookies;
use super::form::{Filled, ticked};
use super::frame::plain;
use super::visitor::{Person, Visitor, next_path};
use crate::app::App;
use crate::domain::session::{self, Begun};
use crate::domain::user::User;
use crate::domain::{email, login, login_code};
use crate::limits::{Limited, source};
use crate::look::Shell;
use crate::refused::{Kind, Refused};

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    shell: Shell,
    email: &'a str,
    next: &'a str,
    problem: &'a Problem,
}

#[derive(Template)]
#[template(path = "login_code.html")]
struct CodePage<'a> {
    shell: Shell,
    email: &'a str,
    next: &'a str,
    /// Whether a code was sent, so that it can be entered.
    sent: bool,
    problem: &'a Problem,
}

/// Where one was going.
#[derive(Deserialize, Default)]
pub(super) struct Next {
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LoginForm {
    email: String,
    password: String,
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CodeForm {
    email: String,
    #[serde(default)]
    code: String,
    next: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LogoutForm {
    everywhere: Option<String>,
}

pub(super) async fn show_login(visitor: Visitor, Query(next): Query<Next>) -> Answer {
    let next = next_path(next.next.as_deref());
    if visitor.signed_in.is_some() {
        return Ok(to(next));
    }
    page(&LoginPage {
        shell: plain(&visitor, "Sign in"),
        email: "",
        next,
        problem: &Problem::none(),
    })
}

pub(super) async fn log_in(
    State(app): State<App>,
    visitor: Visitor,
    Filled(form): Filled<LoginForm>,
) -> Answer {
    let next = next_path(form.next.as_deref());
    match with_password(&app, &visitor, &form.email, form.password).await {
        Ok(begun) => signed_in(&app, &visitor, &begun, next).await,
        Err(refused) => {
            let problem = Problem::from(refused);
            let mut shell = plain(&visitor, "Sign in");
            problem.above(&mut shell, &["email"]);
            again(
                &problem,
                &LoginPage {
                    shell,
                    email: &form.email,
                    next,
                    problem: &problem,
                },
            )
        }
    }
}

async fn with_password(
    app: &App,
    visitor: &Visitor,
    typed: &str,
    password: String,
) -> Result<Begun, Refused> {
    // What is no address has no account either; it gets the same work and the same words.
    let address = email::parse(typed).unwrap_or_default();
    limit(app, visitor, &address, "password")?;
    let looked_up = address.clone();
    let known = app.read(move |db| User::by_email(db, &looked_up)).await?;
    let is_right = app
        .passwords
        .verify(password, known.and_then(|user| user.password_hash))
        .await?;
    let device = visitor.device.clone();
    visitor
        .act(app, move |act| {
            login::with_password(act, &address, is_right, &device)
        })
        .await
}

pub(super) async fn show_code(visitor: Visitor, Query(next): Query<Next>) -> Answer {
    let next = next_path(next.next.as_deref());
    page(&CodePage {
        shell: plain(&visitor, "Sign in with a code"),
        email: "",
        next,
        sent: false,
        problem: &Problem::none(),
    })
}

/// Sends a code. The answer is given before anything is looked up: neither what it says nor when it comes depends on it.
pub(super) async fn request_code(
    State(app): State<App>,
    visitor: Visitor,
    Filled(form): Filled<CodeForm>,
) -> Answer {
    let next = next_path(form.next.as_deref());
    let sent = match email::required("email", &form.email) {
        Ok(address) => mail_soon(&app, &visitor, address, login_code::request).await,
        Err(refused) => Err(refused),
    };
    let (is_sent, problem) = match sent {
        Ok(()) => (true, Problem::none()),
        Err(refused) => (false, Problem::from(refused)),
    };
    let mut shell = plain(&visitor, "Sign in with a code");
    problem.above(&mut shell, &["email"]);
    again(
        &problem,
        &CodePage {
            shell,
            email: &form.email,
            next,
            sent: is_sent,
            problem: &problem,
        },
    )
}

pub(super) async fn enter_code(
    State(app): State<App>,
    visitor: Visitor,
    Filled(form): Filled<CodeForm>,
) -> Answer {
    let next = next_path(form.next.as_deref());
    match with_code(&app, &visitor, &form).await {
        Ok(begun) => signed_in(&app, &visitor, &begun, next).await,
        Err(refused) => {
            let problem = Problem::from(refused);
            let mut shell = plain(&visitor, "Sign in with a code");
            problem.above(&mut shell, &["code"]);
            again(
                &problem,
                &CodePage {
                    shell,
                    email: &form.email,
                    next,
                    sent: true,
                    problem: &problem,
                },
            )
        }
    }
}

async fn with_code(app: &App, visitor: &Visitor, form: &CodeForm) -> Result<Begun, Refused> {
    let address = email::parse(&form.email).unwrap_or_default();
    limit(app, visitor, &address, "login_code")?;
    // A code costs nothing to compare. With the work of a password no time tells whether there was one to compare with.
    app.passwords.verify(form.code.clone(), None).await?;
    let (typed, device) = (form.code.clone(), visitor.device.clone());
    visitor
        .act(app, move |act| {
            login_code::redeem(act, &address, &typed, &device)
        })
        .await
}

/// Does in a moment what sends a mail to whoever has an address, if anybody has.
pub(super) async fn mail_soon(
    app: &App,
    visitor: &Visitor,
    address: String,
    request: fn(&crate::act::Act<'_>, &str) -> Result<(), Refused>,
) -> Result<(), Refused> {
    let now = app.clock.now();
    app.limiter.count(
        Limited::MailFromAddress,
        &source(&visitor.device.address),
        now,
    )?;
    app.limiter.count(Limited::MailToAccount, &address, now)?;
    let (app, context) = (app.clone(), visitor.context.clone());
    tokio::spawn(async move {
        // A fault is in the log of the process already; there is nobody left to tell.
        let _ = app
            .act_at(now, &context, move |act| request(act, &address))
            .await;
    });
    Ok(())
}

/// Counts an attempt to sign in. Beyond the limit nothing is compared, and those whom it concerns hear of it once a minute.
fn limit(app: &App, visitor: &Visitor, address: &str, method: &'static str) -> Result<(), Refused> {
    let now = app.clock.now();
    let limiter = &app.limiter;
    let counted = limiter
        .count(
            Limited::LoginFromAddress,
            &source(&visitor.device.address),
            now,
        )
        .and_then(|()| limiter.count(Limited::LoginOfAccount, address, now));
    let Err(refused) = counted else { return Ok(()) };
    let (address, network) = (
        address.to_owned(),
        crate::collapse::network(&visitor.device.address),
    );
    let (app, context) = (app.clone(), visitor.context.clone());
    // Told in a moment: the time of this answer must not say whether there was anybody to tell.
    tokio::spawn(async move {
        let told = app.attempt_at(now, &context, move |db, _| {
            match login::audience(db, &address)? {
                Some((user, workspaces)) if !workspaces.is_empty() => {
                    let same = format!("login/{}/{method}/{network}", user.id);
                    let event = login::too_often(&user, method);
                    Err(Refused::too_many().recording_once(same, workspaces, event))
                }
                _ => Ok(()),
            }
        });
        // A fault is in the log of the process already; there is nobody left to tell.
        let _ = told.await;
    });
    Err(refused)
}

/// Goes on as somebody who has signed in. Whoever was signed in in this browser before is not any more.
async fn signed_in(app: &App, visitor: &Visitor, begun: &Begun, next: &str) -> Answer {
    if let Some((before, user)) = visitor.signed_in.clone() {
        visitor
            .act(app, move |act| session::revoke(act, &user, &before.id))
            .await?;
    }
    let mut response = to(next);
    Cookies::of(app).sign_in(&mut response, &begun.token);
    Ok(response)
}

pub(super) async fn log_out(
    State(app): State<App>,
    person: Person,
    Filled(form): Filled<LogoutForm>,
) -> Answer {
    let (session, everywhere) = (person.session.clone(), ticked(form.everywhere.as_ref()));
    person
        .act(&app, move |act, user| {
            session::log_out(act, user, &session, everywhere)
        })
        .await?;
    let mut response = to_with("/login", "You are signed out.");
    Cookies::of(&app).sign_out(&mut response);
    Ok(response)
}

/// The refusal of a page that needs nobody signed in.
pub(super) fn already_signed_in() -> Refused {
    Refused::new(
        Kind::Conflict,
        "Sign out first: this is for somebody who is not signed in.",
    )
}
