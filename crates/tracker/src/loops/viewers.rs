//! Tells Annals whose pages of the audit log are to be closed: each at least once, and again until Annals has answered.

use std::pin::pin;
use std::time::Duration;

use annals_client::{Backoff, ClientError, RequestContext};

use crate::app::App;
use crate::domain::viewer;
use crate::refused::Refused;

/// How often the queue is looked at when nothing rings.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long to wait after a failure: never for long, because with Annals its pages are back too.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(200),
    longest: Duration::from_secs(4),
};

/// What came of looking at the queue.
enum Looked {
    Empty,
    Told,
    /// Annals could not be told, which concerns all that wait.
    Later(ClientError),
}

pub(crate) async fn run(app: App, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    let mut tries = 0;
    loop {
        let told = tokio::select! {
            () = &mut stop => return,
            told = tell_next(&app) => told,
        };
        match told {
            Ok(Looked::Told) => {
                tries = 0;
                continue;
            }
            Ok(Looked::Later(error)) => {
                // Once, not every few seconds of an outage.
                if tries == 0 {
                    tracing::warn!(%error, "cannot close pages of the audit log yet");
                }
                tries += 1;
                // What rings meanwhile makes it no better.
                tokio::select! {
                    () = &mut stop => return,
                    () = tokio::time::sleep(BACKOFF.wait(tries, 0.5, error.retry_after())) => {}
                }
                continue;
            }
            Ok(Looked::Empty) => {}
            Err(refused) => {
                tracing::error!(error = ?refused, "cannot close pages of the audit log");
            }
        }
        tokio::select! {
            () = &mut stop => return,
            () = app.viewers.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Tells of the one that waits longest, if there is one.
async fn tell_next(app: &App) -> Result<Looked, Refused> {
    let Some(closing) = app.read(viewer::next).await? else {
        return Ok(Looked::Empty);
    };
    let (workspace, user) = (&closing.workspace_id, &closing.user_id);
    match app.annals.close_portal_of(workspace, user).await {
        // A workspace of which Annals has not heard has no pages.
        Ok(()) | Err(ClientError::UnknownWorkspace) => {}
        // It will be refused as often as it is asked for, and others wait behind it.
        Err(error @ ClientError::Refused { .. }) => {
            tracing::error!(%error, "Annals does not close pages of the audit log");
        }
        Err(error) => return Ok(Looked::Later(error)),
    }
    app.act(&RequestContext::default(), move |act| {
        viewer::told(act, &closing)
    })
    .await?;
    Ok(Looked::Told)
}
