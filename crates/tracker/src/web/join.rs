//! Joining a workspace: by the link of an invitation, or by one's domain.

use askama::Template;
use axum::extract::{Path, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, again, to_with};
use super::cookies::Cookies;
use super::form::{Filled, Pressed};
use super::frame::plain;
use super::login::already_signed_in;
use super::visitor::{Person, Visitor};
use crate::app::App;
use crate::domain::join;
use crate::domain::user::User;
use crate::limits::{Limited, source};
use crate::look::Shell;
use crate::password;
use crate::refused::Refused;

#[derive(Template)]
#[template(path = "join.html")]
struct JoinPage<'a> {
    shell: Shell,
    workspace: &'a str,
    role: &'static str,
    email: &'a str,
    name: &'a str,
    token: &'a str,
    way: Way,
    problem: &'a Problem,
}

/// What somebody has to do to come in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Press the button: he is signed in.
    Press,
    /// Sign in first: there is an account with the address.
    SignIn,
    /// Make an account.
    SignUp,
}

#[derive(Deserialize)]
pub(super) struct NewForm {
    name: String,
    password: String,
}

pub(super) async fn show(
    State(app): State<App>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Answer {
    join_page(&app, &visitor, token, "", Problem::none()).await
}

/// The page of a link that still holds. Opening one that does not is an attempt to join that failed.
async fn join_page(
    app: &App,
    visitor: &Visitor,
    token: String,
    name: &str,
    problem: Problem,
) -> Answer {
    limit(app, visitor)?;
    let user = visitor.signed_in.as_ref().map(|(_, user)| user.clone());
    let (looked_up, signed_in) = (token.clone(), user.is_some());
    let (open, known) = app
        .attempt(&visitor.context, move |db, now| {
            let open = join::open(db, &looked_up, user.as_ref(), now)?;
            let known = User::by_email(db, &open.invitation.email)?.is_some();
            Ok((open, known))
        })
        .await?;
    let way = match (signed_in, known) {
        (true, _) => Way::Press,
        (false, true) => Way::SignIn,
        (false, false) => Way::SignUp,
    };
    let mut shell = plain(visitor, &format!("Join {}", open.workspace.name));
    problem.above(&mut shell, &["name", "password"]);
    let page = JoinPage {
        shell,
        workspace: &open.workspace.name,
        role: open.invitation.role.title(),
        email: &open.invitation.email,
        name,
        token: &token,
        way,
        problem: &problem,
    };
    again(&problem, &page)
}

/// Whoever tries links tries so many in a minute, and each is written down.
fn limit(app: &App, visitor: &Visitor) -> Result<(), Refused> {
    app.limiter.count(
        Limited::GuessesFromAddress,
        &source(&visitor.device.address),
        app.clock.now(),
    )
}

/// Joins with the account that is signed in.
pub(super) async fn accept(
    State(app): State<App>,
    person: Person,
    Path(token): Path<String>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    limit(&app, &person.visitor)?;
    let workspace = person
        .act(&app, move |act, user| join::accept(act, &token, user))
        .await?;
    Ok(to_with(&format!("/w/{}", workspace.slug), "Welcome!"))
}

/// Joins with a new account.
pub(super) async fn accept_anew(
    State(app): State<App>,
    visitor: Visitor,
    Path(token): Path<String>,
    Filled(form): Filled<NewForm>,
) -> Answer {
    match accept_with(&app, &visitor, token.clone(), &form).await {
        Ok((workspace, begun)) => {
            let mut response = to_with(&format!("/w/{}", workspace.slug), "Welcome!");
            Cookies::of(&app).sign_in(&mut response, &begun.token);
            Ok(response)
        }
        Err(refused) if refused.field.is_some() => {
            join_page(&app, &visitor, token, &form.name, refused.into()).await
        }
        Err(refused) => Err(refused),
    }
}

async fn accept_with(
    app: &App,
    visitor: &Visitor,
    token: String,
    form: &NewForm,
) -> Result<
    (
        crate::domain::workspace::Workspace,
        crate::domain::session::Begun,
    ),
    Refused,
> {
    if visitor.signed_in.is_some() {
        return Err(already_signed_in());
    }
    limit(app, visitor)?;
    let looked_up = token.clone();
    let open = app
        .attempt(&visitor.context, move |db, now| {
            join::open(db, &looked_up, None, now)
        })
        .await?;
    password::check(&form.password, &open.invitation.email)?;
    let hash = app.passwords.hash(form.password.clone()).await?;
    let (name, device) = (form.name.clone(), visitor.device.clone());
    visitor
        .act(app, move |act| {
            join::accept_anew(act, &token, &name, &hash, &device)
        })
        .await
}

pub(super) async fn by_domain(
    State(app): State<App>,
    person: Person,
    Path(slug): Path<String>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let workspace = person
        .act(&app, move |act, user| join::by_domain(act, &slug, user))
        .await?;
    Ok(to_with(&format!("/w/{}", workspace.slug), "Welcome!"))
}
