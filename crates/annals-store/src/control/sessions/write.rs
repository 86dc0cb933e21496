//! The door to sessions.

use std::sync::Arc;

use super::{Grant, Session};
use crate::control::ControlError;
use crate::{Recorded, Store, StoreError};

impl Store {
    /// The session of this cookie, if it has not ended. Remembers that it was seen.
    pub fn session(&self, cookie: &str) -> Option<Arc<Session>> {
        let _ = cookie;
        None
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
        let _ = (cookie, organization_id, record);
        Err(StoreError::Stopped.into())
    }

    /// Ends a session. One that has ended is no error.
    ///
    /// # Errors
    /// [`ControlError::Store`].
    pub async fn end_session(&self, cookie: &str) -> Result<(), ControlError> {
        let _ = cookie;
        Err(StoreError::Stopped.into())
    }
}
