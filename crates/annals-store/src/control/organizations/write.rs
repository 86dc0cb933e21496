//! The door to organizations.

use std::sync::Arc;

use super::{
    Created, Entitlement, NewOrganization, Organization, OrganizationUpdate, OrganizationsQuery,
    Retention, rows, rules,
};
use crate::control::{ControlError, Page, Turn, read, sessions, tokens, turn, write};
use crate::{Log, Recorded, Store};

const GONE: ControlError = ControlError::not_found("organization");

impl Store {
    /// The organization with this id, unless it has been deleted.
    pub fn organization(&self, id: &str) -> Option<Arc<Organization>> {
        read(&self.control().organizations).living(id).cloned()
    }

    /// The organization with this id, deleted or not.
    pub fn organization_or_tombstone(&self, id: &str) -> Option<Arc<Organization>> {
        read(&self.control().organizations).get(id).cloned()
    }

    /// The organization with this id of the host's, unless it has been deleted.
    pub fn organization_by_external_id(&self, external_id: &str) -> Option<Arc<Organization>> {
        read(&self.control().organizations)
            .by_external_id(external_id)
            .cloned()
    }

    /// One page of the organizations that have not been deleted.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] if a cursor names nothing or the limit is out of range.
    pub fn organizations(
        &self,
        query: &OrganizationsQuery,
    ) -> Result<Page<Arc<Organization>>, ControlError> {
        read(&self.control().organizations).list(query)
    }

    /// The log that events of this organization are recorded in. A deleted organization has one too,
    /// because events that were on their way must not be lost.
    pub fn recording_log(&self, id: &str) -> Option<(Log, Arc<Organization>)> {
        let organization = self.organization_or_tombstone(id)?;
        Some((
            self.log_at(organization.slot, &organization.id),
            organization,
        ))
    }

    /// Creates an organization. With an id of the host's it is idempotent: an organization that is
    /// there is returned as it is, and `record` is not called.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] if the id was deleted, or another organization has the external id;
    /// [`ControlError::Invalid`].
    pub async fn create_organization(
        &self,
        new: NewOrganization,
        record: impl FnOnce(&Organization) -> Vec<Recorded> + Send,
    ) -> Result<Created<Arc<Organization>>, ControlError> {
        rules::check_new(&new)?;
        let turn = turn(&self.control().turns.organizations).await;
        if let Some(there) = new
            .id
            .as_ref()
            .and_then(|id| self.organization_or_tombstone(id))
        {
            return match there.deleted_at {
                None => Ok(Created::Existing(there)),
                Some(_) => Err(ControlError::Conflict {
                    field: "id",
                    message: "belonged to an organization that was deleted",
                }),
            };
        }
        self.check_external_id_is_free(new.external_id.as_deref())?;
        let organization = self.new_organization(new)?;
        let events = record(&organization);
        self.put_organization(turn, organization, events)
            .await
            .map(Created::New)
    }

    /// The organization with this id, created if there is none: for installations that take events
    /// of organizations that they have not heard of. Its name is its id. A deleted one is returned as
    /// it is.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] if the id breaks the rule for ids.
    pub async fn ensure_organization(
        &self,
        id: &str,
        entitlement: Entitlement,
    ) -> Result<Arc<Organization>, ControlError> {
        if let Some(there) = self.organization_or_tombstone(id) {
            return Ok(there);
        }
        rules::check_id(id)?;
        let turn = turn(&self.control().turns.organizations).await;
        // Another request may have created it while this one waited.
        if let Some(there) = self.organization_or_tombstone(id) {
            return Ok(there);
        }
        let organization = self.new_organization(NewOrganization {
            id: Some(id.to_owned()),
            name: id.to_owned(),
            entitlement,
            ..NewOrganization::default()
        })?;
        self.put_organization(turn, organization, Vec::new()).await
    }

    /// Changes an organization. `record` gets it as it was and as it will be; it is not called if
    /// nothing changes.
    ///
    /// # Errors
    /// [`ControlError::NotFound`], [`ControlError::Conflict`] for the external id,
    /// [`ControlError::Invalid`].
    pub async fn update_organization(
        &self,
        id: &str,
        update: OrganizationUpdate,
        record: impl FnOnce(&Organization, &Organization) -> Vec<Recorded> + Send,
    ) -> Result<Arc<Organization>, ControlError> {
        let turn = turn(&self.control().turns.organizations).await;
        let before = self.organization(id).ok_or(GONE)?;
        let after = rules::updated(&before, update, self.control().now())?;
        if after.external_id != before.external_id {
            self.check_external_id_is_free(after.external_id.as_deref())?;
        }
        self.replace_organization(turn, before, after, record).await
    }

