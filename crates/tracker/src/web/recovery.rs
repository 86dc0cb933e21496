//! A way back in without the password.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, again, page, to_with};
use super::cookies::Cookies;
use super::form::Filled;
use super::frame::plain;
use super::login::mail_soon;
use super::signup::notice;
use super::visitor::Visitor;
use crate::app::App;
use crate::domain::{email, recovery};
use crate::look::Shell;
use crate::password;
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "recover.html")]
struct RecoverPage<'a> {
    shell: Shell,
    email: &'a str,
    problem: &'a Problem,
}

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage<'a> {
    shell: Shell,
    email: &'a str,
    action: &'a str,
    problem: &'a Problem,
}

#[derive(Deserialize)]
pub(super) struct RecoverForm {
    email: String,
}

#[derive(Deserialize)]
pub(super) struct ResetForm {
    password: String,
}

pub(super) async fn show(visitor: Visitor) -> Answer {
    page(&RecoverPage {
        shell: plain(&visitor, "Forgot your password?"),
        email: "",
        problem: &Problem::none(),
    })
}

/// Sends a link. The answer is given before anything is looked up: neither what it says nor when it comes depends on it.
pub(super) async fn request(
    State(app): State<App>,
    visitor: Visitor,
    Filled(form): Filled<RecoverForm>,
) -> Answer {
    let sent = match email::required("email", &form.email) {
        Ok(address) => mail_soon(&app, &visitor, address, recovery::request).await,
        Err(refused) => Err(refused),
    };
    match sent {
        Ok(()) => notice(
            &visitor,
            "mail",
            "Look into your mailbox",
            "If there is an account with this address, we have sent it a link to choose a new password. It works for an hour.",
        ),
        Err(refused) => {
            let problem = Problem::from(refused);
            let mut shell = plain(&visitor, "Forgot your password?");
            problem.above(&mut shell, &["email"]);
            again(
                &problem,
                &RecoverPage {
                    shell,
                    email: &form.email,
                    problem: &problem,
                },
            )
        }
    }
}

pub(super) async fn show_reset(
    State(app): State<App>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Answer {
    reset_page(&app, &visitor, token, Problem::none()).await
}

async fn reset_page(app: &App, visitor: &Visitor, token: String, problem: Problem) -> Answer {
    let (now, action) = (app.clock.now(), format!("/recover/{token}"));
    let user = app
        .read(move |db| recovery::by_token(db, &token, now))
        .await?;
    let mut shell = plain(visitor, "Choose a new password");
    problem.above(&mut shell, &["password"]);
    again(
        &problem,
        &ResetPage {
            shell,
            email: &user.email,
            action: &action,
            problem: &problem,
        },
    )
}

pub(super) async fn reset(
    State(app): State<App>,
    visitor: Visitor,
    Path(token): Path<String>,
    Filled(form): Filled<ResetForm>,
) -> Answer {
    match set(&app, &visitor, token.clone(), form.password).await {
        Ok(()) => {
            let mut response = to_with("/login", "Your password is changed. Sign in with it.");
            Cookies::of(&app).sign_out(&mut response);
            Ok(response)
        }
        Err(refused) if refused.field.is_some() => {
            reset_page(&app, &visitor, token, refused.into()).await
        }
        Err(refused) => Err(refused),
    }
}

async fn set(app: &App, visitor: &Visitor, token: String, password: String) -> Result<(), Refused> {
    let (now, looked_up) = (app.clock.now(), token.clone());
    let user = app
        .read(move |db| recovery::by_token(db, &looked_up, now))
        .await?;
    password::check(&password, &user.email)?;
    let hash = app.passwords.hash(password).await?;
    visitor
        .act(app, move |act| recovery::complete(act, &token, &hash))
        .await
}
