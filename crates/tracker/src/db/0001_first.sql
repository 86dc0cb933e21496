-- Times are microseconds since 1970 in UTC. Of secrets only hashes are kept, except tokens of integrations, which must be sent again.

create table user (
    id text primary key,
    email text unique,                      -- folded to lower case; null once deleted, so that it is free again
    email_verified_at integer,
    name text not null,
    job_role text not null default '',
    password_hash text,
    failed_logins integer not null default 0,
    locked_until integer,
    created_at integer not null,
    disabled_at integer,
    deleted_at integer
) strict;

create table session (
    id text primary key,
    token_hash text not null unique,
    user_id text not null references user (id),
    method text not null,
    created_at integer not null,
    expires_at integer not null,
    ended_at integer,
    end_cause text,                         -- logged_out, revoked
    address text not null default '',
    user_agent text not null default ''
) strict;
create index session_user on session (user_id, ended_at);

create table login_code (
    id text primary key,
    user_id text not null references user (id),
    code_hash text not null,
    created_at integer not null,
    expires_at integer not null,
    tries integer not null default 0,
    used_at integer,
    superseded_at integer
) strict;
create index login_code_user on login_code (user_id, created_at);

-- Links that prove an address: at sign-up, at a change of address.
create table email_verification (
    id text primary key,
    user_id text not null references user (id),
    email text not null,
    purpose text not null,                  -- signup, email_change
    token_hash text not null unique,
    created_at integer not null,
    expires_at integer not null,
    used_at integer,
    superseded_at integer
) strict;
create index email_verification_user on email_verification (user_id, purpose);

create table password_reset (
    id text primary key,
    user_id text not null references user (id),
    token_hash text not null unique,
    created_at integer not null,
    expires_at integer not null,
    used_at integer,
    superseded_at integer
) strict;
create index password_reset_user on password_reset (user_id);

create table workspace (
    id text primary key,
    slug text not null unique,
    name text not null,
    owner_id text not null references user (id),
    plan text not null,
    password_allowed integer not null default 1,
    login_code_allowed integer not null default 1,
    seat_limit integer not null,
    guest_limit integer not null,
    project_limit integer not null,
    created_at integer not null,
    deleted_at integer
) strict;

create table membership (
    id text primary key,
    workspace_id text not null references workspace (id),
    user_id text not null references user (id),
    role text not null check (role in ('guest', 'member', 'manager', 'admin')),
    joined_via text not null,               -- created, invitation, project_invitation, domain_join
    domain_join_id text,
    joined_at integer not null,
    ended_at integer,
    ended_cause text                        -- left, removed, account_deleted, workspace_deleted
) strict;
create unique index membership_active on membership (workspace_id, user_id) where ended_at is null;
create index membership_user on membership (user_id) where ended_at is null;

create table invitation (
    id text primary key,
    workspace_id text not null references workspace (id),
    project_id text references project (id),
    email text not null,
    role text not null,
    token_hash text not null unique,
    invited_by text not null references user (id),
    state text not null,                    -- pending, accepted, revoked, undeliverable; expired is pending and past its time
    created_at integer not null,
    expires_at integer not null,
    closed_at integer
) strict;
create index invitation_workspace on invitation (workspace_id, state);
create index invitation_email on invitation (email, state);

create table domain_join (
    id text primary key,
    workspace_id text not null references workspace (id),
    domain text not null,
    default_role text not null,
    state text not null,                    -- pending, active, removed
    requested_by text not null references user (id),
    verification_email text not null,
    token_hash text not null unique,
    created_at integer not null,
    expires_at integer not null,
    verified_at integer,
    removed_at integer
) strict;
create unique index domain_join_open on domain_join (workspace_id, domain) where state <> 'removed';
create index domain_join_domain on domain_join (domain, state);

create table project_group (
    id text primary key,
    workspace_id text not null references workspace (id),
    name text not null,
    created_at integer not null,
    deleted_at integer
) strict;
create unique index project_group_name on project_group (workspace_id, name) where deleted_at is null;

