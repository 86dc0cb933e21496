//! Everyday work: signing in and out, issues, comments.

use serde_json::{Value, json};

use super::cast::{OFFICE, PHONE, Role, Session, TITLES, VISITORS};
use super::world::{Comment, Issue, Place, World};

impl World {
    // Signing in and out.

    /// Signs in, unless signed in already. Most people come to the office, some days from home.
    pub(super) fn login(&mut self, who: usize, at: i64) {
        if !self.people[who].present || self.people[who].session.is_some() {
            return;
        }
        let staff = self.people[who].email.ends_with("@acme.example");
        let address = if staff && !self.chance.one_in(4) {
            OFFICE
        } else {
            self.people[who].home
        };
        let method = *self
            .chance
            .pick(&[&"password", &"password", &"google", &"magic_link"]);
        self.sign_in(who, at, address, method);
    }

    pub(super) fn sign_in(&mut self, who: usize, at: i64, address: &'static str, method: &str) {
        let id = format!("ses_{}", self.chance.hex());
        let first = self.people[who].logins == 0;
        let is_new = first || (address != OFFICE && address != self.people[who].home);
        self.people[who].logins += 1;
        self.people[who].session = Some(Session {
            id: id.clone(),
            address,
            started: at,
        });
        let place = self.desk(who);
        self.tell(
            at,
            "user.login",
            self.user(who),
            vec![self.user_target(who)],
            place,
            json!({"metadata": {"method": method, "session_id": id, "first_login": first, "new_device": is_new}}),
        );
    }

    pub(super) fn login_failed(
        &mut self,
        who: usize,
        at: i64,
        place: Place,
        reason: &str,
        in_a_row: i64,
    ) {
        let target = vec![self.user_target(who)];
        let actor = self.unauthenticated(who);
        let mut metadata = json!({"method": "password", "consecutive_failures": in_a_row});
        if reason.starts_with("login_code") {
            metadata["method"] = json!("login_code");
        }
        let rest = json!({"failure": {"reason": reason}, "metadata": metadata});
        self.tell(at, "user.login_failed", actor, target, place, rest);
    }

    /// Mistypes the password, then signs in.
    pub(super) fn login_after_a_typo(&mut self, who: usize, at: i64) {
        if !self.people[who].present || self.people[who].session.is_some() {
            return;
        }
        let tries = self.chance.between(1, 2);
        for n in 1..=tries {
            let place = Place::new(self.people[who].home, self.people[who].agent, "web");
            self.login_failed(who, at + n * 9, place, "invalid_password", n);
        }
        self.login(who, at + tries * 9 + 14);
    }

    /// Signs in with a code sent by mail, because the password is not at hand.
    pub(super) fn login_by_code(&mut self, who: usize, at: i64) {
        if !self.people[who].present || self.people[who].session.is_some() {
            return;
        }
        let home = self.people[who].home;
        let place = Place::new(home, PHONE, "web");
        self.tell(
            at,
            "user.login_code_requested",
            self.unauthenticated(who),
            vec![self.user_target(who)],
            place,
            json!({"metadata": {"delivery": "email", "codes_outstanding": 1, "throttled": false}}),
        );
        if self.chance.one_in(3) {
            let place = Place::new(home, PHONE, "web");
            self.login_failed(who, at + 40, place, "login_code_invalid", 1);
        }
        self.sign_in(who, at + 75, home, "login_code");
    }

    pub(super) fn logout(&mut self, who: usize, at: i64) {
        let place = self.desk(who);
        if let Some(session) = self.people[who].session.take() {
            let seconds = at - session.started;
            self.tell(
                at,
                "user.logout",
                self.user(who),
                vec![self.user_target(who)],
                place,
                json!({"metadata": {"session_id": session.id, "session_seconds": seconds, "all_devices": false}}),
            );
        }
    }

    // Work on issues and comments.

    /// One act of work, whatever comes along.
    pub(super) fn work(&mut self, who: usize, at: i64) {
        if self.people[who].session.is_none() {
            self.login(who, at - 20);
        }
        if self.people[who].session.is_none() {
            return;
        }
        let guest = self.people[who].role == Role::Guest;
        match self.chance.between(1, 100) {
            1..=24 => self.create_issue(who, at),
            25..=56 if !guest => self.move_issue(who, at),
            57..=62 => self.edit_comment(who, at),
            63..=64 => self.delete_comment(who, at),
            65..=66 => self.delete_own_issue(who, at),
            _ => self.comment(who, at),
        }
    }

    fn open_project(&mut self) -> Option<usize> {
        let open: Vec<usize> = (0..self.projects.len())
            .filter(|p| self.projects[*p].active)
            .collect();
        if open.is_empty() {
            None
        } else {
            Some(open[self.chance.index(open.len())])
        }
    }

