//! Organizations: the workspaces of the installation, as the wire names them.
//!
//! Every organization has one log, found by its slot. Deleting an organization leaves a tombstone:
//! its id is never given out again, its log goes on accepting late events, and all other doors
//! answer as if it had never been.

use std::collections::HashMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use annals_event::Timestamp;

use super::lists::{self, ListQuery, Page};
use super::{ControlError, Slot};

mod rows;
mod rules;
mod write;

pub(super) use rows::load;

/// Days a log is kept when nobody says otherwise.
pub const RETENTION_DAYS_DEFAULT: u32 = 365;

/// One workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// `[A-Za-z0-9_-]{1,64}`: given by the host, else `org_` and a ULID.
    pub id: String,
    /// Where its log lives; dense, from a random start.
    pub slot: Slot,
    /// The name that people see, 1–255 characters.
    pub name: String,
    /// The domains that it claims.
    pub domains: Vec<Domain>,
    /// Free texts of the host: at most 50, keys to 40 and values to 600 characters.
    pub metadata: BTreeMap<String, String>,
    /// The host's own id, unique among living organizations.
    pub external_id: Option<String>,
    /// The host's customer at Stripe; stored and returned, nothing more.
    pub stripe_customer_id: Option<String>,
    /// Stored and returned, nothing more.
    pub allow_profiles_outside_organization: bool,
    /// What its people may do here.
    pub entitlement: Entitlement,
    /// How long its log is kept.
    pub retention: Retention,
    /// The host's page that embeds the viewer, with `{path}` where the page inside goes.
    pub viewer_url: Option<String>,
    /// The exact origins that may frame the viewer.
    pub frame_origins: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When something of it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted. Only [`crate::Store::organization_or_tombstone`] shows such ones.
    pub deleted_at: Option<Timestamp>,
}

/// A domain of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain {
    /// `org_domain_` and a ULID. It stays the same as long as the organization keeps the domain.
    pub id: String,
    /// The name, in lower case.
    pub domain: String,
    /// Whether the host says that it has been verified.
    pub state: DomainState,
    /// When it was added.
    pub created_at: Timestamp,
    /// When its state last changed.
    pub updated_at: Timestamp,
}

/// The verification of a domain, which is the host's affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainState {
    /// Not verified yet.
    Pending,
    /// Verified.
    Verified,
}

impl DomainState {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            DomainState::Pending => "pending",
            DomainState::Verified => "verified",
        }
    }

    /// From the word on the wire.
    pub fn parse(word: &str) -> Option<DomainState> {
        [DomainState::Pending, DomainState::Verified]
            .into_iter()
            .find(|s| s.as_str() == word)
    }
}

/// What the people of a workspace may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Entitlement {
    /// Everything.
    #[default]
    Active,
    /// Recording goes on; reading shows the locked page.
    Inactive,
    /// Nothing is recorded. Only the operator sets this.
    Disabled,
}

impl Entitlement {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Entitlement::Active => "active",
            Entitlement::Inactive => "inactive",
            Entitlement::Disabled => "disabled",
        }
    }

    /// From the word on the wire.
    pub fn parse(word: &str) -> Option<Entitlement> {
        [
            Entitlement::Active,
            Entitlement::Inactive,
            Entitlement::Disabled,
        ]
        .into_iter()
        .find(|e| e.as_str() == word)
    }
}

/// How long a log is kept.
///
/// A longer period is in force at once. A shorter one waits, so that nobody makes evidence
/// disappear with one call: see [`Retention::SHORTENING_DELAY_DAYS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days in force when the organization was last changed; `None` is for ever.
    pub period_in_days: Option<u32>,
    /// A shorter period that takes effect later.
    pub pending: Option<PendingRetention>,
}

/// A shorter retention that has been asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PendingRetention {
    /// Days.
    pub period_in_days: Option<u32>,
    /// From when it holds.
    pub effective_at: Timestamp,
}

