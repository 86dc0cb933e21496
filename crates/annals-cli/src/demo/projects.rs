//! What people do with projects and with accounts at other tools, each as the tracker's pages let them.

use anyhow::{Context as _, Result};
use url::Url;

use super::acts::ACME;
use super::browser::{Page, path_of};
use super::cast::PROJECTS;
use super::stage::{Project, Stage};

impl Stage {
    pub(crate) fn create_project(&mut self, by: usize, which: usize) -> Result<()> {
        let (name, host) = PROJECTS[which];
        let fields = [
            ("name", name),
            ("website_host", host),
            ("description", ""),
            ("members_access", "all"),
            ("account_id", ""),
            ("default_assignee_id", ""),
            ("group_id", ""),
        ];
        let path = self
            .must(by, &format!("{ACME}/projects/new"), &fields)?
            .went()?;
        let settings = self.browser(by).open(&format!("{path}/settings"))?;
        let widget = settings
            .between("data-project=&#34;", "&#34;")
            .context("the settings show no snippet")?;
        if self.projects.len() <= which {
            self.projects.resize_with(which + 1, Project::missing);
        }
        self.projects[which] = Project {
            path,
            widget,
            active: true,
        };
        Ok(())
    }

    /// Changes one field of a project's settings and leaves the others as they are.
    pub(crate) fn update_project(
        &mut self,
        by: usize,
        which: usize,
        field: &str,
        value: &str,
    ) -> Result<()> {
        let path = format!("{}/settings", self.projects[which].path);
        let page = self.browser(by).open(&path)?;
        let fields = page.form(&path);
        let fields: Vec<(&str, &str)> = fields
            .iter()
            .map(|(name, now)| {
                (
                    name.as_str(),
                    if name == field { value } else { now.as_str() },
                )
            })
            .filter(|(name, _)| *name != "csrf")
            .collect();
        self.must(by, &path, &fields)?;
        Ok(())
    }

    /// Does what one button of a project's settings does: `archive`, `unarchive`.
    pub(crate) fn press(&mut self, by: usize, which: usize, what: &str) -> Result<()> {
        let path = format!("{}/settings/{what}", self.projects[which].path);
        self.must(by, &path, &[])?;
        self.projects[which].active = what != "archive";
        Ok(())
    }

    pub(crate) fn add_group(&mut self, by: usize, name: &str) -> Result<String> {
        self.must(by, &format!("{ACME}/settings/groups"), &[("name", name)])?;
        let path = format!("{}/settings", self.projects[0].path);
        let page = self.browser(by).open(&path)?;
        // A choice of the list: its value is the id, its text the name.
        let (before, _) = page
            .body
            .split_once(&format!(">{name}</option>"))
            .context("the group is not to be chosen")?;
        let (_, value) = before
            .rsplit_once("value=\"")
            .context("a choice has a value")?;
        Ok(value.split('"').next().unwrap_or_default().to_owned())
    }

    pub(crate) fn set_group(&mut self, by: usize, which: usize, group: &str) -> Result<()> {
        let path = format!("{}/settings/group", self.projects[which].path);
        self.must(by, &path, &[("group_id", group)])?;
        Ok(())
    }

    /// Says where the widget is, and lets a page there load it.
    pub(crate) fn install_widget(&mut self, by: usize, which: usize) -> Result<()> {
        let path = format!("{}/settings/widget", self.projects[which].path);
        let host = PROJECTS[which].1;
        self.must(
            by,
            &path,
            &[("visibility", "everyone"), ("allowed_hosts", host)],
        )?;
        self.after(600)?;
        self.widget(
            which,
            host,
            "192.0.2.120",
            "/ping",
            &serde_json::json!({ "page_host": host, "page_path": "/" }),
        )?;
        Ok(())
    }

    pub(crate) fn export(&mut self, by: usize, which: usize) -> Result<()> {
        let path = format!("{}/exports", self.projects[which].path);
        let file = self
            .must(by, &path, &[("status", ""), ("include_comments", "on")])?
            .went()?;
        self.browser(by).open(&file)?;
        Ok(())
    }

