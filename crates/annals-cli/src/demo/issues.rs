//! What people do with issues, in the tracker's pages and through its widget.

use anyhow::{Context as _, Result};

use super::stage::{Issue, Stage};

impl Stage {
    pub(crate) fn report(
        &mut self,
        by: usize,
        which: usize,
        title: &str,
        priority: &str,
    ) -> Result<()> {
        let path = format!("{}/new", self.projects[which].path);
        let fields = [
            ("title", title),
            ("description", ""),
            ("kind", "bug"),
            ("priority", priority),
            ("assignee_id", ""),
        ];
        let path = self.must(by, &path, &fields)?.went()?;
        self.issues.push(Issue {
            project: which,
            path,
            status: "open",
            by: Some(by),
        });
        Ok(())
    }

    pub(crate) fn set_status(
        &mut self,
        by: usize,
        issue: usize,
        status: &'static str,
    ) -> Result<()> {
        let path = format!("{}/status", self.issues[issue].path);
        self.must(by, &path, &[("status", status)])?;
        self.issues[issue].status = status;
        Ok(())
    }

    pub(crate) fn comment(
        &mut self,
        by: usize,
        issue: usize,
        body: &str,
        quietly: bool,
    ) -> Result<()> {
        let path = format!("{}/comments", self.issues[issue].path);
        let mut fields = vec![("body", body)];
        if quietly {
            fields.push(("members_only", "on"));
        }
        self.must(by, &path, &fields)?;
        Ok(())
    }

    /// The id of the newest comment on an issue that this person may do something with.
    pub(crate) fn newest_comment(&mut self, by: usize, issue: usize) -> Result<Option<String>> {
        let path = self.issues[issue].path.clone();
        let page = self.browser(by).open(&path)?;
        let found = page
            .body
            .rsplit_once(&format!("{path}/comments/"))
            .map(|(_, rest)| rest);
        Ok(found
            .and_then(|rest| rest.split(['/', '"']).next())
            .map(str::to_owned))
    }

    pub(crate) fn edit_comment(
        &mut self,
        by: usize,
        issue: usize,
        id: &str,
        body: &str,
    ) -> Result<()> {
        let path = format!("{}/comments/{id}/edit", self.issues[issue].path);
        self.must(by, &path, &[("body", body)])?;
        Ok(())
    }

    pub(crate) fn delete_comment(&mut self, by: usize, issue: usize, id: &str) -> Result<()> {
        let path = format!("{}/comments/{id}/delete", self.issues[issue].path);
        self.must(by, &path, &[])?;
        Ok(())
    }

    pub(crate) fn delete_issue(&mut self, by: usize, issue: usize) -> Result<()> {
        let path = format!("{}/delete", self.issues[issue].path);
        self.must(by, &path, &[])?;
        self.issues.remove(issue);
        Ok(())
    }

    /// Posts to a project's widget as a visitor's browser would, from a page on `host`.
    pub(crate) fn widget(
        &mut self,
        which: usize,
        host: &str,
        address: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<u16> {
        let key = &self.projects[which].widget;
        let answer = self
            .agent
            .post(format!("{}/widget/{key}{path}", self.tracker))
            .header("origin", format!("https://{host}"))
            .header("x-forwarded-for", address)
            .header("user-agent", super::cast::PHONE)
            .header("content-type", "application/json")
            .send(body.to_string());
        Ok(answer
            .context("the widget cannot be reached")?
            .status()
            .as_u16())
    }
}
