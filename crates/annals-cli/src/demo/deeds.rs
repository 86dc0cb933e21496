//! What the scenes are made of: single acts, each with its event.

use serde_json::{Value, json};

use super::cast::{ANN, Role};
use super::world::{Place, World};

impl World {
    /// An act of somebody who is signed in, at the desk.
    pub(super) fn by(
        &mut self,
        who: usize,
        at: i64,
        action: &str,
        targets: Vec<Value>,
        rest: Value,
    ) {
        let place = self.seat(who, at);
        self.tell(at, action, self.user(who), targets, place, rest);
    }

    /// The desk of `who`, after signing in if that has not happened yet.
    pub(super) fn seat(&mut self, who: usize, at: i64) -> Place {
        self.login(who, at - 60);
        self.desk(who)
    }

    pub(super) fn invitation(&self, who: usize) -> String {
        format!("inv_{}", self.people[who].id.trim_start_matches("usr_"))
    }

    pub(super) fn invite(
        &mut self,
        by: usize,
        at: i64,
        who: usize,
        act: Option<&str>,
        resend: bool,
    ) {
        let mut place = self.seat(by, at);
        place.correlation = act.map(str::to_owned);
        let invitation = self.invitation(who);
        let role = self.people[who].role.as_str();
        let targets = vec![
            self.user_target(who),
            json!({"type": "invitation", "id": invitation}),
        ];
        let rest = json!({"metadata": {
            "invitation_id": invitation, "role": role, "delivery": "email", "resend": resend, "bulk": act.is_some(),
        }});
        self.tell(
            at,
            "workspace.user_invited",
            self.user(by),
            targets,
            place,
            rest,
        );
    }

    pub(super) fn invitation_failed(
        &mut self,
        by: usize,
        at: i64,
        reason: &str,
        stage: &str,
        role: &str,
    ) {
        let workspace = vec![self.workspace.clone()];
        self.by(
            by,
            at,
            "workspace.user_invitation_failed",
            workspace,
            json!({
                "failure": {"reason": reason, "stage": stage},
                "metadata": {"role": role},
            }),
        );
    }

    /// One becomes a member: the membership first, then the verified address and the session, as
    /// the workspace sees them.
    pub(super) fn join(&mut self, who: usize, at: i64, method: &str) {
        self.people[who].present = true;
        let role = self.people[who].role.as_str();
        let place = Place::new(self.people[who].home, self.people[who].agent, "email_link");
        let mut metadata = json!({"method": method, "role": role, "new_account": true});
        if method == "domain_join" {
            metadata["domain_join_id"] = json!("dom_acme");
        } else {
            metadata["invitation_id"] = json!(self.invitation(who));
        }
        let target = vec![self.user_target(who)];
        let act = format!("act_{}", self.chance.hex());
        let rest = json!({"metadata": metadata, "next": {"role": role}});
        self.tell(
            at,
            "workspace.user_joined",
            self.user(who),
            target.clone(),
            place.part_of(&act),
            rest,
        );
        let place = Place::new(self.people[who].home, self.people[who].agent, "email_link");
        let email = self.people[who].email;
        let rest = json!({
            "metadata": {"email": email, "purpose": "signup", "method": "link"},
            "previous": {"email_verified": false}, "next": {"email_verified": true},
        });
        self.tell(
            at + 1,
            "user.email_verified",
            self.user(who),
            target,
            place.part_of(&act),
            rest,
        );
        let home = self.people[who].home;
        self.sign_in(who, at + 2, home, "signup");
    }

    pub(super) fn join_failed(&mut self, who: usize, at: i64, reason: &str, method: &str) {
        let place = Place::new(self.people[who].home, self.people[who].agent, "email_link");
        let targets = vec![self.workspace.clone(), self.user_target(who)];
        let rest = json!({"failure": {"reason": reason, "stage": "authorization"}, "metadata": {"method": method}});
        self.tell(
            at,
            "workspace.user_join_failed",
            self.unauthenticated(who),
            targets,
            place,
            rest,
        );
    }

    pub(super) fn join_refused(&mut self, who: usize, at: i64) {
        self.join_failed(who, at, "invitation_already_used", "invitation");
    }

    pub(super) fn set_role(&mut self, by: usize, at: i64, who: usize, role: Role) {
        let previous = self.people[who].role;
        let change = if role > previous {
            "escalation"
        } else {
            "reduction"
        };
        let target = vec![self.user_target(who)];
        self.by(
            by,
            at,
            "workspace.user_role_updated",
            target,
            json!({
                "metadata": {"privilege_change": change, "is_owner_transfer": false},
                "previous": {"role": previous.as_str()}, "next": {"role": role.as_str()},
            }),
        );
        self.people[who].role = role;
    }

    pub(super) fn add_domain(&mut self, at: i64, domain: &str) {
        let id = format!("dom_{}", domain.trim_end_matches(".example"));
        let target = json!({"type": "domain_join", "id": id, "name": domain});
        let email = self.people[ANN].email;
        self.by(ANN, at, "workspace.domain_join_added", vec![target], json!({
            "metadata": {"domain": domain, "verified_by_email": email, "verification_method": "email_link", "default_role": "member"},
            "next": {"domain": domain, "default_role": "member"},
        }));
    }

