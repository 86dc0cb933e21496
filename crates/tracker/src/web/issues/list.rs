//! The issues of a project.

use askama::Template;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::super::answer::{Answer, page};
use super::super::frame::{Place, within};
use super::super::visitor::Desk;
use crate::app::App;
use crate::clock::in_words;
use crate::domain::issue::{Filter, Issue, PAGE, Status};
use crate::domain::permission::Deed;
use crate::domain::project::Project;
use crate::look::{Link, Shell, hue};

#[derive(Template)]
#[template(path = "issues.html")]
struct IssuesPage<'a> {
    shell: Shell,
    slug: &'a str,
    project: &'a Project,
    tabs: Vec<Link>,
    issues: Vec<Line>,
    filtered: bool,
    text: &'a str,
    shown: String,
    older: String,
    may_manage: bool,
    may_export: bool,
}

struct Line {
    href: String,
    number: u32,
    title: String,
    status: Status,
    below: String,
    comments: u32,
    assignee: Option<(String, &'static str)>,
}

#[derive(Deserialize, Default)]
pub(in super::super) struct ListQuery {
    #[serde(default)]
    status: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    before: u32,
}

pub(in super::super) async fn list(
    State(app): State<App>,
    desk: Desk,
    Query(query): Query<ListQuery>,
) -> Answer {
    let statuses = match query.status.as_str() {
        "" => "open,in_progress".to_owned(),
        "all" => String::new(),
        status => status.to_owned(),
    };
    let (text, before) = (query.q.trim().to_owned(), query.before);
    let (mut issues, counts) = desk
        .read(&app, move |db, by, project| {
            let filter = Filter {
                statuses: &statuses,
                before,
                text: &text,
                limit: PAGE + 1,
            };
            Ok((
                Issue::list(db, by, project, filter)?,
                Issue::counts(db, by, project)?,
            ))
        })
        .await?;
    let Desk { seat, project } = &desk;
    let base = desk.path("");
    let more = issues.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    issues.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let encoded =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let older = issues.last().filter(|_| more).map(|last| {
        format!(
            "{base}?status={}&q={}&before={}",
            encoded(&query.status),
            encoded(&query.q),
            last.number
        )
    });
    let tab = |label: &str, status: &str, count| Link {
        label: label.to_owned(),
        href: if status.is_empty() {
            base.clone()
        } else {
            format!("{base}?status={status}")
        },
        current: query.status == status,
        count: Some(count),
        ..Link::default()
    };
    let [open, in_progress, resolved, closed] = counts;
    let page_ = IssuesPage {
        shell: within(&app, seat, &project.name, Place::Project(&project.id)).await?,
        slug: &seat.member.workspace.slug,
        project,
        tabs: vec![
            tab("Open", "", open + in_progress),
            tab("Resolved", "resolved", resolved),
            tab("Closed", "closed", closed),
            tab("All", "all", open + in_progress + resolved + closed),
        ],
        shown: match issues.len() {
            0 => String::new(),
            1 => "1 issue".to_owned(),
            many => format!("{many} issues"),
        },
        filtered: !query.q.is_empty() || query.before > 0 || !query.status.is_empty(),
        issues: issues.into_iter().map(|issue| row(&base, issue)).collect(),
        text: &query.q,
        older: older.unwrap_or_default(),
        may_manage: seat.member.may(Deed::ManageProjects),
        may_export: seat.member.may(Deed::ExportIssues),
    };
    page(&page_)
}

fn row(base: &str, issue: Issue) -> Line {
    Line {
        href: format!("{base}/i/{}", issue.number),
        number: issue.number,
        status: issue.status,
        below: format!(
            "{} by {} · {}",
            in_words(issue.created_at),
            reporter(&issue),
            issue.kind
        ),
        comments: issue.comments,
        assignee: issue
            .assignee_name
            .zip(issue.assignee_id.map(|id| hue(&id))),
        title: issue.title,
    }
}

fn reporter(issue: &Issue) -> &str {
    if issue.reporter_name.is_empty() {
        "a visitor"
    } else {
        &issue.reporter_name
    }
}