    pub(super) fn recent_issue(
        &mut self,
        wanted: impl Fn(&World, &Issue) -> bool,
    ) -> Option<usize> {
        let found: Vec<usize> = (0..self.issues.len())
            .rev()
            .filter(|i| {
                let issue = &self.issues[*i];
                !issue.gone && self.projects[issue.project].active && wanted(self, issue)
            })
            .take(30)
            .collect();
        if found.is_empty() {
            None
        } else {
            Some(found[self.chance.index(found.len())])
        }
    }

    fn new_issue(&mut self, project: usize, reporter: &'static str) -> usize {
        let number = 1001 + i64::try_from(self.issues.len()).unwrap_or(0);
        let title = self.chance.pick(&TITLES);
        let members: Vec<usize> = (0..self.people.len())
            .filter(|p| self.people[*p].present && self.people[*p].role > Role::Guest)
            .collect();
        let assignee = if members.is_empty() || self.chance.one_in(3) {
            None
        } else {
            Some(members[self.chance.index(members.len())])
        };
        self.issues.push(Issue {
            number,
            title,
            status: "open",
            project,
            assignee,
            reporter,
            comments: 0,
            gone: false,
        });
        self.issues.len() - 1
    }

    fn created(&mut self, at: i64, issue: usize, actor: Value, place: Place, form: &str) {
        let (project, title, number) = (
            self.issues[issue].project,
            self.issues[issue].title,
            self.issues[issue].number,
        );
        let assignee = self.issues[issue].assignee.map(|who| self.people[who].id);
        let mut next = json!({"status": "open", "title": title});
        let mut metadata = json!({
            "issue_number": number,
            "issue_type": *self.chance.pick(&[&"bug", &"bug", &"bug", &"improvement", &"question"]),
            "priority": *self.chance.pick(&[&"low", &"normal", &"normal", &"high", &"urgent"]),
            "attachment_count": self.chance.between(0, 3),
            "form": form,
            "page_host": self.projects[project].host,
        });
        if let Some(id) = assignee {
            next["assignee_id"] = json!(id);
            metadata["assignee_id"] = json!(id);
        }
        if self.chance.one_in(3) {
            metadata["integration"] = json!({"provider": "jira", "account_id": "sha_jira", "external_key": format!("ACME-{}", number - 800)});
        }
        let targets = vec![self.issue_target(issue), self.project_target(project)];
        self.tell(
            at,
            "issue.created",
            actor,
            targets,
            place,
            json!({"metadata": metadata, "next": next}),
        );
    }

    pub(super) fn create_issue(&mut self, who: usize, at: i64) {
        let Some(project) = self.open_project() else {
            return;
        };
        let issue = self.new_issue(project, self.people[who].id);
        let mut place = self.desk(who);
        place.source = *self.chance.pick(&[&"web", &"widget", &"extension"]);
        self.created(at, issue, self.user(who), place, "member");
    }

    /// A visitor of a site reports something through the widget.
    pub(super) fn visitor_reports(&mut self, at: i64) {
        let Some(project) = self.open_project() else {
            return;
        };
        let (id, name, email, address) = VISITORS[self.chance.index(VISITORS.len())];
        let actor = json!({"type": "reporter", "id": id, "name": name, "email": email, "metadata": {"verified": false}});
        let place = Place::new(address, PHONE, "widget");
        if self.chance.one_in(6) {
            let (reason, stage) = *self.chance.pick(&[
                &("payload_too_large", "validation"),
                &("attachment_rejected", "validation"),
                &("validation_failed", "validation"),
                &("widget_domain_not_allowed", "authorization"),
                &("rate_limited", "authorization"),
            ]);
            let rest = json!({
                "failure": {"reason": reason, "stage": stage},
                "metadata": {"occurrences": 1, "retryable": reason == "rate_limited"},
            });
            let targets = vec![self.project_target(project)];
            self.tell(at, "issue.creation_failed", actor, targets, place, rest);
        } else {
            let issue = self.new_issue(project, id);
            self.created(at, issue, actor, place, "guest");
        }
    }

    pub(super) fn set_status(
        &mut self,
        at: i64,
        issue: usize,
        next: &'static str,
        actor: Value,
        place: Place,
        metadata: Value,
    ) {
        let previous = std::mem::replace(&mut self.issues[issue].status, next);
        let project = self.issues[issue].project;
        let targets = vec![self.issue_target(issue), self.project_target(project)];
        let rest = json!({"metadata": metadata, "previous": {"status": previous}, "next": {"status": next}});
        self.tell(at, "issue.status_updated", actor, targets, place, rest);
    }

