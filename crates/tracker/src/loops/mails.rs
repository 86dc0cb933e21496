//! Sends the mails that acts have queued: each at least once, and again until the mail server takes it or refuses it for good.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use annals_client::{Backoff, RequestContext};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::task::spawn_blocking;

use crate::app::App;
use crate::clock::later;
use crate::domain::invitation;
use crate::mail::{Mail, Mailer, Undelivered};
use crate::refused::Refused;

/// How long a mail is tried before it counts as refused.
const TRIED: Duration = Duration::from_secs(2 * 24 * 60 * 60);
/// How often the queue is looked at when nothing rings.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long to wait after a failure.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_secs(5),
    longest: Duration::from_secs(30 * 60),
};

struct Queued {
    id: i64,
    mail: Mail,
    invitation: Option<String>,
    queued_at: annals_client::Timestamp,
    tries: u32,
}

pub(crate) async fn run(app: App, mailer: Arc<Mailer>, stop: impl Future<Output = ()>) {
    let mut stop = pin!(stop);
    loop {
        loop {
            match send_next(&app, &mailer).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(refused) => {
                    tracing::error!(error = ?refused, "cannot send mails");
                    break;
                }
            }
        }
        tokio::select! {
            () = &mut stop => return,
            () = app.mails.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Sends the mail that has waited longest, if there is one, and notes how that went.
async fn send_next(app: &App, mailer: &Arc<Mailer>) -> Result<bool, Refused> {
    let now = app.clock.now();
    let Some(queued) = app.read(move |db| next(db, now)).await? else {
        return Ok(false);
    };
    let (mailer, mail) = (mailer.clone(), queued.mail.clone());
    let sent = spawn_blocking(move || mailer.send(&mail, now))
        .await
        .map_err(Refused::internal)?;
    let now = app.clock.now();
    app.act(&RequestContext::default(), move |act| {
        let (problem, is_final) = match sent {
            // What was sent is nobody's business any more: it may hold a link.
            Ok(()) => {
                act.db.execute("update mail_queue set sent_at = ?2, text = '', html = null where id = ?1", params![queued.id, now.as_micros()])?;
                return Ok(());
            }
            Err(Undelivered::Refused(problem)) => (problem, true),
            Err(Undelivered::Later(problem)) => (problem, later(queued.queued_at, TRIED) < now),
        };
        if !is_final {
            let wait = BACKOFF.wait(queued.tries + 1, 0.5, None);
            act.db.execute(
                "update mail_queue set tries = tries + 1, next_try_at = ?2, problem = ?3 where id = ?1",
                params![queued.id, later(now, wait).as_micros(), problem],
            )?;
            return Ok(());
        }
        act.db.execute(
            "update mail_queue set tries = tries + 1, refused_at = ?2, problem = ?3, text = '', html = null where id = ?1",
            params![queued.id, now.as_micros(), problem],
        )?;
        match &queued.invitation {
            Some(invitation) => invitation::bounced(act, invitation),
            None => Ok(()),
        }
    })
    .await?;
    Ok(true)
}

fn next(db: &Connection, now: annals_client::Timestamp) -> Result<Option<Queued>, Refused> {
    let sql = "select id, recipient, subject, text, html, invitation_id, queued_at, tries from mail_queue
               where sent_at is null and refused_at is null and next_try_at <= ?1 order by next_try_at, id limit 1";
    let read = |row: &rusqlite::Row<'_>| {
        Ok(Queued {
            id: row.get(0)?,
            mail: Mail {
                to: row.get(1)?,
                subject: row.get(2)?,
                text: row.get(3)?,
                html: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
            },
            invitation: row.get(5)?,
            queued_at: annals_client::Timestamp::clamped(row.get(6)?),
            tries: row.get(7)?,
        })
    };
    Ok(db
        .prepare_cached(sql)?
        .query_row([now.as_micros()], read)
        .optional()?)
}
