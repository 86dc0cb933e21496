//! What happens once in the sample month: how the workspace is set up, how people come, change and
//! go, and three things that somebody should look into (see `attacks`).

use serde_json::{Value, json};

use super::cast::{
    ANN, BEN, CHECKOUT, CHLOE, DANIEL, EMI, FARID, GRACE, HELP, HENRIK, ISLA, JONAS, KEIKO, LEGACY,
    LIAM, MAYA, MOBILE, NORTHWIND, Role, WEBSITE,
};
use super::world::{Act, Place, World};

impl World {
    // The first day.

    /// Ann opens the workspace, lets her domain join, and links the outside tracker at the second try.
    pub(super) fn found(&mut self, at: i64) {
        self.people[ANN].present = true;
        self.people[ANN].logins = 1;
        let session = super::cast::Session {
            id: format!("ses_{}", self.chance.hex()),
            address: super::cast::OFFICE,
            started: at - 240,
        };
        self.people[ANN].session = Some(session);
        let workspace = self.workspace.clone();
        let name = workspace["name"].clone();
        self.by(
            ANN,
            at,
            "workspace.created",
            vec![workspace],
            json!({
                "metadata": {"plan": "enterprise", "creator_role": "admin", "signup": true},
                "next": {"name": name},
            }),
        );
        self.add_domain(at + 900, "acme.example");
        self.account_refused(at + 1500, "jira", "oauth_denied", "authorize");
        self.connect_account(at + 1710, "sha_jira", "jira", "Jira (acme)");
        for (n, project) in [WEBSITE, MOBILE, CHECKOUT, NORTHWIND, LEGACY]
            .into_iter()
            .enumerate()
        {
            let minutes = i64::try_from(n).unwrap_or(0) * 260;
            self.create_project(ANN, at + 2400 + minutes, project);
        }
        self.install_widget(at + 4100, WEBSITE, "snippet");
    }

    /// Everybody is asked in, one address at first mistyped; most join during the day.
    pub(super) fn invite_all(&mut self, at: i64) {
        let act = format!("act_{}", self.chance.hex());
        let staff = [BEN, CHLOE, DANIEL, EMI, FARID, GRACE, HENRIK, ISLA];
        self.invitation_failed(ANN, at, "invalid_email", "validation", "member");
        for (n, who) in staff.into_iter().enumerate() {
            let seconds = i64::try_from(n).unwrap_or(0);
            self.invite(ANN, at + 60 + seconds, who, Some(&act), false);
        }
        for (n, who) in [BEN, CHLOE, DANIEL, EMI, FARID, GRACE, ISLA]
            .into_iter()
            .enumerate()
        {
            let wait = i64::try_from(n).unwrap_or(0) * 1900 + self.chance.between(400, 1500);
            self.later(at + wait, Act::Join(who, "invitation"));
        }
    }

    // Later.

    /// Henrik opens his invitation too late, and is asked again.
    pub(super) fn late_invitation(&mut self, at: i64) {
        self.join_failed(HENRIK, at, "invitation_expired", "invitation");
        self.invite(ANN, at + 3000, HENRIK, None, true);
        self.later(at + 5400, Act::Join(HENRIK, "invitation"));
    }

    /// Two clients are asked into the one project that concerns them.
    pub(super) fn invite_guests(&mut self, at: i64) {
        self.update_project(
            CHLOE,
            at - 600,
            NORTHWIND,
            "members_access",
            json!("all"),
            json!("restricted"),
        );
        let place = self.seat(BEN, at);
        let project = self.project_target(NORTHWIND);
        self.tell(
            at,
            "project.user_invitation_failed",
            self.user(BEN),
            vec![project.clone()],
            place,
            json!({
                "failure": {"reason": "guest_limit_reached", "stage": "authorization"},
                "metadata": {"role": "guest"},
            }),
        );
        for (n, who) in [JONAS, KEIKO].into_iter().enumerate() {
            let later = at + 5200 + i64::try_from(n).unwrap_or(0) * 45;
            let invitation = self.invitation(who);
            let targets = vec![self.user_target(who), project.clone()];
            self.by(
                BEN,
                later,
                "project.user_invited",
                targets,
                json!({"metadata": {
                    "invitation_id": invitation, "role": "guest", "delivery": "email",
                    "access": "pending", "already_workspace_member": false, "resend": false,
                }}),
            );
            let joins = later + 4000 + self.chance.between(0, 9000);
            self.later(joins, Act::Join(who, "project_invitation"));
        }
    }

    /// Liam joins through the domain, once his address is verified.
    pub(super) fn domain_join(&mut self, at: i64) {
        self.join_failed(LIAM, at, "email_not_verified", "domain_join");
        self.later(at + 800, Act::Join(LIAM, "domain_join"));
    }