    fn next_status(&mut self, issue: usize) -> &'static str {
        match self.issues[issue].status {
            "open" => self
                .chance
                .pick(&["in_progress", "in_progress", "resolved"]),
            "in_progress" => self.chance.pick(&["resolved", "resolved", "open"]),
            "resolved" => self.chance.pick(&["closed", "closed", "in_progress"]),
            _ => "open",
        }
    }

    fn move_issue(&mut self, who: usize, at: i64) {
        let Some(issue) = self.recent_issue(|_, i| i.status != "closed") else {
            return self.create_issue(who, at);
        };
        let next = self.next_status(issue);
        let place = self.desk(who);
        self.set_status(
            at,
            issue,
            next,
            self.user(who),
            place,
            json!({"origin": "user"}),
        );
    }

    /// The connected tracker moved an issue, and the sync brings it over.
    pub(super) fn synced(&mut self, at: i64) {
        let Some(issue) = self.recent_issue(|_, i| i.status != "closed") else {
            return;
        };
        let next = self.next_status(issue);
        let actor = json!({"type": "integration", "id": "sha_jira", "name": "Jira sync"});
        let place = Place::new("198.51.100.5", "jira-webhook/1.0", "integration");
        let metadata =
            json!({"origin": "integration_sync", "external_status": next.replace('_', " ")});
        self.set_status(at, issue, next, actor, place, metadata);
    }

    fn comment(&mut self, who: usize, at: i64) {
        let Some(issue) = self.recent_issue(|_, _| true) else {
            return self.create_issue(who, at);
        };
        let number = 5001 + i64::try_from(self.comments.len()).unwrap_or(0);
        let members_only = self.people[who].role > Role::Guest && self.chance.one_in(4);
        let length = self.chance.between(12, 640);
        self.comments.push(Comment {
            number,
            issue,
            author: who,
            published: at,
            length,
            edits: 0,
            members_only,
            gone: false,
        });
        self.issues[issue].comments += 1;
        let comment = self.comments.len() - 1;
        let rest = json!({"metadata": {
            "visibility": visibility(members_only),
            "body_length": length,
            "attachment_count": 0,
            "origin": "user",
        }});
        self.about_comment(who, at, "comment.published", comment, rest);
    }

    fn about_comment(&mut self, who: usize, at: i64, action: &str, comment: usize, rest: Value) {
        let issue = self.comments[comment].issue;
        let project = self.issues[issue].project;
        let targets = vec![
            self.comment_target(comment),
            self.issue_target(issue),
            self.project_target(project),
        ];
        let place = self.desk(who);
        self.tell(at, action, self.user(who), targets, place, rest);
    }

    fn own_comment(&mut self, who: usize) -> Option<usize> {
        (0..self.comments.len()).rev().take(400).find(|c| {
            let c = &self.comments[*c];
            c.author == who && !c.gone && !self.issues[c.issue].gone
        })
    }

    fn edit_comment(&mut self, who: usize, at: i64) {
        let Some(comment) = self.own_comment(who) else {
            return self.comment(who, at);
        };
        let longer = self.comments[comment].length + self.chance.between(4, 90);
        let before = std::mem::replace(&mut self.comments[comment].length, longer);
        self.comments[comment].edits += 1;
        let c = &self.comments[comment];
        let rest = json!({
            "metadata": {"edit_number": c.edits, "age_seconds": at - c.published},
            "previous": {"body_length": before},
            "next": {"body_length": longer},
        });
        self.about_comment(who, at, "comment.updated", comment, rest);
    }

    pub(super) fn delete_comment(&mut self, who: usize, at: i64) {
        let Some(comment) = self.own_comment(who) else {
            return;
        };
        self.comments[comment].gone = true;
        let c = &self.comments[comment];
        let rest = json!({
            "metadata": {"own_comment": true, "author_id": self.people[who].id},
            "previous": {"body_length": c.length, "visibility": visibility(c.members_only)},
        });
        self.about_comment(who, at, "comment.deleted", comment, rest);
    }

    pub(super) fn delete_own_issue(&mut self, who: usize, at: i64) {
        let id = self.people[who].id;
        let Some(issue) = self.recent_issue(|_, i| i.reporter == id) else {
            return;
        };
        let place = self.desk(who);
        self.delete_issue(who, at, issue, place);
    }

    pub(super) fn delete_issue(&mut self, who: usize, at: i64, issue: usize, place: Place) {
        self.issues[issue].gone = true;
        let i = &self.issues[issue];
        let mut previous = json!({"title": i.title, "status": i.status});
        if let Some(assignee) = i.assignee {
            previous["assignee_id"] = json!(self.people[assignee].id);
        }
        let metadata = json!({
            "own_issue": i.reporter == self.people[who].id,
            "reporter_id": i.reporter,
            "status_at_deletion": i.status,
            "comment_count": i.comments,
            "mode": "soft",
        });
        let targets = vec![self.issue_target(issue), self.project_target(i.project)];
        let rest = json!({"metadata": metadata, "previous": previous});
        self.tell(at, "issue.deleted", self.user(who), targets, place, rest);
    }
}

fn visibility(members_only: bool) -> &'static str {
    if members_only { "members_only" } else { "all" }
}
