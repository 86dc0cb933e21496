//! The door to portal links.

use std::sync::Arc;

use super::{Link, NewLink, Redeemed};
use crate::control::{ControlError, Secret, Session};
use crate::{Recorded, Store, StoreError};

impl Store {
    /// Makes a portal link; the secret is the token that goes into its address.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] for the organization; [`ControlError::Invalid`] for a path that is
    /// not below `/w/{organization}/`, an origin that is none, or a text that is too long.
    pub async fn create_link(
        &self,
        new: NewLink,
        record: impl FnOnce(&Link) -> Vec<Recorded> + Send,
    ) -> Result<(Arc<Link>, Secret), ControlError> {
        let _ = (new, record);
        Err(StoreError::Stopped.into())
    }

    /// Redeems a link: the session of `cookie`, or a new one, gets its grant in place of what it held
    /// for that workspace. `record` is called for the first use only.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn redeem_link(
        &self,
        token: &str,
        cookie: Option<&str>,
        record: impl FnOnce(&Link, &Session) -> Vec<Recorded> + Send,
    ) -> Result<Redeemed, ControlError> {
        let _ = (token, cookie, record);
        Err(StoreError::Stopped.into())
    }

    /// Redeems a handoff token, for a browser that refused the cookie inside of a frame: the grant
    /// moves to the session of `cookie`, or to a new one.
    ///
    /// # Errors
    /// [`ControlError::Refused`].
    pub async fn redeem_handoff(
        &self,
        token: &str,
        cookie: Option<&str>,
    ) -> Result<Redeemed, ControlError> {
        let _ = (token, cookie);
        Err(StoreError::Stopped.into())
    }
}