create table project (
    id text primary key,
    workspace_id text not null references workspace (id),
    name text not null,
    website_host text not null default '',
    description text not null default '',
    group_id text references project_group (id),
    members_access text not null check (members_access in ('all', 'restricted')),
    account_id text references integration_account (id),
    default_assignee_id text references user (id),
    last_issue_number integer not null default 0,
    created_by text not null references user (id),
    created_at integer not null,
    archived_at integer,
    deleted_at integer
) strict;
create index project_workspace on project (workspace_id) where deleted_at is null;

create table project_member (
    project_id text not null references project (id),
    user_id text not null references user (id),
    added_by text not null references user (id),
    added_at integer not null,
    primary key (project_id, user_id)
) strict, without rowid;
create index project_member_user on project_member (user_id);

create table widget (
    id text primary key,
    project_id text not null unique references project (id),
    public_key text not null unique,
    visibility text not null check (visibility in ('everyone', 'members_and_guests', 'hidden')),
    allowed_hosts text not null default '',  -- one a line
    install_state text not null check (install_state in ('not_installed', 'pending_verification', 'installed')),
    configured_by text references user (id),
    installed_at integer,
    last_ping_at integer
) strict;

create table issue (
    id text primary key,
    project_id text not null references project (id),
    number integer not null,
    title text not null,
    description text not null,
    kind text not null,
    status text not null check (status in ('open', 'in_progress', 'resolved', 'closed')),
    priority text not null,
    assignee_id text references user (id),
    reporter_id text references user (id),
    reporter_role text not null,            -- member, guest, reporter: as which it was reported
    reporter_name text not null,
    reporter_email text not null,
    source text not null,                   -- web, widget
    page_host text not null default '',
    page_path text not null default '',
    sync_state text not null,               -- none, pending, synced, failed
    sync_attempts integer not null default 0,
    external_key text,
    created_at integer not null,
    updated_at integer not null,
    deleted_at integer,
    unique (project_id, number)
) strict;
create index issue_sync on issue (sync_state) where sync_state = 'pending';

create table comment (
    id text primary key,
    issue_id text not null references issue (id),
    author_id text not null references user (id),
    visibility text not null check (visibility in ('all', 'members_only')),
    body text not null,
    edits integer not null default 0,
    created_at integer not null,
    edited_at integer,
    deleted_at integer
) strict;
create index comment_issue on comment (issue_id, created_at);

create table export_job (
    id text primary key,
    project_id text not null references project (id),
    requested_by text not null references user (id),
    status_filter text not null,            -- '' for all
    include_comments integer not null,
    created_at integer not null,
    expires_at integer not null
) strict;
create index export_job_project on export_job (project_id, created_at);

-- An account at another tool: of a workspace (shared) or of a person (personal).
create table integration_account (
    id text primary key,
    workspace_id text references workspace (id),
    user_id text references user (id),
    provider text not null,
    external_id text not null,
    external_name text not null,
    external_site text not null,
    scopes text not null,                   -- separated by spaces
    token text not null,                    -- '' once deleted
    token_expires_at integer,
    state text not null check (state in ('connected', 'needs_reauth', 'deleted')),
    connected_by text not null references user (id),
    connected_at integer not null,
    deleted_at integer,
    check ((workspace_id is null) <> (user_id is null))
) strict;
create index integration_account_workspace on integration_account (workspace_id, state);
create index integration_account_user on integration_account (user_id, state);

create table oauth_attempt (
    id text primary key,
    state_hash text not null unique,
    provider text not null,
    workspace_id text references workspace (id),   -- for a shared account
    user_id text not null references user (id),
    session_id text not null references session (id),
    verifier text not null,
    created_at integer not null,
    used_at integer
) strict;

-- Mails leave after the transaction that caused them.
create table mail_queue (
    id integer primary key,
    recipient text not null,
    subject text not null,
    text text not null,
    html text,
    invitation_id text references invitation (id),
    queued_at integer not null,
    tries integer not null default 0,
    next_try_at integer not null,
    sent_at integer,
    refused_at integer,
    problem text
) strict;
create index mail_queue_open on mail_queue (next_try_at) where sent_at is null and refused_at is null;

-- What happened to nobody that a workspace knows: attempts with unknown addresses, accounts without a workspace.
create table platform_event (
    id integer primary key,
    at integer not null,
    action text not null,
    user_id text,
    reason text,
    address text not null default ''
) strict;
create index platform_event_at on platform_event (at);
