//! What an organization may look like, and what an update makes of it.

use std::collections::{BTreeMap, BTreeSet};

use annals_event::Timestamp;

use super::{Domain, MetadataUpdate, NewDomain, NewOrganization, Organization, OrganizationUpdate};
use crate::control::texts::{is_origin, is_plain, is_web_address};
use crate::control::{ControlError, InvalidField, tokens};

const NAME_CHARS: usize = 255;
const DOMAINS: usize = 100;
const METADATA_KEYS: usize = 50;
const METADATA_KEY_CHARS: usize = 40;
const METADATA_VALUE_CHARS: usize = 600;
const EXTERNAL_ID_BYTES: usize = 128;
const STRIPE_ID_BYTES: usize = 255;
const FRAME_ORIGINS: usize = 20;

/// Collects what is wrong, so that the caller hears of all of it at once.
#[derive(Default)]
struct Findings(Vec<InvalidField>);

impl Findings {
    fn add(&mut self, field: impl Into<String>, code: &'static str, message: impl Into<String>) {
        self.0.push(InvalidField {
            field: field.into(),
            code,
            message: message.into(),
        });
    }

    fn into_result(self) -> Result<(), ControlError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ControlError::Invalid(self.0))
        }
    }
}

/// Whether a text can be an organization's id.
pub(in crate::control) fn is_organization_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

pub(super) fn check_id(id: &str) -> Result<(), ControlError> {
    if is_organization_id(id) {
        return Ok(());
    }
    let message = "id must be 1 to 64 letters, digits, _ or -";
    Err(ControlError::invalid("id", "bad_pattern", message))
}

pub(super) fn check_new(new: &NewOrganization) -> Result<(), ControlError> {
    let mut findings = Findings::default();
    if let Some(id) = &new.id
        && !is_organization_id(id)
    {
        findings.add(
            "id",
            "bad_pattern",
            "id must be 1 to 64 letters, digits, _ or -",
        );
    }
    check_name(&new.name, &mut findings);
    check_domains(&new.domains, &mut findings);
    check_metadata(&new.metadata, &mut findings);
    check_external_id(new.external_id.as_deref(), &mut findings);
    check_viewer_url(new.viewer_url.as_deref(), &mut findings);
    check_frame_origins(&new.frame_origins, &mut findings);
    findings.into_result()
}

/// The organization as the update leaves it. Nothing is changed if any member is wrong.
pub(super) fn updated(
    before: &Organization,
    update: OrganizationUpdate,
    now: Timestamp,
) -> Result<Organization, ControlError> {
    let mut findings = Findings::default();
    let mut after = before.clone();
    if let Some(name) = update.name {
        check_name(&name, &mut findings);
        after.name = name;
    }
    if let Some(metadata) = update.metadata {
        after.metadata = merged(&before.metadata, metadata);
        check_metadata(&after.metadata, &mut findings);
    }
    if let Some(external_id) = update.external_id {
        check_external_id(external_id.as_deref(), &mut findings);
        after.external_id = external_id;
    }
    if let Some(stripe_customer_id) = update.stripe_customer_id {
        if stripe_customer_id
            .as_ref()
            .is_some_and(|id| !is_plain(id, STRIPE_ID_BYTES))
        {
            let message = "stripe_customer_id must be 1 to 255 printable ASCII characters";
            findings.add("stripe_customer_id", "bad_pattern", message);
        }
        after.stripe_customer_id = stripe_customer_id;
    }
    if let Some(allow) = update.allow_profiles_outside_organization {
        after.allow_profiles_outside_organization = allow;
    }
    if let Some(viewer_url) = update.viewer_url {
        check_viewer_url(viewer_url.as_deref(), &mut findings);
        after.viewer_url = viewer_url;
    }
    if let Some(origins) = update.frame_origins {
        check_frame_origins(&origins, &mut findings);
        after.frame_origins = origins;
    }
    let new_domains = update
        .domains
        .inspect(|domains| check_domains(domains, &mut findings));
    findings.into_result()?;
    if let Some(domains) = new_domains {
        after.domains = replaced(&before.domains, domains, now)?;
    }
    if after != *before {
        after.updated_at = now;
    }
    Ok(after)
}

