//! Control data: organizations, keys, schemas, exports, portal links and sessions.
//!
//! All of it but the exports is in memory and is read without SQL. A change is decided from memory
//! while nobody else changes anything, written in one transaction together with the events that
//! record it, and shows in memory when it has committed: see [`Control::turn`].

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{Clock, Recorded, Slot, Store, StoreError};

mod exports;
mod keys;
mod links;
mod lists;
mod organizations;
mod schemas;
mod sessions;
mod tokens;

pub use exports::{DOWNLOAD_TOKEN_SECONDS, Export, ExportSelection, NewExport};
pub use keys::{Key, NewKey, Reach, Scopes};
pub use links::{
    HANDOFF_SECONDS, Intent, LINK_SECONDS, Link, NewLink, PortalUser, RedeemRefusal, Redeemed, Role,
};
pub use lists::{ListOrder, ListQuery, Page};
pub use organizations::{
    Created, Domain, DomainState, Entitlement, MetadataUpdate, NewDomain, NewOrganization,
    Organization, OrganizationUpdate, OrganizationsQuery, PendingRetention, RETENTION_DAYS_DEFAULT,
    Retention,
};
pub use schemas::{Action, SchemaVersion};
pub use sessions::{Grant, SESSION_IDLE_SECONDS, SESSION_SECONDS, Session};
pub use tokens::Secret;

/// Why control data cannot be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// There is no such object.
    #[error("{object} not found")]
    NotFound {
        /// What kind of object.
        object: &'static str,
    },
    /// It contradicts an object that is there.
    #[error("{field} {message}")]
    Conflict {
        /// The member that is taken.
        field: &'static str,
        /// How.
        message: &'static str,
    },
    /// Some members break a rule.
    #[error("{}", .0.first().map_or("invalid", |first| first.message.as_str()))]
    Invalid(Vec<InvalidField>),
    /// A link or handoff token opens nothing.
    #[error(transparent)]
    Refused(#[from] RedeemRefusal),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A member that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidField {
    /// Its name, with dots and indexes: `domains.0.domain`.
    pub field: String,
    /// The rule, as a word for programs: `required`, `too_long`, `bad_pattern` …
    pub code: &'static str,
    /// The rule, as a sentence for people.
    pub message: String,
}

impl ControlError {
    fn invalid(field: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        ControlError::Invalid(vec![InvalidField { field, code, message }])
    }
}
