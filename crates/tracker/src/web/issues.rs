//! Issues: the list of a project, one of them, reporting one.

use askama::Template;
use axum::extract::{Path, Query, State};
use serde::Deserialize;

use super::answer::{Answer, Problem, again, page, to_with};
use super::form::{Filled, Pressed};
use super::frame::{Choice, Place, within};
use super::projects::assignees;
use super::visitor::{Desk, Seat};
use crate::app::App;
use crate::clock::in_words;
use crate::domain::comment::Comment;
use crate::domain::issue::{
    self, Filter, Issue, KINDS, PAGE, PRIORITIES, Report, Reporter, Status,
};
use crate::domain::permission::Deed;
use crate::domain::project::Project;
use crate::domain::{forward, member};
use crate::look::{Link, Shell, hue};
use crate::loops;
use crate::refused::Refused;

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

#[derive(Template)]
#[template(path = "issue_new.html")]
struct NewPage<'a> {
    shell: Shell,
    slug: &'a str,
    project: &'a Project,
    filled: &'a ReportForm,
    kinds: Vec<Choice>,
    priorities: Vec<Choice>,
    assignees: Option<Vec<Choice>>,
    problem: &'a Problem,
}

#[derive(Template)]
#[template(path = "issue.html")]
struct IssuePage<'a> {
    shell: Shell,
    slug: &'a str,
    project: &'a Project,
    issue: &'a Issue,
    created: String,
    reporter_hue: &'static str,
    comments: Vec<CommentLine>,
    statuses: Vec<Choice>,
    assignees: Vec<Choice>,
    assignee_hue: &'static str,
    may_change: bool,
    may_comment_quietly: bool,
    may_delete: bool,
    open: bool,
    provider: String,
    draft: &'a str,
    problem: &'a Problem,
}

struct CommentLine {
    id: String,
    author: String,
    hue: &'static str,
    body: String,
    when: String,
    edited: bool,
    members_only: bool,
    mine: bool,
    deletable: bool,
}

#[derive(Deserialize, Default)]
pub(super) struct ListQuery {
    #[serde(default)]
    status: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    before: u32,
}

#[derive(Clone, Deserialize, Default)]
pub(super) struct ReportForm {
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    priority: String,
    #[serde(default)]
    assignee_id: String,
}

#[derive(Deserialize)]
pub(super) struct StatusForm {
    status: String,
}

#[derive(Deserialize)]
pub(super) struct AssignForm {
    assignee_id: String,
}

/// The path of an issue's parts.
pub(super) type IssuePath = Path<(String, String, u32)>;

