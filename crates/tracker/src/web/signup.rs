//! Signing up, and proving addresses by the links of mails.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, again, page, to, to_with};
use super::cookies::Cookies;
use super::form::{Filled, Pressed};
use super::frame::plain;
use super::visitor::{Person, Visitor};
use crate::app::App;
use crate::domain::domain_join::{self, DomainJoin};
use crate::domain::signup::Verification;
use crate::domain::workspace::Workspace;
use crate::domain::{email, email_change, signup, text};
use crate::limits::{Limited, source};
use crate::look::Shell;
use crate::password;
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "signup.html")]
struct SignupPage<'a> {
    shell: Shell,
    filled: &'a SignupForm,
    problem: &'a Problem,
}

/// Something that was sent, or has to be confirmed by one more click: mail readers open links by themselves.
#[derive(Template)]
#[template(path = "notice.html")]
pub(super) struct Notice<'a> {
    pub(super) shell: Shell,
    pub(super) icon: &'static str,
    pub(super) title: &'a str,
    pub(super) text: &'a str,
    /// Where the button of the form posts to, and what it says; empty for none.
    pub(super) action: &'a str,
    pub(super) button: &'a str,
    /// Whether the form asks for the password.
    pub(super) password: bool,
    pub(super) problem: &'a Problem,
}

#[derive(Deserialize, Default)]
pub(super) struct SignupForm {
    name: String,
    email: String,
    #[serde(default)]
    password: String,
}

#[derive(Deserialize)]
pub(super) struct VerifyForm {
    #[serde(default)]
    password: String,
}

pub(super) async fn show_signup(visitor: Visitor) -> Answer {
    if visitor.signed_in.is_some() {
        return Ok(to("/"));
    }
    page(&SignupPage {
        shell: plain(&visitor, "Sign up"),
        filled: &SignupForm::default(),
        problem: &Problem::none(),
    })
}

/// Signs up. Whether the address has an account is not told: its owner gets another mail, that is all.
pub(super) async fn sign_up(
    State(app): State<App>,
    visitor: Visitor,
    Filled(form): Filled<SignupForm>,
) -> Answer {
    match sign_up_as(&app, &visitor, &form).await {
        Ok(address) => {
            let text = format!(
                "We have sent a link to {address}. Open it to confirm your address; then you are in."
            );
            notice(&visitor, "mail", "Look into your mailbox", &text)
        }
        Err(refused) => {
            let problem = Problem::from(refused);
            let mut shell = plain(&visitor, "Sign up");
            problem.above(&mut shell, &["name", "email", "password"]);
            again(
                &problem,
                &SignupPage {
                    shell,
                    filled: &form,
                    problem: &problem,
                },
            )
        }
    }
}

async fn sign_up_as(app: &App, visitor: &Visitor, form: &SignupForm) -> Result<String, Refused> {
    let name = text::name("name", &form.name)?;
    let address = email::required("email", &form.email)?;
    password::check(&form.password, &address)?;
    let now = app.clock.now();
    app.limiter.count(
        Limited::MailFromAddress,
        &source(&visitor.device.address),
        now,
    )?;
    app.limiter.count(Limited::MailToAccount, &address, now)?;
    let hash = app.passwords.hash(form.password.clone()).await?;
    let to = address.clone();
    visitor
        .act(app, move |act| signup::sign_up(act, &name, &address, &hash))
        .await?;
    Ok(to)
}

