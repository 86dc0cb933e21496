//! The door to keys.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use super::{Key, NewKey, Reach, Scopes, rows};
use crate::control::{
    ControlError, Created, ListQuery, Page, Secret, Turn, lists, read, tokens, turn, write,
};
use crate::{Recorded, Store};

const NAME_CHARS: usize = 255;
const ORGANIZATIONS: usize = 100;

impl Store {
    /// The key with this secret, if there is one in force. Remembers that it was used.
    pub fn key_by_secret(&self, secret: &str) -> Option<Arc<Key>> {
        let control = self.control();
        read(&control.keys).recognise(secret, control.now())
    }

    /// The key with this id, revoked or not.
    pub fn key(&self, id: &str) -> Option<Arc<Key>> {
        read(&self.control().keys).get(id).cloned()
    }

    /// One page of the keys, revoked ones too.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] if a cursor names nothing or the limit is out of range.
    pub fn keys(&self, query: &ListQuery) -> Result<Page<Arc<Key>>, ControlError> {
        let keys = read(&self.control().keys);
        Ok(lists::page(keys.iter(), query, |key| key.id.as_str(), |_| true)?.map(Arc::clone))
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
        self.check_new_key(&new)?;
        let turn = turn(&self.control().turns.keys).await;
        let secret = Secret::generate("sk_")?;
        let key = self.add_key(turn, new, secret.digest(), record).await?;
        Ok((key, secret))
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
        let is_safe = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        let fits = secret
            .strip_prefix("sk_")
            .is_some_and(|rest| (16..=200).contains(&rest.len()) && rest.bytes().all(is_safe));
        if !fits {
            let message = "the bootstrap key must be sk_ and 16 to 200 letters, digits, _ or -";
            return Err(ControlError::invalid(
                "bootstrap_key",
                "bad_pattern",
                message,
            ));
        }
        let turn = turn(&self.control().turns.keys).await;
        let digest = tokens::digest(secret);
        let known = read(&self.control().keys).by_digest(&digest).cloned();
        if let Some(key) = known {
            return Ok(Created::Existing(key));
        }
        let new = NewKey {
            name: "bootstrap".to_owned(),
            scopes: Scopes::ALL,
            organizations: Reach::All,
        };
        self.add_key(turn, new, digest, record)
            .await
            .map(Created::New)
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
        let turn = turn(&self.control().turns.keys).await;
        let before = self.key(id).ok_or(ControlError::not_found("key"))?;
        if before.revoked_at.is_some() {
            return Ok(before);
        }
        let now = self.control().now();
        let after = Arc::new(Key {
            id: before.id.clone(),
            name: before.name.clone(),
            scopes: before.scopes,
            organizations: before.organizations.clone(),
            created_at: before.created_at,
            revoked_at: Some(now),
            last_used: Arc::clone(&before.last_used),
        });
        let events = record(&after);
        let write_row = move |transaction: &rusqlite::Transaction<'_>| {
            rows::revoke(transaction, &after.id, now)?;
            Ok(Arc::clone(&after))
        };
        self.commit(turn, events, write_row, |control, key| {
            write(&control.keys).replace(Arc::clone(key));
        })
        .await
    }

    fn check_new_key(&self, new: &NewKey) -> Result<(), ControlError> {
        let name_chars = new.name.chars().count();
        if new.name.trim().is_empty() {
            return Err(ControlError::invalid(
                "name",
                "required",
                "name is required",
            ));
        }
        if name_chars > NAME_CHARS || new.name.contains(char::is_control) {
            let message = "name must have at most 255 characters, none of them a control character";
            return Err(ControlError::invalid("name", "bad_pattern", message));
        }
        if new.scopes == Scopes::default() {
            let message = "scopes must name at least one of write, read and manage";
            return Err(ControlError::invalid("scopes", "required", message));
        }
        let Reach::Only(ids) = &new.organizations else {
            return Ok(());
        };
        if ids.is_empty() || ids.len() > ORGANIZATIONS {
            let message = "organization_ids must name 1 to 100 organizations, or be absent for all";
            return Err(ControlError::invalid(
                "organization_ids",
                "out_of_range",
                message,
            ));
        }
        match ids.iter().position(|id| self.organization(id).is_none()) {
            None => Ok(()),
            Some(i) => {
                let field = format!("organization_ids.{i}");
                let message = format!("{field} names no organization");
                Err(ControlError::invalid(field, "unknown", message))
            }
        }
    }

    async fn add_key(
        &self,
        turn: Turn,
        new: NewKey,
        digest: [u8; 32],
        record: impl FnOnce(&Key) -> Vec<Recorded> + Send,
    ) -> Result<Arc<Key>, ControlError> {
        let now = self.control().now();
        let key = Arc::new(Key {
            id: tokens::new_id("key_", now)?,
            name: new.name,
            scopes: new.scopes,
            organizations: new.organizations,
            created_at: now,
            revoked_at: None,
            last_used: Arc::new(AtomicI64::new(i64::MIN)),
        });
        let events = record(&key);
        let write_row = move |transaction: &rusqlite::Transaction<'_>| {
            rows::insert(transaction, &digest, &key)?;
            Ok(Arc::clone(&key))
        };
        self.commit(turn, events, write_row, move |control, key| {
            write(&control.keys).add(digest, Arc::clone(key));
        })
        .await
    }
}
