//! Reporting an issue, on a page of ours or through the widget.

use annals_client::Actor;
use annals_client::actions::{IssueCreatedForm as Form, IssueCreationFailedReason as Reason};
use rusqlite::{Connection, params};

use super::integration::Account;
use super::issue::Issue;
use super::member::{Member, Membership, Role};
use super::project::Project;
use super::text::{self, BODY_CHARS, TITLE_CHARS};
use super::workspace::Workspace;
use crate::act::Act;
use crate::events;
use crate::refused::Refused;

/// What somebody reports.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) kind: String,
    pub(crate) priority: String,
    pub(crate) assignee_id: Option<String>,
    /// The page that it is about, where the widget knows.
    pub(crate) page_host: String,
    pub(crate) page_path: String,
}

/// Who reports it.
#[derive(Clone, Debug)]
pub(crate) enum Reporter {
    Member(Box<Member>),
    /// A visitor of a page with the widget; name and address are what he says.
    Visitor {
        name: String,
        email: String,
    },
}

pub(crate) const KINDS: [&str; 3] = ["bug", "task", "idea"];
pub(crate) const PRIORITIES: [&str; 4] = ["low", "normal", "high", "urgent"];

impl Reporter {
    /// Who is said to have reported an issue: the member, as long as he is one.
    pub(crate) fn of(db: &Connection, issue: &Issue) -> Result<Self, Refused> {
        if let Some(user) = &issue.reporter_id
            && let Some(project) = Project::by_id(db, &issue.project_id)?
            && let Some(workspace) = Workspace::by_id(db, &project.workspace_id)?
            && let Some(member) = Member::find(db, workspace, user)?
        {
            return Ok(Self::Member(Box::new(member)));
        }
        Ok(Self::Visitor {
            name: issue.reporter_name.clone(),
            email: issue.reporter_email.clone(),
        })
    }

    /// As the one who acts. What a visitor says of himself is a claim.
    pub(crate) fn actor(&self) -> Actor {
        match self {
            Self::Member(member) => member.actor(),
            Self::Visitor { name, email } => {
                let mut actor = Actor::new("reporter", "anonymous");
                if !name.is_empty() {
                    actor = actor.named(name);
                }
                if !email.is_empty() {
                    actor = actor.with_email(email);
                }
                actor
            }
        }
    }

    fn role(&self) -> &'static str {
        match self {
            Self::Member(member) if member.role == Role::Guest => "guest",
            Self::Member(_) => "member",
            Self::Visitor { .. } => "reporter",
        }
    }

    pub(crate) fn form(&self) -> Form {
        match self {
            Self::Member(member) if member.role > Role::Guest => Form::Member,
            _ => Form::Guest,
        }
    }
}

