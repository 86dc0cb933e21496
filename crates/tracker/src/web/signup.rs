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
    /// Which password the form asks for, in words; empty for none.
    pub(super) password: &'a str,
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
    let password = if is_mine(visitor, &verification) {
        ""
    } else {
        "The one that you chose when you signed up."
    };
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
        password,
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
    let (mine, is_owner) = is_owner(app, visitor, token, password).await?;
    let (token, device) = (token.to_owned(), visitor.device.clone());
    visitor
        .act(app, move |act| {
            signup::verify(act, &token, is_owner, (!mine).then_some(&device))
        })
        .await
}

/// Whether a link is opened in a session of the person whose address it proves, and whether by that person: so it is there, and with
/// the password.
async fn is_owner(
    app: &App,
    visitor: &Visitor,
    token: &str,
    password: String,
) -> Result<(bool, bool), Refused> {
    let (now, looked_up) = (app.clock.now(), token.to_owned());
    let verification = app
        .read(move |db| Verification::by_token(db, &looked_up, now))
        .await?;
    let user = &verification.user;
    if is_mine(visitor, &verification) {
        return Ok((true, true));
    }
    app.limiter
        .count(Limited::LoginOfAccount, &user.email, now)?;
    let is_right = app
        .passwords
        .verify(password, user.password_hash.clone())
        .await?;
    Ok((false, is_right))
}

/// Whether this is a session of the person whose address a link proves.
fn is_mine(visitor: &Visitor, verification: &Verification) -> bool {
    let signed_in = visitor.signed_in.as_ref();
    signed_in.is_some_and(|(_, user)| user.id == verification.user.id)
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
    confirm_page(&app, &visitor, token, Problem::none()).await
}

async fn confirm_page(app: &App, visitor: &Visitor, token: String, problem: Problem) -> Answer {
    let (now, looked_up) = (app.clock.now(), token.clone());
    let verification = app
        .read(move |db| Verification::by_token(db, &looked_up, now))
        .await?;
    let mut shell = plain(visitor, "Confirm your new address");
    problem.above(&mut shell, &["password"]);
    let (name, email) = (&verification.user.name, &verification.email);
    let mut text = format!("From now on {name} signs in as {email}.");
    let mut password = "";
    if !is_mine(visitor, &verification) {
        text.push_str(" If you did not ask for this in your account, close this page: your address stays yours.");
        password = "The one of the account whose address changes.";
    }
    let notice = Notice {
        shell,
        icon: "mail",
        title: "Confirm your new address",
        text: &text,
        action: &format!("/confirm-email/{token}"),
        button: "Confirm",
        password,
        problem: &problem,
    };
    again(&problem, &notice)
}

pub(super) async fn confirm_email(
    State(app): State<App>,
    visitor: Visitor,
    Path(token): Path<String>,
    Filled(form): Filled<VerifyForm>,
) -> Answer {
    match confirm_email_as(&app, &visitor, &token, form.password).await {
        Ok(back) => Ok(to_with(back, "Your new address is confirmed.")),
        Err(refused) if refused.field.is_some() => {
            confirm_page(&app, &visitor, token, refused.into()).await
        }
        Err(refused) => Err(refused),
    }
}

/// Confirms, and says where to go on.
async fn confirm_email_as(
    app: &App,
    visitor: &Visitor,
    token: &str,
    password: String,
) -> Result<&'static str, Refused> {
    let (mine, is_owner) = is_owner(app, visitor, token, password).await?;
    let token = token.to_owned();
    visitor
        .act(app, move |act| email_change::confirm(act, &token, is_owner))
        .await?;
    Ok(if mine { "/account" } else { "/login" })
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
        password: "",
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
        password: "",
        problem: &Problem::none(),
    })
}
