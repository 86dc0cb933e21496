//! The 43 events of an issue-tracking product, in the order in which the product lists them.

use super::Category::{IssueTracking, Project, User, Workspace};
use super::Change::{Both, Next, None as NoChange, Previous};
use super::{CatalogueEntry, entry};

#[rustfmt::skip] // one event to a line or two: it is a table
pub(super) static EVENTS: &[CatalogueEntry] = &[
    entry("issue.created", "Issue Created", IssueTracking, "issue", Next,
        "{actor} created issue {target}[ in {target.project}]", None)
        .carrying("project widget shared_account integration_account", "status title assignee_id",
            "issue_number:int source issue_type priority status attachment_count:int assignee_id page_host page_path form:member|guest reporter_identified_by:session|form|sdk integration:json"),
    entry("issue.creation_failed", "Issue Creation Failed", IssueTracking, "project", NoChange,
        "{actor} could not create an issue[ in {target.project}][: {reason}]", Some(ISSUE_CREATION))
        .carrying("issue widget", "",
            "source provider provider_status:int retryable:flag attempt:int occurrences:int"),
    entry("issue.deleted", "Issue Deleted", IssueTracking, "issue", Previous,
        "{actor} deleted issue {target}[ from {target.project}]", None)
        .carrying("project user", "title status assignee_id",
            "own_issue:flag status_at_deletion comment_count:int attachment_count:int reporter_id external_key_retained:flag mode:soft|hard"),
    entry("issue.status_updated", "Issue Status Updated", IssueTracking, "issue", Both,
        "{actor} changed the status of {target}[ from {previous.status}][ to {next.status}]", None)
        .carrying("project", "status",
            "origin:user|integration_sync|automation external_status bulk:flag"),
    entry("comment.published", "Comment Published", IssueTracking, "comment", NoChange,
        "{actor} published a comment[ on issue {target.issue}]", None)
        .carrying("issue project", "",
            "visibility:all|members_only body_length:int mention_user_ids:texts attachment_count:int origin:user|integration_sync|automation"),
    entry("comment.updated", "Comment Updated", IssueTracking, "comment", Both,
        "{actor} edited a comment[ on issue {target.issue}]", None)
        .carrying("issue project", "body_length:int visibility:all|members_only",
            "edit_number:int age_seconds:int"),
    entry("comment.deleted", "Comment Deleted", IssueTracking, "comment", Previous,
        "{actor} deleted a comment[ on issue {target.issue}]", None)
        .carrying("issue project", "body_length:int visibility:all|members_only",
            "own_comment:flag author_id visibility:all|members_only body_length:int"),

    entry("project.created", "Project Created", Project, "project", Next,
        "{actor} created project {target}", None)
        .carrying("shared_account integration_account", "name group_id website_host members_access:all|restricted",
            "website_host group_id integration:json members_access:all|restricted template"),
    entry("project.updated", "Project Updated", Project, "project", Both,
        "{actor} updated project {target}", None)
        .carrying("shared_account integration_account", "name website_host description members_access:all|restricted widget_visibility form_settings:json notification_settings:json integration_account_id default_assignee_id",
            ""),
    entry("project.deleted", "Project Deleted", Project, "project", Previous,
        "{actor} deleted project {target}", None)
        .carrying("", "name group_id archived:flag",
            "issue_count:int comment_count:int member_count:int pending_invitation_count:int was_archived:flag"),
    entry("project.archived", "Project Archived", Project, "project", Both,
        "{actor} archived project {target}", None)
        .carrying("", "archived:flag",
            "open_issue_count:int"),
    entry("project.unarchived", "Project Unarchived", Project, "project", Both,
        "{actor} unarchived project {target}", None)
        .carrying("", "archived:flag",
            "open_issue_count:int archived_for_seconds:int"),
    entry("project.widget_installed", "Project Widget Installed", Project, "widget", Next,
        "{actor} installed the widget[ on {target.project}]", None)
        .carrying("project", "install_state visibility:everyone|members_and_guests|hidden",
            "install_method:snippet|tag_manager|npm_sdk|cms_plugin|extension host visibility:everyone|members_and_guests|hidden verified_by:ping|manual sdk_version configured_by"),
    entry("project.user_invited", "Project User Invited", Project, "user", NoChange,
        "{actor} invited {target}[ to project {target.project}][ as {metadata.role}]", None)
        .carrying("project invitation", "",
            "invitation_id role delivery:email|link expires_at already_workspace_member:flag access:pending|immediate resend:flag"),
    entry("project.user_invitation_failed", "Project User Invitation Failed", Project, "project", NoChange,
        "{actor} could not invite a user[ to project {target.project}][: {reason}]", Some(PROJECT_INVITATION))
        .carrying("user invitation", "",
            "role"),
    entry("project.user_removed", "Project User Removed", Project, "user", Both,
        "{actor} removed {target}[ from project {target.project}]", None)
        .carrying("project", "access",
            "role_in_project was_pending:flag remaining_projects:int self:flag"),
    entry("project.group_updated", "Project Group Updated", Project, "project", Both,
        "{actor} moved project {target}[ from group {previous.group_name}][ to group {next.group_name}]", None)
        .carrying("group", "group_id group_name",
            "cause:user_action|group_deleted"),
    entry("project.export_requested", "Project Export Requested", Project, "project", NoChange,
        "{actor} requested an export of project {target}[ as {metadata.format}]", None)
        .carrying("export", "",
            "export_id format filters:json include_archived:flag include_comments:flag issue_count_estimate:int delivery:download|email"),

    entry("workspace.created", "Workspace Created", Workspace, "workspace", Next,
        "{actor} created workspace {target}", None)
        .carrying("", "name",
            "plan creator_role signup:flag"),
    entry("workspace.deleted", "Workspace Deleted", Workspace, "workspace", Previous,
        "{actor} deleted workspace {target}", None)
        .carrying("", "name plan",
            "member_count:int guest_count:int project_count:int issue_count:int plan log_retained_until"),
    entry("workspace.domain_join_added", "Workspace Domain Join Added", Workspace, "domain_join", Next,
        "{actor} let people of {target} join by themselves", None)
        .carrying("", "domain default_role",
            "domain verified_by_email verification_method default_role"),
    entry("workspace.domain_join_removed", "Workspace Domain Join Removed", Workspace, "domain_join", Previous,
        "{actor} no longer lets people of {target} join by themselves", None)
        .carrying("", "domain default_role",
            "domain verified_by_email verification_method default_role reason:user_action|verification_revoked|workspace_policy members_joined_through_it:int"),
    entry("workspace.user_joined", "Workspace User Joined", Workspace, "user", Next,
        "{actor} joined the workspace[ as {next.role}]", None)
        .carrying("workspace invitation domain_join", "role",
            "method:invitation|project_invitation|domain_join|sso_jit|api role invitation_id invited_by domain_join_id new_account:flag email_verified_at project_ids:texts seat_count_after:int"),
    entry("workspace.user_join_failed", "Workspace User Join Failed", Workspace, "workspace", NoChange,
        "{actor} could not join the workspace[: {reason}]", Some(WORKSPACE_JOIN))
        .carrying("user invitation", "",
            "method:invitation|project_invitation|domain_join|sso_jit|api invitation_id"),
    entry("workspace.user_left", "Workspace User Left", Workspace, "user", Previous,
        "{actor} left the workspace", None)
        .carrying("workspace", "role",
            "role cause:self|account_deleted project_count:int integration_accounts_orphaned:int"),
    entry("workspace.user_invited", "Workspace User Invited", Workspace, "user", NoChange,
        "{actor} invited {target} to the workspace[ as {metadata.role}]", None)
        .carrying("invitation workspace", "",
            "invitation_id role delivery:email|link expires_at resend:flag project_ids:texts bulk:flag"),
    entry("workspace.user_invitation_failed", "Workspace User Invitation Failed", Workspace, "workspace", NoChange,
        "{actor} could not invite a user to the workspace[: {reason}]", Some(WORKSPACE_INVITATION))
        .carrying("user invitation", "",
            "invitation_id role"),
    entry("workspace.user_role_updated", "Workspace User Role Updated", Workspace, "user", Both,
        "{actor} changed the role of {target}[ from {previous.role}][ to {next.role}]", None)
        .carrying("workspace", "role",
            "privilege_change:escalation|reduction|lateral seat_type_change:flag is_owner_transfer:flag"),
    entry("workspace.user_removed", "Workspace User Removed", Workspace, "user", Previous,
        "{actor} removed {target} from the workspace", None)
        .carrying("workspace", "role",
            "project_ids_lost:texts sessions_revoked:int issues_unassigned:int owner_transferred_to was_pending:flag"),
    entry("workspace.integration_shared_account_connected", "Workspace Integration Shared Account Connected",
        Workspace, "shared_account", Next,
        "{actor} connected the shared account {target}[ of {metadata.provider}]", None)
        .carrying("workspace", "state provider auth_type:oauth2|api_token|app_install",
            "provider auth_type:oauth2|api_token|app_install external_account_id external_account_name external_site scopes:texts reconnect:flag expires_at"),
    entry("workspace.integration_shared_account_connection_failed", "Workspace Integration Shared Account Connection Failed",
        Workspace, "workspace", NoChange,
        "{actor} could not connect a shared account[ of {metadata.provider}][: {reason}]", Some(SHARED_ACCOUNT))
        .carrying("shared_account", "",
            "provider auth_type:oauth2|api_token|app_install provider_status:int provider_error_code"),
    entry("workspace.integration_shared_account_deleted", "Workspace Integration Shared Account Deleted",
        Workspace, "shared_account", Previous,
        "{actor} deleted the shared account {target}[ of {metadata.provider}]", None)
        .carrying("workspace", "state provider auth_type:oauth2|api_token|app_install",
            "provider external_account_id cause:user_action|provider_revoked|workspace_policy affected_project_ids:texts provider_token_revoked:flag"),

    entry("user.updated", "User Updated", User, "user", Both,
        "{actor} updated their profile", None)
        .carrying("", "name email job_role avatar locale notification_settings:json",
            "email_change_state:requested|confirmed"),
    entry("user.deleted", "User Deleted", User, "user", Previous,
        "{actor} deleted their profile", None)
        .carrying("", "name email",
            "self:flag integration_accounts_deleted:int memberships_ended:int pseudonymised:flag"),
    entry("user.password_updated", "User Password Updated", User, "user", NoChange,
        "{actor} updated their password", None)
        .carrying("", "",
            "method:profile_change|recovery|first_set sessions_revoked:int"),
    entry("user.password_recovery_requested", "User Password Recovery Requested", User, "user", NoChange,
        "Someone requested a password recovery[ for {target}]", None)
        .carrying("", "",
            "expires_at delivery throttled:flag"),
    entry("user.integration_account_connected", "User Integration Account Connected", User, "integration_account", Next,
        "{actor} connected the integration account {target}[ of {metadata.provider}]", None)
        .carrying("user", "state provider auth_type:oauth2|api_token|app_install",
            "provider auth_type:oauth2|api_token|app_install external_account_id external_account_name external_site scopes:texts reconnect:flag expires_at affected_projects:texts"),
    entry("user.integration_account_deleted", "User Integration Account Deleted", User, "integration_account", Previous,
        "{actor} deleted the integration account {target}[ of {metadata.provider}]", None)
        .carrying("user", "state provider auth_type:oauth2|api_token|app_install",
            "provider external_account_id cause:user_action|provider_revoked|workspace_policy affected_project_ids:texts provider_token_revoked:flag affected_projects:texts"),
    entry("user.email_verified", "User Email Verified", User, "user", Both,
        "{actor} verified their email address", None)
        .carrying("", "email_verified:flag",
            "email purpose:signup|email_change|domain_join method:link|code|sso_asserted|google_asserted"),
    entry("user.login", "User Login", User, "user", NoChange,
        "{actor} logged in[ by {metadata.method}]", None)
        .carrying("", "",
            "method:password|login_code|magic_link|google|saml|oidc|signup session_id first_login:flag new_device:flag idp initiating_workspace_id"),
    entry("user.login_failed", "User Login Failed", User, "user", NoChange,
        "A login[ as {target}] failed[: {reason}]", Some(LOGIN))
        .carrying("", "",
            "method:password|login_code|magic_link|google|saml|oidc|signup consecutive_failures:int locked_until occurrences:int initiating_workspace_id"),
    entry("user.login_code_requested", "User Login Code Requested", User, "user", NoChange,
        "Someone requested a login code[ for {target}]", None)
        .carrying("", "",
            "delivery expires_at throttled:flag codes_outstanding:int"),
    entry("user.logout", "User Logout", User, "user", NoChange,
        "{actor} logged out", None)
        .carrying("", "",
            "session_id session_seconds:int all_devices:flag"),
];

