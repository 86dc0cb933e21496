//! Exports: a project's issues as CSV. What is recorded is the request, before there is a file.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::issue::{Filter, Issue, Status};
use super::member::Member;
use super::permission::Deed;
use super::project::Project;
use crate::act::Act;
use crate::clock::later;
use crate::events;
use crate::refused::Refused;

use annals_client::Timestamp;

/// How long a requested file can be downloaded.
pub(crate) const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Issues of one file.
const ROWS_MAX: u32 = 100_000;

/// A file that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Export {
    pub(crate) id: String,
    pub(crate) status_filter: String,
    pub(crate) include_comments: bool,
    pub(crate) requested_by: String,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

impl Export {
    /// Those of a project that can be downloaded still, newest first.
    pub(crate) fn list(
        db: &Connection,
        project: &Project,
        now: Timestamp,
    ) -> Result<Vec<Self>, Refused> {
        let mut statement = db.prepare_cached(
            "select export_job.id, status_filter, include_comments, user.name, export_job.created_at, expires_at
             from export_job join user on user.id = requested_by
             where project_id = ?1 and expires_at > ?2 order by export_job.created_at desc limit 20",
        )?;
        let rows = statement.query_map(params![project.id, now.as_micros()], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One of them.
    pub(crate) fn load(
        db: &Connection,
        project: &Project,
        id: &str,
        now: Timestamp,
    ) -> Result<Self, Refused> {
        let sql = "select id, status_filter, include_comments, requested_by, created_at, expires_at
                   from export_job where project_id = ?1 and id = ?2 and expires_at > ?3";
        let found = db
            .prepare_cached(sql)?
            .query_row(params![project.id, id, now.as_micros()], Self::read)
            .optional()?;
        found.ok_or_else(Refused::not_found)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            status_filter: row.get(1)?,
            include_comments: row.get(2)?,
            requested_by: row.get(3)?,
            created_at: Timestamp::clamped(row.get(4)?),
            expires_at: Timestamp::clamped(row.get(5)?),
        })
    }
}

/// Asks for a file.
pub(crate) fn request(
    act: &Act<'_>,
    by: &Member,
    project: &Project,
    status: &str,
    include_comments: bool,
) -> Result<String, Refused> {
    let by = by.again(act.db)?;
    by.must(Deed::ExportIssues)?;
    let project = Project::load(act.db, &by, &project.id)?;
    if !status.is_empty() && Status::parse(status).is_none() {
        return Err(Refused::invalid("status", "Choose one of the list."));
    }
    let sql = "select count(*) from issue where project_id = ?1 and deleted_at is null and (?2 = '' or status = ?2)";
    let issues: u32 = act
        .db
        .query_row(sql, [project.id.as_str(), status], |row| row.get(0))?;
    fits(issues)?;
    let export = Export {
        id: act.id("exp"),
        status_filter: status.to_owned(),
        include_comments,
        requested_by: by.user.id.clone(),
        created_at: act.now,
        expires_at: later(act.now, LIFETIME),
    };
    act.db.execute(
        "insert into export_job (id, project_id, requested_by, status_filter, include_comments, created_at, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            export.id,
            project.id,
            export.requested_by,
            export.status_filter,
            export.include_comments,
            export.created_at.as_micros(),
            export.expires_at.as_micros()
        ],
    )?;
    act.record(
        &by.workspace.id,
        events::project::export_requested(&by, &project, &export, issues),
    )?;
    Ok(export.id)
}

/// The file. It holds what its requester may see: managers see everything.
pub(crate) fn csv(
    db: &Connection,
    by: &Member,
    project: &Project,
    export: &Export,
) -> Result<Vec<u8>, Refused> {
    by.must(Deed::ExportIssues)?;
    let filter = Filter {
        statuses: &export.status_filter,
        limit: ROWS_MAX + 1,
        ..Filter::default()
    };
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    let mut header = vec![
        "number",
        "title",
        "type",
        "status",
        "priority",
        "assignee",
        "reporter",
        "reporter_email",
        "source",
        "page",
        "created_at",
        "description",
    ];
    if export.include_comments {
        header.push("comments");
    }
    writer.write_record(&header).map_err(Refused::internal)?;
    let issues = Issue::list(db, by, project, filter)?;
    fits(u32::try_from(issues.len()).unwrap_or(u32::MAX))?;
    for issue in issues {
        let page = if issue.page_host.is_empty() {
            String::new()
        } else {
            format!("{}{}", issue.page_host, issue.page_path)
        };
        let mut row = vec![
            issue.number.to_string(),
            issue.title.clone(),
            issue.kind.clone(),
            issue.status.as_str().to_owned(),
            issue.priority.clone(),
            issue.assignee_name.clone().unwrap_or_default(),
            issue.reporter_name.clone(),
            issue.reporter_email.clone(),
            issue.source.clone(),
            page,
            issue.created_at.to_string(),
            issue.description.clone(),
        ];
        if export.include_comments {
            let comments = super::comment::Comment::list(db, by, &issue)?;
            let said = comments
                .iter()
                .map(|comment| format!("{}: {}", comment.author_name, comment.body));
            row.push(said.collect::<Vec<_>>().join("\n\n"));
        }
        let guarded = row.iter().map(|cell| guarded(cell));
        writer.write_record(guarded).map_err(Refused::internal)?;
    }
    writer.into_inner().map_err(Refused::internal)
}

/// A file holds all or is none: one that ends early looks like a whole one.
fn fits(issues: u32) -> Result<(), Refused> {
    if issues <= ROWS_MAX {
        return Ok(());
    }
    Err(Refused::conflict(format!(
        "A file holds {ROWS_MAX} issues at most. Export them by status."
    )))
}

/// A cell as no spreadsheet takes it for a formula: visitors write titles, and managers open the file.
fn guarded(cell: &str) -> String {
    let begins = cell.trim_start().chars().next();
    let dangerous = begins
        .is_some_and(|first| matches!(first, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠'))
        || cell.starts_with(['\t', '\r', '\n']);
    if dangerous {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::guarded;

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=1+1", " =1", "+1", "-1", "@x", "\tx", "＝1"] {
            assert!(guarded(cell).starts_with('\''), "{cell}");
        }
        assert_eq!(guarded("Header overlaps"), "Header overlaps");
    }
}
