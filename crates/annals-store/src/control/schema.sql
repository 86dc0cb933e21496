-- Control data. Times are microseconds since the epoch, secrets are SHA-256 hashes.

CREATE TABLE organization (
    slot INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    domains TEXT NOT NULL,
    metadata TEXT NOT NULL,
    external_id TEXT,
    stripe_customer_id TEXT,
    allow_profiles_outside INTEGER NOT NULL,
    entitlement TEXT NOT NULL,
    retention_days INTEGER,
    pending_retention_days INTEGER,
    pending_retention_from INTEGER,
    viewer_url TEXT,
    frame_origins TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX organization_by_external_id ON organization (external_id) WHERE deleted_at IS NULL;

CREATE TABLE api_key (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    digest BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    -- NULL: all of them.
    organizations TEXT,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER,
    last_used_at INTEGER
) STRICT;

CREATE TABLE action_schema (
    sequence INTEGER PRIMARY KEY,
    action TEXT NOT NULL,
    version INTEGER NOT NULL,
    schema TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (action, version)
) STRICT;

CREATE TABLE export (
    id TEXT PRIMARY KEY,
    organization_id TEXT NOT NULL,
    selection TEXT NOT NULL,
    as_of INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE portal_link (
    digest BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    terms TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX portal_link_by_expiry ON portal_link (expires_at);

CREATE TABLE portal_session (
    digest BLOB PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE portal_grant (
    session BLOB NOT NULL,
    organization_id TEXT NOT NULL,
    terms TEXT NOT NULL,
    PRIMARY KEY (session, organization_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX portal_grant_by_organization ON portal_grant (organization_id);

-- Keys of the installation that sign what is not stored: download tokens, form tokens.
CREATE TABLE control_secret (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