    /// Deletes an organization: its sessions end, its log stays, its id is never given out again.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn delete_organization(
        &self,
        id: &str,
        record: impl FnOnce(&Organization) -> Vec<Recorded> + Send,
    ) -> Result<(), ControlError> {
        let organizations_turn = turn(&self.control().turns.organizations).await;
        let portal_turn = turn(&self.control().turns.portal).await;
        let before = self.organization(id).ok_or(GONE)?;
        let now = self.control().now();
        let mut after = (*before).clone();
        (after.deleted_at, after.updated_at) = (Some(now), now);
        let events = record(&after);
        let after = Arc::new(after);
        let stored = Arc::clone(&after);
        let write_rows = move |transaction: &rusqlite::Transaction<'_>| {
            rows::put(transaction, &stored)?;
            sessions::end_all_of(transaction, &stored.id)
        };
        self.commit(
            organizations_turn,
            events,
            write_rows,
            move |control, ()| {
                write(&control.sessions).forget(&after.id);
                write(&control.organizations).put(after);
                drop(portal_turn);
            },
        )
        .await
    }

    /// Asks for another retention period in days; `None` is for ever. `record` gets the organization
    /// as it was and as it will be; it is not called if nothing changes.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Invalid`] outside 1–36,525 days.
    pub async fn set_retention(
        &self,
        id: &str,
        period_in_days: Option<u32>,
        record: impl FnOnce(&Organization, &Organization) -> Vec<Recorded> + Send,
    ) -> Result<Arc<Organization>, ControlError> {
        let possible = Retention::DAYS_MIN..=Retention::DAYS_MAX;
        if period_in_days.is_some_and(|days| !possible.contains(&days)) {
            let (field, code) = ("retention_period_in_days", "out_of_range");
            let message = format!("{field} must be between 1 and {}", Retention::DAYS_MAX);
            return Err(ControlError::invalid(field, code, message));
        }
        let turn = turn(&self.control().turns.organizations).await;
        let before = self.organization(id).ok_or(GONE)?;
        let now = self.control().now();
        let mut after = (*before).clone();
        after.retention = before.retention.asked(period_in_days, now);
        if after.retention != before.retention {
            after.updated_at = now;
        }
        self.replace_organization(turn, before, after, record).await
    }

    /// Sets what the people of an organization may do. `record` gets the organization as it was and
    /// as it will be; it is not called if nothing changes.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn set_entitlement(
        &self,
        id: &str,
        entitlement: Entitlement,
        record: impl FnOnce(&Organization, &Organization) -> Vec<Recorded> + Send,
    ) -> Result<Arc<Organization>, ControlError> {
        let turn = turn(&self.control().turns.organizations).await;
        let before = self.organization(id).ok_or(GONE)?;
        let mut after = (*before).clone();
        if after.entitlement != entitlement {
            after.entitlement = entitlement;
            after.updated_at = self.control().now();
        }
        self.replace_organization(turn, before, after, record).await
    }

    fn new_organization(&self, new: NewOrganization) -> Result<Organization, ControlError> {
        let control = self.control();
        let now = control.now();
        let id = match new.id {
            Some(id) => id,
            None => tokens::new_id("org_", now)?,
        };
        let slot = match read(&control.organizations).last() {
            // In a directory that was made again some slots are left out.
            Some(last) => (last.slot + 1).max(control.slot_start),
            None => control.slot_start,
        };
        Ok(Organization {
            id,
            slot,
            name: new.name,
            domains: rules::replaced(&[], new.domains, now)?,
            metadata: new.metadata,
            external_id: new.external_id,
            stripe_customer_id: None,
            allow_profiles_outside_organization: new.allow_profiles_outside_organization,
            entitlement: new.entitlement,
            retention: Retention::default(),
            viewer_url: new.viewer_url,
            frame_origins: new.frame_origins,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        })
    }

    fn check_external_id_is_free(&self, external_id: Option<&str>) -> Result<(), ControlError> {
        match external_id.and_then(|id| self.organization_by_external_id(id)) {
            None => Ok(()),
            Some(_) => Err(ControlError::Conflict {
                field: "external_id",
                message: "is used by another organization",
            }),
        }
    }

    async fn replace_organization(
        &self,
        turn: Turn,
        before: Arc<Organization>,
        after: Organization,
        record: impl FnOnce(&Organization, &Organization) -> Vec<Recorded> + Send,
    ) -> Result<Arc<Organization>, ControlError> {
        if after == *before {
            return Ok(before);
        }
        let events = record(&before, &after);
        self.put_organization(turn, after, events).await
    }

    async fn put_organization(
        &self,
        turn: Turn,
        organization: Organization,
        events: Vec<Recorded>,
    ) -> Result<Arc<Organization>, ControlError> {
        let organization = Arc::new(organization);
        let write_row = move |transaction: &rusqlite::Transaction<'_>| {
            rows::put(transaction, &organization)?;
            Ok(Arc::clone(&organization))
        };
        self.commit(turn, events, write_row, |control, organization| {
            write(&control.organizations).put(Arc::clone(organization));
        })
        .await
    }
}