impl Default for Retention {
    fn default() -> Self {
        Retention {
            period_in_days: Some(RETENTION_DAYS_DEFAULT),
            pending: None,
        }
    }
}

impl Retention {
    /// Days between asking for a shorter period and its taking effect.
    pub const SHORTENING_DELAY_DAYS: u32 = 7;
    /// The shortest period, in days.
    pub const DAYS_MIN: u32 = 1;
    /// The longest period that is not for ever, in days (a hundred years).
    pub const DAYS_MAX: u32 = 36_525;

    /// The period in force at `now`; `None` is for ever.
    pub fn in_force(&self, now: Timestamp) -> Option<u32> {
        match self.pending {
            Some(pending) if pending.effective_at <= now => pending.period_in_days,
            _ => self.period_in_days,
        }
    }

    /// The shorter period that is still waiting at `now`.
    pub fn waiting(&self, now: Timestamp) -> Option<PendingRetention> {
        self.pending.filter(|pending| pending.effective_at > now)
    }

    /// The period that was last asked for, in force or not; `None` is for ever.
    pub fn requested(&self) -> Option<u32> {
        self.pending
            .map_or(self.period_in_days, |pending| pending.period_in_days)
    }

    /// What asking for `period_in_days` at `now` makes of it.
    pub fn asked(&self, period_in_days: Option<u32>, now: Timestamp) -> Retention {
        let current = self.in_force(now);
        let shorter = period_in_days.unwrap_or(u32::MAX) < current.unwrap_or(u32::MAX);
        if !shorter {
            return Retention {
                period_in_days,
                pending: None,
            };
        }
        let delay = i64::from(Self::SHORTENING_DELAY_DAYS) * 86_400_000_000;
        let pending = match self.waiting(now) {
            // Asking again for the same must not start the wait anew.
            Some(waiting) if waiting.period_in_days == period_in_days => waiting,
            _ => PendingRetention {
                period_in_days,
                effective_at: Timestamp::clamped(now.as_micros() + delay),
            },
        };
        Retention {
            period_in_days: current,
            pending: Some(pending),
        }
    }
}

/// What is needed to create an organization.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewOrganization {
    /// The host's id for it. With one, creating is idempotent; without one, an id is made.
    pub id: Option<String>,
    /// The name that people see.
    pub name: String,
    /// Its domains.
    pub domains: Vec<NewDomain>,
    /// Free texts.
    pub metadata: BTreeMap<String, String>,
    /// The host's own id.
    pub external_id: Option<String>,
    /// Stored and returned.
    pub allow_profiles_outside_organization: bool,
    /// What its people may do; the server passes its configured default.
    pub entitlement: Entitlement,
    /// The host's page that embeds the viewer, with `{path}` for the page inside.
    pub viewer_url: Option<String>,
    /// The origins that may frame the viewer.
    pub frame_origins: Vec<String>,
}

/// A domain to be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDomain {
    /// The name; upper case is turned into lower case.
    pub domain: String,
    /// Its state.
    pub state: DomainState,
}

/// What to change of an organization; `None` leaves a member as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationUpdate {
    /// The name.
    pub name: Option<String>,
    /// All domains; those not in the list go.
    pub domains: Option<Vec<NewDomain>>,
    /// The free texts.
    pub metadata: Option<MetadataUpdate>,
    /// The host's own id; `Some(None)` takes it away.
    pub external_id: Option<Option<String>>,
    /// The Stripe customer; `Some(None)` takes it away.
    pub stripe_customer_id: Option<Option<String>>,
    /// Stored and returned.
    pub allow_profiles_outside_organization: Option<bool>,
    /// The host's page that embeds the viewer; `Some(None)` takes it away.
    pub viewer_url: Option<Option<String>>,
    /// All origins that may frame the viewer.
    pub frame_origins: Option<Vec<String>>,
}

