//! Issues: reported on a page of ours or through the widget, moved from status to status, forwarded.

use annals_client::actions::{IssueCreatedForm as Form, IssueCreationFailedReason as Reason};
use annals_client::{Actor, Ref, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::member::{Member, Membership, Role};
use super::permission::Deed;
use super::project::Project;
use super::text::{self, BODY_CHARS, TITLE_CHARS};
use crate::act::Act;
use crate::events;
use crate::refused::Refused;

/// Something that somebody reported.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    pub(crate) id: String,
    pub(crate) project_id: String,
    pub(crate) number: u32,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) kind: String,
    pub(crate) status: Status,
    pub(crate) priority: String,
    pub(crate) assignee_id: Option<String>,
    pub(crate) assignee_name: Option<String>,
    pub(crate) reporter_id: Option<String>,
    pub(crate) reporter_role: String,
    pub(crate) reporter_name: String,
    pub(crate) reporter_email: String,
    pub(crate) source: String,
    pub(crate) page_host: String,
    pub(crate) page_path: String,
    pub(crate) sync_state: String,
    pub(crate) sync_attempts: u32,
    pub(crate) external_key: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) comments: u32,
}

/// Where an issue stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    InProgress,
    Resolved,
    Closed,
}

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
/// Issues of one page of a list.
pub(crate) const PAGE: u32 = 50;

impl Status {
    pub(crate) const ALL: [Self; 4] = [Self::Open, Self::InProgress, Self::Resolved, Self::Closed];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Open => "Open",
            Self::InProgress => "In progress",
            Self::Resolved => "Resolved",
            Self::Closed => "Closed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

const SELECT: &str = "select issue.id, project_id, number, title, description, kind, status, priority, assignee_id, assignee.name,
    reporter_id, reporter_role, reporter_name, reporter_email, source, page_host, page_path, sync_state, sync_attempts, external_key,
    issue.created_at, (select count(*) from comment where issue_id = issue.id and comment.deleted_at is null)
    from issue left join user as assignee on assignee.id = assignee_id where issue.deleted_at is null";

impl Issue {
    /// One that a member may see, by its number in a project.
    pub(crate) fn load(
        db: &Connection,
        member: &Member,
        project: &Project,
        number: u32,
    ) -> Result<Self, Refused> {
        let sql = format!("{SELECT} and project_id = ?1 and number = ?2");
        let found = db
            .prepare_cached(&sql)?
            .query_row(params![project.id, number], Self::read)
            .optional()?;
        found
            .filter(|issue| issue.is_visible_to(member))
            .ok_or_else(Refused::not_found)
    }

    pub(crate) fn by_id(db: &Connection, id: &str) -> Result<Option<Self>, Refused> {
        let sql = format!("{SELECT} and issue.id = ?1");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([id], Self::read)
            .optional()?)
    }