/// Stores an issue. If the project forwards to another tool, that comes after the commit.
pub(crate) fn create(
    act: &Act<'_>,
    reporter: &Reporter,
    project: &Project,
    source: &'static str,
    report: &Report,
) -> Result<Issue, Refused> {
    let project = project.again(act.db)?;
    let reporter = match reporter {
        Reporter::Member(member) => Reporter::Member(Box::new(member.again(act.db)?)),
        visitor @ Reporter::Visitor { .. } => visitor.clone(),
    };
    let refuse =
        |refused: Refused, reason| creation_failed(refused, &reporter, &project, source, reason);
    if project.archived_at.is_some() {
        return Err(refuse(
            Refused::conflict("This project is archived and takes no issues."),
            Reason::ProjectArchived,
        ));
    }
    let checked = check(act.db, &project, &reporter, report)
        .map_err(|refused| refuse(refused, Reason::ValidationFailed))?;

    let number: u32 = act.db.query_row(
        "update project set last_issue_number = last_issue_number + 1 where id = ?1 returning last_issue_number",
        [&project.id],
        |row| row.get(0),
    )?;
    let (reporter_id, name, email) = match &reporter {
        Reporter::Member(member) => (
            Some(member.user.id.as_str()),
            member.user.name.as_str(),
            member.user.email.as_str(),
        ),
        Reporter::Visitor { name, email } => (None, name.as_str(), email.as_str()),
    };
    let id = act.id("iss");
    act.db.execute(
        "insert into issue (id, project_id, number, title, description, kind, status, priority, assignee_id, reporter_id, reporter_role,
             reporter_name, reporter_email, source, page_host, page_path, sync_state, created_at, updated_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, 'open', ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17)",
        params![
            id,
            project.id,
            number,
            checked.title,
            checked.description,
            checked.kind,
            checked.priority,
            checked.assignee_id,
            reporter_id,
            reporter.role(),
            name,
            email,
            source,
            checked.page_host,
            checked.page_path,
            if project.account_id.is_some() { "pending" } else { "none" },
            act.now.as_micros()
        ],
    )?;
    let issue = Issue::by_id(act.db, &id)?.ok_or_else(Refused::not_found)?;
    let account = project
        .account_id
        .as_deref()
        .map(|id| Account::by_id(act.db, id))
        .transpose()?
        .flatten();
    act.record(
        &project.workspace_id,
        events::issue::created(&reporter, &project, &issue, account.as_ref()),
    )?;
    Ok(issue)
}

/// What is reported, if all of it can be meant.
fn check(
    db: &Connection,
    project: &Project,
    reporter: &Reporter,
    report: &Report,
) -> Result<Report, Refused> {
    let word = |field: &'static str, word: &str, words: &[&str], usual: &str| match word {
        "" => Ok(usual.to_owned()),
        word if words.contains(&word) => Ok(word.to_owned()),
        _ => Err(Refused::invalid(field, "Choose one of the list.")),
    };
    let chosen = report
        .assignee_id
        .clone()
        .filter(|chosen| !chosen.is_empty());
    let assignee = match (chosen, reporter) {
        // Guests and visitors assign nobody.
        (Some(chosen), Reporter::Member(member)) if member.role > Role::Guest => Some(chosen),
        _ => project.default_assignee_id.clone(),
    };
    let belongs = |user: &str| {
        Ok::<_, Refused>(
            Membership::find(db, &project.workspace_id, user)?
                .is_some_and(|membership| membership.role > Role::Guest),
        )
    };
    if let Some(assignee) = &assignee
        && !belongs(assignee)?
    {
        return Err(Refused::invalid(
            "assignee_id",
            "Choose a member of this workspace.",
        ));
    }
    Ok(Report {
        title: text::line("title", &report.title, TITLE_CHARS)?,
        description: text::body("description", &report.description, BODY_CHARS)?,
        kind: word("kind", &report.kind, &KINDS, "bug")?,
        priority: word("priority", &report.priority, &PRIORITIES, "normal")?,
        assignee_id: assignee,
        page_host: text::host("page", &report.page_host)?,
        page_path: text::optional_line("page", &report.page_path, 1_000)?,
    })
}

/// The refusal, with what is recorded of the attempt: that it was made and why it failed, nothing of what was reported.
pub(crate) fn creation_failed(
    refused: Refused,
    reporter: &Reporter,
    project: &Project,
    source: &'static str,
    reason: Reason,
) -> Refused {
    let event = events::issue::creation_failed(reporter, project, source, reason);
    let workspace = project.workspace_id.clone();
    if let Reporter::Member(_) = reporter {
        return refused.recording(move |act| act.record(&workspace, event));
    }
    // Anybody can cause these: within a minute, one stands for all.
    let context = annals_client::RequestContext::current();
    let address = context
        .and_then(|context| context.context().location.clone())
        .unwrap_or_default();
    let same = format!(
        "issue/{}/{}/{}",
        project.id,
        reason.as_str(),
        crate::collapse::network(&address)
    );
    refused.recording_once(same, [workspace], event)
}
