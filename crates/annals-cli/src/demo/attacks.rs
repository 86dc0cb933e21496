//! Three things in the sample month that somebody should look into: the founder's password is guessed
//! at night; one password is tried on everybody and opens one account; a contractor takes leave.

use serde_json::json;

use super::cast::{
    ANN, CHECKOUT, CHLOE, DANIEL, EMI, FARID, GRACE, GUESSER, HENRIK, ISLA, MOBILE, NORTHWIND,
    SCRIPT, SPRAYER, WEBSITE,
};
use super::world::{Place, World};

impl World {
    /// A script guesses the founder's password for some minutes, until the account is locked.
    pub(super) fn guessing(&mut self, at: i64) {
        let mut when = at;
        for n in 1..=31 {
            when += self.chance.between(4, 17);
            let reason = if n <= 20 {
                "invalid_password"
            } else {
                "account_locked"
            };
            self.login_failed(ANN, when, Place::new(GUESSER, SCRIPT, "web"), reason, n);
        }
    }

    /// In the morning she signs in with a code and sets a new password.
    pub(super) fn after_guessing(&mut self, at: i64) {
        self.people[ANN].session = None;
        self.login_by_code(ANN, at);
        let target = vec![self.user_target(ANN)];
        self.by(
            ANN,
            at + 300,
            "user.password_updated",
            target,
            json!({
                "metadata": {"method": "profile_change", "sessions_revoked": 1},
            }),
        );
    }

    /// One guess for each account, and it fits one of them. What is done with it: a foreign account
    /// is linked, and three projects are exported.
    pub(super) fn spraying(&mut self, at: i64) {
        let mut when = at;
        for who in [ANN, DANIEL, EMI, FARID, GRACE, HENRIK, ISLA] {
            for n in 1..=2 {
                when += self.chance.between(18, 55);
                self.login_failed(
                    who,
                    when,
                    Place::new(SPRAYER, SCRIPT, "web"),
                    "invalid_password",
                    n,
                );
            }
        }
        self.people[CHLOE].session = None;
        self.sign_in(CHLOE, when + 31, SPRAYER, "password");
        let own = std::mem::replace(&mut self.people[CHLOE].agent, SCRIPT);
        self.account(CHLOE, when + 140, "iac_chloe_github", "github", true);
        for (n, project) in (1..).zip([NORTHWIND, WEBSITE, CHECKOUT]) {
            self.export_project(CHLOE, when + 200 + n * 47, project, "json");
        }
        self.people[CHLOE].agent = own;
        self.people[CHLOE].session = None;
    }

    /// Chloé notices in the morning, recovers the account and takes the foreign link off.
    pub(super) fn recovery(&mut self, at: i64) {
        let target = vec![self.user_target(CHLOE)];
        let home = self.people[CHLOE].home;
        let place = Place::new(home, self.people[CHLOE].agent, "web");
        self.people[CHLOE].session = None;
        self.tell(
            at,
            "user.password_recovery_requested",
            self.unauthenticated(CHLOE),
            target.clone(),
            place,
            json!({
                "metadata": {"delivery": "email", "throttled": false},
            }),
        );
        let place = Place::new(home, self.people[CHLOE].agent, "email_link");
        self.tell(
            at + 260,
            "user.password_updated",
            self.user(CHLOE),
            target,
            place,
            json!({
                "metadata": {"method": "recovery", "sessions_revoked": 2},
            }),
        );
        self.sign_in(CHLOE, at + 290, home, "password");
        self.account(CHLOE, at + 900, "iac_chloe_github", "github", false);
    }

    /// On the last afternoon the contractor deletes what she reported; she is removed, and in the
    /// evening tries her old invitation.
    pub(super) fn last_afternoon(&mut self, at: i64) {
        self.login(ISLA, at - 60);
        let act = format!("act_{}", self.chance.hex());
        for n in 0..7 {
            let id = self.people[ISLA].id;
            let Some(issue) = self.recent_issue(|_, i| i.reporter == id) else {
                break;
            };
            let place = self.desk(ISLA).part_of(&act);
            self.delete_issue(ISLA, at + n * 12, issue, place);
        }
        for n in 0..4 {
            self.delete_comment(ISLA, at + 120 + n * 20);
        }
    }

    /// The contractor's membership ends.
    pub(super) fn offboarding(&mut self, at: i64) {
        let unassigned = self
            .issues
            .iter()
            .filter(|i| i.assignee == Some(ISLA) && !i.gone)
            .count();
        let target = vec![self.user_target(ISLA)];
        let projects = [WEBSITE, MOBILE, CHECKOUT].map(|p| self.projects[p].id);
        self.by(ANN, at, "workspace.user_removed", target, json!({
            "metadata": {"project_ids_lost": projects, "sessions_revoked": 1, "issues_unassigned": unassigned, "was_pending": false},
            "previous": {"role": "member"},
        }));
        self.people[ISLA].present = false;
        self.people[ISLA].session = None;
        self.join_refused(ISLA, at + 9300);
        self.join_refused(ISLA, at + 9388);
    }
}
