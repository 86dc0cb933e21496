//! Forwarding an issue to another tool: after the commit, outside of any transaction, and noted when the tool has answered.

use annals_client::actions::IssueCreationFailedReason as Reason;
use rusqlite::Connection;

use super::integration::{self, Account};
use super::issue::Issue;
use super::member::Member;
use super::permission::Deed;
use super::project::Project;
use super::report::Reporter;
use crate::act::Act;
use crate::events;
use crate::oauth::ForwardFailure;
use crate::refused::Refused;

/// An issue on its way.
#[derive(Clone, Debug)]
pub(crate) struct Parcel {
    pub(crate) issue: Issue,
    pub(crate) project: Project,
    pub(crate) account: Account,
}

/// What waits to be forwarded and where it goes. An issue whose project forwards nowhere any more waits for nothing.
pub(crate) fn parcel(db: &Connection, issue: &str) -> Result<Option<Parcel>, Refused> {
    let Some(issue) = Issue::by_id(db, issue)?.filter(|issue| issue.sync_state == "pending") else {
        return Ok(None);
    };
    let destination = integration::destination(db, &issue.project_id)?;
    Ok(destination.map(|(project, account)| Parcel {
        issue,
        project,
        account,
    }))
}

/// What waits: after a start, whatever was on its way when the process ended.
pub(crate) fn waiting(db: &Connection) -> Result<Vec<String>, Refused> {
    let mut statement = db.prepare_cached("select id from issue where sync_state = 'pending' and deleted_at is null order by id limit 1000")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Asks for an issue to be sent again.
pub(crate) fn again(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    number: u32,
) -> Result<Issue, Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ChangeStatus)?;
    let project = Project::load(act.db, &by, &project.id)?;
    project.must_be_active()?;
    let issue = Issue::load(act.db, &by, &project, number)?;
    if issue.sync_state == "synced" || issue.sync_state == "pending" {
        return Ok(issue);
    }
    if project.account_id.is_none() {
        return Err(Refused::conflict(
            "This project forwards its issues nowhere. Choose an account in its settings.",
        ));
    }
    act.db.execute(
        "update issue set sync_state = 'pending' where id = ?1",
        [&issue.id],
    )?;
    Ok(issue)
}

/// Notes what the tool said.
pub(crate) fn done(
    act: &Act<'_>,
    parcel: &Parcel,
    reporter: &Reporter,
    answer: Result<String, ForwardFailure>,
) -> Result<(), Refused> {
    // Between the call and its answer the issue may have gone.
    let Some(issue) =
        Issue::by_id(act.db, &parcel.issue.id)?.filter(|issue| issue.sync_state == "pending")
    else {
        return Ok(());
    };
    let attempt = issue.sync_attempts + 1;
    let failure = match answer {
        Ok(key) => {
            act.db.execute(
                "update issue set sync_state = 'synced', external_key = ?2, sync_attempts = ?3 where id = ?1",
                rusqlite::params![issue.id, key, attempt],
            )?;
            return Ok(());
        }
        Err(failure) => failure,
    };
    act.db.execute(
        "update issue set sync_state = 'failed', sync_attempts = ?2 where id = ?1",
        rusqlite::params![issue.id, attempt],
    )?;
    let reason = match failure {
        ForwardFailure::AuthExpired { .. } => Reason::IntegrationAuthExpired,
        ForwardFailure::Rejected { .. } => Reason::IntegrationRejected,
        ForwardFailure::Unreachable { .. } => Reason::IntegrationUnreachable,
        ForwardFailure::RateLimited => Reason::IntegrationRateLimited,
    };
    if reason == Reason::IntegrationAuthExpired {
        act.db.execute("update integration_account set state = 'needs_reauth' where id = ?1 and state = 'connected'", [&parcel.account.id])?;
    }
    let event = events::issue::forwarding_failed(reporter, parcel, reason, &failure, attempt);
    act.record(&parcel.project.workspace_id, event)
}
