//! API keys: who may write, read and manage, and for which organizations.
//!
//! Only the SHA-256 of a key is stored. All keys are in memory, so that recognising one costs no
//! SQL, and revoking one is in force with the commit that records it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use annals_event::Timestamp;

use super::tokens;

mod rows;
mod write;

pub(super) use rows::{flush, load};

/// A key, without its secret.
#[derive(Debug)]
pub struct Key {
    /// `key_` and a ULID; opaque, the `recorded_by` of what it writes.
    pub id: String,
    /// What people call it, 1–255 characters.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// For which organizations.
    pub organizations: Reach,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked; from then on it is not recognised.
    pub revoked_at: Option<Timestamp>,
    /// Microseconds; `i64::MIN` is never. Kept in memory, written now and then.
    last_used: Arc<AtomicI64>,
}

impl Key {
    /// When it was last recognised. After a crash the last minute may be missing.
    pub fn last_used_at(&self) -> Option<Timestamp> {
        match self.last_used.load(Ordering::Relaxed) {
            i64::MIN => None,
            micros => Some(Timestamp::clamped(micros)),
        }
    }

    /// Whether it may do something with the organization.
    pub fn reaches(&self, organization_id: &str) -> bool {
        match &self.organizations {
            Reach::All => true,
            Reach::Only(ids) => ids.contains(organization_id),
        }
    }
}

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes {
    /// Record events.
    pub write: bool,
    /// Search, export, prove.
    pub read: bool,
    /// Change organizations, keys, schemas, retention; make portal links.
    pub manage: bool,
}

impl Scopes {
    /// All three.
    pub const ALL: Scopes = Scopes {
        write: true,
        read: true,
        manage: true,
    };

    /// The words on the wire, in a fixed order.
    pub fn names(self) -> Vec<&'static str> {
        let words = [
            (self.write, "write"),
            (self.read, "read"),
            (self.manage, "manage"),
        ];
        words
            .into_iter()
            .filter_map(|(has, word)| has.then_some(word))
            .collect()
    }

    /// From the words on the wire; an unknown word is handed back.
    ///
    /// # Errors
    /// The first word that is no scope.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Scopes, &'a str> {
        let mut scopes = Scopes::default();
        for word in words {
            match word {
                "write" => scopes.write = true,
                "read" => scopes.read = true,
                "manage" => scopes.manage = true,
                unknown => return Err(unknown),
            }
        }
        Ok(scopes)
    }
}

/// Which organizations a key reaches. All others answer it as if they did not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All of them, now and later: an installation key.
    All,
    /// These, 1–100.
    Only(BTreeSet<String>),
}

/// What is needed to make a key.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What people call it.
    pub name: String,
    /// What it may do; at least one.
    pub scopes: Scopes,
    /// For which organizations; each must exist.
    pub organizations: Reach,
}

/// All keys, in memory.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// In the order of creation; revoked ones stay.
    listed: Vec<Arc<Key>>,
    by_id: HashMap<String, usize>,
    /// SHA-256 of the secret; revoked ones stay, so that the bootstrap key stays revoked.
    by_digest: HashMap<[u8; 32], usize>,
}

impl Keys {
    pub(super) fn get(&self, id: &str) -> Option<&Arc<Key>> {
        self.by_id.get(id).map(|index| &self.listed[*index])
    }

    pub(super) fn by_digest(&self, digest: &[u8; 32]) -> Option<&Arc<Key>> {
        self.by_digest.get(digest).map(|index| &self.listed[*index])
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Key>> {
        self.listed.iter()
    }

    /// The key of this secret if it is in force, and remembers that it was used.
    pub(super) fn recognise(&self, secret: &str, now: Timestamp) -> Option<Arc<Key>> {
        let key = self.by_digest(&tokens::digest(secret))?;
        if key.revoked_at.is_some() {
            return None;
        }
        // A read first: while many threads use one key, its cache line is written once a second.
        let seen = key.last_used.load(Ordering::Relaxed);
        if now.as_micros().saturating_sub(seen) > 1_000_000 {
            key.last_used.store(now.as_micros(), Ordering::Relaxed);
        }
        Some(Arc::clone(key))
    }

    pub(super) fn add(&mut self, digest: [u8; 32], key: Arc<Key>) {
        self.by_id.insert(key.id.clone(), self.listed.len());
        self.by_digest.insert(digest, self.listed.len());
        self.listed.push(key);
    }

    pub(super) fn replace(&mut self, key: Arc<Key>) {
        if let Some(index) = self.by_id.get(&key.id) {
            self.listed[*index] = key;
        }
    }
}
