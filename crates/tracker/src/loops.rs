//! What runs beside the requests: sending mails, forwarding issues, closing pages of the audit log, telling floods, the relay. All of it
//! is started here.

pub(crate) mod forward;
pub(crate) mod mails;
pub(crate) mod viewers;

use std::sync::Arc;
use std::time::Duration;

use annals_client::Relay;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::clock::later;
use crate::mail::Mailer;

/// How often floods are looked at, and what has expired is cleared away.
const TIDY_EVERY: Duration = Duration::from_secs(5);
/// How long what only operators see is kept.
const PLATFORM_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Runs all of them until told to stop, and comes back when they have ended.
pub(crate) async fn run(
    app: App,
    mailer: Arc<Mailer>,
    relay: Relay,
    mut stop: watch::Receiver<()>,
) {
    let mut loops = JoinSet::new();
    let told = |mut stop: watch::Receiver<()>| async move {
        // An error says that the sender is gone, which is as good.
        let _ = stop.changed().await;
    };
    loops.spawn(mails::run(app.clone(), mailer, told(stop.clone())));
    loops.spawn(viewers::run(app.clone(), told(stop.clone())));
    loops.spawn(relay.run(told(stop.clone())));
    forward::resume(&app).await;
    let mut tidying = tokio::time::interval(TIDY_EVERY);
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            _ = tidying.tick() => {
                tell_floods(&app, false).await;
                clear(&app).await;
            }
        }
    }
    tell_floods(&app, true).await;
    while loops.join_next().await.is_some() {}
}

/// Records what was collected of floods: of minutes that are over, or with `all` before the end.
pub(crate) async fn tell_floods(app: &App, all: bool) {
    for collapsed in app.collapse.ended(app.clock.now(), all) {
        if let Err(refused) = app.record_collapsed(collapsed).await {
            tracing::error!(error = ?refused, "cannot record a flood of refused attempts");
        }
    }
}

/// Forgets what is of no use any more.
async fn clear(app: &App) {
    let before = later(app.clock.now(), Duration::ZERO).as_micros()
        - i64::try_from(PLATFORM_KEPT.as_micros()).unwrap_or(0);
    let context = annals_client::RequestContext::default();
    let cleared = app.act(&context, move |act| {
        for sql in [
            "delete from platform_event where at < ?1",
            "delete from mail_queue where sent_at < ?1 or refused_at < ?1",
            "delete from login_code where created_at < ?1",
            "delete from oauth_attempt where created_at < ?1",
        ] {
            act.db.execute(sql, [before])?;
        }
        Ok(())
    });
    if let Err(refused) = cleared.await {
        tracing::error!(error = ?refused, "cannot clear away what has expired");
    }
}
