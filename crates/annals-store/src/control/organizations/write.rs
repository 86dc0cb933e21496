//! The door to organizations.

use std::sync::Arc;

use super::{
    Created, Entitlement, NewOrganization, Organization, OrganizationUpdate, OrganizationsQuery,
};
use crate::control::{ControlError, Page};
use crate::{Log, Recorded, Store, StoreError};

impl Store {
    /// The organization with this id, unless it has been deleted.
    pub fn organization(&self, id: &str) -> Option<Arc<Organization>> {
        let _ = id;
        None
    }

    /// The organization with this id, deleted or not.
    pub fn organization_or_tombstone(&self, id: &str) -> Option<Arc<Organization>> {
        let _ = id;
        None
    }

    /// The organization with this id of the host's, unless it has been deleted.
    pub fn organization_by_external_id(&self, external_id: &str) -> Option<Arc<Organization>> {
        let _ = external_id;
        None
    }

    /// One page of the organizations that have not been deleted.
    ///
    /// # Errors
    /// [`ControlError::Invalid`] if a cursor names nothing or the limit is out of range.
    pub fn organizations(
        &self,
        query: &OrganizationsQuery,
    ) -> Result<Page<Arc<Organization>>, ControlError> {
        let _ = query;
        Err(StoreError::Stopped.into())
    }

    /// The log that events of this organization are recorded in. A deleted organization has one too,
    /// because events that were on their way must not be lost.
    pub fn recording_log(&self, id: &str) -> Option<(Log, Arc<Organization>)> {
        let _ = id;
        None
    }

    /// Creates an organization. With an id of the host's it is idempotent: an organization that is
    /// there is returned as it is.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] if the id was deleted, or another organization has the external id;
    /// [`ControlError::Invalid`].
    pub async fn create_organization(
        &self,
        new: NewOrganization,
        record: impl FnOnce(&Organization) -> Vec<Recorded> + Send,
    ) -> Result<Created<Arc<Organization>>, ControlError> {
        let _ = (new, record);
        Err(StoreError::Stopped.into())
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
        let _ = (id, entitlement);
        Err(StoreError::Stopped.into())
    }

    /// Changes an organization. `record` gets it as it was and as it will be.
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
        let _ = (id, update, record);
        Err(StoreError::Stopped.into())
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
        let _ = (id, record);
        Err(StoreError::Stopped.into())
    }

    /// Asks for another retention period in days; `None` is for ever. `record` gets the organization
    /// as it was and as it will be.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Invalid`] outside 1–36,525 days.
    pub async fn set_retention(
        &self,
        id: &str,
        period_in_days: Option<u32>,
        record: impl FnOnce(&Organization, &Organization) -> Vec<Recorded> + Send,
    ) -> Result<Arc<Organization>, ControlError> {
        let _ = (id, period_in_days, record);
        Err(StoreError::Stopped.into())
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
        let _ = (id, entitlement, record);
        Err(StoreError::Stopped.into())
    }
}