    pub(super) fn account_refused(&mut self, at: i64, provider: &str, reason: &str, stage: &str) {
        let workspace = vec![self.workspace.clone()];
        self.by(
            ANN,
            at,
            "workspace.integration_shared_account_connection_failed",
            workspace,
            json!({
                "failure": {"reason": reason, "stage": stage},
                "metadata": {"provider": provider, "auth_type": "oauth2"},
            }),
        );
    }

    pub(super) fn connect_account(&mut self, at: i64, id: &str, provider: &str, name: &str) {
        let target = json!({"type": "shared_account", "id": id, "name": name});
        self.by(ANN, at, "workspace.integration_shared_account_connected", vec![target], json!({
            "metadata": {"provider": provider, "auth_type": "oauth2", "external_account_name": name, "scopes": ["read", "write"], "reconnect": false},
            "next": {"provider": provider, "auth_type": "oauth2"},
        }));
    }

    pub(super) fn account(&mut self, who: usize, at: i64, id: &str, provider: &str, on: bool) {
        let targets = vec![
            self.user_target(who),
            json!({"type": "integration_account", "id": id, "name": provider}),
        ];
        let (action, rest) = if on {
            let rest = json!({"metadata": {"provider": provider, "auth_type": "oauth2"}, "next": {"provider": provider}});
            ("user.integration_account_connected", rest)
        } else {
            let rest = json!({"metadata": {"provider": provider, "cause": "user_action"}, "previous": {"provider": provider}});
            ("user.integration_account_deleted", rest)
        };
        self.by(who, at, action, targets, rest);
    }

    pub(super) fn create_project(&mut self, who: usize, at: i64, project: usize) {
        self.projects[project].active = true;
        let (name, host) = (self.projects[project].name, self.projects[project].host);
        let target = vec![self.project_target(project)];
        self.by(who, at, "project.created", target, json!({
            "metadata": {"website_host": host, "members_access": "all",
                         "integration": {"provider": "jira", "account_kind": "shared", "account_id": "sha_jira"}},
            "next": {"name": name, "website_host": host, "members_access": "all"},
        }));
    }

    pub(super) fn update_project(
        &mut self,
        who: usize,
        at: i64,
        project: usize,
        field: &str,
        from: Value,
        to: Value,
    ) {
        let target = vec![self.project_target(project)];
        self.by(
            who,
            at,
            "project.updated",
            target,
            json!({"previous": {field: from}, "next": {field: to}}),
        );
    }

    pub(super) fn install_widget(&mut self, at: i64, project: usize, method: &str) {
        let host = self.projects[project].host;
        let id = self.projects[project].id.replace("prj_", "wdg_");
        let targets = vec![
            json!({"type": "widget", "id": id, "name": host}),
            self.project_target(project),
        ];
        self.by(ANN, at, "project.widget_installed", targets, json!({
            "metadata": {"install_method": method, "host": host, "visibility": "everyone", "verified_by": "ping"},
            "next": {"install_state": "installed", "visibility": "everyone"},
        }));
    }

    pub(super) fn group(&mut self, who: usize, at: i64, project: usize, from: Value, to: Value) {
        let target = vec![self.project_target(project)];
        self.by(
            who,
            at,
            "project.group_updated",
            target,
            json!({
                "metadata": {"cause": "user_action"},
                "previous": {"group_name": from}, "next": {"group_name": to},
            }),
        );
    }

    pub(super) fn shelve(&mut self, who: usize, at: i64, project: usize, archived: bool) {
        self.projects[project].active = !archived;
        let open = self
            .issues
            .iter()
            .filter(|i| i.project == project && i.status == "open")
            .count();
        let action = if archived {
            "project.archived"
        } else {
            "project.unarchived"
        };
        let target = vec![self.project_target(project)];
        self.by(
            who,
            at,
            action,
            target,
            json!({
                "metadata": {"open_issue_count": open},
                "previous": {"archived": !archived}, "next": {"archived": archived},
            }),
        );
    }

    pub(super) fn export_project(&mut self, who: usize, at: i64, project: usize, format: &str) {
        let id = format!("exp_{}", &self.chance.hex()[..8]);
        let count = self
            .issues
            .iter()
            .filter(|i| i.project == project && !i.gone)
            .count();
        let targets = vec![
            self.project_target(project),
            json!({"type": "export", "id": id}),
        ];
        self.by(who, at, "project.export_requested", targets, json!({"metadata": {
            "export_id": id, "format": format, "include_archived": false, "include_comments": true,
            "issue_count_estimate": count, "delivery": "download",
        }}));
    }

    /// The outside tracker does not answer for an hour: issues are made, forwarding them fails.
    pub(super) fn outage(&mut self, at: i64) {
        for n in 1..=14 {
            let Some(issue) = self.recent_issue(|_, i| i.status == "open") else {
                return;
            };
            let project = self.project_target(self.issues[issue].project);
            let targets = vec![self.issue_target(issue), project];
            let actor = json!({"type": "integration", "id": "sha_jira", "name": "Jira sync"});
            let place = Place::new("198.51.100.5", "jira-sync/2.8", "integration");
            let when = at + n * 250 + self.chance.between(0, 90);
            self.tell(when, "issue.creation_failed", actor, targets, place, json!({
                "failure": {"reason": "integration_unreachable", "stage": "integration_sync", "detail": "timed out after 10 s"},
                "metadata": {"provider": "jira", "retryable": true, "attempt": n % 3 + 1},
            }));
        }
    }
}