    /// Those of a project that a member may see, newest first: `status` or all, below `before` where that is given.
    pub(crate) fn list(
        db: &Connection,
        member: &Member,
        project: &Project,
        filter: Filter<'_>,
    ) -> Result<Vec<Self>, Refused> {
        let sql = format!(
            "{SELECT} and project_id = ?1 and (?2 or reporter_role <> 'member' or reporter_id = ?3)
             and (?4 = '' or instr(',' || ?4 || ',', ',' || status || ',') > 0) and (?5 = 0 or number < ?5)
             and (?6 = '' or instr(lower(title), lower(?6)) > 0)
             order by number desc limit ?7"
        );
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![
                project.id,
                member.may(Deed::SeeMembersIssues),
                member.user.id,
                filter.statuses,
                filter.before,
                filter.text,
                filter.limit
            ],
            Self::read,
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many of each status a member may see, in the order of [`Status::ALL`].
    pub(crate) fn counts(
        db: &Connection,
        member: &Member,
        project: &Project,
    ) -> Result<[u64; 4], Refused> {
        let mut statement = db.prepare_cached(
            "select status, count(*) from issue where project_id = ?1 and deleted_at is null
             and (?2 or reporter_role <> 'member' or reporter_id = ?3) group by status",
        )?;
        let may = member.may(Deed::SeeMembersIssues);
        let mut rows = statement.query(params![project.id, may, member.user.id])?;
        let mut counts = [0; 4];
        while let Some(row) = rows.next()? {
            let status: String = row.get(0)?;
            if let Some(place) = Status::ALL
                .iter()
                .position(|known| known.as_str() == status)
            {
                counts[place] = row.get(1)?;
            }
        }
        Ok(counts)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            project_id: row.get(1)?,
            number: row.get(2)?,
            title: row.get(3)?,
            description: row.get(4)?,
            kind: row.get(5)?,
            // The table allows no other word.
            status: Status::parse(&row.get::<_, String>(6)?).unwrap_or(Status::Open),
            priority: row.get(7)?,
            assignee_id: row.get(8)?,
            assignee_name: row.get(9)?,
            reporter_id: row.get(10)?,
            reporter_role: row.get(11)?,
            reporter_name: row.get(12)?,
            reporter_email: row.get(13)?,
            source: row.get(14)?,
            page_host: row.get(15)?,
            page_path: row.get(16)?,
            sync_state: row.get(17)?,
            sync_attempts: row.get(18)?,
            external_key: row.get(19)?,
            created_at: Timestamp::clamped(row.get(20)?),
            comments: row.get(21)?,
        })
    }

    pub(crate) fn target(&self) -> Ref {
        Ref::new(&self.id).named(format!("#{} {}", self.number, self.title))
    }

    fn is_visible_to(&self, member: &Member) -> bool {
        member.may(Deed::SeeMembersIssues) || self.reporter_role != "member" || self.is_by(member)
    }

    pub(crate) fn is_by(&self, member: &Member) -> bool {
        self.reporter_id.as_deref() == Some(&member.user.id)
    }
}

/// Which issues of a project.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filter<'a> {
    /// Words of [`Status`] with commas between; empty for all.
    pub(crate) statuses: &'a str,
    /// Numbers below this one; 0 for all.
    pub(crate) before: u32,
    /// What stands in the title; empty for all.
    pub(crate) text: &'a str,
    pub(crate) limit: u32,
}

impl Reporter {
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
        .map(|id| super::integration::Account::by_id(act.db, id))
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

/// Moves an issue to another status.
pub(crate) fn set_status(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    number: u32,
    status: &str,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ChangeStatus)?;
    let project = Project::load(act.db, &by, &project.id)?;
    project.must_be_active()?;
    let issue = Issue::load(act.db, &by, &project, number)?;
    let status = Status::parse(status)
        .ok_or_else(|| Refused::invalid("status", "Choose one of the list."))?;
    if status == issue.status {
        return Ok(());
    }
    act.db.execute(
        "update issue set status = ?2, updated_at = ?3 where id = ?1",
        params![issue.id, status.as_str(), act.now.as_micros()],
    )?;
    act.record(
        &by.workspace.id,
        events::issue::status_updated(&by, &project, &issue, status),
    )
}

/// Gives an issue to somebody, or to nobody. (The catalogue has no event for it.)
pub(crate) fn assign(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    number: u32,
    assignee: &str,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ChangeStatus)?;
    let project = Project::load(act.db, &by, &project.id)?;
    project.must_be_active()?;
    let issue = Issue::load(act.db, &by, &project, number)?;
    let assignee = (!assignee.is_empty()).then_some(assignee);
    if let Some(assignee) = assignee
        && Membership::find(act.db, &by.workspace.id, assignee)?
            .is_none_or(|membership| membership.role == Role::Guest)
    {
        return Err(Refused::invalid(
            "assignee_id",
            "Choose a member of this workspace.",
        ));
    }
    act.db.execute(
        "update issue set assignee_id = ?2, updated_at = ?3 where id = ?1",
        params![issue.id, assignee, act.now.as_micros()],
    )?;
    Ok(())
}

/// Takes an issue away, with its comments.
pub(crate) fn delete(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    number: u32,
) -> Result<(), Refused> {
    let by = by.again(act.db)?;
    let project = Project::load(act.db, &by, &project.id)?;
    project.must_be_active()?;
    let issue = Issue::load(act.db, &by, &project, number)?;
    if !issue.is_by(&by) {
        by.must(Deed::DeleteOthersIssues)?;
    }
    act.db.execute(
        "update issue set deleted_at = ?2, sync_state = 'none' where id = ?1",
        params![issue.id, act.now.as_micros()],
    )?;
    act.record(
        &by.workspace.id,
        events::issue::deleted(&by, &project, &issue),
    )
}
