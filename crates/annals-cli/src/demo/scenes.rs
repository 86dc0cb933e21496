//! What happens once in the sample month: how the workspace is set up, how people come, change and go.

use anyhow::{Result, ensure};
use serde_json::json;

use super::acts::ACME;
use super::cast::{
    ANN, BEN, CHECKOUT, CHLOE, DANIEL, EMI, FARID, GRACE, HELP, HENRIK, ISLA, JONAS, KEIKO, LEGACY,
    LIAM, MAYA, MOBILE, NORTHWIND, OLGA, Role, VISITORS, WEBSITE,
};
use super::stage::Stage;

/// Where accounts of the workspace, and one's own, are connected.
const SHARED: &str = "/w/acme/settings/integrations";
const OWN: &str = "/account/integrations";

impl Stage {
    // The first day.

    /// Ann signs up, opens the workspace, lets her domain join, and links Taskyard at the second try.
    pub(super) fn found(&mut self) -> Result<()> {
        self.sign_up(ANN)?;
        self.after(50)?;
        let path = self.create_workspace(ANN, "Acme")?;
        ensure!(path == ACME, "the workspace is at {path}");
        self.present[ANN] = true;
        self.after(900)?;
        self.add_domain(ANN, "ann@acme.example")?;
        self.after(600)?;
        self.connect(ANN, SHARED, "ty-1001", "deny")?;
        self.after(140)?;
        self.connect(ANN, SHARED, "ty-1001", "allow")?;
        for which in [WEBSITE, MOBILE, CHECKOUT, NORTHWIND, LEGACY] {
            self.after(260)?;
            self.create_project(ANN, which)?;
        }
        self.after(500)?;
        self.install_widget(ANN, WEBSITE)
    }

    /// Everybody is asked in, one address at first mistyped; most join during the day.
    pub(super) fn invite_all(&mut self) -> Result<()> {
        self.invite_in_vain(ANN, "ben@acme", Role::Manager)?;
        for who in [BEN, CHLOE, DANIEL, EMI, FARID, GRACE, HENRIK, ISLA] {
            self.after(12)?;
            let role = self.people[who].role;
            self.invite(ANN, self.people[who].email, role)?;
        }
        for who in [BEN, CHLOE, DANIEL, EMI, FARID, GRACE, ISLA] {
            let wait = self.chance.between(300, 1500);
            self.after(wait)?;
            self.join(who)?;
        }
        Ok(())
    }

    /// Projects are put in order.
    pub(super) fn organise(&mut self) -> Result<()> {
        self.ready(BEN)?;
        let clients = self.add_group(BEN, "Clients")?;
        let products = self.add_group(BEN, "Products")?;
        self.after(45)?;
        self.set_group(BEN, NORTHWIND, &clients)?;
        for which in [WEBSITE, MOBILE, CHECKOUT] {
            self.after(20)?;
            self.set_group(BEN, which, &products)?;
        }
        Ok(())
    }

    /// Two clients are asked into the one project that concerns them; a third would be one guest too many.
    pub(super) fn invite_guests(&mut self) -> Result<()> {
        self.update_project(ANN, NORTHWIND, "members_access", "restricted")?;
        for who in [CHLOE, BEN, DANIEL, JONAS, KEIKO] {
            self.after(35)?;
            self.invite_to_project(ANN, NORTHWIND, self.people[who].email)?;
        }
        for who in [JONAS, KEIKO] {
            let wait = self.chance.between(900, 4000);
            self.after(wait)?;
            self.join(who)?;
        }
        self.after(1800)?;
        self.invite_to_project_in_vain(CHLOE, NORTHWIND, "petra@northwind.example")
    }

    /// An invitation goes to an address that cannot exist; another is opened too late and sent again.
    pub(super) fn invitations_gone_wrong(&mut self) -> Result<()> {
        self.ready(FARID)?;
        self.invite(ANN, "support@acme-helpdesk.invalid", Role::Member)?;
        self.after(240)?;
        self.invite_in_vain(FARID, "petra@acme.example", Role::Admin)?;
        Ok(())
    }

