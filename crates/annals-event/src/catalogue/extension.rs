//! Events about the log itself. Annals writes them; producers may not (`audit_log.` is refused from them). Only a gap in what an
//! outbox delivers is told by the producer, because nobody else knows of it.

use super::Category::AuditLog;
use super::Change::{Both, Next, None as NoChange, Previous};
use super::{CatalogueEntry, entry};

#[rustfmt::skip] // a table
pub(super) static EVENTS: &[CatalogueEntry] = &[
    entry("audit_log.viewed", "Audit Log Viewed", AuditLog, "audit_log", NoChange,
        "{actor} viewed the audit log", None),
    entry("audit_log.exported", "Audit Log Exported", AuditLog, "audit_log", NoChange,
        "{actor} exported the audit log[ as {metadata.format}]", None),
    entry("audit_log.export_downloaded", "Audit Log Export Downloaded", AuditLog, "export", NoChange,
        "{actor} downloaded an export of the audit log", None),
    entry("audit_log.retention_changed", "Audit Log Retention Changed", AuditLog, "audit_log", Both,
        "{actor} changed how long the audit log is kept[ from {previous.days} days][ to {next.days} days]", None),
    entry("audit_log.pruned", "Audit Log Pruned", AuditLog, "audit_log", NoChange,
        "Entries past their retention were removed[ before position {metadata.before}]", None),
    entry("audit_log.hold_placed", "Audit Log Hold Placed", AuditLog, "hold", Next,
        "{actor} placed a legal hold", None),
    entry("audit_log.hold_lifted", "Audit Log Hold Lifted", AuditLog, "hold", Previous,
        "{actor} lifted a legal hold", None),
    entry("audit_log.subject_erased", "Audit Log Subject Erased", AuditLog, "erasure", NoChange,
        "{actor} erased the personal data of a person[ in {metadata.events} events]", None),
    entry("audit_log.entitlement_changed", "Audit Log Entitlement Changed", AuditLog, "audit_log", Both,
        "{actor} changed the audit log[ from {previous.state}][ to {next.state}]", None),
    entry("audit_log.key_created", "Audit Log Key Created", AuditLog, "api_key", Next,
        "{actor} created the API key {target}", None),
    entry("audit_log.key_revoked", "Audit Log Key Revoked", AuditLog, "api_key", Previous,
        "{actor} revoked the API key {target}", None),
    entry("audit_log.link_created", "Audit Log Link Created", AuditLog, "portal_link", NoChange,
        "{actor} created a link to the audit log", None),
    entry("audit_log.link_revoked", "Audit Log Link Revoked", AuditLog, "user", NoChange,
        "{actor} revoked the links to the audit log of {target}", None),
    entry("audit_log.signed_in", "Audit Log Signed In", AuditLog, "audit_log", NoChange,
        "{actor} opened a session of the audit log", None),
    entry("audit_log.access_denied", "Audit Log Access Denied", AuditLog, "audit_log", NoChange,
        "{actor} was denied access to the audit log[: {reason}]", Some(ACCESS)),
    entry("audit_log.schema_changed", "Audit Log Schema Changed", AuditLog, "schema", Both,
        "{actor} changed the schema of {target}", None),
    entry("audit_log.stream_created", "Audit Log Stream Created", AuditLog, "stream", Next,
        "{actor} created the stream {target}", None),
    entry("audit_log.stream_updated", "Audit Log Stream Updated", AuditLog, "stream", Both,
        "{actor} changed the stream {target}", None),
    entry("audit_log.stream_deleted", "Audit Log Stream Deleted", AuditLog, "stream", Previous,
        "{actor} deleted the stream {target}", None),
    entry("audit_log.stream_paused", "Audit Log Stream Paused", AuditLog, "stream", Both,
        "The stream {target} was paused[: {metadata.cause}]", None),
    entry("audit_log.stream_resumed", "Audit Log Stream Resumed", AuditLog, "stream", Both,
        "The stream {target} was resumed", None),
    entry("audit_log.rule_created", "Audit Log Rule Created", AuditLog, "rule", Next,
        "{actor} created the rule {target}", None),
    entry("audit_log.rule_updated", "Audit Log Rule Updated", AuditLog, "rule", Both,
        "{actor} changed the rule {target}", None),
    entry("audit_log.rule_deleted", "Audit Log Rule Deleted", AuditLog, "rule", Previous,
        "{actor} deleted the rule {target}", None),
    entry("audit_log.gap", "Audit Log Gap", AuditLog, "audit_log", NoChange,
        "Events may be missing[ from {metadata.from}][ to {metadata.to}]", None),
    entry("outbox.gap", "Outbox Gap", AuditLog, "outbox", NoChange,
        "The outbox of {actor} was full and dropped events[: {metadata.dropped}][ from {metadata.from}][ to {metadata.to}]", None)
        .carrying("", "", "dropped:int from to"),
];

const ACCESS: &[&str] = &[
    "link_unknown",
    "link_used",
    "link_expired",
    "not_enabled",
    "session_expired",
    "wrong_workspace",
    "role_not_permitted",
    "rate_limited",
];
