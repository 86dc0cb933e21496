//! One's own account.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, again, to_with};
use super::cookies::Cookies;
use super::form::{Filled, Pressed};
use super::frame::personal;
use super::integrations::Line;
use super::visitor::Person;
use crate::app::App;
use crate::clock::in_words;
use crate::domain::integration::Account;
use crate::domain::session::{self, Session};
use crate::domain::user::User;
use crate::domain::{account, email, email_change, recovery};
use crate::limits::Limited;
use crate::look::{Shell, browser};
use crate::password;
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    shell: Shell,
    user: &'a User,
    name: &'a str,
    job_role: &'a str,
    new_email: &'a str,
    sessions: Vec<SessionLine>,
    accounts: Vec<Line>,
    providers: Vec<(String, String)>,
    problem: &'a Problem,
    /// Which of the forms has the problem; two of them ask for the password.
    form: &'static str,
}

struct SessionLine {
    id: String,
    since: String,
    address: String,
    /// In words.
    browser: String,
    user_agent: String,
    current: bool,
}

impl AccountPage<'_> {
    /// What is wrong with a field of one of the forms.
    fn wrong(&self, form: &str, field: &str) -> &str {
        if form == self.form {
            self.problem.of(field)
        } else {
            ""
        }
    }
}

#[derive(Deserialize)]
pub(super) struct ProfileForm {
    name: String,
    #[serde(default)]
    job_role: String,
}

#[derive(Deserialize)]
pub(super) struct EmailForm {
    email: String,
    email_password: String,
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    current: String,
    password: String,
}

#[derive(Deserialize)]
pub(super) struct DeleteForm {
    delete_password: String,
}

pub(super) async fn show(State(app): State<App>, person: Person) -> Answer {
    with(&app, &person, None, "", "", Problem::none()).await
}

async fn with(
    app: &App,
    person: &Person,
    profile: Option<&ProfileForm>,
    new_email: &str,
    form: &'static str,
    problem: Problem,
) -> Answer {
    let (user, now) = (person.user.id.clone(), app.clock.now());
    let (sessions, accounts) = app
        .read(move |db| {
            Ok((
                Session::of_user(db, &user, now)?,
                Account::of_user(db, &user)?,
            ))
        })
        .await?;
    let mut shell = personal(person, "Your account");
    problem.above(
        &mut shell,
        &["name", "job_role", "email", "password", "current"],
    );
    let sessions = sessions.into_iter().map(|session| SessionLine {
        current: session.id == person.session.id,
        id: session.id,
        since: in_words(session.created_at),
        address: session.address,
        browser: browser(&session.user_agent),
        user_agent: session.user_agent,
    });
    let page = AccountPage {
        shell,
        user: &person.user,
        name: profile.map_or(&person.user.name, |form| &form.name),
        job_role: profile.map_or(&person.user.job_role, |form| &form.job_role),
        new_email,
        sessions: sessions.collect(),
        accounts: accounts
            .iter()
            .map(|account| Line::new(app, account))
            .collect(),
        providers: super::integrations::providers(app),
        problem: &problem,
        form,
    };
    again(&problem, &page)
}

pub(super) async fn update(
    State(app): State<App>,
    person: Person,
    Filled(form): Filled<ProfileForm>,
) -> Answer {
    let (name, job_role) = (form.name.clone(), form.job_role.clone());
    match person
        .act(&app, move |act, user| {
            account::update(act, user, &name, &job_role)
        })
        .await
    {
        Ok(()) => Ok(to_with("/account", "Your profile is saved.")),
        Err(refused) => with(&app, &person, Some(&form), "", "profile", refused.into()).await,
    }
}

pub(super) async fn change_email(
    State(app): State<App>,
    person: Person,
    Filled(form): Filled<EmailForm>,
) -> Answer {
    match request_email(&app, &person, &form).await {
        Ok(address) => Ok(to_with(
            "/account",
            &format!("We have sent a link to {address}. Open it to make it your address."),
        )),
        Err(refused) => with(&app, &person, None, &form.email, "email", refused.into()).await,
    }
}

async fn request_email(app: &App, person: &Person, form: &EmailForm) -> Result<String, Refused> {
    let address = email::required("email", &form.email)?;
    app.limiter
        .count(Limited::MailToAccount, &address, app.clock.now())?;
    let is_right = is_password(app, person, form.email_password.clone()).await?;
    let new = address.clone();
    person
        .act(app, move |act, user| {
            email_change::request(act, user, &new, is_right)
        })
        .await?;
    Ok(address)
}

pub(super) async fn change_password(
    State(app): State<App>,
    person: Person,
    Filled(form): Filled<PasswordForm>,
) -> Answer {
    match set_password(&app, &person, form).await {
        Ok(()) => Ok(to_with(
            "/account",
            "Your password is changed. Your other sessions are signed out.",
        )),
        Err(refused) => with(&app, &person, None, "", "password", refused.into()).await,
    }
}

async fn set_password(app: &App, person: &Person, form: PasswordForm) -> Result<(), Refused> {
    password::check(&form.password, &person.user.email)?;
    let is_right = is_password(app, person, form.current).await?;
    let hash = app.passwords.hash(form.password).await?;
    let session = person.session.id.clone();
    person
        .act(app, move |act, user| {
            recovery::change(act, user, &session, is_right, &hash)
        })
        .await
}

/// Whether this is the person's password. Whoever sits at somebody's open session guesses as slowly as anybody.
async fn is_password(app: &App, person: &Person, password: String) -> Result<bool, Refused> {
    app.limiter
        .count(Limited::LoginOfAccount, &person.user.email, app.clock.now())?;
    app.passwords
        .verify(password, person.user.password_hash.clone())
        .await
}

pub(super) async fn end_session(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    person
        .act(&app, move |act, user| session::revoke(act, user, &id))
        .await?;
    Ok(to_with("/account", "That session is signed out."))
}

pub(super) async fn delete(
    State(app): State<App>,
    person: Person,
    Filled(form): Filled<DeleteForm>,
) -> Answer {
    match delete_with(&app, &person, form.delete_password).await {
        Ok(()) => {
            let mut response = to_with("/login", "Your account is deleted.");
            Cookies::of(&app).sign_out(&mut response);
            Ok(response)
        }
        Err(refused) => with(&app, &person, None, "", "delete", refused.into()).await,
    }
}

async fn delete_with(app: &App, person: &Person, password: String) -> Result<(), Refused> {
    let is_right = is_password(app, person, password).await?;
    person
        .act(app, move |act, user| account::delete(act, user, is_right))
        .await
}
