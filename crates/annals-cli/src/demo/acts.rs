//! What people do in the tracker, each as its pages let them: one form, sometimes a mail between two.

use anyhow::{Context as _, Result};

use super::browser::{Browser, Page};
use super::cast::Role;
use super::stage::Stage;

/// The address of the sample workspace in the tracker.
pub(crate) const ACME: &str = "/w/acme";

impl Stage {
    pub(crate) fn browser(&mut self, who: usize) -> &mut Browser {
        &mut self.browsers[who]
    }

    pub(crate) fn must(&mut self, who: usize, path: &str, fields: &[(&str, &str)]) -> Result<Page> {
        self.browsers[who].must(path, fields)
    }

    // Accounts.

    /// Signs up and opens the link of the mail.
    pub(crate) fn sign_up(&mut self, who: usize) -> Result<()> {
        let (name, email, password) = self.card(who);
        self.must(
            who,
            "/signup",
            &[("name", name), ("email", email), ("password", password)],
        )?;
        let link = self.browser(who).link(email, "Confirm your address")?;
        self.after(70)?;
        self.must(who, &link, &[("password", password)])?;
        self.signed_in[who] = true;
        Ok(())
    }

    pub(crate) fn card(&self, who: usize) -> (&'static str, &'static str, &'static str) {
        let person = &self.people[who];
        (person.name, person.email, person.password)
    }

    pub(crate) fn log_in(&mut self, who: usize) -> Result<()> {
        let (_, email, password) = self.card(who);
        self.must(who, "/login", &[("email", email), ("password", password)])?;
        self.signed_in[who] = true;
        Ok(())
    }

    pub(crate) fn log_in_after_a_typo(&mut self, who: usize) -> Result<()> {
        let (_, email, password) = self.card(who);
        let typo = password.replacen('-', "_", 1);
        self.browser(who)
            .refused("/login", &[("email", email), ("password", &typo)])?;
        self.after(9)?;
        self.log_in(who)
    }

