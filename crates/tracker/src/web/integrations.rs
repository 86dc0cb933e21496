//! Connecting accounts at other tools, a workspace's and one's own.

use askama::Template;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use tokio::task::spawn_blocking;

use super::answer::{Answer, Problem, again, flashing, to, to_with};
use super::form::{Filled, Pressed};
use super::frame::{Place, within};
use super::settings::nav;
use super::visitor::{Person, Seat};
use crate::app::App;
use crate::clock::in_words;
use crate::domain::connection::{self, Attempt, Owner};
use crate::domain::integration::{self, Account};
use crate::domain::permission::Deed;
use crate::look::{Link, Shell};
use crate::oauth::{self, Provider};
use crate::refused::{Kind, Refused};

#[derive(Template)]
#[template(path = "settings_integrations.html")]
struct IntegrationsPage<'a> {
    shell: Shell,
    slug: &'a str,
    nav: Vec<Link>,
    accounts: Vec<Line>,
    providers: Vec<(String, String)>,
}

/// A connected account as it is listed.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) name: String,
    pub(super) site: String,
    pub(super) since: String,
    pub(super) works: bool,
}

/// What the provider brings back.
#[derive(Deserialize)]
pub(super) struct Callback {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
}

impl Line {
    pub(super) fn new(app: &App, account: &Account) -> Self {
        let provider = find(app, &account.provider).map_or_else(
            |_| account.provider.clone(),
            |provider| provider.name.clone(),
        );
        Self {
            id: account.id.clone(),
            provider,
            name: account.external_name.clone(),
            site: account.external_site.clone(),
            since: in_words(account.connected_at),
            works: account.state == "connected",
        }
    }
}

/// The tools at which accounts can be connected: id and name.
pub(super) fn providers(app: &App) -> Vec<(String, String)> {
    app.config
        .providers
        .iter()
        .map(|provider| (provider.id.clone(), provider.name.clone()))
        .collect()
}

fn find<'a>(app: &'a App, id: &str) -> Result<&'a Provider, Refused> {
    app.config
        .providers
        .iter()
        .find(|provider| provider.id == id)
        .ok_or_else(Refused::not_found)
}

pub(super) async fn show(State(app): State<App>, seat: Seat) -> Answer {
    with(&app, &seat, Problem::none()).await
}

async fn with(app: &App, seat: &Seat, problem: Problem) -> Answer {
    seat.member.must(Deed::ConnectSharedAccounts)?;
    let accounts = seat
        .read(app, |db, by| Account::of_workspace(db, &by.workspace.id))
        .await?;
    let mut shell = within(app, seat, "Integrations", Place::Settings).await?;
    problem.above(&mut shell, &[]);
    let page = IntegrationsPage {
        shell,
        slug: &seat.member.workspace.slug,
        nav: nav(&seat.member, "/integrations"),
        accounts: accounts
            .iter()
            .map(|account| Line::new(app, account))
            .collect(),
        providers: providers(app),
    };
    again(&problem, &page)
}

/// Sends somebody to the provider, to connect an account for the workspace.
pub(super) async fn connect_shared(
    State(app): State<App>,
    seat: Seat,
    person: Person,
    Path((_, provider)): Path<(String, String)>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    connect(&app, &person, &provider, Owner::Workspace(seat.member)).await
}

/// The same for an account of his own.
pub(super) async fn connect_personal(
    State(app): State<App>,
    person: Person,
    Path(provider): Path<String>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let owner = Owner::User(person.user.clone());
    connect(&app, &person, &provider, owner).await
}

async fn connect(app: &App, person: &Person, provider: &str, owner: Owner) -> Answer {
    let provider = find(app, provider)?;
    let begun = oauth::begin(provider, &redirect_uri(app));
    let (url, id, session) = (
        begun.url.clone(),
        provider.id.clone(),
        person.session.id.clone(),
    );
    person
        .visitor
        .act(app, move |act| {
            connection::begin(act, &owner, &session, &id, &begun)
        })
        .await?;
    Ok(to(&url))
}

fn redirect_uri(app: &App) -> String {
    app.settings.link("/oauth/callback")
}

