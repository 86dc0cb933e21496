//! Forwards issues to other tools: once each time somebody asks for it, in the background.

use annals_client::RequestContext;
use tokio::task::spawn_blocking;

use crate::app::App;
use crate::domain::forward::{done, parcel, waiting};
use crate::domain::issue::Issue;
use crate::domain::report::Reporter;
use crate::domain::workspace::Workspace;
use crate::oauth::{self, ForwardFailure};
use crate::refused::Refused;

/// Forwards an issue, if it is to be forwarded. Its events say who asked for it and from where.
pub(crate) fn soon(app: &App, issue: &Issue, reporter: Reporter, context: &RequestContext) {
    let (app, context, id) = (app.clone(), context.clone(), issue.id.clone());
    tokio::spawn(async move {
        if let Err(refused) = forward(&app, &id, reporter, &context).await {
            tracing::error!(error = ?refused, "cannot forward an issue");
        }
    });
}

/// Goes on with what was on its way when the process ended. Who asked for it is known no more, only who is said to have reported it.
pub(crate) async fn resume(app: &App) {
    let found = app
        .read(|db| {
            let mut found = Vec::new();
            for id in waiting(db)? {
                if let Some(issue) = Issue::by_id(db, &id)? {
                    found.push((Reporter::of(db, &issue)?, issue));
                }
            }
            Ok(found)
        })
        .await;
    for (reporter, issue) in found.unwrap_or_default() {
        soon(app, &issue, reporter, &RequestContext::default());
    }
}

async fn forward(
    app: &App,
    id: &str,
    reporter: Reporter,
    context: &RequestContext,
) -> Result<(), Refused> {
    let turn = app
        .calls
        .clone()
        .acquire_owned()
        .await
        .map_err(Refused::internal)?;
    let id = id.to_owned();
    let found = app
        .read(move |db| {
            let Some(parcel) = parcel(db, &id)? else {
                return Ok(None);
            };
            let workspace = Workspace::by_id(db, &parcel.project.workspace_id)?;
            Ok(workspace.map(|workspace| (parcel, workspace)))
        })
        .await?;
    let Some((parcel, workspace)) = found else {
        return Ok(());
    };
    let provider = app
        .config
        .providers
        .iter()
        .find(|provider| provider.id == parcel.account.provider)
        .cloned();
    let report = oauth::Report {
        id: parcel.issue.id.clone(),
        title: parcel.issue.title.clone(),
        description: parcel.issue.description.clone(),
        url: app.settings.link(&format!(
            "/w/{}/p/{}/i/{}",
            workspace.slug, parcel.project.id, parcel.issue.number
        )),
    };
    let token = parcel.account.token.clone();
    let answer = match provider {
        Some(provider) => {
            let asked = spawn_blocking(move || {
                let _turn = turn;
                oauth::forward(&provider, &token, &report)
            });
            asked.await.map_err(Refused::internal)?
        }
        // Whoever operates this has taken the provider away.
        None => Err(ForwardFailure::Unreachable { status: None }),
    };
    app.act(context, move |act| done(act, &parcel, &reporter, answer))
        .await
}
