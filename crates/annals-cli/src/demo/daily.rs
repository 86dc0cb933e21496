//! Ordinary work: issues are reported, talked about and resolved.

use anyhow::Result;

use super::cast::{CHECKOUT, HELP, MOBILE, NORTHWIND, REMARKS, Role, TITLES, WEBSITE};
use super::stage::{Stage, desk};

impl Stage {
    pub(super) fn title(&mut self) -> &'static str {
        self.chance.pick(&TITLES)
    }

    /// Somebody arrives: signs in where the session has ended, each in his own way.
    pub(super) fn arrives(&mut self, who: usize) -> Result<()> {
        if !self.present[who] || self.signed_in[who] {
            return Ok(());
        }
        match self.chance.between(1, 12) {
            1 => self.log_in_by_code(who),
            2 => self.log_in_after_a_typo(who),
            _ => self.log_in(who),
        }
    }

    /// Signs somebody in who went home the evening before and has not arrived yet.
    pub(super) fn ready(&mut self, who: usize) -> Result<()> {
        if self.present[who] && !self.signed_in[who] {
            self.log_in(who)?;
            self.after(30)?;
        }
        Ok(())
    }

    /// Somebody works on a weekend, at home.
    pub(super) fn works_at_home(&mut self, who: usize) -> Result<()> {
        let (home, desk) = (self.people[who].home, desk(&self.people[who]));
        self.browser(who).moves_to(home);
        let done = self.works(who);
        self.browser(who).moves_to(desk);
        done
    }

    /// Somebody goes home.
    pub(super) fn goes(&mut self, who: usize) -> Result<()> {
        if !self.present[who] || !self.signed_in[who] || !self.people[who].tidy {
            return Ok(());
        }
        self.log_out(who)
    }

    /// A spell of work: one to three things, one after the other.
    pub(super) fn works(&mut self, who: usize) -> Result<()> {
        if !self.present[who] {
            return Ok(());
        }
        self.arrives(who)?;
        for n in 0..self.chance.between(1, 3) {
            if n > 0 {
                let pause = self.chance.between(15, 160);
                self.after(pause)?;
            }
            self.works_a_bit(who)?;
        }
        Ok(())
    }

    fn works_a_bit(&mut self, who: usize) -> Result<()> {
        let is_guest = self.people[who].role == Role::Guest;
        let Some(issue) = self.issue_for(who) else {
            return self.reports(who);
        };
        match self.chance.between(1, 20) {
            1..=6 => self.reports(who),
            7..=12 if !is_guest => {
                let next = match self.issues[issue].status {
                    "open" => "in_progress",
                    "in_progress" => "resolved",
                    "resolved" if self.chance.one_in(6) => "open",
                    _ => "closed",
                };
                if next == self.issues[issue].status {
                    return self.reports(who);
                }
                self.set_status(who, issue, next)
            }
            18 => {
                self.remarks(who, issue)?;
                self.after(40)?;
                let Some(comment) = self.newest_comment(who, issue)? else {
                    return Ok(());
                };
                self.edit_comment(
                    who,
                    issue,
                    &comment,
                    "Forget the part about the cache, it was the proxy.",
                )
            }
            19 => {
                self.remarks(who, issue)?;
                self.after(25)?;
                let Some(comment) = self.newest_comment(who, issue)? else {
                    return Ok(());
                };
                self.delete_comment(who, issue, &comment)
            }
            20 if self.issues[issue].by == Some(who) && self.issues.len() > 12 => {
                self.delete_issue(who, issue)
            }
            _ => self.remarks(who, issue),
        }
    }

    fn reports(&mut self, who: usize) -> Result<()> {
        let which = if self.people[who].role == Role::Guest {
            NORTHWIND
        } else {
            *self
                .chance
                .one_of(&[WEBSITE, WEBSITE, MOBILE, MOBILE, CHECKOUT, HELP])
        };
        let which = if self
            .projects
            .get(which)
            .is_some_and(|project| project.active)
        {
            which
        } else {
            WEBSITE
        };
        let title = self.title();
        let priority = *self.chance.one_of(&["low", "normal", "normal", "high"]);
        self.report(who, which, title, priority)
    }

    fn remarks(&mut self, who: usize, issue: usize) -> Result<()> {
        let body = *self.chance.one_of(&REMARKS);
        let quietly = self.people[who].role != Role::Guest && self.chance.one_in(5);
        self.comment(who, issue, body, quietly)
    }

    /// One of the newer issues that this person can see.
    fn issue_for(&mut self, who: usize) -> Option<usize> {
        let is_guest = self.people[who].role == Role::Guest;
        let seen: Vec<usize> = (0..self.issues.len())
            .rev()
            .filter(|n| {
                let issue = &self.issues[*n];
                let theirs = if is_guest {
                    issue.by == Some(who)
                } else {
                    issue.project != NORTHWIND
                };
                theirs && issue.status != "closed" && self.projects[issue.project].active
            })
            .take(14)
            .collect();
        let place = self.chance.index(seen.len());
        seen.get(place).copied()
    }
}