pub(super) async fn list(
    State(app): State<App>,
    desk: Desk,
    Query(query): Query<ListQuery>,
) -> Answer {
    let (by, project) = (desk.member.clone(), desk.project.clone());
    let statuses = match query.status.as_str() {
        "" => "open,in_progress".to_owned(),
        "all" => String::new(),
        status => status.to_owned(),
    };
    let (text, before) = (query.q.trim().to_owned(), query.before);
    let (mut issues, counts) = app
        .read(move |db| {
            let filter = Filter {
                statuses: &statuses,
                before,
                text: &text,
                limit: PAGE + 1,
            };
            Ok((
                Issue::list(db, &by, &project, filter)?,
                Issue::counts(db, &by, &project)?,
            ))
        })
        .await?;
    let (slug, project) = (&desk.member.workspace.slug, &desk.project);
    let base = format!("/w/{slug}/p/{}", project.id);
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
    let seat: Seat = desk.clone().into();
    let page_ = IssuesPage {
        shell: within(&app, &seat, &project.name, Place::Project(&project.id)).await?,
        slug,
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
        may_manage: desk.member.may(Deed::ManageProjects),
        may_export: desk.member.may(Deed::ExportIssues),
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

pub(super) async fn show_new(State(app): State<App>, desk: Desk) -> Answer {
    new_page(&app, &desk, &ReportForm::default(), Problem::none()).await
}

async fn new_page(app: &App, desk: &Desk, form: &ReportForm, problem: Problem) -> Answer {
    let workspace = desk.member.workspace.id.clone();
    let members = app.read(move |db| member::list(db, &workspace)).await?;
    let seat: Seat = desk.clone().into();
    let mut shell = within(app, &seat, "New issue", Place::Project(&desk.project.id)).await?;
    problem.above(
        &mut shell,
        &["title", "description", "kind", "priority", "assignee_id"],
    );
    let words = |words: &[&str], chosen: &str, usual: &str| {
        let chosen = if chosen.is_empty() { usual } else { chosen };
        words
            .iter()
            .map(|word| Choice::new(word, &capitalized(word), chosen))
            .collect()
    };
    let default = desk.project.default_assignee_id.clone().unwrap_or_default();
    let assignee = if form.assignee_id.is_empty() {
        &default
    } else {
        &form.assignee_id
    };
    let page = NewPage {
        shell,
        slug: &desk.member.workspace.slug,
        project: &desk.project,
        kinds: words(&KINDS, &form.kind, "bug"),
        priorities: words(&PRIORITIES, &form.priority, "normal"),
        assignees: desk
            .member
            .may(Deed::ChangeStatus)
            .then(|| assignees(&members, assignee)),
        filled: form,
        problem: &problem,
    };
    again(&problem, &page)
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}

pub(super) async fn create(
    State(app): State<App>,
    desk: Desk,
    Filled(form): Filled<ReportForm>,
) -> Answer {
    let report = Report {
        title: form.title.clone(),
        description: form.description.clone(),
        kind: form.kind.clone(),
        priority: form.priority.clone(),
        assignee_id: Some(form.assignee_id.clone()),
        ..Report::default()
    };
    let (reporter, project) = (
        Reporter::Member(Box::new(desk.member.clone())),
        desk.project.clone(),
    );
    let made = app
        .act(&desk.visitor.context, move |act| {
            issue::create(act, &reporter, &project, "web", &report)
        })
        .await;
    match made {
        Ok(issue) => {
            loops::forward::soon(
                &app,
                &issue,
                Reporter::Member(Box::new(desk.member.clone())),
                &desk.visitor.context,
            );
            Ok(to_with(
                &issue_path(&desk, issue.number),
                "The issue is reported.",
            ))
        }
        Err(refused) => new_page(&app, &desk, &form, refused.into()).await,
    }
}

pub(super) async fn show(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
) -> Answer {
    with(&app, &desk, number, "", Problem::none()).await
}

/// The page of an issue, with a comment that is not published yet.
pub(super) async fn with(
    app: &App,
    desk: &Desk,
    number: u32,
    draft: &str,
    problem: Problem,
) -> Answer {
    let (by, project) = (desk.member.clone(), desk.project.clone());
    let (issue, comments, members, destination) = app
        .read(move |db| {
            let issue = Issue::load(db, &by, &project, number)?;
            let comments = Comment::list(db, &by, &issue)?;
            let destination = crate::domain::integration::destination(db, &project.id)?;
            Ok((
                issue,
                comments,
                member::list(db, &by.workspace.id)?,
                destination,
            ))
        })
        .await?;
    let by = &desk.member;
    let seat: Seat = desk.clone().into();
    let mut shell = within(
        app,
        &seat,
        &format!("#{number} {}", issue.title),
        Place::Project(&desk.project.id),
    )
    .await?;
    problem.above(&mut shell, &["body"]);
    let comments = comments.into_iter().map(|comment| CommentLine {
        mine: comment.is_by(by),
        deletable: comment.is_by(by) || by.may(Deed::DeleteOthersComments),
        hue: hue(&comment.author_id),
        when: in_words(comment.created_at),
        edited: comment.edited_at.is_some(),
        id: comment.id,
        author: comment.author_name,
        body: comment.body,
        members_only: comment.members_only,
    });
    let page = IssuePage {
        shell,
        slug: &by.workspace.slug,
        project: &desk.project,
        created: in_words(issue.created_at),
        reporter_hue: hue(issue.reporter_id.as_deref().unwrap_or("")),
        comments: comments.collect(),
        statuses: Status::ALL
            .into_iter()
            .map(|known| Choice::new(known.as_str(), known.title(), issue.status.as_str()))
            .collect(),
        assignees: assignees(&members, issue.assignee_id.as_deref().unwrap_or("")),
        assignee_hue: hue(issue.assignee_id.as_deref().unwrap_or("")),
        may_change: by.may(Deed::ChangeStatus) && desk.project.archived_at.is_none(),
        may_comment_quietly: by.may(Deed::CommentForMembers),
        may_delete: (issue.is_by(by) || by.may(Deed::DeleteOthersIssues))
            && desk.project.archived_at.is_none(),
        open: desk.project.archived_at.is_none(),
        provider: destination
            .map(|(_, account)| account.provider)
            .unwrap_or_default(),
        issue: &issue,
        draft,
        problem: &problem,
    };
    again(&problem, &page)
}

pub(super) async fn set_status(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
    Filled(form): Filled<StatusForm>,
) -> Answer {
    let (by, project) = (desk.member.clone(), desk.project.clone());
    let title = Status::parse(&form.status).map_or("", Status::title);
    let done = app
        .act(&desk.visitor.context, move |act| {
            issue::set_status(act, &by, &project, number, &form.status)
        })
        .await;
    finish(
        &app,
        &desk,
        number,
        done,
        &format!("The issue is {}.", title.to_lowercase()),
    )
    .await
}

pub(super) async fn assign(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
    Filled(form): Filled<AssignForm>,
) -> Answer {
    let (by, project) = (desk.member.clone(), desk.project.clone());
    let done = app
        .act(&desk.visitor.context, move |act| {
            issue::assign(act, &by, &project, number, &form.assignee_id)
        })
        .await;
    finish(&app, &desk, number, done, "The issue is assigned.").await
}

pub(super) async fn forward_again(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let (by, project) = (desk.member.clone(), desk.project.clone());
    let done = app
        .act(&desk.visitor.context, move |act| {
            forward::again(act, &by, &project, number)
        })
        .await;
    let done = done.map(|issue| {
        loops::forward::soon(
            &app,
            &issue,
            Reporter::Member(Box::new(desk.member.clone())),
            &desk.visitor.context,
        )
    });
    finish(
        &app,
        &desk,
        number,
        done,
        "The issue is on its way. Reload this page to see how it went.",
    )
    .await
}

pub(super) async fn delete(
    State(app): State<App>,
    desk: Desk,
    Path((_, _, number)): IssuePath,
    Filled(_): Filled<Pressed>,
) -> Answer {
    let (by, project) = (desk.member.clone(), desk.project.clone());
    match app
        .act(&desk.visitor.context, move |act| {
            issue::delete(act, &by, &project, number)
        })
        .await
    {
        Ok(()) => Ok(to_with(
            &format!("/w/{}/p/{}", desk.member.workspace.slug, desk.project.id),
            &format!("Issue #{number} is deleted."),
        )),
        Err(refused) => with(&app, &desk, number, "", refused.into()).await,
    }
}

pub(super) async fn finish(
    app: &App,
    desk: &Desk,
    number: u32,
    done: Result<(), Refused>,
    said: &str,
) -> Answer {
    match done {
        Ok(()) => Ok(to_with(&issue_path(desk, number), said)),
        Err(refused) => with(app, desk, number, "", refused.into()).await,
    }
}

pub(super) fn issue_path(desk: &Desk, number: u32) -> String {
    format!(
        "/w/{}/p/{}/i/{number}",
        desk.member.workspace.slug, desk.project.id
    )
}
