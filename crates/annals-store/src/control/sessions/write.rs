//! The door to sessions.

use std::sync::Arc;

use rusqlite::{Transaction, params};

use super::{Grant, Session, rows};
use crate::control::{ControlError, read, tokens, turn, write};
use crate::{Recorded, Store};

impl Store {
    /// The session of this cookie, if it has not ended. Remembers that it was seen.
    pub fn session(&self, cookie: &str) -> Option<Arc<Session>> {
        let control = self.control();
        read(&control.sessions).recognise(&tokens::digest(cookie), control.now())
    }

    /// Records once per session that it has read the log of a workspace. The first time, `record`
    /// says how, and the answer is `true`; from then on nothing happens.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] if the session has ended or does not open the workspace.
    pub async fn record_viewed(
        &self,
        cookie: &str,
        organization_id: &str,
        record: impl FnOnce(&Session, &Grant) -> Vec<Recorded> + Send,
    ) -> Result<bool, ControlError> {
        let gone = || ControlError::not_found("session");
        let seen = |session: &Session| session.grant(organization_id).cloned().ok_or_else(gone);
        if seen(&*self.session(cookie).ok_or_else(gone)?)?.viewed_recorded {
            return Ok(false);
        }
        let turn = turn(&self.control().turns.portal).await;
        let session = self.session(cookie).ok_or_else(gone)?;
        let grant = seen(&session)?;
        if grant.viewed_recorded {
            return Ok(false);
        }
        let events = record(&session, &grant);
        let digest = tokens::digest(cookie);
        let grant = Arc::new(Grant {
            viewed_recorded: true,
            ..(*grant).clone()
        });
        let stored = Arc::clone(&grant);
        let write_row = move |transaction: &Transaction<'_>| {
            Ok(rows::put_grant(transaction, &digest, &stored)?)
        };
        self.commit(turn, events, write_row, move |control, ()| {
            write(&control.sessions).put(digest, Arc::new(session.with(grant)));
        })
        .await?;
        Ok(true)
    }

    /// Ends a session. One that has ended is no error.
    ///
    /// # Errors
    /// [`ControlError::Store`].
    pub async fn end_session(&self, cookie: &str) -> Result<(), ControlError> {
        let turn = turn(&self.control().turns.portal).await;
        let digest = tokens::digest(cookie);
        if self.session(cookie).is_none() {
            return Ok(());
        }
        let write_rows = move |transaction: &Transaction<'_>| {
            transaction.execute(
                "DELETE FROM portal_grant WHERE session = ?1",
                params![digest],
            )?;
            transaction.execute(
                "DELETE FROM portal_session WHERE digest = ?1",
                params![digest],
            )?;
            Ok(())
        };
        self.commit(turn, Vec::new(), write_rows, move |control, ()| {
            write(&control.sessions).remove(&digest);
        })
        .await
    }
}