    /// Henrik was away, and his invitation has expired.
    pub(super) fn too_late(&mut self) -> Result<()> {
        let email = self.people[HENRIK].email;
        let link = self.browser(HENRIK).link(email, " invites you to ")?;
        let page = self.browser(HENRIK).open(&link)?;
        ensure!(page.status >= 400, "an expired invitation opened");
        self.after(3000)?;
        self.invite(ANN, email, Role::Member)?;
        self.after(2400)?;
        self.join(HENRIK)
    }

    // Later.

    pub(super) fn help_centre(&mut self) -> Result<()> {
        self.ready(BEN)?;
        self.create_project(BEN, HELP)?;
        self.after(200)?;
        self.update_project(
            BEN,
            HELP,
            "description",
            "Questions that visitors ask more than once.",
        )?;
        self.after(400)?;
        self.install_widget(BEN, HELP)
    }

    /// Liam comes by himself, because his address is at the domain; so does somebody who may not.
    pub(super) fn domain_join(&mut self) -> Result<()> {
        self.join_by_domain(LIAM)
    }

    pub(super) fn profiles(&mut self) -> Result<()> {
        self.ready(FARID)?;
        for (who, job) in [
            (DANIEL, "Engineer"),
            (GRACE, "Designer"),
            (FARID, "Quality assurance"),
        ] {
            self.after(500)?;
            let name = self.people[who].name;
            self.change_profile(who, name, job)?;
        }
        Ok(())
    }

    pub(super) fn new_address(&mut self) -> Result<()> {
        self.ready(EMI)?;
        self.change_email(EMI, "emi.tanaka@acme.example")
    }

    pub(super) fn export_for_the_client(&mut self) -> Result<()> {
        self.export(CHLOE, NORTHWIND)
    }

    /// Step by step towards admin.
    pub(super) fn promote(&mut self) -> Result<()> {
        self.set_role(ANN, HENRIK, Role::Manager)
    }

    pub(super) fn make_admin(&mut self) -> Result<()> {
        self.set_role(ANN, HENRIK, Role::Admin)
    }

    pub(super) fn demote(&mut self) -> Result<()> {
        self.set_role(ANN, HENRIK, Role::Manager)
    }

    pub(super) fn trust_isla(&mut self) -> Result<()> {
        self.ready(BEN)?;
        self.set_role(BEN, ISLA, Role::Manager)
    }

    /// For a moment Taskyard forgets its tokens: what is reported meanwhile does not arrive there.
    pub(super) fn outage(&mut self) -> Result<()> {
        self.ready(BEN)?;
        self.ready(FARID)?;
        let account = self.shared_account(BEN)?;
        self.update_project(BEN, CHECKOUT, "account_id", &account)?;
        self.after(300)?;
        self.report(
            FARID,
            CHECKOUT,
            "Payment page is blank after the bank's redirect",
            "high",
        )?;
        self.after(300)?;
        for (api, title) in [
            ("rejects", "Voucher field accepts a negative amount"),
            ("fails", "Totals differ between cart and invoice"),
        ] {
            self.taskyard_control(&[("api", api)])?;
            self.report(FARID, CHECKOUT, title, "high")?;
            // The clock waits for the answer of the other tool.
            self.after(240)?;
        }
        self.taskyard_control(&[])?;
        self.update_project(BEN, CHECKOUT, "account_id", "")
    }

    pub(super) fn archive(&mut self) -> Result<()> {
        self.ready(BEN)?;
        self.press(BEN, LEGACY, "archive")?;
        // The widget of an old page does not know that yet.
        self.after(2000)?;
        self.visitor_on(LEGACY, "old.acme.example", "The shop says it is closed")
    }

    pub(super) fn unarchive(&mut self) -> Result<()> {
        self.ready(BEN)?;
        self.press(BEN, LEGACY, "unarchive")?;
        self.after(900)?;
        self.update_project(BEN, LEGACY, "name", "Legacy shop (read only)")
    }

