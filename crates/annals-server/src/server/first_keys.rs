//! The keys that are there before anybody can call: made on the machine itself.

use annals_store::{ControlError, Created, NewKey, Reach, Scopes};

use super::Server;
use crate::audit::Act;

impl Server {
    /// Makes sure that a key with this secret exists, which may write, read and manage: the first key
    /// of scripts and containers. Once revoked it stays so.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] unless the secret is `sk_` and 16 to 200 letters, digits, `_` or `-`.
    pub async fn ensure_bootstrap_key(&self, secret: &str) -> Result<(), ControlError> {
        let record = |key: &annals_store::Key| self.key_created(key);
        let (Created::New(_) | Created::Existing(_)) =
            self.app.store.ensure_bootstrap_key(secret, record).await?;
        Ok(())
    }

    /// Makes the key with which the commands on this machine manage the installation, and answers
    /// its secret, which is kept nowhere else.
    ///
    /// # Errors
    /// [`ControlError`] if it cannot be stored.
    pub async fn create_operator_key(&self) -> Result<String, ControlError> {
        let new = NewKey {
            name: "operator".to_owned(),
            scopes: Scopes {
                write: true,
                read: true,
                manage: true,
            },
            organizations: Reach::All,
        };
        let (_, secret) = self
            .app
            .store
            .create_key(new, |key| self.key_created(key))
            .await?;
        Ok(secret.expose().to_owned())
    }

    fn key_created(&self, key: &annals_store::Key) -> Vec<annals_store::Recorded> {
        Act::of_operator()
            .event(&self.app, "audit_log.key_created")
            .target("api_key", &key.id, Some(&key.name))
            .recorded_at_home()
    }
}