    pub(super) fn organise(&mut self, at: i64) {
        self.group(BEN, at, WEBSITE, Value::Null, json!("Marketing"));
        self.group(BEN, at + 40, CHECKOUT, Value::Null, json!("Shop"));
        self.group(BEN, at + 65, LEGACY, Value::Null, json!("Shop"));
        self.update_project(
            CHLOE,
            at + 900,
            WEBSITE,
            "description",
            json!(""),
            json!("The new www, live in spring"),
        );
        self.update_project(
            CHLOE,
            at + 1200,
            MOBILE,
            "widget_visibility",
            json!("everyone"),
            json!("members_and_guests"),
        );
        self.install_widget(at + 2500, CHECKOUT, "tag_manager");
        self.connect_account(at + 5000, "sha_trello", "trello", "Trello (old boards)");
        self.add_domain(at + 7000, "acme-labs.example");
    }

    pub(super) fn help_centre(&mut self, at: i64) {
        self.create_project(CHLOE, at, HELP);
        self.install_widget(at + 1800, HELP, "npm_sdk");
        self.group(CHLOE, at + 2000, HELP, Value::Null, json!("Support"));
        self.group(BEN, at + 9000, WEBSITE, json!("Marketing"), json!("Web"));
    }

    pub(super) fn profiles(&mut self, at: i64) {
        self.account(EMI, at, "iac_emi_github", "github", true);
        self.account(DANIEL, at + 1500, "iac_daniel_gitlab", "gitlab", true);
        let target = vec![self.user_target(GRACE)];
        self.by(
            GRACE,
            at + 2600,
            "user.updated",
            target,
            json!({
                "previous": {"job_role": "Designer"}, "next": {"job_role": "Lead designer"},
            }),
        );
        self.people[GRACE].job = "Lead designer";
        let target = vec![self.user_target(DANIEL)];
        self.by(
            DANIEL,
            at + 8000,
            "user.password_updated",
            target,
            json!({
                "metadata": {"method": "profile_change", "sessions_revoked": 1},
            }),
        );
    }

    /// Ben confirms a new address; the profile changes only then.
    pub(super) fn new_address(&mut self, at: i64) {
        let mut place = self.seat(BEN, at);
        place.source = "email_link";
        let target = vec![self.user_target(BEN)];
        self.tell(at, "user.email_verified", self.user(BEN), target.clone(), place, json!({
            "metadata": {"email": "ben.ortiz@acme.example", "purpose": "email_change", "method": "link"},
            "previous": {"email_verified": false}, "next": {"email_verified": true},
        }));
        self.by(BEN, at + 1, "user.updated", target, json!({
            "metadata": {"email_change_state": "confirmed"},
            "previous": {"email": "ben@acme.example"}, "next": {"email": "ben.ortiz@acme.example"},
        }));
        self.people[BEN].email = "ben.ortiz@acme.example";
    }

    /// The role change to remember: Henrik is made admin for a release, and keeps it for three days.
    pub(super) fn promote(&mut self, at: i64) {
        self.set_role(ANN, at, HENRIK, Role::Manager);
    }
    pub(super) fn make_admin(&mut self, at: i64) {
        self.set_role(ANN, at, HENRIK, Role::Admin);
    }
    pub(super) fn demote(&mut self, at: i64) {
        self.set_role(ANN, at, HENRIK, Role::Manager);
    }

    /// The old shop is put away, brought back by mistake, put away again and at last deleted.
    pub(super) fn archive(&mut self, at: i64) {
        self.shelve(CHLOE, at, LEGACY, true);
    }
    pub(super) fn unarchive(&mut self, at: i64) {
        self.shelve(HENRIK, at, LEGACY, false);
        self.shelve(CHLOE, at + 2300, LEGACY, true);
    }
    pub(super) fn delete_project(&mut self, at: i64) {
        let count =
            i64::try_from(self.issues.iter().filter(|i| i.project == LEGACY).count()).unwrap_or(0);
        let target = vec![self.project_target(LEGACY)];
        self.by(
            BEN,
            at,
            "project.deleted",
            target,
            json!({
                "metadata": {"issue_count": count, "member_count": 9, "was_archived": true},
                "previous": {"name": "Legacy shop", "archived": true, "group_id": "grp_shop"},
            }),
        );
    }

    pub(super) fn export(&mut self, at: i64) {
        self.export_project(CHLOE, at, NORTHWIND, "csv");
    }
    pub(super) fn export_again(&mut self, at: i64) {
        self.export_project(BEN, at, WEBSITE, "csv");
        self.export_project(BEN, at + 130, MOBILE, "csv");
    }