/// Takes somebody back from the provider.
pub(super) async fn callback(
    State(app): State<App>,
    person: Person,
    Query(callback): Query<Callback>,
) -> Answer {
    let (session, state) = (person.session.id.clone(), callback.state.clone());
    let attempt = person
        .act(&app, move |act, user| {
            connection::take(act, user, &session, &state)
        })
        .await?;
    let back = match &attempt.owner {
        Owner::Workspace(member) => format!("/w/{}/settings/integrations", member.workspace.slug),
        Owner::User(_) => "/account".to_owned(),
    };
    let provider = find(&app, &attempt.provider)?.clone();
    let name = provider.name.clone();
    let answered = ask(&app, provider, &attempt, callback).await?;
    let done = person
        .visitor
        .act(&app, move |act| match answered {
            Ok(account) => connection::connect(act, &attempt, &account),
            Err(failure) => {
                let refused = Refused::new(Kind::Conflict, failure.in_words(&name));
                let (owner, provider, stage) =
                    (&attempt.owner, &attempt.provider, failure.stage.as_str());
                let code = failure.provider_error_code.as_deref();
                Err(connection::failed(
                    refused,
                    owner,
                    provider,
                    stage,
                    failure.reason,
                    failure.provider_status,
                    code,
                ))
            }
        })
        .await;
    match done {
        Ok(()) => Ok(to_with(&back, "The account is connected.")),
        Err(refused) if refused.kind == Kind::Internal => Err(refused),
        Err(refused) => Ok(flashing(to(&back), "bad", &refused.message)),
    }
}

/// What the provider says of the account, outside of any transaction: it may take long.
async fn ask(
    app: &App,
    provider: Provider,
    attempt: &Attempt,
    callback: Callback,
) -> Result<Result<oauth::Account, oauth::Failure>, Refused> {
    if !attempt.state_matches {
        return Ok(Err(oauth::Failure::state_mismatch()));
    }
    let code = match (callback.error, callback.code) {
        (Some(error), _) => return Ok(Err(oauth::declined(&error))),
        (None, Some(code)) => code,
        (None, None) => return Ok(Err(oauth::declined("invalid_request"))),
    };
    let turn = app
        .calls
        .clone()
        .acquire_owned()
        .await
        .map_err(Refused::internal)?;
    let (verifier, redirect_uri, now) =
        (attempt.verifier.clone(), redirect_uri(app), app.clock.now());
    let asked = spawn_blocking(move || {
        let _turn = turn;
        oauth::finish(&provider, &code, &verifier, &redirect_uri, now)
    });
    asked.await.map_err(Refused::internal)
}

pub(super) async fn delete_shared(
    State(app): State<App>,
    seat: Seat,
    Path((_, id)): Path<(String, String)>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    seat.member.must(Deed::ConnectSharedAccounts)?;
    let revoked = revoke(&app, &id, |account| {
        account.workspace_id.as_deref() == Some(&seat.member.workspace.id)
    })
    .await?;
    seat.act(&app, move |act, by| {
        integration::delete_shared(act, by, &id, revoked)
    })
    .await?;
    Ok(to_with(
        &seat.path("/settings/integrations"),
        "The account is disconnected.",
    ))
}

pub(super) async fn delete_personal(
    State(app): State<App>,
    person: Person,
    Path(id): Path<String>,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let user = person.user.clone();
    let revoked = revoke(&app, &id, |account| {
        account.user_id.as_deref() == Some(&user.id)
    })
    .await?;
    person
        .act(&app, move |act, user| {
            integration::delete_personal(act, user, &id, revoked)
        })
        .await?;
    Ok(to_with("/account", "The account is disconnected."))
}

/// Gives an account's token back to the provider, if it is theirs; whether the provider took it.
async fn revoke(
    app: &App,
    id: &str,
    is_theirs: impl Fn(&Account) -> bool,
) -> Result<bool, Refused> {
    let id = id.to_owned();
    let account = app
        .read(move |db| Account::by_id(db, &id))
        .await?
        .filter(is_theirs)
        .ok_or_else(Refused::not_found)?;
    let Ok(provider) = find(app, &account.provider).cloned() else {
        return Ok(false);
    };
    let turn = app
        .calls
        .clone()
        .acquire_owned()
        .await
        .map_err(Refused::internal)?;
    let revoked = spawn_blocking(move || {
        let _turn = turn;
        oauth::revoke(&provider, &account.token)
    });
    revoked.await.map_err(Refused::internal)
}