pub(super) async fn show_verify(
    State(app): State<App>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Answer {
    verify_page(&app, &visitor, token, Problem::none()).await
}

async fn verify_page(app: &App, visitor: &Visitor, token: String, problem: Problem) -> Answer {
    let (now, looked_up) = (app.clock.now(), token.clone());
    let verification = app
        .read(move |db| Verification::by_token(db, &looked_up, now))
        .await?;
    let mine = visitor
        .signed_in
        .as_ref()
        .is_some_and(|(_, user)| user.id == verification.user.id);
    let mut shell = plain(visitor, "Confirm your address");
    problem.above(&mut shell, &["password"]);
    let notice = Notice {
        shell,
        icon: "mail",
        title: "Confirm your e-mail address",
        text: &format!(
            "{} is yours, {}?",
            verification.email, verification.user.name
        ),
        action: &format!("/verify/{token}"),
        button: "Confirm",
        password: !mine,
        problem: &problem,
    };
    again(&problem, &notice)
}

pub(super) async fn verify(
    State(app): State<App>,
    visitor: Visitor,
    Path(token): Path<String>,
    Filled(form): Filled<VerifyForm>,
) -> Answer {
    match verify_as(&app, &visitor, &token, form.password).await {
        Ok(begun) => {
            let mut response = to_with("/", "Your address is confirmed. Welcome!");
            if let Some(begun) = begun {
                Cookies::of(&app).sign_in(&mut response, &begun.token);
            }
            Ok(response)
        }
        Err(refused) if refused.field.is_some() => {
            verify_page(&app, &visitor, token, refused.into()).await
        }
        Err(refused) => Err(refused),
    }
}

async fn verify_as(
    app: &App,
    visitor: &Visitor,
    token: &str,
    password: String,
) -> Result<Option<crate::domain::session::Begun>, Refused> {
    let (now, looked_up) = (app.clock.now(), token.to_owned());
    let verification = app
        .read(move |db| Verification::by_token(db, &looked_up, now))
        .await?;
    let user = verification.user;
    let mine = visitor
        .signed_in
        .as_ref()
        .is_some_and(|(_, signed_in)| signed_in.id == user.id);
    if !mine {
        app.limiter
            .count(Limited::LoginOfAccount, &user.email, now)?;
    }
    let is_owner = mine || app.passwords.verify(password, user.password_hash).await?;
    let (token, device) = (token.to_owned(), visitor.device.clone());
    visitor
        .act(app, move |act| {
            signup::verify(act, &token, is_owner, (!mine).then_some(&device))
        })
        .await
}

pub(super) async fn send_again(
    State(app): State<App>,
    person: Person,
    Filled(_): Filled<Pressed>,
) -> Answer {
    app.limiter
        .count(Limited::MailToAccount, &person.user.email, app.clock.now())?;
    if person.user.email_verified_at.is_none() {
        person.act(&app, signup::send_again).await?;
    }
    Ok(to_with("/", "We have sent you another link."))
}

pub(super) async fn show_confirm_email(
    State(app): State<App>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Answer {
    let (now, looked_up) = (app.clock.now(), token.clone());
    let verification = app
        .read(move |db| Verification::by_token(db, &looked_up, now))
        .await?;
    page(&Notice {
        shell: plain(&visitor, "Confirm your new address"),
        icon: "mail",
        title: "Confirm your new address",
        text: &format!(
            "From now on {} signs in as {}.",
            verification.user.name, verification.email
        ),
        action: &format!("/confirm-email/{token}"),
        button: "Confirm",
        password: false,
        problem: &Problem::none(),
    })
}

pub(super) async fn confirm_email(
    State(app): State<App>,
    visitor: Visitor,
    Path(token): Path<String>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    visitor
        .act(&app, move |act| email_change::confirm(act, &token))
        .await?;
    let back = if visitor.signed_in.is_some() {
        "/account"
    } else {
        "/login"
    };
    Ok(to_with(back, "Your new address is confirmed."))
}

pub(super) async fn show_verify_domain(
    State(app): State<App>,
    person: Person,
    Path(token): Path<String>,
) -> Answer {
    let (now, looked_up) = (app.clock.now(), token.clone());
    let (join, workspace) = app
        .read(move |db| {
            let join = DomainJoin::by_token(db, &looked_up, now)?;
            let workspace =
                Workspace::by_id(db, &join.workspace_id)?.ok_or_else(Refused::not_found)?;
            Ok((join, workspace))
        })
        .await?;
    page(&Notice {
        shell: plain(&person.visitor, "Confirm a domain"),
        icon: "globe",
        title: &format!("Confirm {}", join.domain),
        text: &format!(
            "Everybody with an address at {} will be able to join {} as a {}.",
            join.domain,
            workspace.name,
            join.default_role.as_str()
        ),
        action: &format!("/verify-domain/{token}"),
        button: "Confirm the domain",
        password: false,
        problem: &Problem::none(),
    })
}

pub(super) async fn verify_domain(
    State(app): State<App>,
    person: Person,
    Path(token): Path<String>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let workspace = person
        .act(&app, move |act, user| {
            domain_join::verify(act, &token, user)
        })
        .await?;
    Ok(to_with(
        &format!("/w/{}/settings/domains", workspace.slug),
        "The domain is confirmed.",
    ))
}

/// A page that only says something.
pub(super) fn notice(visitor: &Visitor, icon: &'static str, title: &str, text: &str) -> Answer {
    let shell = plain(visitor, title);
    page(&Notice {
        shell,
        icon,
        title,
        text,
        action: "",
        button: "",
        password: false,
        problem: &Problem::none(),
    })
}
