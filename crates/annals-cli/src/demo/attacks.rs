//! Three things in the sample month that somebody should look into: the founder's password is guessed
//! at night; one password is tried on everybody and opens one account; a contractor takes leave.

use anyhow::Result;

use super::acts::ACME;
use super::browser::Browser;
use super::cast::{
    ANN, CHECKOUT, CHLOE, DANIEL, EMI, FARID, GRACE, GUESSER, HENRIK, ISLA, MOBILE, NORTHWIND,
    SCRIPT, SPRAYER, WEBSITE,
};
use super::stage::Stage;

impl Stage {
    /// A script guesses the founder's password for some minutes, until the account is locked.
    pub(super) fn guessing(&mut self) -> Result<()> {
        let mut script = Browser::new(&self.agent, &self.tracker, GUESSER, SCRIPT);
        let email = self.people[ANN].email;
        for n in 0..34 {
            let wait = self.chance.between(7, 17);
            self.after(wait)?;
            script.refused(
                "/login",
                &[("email", email), ("password", &format!("annkeller{n}"))],
            )?;
        }
        Ok(())
    }

    /// In the morning she signs in with a code and sets a new password.
    pub(super) fn after_guessing(&mut self) -> Result<()> {
        self.log_in_by_code(ANN)?;
        self.after(300)?;
        self.change_password(ANN, "ann-changed-the-locks")
    }

    /// One guess for each account, and it fits one of them. What is done with it: a foreign account
    /// is linked, and three projects are exported.
    pub(super) fn spraying(&mut self) -> Result<()> {
        let mut script = Browser::new(&self.agent, &self.tracker, SPRAYER, SCRIPT);
        for guess in ["acme-acme-2026", "november-2026", "welcome-to-acme"] {
            for who in [ANN, DANIEL, EMI, FARID, GRACE, HENRIK, ISLA] {
                let wait = self.chance.between(18, 55);
                self.after(wait)?;
                script.refused(
                    "/login",
                    &[("email", self.people[who].email), ("password", guess)],
                )?;
            }
        }
        self.after(31)?;
        // From here on the script is Chloé to the tracker.
        let own = std::mem::replace(&mut self.browsers[CHLOE], script);
        let done = self.as_chloe();
        self.browsers[CHLOE] = own;
        done
    }

    fn as_chloe(&mut self) -> Result<()> {
        self.log_in(CHLOE)?;
        self.after(140)?;
        self.connect(CHLOE, "/account/integrations", "ty-1003", "allow")?;
        for which in [NORTHWIND, WEBSITE, CHECKOUT] {
            self.after(47)?;
            self.export(CHLOE, which)?;
        }
        Ok(())
    }

    /// Chloé notices in the morning, recovers the account and takes the foreign link off.
    pub(super) fn recovery(&mut self) -> Result<()> {
        self.recover(CHLOE, "chloe-plans-much-further")?;
        self.after(30)?;
        self.log_in(CHLOE)?;
        self.after(600)?;
        self.disconnect(CHLOE, "/account", "/account/integrations")
    }

    /// On the last afternoon the contractor exports what there is and deletes what she reported; she is
    /// removed, and in the evening tries her old invitation.
    pub(super) fn last_afternoon(&mut self) -> Result<()> {
        self.ready(ISLA)?;
        for which in [WEBSITE, MOBILE, CHECKOUT] {
            self.after(38)?;
            self.export(ISLA, which)?;
        }
        for _ in 0..7 {
            let Some(issue) = self.issues.iter().rposition(|issue| issue.by == Some(ISLA)) else {
                break;
            };
            self.after(12)?;
            self.delete_issue(ISLA, issue)?;
        }
        Ok(())
    }

    pub(super) fn offboarding(&mut self) -> Result<()> {
        self.remove(ANN, ISLA)?;
        self.after(9300)?;
        let email = self.people[ISLA].email;
        let link = self.browser(ISLA).old_link(email, " invites you to ")?;
        for _ in 0..2 {
            self.after(88)?;
            self.browser(ISLA).open(&link)?;
            self.browser(ISLA).open(&format!("{ACME}/members"))?;
        }
        Ok(())
    }
}
