//! The door to keys.

use std::sync::Arc;

use super::{Key, NewKey};
use crate::control::{ControlError, Created, ListQuery, Page, Secret};
use crate::{Recorded, Store, StoreError};

impl Store {
    /// The key with this secret, if there is one in force. Remembers that it was used.
    pub fn key_by_secret(&self, secret: &str) -> Option<Arc<Key>> {
        let _ = secret;
        None
    }

    /// The key with this id, revoked or not.
    pub fn key(&self, id: &str) -> Option<Arc<Key>> {
        let _ = id;
        None
    }

    /// One page of the keys, revoked ones too.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] if a cursor names nothing or the limit is out of range.
    pub fn keys(&self, query: &ListQuery) -> Result<Page<Arc<Key>>, ControlError> {
        let _ = query;
        Err(StoreError::Stopped.into())
    }

    /// Makes a key. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] for a name out of range, no scope, or an unknown organization.
    pub async fn create_key(
        &self,
        new: NewKey,
        record: impl FnOnce(&Key) -> Vec<Recorded> + Send,
    ) -> Result<(Arc<Key>, Secret), ControlError> {
        let _ = (new, record);
        Err(StoreError::Stopped.into())
    }

    /// Makes a key with a given secret that may do everything everywhere, named `bootstrap`, unless
    /// that secret is known already. One that was revoked stays revoked.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] unless the secret is `sk_` and 16 to 200 letters, digits, `_` or `-`.
    pub async fn ensure_bootstrap_key(
        &self,
        secret: &str,
        record: impl FnOnce(&Key) -> Vec<Recorded> + Send,
    ) -> Result<Created<Arc<Key>>, ControlError> {
        let _ = (secret, record);
        Err(StoreError::Stopped.into())
    }

    /// Revokes a key, in force at once. A revoked one is returned as it is and `record` is not called.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn revoke_key(
        &self,
        id: &str,
        record: impl FnOnce(&Key) -> Vec<Recorded> + Send,
    ) -> Result<Arc<Key>, ControlError> {
        let _ = (id, record);
        Err(StoreError::Stopped.into())
    }
}