    pub(crate) fn log_in_by_code(&mut self, who: usize) -> Result<()> {
        let (_, email, _) = self.card(who);
        self.must(who, "/login/code", &[("email", email)])?;
        let mail = self.browser(who).mail(email, "Your code to sign in")?;
        let code = mail
            .lines()
            .map(str::trim)
            .find(|line| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit()));
        let code = code.context("the mail has no code")?.to_owned();
        self.after(40)?;
        self.must(
            who,
            "/login/code/enter",
            &[("email", email), ("code", &code)],
        )?;
        self.signed_in[who] = true;
        Ok(())
    }

    pub(crate) fn log_out(&mut self, who: usize) -> Result<()> {
        self.must(who, "/logout", &[])?;
        self.signed_in[who] = false;
        Ok(())
    }

    /// Recovers the account with another password, which is then the one to sign in with.
    pub(crate) fn recover(&mut self, who: usize, password: &'static str) -> Result<()> {
        let (_, email, _) = self.card(who);
        self.must(who, "/recover", &[("email", email)])?;
        let link = self.browser(who).link(email, "Set a new password")?;
        self.after(180)?;
        self.must(who, &link, &[("password", password)])?;
        self.people[who].password = password;
        self.signed_in[who] = false;
        Ok(())
    }

    pub(crate) fn change_password(&mut self, who: usize, password: &'static str) -> Result<()> {
        let current = self.people[who].password;
        self.must(
            who,
            "/account/password",
            &[("current", current), ("password", password)],
        )?;
        self.people[who].password = password;
        Ok(())
    }

    pub(crate) fn change_profile(
        &mut self,
        who: usize,
        name: &'static str,
        job: &str,
    ) -> Result<()> {
        self.must(
            who,
            "/account/profile",
            &[("name", name), ("job_role", job)],
        )?;
        self.people[who].name = name;
        Ok(())
    }

    pub(crate) fn change_email(&mut self, who: usize, email: &'static str) -> Result<()> {
        let password = self.people[who].password;
        self.must(
            who,
            "/account/email",
            &[("email", email), ("email_password", password)],
        )?;
        let link = self.browser(who).link(email, "Confirm your new address")?;
        self.after(150)?;
        self.must(who, &link, &[])?;
        self.people[who].email = email;
        Ok(())
    }

    pub(crate) fn delete_account(&mut self, who: usize) -> Result<()> {
        let password = self.people[who].password;
        self.must(who, "/account/delete", &[("delete_password", password)])?;
        self.signed_in[who] = false;
        self.present[who] = false;
        Ok(())
    }

    // The workspace.

    pub(crate) fn create_workspace(&mut self, who: usize, name: &str) -> Result<String> {
        self.must(who, "/workspaces/new", &[("name", name)])?.went()
    }

    pub(crate) fn add_domain(&mut self, who: usize, email: &str) -> Result<()> {
        self.must(
            who,
            &format!("{ACME}/settings/domains"),
            &[("email", email), ("role", "member")],
        )?;
        let link = self.browser(who).link(email, "Confirm ")?;
        self.after(95)?;
        self.must(who, &link, &[])?;
        Ok(())
    }

    pub(crate) fn invite(&mut self, by: usize, email: &str, role: Role) -> Result<()> {
        let fields = [("email", email), ("role", role.as_str())];
        self.must(by, &format!("{ACME}/members/invite"), &fields)?;
        Ok(())
    }

    pub(crate) fn invite_in_vain(&mut self, by: usize, email: &str, role: Role) -> Result<()> {
        let fields = [("email", email), ("role", role.as_str())];
        self.browser(by)
            .refused(&format!("{ACME}/members/invite"), &fields)?;
        Ok(())
    }

    /// Opens the newest invitation and joins with a new account.
    pub(crate) fn join(&mut self, who: usize) -> Result<()> {
        let (name, email, password) = self.card(who);
        let link = self.browser(who).link(email, " invites you to ")?;
        self.browser(who).open(&link)?;
        self.after(75)?;
        self.must(
            who,
            &format!("{link}/new"),
            &[("name", name), ("password", password)],
        )?;
        self.present[who] = true;
        self.signed_in[who] = true;
        Ok(())
    }

    /// Signs up and joins because the domain may.
    pub(crate) fn join_by_domain(&mut self, who: usize) -> Result<()> {
        self.sign_up(who)?;
        self.after(25)?;
        self.must(who, "/workspaces/acme/join", &[])?;
        self.present[who] = true;
        Ok(())
    }

    pub(crate) fn set_role(&mut self, by: usize, whom: usize, role: Role) -> Result<()> {
        let id = self.member_id(by, whom)?;
        self.must(
            by,
            &format!("{ACME}/members/{id}/role"),
            &[("role", role.as_str())],
        )?;
        self.people[whom].role = role;
        Ok(())
    }

    pub(crate) fn remove(&mut self, by: usize, whom: usize) -> Result<()> {
        let id = self.member_id(by, whom)?;
        self.must(by, &format!("{ACME}/members/{id}/remove"), &[])?;
        self.present[whom] = false;
        self.signed_in[whom] = false;
        Ok(())
    }

    pub(crate) fn leave(&mut self, who: usize) -> Result<()> {
        self.must(who, &format!("{ACME}/members/leave"), &[])?;
        self.present[who] = false;
        Ok(())
    }

    /// The id of a member, as the page of the members has it beside the address.
    fn member_id(&mut self, by: usize, whom: usize) -> Result<String> {
        let email = self.people[whom].email;
        let page = self.browser(by).open(&format!("{ACME}/members"))?;
        let (_, after) = page
            .body
            .split_once(email)
            .with_context(|| format!("{email} is no member"))?;
        let found = after
            .split_once("/members/")
            .and_then(|(_, rest)| rest.split_once('/'));
        found
            .map(|(id, _)| id.to_owned())
            .with_context(|| format!("nothing can be done about {email}"))
    }
}