/// The domains asked for; those that were there keep their ids.
pub(super) fn replaced(
    before: &[Domain],
    wanted: Vec<NewDomain>,
    now: Timestamp,
) -> Result<Vec<Domain>, ControlError> {
    let domain = |new: NewDomain| {
        let name = new.domain.to_ascii_lowercase();
        match before.iter().find(|domain| domain.domain == name) {
            Some(same) if same.state == new.state => Ok(same.clone()),
            Some(other) => Ok(Domain {
                state: new.state,
                updated_at: now,
                ..other.clone()
            }),
            None => Ok(Domain {
                id: tokens::new_id("org_domain_", now)?,
                domain: name,
                state: new.state,
                created_at: now,
                updated_at: now,
            }),
        }
    };
    wanted.into_iter().map(domain).collect()
}

fn merged(before: &BTreeMap<String, String>, update: MetadataUpdate) -> BTreeMap<String, String> {
    let MetadataUpdate::Merge(changes) = update else {
        return BTreeMap::new();
    };
    let mut after = before.clone();
    for (key, value) in changes {
        match value {
            Some(value) => after.insert(key, value),
            None => after.remove(&key),
        };
    }
    after
}

fn check_name(name: &str, findings: &mut Findings) {
    if name.trim().is_empty() {
        findings.add("name", "required", "name is required");
    } else if name.chars().count() > NAME_CHARS || name.contains(char::is_control) {
        let message = "name must have at most 255 characters, none of them a control character";
        findings.add("name", "bad_pattern", message);
    }
}

fn check_domains(domains: &[NewDomain], findings: &mut Findings) {
    if domains.len() > DOMAINS {
        findings.add(
            "domain_data",
            "too_many",
            "domain_data takes at most 100 domains",
        );
        return;
    }
    let mut seen = BTreeSet::new();
    for (i, new) in domains.iter().enumerate() {
        let field = format!("domain_data.{i}.domain");
        if !is_domain(&new.domain) {
            let message = format!("{field} must be a domain name");
            findings.add(field, "bad_pattern", message);
        } else if !seen.insert(new.domain.to_ascii_lowercase()) {
            let message = format!("{field} stands there twice");
            findings.add(field, "duplicate", message);
        }
    }
}

fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn check_metadata(metadata: &BTreeMap<String, String>, findings: &mut Findings) {
    if metadata.len() > METADATA_KEYS {
        findings.add("metadata", "too_many", "metadata takes at most 50 keys");
        return;
    }
    for (key, value) in metadata {
        if key.is_empty() || key.chars().count() > METADATA_KEY_CHARS || key.contains('\0') {
            let message = "a key of metadata must have 1 to 40 characters";
            findings.add("metadata", "too_long", message);
        } else if value.chars().count() > METADATA_VALUE_CHARS || value.contains('\0') {
            let field = format!("metadata.{key}");
            let message = format!("{field} must have at most 600 characters");
            findings.add(field, "too_long", message);
        }
    }
}

fn check_external_id(external_id: Option<&str>, findings: &mut Findings) {
    if external_id.is_some_and(|id| !is_plain(id, EXTERNAL_ID_BYTES)) {
        let message = "external_id must be 1 to 128 printable ASCII characters";
        findings.add("external_id", "bad_pattern", message);
    }
}

fn check_viewer_url(url: Option<&str>, findings: &mut Findings) {
    if url.is_some_and(|url| !is_web_address(&url.replace("{path}", "/"))) {
        let message = "viewer_url must be an http or https address, with {path} for the page";
        findings.add("viewer_url", "bad_pattern", message);
    }
}

fn check_frame_origins(origins: &[String], findings: &mut Findings) {
    if origins.len() > FRAME_ORIGINS {
        findings.add(
            "frame_origins",
            "too_many",
            "frame_origins takes at most 20 origins",
        );
        return;
    }
    for (i, origin) in origins.iter().enumerate() {
        if !is_origin(origin) {
            let field = format!("frame_origins.{i}");
            let message = format!("{field} must be an origin such as https://app.example.com");
            findings.add(field, "bad_pattern", message);
        }
    }
}