/// A change of an organization's free texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataUpdate {
    /// All of them go (`"metadata": null`).
    Clear,
    /// The given keys are set, those with `None` go, the others stay.
    Merge(BTreeMap<String, Option<String>>),
}

/// Which organizations to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationsQuery {
    /// The page.
    pub list: ListQuery,
    /// Only those that claim one of these domains; empty means all.
    pub domains: Vec<String>,
    /// Only those whose name contains this, ignoring case.
    pub search: Option<String>,
    /// Only those with these ids: what a key reaches that does not reach all.
    pub only: Option<BTreeSet<String>>,
}

/// What creating came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created<T> {
    /// It is new.
    New(T),
    /// It had been created before, with the same id.
    Existing(T),
}

impl<T> Created<T> {
    /// The object, new or not.
    pub fn into_inner(self) -> T {
        match self {
            Created::New(object) | Created::Existing(object) => object,
        }
    }
}

/// All organizations, in memory: the path of an event runs no SQL to find its log.
#[derive(Debug, Default)]
pub(super) struct Organizations {
    /// In the order of creation, which is the order of slots. Tombstones stay.
    by_slot: Vec<Arc<Organization>>,
    /// Index into `by_slot`; tombstones too.
    by_id: HashMap<String, usize>,
    /// Index into `by_slot`; only living ones.
    by_external_id: HashMap<String, usize>,
}

impl Organizations {
    pub(super) fn get(&self, id: &str) -> Option<&Arc<Organization>> {
        self.by_id.get(id).map(|index| &self.by_slot[*index])
    }

    pub(super) fn living(&self, id: &str) -> Option<&Arc<Organization>> {
        self.get(id)
            .filter(|organization| organization.deleted_at.is_none())
    }

    pub(super) fn by_external_id(&self, external_id: &str) -> Option<&Arc<Organization>> {
        self.by_external_id
            .get(external_id)
            .map(|index| &self.by_slot[*index])
    }

    pub(super) fn last(&self) -> Option<&Arc<Organization>> {
        self.by_slot.last()
    }

    /// Adds an organization, or puts it in the place of its former self.
    pub(super) fn put(&mut self, organization: Arc<Organization>) {
        let index = match self.by_id.get(&organization.id) {
            Some(index) => *index,
            None => {
                self.by_id
                    .insert(organization.id.clone(), self.by_slot.len());
                self.by_slot.push(Arc::clone(&organization));
                self.by_slot.len() - 1
            }
        };
        if let Some(former) = &self.by_slot[index].external_id {
            self.by_external_id.remove(former);
        }
        if let (Some(external_id), None) = (&organization.external_id, organization.deleted_at) {
            self.by_external_id.insert(external_id.clone(), index);
        }
        self.by_slot[index] = organization;
    }

    pub(super) fn list(
        &self,
        query: &OrganizationsQuery,
    ) -> Result<Page<Arc<Organization>>, ControlError> {
        let search = query.search.as_deref().map(str::to_lowercase);
        // A cursor may name one that is gone or no longer matches, but none out of reach.
        let reached = self.by_slot.iter().filter(|organization| {
            let only = query.only.as_ref();
            only.is_none_or(|ids| ids.contains(&organization.id))
        });
        let matches = |organization: &&Arc<Organization>| {
            organization.deleted_at.is_none()
                && search
                    .as_ref()
                    .is_none_or(|text| organization.name.to_lowercase().contains(text))
                && (query.domains.is_empty() || organization.claims_one_of(&query.domains))
        };
        let page = lists::page(
            reached,
            &query.list,
            |organization| organization.id.as_str(),
            matches,
        )?;
        Ok(page.map(Arc::clone))
    }
}

impl Organization {
    fn claims_one_of(&self, wanted: &[String]) -> bool {
        self.domains.iter().any(|own| {
            wanted
                .iter()
                .any(|domain| domain.eq_ignore_ascii_case(&own.domain))
        })
    }
}