    /// A sandbox workspace of the same company is made, used for a week, and deleted.
    pub(super) fn sandbox(&mut self, at: i64) {
        let target = json!({"type": "workspace", "id": "acme-sandbox", "name": "Acme Sandbox"});
        self.by(
            ANN,
            at,
            "workspace.created",
            vec![target],
            json!({
                "metadata": {"plan": "trial", "creator_role": "admin", "signup": false},
                "next": {"name": "Acme Sandbox"},
            }),
        );
    }
    pub(super) fn delete_sandbox(&mut self, at: i64) {
        let target = json!({"type": "workspace", "id": "acme-sandbox", "name": "Acme Sandbox"});
        self.by(ANN, at, "workspace.deleted", vec![target], json!({
            "metadata": {"member_count": 3, "guest_count": 0, "project_count": 1, "issue_count": 4, "plan": "trial"},
            "previous": {"name": "Acme Sandbox", "plan": "trial"},
        }));
    }

    /// The vendor's support withdraws a domain join, on Ann's request.
    pub(super) fn remove_domain(&mut self, at: i64) {
        let ann = self.user(ANN);
        let actor = json!({
            "type": "support", "id": "sup_17", "name": "Support (Petra)",
            "on_behalf_of": {"type": "user", "id": ann["id"], "name": ann["name"], "email": ann["email"]},
        });
        let target =
            json!({"type": "domain_join", "id": "dom_acme-labs", "name": "acme-labs.example"});
        let place = Place::new("198.51.100.250", "support-console/4.2", "system");
        self.tell(at, "workspace.domain_join_removed", actor, vec![target], place, json!({
            "metadata": {"domain": "acme-labs.example", "reason": "user_action", "members_joined_through_it": 0},
            "previous": {"domain": "acme-labs.example", "default_role": "member"},
        }));
    }

    pub(super) fn drop_account(&mut self, at: i64) {
        let target =
            json!({"type": "shared_account", "id": "sha_trello", "name": "Trello (old boards)"});
        self.by(BEN, at, "workspace.integration_shared_account_deleted", vec![target], json!({
            "metadata": {"provider": "trello", "cause": "user_action", "affected_project_ids": ["prj_website"], "provider_token_revoked": true},
            "previous": {"provider": "trello", "auth_type": "oauth2"},
        }));
        self.account_refused(at + 700, "linear", "insufficient_scopes", "verify");
    }

    pub(super) fn welcome_maya(&mut self, at: i64) {
        self.invitation_failed(
            FARID,
            at - 4000,
            "role_not_permitted",
            "authorization",
            "manager",
        );
        self.invite(BEN, at, MAYA, None, false);
        self.later(at + 6100, Act::Join(MAYA, "invitation"));
    }

    /// Liam deletes his account, which ends his membership too.
    pub(super) fn liam_goes(&mut self, at: i64) {
        self.login(LIAM, at - 300);
        let target = vec![self.user_target(LIAM)];
        let p = &self.people[LIAM];
        let previous = json!({"name": p.name, "email": p.email});
        self.by(LIAM, at, "user.deleted", target.clone(), json!({
            "metadata": {"self": true, "integration_accounts_deleted": 0, "memberships_ended": 1, "pseudonymised": false},
            "previous": previous,
        }));
        self.by(
            LIAM,
            at + 1,
            "workspace.user_left",
            target,
            json!({
                "metadata": {"cause": "account_deleted", "project_count": 4},
                "previous": {"role": "member"},
            }),
        );
        self.people[LIAM].present = false;
        self.people[LIAM].session = None;
    }

    /// Keiko's part is done: out of the project, and the next day she leaves by herself.
    pub(super) fn keiko_off_the_project(&mut self, at: i64) {
        let targets = vec![self.user_target(KEIKO), self.project_target(NORTHWIND)];
        self.by(BEN, at, "project.user_removed", targets, json!({
            "metadata": {"role_in_project": "guest", "was_pending": false, "remaining_projects": 0},
            "previous": {"access": "member"}, "next": {"access": Value::Null},
        }));
    }
    pub(super) fn keiko_leaves(&mut self, at: i64) {
        self.login(KEIKO, at - 120);
        let target = vec![self.user_target(KEIKO)];
        self.by(
            KEIKO,
            at,
            "workspace.user_left",
            target,
            json!({
                "metadata": {"cause": "self", "project_count": 0},
                "previous": {"role": "guest"},
            }),
        );
        self.people[KEIKO].present = false;
        self.people[KEIKO].session = None;
    }
}
