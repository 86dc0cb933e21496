//! Organizations in their table.

use std::collections::BTreeMap;
use std::sync::Arc;

use annals_event::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::{
    Domain, DomainState, Entitlement, Organization, Organizations, PendingRetention, Retention,
};
use crate::StoreError;
use crate::control::{damaged, to_text};

#[derive(Serialize, Deserialize)]
struct DomainText {
    id: String,
    domain: String,
    state: String,
    created_at: i64,
    updated_at: i64,
}

pub(in crate::control) fn load(connection: &Connection) -> Result<Organizations, StoreError> {
    let mut organizations = Organizations::default();
    let mut statement = connection.prepare(
        "SELECT slot, id, name, domains, metadata, external_id, stripe_customer_id,
                allow_profiles_outside, entitlement, retention_days, pending_retention_days,
                pending_retention_from, viewer_url, frame_origins, created_at, updated_at, deleted_at
         FROM organization ORDER BY slot",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        organizations.put(Arc::new(organization(row)?));
    }
    Ok(organizations)
}

fn organization(row: &Row<'_>) -> Result<Organization, StoreError> {
    let id: String = row.get(1)?;
    let (domains, metadata, origins): (String, String, String) =
        (row.get(3)?, row.get(4)?, row.get(13)?);
    let domains: Vec<DomainText> =
        serde_json::from_str(&domains).map_err(|_| damaged("organization", &id))?;
    let metadata: BTreeMap<String, String> =
        serde_json::from_str(&metadata).map_err(|_| damaged("organization", &id))?;
    let frame_origins: Vec<String> =
        serde_json::from_str(&origins).map_err(|_| damaged("organization", &id))?;
    let entitlement: String = row.get(8)?;
    let pending_from: Option<i64> = row.get(11)?;
    let pending_days: Option<u32> = row.get(10)?;
    Ok(Organization {
        slot: row.get(0)?,
        name: row.get(2)?,
        domains: domains.into_iter().map(domain).collect(),
        metadata,
        external_id: row.get(5)?,
        stripe_customer_id: row.get(6)?,
        allow_profiles_outside_organization: row.get(7)?,
        entitlement: Entitlement::parse(&entitlement)
            .ok_or_else(|| damaged("organization", &id))?,
        retention: Retention {
            period_in_days: row.get(9)?,
            pending: pending_from.map(|from| PendingRetention {
                period_in_days: pending_days,
                effective_at: Timestamp::clamped(from),
            }),
        },
        viewer_url: row.get(12)?,
        frame_origins,
        created_at: Timestamp::clamped(row.get(14)?),
        updated_at: Timestamp::clamped(row.get(15)?),
        deleted_at: row.get::<_, Option<i64>>(16)?.map(Timestamp::clamped),
        id,
    })
}

fn domain(text: DomainText) -> Domain {
    Domain {
        id: text.id,
        domain: text.domain,
        state: DomainState::parse(&text.state).unwrap_or(DomainState::Pending),
        created_at: Timestamp::clamped(text.created_at),
        updated_at: Timestamp::clamped(text.updated_at),
    }
}

/// Writes an organization over its former self, if there is one.
pub(super) fn put(
    transaction: &Transaction<'_>,
    organization: &Organization,
) -> rusqlite::Result<()> {
    let domains: Vec<DomainText> = organization
        .domains
        .iter()
        .map(|domain| DomainText {
            id: domain.id.clone(),
            domain: domain.domain.clone(),
            state: domain.state.as_str().to_owned(),
            created_at: domain.created_at.as_micros(),
            updated_at: domain.updated_at.as_micros(),
        })
        .collect();
    let pending = organization.retention.pending;
    transaction
        .prepare(
            "INSERT INTO organization (slot, id, name, domains, metadata, external_id,
                 stripe_customer_id, allow_profiles_outside, entitlement, retention_days,
                 pending_retention_days, pending_retention_from, viewer_url, frame_origins,
                 created_at, updated_at, deleted_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)
             ON CONFLICT (slot) DO UPDATE SET
                 name = excluded.name, domains = excluded.domains, metadata = excluded.metadata,
                 external_id = excluded.external_id,
                 stripe_customer_id = excluded.stripe_customer_id,
                 allow_profiles_outside = excluded.allow_profiles_outside,
                 entitlement = excluded.entitlement, retention_days = excluded.retention_days,
                 pending_retention_days = excluded.pending_retention_days,
                 pending_retention_from = excluded.pending_retention_from,
                 viewer_url = excluded.viewer_url, frame_origins = excluded.frame_origins,
                 updated_at = excluded.updated_at, deleted_at = excluded.deleted_at",
        )?
        .execute(params![
            organization.slot,
            organization.id,
            organization.name,
            to_text(&domains),
            to_text(&organization.metadata),
            organization.external_id,
            organization.stripe_customer_id,
            organization.allow_profiles_outside_organization,
            organization.entitlement.as_str(),
            organization.retention.period_in_days,
            pending.and_then(|pending| pending.period_in_days),
            pending.map(|pending| pending.effective_at.as_micros()),
            organization.viewer_url,
            to_text(&organization.frame_origins),
            organization.created_at.as_micros(),
            organization.updated_at.as_micros(),
            organization.deleted_at.map(Timestamp::as_micros),
        ])?;
    Ok(())
}
