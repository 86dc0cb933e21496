//! A browser in the tests: it keeps cookies, follows redirects, and shows what pages say.

use std::cell::RefCell;
use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::harness::{ACME, Answer, ROOT, TestServer};

/// A browser with its cookies.
pub(crate) struct Browser<'a> {
    server: &'a TestServer,
    cookies: RefCell<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    /// A browser that has not been here.
    pub(crate) fn new(server: &'a TestServer) -> Self {
        Self {
            server,
            cookies: RefCell::default(),
        }
    }

    /// A browser that has opened a link to Acme's log with a role.
    pub(crate) async fn signed_in(server: &'a TestServer, role: &str) -> Self {
        let browser = Self::new(server);
        browser
            .open(&link(server, ACME, &json!({ "role": role })).await)
            .await
            .is(200);
        browser
    }

    /// Sends one request, with the cookies, and keeps those of the answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "127.0.0.1:4600");
        let cookies: Vec<_> = self
            .cookies
            .borrow()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self
            .server
            .call(request.body(Body::from(body.to_owned())).unwrap())
            .await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies
                    .borrow_mut()
                    .insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Gets an address as it is, without following anything.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Opens an address and follows its redirects.
    pub(crate) async fn open(&self, path: &str) -> Answer {
        let mut answer = self.get(path).await;
        for _ in 0..5 {
            if answer.status.as_u16() != 303 {
                break;
            }
            let next = answer.header("location").to_owned();
            answer = self.get(&next).await;
        }
        answer
    }

    /// The page of Acme's log with some parameters, which must be there.
    #[track_caller]
    pub(crate) fn log(&self, parameters: &str) -> impl Future<Output = String> {
        let path = format!("/w/{ACME}/audit-logs{parameters}");
        async move { self.open(&path).await.is(200).text() }
    }

    /// Forgets or sets a cookie.
    pub(crate) fn set_cookie(&self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self
                .cookies
                .borrow_mut()
                .insert(name.to_owned(), value.to_owned()),
            None => self.cookies.borrow_mut().remove(name),
        };
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }
}

/// Makes a portal link and returns its path and query.
pub(crate) async fn link(server: &TestServer, organization: &str, more: &Value) -> String {
    let mut body = json!({
        "organization": organization,
        "intent": "audit_logs",
        "user": { "id": "user_dana", "name": "Dana Whitfield", "email": "dana@example.com" },
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let made = server
        .post("/portal/generate_link", ROOT, &body)
        .await
        .is(201)
        .json();
    let link = made["link"].as_str().unwrap().to_owned();
    let path = link.split_once("//").unwrap().1;
    path[path.find('/').unwrap()..].to_owned()
}

/// The ids of the events on a page, from top to bottom.
pub(crate) fn ids(page: &str) -> Vec<String> {
    let marks = page.split("data-id=\"").skip(1);
    marks
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

/// Every address that a page links to, read as a browser reads it.
pub(crate) fn hrefs(page: &str) -> Vec<String> {
    let marks = page.split("href=\"").skip(1);
    marks
        .map(|rest| plain(rest.split('"').next().unwrap()))
        .collect()
}

/// The address of the first link that has these words in it.
#[track_caller]
pub(crate) fn link_of(page: &str, words: &str) -> String {
    let at = page
        .find(words)
        .unwrap_or_else(|| panic!("no {words:?} on the page"));
    let link = &page[page[..at].rfind("<a ").unwrap()..];
    plain(
        link.split("href=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap(),
    )
}

/// What a text of a page says.
pub(crate) fn plain(html: &str) -> String {
    html.replace("&#38;", "&")
        .replace("&amp;", "&")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&#60;", "<")
        .replace("&#62;", ">")
}

/// What a page says, without its marks.
pub(crate) fn words(page: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for c in page.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            _ if !inside => text.push(c),
            _ => {}
        }
    }
    plain(&text)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