    pub(super) fn delete_project(&mut self) -> Result<()> {
        self.ready(BEN)?;
        let path = format!("{}/settings/delete", self.projects[LEGACY].path);
        self.browser(BEN)
            .must(&path, &[("name", "Legacy shop (read only)")])?;
        self.projects[LEGACY].active = false;
        self.issues.retain(|issue| issue.project != LEGACY);
        Ok(())
    }

    /// A second workspace, only to try something out: its log ends with its deletion.
    pub(super) fn sandbox(&mut self) -> Result<()> {
        let path = self.create_workspace(ANN, "Acme Sandbox")?;
        self.after(1500)?;
        self.browser(ANN).must(
            &format!("{path}/settings/delete"),
            &[("name", "Acme Sandbox")],
        )?;
        Ok(())
    }

    /// A page that was copied to another host still carries the widget.
    pub(super) fn copied_page(&mut self) -> Result<()> {
        for _ in 0..3 {
            self.visitor_on(WEBSITE, "www.acme-sale.example", "Great offer, click here")?;
            self.after(31)?;
        }
        Ok(())
    }

    pub(super) fn welcome_maya(&mut self) -> Result<()> {
        self.join_by_domain(MAYA)
    }

    pub(super) fn remove_domain(&mut self) -> Result<()> {
        let path = format!("{ACME}/settings/domains");
        let page = self.browser(ANN).open(&path)?;
        let id = page.between(&format!("{path}/"), "/");
        let id = id.unwrap_or_default();
        self.browser(ANN)
            .must(&format!("{path}/{id}/remove"), &[])?;
        // Whoever comes too late is told so, and the log knows.
        self.after(5200)?;
        Ok(())
    }

    pub(super) fn own_account(&mut self) -> Result<()> {
        self.connect(DANIEL, OWN, "ty-1003", "allow")?;
        Ok(())
    }

    pub(super) fn drop_account(&mut self) -> Result<()> {
        self.disconnect(DANIEL, "/account", OWN)?;
        self.after(4000)?;
        self.disconnect(ANN, SHARED, SHARED)
    }

    /// Liam deletes his account.
    pub(super) fn liam_goes(&mut self) -> Result<()> {
        self.delete_account(LIAM)
    }

    pub(super) fn keiko_off_the_project(&mut self) -> Result<()> {
        self.ready(BEN)?;
        self.take_off_project(BEN, NORTHWIND, KEIKO)?;
        // There is nothing left for her to do.
        self.present[KEIKO] = false;
        Ok(())
    }

    pub(super) fn keiko_leaves(&mut self) -> Result<()> {
        self.leave(KEIKO)
    }

    // The other company.

    /// Olga sets up a workspace whose log is locked.
    pub(super) fn globex(&mut self) -> Result<()> {
        self.sign_up(OLGA)?;
        self.after(60)?;
        self.create_workspace(OLGA, "Globex")?;
        Ok(())
    }

    pub(super) fn globex_day(&mut self) -> Result<()> {
        if self.signed_in[OLGA] {
            self.log_out(OLGA)
        } else {
            self.log_in(OLGA)
        }
    }

    // Visitors.

    /// Somebody reports through the widget of a project that has one.
    pub(super) fn visitor_reports(&mut self) -> Result<()> {
        if self.projects.is_empty() {
            return Ok(());
        }
        let which = if self.projects.len() > HELP && self.chance.one_in(3) {
            HELP
        } else {
            WEBSITE
        };
        let (host, title) = (super::cast::PROJECTS[which].1, self.title());
        self.visitor_on(which, host, title)
    }

    fn visitor_on(&mut self, which: usize, host: &str, title: &str) -> Result<()> {
        let place = self.chance.index(VISITORS.len());
        let (name, email, address) = VISITORS[place];
        let body = json!({
            "title": title, "description": "", "name": name, "email": email, "page_host": host, "page_path": "/",
        });
        self.widget(which, host, address, "/issues", &body)?;
        Ok(())
    }
}