const ISSUE_CREATION: &[&str] = &[
    "validation_failed",
    "payload_too_large",
    "attachment_rejected",
    "project_archived",
    "widget_not_installed",
    "widget_domain_not_allowed",
    "visibility_denied",
    "permission_denied",
    "issue_quota_exceeded",
    "rate_limited",
    "integration_auth_expired",
    "integration_rejected",
    "integration_unreachable",
    "integration_rate_limited",
    "internal_error",
];

const PROJECT_INVITATION: &[&str] = &[
    "permission_denied",
    "role_not_permitted",
    "invalid_email",
    "already_project_member",
    "guest_limit_reached",
    "seat_limit_reached",
    "project_archived",
    "domain_not_allowed",
    "email_suppressed",
    "email_undeliverable",
    "rate_limited",
    "internal_error",
];

const WORKSPACE_JOIN: &[&str] = &[
    "invitation_expired",
    "invitation_revoked",
    "invitation_already_used",
    "invitation_email_mismatch",
    "email_not_verified",
    "domain_not_allowed",
    "seat_limit_reached",
    "guest_limit_reached",
    "already_member",
    "sso_required",
    "sso_domain_not_approved",
    "user_blocked",
    "workspace_unavailable",
    "internal_error",
];

const WORKSPACE_INVITATION: &[&str] = &[
    "permission_denied",
    "role_not_permitted",
    "invalid_email",
    "already_member",
    "seat_limit_reached",
    "guest_limit_reached",
    "domain_not_allowed",
    "email_suppressed",
    "email_undeliverable",
    "rate_limited",
    "internal_error",
];

const SHARED_ACCOUNT: &[&str] = &[
    "permission_denied",
    "oauth_denied",
    "oauth_state_mismatch",
    "token_exchange_failed",
    "invalid_credentials",
    "insufficient_scopes",
    "provider_admin_approval_required",
    "account_already_connected",
    "provider_unreachable",
    "provider_error",
    "plan_limit_reached",
    "internal_error",
];

const LOGIN: &[&str] = &[
    "unknown_email",
    "invalid_password",
    "password_not_set",
    "login_code_invalid",
    "login_code_expired",
    "login_code_used",
    "too_many_attempts",
    "account_locked",
    "email_not_verified",
    "method_not_allowed",
    "sso_required",
    "sso_assertion_invalid",
    "sso_domain_not_approved",
    "idp_error",
    "oauth_denied",
    "user_disabled",
    "rate_limited",
    "internal_error",
];
