//! The pages of the mailbox.

use std::sync::Arc;

use annals_client::Timestamp;
use askama::Template;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Mailbox, PAGE, Received};
use crate::look::Shell;

/// Pages of the mailbox under `/mailbox`; `/mailbox/latest?to=&subject=` is the newest such mail as plain text, for scripts.
pub(crate) fn routes(mailbox: Arc<Mailbox>) -> Router {
    Router::new()
        .route("/mailbox", get(list))
        .route("/mailbox/latest", get(latest))
        .route("/mailbox/{id}", get(mail))
        .with_state(mailbox)
}

#[derive(Deserialize)]
struct Which {
    #[serde(default)]
    to: String,
    /// A part of the subject, for `/mailbox/latest`.
    #[serde(default)]
    subject: String,
    before: Option<i64>,
}

#[derive(Template)]
#[template(path = "mailbox/list.html")]
struct ListPage {
    shell: Shell,
    to: String,
    mails: Vec<Line>,
    older: String,
}

struct Line {
    id: i64,
    to: String,
    subject: String,
    at: String,
}

#[derive(Template)]
#[template(path = "mailbox/mail.html")]
struct MailPage {
    shell: Shell,
    id: i64,
    to: String,
    /// Where the other mails to the same address are.
    others: String,
    subject: String,
    at: String,
    pieces: Vec<Piece>,
}

/// A piece of a mail's text.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    text: String,
    is_link: bool,
}

async fn list(State(mailbox): State<Arc<Mailbox>>, Query(which): Query<Which>) -> Response {
    let to = which.to.trim().to_lowercase();
    let before = which.before.unwrap_or(i64::MAX);
    let wanted = to.clone();
    let found = run(move || mailbox.list(&wanted, before)).await;
    let mut mails = match found {
        Ok(mails) => mails,
        Err(answer) => return answer,
    };
    let more = mails.len() > PAGE as usize;
    mails.truncate(PAGE as usize);
    let older = match mails.last() {
        Some(last) if more => format!("{}&before={}", mails_to(&to), last.id),
        _ => String::new(),
    };
    let mails = mails
        .into_iter()
        .map(|mail| Line {
            id: mail.id,
            to: mail.to,
            subject: mail.subject,
            at: at(mail.at),
        })
        .collect();
    page(&ListPage {
        shell: shell("Mailbox"),
        to,
        mails,
        older,
    })
}

async fn mail(State(mailbox): State<Arc<Mailbox>>, Path(id): Path<i64>) -> Response {
    match run(move || mailbox.find(id)).await {
        Ok(Some(mail)) => page(&MailPage {
            shell: shell(&mail.subject),
            id: mail.id,
            pieces: pieces(&mail.text),
            at: at(mail.at),
            others: mails_to(&mail.to),
            to: mail.to,
            subject: mail.subject,
        }),
        Ok(None) => (StatusCode::NOT_FOUND, "There is no such mail.").into_response(),
        Err(answer) => answer,
    }
}

async fn latest(State(mailbox): State<Arc<Mailbox>>, Query(which): Query<Which>) -> Response {
    let to = which.to.trim().to_lowercase();
    match run(move || mailbox.list(&to, i64::MAX)).await {
        Ok(mut mails) => match mails
            .drain(..)
            .find(|mail| mail.subject.contains(&which.subject))
        {
            Some(Received { subject, text, .. }) => {
                let plain = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
                (plain, format!("{subject}\n\n{text}")).into_response()
            }
            None => (StatusCode::NOT_FOUND, "There is no mail to that address.").into_response(),
        },
        Err(answer) => answer,
    }
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Response> {
    let done = tokio::task::spawn_blocking(work).await;
    match done {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(problem)) => Err(broken(&problem)),
        Err(problem) => Err(broken(&problem)),
    }
}

fn page(page: &impl Template) -> Response {
    match page.render() {
        Ok(page) => Html(page).into_response(),
        Err(problem) => broken(&problem),
    }
}

fn broken(problem: &dyn std::fmt::Display) -> Response {
    tracing::error!(error = %problem, "cannot show the mailbox");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

fn shell(title: &str) -> Shell {
    Shell {
        title: title.to_owned(),
        ..Shell::default()
    }
}

fn mails_to(address: &str) -> String {
    format!(
        "/mailbox?to={}",
        utf8_percent_encode(address, NON_ALPHANUMERIC)
    )
}

fn at(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or_default();
    time.strftime("%-d %b %Y, %H:%M:%S UTC").to_string()
}

/// Cuts a text so that its addresses can be clicked. In our mails an address stands alone in its line.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for line in text.split_inclusive('\n') {
        let address = line.trim_end();
        let is_link = (address.starts_with("http://") || address.starts_with("https://"))
            && !address.contains(char::is_whitespace);
        if is_link {
            pieces.push(Piece {
                text: address.to_owned(),
                is_link,
            });
        }
        let rest = if is_link {
            &line[address.len()..]
        } else {
            line
        };
        match pieces.last_mut() {
            Some(last) if !last.is_link => last.text.push_str(rest),
            _ => pieces.push(Piece {
                text: rest.to_owned(),
                is_link: false,
            }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces};

    #[test]
    fn an_address_alone_in_its_line_is_a_link() {
        let text = "Hello,\nConfirm:\nhttp://127.0.0.1:1/verify/a_b\n\nnot http://a.example this\n";
        let link = |text: &str| Piece {
            text: text.into(),
            is_link: true,
        };
        let plain = |text: &str| Piece {
            text: text.into(),
            is_link: false,
        };
        assert_eq!(
            pieces(text),
            [
                plain("Hello,\nConfirm:\n"),
                link("http://127.0.0.1:1/verify/a_b"),
                plain("\n\nnot http://a.example this\n"),
            ]
        );
        assert_eq!(pieces(""), []);
        assert_eq!(
            pieces("javascript:alert(1)\n"),
            [plain("javascript:alert(1)\n")]
        );
    }
}
