//! Where the log lives: journal, recent, search, proofs, and the control data beside them.
//!
//! A [`Store`] is one directory. Its logs are reached by [`Store::log`] and by nothing else, so that
//! nobody can read a workspace without having named it. [`Log::append`] is acknowledged when its
//! events are sequenced, hashed and on stable storage; nothing after that changes an entry.
//!
//! This crate knows SQLite, files and threads, and what is asked of an object store ([`Bucket`]). It does not know HTTP, users, or what a receiver of
//! events wants them to look like.

mod append;
mod backup;
mod blocks;
mod bucket;
mod cache;
mod check;
mod control;
mod database;
mod decompress;
mod directory;
mod error;
mod files;
mod fingerprint;
mod index;
mod journal;
mod log;
mod manifest;
mod options;
mod pending;
mod quarantine;
mod queue;
mod rebuild;
mod recent;
mod record;
mod scrub;
mod seal;
mod sealed_keys;
mod search;
mod segment;
mod sequencer;
mod shared;
mod snapshot;
mod start;
mod store;
mod submission;
mod tally;
mod tree;
mod writer;

pub use append::{Append, Appended, Idempotency, Item, Receipt, Share};
pub use backup::{
    BackupError, BackupOptions, BackupReport, CopyProgress, Restored, backup, restore,
};
pub use bucket::blocks::BucketReads;
pub use bucket::probe::{Nodes, ProbeError, Probed, probe};
pub use bucket::{Bucket, BucketError, Created as ObjectCreated};
pub use check::{CheckProblem, CheckProgress, CheckReport, check, check_with};
pub use control::{
    Action, ControlError, Created, DOWNLOAD_TOKEN_SECONDS, Domain, DomainState, Entitlement,
    Export, ExportSelection, Grant, HANDOFF_SECONDS, Intent, InvalidField, Key, LINK_SECONDS, Link,
    ListOrder, ListQuery, MetadataUpdate, NewDomain, NewExport, NewKey, NewLink, NewOrganization,
    Organization, OrganizationUpdate, OrganizationsQuery, Page, PendingRetention, PortalUser,
    RETENTION_DAYS_DEFAULT, Reach, RedeemRefusal, Redeemed, Retention, Role, SESSION_IDLE_SECONDS,
    SESSION_SECONDS, SchemaVersion, Scopes, Secret, Session,
};
pub use error::{AppendError, StoreError, Unreadable};
pub use files::{Files, SystemFiles, WriteFile};
pub use log::Log;
pub use options::{Clock, Durability, Options, Scrubbing, Sealing, SteppedClock, SystemClock};
pub use pending::Pending;
pub use quarantine::{Quarantined, quarantined};
pub use rebuild::{Rebuilt, rebuild};
pub use scrub::Scrubbed;
pub use seal::Upkeep;
pub use search::{Count, Found, Order, Rows, Search, UNREADABLE_MAX};
pub use store::{Recorded, Slot, Store};
pub use tally::{FacetCounts, STEPS_MAX, StepCount, Tallied, Tally, VALUES_MAX, ValueCount};