    pub(crate) fn invite_to_project(&mut self, by: usize, which: usize, email: &str) -> Result<()> {
        let path = format!("{}/people/invite", self.projects[which].path);
        self.must(by, &path, &[("email", email)])?;
        Ok(())
    }

    pub(crate) fn invite_to_project_in_vain(
        &mut self,
        by: usize,
        which: usize,
        email: &str,
    ) -> Result<()> {
        let path = format!("{}/people/invite", self.projects[which].path);
        self.browser(by).refused(&path, &[("email", email)])?;
        Ok(())
    }

    pub(crate) fn take_off_project(&mut self, by: usize, which: usize, whom: usize) -> Result<()> {
        let path = format!("{}/people", self.projects[which].path);
        let page = self.browser(by).open(&path)?;
        let email = self.people[whom].email;
        let (_, after) = page
            .body
            .split_once(email)
            .context("is not on the project")?;
        let id = after
            .split_once("/people/")
            .and_then(|(_, rest)| rest.split_once('/'));
        let id = id
            .map(|(id, _)| id.to_owned())
            .context("cannot be taken off the project")?;
        self.must(by, &format!("{path}/{id}/remove"), &[])?;
        Ok(())
    }

    // Other tools.

    /// Goes to Taskyard, says yes or no there, and comes back. `from` is whose accounts it is for: a workspace's or one's own.
    pub(crate) fn connect(
        &mut self,
        who: usize,
        from: &str,
        account: &str,
        answer: &str,
    ) -> Result<Page> {
        let page = self.must(who, &format!("{from}/taskyard/connect"), &[])?;
        let there = page
            .location
            .context("the tracker sent nobody to Taskyard")?;
        let asked = Url::parse(&there).context("Taskyard has no address")?;
        let mut form: Vec<(String, String)> = asked.query_pairs().into_owned().collect();
        form.push(("account".to_owned(), account.to_owned()));
        form.push(("answer".to_owned(), answer.to_owned()));
        let form = form
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let said = self
            .agent
            .post(format!("{}/oauth/authorize", self.taskyard))
            .send_form(form);
        let said = said.context("Taskyard cannot be reached")?;
        let back = said
            .headers()
            .get("location")
            .and_then(|to| to.to_str().ok());
        let back = path_of(back.context("Taskyard sent nobody back")?);
        self.after(22)?;
        self.browser(who).open(&back)
    }

    /// Unlinks the only account of the page `from`.
    pub(crate) fn disconnect(&mut self, who: usize, page: &str, from: &str) -> Result<()> {
        let page = self.browser(who).open(page)?;
        let id = page
            .between(&format!("{from}/"), "/delete")
            .context("there is no account to unlink")?;
        let id = id.rsplit('/').next().unwrap_or_default().to_owned();
        self.must(who, &format!("{from}/{id}/delete"), &[])?;
        Ok(())
    }

    /// The id of the workspace's account at Taskyard, as a project may choose it.
    pub(crate) fn shared_account(&mut self, by: usize) -> Result<String> {
        let path = format!("{}/settings", self.projects[0].path);
        let page = self.browser(by).open(&path)?;
        let found = page
            .body
            .split_once("name=\"account_id\"")
            .and_then(|(_, rest)| rest.split_once("value=\"iac_"));
        let id = found.and_then(|(_, rest)| rest.split('"').next());
        id.map(|id| format!("iac_{id}"))
            .context("no account is to be chosen")
    }

    /// Lets Taskyard misbehave, or behave again.
    pub(crate) fn taskyard_control(&mut self, form: &[(&str, &str)]) -> Result<()> {
        let answer = self
            .agent
            .post(format!("{}/control", self.taskyard))
            .send_form(form.iter().copied());
        answer.context("Taskyard cannot be reached")?;
        Ok(())
    }
}
